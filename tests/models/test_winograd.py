"""Winograd's convolution gives the values and gradients of direct sums in float64.

It is about as exact as direct sums in float32.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_jax.models import convolution, winograd


def _drawn(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in shapes]


def _direct(images, kernel):
    """Cross-correlation as the sum that defines it, in the arrays' own precision."""
    side = kernel.shape[0]
    height, width = (size - side + 1 for size in images.shape[1:3])
    return sum(images[:, i : i + height, j : j + width] @ kernel[i, j] for i in range(side) for j in range(side))


def _direct_gradients(images, kernel, grad):
    """The gradients of the sum of `_direct` times grad, product by product."""
    side = kernel.shape[0]
    height, width = grad.shape[1:3]
    of_images, of_kernel = np.zeros_like(images), np.zeros_like(kernel)
    for i in range(side):
        for j in range(side):
            of_images[:, i : i + height, j : j + width] += grad @ kernel[i, j].T
            of_kernel[i, j] = np.tensordot(images[:, i : i + height, j : j + width], grad, axes=((0, 1, 2), (0, 1, 2)))
    return of_images, of_kernel


def _relative(found, expected):
    return np.abs(np.asarray(found) - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize(
    "outputs, kernel",
    [(m, r) for m in (2, 3, 4) for r in (2, 3, 4, 5) if m + r - 1 <= winograd.LARGEST_TILE],
)
def test_the_matrices_give_a_correlation_of_numbers(outputs, kernel):
    to_outputs, of_kernel, of_inputs = winograd.matrices(outputs, kernel)
    numbers, weights = _drawn(outputs + 10 * kernel, outputs + kernel - 1, kernel)
    np.testing.assert_allclose(
        to_outputs @ ((of_kernel @ weights) * (of_inputs @ numbers)),
        np.correlate(numbers, weights),
        rtol=1e-12,
        atol=1e-12,
    )


@settings(max_examples=12, deadline=None)
@given(
    count=st.integers(1, 6),
    height=st.integers(2, 14),
    width=st.integers(2, 14),
    kernel=st.integers(2, 5),
    outputs=st.integers(2, 4),
    channels=st.integers(1, 5),
    filters=st.integers(1, 5),
    chunk_bytes=st.sampled_from([1, 20_000, 2**30]),
)
def test_values_and_gradients_are_those_of_direct_sums(
    count, height, width, kernel, outputs, channels, filters, chunk_bytes
):
    outputs = min(outputs, winograd.LARGEST_TILE - kernel + 1)
    tiles = winograd.Tiling(outputs, kernel, -(-height // outputs), -(-width // outputs))
    images, weights, grad = _drawn(
        0,
        (count, height + kernel - 1, width + kernel - 1, channels),
        (kernel, kernel, channels, filters),
        (count, height, width, filters),
    )
    narrow = [jnp.asarray(array, jnp.float32) for array in (images, weights, grad)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winograd, "CHUNK_BYTES", chunk_bytes)
        found, of_images, of_kernel = jax.jit(
            lambda x, k, g: (winograd.forward(x, k, tiles), *winograd.gradients(x, k, g, tiles))
        )(*narrow)
    expected_of_images, expected_of_kernel = _direct_gradients(images, weights, grad)
    assert _relative(found, _direct(images, weights)) < 1e-5
    assert _relative(of_images, expected_of_images) < 1e-5
    assert _relative(of_kernel, expected_of_kernel) < 1e-5


def test_rounding_costs_no_more_than_six_times_that_of_a_direct_sum():
    images, kernel = _drawn(0, (4, 22, 22, 64), (3, 3, 64, 32))
    images = np.maximum(images, 0)
    narrow = [array.astype(np.float32) for array in (images, kernel)]
    expected = _direct(*(array.astype(np.float64) for array in narrow))
    tiles = winograd.tiling(4, 20, 20, 3, 64, 32)
    assert tiles == winograd.Tiling(4, 3, 5, 5)
    found = np.asarray(winograd.forward(*map(jnp.asarray, narrow), tiles))
    ours = np.sqrt(np.square(found - expected).mean())
    direct = np.sqrt(np.square(_direct(*narrow) - expected).mean())
    assert ours < 6 * direct


def test_the_tiling_takes_the_fewest_multiplications_and_none_where_it_does_not_pay():
    def tiles(count, height, width, kernel, channels=8, filters=8):
        return winograd.tiling(count, height, width, kernel, channels, filters)

    # 36 points for 16 outputs of 9 multiplications each: a quarter. 25 points for 9: 3.24 times
    # fewer. 16 for 4: 2.25.
    assert tiles(8, 20, 20, 3) == winograd.Tiling(4, 3, 5, 5)
    assert tiles(8, 9, 9, 3) == winograd.Tiling(3, 3, 3, 3)
    assert tiles(8, 8, 12, 3) == winograd.Tiling(4, 3, 2, 3)
    assert tiles(8, 20, 20, 5) == winograd.Tiling(2, 5, 10, 10)
    assert tiles(64, 2, 2, 3) == winograd.Tiling(2, 3, 1, 1)
    assert tiles(64, 1, 1, 3) is None, "16 points for one output of 9"
    assert tiles(7, 4, 4, 3) is None, "seven tiles are a small matrix product"
    assert tiles(64, 20, 20, 1) is None and tiles(64, 20, 20, 7) is None
    # 36 * 256 * 256 numbers are not kept in a core's cache: more must be saved, over more tiles.
    assert tiles(31, 4, 4, 3, 256, 256) is None and tiles(64, 2, 2, 3, 512, 512) is None
    assert tiles(32, 4, 4, 3, 256, 256) == winograd.Tiling(4, 3, 1, 1)


def test_as_many_images_at_once_as_stay_in_the_cache():
    tiles = winograd.Tiling(4, 3, 5, 5)
    # 36 points * 25 tiles * 96 numbers * 4 bytes = 346 kB an image: nine, and six is the largest
    # share of twelve.
    assert tiles.images_at_once(12, 32, 64) == 6
    assert tiles.images_at_once(8, 32, 64) == 8
    assert tiles.images_at_once(7, 1024, 8) == 1
    # A kernel of 36 * 256 * 256 numbers passes by once a chunk: 18 images of as many numbers, of 32
    # the half.
    assert winograd.Tiling(4, 3, 3, 3).images_at_once(32, 256, 256) == 8


def test_the_convolution_of_one_kernel_takes_this_way_where_tiles_pay():
    images, kernel = (jnp.ones(shape) for shape in ((8, 12, 12, 3), (3, 3, 3, 4)))

    def way(images, kernel, function=convolution.convolve):
        return "conv_general_dilated" in str(
            jax.make_jaxpr(lambda x, k: function(x, k, ((0, 0), (0, 0))))(images, kernel)
        )

    assert not way(images, kernel)
    assert not way(images.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16))
    assert way(images[:, :3, :3], kernel)
