"""A run directory, processes that write to one, and trees of arrays as a wave's checkpoint."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import pandas as pd
import pytest
from ml_dtypes import bfloat16

from fer_jax.store import CURVE_COLUMNS, RunDirectory

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path):
    return RunDirectory(tmp_path / "run")


def start(code, path):
    """A process that runs `code` with `run`, a RunDirectory at `path`; it has printed a line."""
    header = """
import os, sys
import numpy as np, pandas as pd
from fer_jax.store import CURVE_COLUMNS, RunDirectory
run = RunDirectory(sys.argv[1])
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", header + code, str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    process.first_line = process.stdout.readline().strip()
    assert process.first_line, "the process ended before it was ready"
    return process


def kill(process):
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def curve_rows(first, last, ids=("a", "b")):
    rows = [(name, epoch, 1 / epoch, 0.5, 1 / epoch, 0.5) for epoch in range(first, last + 1) for name in ids]
    return pd.DataFrame(rows, columns=list(CURVE_COLUMNS))


def sharded(array, devices):
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:devices]), ("trial",))
    return jax.device_put(array, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("trial")))


def assert_equal_trees(got, expected):
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        assert np.asarray(one).dtype == np.asarray(other).dtype
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


class Moments(NamedTuple):
    nu: np.ndarray
    count: np.ndarray
    nothing: tuple = ()


def example(width=8):
    rng = np.random.default_rng(0)
    kernels = rng.normal(size=(width, 5, 3)).astype(np.float32)
    return {
        "params": {
            "conv_0": {"kernel": kernels},
            "dense_0": {"bias": np.arange(width * 2.0, dtype=np.float32).reshape(width, 2)},
        },
        "stats": {},
        "optimizer": (
            Moments(kernels**2, np.full(width, 7, np.int32)),
            Moments(kernels, np.arange(width, dtype=np.int32)),
        ),
        "alive": np.arange(width) % 3 > 0,
        "half": rng.normal(size=(width, 4)).astype(bfloat16),
        "epoch": np.int32(12),
    }


def abstract(tree, devices=None):
    def leaf(value):
        value = np.asarray(value)
        if devices is None or not value.ndim:
            return jax.ShapeDtypeStruct(value.shape, value.dtype)
        return jax.ShapeDtypeStruct(value.shape, value.dtype, sharding=sharded(np.zeros(4), devices).sharding)

    return jax.tree.map(leaf, tree)
