"""Where faces are in an image: OpenCV's frontal-face cascade, whose model comes with the package
(extra `faces`).

FER-2013's own images were cut out by OpenCV's face detector (Goodfellow et al. 2013, Challenges
in Representation Learning, section 2.3), so that its boxes are what networks trained on them know.
It finds upright faces seen from the front (Viola and Jones 2001).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from fer_jax.errors import DataError

# Left, top, right, bottom in pixels of the upright image; right and bottom lie outside.
Box = tuple[int, int, int, int]

_MODEL = "haarcascade_frontalface_default.xml"
_LONGEST = 1024  # pixels: of larger images, a smaller copy is searched
_SMALLEST = 24  # pixels: the cascade's own window
_STEP, _NEIGHBOURS = 1.1, 5  # between the sizes that are tried; and how many overlapping finds make a face


def face_finder() -> Callable[[Image.Image], list[Box]]:
    """Returns a function from a decoded image to the boxes of its faces, the largest first.

    Raises:
        DataError: OpenCV is not installed, or comes without the model.
    """
    try:
        import cv2
    except ImportError:
        raise DataError("finding faces needs OpenCV: pip install 'fer_jax[faces]'") from None
    cascade = _cascade(cv2)

    def find(image: Image.Image) -> list[Box]:
        scale = min(1.0, _LONGEST / max(image.size))
        small = image.convert("L").resize([max(1, round(scale * side)) for side in image.size], Image.Resampling.BOX)
        found = cascade.detectMultiScale(np.asarray(small), _STEP, _NEIGHBOURS, minSize=(_SMALLEST, _SMALLEST))
        boxes = [_scaled(box, scale, image.size) for box in found]
        return sorted(boxes, key=lambda box: (-(box[2] - box[0]) * (box[3] - box[1]), box))

    return find


def _cascade(opencv: Any) -> Any:
    """Returns the detector of an OpenCV that has it, as none does from version 5 on."""
    try:
        found = opencv.CascadeClassifier(f"{opencv.data.haarcascades}{_MODEL}")
    except (AttributeError, opencv.error):
        found = None
    if found is None or found.empty():
        raise DataError(
            f"OpenCV {opencv.__version__} comes without {_MODEL}: pip install 'fer_jax[faces]' brings one that has it"
        )
    return found


def _scaled(found: Sequence[int], scale: float, size: tuple[int, int]) -> Box:
    """Returns the box in an image of `size` (width, height) for one found in its smaller copy.

    `found` is (left, top, width, height).
    """
    left, top, width, height = (int(number) for number in found)
    right, bottom = min(size[0], round((left + width) / scale)), min(size[1], round((top + height) / scale))
    return round(left / scale), round(top / scale), right, bottom
