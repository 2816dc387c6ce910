"""Copies among images: exact ones byte for byte, near ones by a perceptual hash and their pixels.

Two images are *near* copies if their hashes differ in at most `NEAR_BITS` of 64 bits and their
grey pixels then correlate with at least `NEAR_CORRELATION`. docs/audit.md says what these
thresholds find and miss.

The hash is pHash's DCT hash (C. Zauner, 'Implementation and Benchmarking of Perceptual Image Hash
Functions', Hagenberg 2010): of a grey image's discrete cosine transform the coefficients 1 to 8
of either axis, a bit each that says whether it is above their median. The transform is taken of the
image in its own size; pHash blurs and shrinks it to 32 x 32 pixels before, for speed, which
changes these low frequencies little.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from hashlib import blake2b

import numpy as np

NEAR_BITS = 10
NEAR_CORRELATION = 0.9
FLAT_SD = 2.0  # grey levels; an image with less contrast is nearly constant, and its hash that of its noise

_GREY = np.array((0.299, 0.587, 0.114), np.float32)  # ITU-R 601, as in image_files.py
CHUNK_BYTES = 1 << 25  # of float32 pixels that are handled together
HASHES_AT_ONCE = 32  # images whose hashes are held against all others at once


@dataclasses.dataclass(frozen=True)
class Copies:
    """The groups of exact copies and the pairs of near copies among n images.

    Attributes:
        group: int64, shape (n,); images with the same bytes have the same number. Groups are
            numbered from 0 in the order in which their first images come.
        near: int64, shape (p, 2), pairs of groups whose images are near copies of each other, the
            lower number first; empty where none were sought.
        bits: uint8, shape (p,), in how many of 64 bits the hashes of a pair differ.
        correlation: float32, shape (p,), of the grey pixels of a pair.
    """

    group: np.ndarray
    near: np.ndarray
    bits: np.ndarray
    correlation: np.ndarray

    @property
    def first(self) -> np.ndarray:
        """The first image of every group, int64, ascending."""
        return np.unique(self.group, return_index=True)[1]

    @property
    def sizes(self) -> np.ndarray:
        """The number of images in every group, int64."""
        return np.bincount(self.group)

    def found(self, rows: np.ndarray, among: np.ndarray) -> np.ndarray:
        """Returns which images of `rows` have a copy among those of `among`: bool, (len(rows),).

        Near copies count as well, if any were sought.
        """
        there = np.zeros(self.group.max(initial=-1) + 1, bool)
        there[self.group[among]] = True
        copied = there.copy()
        lower, higher = self.near.T
        copied[lower[there[higher]]] = True
        copied[higher[there[lower]]] = True
        return copied[self.group[rows]]

    def exact(self) -> Copies:
        """Returns these copies without the near ones."""
        return dataclasses.replace(self, near=self.near[:0], bits=self.bits[:0], correlation=self.correlation[:0])


def find(parts: Sequence[np.ndarray], near: bool = False) -> Copies:
    """Finds the copies among all images of one or several arrays.

    Exact copies take one pass. Near copies compare every hash with every other in NumPy, which for
    36,000 images is a matter of seconds; the pixels of candidates only are read again.

    Args:
        parts: uint8 each, shape (m, size, size, channels), all of one size and 1 or 3 channels;
            numbered one after another.
        near: whether near copies are sought too.
    """
    seen: dict[bytes, int] = {}
    digests = (blake2b(np.ascontiguousarray(image).data, digest_size=16).digest() for part in parts for image in part)
    group = np.array([seen.setdefault(digest, len(seen)) for digest in digests], np.int64)
    none = Copies(group, np.empty((0, 2), np.int64), np.empty(0, np.uint8), np.empty(0, np.float32))
    if not near or len(seen) < 2:
        return none
    first = none.first
    hashes, sd = _look(parts, first)
    usable = np.flatnonzero(sd >= FLAT_SD)
    pairs, bits = _close(hashes[usable])
    pairs = usable[pairs]
    correlation = _correlations(parts, first[pairs])
    kept = correlation >= NEAR_CORRELATION
    return Copies(group, pairs[kept], bits[kept], correlation[kept])


def contrast(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns how much there is to see on each image.

    Args:
        images: uint8, shape (n, size, size, channels).

    Returns:
        Whether all its pixels are the same, bool (n,), and the standard deviation of its channel
        that varies most, grey levels of 255, float32 (n,).
    """
    constant, sd = np.empty(len(images), bool), np.empty(len(images), np.float32)
    for rows in _chunks(len(images), images[0].size if len(images) else 1):
        pixels = images[rows].reshape(len(images[rows]), -1, images.shape[3])
        constant[rows] = (pixels == pixels[:, :1]).all((1, 2))
        sd[rows] = pixels.std(1, dtype=np.float32).max(1)
    return constant, sd


def perceptual_hash(grey: np.ndarray) -> np.ndarray:
    """Returns the DCT hash of each image; the module's docstring describes it.

    Args:
        grey: float32, shape (n, size, size).

    Returns:
        uint64, shape (n,); only the number of bits in which two of them differ means something.
    """
    size = grey.shape[1]
    waves = np.cos(np.pi * np.arange(1, 9)[:, None] * (2 * np.arange(size) + 1) / (2 * size)).astype(np.float32)
    low = (waves @ grey @ waves.T).reshape(-1, 64)
    above = low > np.median(low, axis=1, keepdims=True)
    return np.packbits(above, axis=1).view(np.uint64)[:, 0]


def _look(parts: Sequence[np.ndarray], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns hash, uint64 (n,), and sd of the grey pixels, float32 (n,), of some images."""
    hashes, sd = np.empty(len(rows), np.uint64), np.empty(len(rows), np.float32)
    for some in _chunks(len(rows), parts[0][0].size):
        grey = _grey(_gather(parts, rows[some]))
        hashes[some], sd[some] = perceptual_hash(grey), grey.std((1, 2))
    return hashes, sd


def _close(hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns pairs of hashes that differ in at most `NEAR_BITS` bits. The pairs are int64 (p, 2),
    the lower row first; the bits uint8 (p,).
    """
    pairs, bits = [np.empty((0, 2), np.int64)], [np.empty(0, np.uint8)]
    for start in range(0, len(hashes), HASHES_AT_ONCE):
        differing = np.bitwise_count(hashes[start : start + HASHES_AT_ONCE, None] ^ hashes[None, start:])
        row, column = np.nonzero(differing <= NEAR_BITS)
        above = column > row
        pairs.append(np.stack([row[above], column[above]], 1) + start)
        bits.append(differing[row[above], column[above]])
    return np.concatenate(pairs), np.concatenate(bits)


def _correlations(parts: Sequence[np.ndarray], pairs: np.ndarray) -> np.ndarray:
    """Returns Pearson's correlation of the grey pixels of each pair of images, float32 (p,). No
    image may be constant.
    """
    found = np.empty(len(pairs), np.float32)
    for some in _chunks(len(pairs), 2 * parts[0][0].size):
        one, other = (_standardised(_gather(parts, rows)) for rows in pairs[some].T)
        found[some] = (one * other).mean(1)
    return found


def _standardised(images: np.ndarray) -> np.ndarray:
    """Returns grey pixels with mean 0 and sd 1, float32, shape (n, pixels)."""
    grey = _grey(images).reshape(len(images), -1)
    grey -= grey.mean(1, keepdims=True)
    return grey / grey.std(1, keepdims=True)


def _grey(images: np.ndarray) -> np.ndarray:
    """Returns images as float32, shape (n, size, size), 0 to 255."""
    return images[..., 0].astype(np.float32) if images.shape[3] == 1 else images.astype(np.float32) @ _GREY


def _gather(parts: Sequence[np.ndarray], rows: np.ndarray) -> np.ndarray:
    """Returns the images with these numbers, which count through all parts."""
    ends = np.cumsum([len(part) for part in parts])
    images = np.empty((len(rows), *parts[0].shape[1:]), np.uint8)
    of_part = np.searchsorted(ends, rows, side="right")
    for number, part in enumerate(parts):
        own = np.flatnonzero(of_part == number)
        images[own] = part[rows[own] - (ends[number] - len(part))]
    return images


def _chunks(count: int, pixels: int) -> Iterator[slice]:
    """Yields slices of items of so many pixels; each takes about `CHUNK_BYTES` as float32."""
    step = max(1, CHUNK_BYTES // (4 * pixels))
    return (slice(start, start + step) for start in range(0, count, step))
