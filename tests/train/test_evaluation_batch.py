"""Into which batches a split is cut that is evaluated."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest

from fer_jax import models
from fer_jax.config.values import default_config, flatten
from fer_jax.data import Dataset, Split
from fer_jax.train import feed
from fer_jax.train.engine import WaveProgram
from fer_jax.train.recipe import Recipe


def program(engine="map", side=48, platform="gpu"):
    """A program on a device that is, or pretends to be, of a platform."""
    network = models.build(flatten(default_config()) | {"model.name": "mlp", "model.hidden": (4,)}, (side, side, 1), 3)
    made = WaveProgram(network, Recipe(8), engine, tuple(jax.devices()[:1]))
    made.devices = (SimpleNamespace(platform=platform),)
    return made


@pytest.mark.parametrize(
    ("engine", "side", "platform", "batch"),
    [
        ("map", 48, "cpu", 32),
        ("vmap", 48, "cpu", 32),
        ("map", 48, "gpu", 256),
        ("map", 24, "gpu", 256),
        ("map", 96, "gpu", 64),
        ("map", 224, "gpu", 32),
        ("vmap", 48, "gpu", 32),
        ("grouped", 48, "gpu", 32),
    ],
)
def test_batches_are_larger_where_launches_bind_one_trial_after_another(engine, side, platform, batch):
    """What is placed has the shapes that the program is compiled and its memory analysed for."""
    made = program(engine, side, platform)
    images = np.zeros((600, side, side, 1), np.uint8)
    placed = made.place_batches(images, np.zeros(600, np.int32))
    shapes = made.epoch_shapes(made.value_shapes(2), 80, 600)[3]
    assert placed["labels"].shape == (-(-600 // batch), batch)
    assert {name: leaf.shape for name, leaf in placed.items()} == {name: leaf.shape for name, leaf in shapes.items()}


def test_two_engines_share_data_and_each_has_its_own_batches():
    rng = np.random.default_rng(0)
    splits = [
        Split(rng.integers(0, 256, (n, 8, 8, 1)).astype(np.uint8), rng.integers(0, 3, n).astype(np.int32))
        for n in (40, 300)
    ]
    mapped, beside = program(side=8), program("vmap", 8)
    data = feed.place(mapped, Dataset("small", "kaggle", ("a", "b", "c"), *splits, None, "", {}))
    given = []
    for one in (mapped, beside, mapped):
        one.epoch = lambda state, hyper, train, validation, *rest: given.append(validation)
        data.train_epoch(one, None, {}, 0)
    assert [batches["labels"].shape for batches in given] == [(2, 256), (10, 32), (2, 256)] and given[0] is given[2]
    for batches in given[:2]:
        valid = np.asarray(batches["valid"])
        assert (np.asarray(batches["images"])[valid] == splits[1].images).all()
