"""A sweep that trains in a second: 16x16 faces, one small convolution."""

import pytest

from fer_jax import config as fields


@pytest.fixture
def config(make_config):
    return make_config()


@pytest.fixture(scope="session")
def make_config():
    return _make_config


def _make_config():
    config = fields.default_config()
    config.data.image_size = 16
    config.data.train_size = 70
    config.data.validation_size = 35
    config.data.test_size = 35
    config.model.pairs = 1
    config.model.kernels = (4,)
    config.model.dense = (8,)
    config.train.batch_size = 16
    config.train.epochs = 4
    config.checkpoint.every = 1
    config.sweep.grid.train.learning_rate = (1e-3, 1e-2)
    config.sweep.repeats = 2
    return config
