"""What white is in images of more than 8 bits a pixel, which their files do not say.

A file of 16 bits may hold 0 to 65,535, 0 to 4,095 as cameras give it or 0 to 255, one of
floating-point pixels 0 to 1 as well. Taken for more than it is, such an image is nearly black.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_jax.base.text import counted
from fer_jax.data.reading.problems import Unusable

if TYPE_CHECKING:
    from PIL import Image

# What white may be, by what pixels are.
_WHITES: dict[str, tuple[int, ...]] = {"whole": (255, 4095, 65535), "floating-point": (1, 255, 4095, 65535)}
_SLACK = 1.001  # an image that was resized may go a little beyond what is white in it


@dataclasses.dataclass(frozen=True)
class Depth:
    """What the pixels of one image are: `numbers`, 'whole' or 'floating-point', and the highest."""

    numbers: str
    top: float

    @property
    def white(self) -> int:
        """The least possible white that holds this image."""
        slack = _SLACK if self.numbers == "floating-point" else 1
        return next(white for white in _WHITES[self.numbers] if self.top <= white * slack)


def of(image: Image.Image) -> Depth | None:
    """Returns what an image of more than 8 bits a pixel holds, None for any other.

    Raises:
        Unusable: it holds negative numbers, or such as no white is known for.
    """
    whole = image.mode.startswith("I")
    if not whole and image.mode != "F":
        return None
    pixels = np.asarray(image)
    low, high = float(pixels.min()), float(pixels.max())
    if not (low >= 0 and high <= 65535):
        what = "32 bits a pixel" if whole else "floating-point pixels"
        raise Unusable(f"has {what}, from {low:g} to {high:g}, where 0 to 65535 is known; save it with 8 or 16 bits")
    return Depth("whole" if whole else "floating-point", high)


def whites(held: Sequence[Depth]) -> list[int]:
    """Returns what white is in each image of one data set.

    It is one for all of whole and one for all of floating-point numbers: the least that holds them,
    so that a dark image among them stays dark. Images that a lesser one would hold get that, if
    they would be black throughout, or if they are half of all or more: then several kinds are
    mixed.
    """
    found = []
    for numbers in _WHITES:
        alike = [one for one in held if one.numbers == numbers]
        most = max((one.white for one in alike), default=0)
        mixed = 2 * sum(one.white < most for one in alike) >= len(alike)
        found.append({one: one.white if mixed or 255 * one.top < most else most for one in alike})
    by_depth = found[0] | found[1]
    return [by_depth[one] for one in held]


def narrow(image: Image.Image, white: int) -> Image.Image:
    """Returns an image of more than 8 bits a pixel in 8, mode L, with `white` as 255."""
    from PIL import Image

    scaled = np.asarray(image).astype(np.float32) * np.float32(255 / white)
    return Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))


def as_json(held: Sequence[Depth], taken: Sequence[int]) -> list[dict[str, Any]]:
    """Returns how many images were read with which white, and the highest pixel of them."""
    tops: dict[tuple[str, int], list[float]] = collections.defaultdict(list)
    for one, white in zip(held, taken, strict=True):
        tops[one.numbers, white].append(one.top)
    return [
        {"numbers": numbers, "white": white, "pictures": len(each), "highest": max(each)}
        for (numbers, white), each in sorted(tops.items())
    ]


def describe(noted: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns a line for each entry of `as_json` but 16 bits that are 16 bits."""
    lines = []
    for one in noted:
        if (one["numbers"], one["white"]) == ("whole", 65535):
            continue
        kind = "more than 8 bits a pixel" if one["numbers"] == "whole" else "floating-point pixels"
        held = f"{counted(one['pictures'], 'picture')} of {kind}, from 0 to {one['highest']:,g}"
        lines.append(f"{held}: {one['white']:,} is taken as white")
    return lines
