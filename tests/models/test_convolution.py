"""The convolution gives the values and gradients of `keras.ops.conv`, whatever computes it."""

import jax
import jax.extend
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from fer_jax.models import convolution
from fer_jax.models.convolution import convolve, convolve_strided, depthwise, padding_amounts


def _arrays(shape, kernel_shape):
    rng = np.random.default_rng(0)
    return rng.normal(size=shape).astype(np.float32), rng.normal(size=kernel_shape).astype(np.float32)


def _assert_as_keras(images, kernel, padding, **options):
    amounts = padding_amounts(padding, kernel.shape[0])

    def ours(x, k):
        y = convolve(x, k, amounts, **options)
        return (y * jax.numpy.sin(y)).sum(), y

    def theirs(x, k):
        y = keras.ops.conv(x, k, strides=1, padding=padding)
        return (y * jax.numpy.sin(y)).sum(), y

    (grads, value), (expected, expected_value) = (
        jax.jit(jax.grad(f, (0, 1), has_aux=True))(images, kernel) for f in (ours, theirs)
    )
    np.testing.assert_allclose(value, expected_value, rtol=1e-4, atol=1e-4)
    for ours_grad, keras_grad in zip(grads, expected, strict=True):
        np.testing.assert_allclose(ours_grad, keras_grad, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 5])
@pytest.mark.parametrize("channels", [1, 3])
def test_value_and_gradients_are_those_of_keras(padding, kernel_size, channels):
    _assert_as_keras(*_arrays((2, 7, 7, channels), (kernel_size, kernel_size, channels, 4)), padding)


@pytest.mark.parametrize("kernel_size", [3, 1])
def test_bfloat16_is_summed_up_in_float32(kernel_size):
    arrays = [
        jax.numpy.asarray(x, jax.numpy.bfloat16) for x in _arrays((4, 12, 12, 32), (kernel_size, kernel_size, 32, 8))
    ]
    amounts = padding_amounts("same", kernel_size)
    value, pullback = jax.vjp(lambda x, k: convolve(x, k, amounts), *arrays)
    grads = pullback(value)
    exact, theirs = jax.vjp(
        lambda x, k: keras.ops.conv(x, k, strides=1, padding="same"), *(x.astype(jax.numpy.float32) for x in arrays)
    )
    for ours, expected in zip((value, *grads), (exact, *theirs(value.astype(jax.numpy.float32))), strict=True):
        assert ours.dtype == jax.numpy.bfloat16
        # Half a unit in the last of 8 bits, at the number itself; sums in bfloat16 would be off by
        # many.
        scale = np.abs(expected).max()
        np.testing.assert_allclose(ours.astype(np.float32), expected, rtol=2**-8, atol=1e-5 * scale)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_a_gradient_in_chunks_of_images_is_the_whole(padding, monkeypatch):
    # 6 images whose intermediate results take 3 * 3 or 9 * 9 times 49 * 3 * 4 bytes: chunks of 2 or
    # 1. `winograd` leaves kernels of 7 alone.
    monkeypatch.setattr(convolution, "CHUNK_BYTES", 11_000)
    images, kernel = _arrays((6, 9, 9, 3), (7, 7, 3, 4))
    lowered = (
        jax.jit(jax.grad(lambda k: convolve(images, k, padding_amounts(padding, 7)).sum())).lower(kernel).as_text()
    )
    assert "while" in lowered
    _assert_as_keras(images, kernel, padding)


def test_native_convolution_is_that_of_keras_and_grouped_under_vmap():
    images, kernel = _arrays((2, 7, 7, 3), (3, 3, 3, 4))
    _assert_as_keras(images, kernel, "same", native=True)
    images, kernel = _arrays((5, 2, 6, 6, 3), (5, 3, 3, 3, 4))
    lowered = (
        jax.jit(jax.vmap(lambda x, k: convolve(x, k, ((0, 0), (0, 0)), native=True))).lower(images, kernel).as_text()
    )
    assert "feature_group_count = 5" in lowered and "dot_general" not in lowered


@pytest.mark.parametrize("native", [False, True])
def test_negative_padding_leaves_out_the_last_rows_and_columns(native):
    images, kernel = _arrays((2, 8, 8, 2), (3, 3, 2, 3))

    def total(x, k, amounts, cut):
        y = convolve(x, k, amounts, native=native)[:, :cut, :cut]
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


def test_xlas_own_convolution_is_never_asked_for_a_negative_padding():
    images, kernel = _arrays((2, 8, 8, 2), (3, 3, 2, 3))
    grads = jax.grad(lambda x, k: convolve(x, k, ((1, -1), (1, -1)), native=True).sum(), (0, 1))
    forward = jax.jit(lambda x, k: convolve(x, k, ((1, -1), (1, -1)), native=True))
    texts = [jax.jit(function).lower(images, kernel).as_text() for function in (forward, grads)]
    pads = [line for text in texts for line in text.splitlines() if "stablehlo.convolution" in line]
    assert len(pads) == 3 and not any("-1" in line.partition("pad = ")[2].partition("]]")[0] for line in pads)


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("size", [8, 9])
def test_strides_and_a_kernel_a_channel_are_those_of_keras(size, padding, native):
    images, kernel = _arrays((2, size, size, 3), (3, 3, 3, 4))
    single = kernel[..., :1].swapaxes(2, 3)
    amounts = padding_amounts(padding, 3, 2, size)
    pairs = (
        (convolve_strided, kernel, keras.ops.conv, kernel),
        (depthwise, single, keras.ops.depthwise_conv, single.swapaxes(2, 3)),
    )
    for ours, own, theirs, other in pairs:
        value, pullback = jax.vjp(lambda x, k, ours=ours: ours(x, k, amounts, 2, native=native), images, own)
        expected, keras_pullback = jax.vjp(
            lambda x, k, theirs=theirs: theirs(x, k, strides=2, padding=padding), images, other
        )
        grad = np.random.default_rng(1).normal(size=expected.shape).astype(np.float32)
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-4)
        (images_grad, kernel_grad), (theirs_images, theirs_kernel) = pullback(grad), keras_pullback(grad)
        np.testing.assert_allclose(images_grad, theirs_images, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(np.ravel(kernel_grad), np.ravel(theirs_kernel), rtol=1e-4, atol=1e-4)


def test_a_depthwise_kernels_gradient_is_summed_in_float32_of_16_bit_images():
    images, kernel = (array.astype(jnp.bfloat16) for array in _arrays((2, 8, 8, 3), (3, 3, 1, 3)))
    value, pullback = jax.vjp(lambda k: depthwise(images, k, ((1, 1), (1, 1))), kernel)
    assert value.dtype == jnp.bfloat16

    def sums(jaxpr):
        for one in jaxpr.eqns:
            if one.primitive.name == "reduce_sum":
                yield one.invars[0].aval.dtype
            for inner in jax.extend.core.jaxprs_in_params(one.params):
                yield from sums(inner)

    found = list(sums(jax.make_jaxpr(pullback)(value).jaxpr))
    assert found and set(found) == {jnp.dtype(jnp.float32)}
