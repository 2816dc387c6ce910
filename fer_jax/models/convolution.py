"""Two-dimensional convolution that knows whether it serves one trial or many, with its own gradient.

One kernel, for trials mapped one after another: forward and weight gradient are XLA's convolution, whose CPU kernel needs no
patches in memory. The weight gradient is written as an ordinary convolution of the images with the gradient as kernel, because
inside a loop XLA's CPU backend does not rewrite its own (jax issue 12868) and is tens of times slower.

A kernel a trial, for trials side by side: `vmap` would make a grouped convolution, whose backward pass is slow on every backend
(jax issue 13800). Patches and one matrix product take its place, which `vmap` makes a batched one. The weight gradient rebuilds
the patches instead of storing them, since they are kernel_height * kernel_width times the size of the input.
"""

from collections.abc import Callable
from functools import partial

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
    return _correlate(_pad(images, padding), kernel)


def _unless_vmapped(otherwise: Callable[..., jax.Array]) -> Callable[[Callable[..., jax.Array]], Callable[..., jax.Array]]:
    """Makes a function of two arrays that turns into `otherwise`, vmapped, where either has a trial axis."""

    def decorate(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
        chosen = jax.custom_batching.custom_vmap(function)

        @chosen.def_vmap
        def over_trials(size: int, batched: list[bool], *arrays: jax.Array) -> tuple[jax.Array, bool]:
            return jax.vmap(otherwise, in_axes=[0 if axis else None for axis in batched])(*arrays), True

        return chosen

    return decorate


def _patch_product(images: jax.Array, kernel: jax.Array) -> jax.Array:
    rows, columns, channels, filters = kernel.shape
    return _patches(images, rows, columns) @ kernel.reshape(rows * columns * channels, filters)


@_unless_vmapped(_patch_product)
def _correlate(images: jax.Array, kernel: jax.Array) -> jax.Array:
    """Cross-correlation without padding."""
    return jax.lax.conv_general_dilated(images, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _patch_kernel_grad(images: jax.Array, grad: jax.Array) -> jax.Array:
    rows, columns = _kernel_size(images, grad)
    patches = _patches(images, rows, columns)
    product = jnp.tensordot(patches, grad, axes=((0, 1, 2), (0, 1, 2)))
    return product.reshape(rows, columns, images.shape[-1], grad.shape[-1])


@_unless_vmapped(_patch_kernel_grad)
def _kernel_grad(images: jax.Array, grad: jax.Array) -> jax.Array:
    """Gradient for the kernel: channels take the place of the batch, the batch that of the channels."""
    # Without the barriers the transpositions become part of the convolution, in a layout for which XLA has no fast kernel.
    planes = jax.lax.optimization_barrier(images.transpose(3, 1, 2, 0))
    weights = jax.lax.optimization_barrier(grad.transpose(1, 2, 0, 3))
    return _correlate(planes, weights).transpose(1, 2, 0, 3)


def _kernel_size(images: jax.Array, output: jax.Array) -> tuple[int, int]:
    return images.shape[1] - output.shape[1] + 1, images.shape[2] - output.shape[2] + 1


def _pad(images: jax.Array, padding: Padding) -> jax.Array:
    """Zeros around the images; a negative amount cuts instead."""
    amounts = [(0, 0, 0), *((before, after, 0) for before, after in padding), (0, 0, 0)]
    return images if padding == ((0, 0), (0, 0)) else jax.lax.pad(images, jnp.zeros((), images.dtype), amounts)


def _patches(images: jax.Array, rows: int, columns: int) -> jax.Array:
    """(n, h, w, c) -> (n, h - rows + 1, w - columns + 1, rows * columns * c): the neighbourhood of every output pixel."""
    height, width = images.shape[1] - rows + 1, images.shape[2] - columns + 1
    shifted = [images[:, i : i + height, j : j + width] for i in range(rows) for j in range(columns)]
    return jnp.concatenate(shifted, axis=-1)


def _forward(images: jax.Array, kernel: jax.Array, padding: Padding) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return convolve(images, kernel, padding), (images, kernel)


def _backward(padding: Padding, saved: tuple[jax.Array, jax.Array], grad: jax.Array) -> tuple[jax.Array, jax.Array]:
    images, kernel = saved
    rows, columns, channels, filters = kernel.shape
    padded = _pad(images, padding)

    # Each output pixel hands its gradient back to the rows * columns input pixels it saw.
    spread = (grad @ kernel.reshape(rows * columns * channels, filters).T).reshape(*grad.shape[:3], rows, columns, channels)
    height, width = grad.shape[1:3]
    padded_grad = jnp.zeros(padded.shape, grad.dtype)
    for i in range(rows):
        for j in range(columns):
            place = ((i, padded.shape[1] - height - i), (j, padded.shape[2] - width - j))
            padded_grad += _pad(spread[:, :, :, i, j], place)
    undo = tuple((-before, -after) for before, after in padding)
    return _pad(padded_grad, undo), _kernel_grad(padded, grad)


convolve.defvjp(_forward, _backward)
