"""imperial's network has the maps of its description; tests/train compares it with Keras."""

import jax
import jax.numpy as jnp

from fer_jax import models
from tests.models.conftest import values


def test_maps_shrink_by_kernels_without_borders_and_by_pools():
    network = models.build(values(model__name="imperial", model__dense=(64, 7)), (48, 48, 1), 7)
    image = jnp.zeros((1, 48, 48, 1))
    *_, found = jax.eval_shape(
        lambda *given: network.apply(*given, capture=network.layer_names), *network.shapes, image
    )
    maps = {name: found[name].shape[1:] for name in network.layer_names}
    assert maps == {
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
