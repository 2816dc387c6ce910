"""A run written by hand: eight trials of small networks with random weights."""

from types import SimpleNamespace

import jax
import numpy as np
import pandas as pd
import pytest

from fer_jax import models
from fer_jax.config.values import default_config, flatten, to_json
from fer_jax.data.dataset import Dataset, Split, checksum
from fer_jax.results.run import load_run
from fer_jax.store import CURVE_COLUMNS, RunDirectory

SIZE, CLASSES = 12, ("angry", "happy", "sad")
LEARNING_RATES, DENSE, SEEDS = (1e-3, 0.01), ((8,), (8, 6)), (5, 6)


def network(dense, channels=1):
    values = flatten(base_config(channels)) | {"model.dense": dense}
    return models.build(values, (SIZE, SIZE, channels), len(CLASSES))


def base_config(channels=1):
    config = default_config()
    config.data.image_size, config.data.channels, config.train.seed = SIZE, channels, SEEDS[0]
    config.model.pairs, config.model.kernels, config.model.pool_size = 1, (4,), 4
    config.sweep.grid.train.learning_rate, config.sweep.grid.model.dense = LEARNING_RATES, DENSE
    config.sweep.repeats = len(SEEDS)
    return config


def pictures(n, seed=0, channels=1):
    return np.random.default_rng(seed).integers(0, 256, (n, SIZE, SIZE, channels), np.uint8)


def make_dataset():
    labels = np.random.default_rng(1).integers(0, 3, 70).astype(np.int32)
    splits = {name: Split(pictures(70, seed), labels) for seed, name in enumerate(("train", "validation", "test"))}
    return Dataset("synthetic", "official", CLASSES, **splits, checksum=checksum(CLASSES, splits), provenance={})


def make_trials():
    """Eight trials: two learning rates x two networks x two seeds; one diverged, one failed, one
    point never begun.
    """
    rows = []
    for dense_index, dense in enumerate(DENSE):
        for rate_index, rate in enumerate(LEARNING_RATES):
            for repeat, seed in enumerate(SEEDS):
                slot = 2 * rate_index + repeat
                rows.append(
                    {"id": f"{dense_index}{rate_index}{repeat}e6789abc", "status": "done", "model.dense": dense}
                    | {"train.learning_rate": rate, "seed": seed, "repeat": repeat, "stack": f"stack_{dense_index}"}
                    | {
                        "wave": f"stack_{dense_index}-wave_0",
                        "slot": slot,
                        "epochs": 3,
                        "diverged_epoch": None,
                        "error": "",
                    }
                    | {"val_accuracy": 0.5 + 0.1 * rate_index + 0.01 * repeat, "val_loss": 1.0 - 0.1 * dense_index}
                    | {"test_accuracy": 0.4}
                )
    trials = pd.DataFrame(rows)
    trials.loc[3, ["status", "val_accuracy", "val_loss", "diverged_epoch"]] = ["diverged", None, None, 2]
    trials.loc[5, ["status", "val_accuracy", "val_loss", "error"]] = ["failed", 0.99, 0.01, "out of memory"]
    trials.loc[6:, ["status", "val_accuracy", "val_loss"]] = ["pending", None, None]
    trials.loc[6:, ["wave", "slot", "epochs"]] = ["", None, None]
    return trials


def make_weights(dense, channels=1):
    rng = np.random.default_rng(len(dense))
    shapes = jax.eval_shape(network(dense, channels).init, jax.random.key(0))
    params, stats = jax.tree.map(lambda leaf: rng.normal(0, 0.3, (4, *leaf.shape)).astype(leaf.dtype), shapes)
    last = jax.tree.map(lambda leaf: leaf * 0.5, params)
    width = len(jax.tree.leaves(params)[0])
    pixels = {"scale": np.full(width, 1 / 255, np.float32), "offset": np.zeros(width, np.float32)}
    return {"best": {"params": params, "stats": stats}, "last": {"params": last, "stats": stats}, "pixels": pixels}


def write_run(path, trials=None, channels=1):
    directory = RunDirectory(path)
    record = {
        "checksum": make_dataset().checksum,
        "classes": CLASSES,
        "split": "official",
        "label": "synthetic faces, official split",
    }
    swept = ["model.dense", "train.learning_rate"]
    config = to_json(base_config(channels))
    directory.write_config({"config": config, "data": record, "swept": swept, "command": "test"})
    directory.write_plan({"stacks": [{"name": "stack_0", "waves": [{"name": "stack_0-wave_0"}]}]})
    directory.write_trials(make_trials() if trials is None else trials)
    rows = [(name, epoch, 1.0, 0.3, 1.1, 0.2) for epoch in (1, 2, 3) for name in ("000e6789abc", "001e6789abc")]
    directory.curves.write("stack_0-wave_0", 1, pd.DataFrame(rows, columns=CURVE_COLUMNS))
    for index, dense in enumerate(DENSE):
        directory.save_final(f"stack_{index}-wave_0", make_weights(dense, channels))
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("runs") / "small")


@pytest.fixture
def run(path):
    return load_run(path)


@pytest.fixture(scope="session")
def small():
    """What the run is made of, for tests that write another."""
    return SimpleNamespace(
        config=base_config,
        network=network,
        draw=pictures,
        dataset=make_dataset,
        trials=make_trials,
        weights=make_weights,
        write=write_run,
    )
