"""Augmentation of a training batch inside the compiled step: the fields `augment.*`, for one trial.

The order is one bilinear resample (zoom, shear, rotation and shift together), mirror, contrast,
brightness and noise, a clip to 0..255, erasure; mixup is a function of its own. Every image draws
its own amounts from (key, field, row in the batch) alone: they are the same whatever other fields
are used, whatever other trials share the stack and however the batch is cut later. Strength 0
leaves an image bitwise as it was.
"""

import math
from collections.abc import Collection, Mapping

import jax
import jax.numpy as jnp

from fer_jax.models.hashed_bits import hashed_bits

GEOMETRIC = ("augment.shift", "augment.rotate", "augment.zoom", "augment.shear")
PHOTOMETRIC = ("augment.contrast", "augment.brightness", "augment.noise")

# What a seed means hangs on these numbers. Far above those of dropout layers, so that both may draw
# from one key.
_STREAMS = {
    "augment.flip": 1000,
    "augment.shift": 1001,
    "augment.rotate": 1002,
    "augment.zoom": 1003,
    "augment.shear": 1004,
    "augment.brightness": 1005,
    "augment.contrast": 1006,
    "augment.noise": 1007,
    "augment.erase": 1008,
    "augment.mixup": 1009,
}

# Zhong et al. 2017 (Random Erasing Data Augmentation): shares of the image's area, and height over
# width.
_ERASED_AREA = (0.02, 0.33)
_LARGEST_ASPECT = 1 / 0.3


def augment(images: jax.Array, hyper: Mapping[str, jax.Array], key: jax.Array, used: Collection[str]) -> jax.Array:
    """Returns a batch of training images, each changed by amounts of its own.

    Args:
        images: (n, h, w, c), uint8 or float in 0..255.
        hyper: the strength of each used field, a scalar (traced or not) in the unit that its field
            declares, by config name.
        key: random key of this trial and step.
        used: names of the fields compiled in, such as {'augment.flip'}; others are left out of the
            program and not looked up in `hyper`, and names that stand for nothing here
            ('augment.mixup') are passed over.

    Returns:
        float32 (n, h, w, c) in 0..255.
    """
    images = images.astype(jnp.float32)
    out, mirrored = images, jnp.zeros(len(images), bool)
    if "augment.flip" in used:
        mirrored = _unit(key, "augment.flip", len(images)) < hyper["augment.flip"]
        out = jnp.where(mirrored.reshape(-1, 1, 1, 1), images[:, :, ::-1], images)
    if any(name in used for name in GEOMETRIC):
        wanted = sum(hyper[name] for name in GEOMETRIC if name in used) > 0
        out = jnp.where(wanted, _move(images, mirrored, hyper, key, used), out)
    if any(name in used for name in PHOTOMETRIC):
        out = _expose(out, hyper, key, used)
    if "augment.erase" in used:
        out = _erase(out, hyper["augment.erase"], key)
    return out


def mixup(
    images: jax.Array, labels: jax.Array, hyper: Mapping[str, jax.Array], key: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Blends every image with the next one of its batch (Zhang et al. 2018).

    The loss is then share L(label) + (1 - share) L(partner). Each image draws its own share, where
    the authors draw one a batch: the expected loss is the same, its spread smaller, and it does not
    change with the batch size. The partner is the next image, which is as good as a random one in a
    batch whose order was drawn. A Beta(alpha, alpha) number is made of two uniform ones, exactly
    (Devroye 1996, Random variate generation in one line of code): jax.random.beta takes 25 times as
    long to draw and 5 to compile.

    Args:
        images: (n, h, w, c), 0..255, already augmented; the whole batch.
        labels: (n,).
        hyper: 'augment.mixup' is alpha, a scalar >= 0 (traced or not); 0 gives every share 1 and
            the images bitwise.
        key: random key of this trial and step.

    Returns:
        Mixed images float32 (n, h, w, c), labels (n,), partners' labels (n,), and shares float32
        (n,) in [0, 1].
    """
    alpha = jnp.asarray(hyper["augment.mixup"], jnp.float32)
    u, v = _unit(key, "augment.mixup", len(images), 2).T
    power = (1 - u) ** (1 / alpha)
    cosine = jnp.cos(2 * math.pi * v)
    spread = (1 - power) * cosine * cosine
    share = (1 + jnp.sign(cosine) * jnp.sqrt(spread / (power + spread))) / 2
    share = jnp.where(alpha > 0, share, 1)
    weight = share.reshape(-1, 1, 1, 1)
    images = images.astype(jnp.float32)
    mixed = weight * images + (1 - weight) * jnp.roll(images, -1, axis=0)
    return mixed, labels, jnp.roll(labels, -1, axis=0), share


def inverse_map(
    degrees: jax.Array | float, scale: jax.Array | float, shear_degrees: jax.Array | float
) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]:
    """Returns where a pixel comes from when an image is scaled, then sheared, then rotated.

    All three are about the image's centre.

    Args:
        degrees: of rotation, counterclockwise as seen; each argument a scalar or (n,).
        scale: factor on the image, above 1 enlarges it.
        shear_degrees: lean of upright lines; a row moves sideways by tan(lean) times its distance
            from the centre.

    Returns:
        The matrix ((yy, yx), (xy, xx)) from (y down, x right) in the new image to the old, each
        scalar or (n,).
    """
    angle = jnp.deg2rad(degrees)
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    slope = jnp.tan(jnp.deg2rad(shear_degrees))
    upright = (cosine / scale, sine / scale)
    return upright, ((-sine - slope * cosine) / scale, (cosine - slope * sine) / scale)


def resample(images: jax.Array, matrix: tuple, shift: tuple[jax.Array | float, jax.Array | float]) -> jax.Array:
    """Resamples images bilinearly; outside the image its edge goes on.

    With distances from the centre, pixel p of the result is what lies at matrix (p - shift).

    Args:
        images: float32 (n, h, w, c), at least two pixels high and wide.
        matrix: see `inverse_map`; each number a scalar or (n,).
        shift: down and right, pixels, each scalar or (n,).

    Returns:
        float32 (n, h, w, c).
    """
    count, height, width, channels = images.shape
    y = (jnp.arange(height) - (height - 1) / 2)[None, :, None] - _column(shift[0])
    x = (jnp.arange(width) - (width - 1) / 2)[None, None, :] - _column(shift[1])
    corners, beyond = [], []
    # Not a matrix product: a GPU would round the places to ten bits.
    for row, size in zip(matrix, (height, width), strict=True):
        place = jnp.clip(_column(row[0]) * y + _column(row[1]) * x + (size - 1) / 2, 0, size - 1)
        corner = jnp.minimum(jnp.floor(place), size - 2)
        corners.append(corner.astype(jnp.int32))
        beyond.append((place - corner)[..., None])
    first = (jnp.arange(count)[:, None, None] * height + corners[0]) * width + corners[1]
    # Without barriers XLA's CPU backend works the places out again for each neighbour and for each
    # use of the result.
    first, pixels, (down, right) = jax.lax.optimization_barrier((first, images.reshape(-1, channels), beyond))

    def neighbour(step: int) -> jax.Array:
        return pixels.at[first + step].get(mode="promise_in_bounds")

    upper = neighbour(0) * (1 - right) + neighbour(1) * right
    lower = neighbour(width) * (1 - right) + neighbour(width + 1) * right
    return jax.lax.optimization_barrier(upper * (1 - down) + lower * down)


def _column(amount: jax.Array | float) -> jax.Array:
    return jnp.reshape(amount, (-1, 1, 1))


def _unit(key: jax.Array, name: str, count: int, *shape: int) -> jax.Array:
    """Draws numbers uniform in [0, 1), float32 (count, *shape)."""
    # Without a barrier XLA's CPU backend hashes an image's number again for each of its pixels.
    bits = jax.lax.optimization_barrier(hashed_bits(key, _STREAMS[name], jnp.arange(count), shape))
    return (bits >> 8).astype(jnp.float32) * jnp.float32(2**-24)


def _move(
    images: jax.Array, mirrored: jax.Array, hyper: Mapping[str, jax.Array], key: jax.Array, used: Collection[str]
) -> jax.Array:
    """Applies the geometric fields and the mirror in one resample."""
    count, height, width, _ = images.shape

    def spread(name: str, *shape: int) -> jax.Array:
        """Draws uniformly from -strength to strength; 0 where the field is not used."""
        if name not in used:
            return jnp.zeros((count, *shape))
        return hyper[name] * (2 * _unit(key, name, count, *shape) - 1)

    down, right = spread("augment.shift", 2).T
    matrix = inverse_map(spread("augment.rotate"), 1 + spread("augment.zoom"), spread("augment.shear"))
    side = jnp.where(mirrored, -1, 1)
    mirrored_matrix = tuple((from_y, from_x * side) for from_y, from_x in matrix)
    return resample(images, mirrored_matrix, (down * height, right * side * width))


def _expose(images: jax.Array, hyper: Mapping[str, jax.Array], key: jax.Array, used: Collection[str]) -> jax.Array:
    """Adds every change as a product with its strength, so that strength 0 adds 0."""
    count, height, width, _ = images.shape
    change = jnp.zeros(())
    if "augment.contrast" in used:
        amount = 2 * _unit(key, "augment.contrast", count, 1, 1, 1) - 1
        change += hyper["augment.contrast"] * amount * (images - images.mean((1, 2, 3), keepdims=True))
    if "augment.brightness" in used:
        amount = 2 * _unit(key, "augment.brightness", count, 1, 1, 1) - 1
        change += hyper["augment.brightness"] * amount * 255
    if "augment.noise" in used:
        # Half a step up, since the inverse of the error function is infinite at -1.
        centred = 2 * _unit(key, "augment.noise", count, height, width, 1) - (1 - 2**-24)
        change += hyper["augment.noise"] * 255 * math.sqrt(2) * jax.lax.erf_inv(centred)
    return jnp.clip(images + change, 0, 255)


def _erase(images: jax.Array, share: jax.Array, key: jax.Array) -> jax.Array:
    count, height, width, _ = images.shape
    coin, area, aspect, top, left = _unit(key, "augment.erase", count, 5).T
    low, high = _ERASED_AREA
    pixels = (low + (high - low) * area) * height * width
    # Aspects whose rectangle would stick out are left out of the range instead of drawn again.
    narrowest = jnp.log(jnp.maximum(1 / _LARGEST_ASPECT, pixels / width**2))
    widest = jnp.log(jnp.minimum(_LARGEST_ASPECT, height**2 / pixels))
    root = jnp.exp((narrowest + (widest - narrowest) * aspect) / 2)
    rows = jnp.clip(jnp.round(jnp.sqrt(pixels) * root), 1, height)
    columns = jnp.clip(jnp.round(jnp.sqrt(pixels) / root), 1, width)

    def within(start: jax.Array, length: jax.Array, size: int) -> jax.Array:
        first = jnp.floor(start * (size - length + 1))[:, None]
        place = jnp.arange(size)
        return (place >= first) & (place < first + length[:, None])

    inside = within(top, rows, height)[:, :, None] & within(left, columns, width)[:, None, :]
    inside &= (coin < share)[:, None, None]
    return jnp.where(inside[..., None], images.mean((1, 2), keepdims=True), images)
