"""imperial's network has the maps of its description, and Keras' answers also without its pools and
with others; tests/train compares how it learns.
"""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from fer_jax import models
from fer_jax.config.rules import resolve
from fer_jax.config.values import default_config, flatten
from fer_jax.errors import ConfigError
from tests.models.conftest import copy_to, values

L = keras.layers


def maps(network, size):
    """Layer -> shape of its output for one grey image."""
    image = jnp.zeros((1, size, size, 1))
    *_, found = jax.eval_shape(
        lambda *given: network.apply(*given, capture=network.layer_names), *network.shapes, image
    )
    return {name: found[name].shape[1:] for name in network.layer_names}


def test_maps_shrink_by_kernels_without_borders_and_by_pools():
    network = models.build(values(model__name="imperial", model__dense=(64, 7)), (48, 48, 1), 7)
    assert maps(network, 48) == {
        "conv_0": (44, 44, 36),
        "pool_0": (22, 22, 36),
        "conv_1": (20, 20, 48),
        "conv_2": (20, 20, 48),
        "pool_1": (10, 10, 48),
        "conv_3": (8, 8, 48),
        "conv_4": (8, 8, 48),
        "pool_2": (4, 4, 48),
        "flatten": (768,),
        "dense_0": (64,),
        "dense_dropout_0": (64,),
        "dense_1": (7,),
        "dense_dropout_1": (7,),
        "output": (7,),
    }


def test_a_multiplier_narrows_kernels_and_units():
    network = models.build(values(model__name="imperial", model__width_multiplier=0.5), (48, 48, 1), 7)
    params, _ = network.shapes
    assert params["conv_0"]["kernel"].shape == (5, 5, 1, 18) and params["conv_4"]["kernel"].shape == (3, 3, 24, 24)


def test_without_pools_maps_shrink_by_kernels_alone():
    network = models.build(values(model__name="imperial", model__pool_size=1), (48, 48, 1), 7)
    sides = [shape[0] for name, shape in maps(network, 48).items() if name.startswith(("conv", "pool"))]
    assert sides == [44, 44, 42, 42, 42, 40, 40, 40]
    assert maps(network, 48)["flatten"] == (40 * 40 * 48,)


@pytest.mark.parametrize(("pool", "kind"), [(1, "average"), (2, "max")])
def test_answers_are_those_of_keras_with_any_pools(pool, kind):
    size, side = {1: (12, 4), 2: (36, 2)}[pool]
    asked = {"model__pool_size": pool, "model__pooling": kind, "model__dense": (80,), "model__width_multiplier": 0.1}
    network = models.build(values(model__name="imperial", **asked), (size, size, 1), 7)
    layer = L.MaxPooling2D if kind == "max" else L.AveragePooling2D
    layers = [keras.Input((size, size, 1)), L.Conv2D(4, 5, activation="relu"), layer(pool)]
    for _ in range(2):
        layers += [
            L.Conv2D(5, 3, activation="relu"), L.Conv2D(5, 3, padding="same", activation="relu"), layer(pool),
        ]  # fmt: skip
    model = keras.Sequential([*layers, L.Flatten(), L.Dense(8, activation="relu"), L.Dense(7)])
    assert model.layers[-3].output.shape[1] == side * side * 5
    params, stats = jax.jit(network.init)(jax.random.key(1))
    copy_to(model, network, params, stats)
    images = np.random.default_rng(0).random((3, size, size, 1), np.float32)
    ours, _, _ = jax.jit(network.apply)(params, stats, images)
    np.testing.assert_allclose(ours, model(images), atol=1e-5)
    assert np.abs(ours).max() > 1e-2


def resolved(**changed):
    base = flatten(default_config()) | {"model.name": "imperial"}
    return resolve(base | {name.replace("__", "."): value for name, value in changed.items()})


@pytest.mark.parametrize(("pool", "smallest"), [(1, 9), (2, 24), (3, 55)])
def test_smallest_image_is_that_of_which_the_last_pool_leaves_one_pixel(pool, smallest):
    resolved(model__pool_size=pool, data__image_size=smallest)
    network = models.build(values(model__name="imperial", model__pool_size=pool), (smallest, smallest, 1), 7)
    assert maps(network, smallest)["pool_2"] == (1, 1, 48)
    with pytest.raises(ConfigError, match=f"with model.pool_size = {pool} leaves nothing of less than {smallest} pix"):
        resolved(model__pool_size=pool, data__image_size=smallest - 1)
