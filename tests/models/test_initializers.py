"""Initial kernels by name have the distribution of Keras' initialisers."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from scipy import stats

from fer_jax.models import initializers

PARAMS = {"conv_0": {"kernel": jnp.zeros((3, 3, 16, 40)), "bias": jnp.full(40, 7.0)}, "norm_0": {"scale": jnp.ones(40)}}


@pytest.mark.parametrize("name", initializers.NAMES[1:])
def test_kernels_are_distributed_as_in_keras(name):
    drawn = jax.jit(initializers.redraw)(PARAMS, jax.random.key(1), initializers.NAMES.index(name))
    theirs = keras.initializers.get(name)
    theirs = np.asarray(type(theirs)(seed=0)((3, 3, 16, 40))).ravel()
    assert stats.ks_2samp(np.asarray(drawn["conv_0"]["kernel"]).ravel(), theirs).pvalue > 0.01
    np.testing.assert_array_equal(drawn["conv_0"]["bias"], PARAMS["conv_0"]["bias"])
    np.testing.assert_array_equal(drawn["norm_0"]["scale"], PARAMS["norm_0"]["scale"])


def test_glorots_uniform_kernels_stay_as_they_were_built():
    built = jax.tree.map(lambda leaf: leaf + 1, PARAMS)
    drawn = initializers.redraw(built, jax.random.key(1), 0)
    jax.tree.map(np.testing.assert_array_equal, drawn, built)


def test_equal_keys_draw_equal_kernels_and_layers_differ():
    params = {"a": {"kernel": jnp.zeros((30, 30))}, "b": {"kernel": jnp.zeros((30, 30))}}
    one, same = (initializers.redraw(params, jax.random.key(5), 3) for _ in range(2))
    jax.tree.map(np.testing.assert_array_equal, one, same)
    assert not np.allclose(one["a"]["kernel"], one["b"]["kernel"])
