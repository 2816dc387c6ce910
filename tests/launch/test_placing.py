"""Data of waves in a row: on the devices once, for as long as they are the same."""

import jax
import numpy as np
import pytest

from fer_jax import models
from fer_jax.launch.placing import PlacedData
from fer_jax.launch.prepared import prepare
from fer_jax.plan import recipe_of
from fer_jax.train.engine import WaveProgram


@pytest.fixture
def prepared(config):
    """Two learning rates on half of the data and on all of it, one seed each."""
    config.model.name, config.model.hidden, config.sweep.repeats = "mlp", (8,), 1
    config.sweep.grid.data.fraction = (0.5, 1.0)
    return prepare(config)


def program(trial, devices):
    network = models.build(trial.values, (16, 16, 1), 7)
    return WaveProgram(network, recipe_of(trial.values, (), 0), "map", tuple(jax.devices()[:devices]))


def test_waves_in_a_row_share_what_is_placed(prepared):
    placed = PlacedData(prepared, pytest.fail)
    by_fraction = {}
    for trial in prepared.trials.values():
        by_fraction.setdefault(trial.values["data.fraction"], []).append(trial)
    (half, same_half), (whole, _) = by_fraction[0.5], by_fraction[1.0]
    data = placed.data(program(half, 1), half, None)
    assert placed.data(program(same_half, 1), same_half, None) is data
    on_two = placed.data(program(half, 2), half, None)
    assert on_two is not data and on_two.train_images == data.train_images == 35
    assert placed.data(program(whole, 2), whole, None).train_images == 70


def test_statistics_are_those_of_a_trials_own_data(prepared):
    placed = PlacedData(prepared, pytest.fail)
    for trial in prepared.trials.values():
        found, images = placed.statistics(trial), prepared.dataset(trial).train.images
        assert found.mean == pytest.approx(np.mean(images)) and sum(found.counts) == len(images)
        assert placed.statistics(trial) is found
