"""Benchmarks as their users start them: each in its smallest form; how long anything takes is
nobody's test.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks"


@pytest.fixture
def start():
    """start(script, *options) runs a file of benchmarks/ in a process of its own."""

    def start(name, *options):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        environment.pop("JAX_NUM_CPU_DEVICES", None)
        command = [sys.executable, FOLDER / f"{name}.py", *options]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, done.stderr[-2000:]

    return start


@pytest.fixture
def run(start):
    """run(script, *options, folder=...) gives what it wrote to --json."""

    def run(name, *options, folder):
        path = folder / "results.json"
        start(name, *options, f"--json={path}")
        document = json.loads(path.read_text())
        before, after = document["product_gflops"]
        assert before > 0 and after > 0
        assert document["hardware"] and document["options"] and "python" in document["versions"]
        return document

    return run
