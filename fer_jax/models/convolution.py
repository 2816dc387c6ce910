"""Two-dimensional convolution as patches and one matrix product, with its own gradient.

XLA's CPU backend does not rewrite the weight gradient of `lax.conv_general_dilated` inside a loop (jax issue 12868), where it
is tens of times slower; and `vmap` over kernels turns it into a grouped convolution, whose backward pass is slow on every
backend (jax issue 13800). A matrix product suffers from neither: in a scan it stays a matrix product, under `vmap` it becomes
a batched one. The gradient rebuilds the patches instead of storing them, since they are kernel_height * kernel_width times the
size of the input.
"""

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
    rows, columns, channels, filters = kernel.shape
    patches = _patches(_pad(images, padding), rows, columns)
    return patches @ kernel.reshape(rows * columns * channels, filters)


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
    patches = _patches(padded, rows, columns)
    kernel_grad = jnp.tensordot(patches, grad, axes=((0, 1, 2), (0, 1, 2))).reshape(kernel.shape)

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
