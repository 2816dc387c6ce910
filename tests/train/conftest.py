"""A small stack: 12x12 images, a network of one convolution, 40 training images."""

import dataclasses

import jax
import numpy as np
import pytest

from fer_jax import models
from fer_jax.config import fields
from fer_jax.config.values import default_config, flatten
from fer_jax.train.engine import WaveProgram
from fer_jax.train.recipe import Recipe

DEFAULTS = {name: field.default for name, field in fields.FIELDS.items() if field.kind == "traced"} | {
    "train.epochs": 4,
    "train.learning_rate": 3e-3,
    "model.dropout": 0.0,
}
OPTIONAL = ("model.dropout", "loss.focal_gamma", "loss.label_smoothing")


@dataclasses.dataclass
class Small:
    """A program and its data; `run` trains trials given as dicts of what differs from DEFAULTS."""

    program: WaveProgram
    train: dict
    validation: dict

    def hyper(self, trials):
        return self.program.place_values([{**DEFAULTS, **trial} for trial in trials])

    def run(self, trials, epochs, slots=4):
        """Returns state and stacked records (epoch, trial) after `epochs` epochs.

        Idle slots fill up, so that tests share programs. An epoch that moved anything between host
        and devices on its own would raise.
        """
        hyper = self.hyper([*trials, *[{"train.epochs": 0}] * (slots - len(trials))])
        state = self.program.init(hyper)
        records = []
        for _ in range(epochs):
            with jax.transfer_guard("disallow"):
                state, record = self.program.epoch(state, hyper, self.train, self.validation, {})
            records.append(jax.device_get(record))
        used = slice(len(trials))
        state, record = jax.device_get(state), jax.tree.map(lambda *x: np.stack(x)[:, used], *records)
        return jax.tree.map(lambda leaf: leaf[used], state), record


MAPPED = {"engine": "map"}


def make(engine="map", devices=1, batch_size=8, batch_norm=False, images=40, **recipe):
    values = flatten(default_config()) | {
        "model.pairs": 1,
        "model.kernels": (6,),
        "model.dense": (10,),
        "model.batch_norm": batch_norm,
    }
    network = models.build(values, (12, 12, 1), 3)
    program = WaveProgram(
        network, Recipe(batch_size, **{"optional": OPTIONAL, **recipe}), engine, tuple(jax.devices()[:devices])
    )
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, images + 10)
    # A bright band whose place gives the class away, under noise.
    pictures = rng.integers(0, 120, (images + 10, 12, 12, 1))
    for picture, label in zip(pictures, labels, strict=True):
        picture[4 * label : 4 * label + 4] += 100
    pictures = pictures.astype(np.uint8)
    return Small(
        program,
        program.place_train(pictures[:images], labels[:images]),
        program.place_batches(pictures[images:], labels[images:]),
    )


@pytest.fixture(scope="session")
def small():
    """`make`, remembering programs by their arguments so that tests share compilations."""
    made = {}

    def cached(**arguments):
        key = tuple(sorted({**MAPPED, **arguments}.items()))
        if key not in made:
            made[key] = make(**arguments)
        return made[key]

    return cached
