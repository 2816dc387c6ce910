"""The fully connected network agrees with the same network built in Keras."""

import jax
import keras
import numpy as np

from fer_jax import models
from tests.models.conftest import copy_to, values


def test_mlp_gives_the_logits_of_keras():
    v = values(model__name="mlp", model__hidden=(20, 10))
    network = models.build(v, (8, 8, 3), 5)
    params, stats = jax.jit(network.init)(jax.random.key(0))
    layers = [
        keras.layers.Flatten(),
        keras.layers.Dense(20, "relu"),
        keras.layers.Dense(10, "relu"),
        keras.layers.Dense(5),
    ]
    model = keras.Sequential([keras.Input((8, 8, 3)), *layers])
    copy_to(model, network, params, stats)
    images = np.random.default_rng(0).random((6, 8, 8, 3), np.float32)
    np.testing.assert_allclose(network.apply(params, stats, images)[0], model(images), atol=1e-5)
