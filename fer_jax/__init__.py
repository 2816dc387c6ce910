"""Hundreds of small facial-expression networks trained at once, and what their numbers mean.

import fer_jax
run = fer_jax.run_sweep(fer_jax.load_config("grid3d:smoke"), "runs/grid3d-smoke")
run = fer_jax.load_run("runs/grid3d")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fer_jax.base import moved
from fer_jax.base.version import __version__
from fer_jax.errors import ConfigError, DataError, FerJaxError, RunError

if TYPE_CHECKING:
    from fer_jax.config.command_line import load_config
    from fer_jax.exports.export import export_model
    from fer_jax.prediction.external import evaluate
    from fer_jax.reports.plots import plot
    from fer_jax.reports.reported_sweep import run_sweep
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
    "load_config",
    "load_run",
    "plot",
    "randomised_saliency",
    "run_sweep",
    "saliency_maps",
    "table",
]

# Where the names lie that are looked up when first asked for: JAX, pandas and matplotlib take
# seconds to import. No name may be that of a module of the package, which would hide it.
_LAZY = {
    "Run": "fer_jax.results.run:Run",
    "Trial": "fer_jax.results.trial:TrialResult",
    "class_saliency": "fer_jax.saliency.explain:class_saliency",
    "evaluate": "fer_jax.prediction.external:evaluate",
    "export_model": "fer_jax.exports.export:export_model",
    "load_config": "fer_jax.config.command_line:load_config",
    "load_run": "fer_jax.results.run:load_run",
    "plot": "fer_jax.reports.plots:plot",
    "randomised_saliency": "fer_jax.saliency.explain:randomised_saliency",
    "run_sweep": "fer_jax.reports.reported_sweep:run_sweep",
    "saliency_maps": "fer_jax.saliency.explain:saliency_maps",
    "table": "fer_jax.reports.run_tables:table",
}

moved.tell()

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _LAZY:
            raise moved.no_attribute(__name__, name)
        module, _, attribute = _LAZY[name].partition(":")
        found = getattr(importlib.import_module(module), attribute)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted(__all__)
