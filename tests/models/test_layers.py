"""Dropout drops its share, by key, layer and row alone; batch norm is that of Keras."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from flax import nnx

from fer_jax.models.layers import BatchNorm, Call, Dropout, add_bias


def _drop(rate, key=0, index=0, rows=64, width=500, train=True):
    call = Call(train=train, dropout=rate, key=jax.random.key(key), rows=jnp.arange(rows))
    return np.asarray(Dropout(index)(jnp.ones((rows, width)), call))


@pytest.mark.parametrize("rate", [0.1, 0.4, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(rate):
    out = _drop(rate)
    dropped = (out == 0).mean()
    assert abs(dropped - rate) < 5 * np.sqrt(rate * (1 - rate) / out.size)
    np.testing.assert_allclose(out[out > 0], 1 / (1 - rate), rtol=1e-6)


def test_dropout_masks_of_other_keys_layers_rows_and_positions_are_independent():
    base = _drop(0.5) > 0
    for other in (_drop(0.5, key=1) > 0, _drop(0.5, index=1) > 0, np.roll(base, 1, axis=0), np.roll(base, 1, axis=1)):
        agreement = (base == other).mean()
        assert abs(agreement - 0.5) < 5 * 0.5 / np.sqrt(base.size)


def test_dropout_of_part_of_a_batch_is_that_part_of_the_mask():
    call = Call(train=True, dropout=0.3, key=jax.random.key(3), rows=jnp.arange(8, 16))
    part = Dropout(0)(jnp.ones((8, 500)), call)
    np.testing.assert_array_equal(part, _drop(0.3, key=3)[8:16])


def test_dropout_zero_and_inference_leave_activations_bitwise():
    x = np.random.default_rng(0).normal(size=(4, 10)).astype(np.float32)
    call = Call(train=True, dropout=0.0, key=jax.random.key(0), rows=jnp.arange(4))
    np.testing.assert_array_equal(Dropout(0)(jnp.asarray(x), call), x)
    np.testing.assert_array_equal(Dropout(0)(jnp.asarray(x), Call(train=False, dropout=0.9)), x)


def test_batch_norm_is_that_of_keras_in_training_and_inference():
    rng = np.random.default_rng(0)
    x = rng.normal(2, 3, size=(8, 4, 4, 5)).astype(np.float32)
    ours, theirs = BatchNorm(5), keras.layers.BatchNormalization()
    theirs.build(x.shape)
    scale, bias = rng.normal(size=(2, 5)).astype(np.float32)
    ours.scale[...], ours.bias[...] = jnp.asarray(scale), jnp.asarray(bias)
    theirs.gamma.assign(scale)
    theirs.beta.assign(bias)
    for _ in range(3):
        np.testing.assert_allclose(ours(x, Call(train=True)), theirs(x, training=True), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours.mean[...], theirs.moving_mean, rtol=1e-5)
    np.testing.assert_allclose(ours.var[...], theirs.moving_variance, rtol=1e-5)
    np.testing.assert_allclose(ours(x, Call()), theirs(x, training=False), rtol=1e-4, atol=1e-5)
    assert isinstance(ours.mean, nnx.BatchStat)


def test_a_bias_gradient_of_16_bit_activations_is_summed_in_float32():
    x = jnp.ones((4, 1000, 3), jnp.bfloat16)
    value, pullback = jax.vjp(lambda bias: add_bias(x, bias), jnp.full(3, 1 / 3))
    assert value.dtype == jnp.bfloat16
    np.testing.assert_allclose(pullback(jnp.ones_like(value))[0], 4000.0)
    sums = [one for one in jax.make_jaxpr(pullback)(value).eqns if one.primitive.name == "reduce_sum"]
    assert sums and all(one.invars[0].aval.dtype == jnp.float32 for one in sums)
