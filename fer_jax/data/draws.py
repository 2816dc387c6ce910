"""Random numbers as hashes: an image's numbers follow from its own key, however many images are
drawn around it.

Only integer arithmetic and exact float32 products are used, so the numbers are the same on every
machine.
"""

from __future__ import annotations

import numpy as np

_WORD = 0xFFFFFFFFFFFFFFFF
_GOLDEN = 0x9E3779B97F4A7C15
_STRIDE = 0xD1342543DE82EF95


def image_keys(seed: int, stream: int, count: int) -> np.ndarray:
    """One key an image, uint64, shape (count,); key i depends on seed, stream and i only."""
    root = _mix(np.array([seed & _WORD], np.uint64)) ^ _mix(np.array([stream], np.uint64))
    return _mix(root + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_GOLDEN))


class Draws:
    """Random numbers of a group of n images; every call has another purpose and so gives other
    numbers.

    Args:
        keys: uint64, shape (n,), see `image_keys`.
        purpose: number of the first purpose, for independent numbers from the same keys.
    """

    def __init__(self, keys: np.ndarray, purpose: int = 0):
        self.keys = keys
        self._purpose = purpose

    def uniform(self, low: float, high: float) -> np.ndarray:
        """Evenly between low and high; float32, shape (n,)."""
        unit = (self._next() >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)
        return np.float32(low) + np.float32(high - low) * unit

    def bell(self, width: float) -> np.ndarray:
        """Around 0, at most `width` away, triangular: small values more often than large ones;
        float32, shape (n,).
        """
        return self.uniform(-width / 2, width / 2) + self.uniform(-width / 2, width / 2)

    def noise(self, count: int) -> np.ndarray:
        """Close to normal with mean 0 and sd 1, the sum of four 16-bit numbers; float32, shape (n,
        count).
        """
        words = self._next()[:, None] + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
        quarters = _mix(words).astype("<u8", copy=False).view("<u2").reshape(len(self.keys), count, 4)
        total = quarters[..., 0].astype(np.float32)
        for i in (1, 2, 3):
            total += quarters[..., i]
        return (total - np.float32(131070)) * np.float32(1 / 37837.0)

    def _next(self) -> np.ndarray:
        self._purpose += 1
        return _mix(self.keys + np.uint64(self._purpose * _STRIDE & _WORD))


def _mix(words: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser: a bijection of uint64 whose output bits look independent (Steele, Lea
    and Flood 2014).
    """
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
