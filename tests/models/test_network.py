"""A network gives its activations by name, and lets arrays be added to them."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from fer_jax import models
from fer_jax.models.layers import Call
from tests.models.conftest import values


def test_activations_come_by_name_and_asking_changes_nothing():
    network = models.build(values(), (24, 24, 1), 7)
    params, stats = jax.jit(network.init)(jax.random.key(0))
    images = jnp.asarray(np.random.default_rng(0).random((3, 24, 24, 1), np.float32))
    plain, _, nothing = network.apply(params, stats, images)
    logits, _, found = network.apply(params, stats, images, capture=network.layer_names)
    assert nothing == {} and tuple(found) == network.layer_names
    np.testing.assert_allclose(logits, plain, rtol=1e-5, atol=1e-6)
    assert found["conv_0"].shape == (3, 22, 22, 32) and found["pool_0"].shape == (3, 11, 11, 32)
    assert found["conv_0"].min() == 0
    np.testing.assert_array_equal(found["output"], logits)
    with pytest.raises(KeyError, match="no layer 'dense_9'.*dense_0"):
        network.apply(params, stats, images, capture=["dense_9"])


def test_kernels_are_glorot_uniform_and_biases_zero():
    params, _ = jax.jit(models.build(values(), (48, 48, 1), 7).init)(jax.random.key(0))
    kernel = np.asarray(params["conv_1"]["kernel"])
    limit = np.sqrt(6 / (9 * 32 + 9 * 64))
    assert abs(kernel).max() <= limit and kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.02)
    assert not params["conv_1"]["bias"].any()


@pytest.mark.parametrize("layer", ["pool_0", "conv_1", "dense_0"])
def test_what_is_added_to_a_layer_reaches_the_next_ones_and_zeros_change_nothing(layer):
    """conv_1 and pool_1 are one step of the network unless conv_1 is watched."""
    v = values(model__kernels=(3, 4), model__pairs=2, model__dense=(8,))
    network = models.build(v, (12, 12, 1), 3)
    params, stats = jax.jit(network.init)(jax.random.key(2))
    images = np.random.default_rng(0).random((2, 12, 12, 1), np.float32)
    plain, _, found = jax.jit(partial(network.apply, capture=network.layer_names))(params, stats, images)
    apply = jax.jit(network.apply)
    np.testing.assert_allclose(
        apply(params, stats, images, added={layer: jnp.zeros_like(found[layer])})[0], plain, atol=1e-6
    )
    rest = found[layer] + np.random.default_rng(1).normal(size=found[layer].shape).astype(np.float32)
    logits = apply(params, stats, images, added={layer: rest - found[layer]})[0]
    following = network.layer_names[network.layer_names.index(layer) + 1 :]
    chain = network.build(nnx.Rngs(0))
    nnx.update(chain, nnx.State(jax.tree.map(lambda leaf: leaf, params)))
    for name in following:
        rest = getattr(chain, name)(rest, Call())
    np.testing.assert_allclose(logits, rest, atol=1e-5)


def test_an_unknown_layer_to_add_to_is_named():
    network = models.build(values(), (24, 24, 1), 3)
    params, stats = jax.eval_shape(network.init, jax.random.key(0))
    with pytest.raises(KeyError, match="no layer 'conv_9'; this network has conv_0, "):
        network.apply(params, stats, np.zeros((1, 24, 24, 1)), added={"conv_9": 0.0})
