"""Max and average pooling with Keras' gradients, without XLA's `reduce_window`.

`reduce_window` and its gradient cost 2.6 times the rest of a small network on a CPU. Here an image
is reshaped to (n, rows, size, columns, size, channels), and the size * size slices are compared one
after another. A byte says which slice won, so that the gradient goes to one pixel (the first of
equal ones, as in Keras) in one elementwise pass. `max` over the axes would split it evenly among
equal pixels, and after a ReLU equal pixels are the rule.
"""

from functools import partial, reduce

import jax
import jax.numpy as jnp


def pooled_size(size: int, pool: int, padding: str) -> int:
    """Returns the side of a pooled map: size / pool rounded down for 'valid', up for 'same'."""
    return size // pool if padding == "valid" else -(-size // pool)


def max_pool(images: jax.Array, pool: int, padding: str = "valid") -> jax.Array:
    """Returns the largest value of every pool x pool window; windows do not overlap.

    The gradient goes to the first of equal pixels, as in Keras.

    Args:
        images: float (n, height, width, channels).
        pool: side of a window, in pixels.
        padding: 'valid' drops the pixels that are left over; 'same' pads with minus infinity, an
            odd pixel after.

    Returns:
        float (n, pooled_height, pooled_width, channels).
    """
    return images if pool == 1 else _max_over_windows(_fit(images, pool, padding, -jnp.inf), pool)


def overlapping_max_pool(images: jax.Array, pool: int, stride: int) -> jax.Array:
    """Returns the largest value of every pool x pool window inside the image.

    The gradient goes to the first of equal pixels, as in Keras.

    Args:
        images: float (n, height, width, channels).
        pool: side of a window, in pixels.
        stride: pixels from one window to the next.

    Returns:
        float (n, (height - pool) // stride + 1, likewise, channels).
    """
    return _max_over_overlapping(images, pool, stride)


def average_pool(images: jax.Array, pool: int, padding: str = "valid") -> jax.Array:
    """Returns the mean of every pool x pool window; windows do not overlap.

    Arguments and shapes are those of `max_pool`. With 'same', a mean is over the pixels that lie
    inside the image, as in Keras.
    """
    if pool == 1:
        return images
    sums = _windows(_fit(images, pool, padding, 0.0), pool).sum(axis=(2, 4))
    inside = jnp.ones((1, *images.shape[1:3], 1), images.dtype)
    counts = _windows(_fit(inside, pool, padding, 0.0), pool).sum(axis=(2, 4))
    return sums / counts


def _windows(images: jax.Array, pool: int) -> jax.Array:
    n, height, width, channels = images.shape
    return images.reshape(n, height // pool, pool, width // pool, pool, channels)


def _fit_amounts(size: int, pool: int, padding: str) -> tuple[int, int]:
    """Returns the pixels to add (negative: to cut) before and after, so that windows fit."""
    extra = pooled_size(size, pool, padding) * pool - size
    return (extra // 2, extra - extra // 2) if extra > 0 else (0, extra)


def _fit(images: jax.Array, pool: int, padding: str, fill: float) -> jax.Array:
    edges = [_fit_amounts(size, pool, padding) for size in images.shape[1:3]]
    return jax.lax.pad(
        images, jnp.asarray(fill, images.dtype), [(0, 0, 0), *((lo, hi, 0) for lo, hi in edges), (0, 0, 0)]
    )


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _max_over_windows(images: jax.Array, pool: int) -> jax.Array:
    return _winner(images, pool)[0]


def _winner(images: jax.Array, pool: int) -> tuple[jax.Array, jax.Array]:
    windows = _windows(images, pool)
    best = windows[:, :, 0, :, 0]
    which = jnp.zeros(best.shape, jnp.uint8)
    for k in range(1, pool * pool):
        challenger = windows[:, :, k // pool, :, k % pool]
        wins = challenger > best
        best = jnp.where(wins, challenger, best)
        which = jnp.where(wins, jnp.uint8(k), which)
    return best, which


def _forward(images: jax.Array, pool: int) -> tuple[jax.Array, jax.Array]:
    return _winner(images, pool)


def _backward(pool: int, which: jax.Array, grad: jax.Array) -> tuple[jax.Array]:
    place = jnp.arange(pool * pool, dtype=jnp.uint8).reshape(pool, 1, pool, 1)
    chosen = which[:, :, None, :, None] == place
    spread = jnp.where(chosen, grad[:, :, None, :, None], jnp.zeros((), grad.dtype))
    n, rows, columns, channels = grad.shape
    return (spread.reshape(n, rows * pool, columns * pool, channels),)


_max_over_windows.defvjp(_forward, _backward)


@partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _max_over_overlapping(images: jax.Array, pool: int, stride: int) -> jax.Array:
    return _overlapping_winner(images, pool, stride)[0]


def _overlapping_winner(images: jax.Array, pool: int, stride: int) -> tuple[jax.Array, jax.Array]:
    best, *challengers = _places(images, pool, stride)
    which = jnp.zeros(best.shape, jnp.uint8)
    for k, challenger in enumerate(challengers, 1):
        wins = challenger > best
        best = jnp.where(wins, challenger, best)
        which = jnp.where(wins, jnp.uint8(k), which)
    return best, which


def _places(images: jax.Array, pool: int, stride: int) -> list[jax.Array]:
    """Returns, for each place in a window, the pixels there: (n, windows, windows, channels)."""
    height, width = images.shape[1] - pool + 1, images.shape[2] - pool + 1
    return [images[:, i : i + height : stride, j : j + width : stride] for i in range(pool) for j in range(pool)]


def _overlapping_forward(
    images: jax.Array, pool: int, stride: int
) -> tuple[jax.Array, tuple[jax.Array, tuple[int, ...]]]:
    best, which = _overlapping_winner(images, pool, stride)
    return best, (which, images.shape[1:3])


def _overlapping_backward(
    pool: int, stride: int, saved: tuple[jax.Array, tuple[int, ...]], grad: jax.Array
) -> tuple[jax.Array]:
    which, sizes = saved
    zero = jnp.zeros((), grad.dtype)

    def handed_back(k: int) -> jax.Array:
        """Returns the gradient of the windows that place k won, at the pixels that stand there."""
        places = zip(divmod(k, pool), sizes, grad.shape[1:3], strict=True)
        spans = [(first, size - first - stride * (count - 1) - 1, stride - 1) for first, size, count in places]
        return jax.lax.pad(jnp.where(which == k, grad, zero), zero, [(0, 0, 0), *spans, (0, 0, 0)])

    return (reduce(jnp.add, map(handed_back, range(pool * pool))),)


_max_over_overlapping.defvjp(_overlapping_forward, _overlapping_backward)
