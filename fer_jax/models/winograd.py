"""Convolution with a small kernel by Winograd's minimal filtering, and its gradients.

It takes down to a quarter of the multiplications (Lavin and Gray, 'Fast algorithms for
convolutional neural networks', CVPR 2016, section 4). An output tile of m x m pixels is
A'[(G k G') * (B' x B)]A, where x is the tile of the image under it, m + r - 1 pixels a side, and k
is the r x r kernel. The product in the middle is pointwise, so that summing over channels makes it
one matrix product for each of the (m + r - 1)^2 points. A, B and G follow from the numbers at which
polynomials are evaluated (Toom 1963, Cook 1966). The gradients are those of this formula, which is
linear in the image and in the kernel.

Each intermediate result is stacked into an array of its own on purpose: otherwise XLA's CPU backend
would compute the first half of a transformation again for every term of the second half.
"""

import dataclasses
import math
import operator
from collections.abc import Sequence
from functools import cache, partial, reduce

import jax
import jax.numpy as jnp
import numpy as np

# The usual points are 0, 1, -1, 2 and -2; with them the rounding error is twice as large.
POINTS = (0.0, 0.75, -0.75, 1.5, -1.5)
# Larger tiles would take fewer multiplications and round worse.
LARGEST_TILE = len(POINTS) + 1
# The transformations pay where so many times fewer multiplications are left, and the kernel's
# where there are so many tiles; measured on two cores of a Xeon, for a transformed kernel that
# stays in the cache and for a large one that does not.
LEAST_SAVING, LEAST_TILES = 2.0, 8
LEAST_SAVING_LARGE, LEAST_TILES_LARGE = 2.5, 32
# Bytes that a chunk's transformed tiles may take on both sides of the product, so that they stay in
# a core's own cache.
CHUNK_BYTES = 3 * 2**20


@dataclasses.dataclass(frozen=True)
class Tiling:
    """The tiles into which the outputs of a convolution are cut.

    Attributes:
        outputs: side of a tile of outputs, in pixels.
        kernel: side of the kernel, in pixels.
        rows, columns: tiles that cover the height and the width.
    """

    outputs: int
    kernel: int
    rows: int
    columns: int

    @property
    def side(self) -> int:
        """Side of the tile of inputs under a tile of outputs, in pixels."""
        return self.outputs + self.kernel - 1

    def kernel_bytes(self, channels: int, filters: int) -> int:
        """Returns the bytes that the transformed kernel takes in float32."""
        return 4 * self.side**2 * channels * filters

    def images_at_once(self, count: int, channels: int, filters: int) -> int:
        """Returns how many of `count` images to transform at a time, a divisor of `count`.

        It is the largest whose transformed tiles stay in the cache, or take no more bytes than the
        transformed kernel does.
        """
        image_bytes = 4 * self.side**2 * self.rows * self.columns * (channels + filters)
        limit = max(CHUNK_BYTES, self.kernel_bytes(channels, filters))
        return max(
            size for size in range(1, count + 1) if count % size == 0 and (size == 1 or size * image_bytes <= limit)
        )


def tiling(count: int, height: int, width: int, kernel: int, channels: int, filters: int) -> Tiling | None:
    """Returns the tiles that take the fewest multiplications; None where they do not pay.

    Args:
        count: number of images.
        height, width: sides of the output, in pixels.
        kernel: side of the kernel, in pixels.
        channels, filters: the kernel's inputs and outputs.
    """

    def saving(tiles: Tiling) -> float:
        return kernel**2 * height * width / (tiles.side**2 * tiles.rows * tiles.columns)

    choices = [
        Tiling(outputs, kernel, -(-height // outputs), -(-width // outputs))
        for outputs in range(2, LARGEST_TILE - kernel + 2)
    ]
    best = max(choices, key=saving, default=None)
    if best is None:
        return None
    large = best.kernel_bytes(channels, filters) > CHUNK_BYTES
    least_saving, least_tiles = (LEAST_SAVING_LARGE, LEAST_TILES_LARGE) if large else (LEAST_SAVING, LEAST_TILES)
    return best if saving(best) >= least_saving and count * best.rows * best.columns >= least_tiles else None


@cache
def matrices(outputs: int, kernel: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns A', G and B' for one dimension (Lavin and Gray 2016, section 4).

    Args:
        outputs: numbers that come out of a correlation.
        kernel: numbers in its kernel; outputs + kernel - 1 numbers go in.

    Returns:
        float64 (outputs, side), (side, kernel) and (side, side), where side = outputs + kernel - 1;
        the last point is infinity.
    """
    points = POINTS[: outputs + kernel - 2]
    others = [[other for other in points if other != point] for point in points]
    scales = [math.prod(point - other for other in rest) for point, rest in zip(points, others, strict=True)]
    leading = np.zeros(outputs), np.zeros(kernel)
    for row in leading:
        row[-1] = 1
    to_outputs = [*(np.power(point, range(outputs)) for point in points), leading[0]]
    of_kernel = [
        *(np.power(point, range(kernel)) / scale for point, scale in zip(points, scales, strict=True)),
        leading[1],
    ]
    # The coefficients begin with the lowest power; the polynomials of the finite points have one
    # degree less.
    of_inputs = [*(np.append(np.poly(rest)[::-1], 0) for rest in others), np.poly(points)[::-1]]
    return np.array(to_outputs).T, np.array(of_kernel), np.array(of_inputs)


# Traced once for shapes that are met again, since the many small sums of the transformations take
# most of a network's tracing; `inline` leaves the program as it would be without.
@partial(jax.jit, static_argnums=2, inline=True)
def forward(images: jax.Array, kernel: jax.Array, tiles: Tiling) -> jax.Array:
    """Returns the cross-correlation of images with a kernel, stride one, no padding.

    Args:
        images: float32 (n, height, width, channels).
        kernel: float32 (side, side, channels, filters).
        tiles: how `tiling` cuts its outputs.

    Returns:
        float32 (n, height - side + 1, width - side + 1, filters).
    """
    points = _of_kernel(kernel, tiles)
    height, width = (size - tiles.kernel + 1 for size in images.shape[1:3])
    images = _grown(images, tiles.rows * tiles.outputs - height, tiles.columns * tiles.outputs - width)

    def some(images: jax.Array) -> jax.Array:
        return _to_outputs(_of_inputs(images, tiles) @ points, tiles)

    size = tiles.images_at_once(images.shape[0], *kernel.shape[2:])
    found = some(images) if size == images.shape[0] else _joined(jax.lax.map(some, _cut(images, size)))
    return found[:, :height, :width]


@partial(jax.jit, static_argnums=3, inline=True)
def gradients(images: jax.Array, kernel: jax.Array, grad: jax.Array, tiles: Tiling) -> tuple[jax.Array, jax.Array]:
    """Returns the gradients of `forward` for images and kernel, from that for its output, `grad`.

    All shapes are those of `forward`.
    """
    points = _of_kernel(kernel, tiles)
    height, width = images.shape[1:3]
    extra = tiles.rows * tiles.outputs - grad.shape[1], tiles.columns * tiles.outputs - grad.shape[2]
    images, grad = _grown(images, *extra), _grown(grad, *extra)

    def some(total: jax.Array, part: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        images, grad = part
        handed_back = _of_grad(grad, tiles)
        total = total + jnp.einsum("pnc,pnf->pcf", _of_inputs(images, tiles), handed_back)
        return total, _to_images(jnp.einsum("pnf,pcf->pnc", handed_back, points), tiles)

    size = tiles.images_at_once(images.shape[0], *kernel.shape[2:])
    if size == images.shape[0]:
        total, image_grad = some(jnp.zeros_like(points), (images, grad))
    else:
        total, parts = jax.lax.scan(some, jnp.zeros_like(points), (_cut(images, size), _cut(grad, size)))
        image_grad = _joined(parts)
    return image_grad[:, :height, :width], _to_kernel(total, tiles)


def _cut(images: jax.Array, size: int) -> jax.Array:
    return images.reshape(-1, size, *images.shape[1:])


def _joined(chunks: jax.Array) -> jax.Array:
    return chunks.reshape(-1, *chunks.shape[2:])


def _grown(images: jax.Array, rows: int, columns: int) -> jax.Array:
    """Returns the images with rows of zeros below and columns of zeros on the right."""
    return jnp.pad(images, ((0, 0), (0, rows), (0, columns), (0, 0))) if rows or columns else images


def _mix(matrix: np.ndarray, arrays: Sequence[jax.Array] | jax.Array, axis: int = 0) -> jax.Array:
    """Returns the matrix times a column of arrays, stacked along a new axis."""
    return jnp.stack([_weighted(row, arrays) for row in matrix], axis)


def _weighted(row: np.ndarray, arrays: Sequence[jax.Array] | jax.Array) -> jax.Array:
    return reduce(operator.add, (float(factor) * array for factor, array in zip(row, arrays, strict=True) if factor))


def _of_kernel(kernel: jax.Array, tiles: Tiling) -> jax.Array:
    """Returns G k G': (r, r, c, f) -> (points, c, f), points along the width first."""
    _, matrix, _ = matrices(tiles.outputs, tiles.kernel)
    return _mix(matrix, _mix(matrix, kernel).swapaxes(0, 1)).reshape(-1, *kernel.shape[2:])


def _to_kernel(points: jax.Array, tiles: Tiling) -> jax.Array:
    """Returns the transpose of `_of_kernel`, applied."""
    _, matrix, _ = matrices(tiles.outputs, tiles.kernel)
    points = points.reshape(tiles.side, tiles.side, *points.shape[1:])
    return _mix(matrix.T, _mix(matrix.T, points).swapaxes(0, 1))


def _of_inputs(images: jax.Array, tiles: Tiling) -> jax.Array:
    """Returns B' x B of every tile: (n, h, w, c) -> (points, n * rows * columns, c).

    Points along the width come first.
    """
    _, _, matrix = matrices(tiles.outputs, tiles.kernel)
    step = tiles.outputs
    down, across = step * (tiles.rows - 1) + 1, step * (tiles.columns - 1) + 1
    lines = _mix(matrix, [images[:, i : i + down : step] for i in range(tiles.side)])
    points = _mix(matrix, [lines[:, :, :, j : j + across : step] for j in range(tiles.side)])
    return points.reshape(tiles.side**2, -1, images.shape[-1])


def _to_outputs(points: jax.Array, tiles: Tiling) -> jax.Array:
    """Returns A' p A of every tile, joined to images.

    (points, n * rows * columns, f) -> (n, rows * outputs, columns * outputs, f).
    """
    matrix, _, _ = matrices(tiles.outputs, tiles.kernel)
    points = points.reshape(tiles.side, tiles.side, -1, tiles.rows, tiles.columns, points.shape[-1])
    found = _mix(matrix, _mix(matrix, points, axis=4), axis=2)
    return found.reshape(-1, tiles.rows * tiles.outputs, tiles.columns * tiles.outputs, points.shape[-1])


def _of_grad(grad: jax.Array, tiles: Tiling) -> jax.Array:
    """Returns the transpose of `_to_outputs`, applied."""
    matrix, _, _ = matrices(tiles.outputs, tiles.kernel)
    grad = grad.reshape(-1, tiles.rows, tiles.outputs, tiles.columns, tiles.outputs, grad.shape[-1])
    lines = _mix(matrix.T, [grad[:, :, p] for p in range(tiles.outputs)])
    return _mix(matrix.T, [lines[:, :, :, :, q] for q in range(tiles.outputs)]).reshape(
        tiles.side**2, -1, grad.shape[-1]
    )


def _to_images(points: jax.Array, tiles: Tiling) -> jax.Array:
    """Returns the transpose of `_of_inputs`, applied: pixels under several tiles get the sum.

    Rows and columns may be left over at the end.
    """
    _, _, matrix = matrices(tiles.outputs, tiles.kernel)
    points = points.reshape(tiles.side, tiles.side, -1, tiles.rows, tiles.columns, points.shape[-1])
    lines = jnp.stack(_overlapped([_weighted(row, points) for row in matrix.T], tiles.outputs, axis=3), axis=4)
    found = jnp.stack(_overlapped([_weighted(row, lines) for row in matrix.T], tiles.outputs, axis=1), axis=2)
    return found.reshape(found.shape[0], found.shape[1] * tiles.outputs, -1, points.shape[-1])


def _overlapped(pixels: Sequence[jax.Array], step: int, axis: int) -> list[jax.Array]:
    """Returns the sums of overlapping tiles as arrays of pixel i < step of every block of `step`.

    Args:
        pixels: pixel i of every tile, for each i.
        step: pixels from one tile to the next.
        axis: the axis along which tiles follow each other.
    """
    blocks = -(-len(pixels) // step)

    def moved(pixel: jax.Array, by: int) -> jax.Array:
        # By concatenation, since XLA's CPU backend checks the borders of a pad pixel by pixel.
        before, after = (
            jnp.zeros((*pixel.shape[:axis], count, *pixel.shape[axis + 1 :]), pixel.dtype)
            for count in (by, blocks - 1 - by)
        )
        return jnp.concatenate([before, pixel, after], axis)

    return [reduce(operator.add, (moved(pixel, by) for by, pixel in enumerate(pixels[i::step]))) for i in range(step)]
