"""The patch convolution gives the values and gradients of `keras.ops.conv`."""

import jax
import keras
import numpy as np
import pytest

from fer_jax.models.convolution import convolve, padding_amounts


def _arrays(shape, kernel_shape):
    rng = np.random.default_rng(0)
    return rng.normal(size=shape).astype(np.float32), rng.normal(size=kernel_shape).astype(np.float32)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 5])
def test_value_and_gradients_are_those_of_keras(padding, kernel_size):
    images, kernel = _arrays((2, 7, 7, 3), (kernel_size, kernel_size, 3, 4))
    amounts = padding_amounts(padding, kernel_size)

    def ours(x, k):
        y = convolve(x, k, amounts)
        return (y * jax.numpy.sin(y)).sum(), y

    def theirs(x, k):
        y = keras.ops.conv(x, k, strides=1, padding=padding)
        return (y * jax.numpy.sin(y)).sum(), y

    (grads, value), (expected, expected_value) = (jax.jit(jax.grad(f, (0, 1), has_aux=True))(images, kernel) for f in (ours, theirs))
    np.testing.assert_allclose(value, expected_value, rtol=1e-4, atol=1e-4)
    for ours_grad, keras_grad in zip(grads, expected, strict=True):
        np.testing.assert_allclose(ours_grad, keras_grad, rtol=1e-4, atol=1e-3)


def test_negative_padding_leaves_out_the_last_rows_and_columns():
    images, kernel = _arrays((2, 8, 8, 2), (3, 3, 2, 3))

    def total(x, k, amounts, cut):
        y = convolve(x, k, amounts)[:, :cut, :cut]
        return (y**2).sum(), y

    full, short = (
        jax.jit(jax.grad(lambda x, k, a=amounts: total(x, k, a, 5), (0, 1), has_aux=True))(images, kernel)
        for amounts in (((0, 0), (0, 0)), ((0, -1), (0, -1)))
    )
    for a, b in zip(jax.tree.leaves(full), jax.tree.leaves(short), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_vmapping_over_kernels_gives_a_matrix_product_and_no_convolution():
    images, kernel = _arrays((5, 2, 6, 6, 3), (5, 3, 3, 3, 4))

    def total(x, k):
        return (convolve(x, k, ((0, 0), (0, 0))) ** 2).sum()

    lowered = jax.jit(jax.vmap(jax.grad(total, (0, 1)))).lower(images, kernel).as_text()
    assert "dot_general" in lowered and "convolution" not in lowered
