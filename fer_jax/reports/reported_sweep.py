"""A sweep from its config to its report: what `fer_jax.run_sweep` and the programs start."""

from __future__ import annotations

import contextlib
import textwrap
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from fer_jax.analysis.parts import part_names
from fer_jax.errors import RunError
from fer_jax.launch import loop
from fer_jax.reports import run_report, verdict
from fer_jax.results import rankings
from fer_jax.results.run import Run, load_run


def run_sweep(config: ConfigDict, workdir: str | Path, **options: Any) -> Run:
    """Trains what `config` asks for and `workdir` does not hold yet, and writes tables and report.

    After an interruption the report shows what there is.

    Args:
        config, workdir, **options: as for `fer_jax.launch.loop.run_sweep`, errors too.

    Returns:
        The run, as `load_run` gives it.
    """
    try:
        loop.run_sweep(config, workdir, **options)
    except KeyboardInterrupt:
        # Stopped before there was a run: nothing to report.
        with contextlib.suppress(RunError):
            run_report.write_report(workdir)
        raise
    run_report.write_report(workdir)
    return load_run(workdir)


def closing(run: Run) -> list[str]:
    """Returns what a sweep ends with on a terminal: its best point, and what that stands on.

    Where not all points are ranked against each other, it takes them part by part.
    """
    parts = rankings.parts(run)
    names = part_names(parts) if len(parts) > 1 else [""]
    lines = [] if len(parts) == 1 else [verdict.not_ranked(parts)]
    for name, part in zip(names, parts, strict=True):
        found = verdict.closing(part)
        lines += [f"{name}: {found[0]}" if name else found[0], *found[1:]] if found else []
    return [textwrap.fill(line, 118, subsequent_indent="  ", break_on_hyphens=False) for line in lines]
