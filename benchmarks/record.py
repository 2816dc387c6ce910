"""What the benchmarks write beside their numbers: versions, hardware, load, the machine's speed."""

import argparse
import json
import os
import platform
import statistics
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

PACKAGES = ("fer_jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "torch", "keras")


def versions() -> dict[str, str]:
    """Returns the versions of Python and of those packages that are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def load() -> float | None:
    """Processes that wanted a core during the last minute, on average."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """Returns the processor's name, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def product_gflops(code: SimpleNamespace) -> float:
    """Returns the rate of a float32 matrix product in GFLOP/s.

    On an accelerator it has JAX's default precision.

    Args:
        code: from `candidate.load`.
    """
    # Trees up to commit 9d8d37d call it by another name.
    timed = getattr(code.hardware, "product_rate", None) or code.hardware._product_rate
    return round((code.hardware.detect().product_rate or timed()) / 1e9, 1)


def machine(code: SimpleNamespace) -> dict[str, Any]:
    """Returns what a file of results begins with.

    It says what else the machine does, so ask before the measurements.
    """
    found = code.hardware.detect(measure_rate=False)
    return {
        "hardware": f"{found.devices} x {found.kind} ({processor()}), {cores()} cores",
        "backend": found.backend,
        "versions": versions(),
        "load_before": load(),
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY", "not set"),
        "product_gflops": [product_gflops(code)],
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Returns median and quartiles."""
    lower, upper = np.quantile(values, (0.25, 0.75)).tolist()
    return {"median": statistics.median(values), "lower_quartile": lower, "upper_quartile": upper}


def save(path: Path | None, document: dict[str, Any]) -> None:
    """Writes a JSON file in full or not at all; nothing without a path."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".part")
    draft.write_text(json.dumps(document, indent=1) + "\n")
    draft.replace(path)


def chosen(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the options of the command, as JSON takes them, without where the results go."""
    return {
        name: str(value) if isinstance(value, Path) else value
        for name, value in vars(options).items()
        if name != "json"
    }


class Results:
    """The rows of a benchmark in this process and what goes with them into the file `options.json`.

    Args:
        code: from `candidate.load`.
        options: of the command.
    """

    def __init__(self, code: SimpleNamespace, options: argparse.Namespace):
        self._code, self._options = code, options
        self.document = {**machine(code), "options": chosen(options), "rows": []}

    def add(self, row: dict[str, Any]) -> None:
        self.document["rows"].append(row)

    def save(self) -> None:
        """Writes what there is so far, so that a run that is cut off leaves it."""
        save(self._options.json, self.document)

    def finish(self) -> None:
        """Measures the machine again, says how fast it was, and writes the file."""
        self.document["product_gflops"].append(product_gflops(self._code))
        before, after = self.document["product_gflops"]
        print(f"float32 matrix product: {before:,.0f} GFLOP/s before, {after:,.0f} after")
        self.save()
