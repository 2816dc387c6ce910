"""Images with what networks look at drawn over them, or maps alone."""

from __future__ import annotations

import dataclasses
import math
import textwrap
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch

from fer_jax.base.text import sentence
from fer_jax.figures import mosaic, style

MOST_COLUMNS = 12
# Full colour at this percentile of the absolute values (Smilkov et al. 2017, section 3.3): a few
# pixels would leave the others pale.
CAP = 99
LARGEST_TILE, LABELS = 1.3, 0.5  # inches: side of an image; room for the names of the rows
FADED = 0.7  # contrast of an image under its map


def saliency_sheet(
    images: np.ndarray | None,
    maps: Mapping[str, np.ndarray],
    titles: Sequence[str],
    *,
    caption: str = "",
    alone: Collection[str] = (),
    one_scale: bool = False,
    warning: str = "",
    name: str = "saliency",
    heading: str = "Saliency: what the networks look at",
) -> style.Drawing:
    """Returns maps over the images they are of, a column an image, a row a method.

    Vermillion speaks for the class and blue against it; where a row has no negative value,
    vermillion is what counts either way.

    Args:
        images: (n, S, S), (n, S, S, 1) or (n, S, S, 3) in 0..255, drawn in grey as the first row
            and under the maps; None for maps alone on white, as for the averages of classes, which
            show no face.
        maps: name of a row, such as a method -> (n, S, S); NaN maps stay empty.
        titles: names of the n columns; lines are broken at '\\n'.
        caption: what the maps are of: method, data, repeats. How to read them is added.
        alone: names of rows that are drawn on white although there are images.
        one_scale: whether the maps of a row share one scale; otherwise each has its own.
        warning: what the maps are worth, as saliency maps have it; it stands above them.
        name, heading: as in `style.Drawing`.

    Raises:
        ValueError: no map, more than MOST_COLUMNS columns, or shapes that do not fit together.
    """
    count = len(titles)
    _check(images, maps, count)
    white = [np.ones((1, 1, 3))] * count
    greys = white if images is None else [_grey(image) for image in images]
    faded = [1 - FADED * (1 - grey) for grey in greys]
    rows = [] if images is None else [("picture", greys)]
    for label, row in maps.items():
        grounds = white if label in alone else faded
        limits = _limits(np.asarray(row, dtype=np.float64), one_scale)
        rows.append(
            (label, [_overlay(ground, one, limit) for ground, one, limit in zip(grounds, row, limits, strict=True)])
        )
    scale = "the maps of a row share one scale" if one_scale else "each map has its own scale"
    signed = _signed(maps)
    text = _caption(caption, warning, signed, scale)
    return style.Drawing(name, heading, "Saliency", text, _draw(rows, titles, _legend(signed), warning))


@dataclasses.dataclass(frozen=True)
class Seen:
    """An image of a sheet by class.

    Attributes:
        line: the name of the line it stands in, its label.
        title: above it; lines are broken at '\\n'.
        right: whether the answer is the label.
    """

    line: str
    title: str
    right: bool


def sheet_by_class(
    images: np.ndarray, maps: Mapping[str, np.ndarray], seen: Sequence[Seen], *, caption: str = "", warning: str = ""
) -> style.Drawing:
    """Returns a line a class, its images side by side, each beside its maps over it.

    Args:
        images: (n, S, S, 1 or 3) in 0..255, n at least 1.
        maps: name of a method -> (n, S, S).
        seen: of each image; those of one line one after the other. The title of a wrong answer is
            wine red.
        caption, warning: as for `saliency_sheet`.
    """
    greys = [_grey(image) for image in images]
    limits = {name: _limits(np.asarray(row, dtype=np.float64), one_scale=False) for name, row in maps.items()}
    cells: dict[str, list[mosaic.Cell]] = {}
    for place, (one, grey) in enumerate(zip(seen, greys, strict=True)):
        faded = 1 - FADED * (1 - grey)
        tiles = [grey, *(_overlay(faded, row[place], limits[name][place]) for name, row in maps.items())]
        cell = mosaic.Cell(tiles, one.title, style.INK if one.right else style.WINE)
        cells.setdefault(one.line, []).append(cell)
    signed, said = _signed(maps), _said(warning)
    made = mosaic.draw(list(cells.items()), above=0.2 * len(said.splitlines()), below=0.4)
    _head(made, said)
    style.legend(made, _legend(signed), "lower left", 2)
    text = _caption(caption, warning, signed, "each map has its own scale")
    return style.Drawing("saliency", "Saliency: what the networks look at", "Saliency", text, made)


def _signed(maps: Mapping[str, np.ndarray]) -> list[bool]:
    """Returns of each row whether it has values below 0."""
    return [bool((np.nan_to_num(row) < 0).any()) for row in maps.values()]


def _caption(caption: str, warning: str, signed: Sequence[bool], scale: str) -> str:
    colours = "what raises the class's logit, blue: what lowers it" if any(signed) else "what decides the class's logit"
    mixed = (
        "; in maps without a sign vermillion is what decides it either way" if any(signed) and not all(signed) else ""
    )
    said = f" {sentence(warning)}" if warning else ""
    return f"{caption}{said} Vermillion: {colours}{mixed}. Full colour at the {CAP}th percentile, {scale}.".strip()


def _said(warning: str) -> str:
    return textwrap.fill(sentence(warning), style.ROOM[1]) if warning else ""


def _head(made: style.Figure, said: str) -> None:
    if said:
        made.suptitle(said, x=0.01, ha="left", fontproperties=style.bold(style.TEXT), color=style.VERMILLION)


def _check(images: np.ndarray | None, maps: Mapping[str, np.ndarray], count: int) -> None:
    if not maps or not 0 < count <= MOST_COLUMNS:
        raise ValueError(
            f"a sheet has 1 to {MOST_COLUMNS} columns and at least one row of maps, not {count} and {len(maps)}"
        )
    for label, row in maps.items():
        if np.ndim(row) != 3 or len(row) != count:
            raise ValueError(f"maps {label!r} must have shape ({count}, S, S), not {np.shape(row)}")
        if images is not None and np.shape(images)[:3] != np.shape(row):
            raise ValueError(f"images {np.shape(images)} are not those of the maps {label!r} {np.shape(row)}")


def _draw(
    rows: Sequence[tuple[str, Sequence[np.ndarray]]], titles: Sequence[str], handles: Sequence[Patch], warning: str
) -> style.Figure:
    count = len(titles)
    tile = min(LARGEST_TILE, (style.WIDTH - LABELS) / count)
    lines = max(text.count("\n") for text in titles) + 1
    said = _said(warning)
    above = 0.2 * len(said.splitlines())
    made = style.figure(len(rows) * (tile + 0.06) + 0.16 * lines + 0.45 + above)
    _head(made, said)
    # Empty columns at the right keep few images from standing far apart.
    columns = max(count, math.floor((style.WIDTH - LABELS) / tile))
    axes = made.subplots(len(rows), columns, squeeze=False)
    for line, (label, tiles) in zip(axes, rows, strict=True):
        for place, ax in enumerate(line):
            ax.set_xticks([])
            ax.set_yticks([])
            for spine in ax.spines.values():
                spine.set_visible(False)
            if place >= count:
                ax.set_axis_off()
                continue
            ax.imshow(tiles[place], interpolation="nearest", vmin=0, vmax=1)
            if place == 0:
                ax.set_ylabel(label.replace("_", " "), fontsize=style.SMALL, color=style.INK)
    for ax, text in zip(axes[0], titles, strict=False):
        ax.set_title(text, fontsize=style.SMALL, color=style.INK)
    style.legend(made, handles, "lower left", 2)
    return made


def _legend(signed: Sequence[bool]) -> list[Patch]:
    """Returns what the colours mean, from whether each row has a sign."""
    if not any(signed):
        return [Patch(color=style.VERMILLION, label="more")]
    raises = "for the class" if all(signed) else "for the class; in maps without a sign: more"
    return [Patch(color=style.VERMILLION, label=raises), Patch(color=style.BLUE, label="against it")]


def _grey(image: np.ndarray) -> np.ndarray:
    """Returns an image in 0..1 without its colours, (S, S, 3); luma as in ITU-R BT.601."""
    image = np.asarray(image, dtype=np.float64).reshape(*image.shape[:2], -1) / 255
    grey = image @ [0.299, 0.587, 0.114] if image.shape[-1] == 3 else image[..., 0]
    return np.repeat(grey[..., None], 3, axis=-1)


def _limits(row: np.ndarray, one_scale: bool) -> list[float]:
    """Returns the absolute value that gets full colour for each map of a row; NaN for none."""
    groups = [row] * len(row) if one_scale else list(row)
    limits = []
    for group in groups:
        sizes = np.abs(group[~np.isnan(group)])
        # Where fewer pixels than the percentile leaves out are not 0, the largest has to do.
        limits.append(float(np.percentile(sizes, CAP) or sizes.max()) if sizes.size else math.nan)
    return limits


def _overlay(ground: np.ndarray, values: np.ndarray, limit: float) -> np.ndarray:
    """Returns a map's colours over an image or white, (S, S, 3) in 0..1.

    An empty map has the colour for nothing.
    """
    if np.isnan(values).any():
        return np.broadcast_to(to_rgb(style.EMPTY), (*values.shape, 3))
    strength = np.clip(values / (limit or 1), -1, 1)[..., None]
    colour = np.where(strength < 0, to_rgb(style.BLUE), to_rgb(style.VERMILLION))
    return ground * (1 - np.abs(strength)) + colour * np.abs(strength)
