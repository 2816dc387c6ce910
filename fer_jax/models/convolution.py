"""Two-dimensional convolution that knows whether it serves one trial or many, with its own gradient.

One kernel, for trials mapped one after another: forward is XLA's convolution, whose CPU kernel needs no patches in memory. Its
weight gradient is not used: inside a loop XLA's CPU backend does not rewrite it (jax issue 12868) and it is tens of times slower.
A kernel a trial, for trials side by side: `vmap` would make a grouped convolution, whose backward pass is slow on every backend
(jax issue 13800), so that patches and one matrix product take its place, which `vmap` makes a batched one. The weight gradient is
a product with patches in both cases; it rebuilds them, since they are kernel_height * kernel_width times the size of the input.
"""

from collections.abc import Callable
from functools import cache, partial

import jax
import jax.numpy as jnp

Padding = tuple[tuple[int, int], ...]


def padding_amounts(padding: str, kernel_size: int) -> Padding:
    """Rows and columns of zeros added before and after, for a stride of one.

    Args:
      padding: 'valid' (none) or 'same' (output as large as the input; the odd one goes after, as in Keras).
      kernel_size: side of the square kernel in pixels.

    Returns:
      ((before, after) in height, (before, after) in width), in pixels.
    """
    total = 0 if padding == "valid" else kernel_size - 1
    side = (total // 2, total - total // 2)
    return side, side


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def convolve(images: jax.Array, kernel: jax.Array, padding: Padding) -> jax.Array:
    """Cross-correlates images with a kernel, stride one, as `keras.ops.conv` does.

    Args:
      images: float (n, height, width, channels).
      kernel: float (kernel_height, kernel_width, channels, filters).
      padding: zeros around the images, from `padding_amounts`; a negative amount leaves pixels out.

    Returns:
      float (n, out_height, out_width, filters).
    """
    return _correlate(padding)(images, kernel)


@cache
def _correlate(padding: Padding) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """(images, kernel) -> their cross-correlation, by another way if either has a trial axis.

    A function for each padding, since XLA's convolution cuts and pads as it reads while `_pad` makes a copy.
    """

    @jax.custom_batching.custom_vmap
    def correlate(images: jax.Array, kernel: jax.Array) -> jax.Array:
        return jax.lax.conv_general_dilated(images, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))

    @correlate.def_vmap
    def correlate_all(size: int, batched: list[bool], images: jax.Array, kernel: jax.Array) -> tuple[jax.Array, bool]:
        return jax.vmap(with_patches, in_axes=[0 if axis else None for axis in batched])(images, kernel), True

    def with_patches(images: jax.Array, kernel: jax.Array) -> jax.Array:
        rows, columns, channels, filters = kernel.shape
        return _patches(_pad(images, padding), rows, columns) @ kernel.reshape(rows * columns * channels, filters)

    return correlate


def _pad(images: jax.Array, padding: Padding) -> jax.Array:
    """Zeros around the images; a negative amount cuts instead."""
    amounts = [(0, 0, 0), *((before, after, 0) for before, after in padding), (0, 0, 0)]
    return images if padding == ((0, 0), (0, 0)) else jax.lax.pad(images, jnp.zeros((), images.dtype), amounts)


def _patches(images: jax.Array, rows: int, columns: int) -> jax.Array:
    """(n, h, w, c) -> (n, h - rows + 1, w - columns + 1, rows * columns * c): the neighbourhood of every output pixel."""
    return jnp.concatenate(_shifted(images, rows, columns), axis=-1)


def _shifted(images: jax.Array, rows: int, columns: int) -> list[jax.Array]:
    """(n, h, w, ...) -> rows * columns arrays (n, h - rows + 1, w - columns + 1, ...), one for each place in the kernel."""
    height, width = images.shape[1] - rows + 1, images.shape[2] - columns + 1
    return [images[:, i : i + height, j : j + width] for i in range(rows) for j in range(columns)]


def _forward(images: jax.Array, kernel: jax.Array, padding: Padding) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return convolve(images, kernel, padding), (images, kernel)


def _backward(padding: Padding, saved: tuple[jax.Array, jax.Array], grad: jax.Array) -> tuple[jax.Array, jax.Array]:
    images, kernel = saved
    rows, columns, channels, filters = kernel.shape
    padded = _pad(images, padding)
    if channels == 1:
        # Pixels of a grey image lie side by side, so that patches are quickest made the way the product wants them: transposed.
        patches, pixels = jnp.stack(_shifted(padded[..., 0], rows, columns)), (1, 2, 3)
    else:
        patches, pixels = _patches(padded, rows, columns), (0, 1, 2)
    kernel_grad = jnp.tensordot(patches, grad, axes=(pixels, (0, 1, 2))).reshape(kernel.shape)

    # Each output pixel hands its gradient back to the rows * columns input pixels it saw.
    spread = (grad @ kernel.reshape(rows * columns * channels, filters).T).reshape(*grad.shape[:3], rows, columns, channels)
    height, width = grad.shape[1:3]
    padded_grad = jnp.zeros(padded.shape, grad.dtype)
    for i in range(rows):
        for j in range(columns):
            place = ((i, padded.shape[1] - height - i), (j, padded.shape[2] - width - j))
            padded_grad += _pad(spread[:, :, :, i, j], place)
    undo = tuple((-before, -after) for before, after in padding)
    return _pad(padded_grad, undo), kernel_grad


convolve.defvjp(_forward, _backward)
