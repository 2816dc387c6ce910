"""Train hundreds of small facial-expression networks at once, on one accelerator, and know what the
numbers mean.

import fer_jax
run = fer_jax.run_sweep(config, workdir)
run = fer_jax.load_run("runs/grid3d")
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from ml_collections import ConfigDict

    from fer_jax.results.run import Run

__all__ = ["load_run", "run_sweep"]


def run_sweep(config: ConfigDict, workdir: str | Path, **options: Any) -> Run:
    """Trains what `config` asks for and `workdir` does not hold yet, and writes tables and report.

    Args:
        config, workdir, **options: as for `fer_jax.launch.loop.run_sweep`, errors too. After an
            interruption the report shows what there is.

    Returns:
        The run, as `load_run` gives it.
    """
    from fer_jax.errors import RunError
    from fer_jax.launch import loop
    from fer_jax.reports.run_report import write_report

    try:
        loop.run_sweep(config, workdir, **options)
    except KeyboardInterrupt:
        # Stopped before there was a run: nothing to report.
        with contextlib.suppress(RunError):
            write_report(workdir)
        raise
    write_report(workdir)
    return load_run(workdir)


def load_run(path: str | Path) -> Run:
    """Opens a run directory, finished or not; see `fer_jax.results.run.load_run`."""
    from fer_jax.results import run

    return run.load_run(path)
