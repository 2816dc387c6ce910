"""Many small images in one drawing: lines of cells, each a few images side by side with a title."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from fer_jax.figures import style

GAP, ABOVE, BELOW = 0.22, 0.16, 0.12  # in sides of an image: between cells, of a line of a title, below a cell
BESIDE = 0.32  # the same: for the names of lines
LARGEST = 1.1  # inches, side of an image


@dataclasses.dataclass(frozen=True)
class Cell:
    """Some images of one side beside each other.

    Attributes:
        tiles: each (S, S, 3) in 0..1.
        title: above them; lines are broken at '\\n'.
        colour: of the title.
    """

    tiles: Sequence[np.ndarray]
    title: str = ""
    colour: str = style.INK


def draw(lines: Sequence[tuple[str, Sequence[Cell]]], above: float = 0.0, below: float = 0.0) -> Figure:
    """Returns a figure with a line of cells for each of `lines`, all images of one size.

    Args:
        lines: name, '' for none, and cells; at least one.
        above, below: inches for what else the figure holds.
    """
    cells = [cell for _, line in lines for cell in line]
    most = max(len(cell.tiles) for cell in cells)
    across = max(len(line) for _, line in lines)
    beside = BESIDE if any(name for name, _ in lines) else 0.0
    width = beside + across * most + (across - 1) * GAP
    title = ABOVE * max(cell.title.count("\n") + 1 if cell.title else 0 for cell in cells)
    height = len(lines) * (title + 1 + BELOW)
    tile = min(LARGEST, (style.WIDTH - 0.2) / width)
    made = style.figure(height * tile + above + below)
    # One panel: a hundred of them would take seconds to lay out.
    ax = made.subplots()
    ax.set_axis_off()
    for number, (name, line) in enumerate(lines):
        top = number * (title + 1 + BELOW) + title
        ax.text(0.02, top + 0.5, name, rotation=90, ha="left", va="center", color=style.INK, fontsize=style.SMALL)
        for place, cell in enumerate(line):
            left = beside + place * (most + GAP)
            ax.text(left, top - 0.03, cell.title, va="bottom", color=cell.colour, fontsize=style.SMALL - 1)
            for column, pixels in enumerate(cell.tiles):
                extent = (left + column + 0.02, left + column + 0.98, top + 0.98, top + 0.02)
                ax.imshow(pixels, extent=extent, interpolation="nearest", vmin=0, vmax=1, aspect="auto")
    ax.set_xlim(0, (style.WIDTH - 0.2) / tile)
    ax.set_ylim(height, 0)
    ax.set_aspect("equal", anchor="NW")
    return made
