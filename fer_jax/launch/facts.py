"""What the traced values of a trial need to know of its data."""

import math

import numpy as np

from fer_jax.data import Dataset
from fer_jax.train.hyper import Facts

BLOCK = 1024  # images whose pixels are counted at once


def of(dataset: Dataset) -> Facts:
    """The classes of a data set, how many training images each has, and the range, mean and sd of
    their pixels (0 to 255).
    """
    pixels = np.asarray(dataset.train.images)
    # A class of no training images (data.on_error = skip) meets its weight nowhere.
    counts = tuple(max(1, count) for count in dataset.counts("train").tolist())
    # A float64 copy of the pixels, as their standard deviation would make, may not fit into memory.
    # Sums of integers are exact.
    histogram = np.zeros(256, np.int64)
    for start in range(0, len(pixels), BLOCK):
        histogram += np.bincount(pixels[start : start + BLOCK].reshape(-1), minlength=256)
    shades = {shade: count for shade, count in enumerate(histogram.tolist()) if count}
    number, total = sum(shades.values()), sum(shade * count for shade, count in shades.items())
    squares = sum(shade**2 * count for shade, count in shades.items())
    sd = math.sqrt(number * squares - total**2) / number
    return Facts(dataset.classes, counts, float(min(shades)), float(max(shades)), total / number, sd)
