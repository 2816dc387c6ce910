"""Pooling gives the values and gradients of Keras, also on ties, at odd sizes and with padding."""

import jax
import keras
import numpy as np
import pytest

from fer_jax.models.pooling import average_pool, max_pool, overlapping_max_pool, pooled_size


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("pool", [2, 3])
@pytest.mark.parametrize("size", [7, 9])
@pytest.mark.parametrize("kind", ["max", "average"])
def test_value_and_gradient_are_those_of_keras(kind, size, pool, padding):
    rng = np.random.default_rng(size * pool)
    # Few distinct values, many zeros: ties are the rule after a ReLU.
    images = np.maximum(rng.integers(-3, 4, (2, size, size, 3)), 0).astype(np.float32)
    ours = max_pool if kind == "max" else average_pool
    theirs = keras.ops.max_pool if kind == "max" else keras.ops.average_pool
    weights = rng.normal(size=theirs(images, pool, strides=pool, padding=padding).shape).astype(np.float32)

    def total(x, function):
        y = function(x)
        return (y * weights).sum(), y

    grad, value = jax.jit(jax.grad(lambda x: total(x, lambda x: ours(x, pool, padding)), has_aux=True))(images)
    keras_grad, keras_value = jax.jit(
        jax.grad(lambda x: total(x, lambda x: theirs(x, pool, strides=pool, padding=padding)), has_aux=True)
    )(images)
    np.testing.assert_allclose(value, keras_value, rtol=1e-6)
    np.testing.assert_allclose(grad, keras_grad, rtol=1e-6, atol=1e-6)


def test_a_tie_sends_the_gradient_to_the_first_pixel():
    images = np.zeros((1, 2, 2, 1), np.float32)
    grad = jax.grad(lambda x: max_pool(x, 2).sum())(images)
    np.testing.assert_array_equal(grad.ravel(), [1, 0, 0, 0])


@pytest.mark.parametrize("pool, stride", [(3, 2), (2, 1), (3, 3), (2, 3)])
@pytest.mark.parametrize("size", [7, 8])
def test_overlapping_windows_are_those_of_keras(size, pool, stride):
    rng = np.random.default_rng(size)
    images = np.maximum(rng.integers(-3, 4, (2, size, size, 3)), 0).astype(np.float32)
    value, pullback = jax.vjp(lambda x: overlapping_max_pool(x, pool, stride), images)
    expected, keras_pullback = jax.vjp(lambda x: keras.ops.max_pool(x, pool, strides=stride), images)
    np.testing.assert_array_equal(value, expected)
    grad = rng.normal(size=expected.shape).astype(np.float32)
    np.testing.assert_allclose(pullback(grad)[0], keras_pullback(grad)[0], rtol=1e-6, atol=1e-6)


def test_sides_of_pooled_maps():
    assert [pooled_size(7, 2, padding) for padding in ("valid", "same")] == [3, 4]
    assert [pooled_size(6, 3, padding) for padding in ("valid", "same")] == [2, 2]
