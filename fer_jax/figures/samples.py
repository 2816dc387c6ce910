"""A few pictures of each class of a data set."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fer_jax.figures import mosaic, style

ACROSS = 2  # classes in a line


def draw(images: Mapping[str, np.ndarray]) -> style.Drawing:
    """Returns some images of every class, two classes in a line.

    Args:
        images: name of a class -> uint8 (n, S, S, 1 or 3), at least one class; n may differ.
    """
    cells = [mosaic.Cell([_coloured(one) for one in some], name) for name, some in images.items()]
    lines = [("", cells[start : start + ACROSS]) for start in range(0, len(cells), ACROSS)]
    text = "The first training pictures of each class, those whose label is known to be wrong left out."
    finding = f"{sum(map(len, images.values()))} pictures of {len(images)} classes."
    return style.Drawing("samples", "Pictures of each class", "Sample pictures", text, mosaic.draw(lines), finding)


def _coloured(image: np.ndarray) -> np.ndarray:
    return np.broadcast_to(image / 255, (*image.shape[:2], 3))
