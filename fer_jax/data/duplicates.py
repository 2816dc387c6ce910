"""Copies among images: exact ones byte for byte, near ones by a perceptual hash and their pixels.

Two images are *near* copies if their hashes differ in at most `NEAR_BITS` of 64 bits and their
grey pixels then correlate with at least `NEAR_CORRELATION`; or if that holds, with
`CHANGED_CORRELATION`, once the histograms of both are equalised or, where one of them is not
square, once the whole of both is squeezed into a square. docs/audit.md says what these thresholds
find and miss.

The hash is pHash's DCT hash (C. Zauner, 'Implementation and Benchmarking of Perceptual Image Hash
Functions', Hagenberg 2010): of a grey image's discrete cosine transform the coefficients 1 to 8
of either axis, a bit each that says whether it is above their median. The transform is taken of the
image in its own size; pHash blurs and shrinks it to 32 x 32 pixels before, for speed, which
changes these low frequencies little.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

NEAR_BITS = 10
NEAR_CORRELATION = 0.9
CHANGED_CORRELATION = 0.95  # of equalised and of whole images, which differ less from each other
FLAT_SD = 2.0  # grey levels; an image with less contrast is nearly constant, and its hash that of its noise

_GREY = np.array((0.299, 0.587, 0.114), np.float32)  # ITU-R 601, as in image_files.py
CHUNK_BYTES = 1 << 25  # of float32 pixels that are handled together
HASHES_AT_ONCE = 32  # images whose hashes are held against all others at once


class Whole(NamedTuple):
    """The whole of those images of an array that are not square and were cut for it.

    Attributes:
        rows: of these images in the array, int64 (m,), ascending.
        thumbs: each squeezed into a square, grey, uint8 (m, side, side).
    """

    rows: np.ndarray
    thumbs: np.ndarray

    def of(self, rows: np.ndarray) -> Whole:
        """Returns the same for an array of some of the images, int64 (n,), in any order."""
        if not len(self.rows):
            return self
        at = np.searchsorted(self.rows, rows).clip(max=len(self.rows) - 1)
        kept = np.flatnonzero(self.rows[at] == rows)
        return Whole(kept, self.thumbs[at[kept]])


@dataclasses.dataclass(frozen=True)
class Copies:
    """The groups of exact copies and the pairs of near copies among n images.

    Attributes:
        group: int64, shape (n,); images with the same bytes have the same number. Groups are
            numbered from 0 in the order in which their first images come.
        near: int64, shape (p, 2), pairs of groups whose images are near copies of each other, the
            lower number first; empty where none were sought.
        bits: uint8, shape (p,), in how many of 64 bits the hashes of a pair differ.
        correlation: float32, shape (p,), of the grey pixels of a pair. Both are of the pixels as
            they are where these make the pair, else of equalised ones or of the whole images.
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


def find(parts: Sequence[np.ndarray], near: bool = False, wholes: Sequence[Whole | None] = ()) -> Copies:
    """Finds the copies among all images of one or several arrays.

    Exact copies take one pass. Near copies compare every hash with every other in NumPy, which for
    36,000 images is a matter of seconds; the pixels of candidates only are read again.

    Args:
        parts: uint8 each, shape (m, size, size, channels), all of one size and 1 or 3 channels;
            numbered one after another.
        near: whether near copies are sought too.
        wholes: of each part, what was not square in it; () if nothing was.
    """
    seen: dict[bytes, int] = {}
    digests = (blake2b(np.ascontiguousarray(image).data, digest_size=16).digest() for part in parts for image in part)
    group = np.array([seen.setdefault(digest, len(seen)) for digest in digests], np.int64)
    none = Copies(group, np.empty((0, 2), np.int64), np.empty(0, np.uint8), np.empty(0, np.float32))
    if not near or len(seen) < 2:
        return none
    first = none.first

    def images(groups: np.ndarray) -> np.ndarray:
        return _grey(_gather(parts, first[groups]))

    found = list(_alike(images, len(first), parts[0][0].size, NEAR_CORRELATION))
    if any(whole is not None and len(whole.rows) for whole in wholes):
        found += _alike_as_a_whole(parts, wholes, first)
    pairs, bits, correlation = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    _, kept = np.unique(pairs[:, 0] * len(first) + pairs[:, 1], return_index=True)  # as the first look has them
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


def equalised(grey: np.ndarray) -> np.ndarray:
    """Returns images whose histograms are as flat as they can be.

    Every pixel becomes the share of its image that is darker, and half of what is as dark. So two
    images of which one was made from the other by any rising curve (equalising, contrast, gamma)
    come out nearly the same.

    Args:
        grey: float32, shape (n, size, size), 0 to 255.

    Returns:
        float32, the same shape, 0 to 255.
    """
    levels = np.rint(grey).astype(np.int32).reshape(len(grey), -1) + 256 * np.arange(len(grey), dtype=np.int32)[:, None]
    counts = np.bincount(levels.ravel(), minlength=256 * len(grey)).reshape(-1, 256)
    middle = (counts.cumsum(1) - counts / 2) * (255 / levels.shape[1])
    return middle.astype(np.float32).ravel()[levels].reshape(grey.shape)


_Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]  # pairs of groups, their bits and correlations
_Images = Callable[[np.ndarray], np.ndarray]  # from groups to an image of each, float32 (n, size, size)


def _alike(
    images: _Images, count: int, pixels: int, least: float, wanted: np.ndarray | None = None
) -> Iterator[_Pairs]:
    """Yields the near copies among so many images, first those as they are, then equalised ones.

    Args:
        images: gives them.
        count: number of images.
        pixels: of each.
        least: correlation of a pair as it is.
        wanted: one image of each pair is one of these, bool (count,); None for any pair.
    """
    plain, equal, sd = np.empty(count, np.uint64), np.empty(count, np.uint64), np.empty(count, np.float32)
    for some in _chunks(count, pixels):
        grey = images(np.arange(count)[some])
        plain[some], equal[some], sd[some] = perceptual_hash(grey), perceptual_hash(equalised(grey)), grey.std((1, 2))
    usable = np.flatnonzero(sd >= FLAT_SD)
    looks: list[tuple[np.ndarray, _Images, float]] = [
        (plain, images, least),
        (equal, lambda rows: equalised(images(rows)), CHANGED_CORRELATION),
    ]
    for hashes, shown, needed in looks:
        pairs, bits = _close(hashes[usable])
        pairs = usable[pairs]
        if wanted is not None:
            asked = wanted[pairs].any(axis=1)
            pairs, bits = pairs[asked], bits[asked]
        correlation = _correlations(shown, pairs, pixels)
        kept = correlation >= needed
        yield pairs[kept], bits[kept], correlation[kept]


def _alike_as_a_whole(
    parts: Sequence[np.ndarray], wholes: Sequence[Whole | None], first: np.ndarray
) -> Iterator[_Pairs]:
    """Yields the near copies of which one at least is not square, as whole images see them."""
    starts = np.cumsum([0, *(len(part) for part in parts)])
    given = [(whole.rows + start, whole.thumbs) for whole, start in zip(wholes, starts, strict=False) if whole]
    rows, thumbs = (np.concatenate(arrays) for arrays in zip(*given, strict=True))
    of_first = np.searchsorted(rows, first).clip(max=len(rows) - 1)
    oblong = rows[of_first] == first
    shrink = _shrinking(parts[0].shape[1], thumbs.shape[1])

    def images(groups: np.ndarray) -> np.ndarray:
        grey = np.rint(shrink @ _grey(_gather(parts, first[groups])) @ shrink.T)
        grey[oblong[groups]] = thumbs[of_first[groups][oblong[groups]]]
        return grey

    return _alike(images, len(first), max(parts[0][0].size, thumbs[0].size), CHANGED_CORRELATION, oblong)


def _shrinking(size: int, side: int) -> np.ndarray:
    """Returns the matrix that resizes a column of pixels by a triangle, float32 (side, size)."""
    centres = (np.arange(side) + 0.5) * size / side - 0.5
    weights = 1 - np.abs(np.arange(size) - centres[:, None]) / max(1, size / side)
    weights = weights.clip(min=0)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def _close(hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns pairs of hashes that differ in at most `NEAR_BITS` bits. The pairs are int64 (p, 2),
    the lower row first; the bits uint8 (p,).
    """
    pairs, bits = [np.empty((0, 2), np.int64)], [np.empty(0, np.uint8)]
    for start in range(0, len(hashes), HASHES_AT_ONCE):
        differing = np.bitwise_count(hashes[start : start + HASHES_AT_ONCE, None] ^ hashes[None, start:])
        # Of one axis, where NumPy is five times as quick to find the few that are true.
        row, column = np.divmod(np.flatnonzero(differing.ravel() <= NEAR_BITS), differing.shape[1])
        above = column > row
        pairs.append(np.stack([row[above], column[above]], 1) + start)
        bits.append(differing[row[above], column[above]])
    return np.concatenate(pairs), np.concatenate(bits)


def _correlations(images: _Images, pairs: np.ndarray, pixels: int) -> np.ndarray:
    """Returns Pearson's correlation of the grey pixels of each pair of images, float32 (p,). No
    image may be constant.
    """
    found = np.empty(len(pairs), np.float32)
    for some in _chunks(len(pairs), 2 * pixels):
        one, other = (_standardised(images(rows)) for rows in pairs[some].T)
        found[some] = (one * other).mean(1)
    return found


def _standardised(grey: np.ndarray) -> np.ndarray:
    """Returns grey pixels with mean 0 and sd 1, float32, shape (n, pixels)."""
    grey = grey.reshape(len(grey), -1)
    grey = grey - grey.mean(1, keepdims=True)
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
