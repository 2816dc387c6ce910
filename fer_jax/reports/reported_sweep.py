"""A sweep from its config to its report: what `fer_jax.run_sweep` and the programs start."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from fer_jax.errors import RunError
from fer_jax.launch import loop
from fer_jax.reports import run_report
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
