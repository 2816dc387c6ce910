"""Test-time augmentation: several views of a picture, whose probabilities are averaged.

A picture and its mirror image ('flip'), or ten crops ('ten_crop') as in Krizhevsky, Sutskever and
Hinton 2012 (ImageNet Classification with Deep Convolutional Neural Networks, section 4.1): the four
corners and the centre, and their mirror images, each 7/8 of the picture wide (224 of 256 pixels
there). Both average the probabilities, not the logits.
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
    """The views of pictures, one kind of view after another.

    Args:
        name: one of NAMES.
        images: as `inference.as_pictures` takes them; for 'ten_crop' they may be larger than
            `size`, and crops of `size` are cut from them as they are. Pictures of just `size` are
            enlarged to `enlarged(size)` first, by Lanczos' filter.
        size: height and width of the network's input.
        channels: 1 or 3.

    Yields:
        (n, size, size, channels): 2 or 10 times.

    Raises:
        RunError: another name, or images of another kind.
    """
    check(name)
    side = max(size, np.shape(images)[1]) if name == "ten_crop" and np.ndim(images) > 1 else size
    pictures = inference.as_pictures(images, side, channels)
    return (
        _flips(pictures)
        if name == "flip"
        else _ten_crops(_resized(pictures, enlarged(size)) if side == size else pictures, size)
    )


def check(name: str | None) -> None:
    """Raises RunError for what is no way to look at a picture; None is the picture as it is."""
    if name is not None and name not in NAMES:
        raise RunError(f"tta = {name!r}: must be {' or '.join(map(repr, NAMES))}, or left out")


def enlarged(size: int) -> int:
    """Pixels a side of the picture that ten crops of `size` are cut from, 8/7 of it."""
    return max(size + 1, round(size * 8 / 7))


def _flips(pictures: np.ndarray) -> Iterator[np.ndarray]:
    yield pictures
    yield pictures[:, :, ::-1]


def _ten_crops(pictures: np.ndarray, size: int) -> Iterator[np.ndarray]:
    last = pictures.shape[1] - size
    for top, left in ((0, 0), (0, last), (last, 0), (last, last), (last // 2, last // 2)):
        yield from _flips(pictures[:, top : top + size, left : left + size])


def _resized(pictures: np.ndarray, side: int) -> np.ndarray:
    """In float32, since pictures of any numbers in 0..255 are; what the filter overshoots is
    clipped.
    """
    found = np.empty((len(pictures), side, side, pictures.shape[3]), np.float32)
    for number, picture in enumerate(pictures.astype(np.float32)):
        for channel in range(pictures.shape[3]):
            large = Image.fromarray(picture[:, :, channel]).resize((side, side), Image.Resampling.LANCZOS)
            found[number, :, :, channel] = np.asarray(large)
    return found.clip(0, 255)
