"""Two-dimensional convolution, with a gradient of its own, that serves one trial or many.

Engine 'map' on a CPU trains trials one after another, each with one kernel. The convolution goes
through `winograd` where that saves enough. Where it does not, the forward pass is XLA's, whose CPU
kernel needs no patches in memory, or, for grey images, a sum of shifted images. XLA's gradient for
the kernel is not used: inside a loop its CPU backend does not rewrite it (jax issue 12868), and it
is tens of times slower; here it is a convolution in which images and channels have changed places.
The gradient for the images is a matrix product whose rows are added up where they overlap.

Engine 'vmap' trains trials side by side, each with a kernel of its own. `vmap` would make a grouped
convolution, whose backward pass is slow on every backend (jax issue 13800). Patches and a matrix
product take its place, which `vmap` turns into a batched product.

Engine 'grouped', and 'map' on anything but a CPU, leave both passes to XLA (`native`).
"""

import math
import operator
from collections.abc import Callable, Iterable
from functools import cache, partial, reduce

import jax
import jax.numpy as jnp

from fer_jax.models import winograd

# Bytes that a chunk's intermediate results may take: a third of the cache that two cores of a Xeon
# share.
CHUNK_BYTES = 2**24

Padding = tuple[tuple[int, int], ...]


def padding_amounts(padding: str, kernel_size: int, stride: int = 1, size: int = 0) -> Padding:
    """Returns how many rows and columns of zeros go around an image, as in Keras.

    Args:
        padding: 'valid' (none) or 'same' (the output is as large as the input divided by the
            stride, rounded up; an odd row or column goes after).
        kernel_size: side of the square kernel, in pixels.
        stride: pixels from one place of the kernel to the next.
        size: side of the square image, in pixels; read only where the stride is above one.

    Returns:
        ((before, after) in height, (before, after) in width), in pixels.
    """
    last = (-(-size // stride) - 1) * stride - size + 1 if stride > 1 else 0
    total = 0 if padding == "valid" else max(0, kernel_size - 1 + last)
    side = (total // 2, total - total // 2)
    return side, side


def depthwise(
    images: jax.Array, kernel: jax.Array, padding: Padding, stride: int = 1, *, native: bool = False
) -> jax.Array:
    """Returns every channel's cross-correlation with its own kernel: `keras.ops.depthwise_conv`.

    The image is shifted to each place in the kernel, scaled and added up, which XLA fuses to one
    pass. Its CPU backend takes several hundred times as long for the kernel's gradient of a
    convolution with a group for each channel.

    Args:
        images: float (n, height, width, channels).
        kernel: float (kernel_height, kernel_width, 1, channels); in Keras the last two axes are
            exchanged.
        padding, native: as for `convolve`.
        stride: pixels from one place of the kernel to the next.

    Returns:
        float (n, out_height, out_width, channels).
    """
    if native:
        return _native(images, kernel, padding, stride, groups=images.shape[-1])
    return _scaled_sums(images, kernel, padding, stride)


# The gradient makes the shifted images again: kept, they would take the memory of as many images
# as the kernel has places.
@partial(jax.checkpoint, prevent_cse=False, static_argnums=(2, 3))
def _scaled_sums(images: jax.Array, kernel: jax.Array, padding: Padding, stride: int) -> jax.Array:
    rows, columns = kernel.shape[:2]
    padded = _pad(images, padding)
    height, width = padded.shape[1] - rows + 1, padded.shape[2] - columns + 1
    # The kernel's gradient is a sum over all pixels, whose parts would be rounded to 16 bits.
    padded, wide = padded.astype(jnp.float32), kernel.astype(jnp.float32)
    return _sum(
        padded[:, i : i + height : stride, j : j + width : stride] * wide[i, j, 0]
        for i in range(rows)
        for j in range(columns)
    ).astype(images.dtype)


def convolve(images: jax.Array, kernel: jax.Array, padding: Padding, *, native: bool = False) -> jax.Array:
    """Returns the cross-correlation of images with a kernel, stride one, as `keras.ops.conv`.

    Args:
        images: float (n, height, width, channels).
        kernel: float (kernel_height, kernel_width, channels, filters).
        padding: pixels of zeros around the images, from `padding_amounts`; a negative amount
            leaves pixels out.
        native: whether the gradient and `vmap` are left to XLA, which makes one grouped
            convolution of many.

    Returns:
        float (n, out_height, out_width, filters).
    """
    if native:
        return _native(images, kernel, padding)
    if images.dtype == jnp.bfloat16 and jax.default_backend() == "cpu":
        # Exact products summed in float32 are what hardware for bfloat16 gives; XLA's own kernels
        # for a CPU are three times slower.
        return _convolve(images.astype(jnp.float32), kernel.astype(jnp.float32), padding).astype(images.dtype)
    return _convolve(images, kernel, padding)


def convolve_strided(
    images: jax.Array, kernel: jax.Array, padding: Padding, stride: int, *, native: bool = False
) -> jax.Array:
    """Returns what `convolve` does, with a stride above one.

    A square of stride x stride pixels becomes the channels of one pixel, so that a convolution of
    stride one with a smaller kernel gives the same, and the gradients of `convolve` serve here too.

    Args:
        images, kernel, padding, native: as for `convolve`; the kernel is square.
        stride: pixels from one place of the kernel to the next.

    Returns:
        float (n, (height + padding - kernel_height) // stride + 1, likewise, filters).
    """
    if native:
        return _native(images, kernel, padding, stride)
    side, _, channels, filters = kernel.shape
    steps = -(-side // stride)
    amounts, squares = [], []
    for size, (before, after) in zip(images.shape[1:3], padding, strict=True):
        squares.append((size + before + after - side) // stride + steps)
        amounts.append((before, stride * squares[-1] - size - before))
    folded = _pad(images, tuple(amounts)).reshape(-1, squares[0], stride, squares[1], stride, channels)
    kernel = jnp.pad(kernel, [(0, steps * stride - side)] * 2 + [(0, 0)] * 2).reshape(
        steps, stride, steps, stride, channels, filters
    )
    return convolve(
        folded.transpose(0, 1, 3, 2, 4, 5).reshape(-1, *squares, stride * stride * channels),
        kernel.transpose(0, 2, 1, 3, 4, 5).reshape(steps, steps, stride * stride * channels, filters),
        ((0, 0), (0, 0)),
    )


def _native(images: jax.Array, kernel: jax.Array, padding: Padding, stride: int = 1, groups: int = 1) -> jax.Array:
    """Returns XLA's convolution of the images, of which a negative amount is cut off before.

    For a GPU it knows no gradient of a negative padding and makes a forward convolution of it,
    with a window as large as the image.
    """
    cut = tuple((min(0, before), min(0, after)) for before, after in padding)
    added = tuple((max(0, before), max(0, after)) for before, after in padding)
    return _xla(_pad(images, cut), kernel, added, stride, groups)


def _xla(images: jax.Array, kernel: jax.Array, padding: Padding, stride: int = 1, groups: int = 1) -> jax.Array:
    return jax.lax.conv_general_dilated(
        images,
        kernel,
        (stride, stride),
        padding,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolve(images: jax.Array, kernel: jax.Array, padding: Padding) -> jax.Array:
    return _correlate(padding)(images, kernel)


@cache
def _correlate(padding: Padding) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """Returns the function (images, kernel) -> their cross-correlation, for one padding.

    It goes another way where either has a trial axis. The padding is not done beforehand, since
    XLA's convolution cuts and pads as it reads, while `_pad` makes a copy.
    """

    @jax.custom_batching.custom_vmap
    def correlate(images: jax.Array, kernel: jax.Array) -> jax.Array:
        size = [
            side + before + after - kernel.shape[0] + 1
            for side, (before, after) in zip(images.shape[1:3], padding, strict=True)
        ]
        tiles = _tiling(images, kernel, *size)
        if tiles:
            return winograd.forward(_pad(images, padding), kernel, tiles)
        if kernel.shape[2] > 1:
            return _xla(images, kernel, padding)
        return _scaled(_pad(images, padding)[..., 0], kernel[:, :, 0])

    @correlate.def_vmap
    def correlate_all(size: int, batched: list[bool], images: jax.Array, kernel: jax.Array) -> tuple[jax.Array, bool]:
        return jax.vmap(with_patches, in_axes=[0 if axis else None for axis in batched])(images, kernel), True

    def with_patches(images: jax.Array, kernel: jax.Array) -> jax.Array:
        rows, columns, channels, filters = kernel.shape
        return _patches(_pad(images, padding), rows, columns) @ kernel.reshape(rows * columns * channels, filters)

    return correlate


def _tiling(images: jax.Array, kernel: jax.Array, height: int, width: int) -> winograd.Tiling | None:
    """Returns `winograd.tiling` for an output of so many pixels; None too where it cannot serve."""
    rows, columns, channels, filters = kernel.shape
    # Libraries for accelerators choose among such ways themselves.
    if rows != columns or channels == 1 or kernel.dtype != jnp.float32 or jax.default_backend() != "cpu":
        return None
    return winograd.tiling(images.shape[0], height, width, rows, channels, filters)


def _scaled(images: jax.Array, kernel: jax.Array) -> jax.Array:
    """Returns the correlation of grey images (n, h, w) with a kernel (rows, columns, filters).

    It adds up scaled and shifted images, which XLA fuses with a pool.
    """
    rows, columns, filters = kernel.shape
    shifted = _shifted(images, rows, columns)
    return _sum(one[..., None] * scale for one, scale in zip(shifted, kernel.reshape(-1, filters), strict=True))


@jax.custom_batching.custom_vmap
def _gradients(images: jax.Array, kernel: jax.Array, grad: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the gradients for the padded images and the kernel, from that for the output."""
    if images.shape[-1] == 1:
        return _image_gradient(kernel, grad), _products(images, grad)
    tiles = _tiling(images, kernel, *grad.shape[1:3])
    if tiles:
        return winograd.gradients(images, kernel, grad, tiles)
    size = _chunk(images.shape[0], grad.dtype.itemsize * math.prod(grad.shape[1:3]) * math.prod(kernel.shape[:3]))
    if size == images.shape[0]:
        return _image_gradient(kernel, grad), _kernel_gradient(images, grad)

    # The intermediate results of a few images stay in the processor's cache. And what a loop reads
    # lies in memory: otherwise XLA would compute the layers before once more while it transposes.
    def chunk(total: jax.Array, part: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        images, grad = part
        return total + _kernel_gradient(images, grad), _image_gradient(kernel, grad)

    parts = jax.tree.map(lambda x: x.reshape(-1, size, *x.shape[1:]), (images, grad))
    kernel_grad, image_grads = jax.lax.scan(chunk, jnp.zeros_like(kernel), parts)
    return image_grads.reshape(images.shape), kernel_grad


def _chunk(count: int, image_bytes: int) -> int:
    """Returns the largest divisor of `count` whose images take no more than CHUNK_BYTES."""
    return max(
        size for size in range(1, count + 1) if count % size == 0 and (size == 1 or size * image_bytes <= CHUNK_BYTES)
    )


@_gradients.def_vmap
def _gradients_of_all(
    size: int, batched: list[bool], images: jax.Array, kernel: jax.Array, grad: jax.Array
) -> tuple[tuple[jax.Array, jax.Array], tuple[bool, bool]]:
    def one(images: jax.Array, kernel: jax.Array, grad: jax.Array) -> tuple[jax.Array, jax.Array]:
        return _image_gradient(kernel, grad), _products(images, grad)

    return jax.vmap(one, in_axes=[0 if axis else None for axis in batched])(images, kernel, grad), (True, True)


def _kernel_gradient(images: jax.Array, grad: jax.Array) -> jax.Array:
    """Returns the kernel's gradient: a convolution of the images with the output's gradient.

    Channels take the place of the batch, and the batch that of the channels.
    """
    swapped = _xla(images.transpose(3, 1, 2, 0), grad.transpose(1, 2, 0, 3), ((0, 0), (0, 0)))
    return swapped.transpose(1, 2, 0, 3)


def _products(images: jax.Array, grad: jax.Array) -> jax.Array:
    """Returns what `_kernel_gradient` does, by one matrix product with patches."""
    rows, columns = (images.shape[axis] - grad.shape[axis] + 1 for axis in (1, 2))
    channels, filters = images.shape[-1], grad.shape[-1]
    if channels == 1:
        # The pixels of a grey image lie side by side, so that transposed patches, which the product
        # wants, are also made the fastest.
        patches, pixels = jnp.stack(_shifted(images[..., 0], rows, columns)), (1, 2, 3)
    else:
        patches, pixels = _patches(images, rows, columns), (0, 1, 2)
    return jnp.tensordot(patches, grad, axes=(pixels, (0, 1, 2))).reshape(rows, columns, channels, filters)


def _pad(images: jax.Array, padding: Padding) -> jax.Array:
    """Returns the images with zeros around them; a negative amount cuts pixels off."""
    amounts = [(0, 0, 0), *((before, after, 0) for before, after in padding), *[(0, 0, 0)] * (images.ndim - 3)]
    return images if padding == ((0, 0), (0, 0)) else jax.lax.pad(images, jnp.zeros((), images.dtype), amounts)


def _patches(images: jax.Array, rows: int, columns: int) -> jax.Array:
    """Returns every output pixel's neighbourhood: (n, h, w, c) -> (n, h', w', rows * columns * c).

    h' = h - rows + 1 and w' = w - columns + 1.
    """
    return jnp.concatenate(_shifted(images, rows, columns), axis=-1)


def _shifted(images: jax.Array, rows: int, columns: int) -> list[jax.Array]:
    """Returns an array (n, h - rows + 1, w - columns + 1, ...) for each place in the kernel."""
    height, width = images.shape[1] - rows + 1, images.shape[2] - columns + 1
    return [images[:, i : i + height, j : j + width] for i in range(rows) for j in range(columns)]


def _image_gradient(kernel: jax.Array, grad: jax.Array) -> jax.Array:
    """Returns the padded images' gradient: each output pixel's, spread over the pixels it saw."""
    rows, columns, channels, filters = kernel.shape
    spread = (grad @ kernel.reshape(rows * columns * channels, filters).T).reshape(
        *grad.shape[:3], rows, columns, channels
    )

    def place(part: jax.Array, axis: int, before: int, after: int) -> jax.Array:
        # By concatenation, since XLA's CPU backend checks the borders of a pad pixel by pixel.
        zeros = [jnp.zeros((*part.shape[:axis], size, *part.shape[axis + 1 :]), part.dtype) for size in (before, after)]
        return jnp.concatenate([zeros[0], part, zeros[1]], axis)

    lines = [_sum(place(spread[:, :, :, i, j], 2, j, columns - 1 - j) for j in range(columns)) for i in range(rows)]
    return _sum(place(line, 1, i, rows - 1 - i) for i, line in enumerate(lines))


def _sum(arrays: Iterable[jax.Array]) -> jax.Array:
    return reduce(operator.add, arrays)


def _forward(images: jax.Array, kernel: jax.Array, padding: Padding) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _convolve(images, kernel, padding), (images, kernel)


def _backward(padding: Padding, saved: tuple[jax.Array, jax.Array], grad: jax.Array) -> tuple[jax.Array, jax.Array]:
    images, kernel = saved
    undo = tuple((-before, -after) for before, after in padding)
    image_grad, kernel_grad = _gradients(_pad(images, padding), kernel, grad)
    return _pad(image_grad, undo), kernel_grad


_convolve.defvjp(_forward, _backward)
