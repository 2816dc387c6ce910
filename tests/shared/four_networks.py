"""A run written by hand: every network, two seeds each, with random weights; one trial diverged,
one has not begun.
"""

import jax
import numpy as np
import pandas as pd
import pytest

from fer_jax import load_run, models
from fer_jax.config.values import default_config, flatten, to_json
from fer_jax.store import CURVE_COLUMNS, RunDirectory

SIZE, CLASSES = 36, ("angry", "happy", "sad")
NETWORKS = ("cnn", "mlp", "imperial", "silvestro")
STARTED = "2026-01-02T03:04:05+00:00"


def make_config():
    config = default_config()
    config.data.image_size, config.train.seed, config.train.learning_rate = SIZE, 5, 0.002
    config.model.batch_norm, config.model.width_multiplier = True, 0.15
    config.model.pool_padding, config.model.dense = "same", (6,)
    config.sweep.grid.model.name, config.sweep.repeats = NETWORKS, 2
    return config


def make_trials():
    rows = []
    for number, name in enumerate(NETWORKS):
        for repeat in (0, 1):
            rows.append(
                {
                    "id": f"{number}{repeat}ab",
                    "status": "done",
                    "model.name": name,
                    "seed": 5 + repeat,
                    "repeat": repeat,
                }
                | {
                    "stack": f"stack_{number}",
                    "wave": f"stack_{number}-wave_0",
                    "slot": repeat,
                    "epochs": 3,
                    "best_epoch": 2,
                }
                | {
                    "diverged_epoch": None,
                    "error": "",
                    "val_accuracy": 0.5 + 0.1 * number + 0.02 * repeat,
                    "val_loss": 1.25,
                }
                | {"test_accuracy": 0.4 + 0.01 * repeat, "last_val_accuracy": 0.45}
            )
    trials = pd.DataFrame(rows)
    trials.loc[6, ["status", "val_accuracy", "val_loss", "diverged_epoch"]] = ["diverged", None, None, 3]
    trials.loc[7, ["status", "wave", "slot", "epochs", "best_epoch"]] = ["pending", "", None, None, None]
    trials.loc[7, ["val_accuracy", "val_loss", "test_accuracy", "last_val_accuracy"]] = None
    return trials


def make_weights(name, width=2):
    """Weights of `width` trials: an initialisation, with noise on all biases and statistics."""
    values = flatten(make_config()) | {"model.name": name}
    network = models.build(values, (SIZE, SIZE, 1), len(CLASSES))
    rng = np.random.default_rng(1)
    drawn = [network.init(jax.random.key(seed)) for seed in range(width)]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *drawn)
    # Kernels as they are drawn; scales and variances stay positive.
    noisy = jax.tree.map(lambda leaf: np.abs(leaf + rng.normal(0, 0.1, leaf.shape)).astype(np.float32), stacked)
    params, stats = jax.tree.map(lambda leaf, other: leaf if leaf.ndim > 2 else other, stacked, noisy)
    last = jax.tree.map(lambda leaf: leaf * np.float32(0.5), params)
    pixels = {"scale": np.full(width, 1 / 255, np.float32), "offset": np.full(width, -0.3, np.float32)}
    return {"best": {"params": params, "stats": stats}, "last": {"params": last, "stats": stats}, "pixels": pixels}


def curve_rows(epochs):
    """Rows of the curves; the losses of epoch 3 of the trial that diverged are no numbers."""
    rows = []
    for epoch in epochs:
        for number, id in enumerate(make_trials()["id"][:7]):
            lost = number == 6 and epoch == 3
            rows.append(
                (
                    id,
                    epoch,
                    *([np.nan] * 4 if lost else [2 / epoch, 0.25 * epoch, 2.5 / epoch, 0.125 * epoch + 0.01 * number]),
                )
            )
    return pd.DataFrame(rows, columns=CURVE_COLUMNS)


def write_run(path, epochs=(1, 2, 3), trials=None):
    directory = RunDirectory(path)
    data = {"checksum": "0", "classes": CLASSES, "split": "official", "label": "synthetic faces, official split"}
    record = {
        "config": to_json(make_config()),
        "data": data,
        "swept": ["model.name"],
        "command": "test",
        "started": STARTED,
    }
    directory.write_config(record)
    directory.write_trials(make_trials() if trials is None else trials)
    directory.curves.write("stack_0-wave_0", epochs[0], curve_rows(epochs))
    return directory


@pytest.fixture(scope="session")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "four_networks"
    directory = write_run(path)
    for number, name in enumerate(NETWORKS):
        directory.save_final(f"stack_{number}-wave_0", make_weights(name))
    return path


@pytest.fixture(scope="session")
def run(path):
    return load_run(path)


@pytest.fixture(scope="session")
def pictures():
    """Noise of different brightness, coarse and fine."""
    rng = np.random.default_rng(0)
    coarse = np.kron(rng.random((70, 4, 4)), np.ones((SIZE // 4, SIZE // 4)))
    fine = rng.random((70, SIZE, SIZE)) * rng.random((70, 1, 1))
    return np.round(255 * coarse * fine)[..., None].astype(np.uint8)


@pytest.fixture(scope="session")
def growing():
    """Returns (path, epochs, statuses by id) -> Run, which writes the run without weights."""

    def write(path, epochs, statuses=None):
        trials = make_trials()
        for id, status in (statuses or {}).items():
            trials.loc[trials["id"] == id, "status"] = status
        directory = RunDirectory(path)
        if directory.has("config.json"):
            directory.write_trials(trials)
            directory.curves.write("stack_0-wave_0", epochs[0], curve_rows(epochs))
        else:
            write_run(path, epochs, trials)
        return load_run(path)

    return write
