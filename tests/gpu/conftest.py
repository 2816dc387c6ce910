"""The facts of programs compiled for a GPU that is only described, by `benchmarks/gpu.py`.

The CUDA plugin lies in a folder of its own, named by FER_JAX_GPU_CHECK, and only the process that
compiles sees it: jax would look for a device with it everywhere else. docs/gpu.md says how.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = os.environ.get("FER_JAX_GPU_CHECK", "")


@pytest.fixture
def scripts(scripts, monkeypatch):
    """scripts(name) imports a file of benchmarks/; flags that it sets are undone."""
    monkeypatch.setenv("XLA_FLAGS", os.environ.get("XLA_FLAGS", ""))
    return scripts


@pytest.fixture(scope="session")
def facts(tmp_path_factory):
    """What `benchmarks/gpu.py check` wrote."""
    if not PLUGIN:
        pytest.skip("FER_JAX_GPU_CHECK names no folder with jax's CUDA plugin (docs/gpu.md)")
    path = tmp_path_factory.mktemp("gpu") / "facts.json"
    kept = {name: value for name, value in os.environ.items() if name not in ("XLA_FLAGS", "JAX_NUM_CPU_DEVICES")}
    environment = {**kept, "PYTHONPATH": os.pathsep.join([PLUGIN, str(ROOT)])}
    command = [sys.executable, ROOT / "benchmarks" / "gpu.py", "check", f"--json={path}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    # 1: something is wrong with a program, which the tests name.
    written = path.is_file() and done.returncode in (0, 1)
    assert written, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return json.loads(path.read_text())


@pytest.fixture(scope="session")
def compiled(facts):
    """The facts of the compiled programs, by name."""
    return {row["name"]: row for row in facts["compiled"]}


@pytest.fixture(scope="session")
def baseline(baseline_document):
    """The facts when the baseline was last written, by name."""
    return {row["name"]: row for row in baseline_document["compiled"]}


@pytest.fixture(scope="session")
def baseline_document():
    """What `benchmarks/gpu.py check` wrote when the baseline was last written."""
    return json.loads((ROOT / "benchmarks" / "results" / "gpu_baseline.json").read_text())
