"""Train hundreds of small facial-expression networks at once, on one accelerator, and know what the
numbers mean.

import fer_jax
run = fer_jax.run_sweep(config, workdir)
run = fer_jax.load_run("runs/grid3d")
"""

from __future__ import annotations

import contextlib
import importlib
from typing import TYPE_CHECKING, Any

from fer_jax.errors import ConfigError, DataError, FerJaxError, RunError

if TYPE_CHECKING:
    from pathlib import Path

    from ml_collections import ConfigDict

    from fer_jax.exports.export import export_model
    from fer_jax.prediction.external import evaluate
    from fer_jax.reports.run_tables import table
    from fer_jax.results.run import Run, load_run
    from fer_jax.results.trial import TrialResult as Trial
    from fer_jax.saliency.explain import class_saliency, randomised_saliency, saliency_maps

__all__ = [
    "ConfigError",
    "DataError",
    "FerJaxError",
    "Run",
    "RunError",
    "Trial",
    "__version__",
    "class_saliency",
    "evaluate",
    "export_model",
    "load_run",
    "randomised_saliency",
    "run_sweep",
    "saliency_maps",
    "table",
]

__version__ = "0.1.0"

# Where the names lie that are looked up when first asked for: JAX, pandas and matplotlib take
# seconds to import. No name may be that of a module of the package, which would hide it.
_LAZY = {
    "Run": "fer_jax.results.run:Run",
    "Trial": "fer_jax.results.trial:TrialResult",
    "class_saliency": "fer_jax.saliency.explain:class_saliency",
    "evaluate": "fer_jax.prediction.external:evaluate",
    "export_model": "fer_jax.exports.export:export_model",
    "load_run": "fer_jax.results.run:load_run",
    "randomised_saliency": "fer_jax.saliency.explain:randomised_saliency",
    "saliency_maps": "fer_jax.saliency.explain:saliency_maps",
    "table": "fer_jax.reports.run_tables:table",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, _, attribute = _LAZY[name].partition(":")
        found = getattr(importlib.import_module(module), attribute)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def run_sweep(config: ConfigDict, workdir: str | Path, **options: Any) -> Run:
    """Trains what `config` asks for and `workdir` does not hold yet, and writes tables and report.

    Args:
        config, workdir, **options: as for `fer_jax.launch.loop.run_sweep`, errors too. After an
            interruption the report shows what there is.

    Returns:
        The run, as `load_run` gives it.
    """
    from fer_jax.launch import loop
    from fer_jax.reports.run_report import write_report
    from fer_jax.results.run import load_run

    try:
        loop.run_sweep(config, workdir, **options)
    except KeyboardInterrupt:
        # Stopped before there was a run: nothing to report.
        with contextlib.suppress(RunError):
            write_report(workdir)
        raise
    write_report(workdir)
    return load_run(workdir)
