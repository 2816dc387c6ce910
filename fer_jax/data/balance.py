"""Classes of equal size: images left out, repeated, or repeated with every copy transformed.

Works on the rows of one split, so no image changes splits. Draws use `numpy.random.RandomState`, as
splits.py does, keyed by `data.seed` and the class name. Pixels of a copy come from +, -, *, / and
rounding only, so they are the same bytes on every machine.
"""

from __future__ import annotations

import functools
import zlib

import numpy as np

from fer_jax.data import splits
from fer_jax.errors import DataError

# What a transformed copy may differ by. oslo names the kinds of change (those of Keras'
# ImageDataGenerator) but no strengths: unpublished, our choice.
HALF_ROTATION = 0.08748866  # tangent of half the largest angle, 10 degrees
SHIFT = 0.1  # share of the side, either way, per axis
ZOOM = 0.1  # of scale, either way, per axis
FLIP = 0.5  # share of the copies that are mirrored left to right
BRIGHTNESS = 0.1  # factor on the pixels, either way

_CHUNK_PIXELS = 1 << 17  # copies are made in groups of about this many pixels, which bounds the memory they take


def balance(
    kind: str, rows: np.ndarray, labels: np.ndarray, classes: tuple[str, ...], seed: int, split: str
) -> np.ndarray:
    """Returns rows of one split with as many of each class as of every other.

    Args:
        kind: 'undersample': every class keeps as many rows as the smallest has. 'oversample',
            'augment': every class gets as many as the largest has, each row as often as the others
            of its class or once more.
        rows: row numbers of the split, int64, ascending, without repeats.
        labels: int, shape (n,), of the whole source.
        classes: class names.
        seed: `data.seed`.
        split: name of the split, for the error.

    Returns:
        Rows, int64, ascending; the copies of a row follow it. Undersampling to fewer keeps a part
        of what undersampling to more does.

    Raises:
        DataError: a class has no row.
    """
    by_class = [rows[labels[rows] == label] for label in range(len(classes))]
    for name, own in zip(classes, by_class, strict=True):
        if not len(own):
            raise DataError(
                f"class {name} has no pictures in the {split} split, so data.balance = {kind} cannot make classes "
                "equal: leave it out with data.classes"
            )
    sizes = [len(own) for own in by_class]
    size = min(sizes) if kind == "undersample" else max(sizes)
    chosen = []
    for name, own in zip(classes, by_class, strict=True):
        whole, rest = divmod(size, len(own))
        chosen += [np.tile(own, whole), splits.shuffled(own, seed, f"balance {name}")[:rest]]
    return np.sort(np.concatenate(chosen))


def transform_copies(
    images: np.ndarray, rows: np.ndarray, labels: np.ndarray, classes: tuple[str, ...], seed: int
) -> np.ndarray:
    """Returns oversampled images of which every copy is transformed.

    A copy is rotated, shifted, zoomed, perhaps mirrored, and made lighter or darker.

    Args:
        images: uint8, shape (m, size, size, channels).
        rows: their row numbers, shape (m,), as `balance` returned them: equal ones are copies of
            one image.
        labels: their labels, int, shape (m,).
        classes: class names.
        seed: `data.seed`.

    Returns:
        uint8, shape (m, size, size, channels). The first of equal rows is the image itself, byte
        for byte.
    """
    made = np.array(images)
    copies = np.flatnonzero(rows[1:] == rows[:-1]) + 1
    group = max(1, _CHUNK_PIXELS // images.shape[1] ** 2)
    for label, name in enumerate(classes):
        own = copies[labels[copies] == label]
        draws = np.random.RandomState([seed, zlib.crc32(f"augment {name}".encode())]).random_sample((len(own), 7))
        for first in range(0, len(own), group):
            part = own[first : first + group]
            made[part] = transform(made[part], draws[first : first + group])
    return made


def transform(images: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Returns images transformed as `draws` say: seven numbers in [0, 1) for each, shape (n, 7).

    The numbers stand for rotation, shift down, shift right, vertical zoom, horizontal zoom,
    brightness and mirroring; where all are one half the image stays as it is. Pixels are
    interpolated bilinearly, and those of the border repeat beyond it.
    """
    count, size = images.shape[:2]
    columns = [column[:, None, None] for column in draws.astype(np.float32).T]
    spin, down, right, tall, wide, bright = (2 * column - 1 for column in columns[:6])
    mirror = np.where(columns[6] < FLIP, np.float32(-1), np.float32(1))
    half = np.float32(HALF_ROTATION) * spin
    cosine, sine = (1 - half * half) / (1 + half * half), 2 * half / (1 + half * half)
    centre, far = np.float32((size - 1) / 2), np.float32(SHIFT * size)
    grid = np.arange(size, dtype=np.float32) - centre
    y = grid[None, :, None] * (1 + np.float32(ZOOM) * tall)
    x = grid[None, None, :] * (1 + np.float32(ZOOM) * wide) * mirror
    top, below, down_share = _between(cosine * y - sine * x + centre + far * down, size)
    left, beside, right_share = _between(sine * y + cosine * x + centre + far * right, size)
    pixels = images.reshape(-1, images.shape[3])
    starts = np.arange(count)[:, None, None] * size**2
    corners = (
        pixels[starts + row * size + column] * (row_share * column_share)[..., None]
        for row, row_share in ((top, 1 - down_share), (below, down_share))
        for column, column_share in ((left, 1 - right_share), (beside, right_share))
    )
    mixed = functools.reduce(np.add, corners) * (1 + np.float32(BRIGHTNESS) * bright)[..., None]
    return (np.clip(mixed, 0, 255) + np.float32(0.5)).astype(np.uint8)


def _between(place: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the two pixels beside each place along one axis, and the share of the second."""
    place = np.clip(place, 0, size - 1)
    first = np.floor(place).astype(np.intp)
    return first, np.minimum(first + 1, size - 1), place - first.astype(np.float32)
