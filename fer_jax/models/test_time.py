"""Test-time augmentation: a network is asked about several views of an image.

'flip' shows the image and its mirror image; 'ten_crop' shows ten crops as Krizhevsky, Sutskever and
Hinton 2012 (ImageNet Classification with Deep Convolutional Neural Networks, section 4.1) do: the
four corners and the centre, and their mirror images, each 7/8 of the image wide (there 224 of 256
pixels). The caller averages the probabilities of all views, not their logits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from fer_jax.config.choices import TEST_TIME as NAMES
from fer_jax.errors import RunError
from fer_jax.models import inference


def views(name: str, images: Any, size: int, channels: int) -> Iterator[np.ndarray]:
    """Yields the views of n images, one kind of view of all images after another.

    Args:
        name: one of `NAMES`.
        images: as `inference.as_images` takes them. For 'ten_crop' they may be larger than `size`,
            and crops of `size` are cut from them as they are; images of just `size` are enlarged
            to `enlarged(size)` first, by Lanczos' filter.
        size: height and width of the network's input, in pixels.
        channels: 1 or 3.

    Yields:
        (n, size, size, channels) in 0..255, 2 times for 'flip' and 10 times for 'ten_crop'.

    Raises:
        RunError: `name` is another one, or the images have another shape, kind or range.
    """
    check(name)
    side = max(size, np.shape(images)[1]) if name == "ten_crop" and np.ndim(images) > 1 else size
    images = inference.as_images(images, side, channels)
    if name == "flip":
        return _flips(images)
    return _ten_crops(_resized(images, enlarged(size)) if side == size else images, size)


def check(name: str | None) -> None:
    """Raises RunError where `name` is neither one of `NAMES` nor None, the image as it is."""
    if name is not None and name not in NAMES:
        raise RunError(f"tta = {name!r}: must be {' or '.join(map(repr, NAMES))}, or left out")


def enlarged(size: int) -> int:
    """Returns the side of the image that ten crops of `size` pixels are cut from: 8/7 of it."""
    return max(size + 1, round(size * 8 / 7))


def _flips(images: np.ndarray) -> Iterator[np.ndarray]:
    yield images
    yield images[:, :, ::-1]


def _ten_crops(images: np.ndarray, size: int) -> Iterator[np.ndarray]:
    last = images.shape[1] - size
    for top, left in ((0, 0), (0, last), (last, 0), (last, last), (last // 2, last // 2)):
        yield from _flips(images[:, top : top + size, left : left + size])


def _resized(images: np.ndarray, side: int) -> np.ndarray:
    """Returns float32 (n, side, side, channels); overshoots of the filter are clipped to 0..255."""
    found = np.empty((len(images), side, side, images.shape[3]), np.float32)
    for number, image in enumerate(images.astype(np.float32)):
        for channel in range(images.shape[3]):
            large = Image.fromarray(image[:, :, channel]).resize((side, side), Image.Resampling.LANCZOS)
            found[number, :, :, channel] = np.asarray(large)
    return found.clip(0, 255)
