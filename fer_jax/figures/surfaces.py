"""Heat maps: a metric over a grid of two fields, a panel for each setting of the others."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle

from fer_jax.analysis import axes
from fer_jax.analysis.ranking import METRIC_NAMES, Ranking
from fer_jax.analysis.statistics import hashable
from fer_jax.figures import scale, style
from fer_jax.figures.scale import Scale

_MOST_PANELS = 12
_MOST_LEVELS = 40
_LONGEST_TITLE = 46


@dataclasses.dataclass(frozen=True)
class _Grid:
    """The fields, values and scale that all panels share."""

    ranking: Ranking
    x: axes.Axis
    y: axes.Axis
    rest: list[str]
    columns: int
    scale: Scale


def heat_maps(ranking: Ranking, metric: str) -> style.Drawing | None:
    """Returns the mean of a metric over a grid of two fields, a panel a setting of the others.

    The two fields with the most values are the axes (of equals, those that span more decades). None
    unless at least half of the grid was planned: a sweep of one field at a time, or a random
    search, has no surface.

    Args:
        metric: val_accuracy or val_loss; brighter is better in both.
    """
    fields = by_size(ranking)
    colours = scale.over_points(ranking, metric)
    if len(fields) < 2 or colours is None:
        return None
    x, y = (ranking.axes[field] for field in fields[:2])
    rest = [field for field in ranking.swept if field in fields[2:]]
    settings = set(places(ranking.points, rest))
    cells = len(x.levels) * len(y.levels) * len(settings)
    if max(len(x.levels), len(y.levels)) > _MOST_LEVELS or len(ranking.points) < 0.5 * cells:
        return None
    if one_at_a_time(ranking, fields):
        return None
    filled = list(dict.fromkeys(places(ranking.ranked, rest)))
    shown = filled[:_MOST_PANELS]
    shown.sort(key=lambda key: [int(ranking.axes[f].index([v])[0]) for f, v in zip(rest, key, strict=True)])
    columns = min(len(shown), 2 if len(shown) == 4 else 3)
    made = _draw(_Grid(ranking, x, y, rest, columns, colours), shown)
    caption = _caption(ranking, colours)
    if len(shown) < len(filled):
        caption += f" Of {len(filled)} panels, the {len(shown)} that hold the best points."
    if len(filled) < len(settings):
        caption += f" Panels without a result, not shown: {len(settings) - len(filled)}."
    heading = f"{METRIC_NAMES.get(metric, metric).capitalize()} over the grid: heat map"
    short = "Loss heat map" if colours.lower_is_better else "Accuracy heat map"
    return style.Drawing(f"surface_{metric}", heading, short, caption, made, colours.finding(ranking))


def by_size(ranking: Ranking) -> list[str]:
    """Returns swept fields with two values or more, most values first.

    Of equals, the one that spans more decades comes first.
    """
    fields = [field for field in ranking.swept if len(ranking.axes[field].levels) > 1]
    return sorted(fields, key=lambda f: (-len(ranking.axes[f].levels), -round(ranking.axes[f].span, 6)))


def places(points: pd.DataFrame, fields: list[str]) -> list[tuple[Any, ...]]:
    """Returns each point's values of some fields."""
    columns = [[hashable(value) for value in points[field]] for field in fields]
    return list(zip(*columns, strict=True)) if columns else [()] * len(points)


def one_at_a_time(ranking: Ranking, fields: list[str]) -> bool:
    """Returns whether the points are a base and single fields varied around it: a cross."""
    arms = sum(len(ranking.axes[field].levels) - 1 for field in fields)
    return len(set(places(ranking.points, fields))) <= 1 + arms


def _draw(grid: _Grid, shown: list[tuple[Any, ...]]) -> Any:
    rows = math.ceil(len(shown) / grid.columns)
    made = style.figure(rows * min(3.2, max(1.9, 0.75 + 0.36 * len(grid.y.levels))) + 0.5)
    panels = made.subplots(rows, grid.columns, squeeze=False).ravel()
    keys = places(grid.ranking.points, grid.rest)
    for number, (ax, setting) in enumerate(zip(panels, shown, strict=False)):
        inside = grid.ranking.points[[key == setting for key in keys]]
        _panel(ax, grid, inside)
        if grid.rest:
            text = grid.ranking.describe(int(inside.index[0]), grid.rest, marks=True)
            style.title(ax, text if len(text) <= _LONGEST_TITLE else text[: _LONGEST_TITLE - 1] + "…")
        lowest, leftmost = number + grid.columns >= len(shown), number % grid.columns == 0
        style.label(ax, grid.x.label if lowest else None, grid.y.label if leftmost else None)
        ax.tick_params(labelbottom=lowest, labelleft=leftmost)
    for ax in panels[len(shown) :]:
        ax.set_visible(False)
    bar = grid.scale.bar(made, panels[: len(shown)].tolist(), fraction=0.035, pad=0.02, aspect=32)
    bar.set_label(grid.scale.label, fontsize=style.TEXT)
    return made


def _panel(ax: Any, grid: _Grid, inside: pd.DataFrame) -> None:
    """Draws one panel from the points inside it."""
    x, y, colours = grid.x, grid.y, grid.scale
    at = y.index(inside[y.field]), x.index(inside[x.field])
    values = np.full((len(y.levels), len(x.levels)), np.nan)
    values[at] = inside[f"{colours.metric}_mean"]
    shades = {"cmap": colours.colours, "norm": colours.norm, "interpolation": "nearest"}
    ax.imshow(np.ma.masked_invalid(values), origin="lower", aspect="auto", **shades)
    # White gaps between cells keep neighbours of like colour apart.
    for draw, axis in ((ax.axvline, x), (ax.axhline, y)):
        for edge in np.arange(1, len(axis.levels)) - 0.5:
            draw(edge, color="white", linewidth=1.2)
    style.tidy(ax, "none")
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.tick_params(length=0)
    _level_ticks(ax.xaxis, x, int(style.ROOM[grid.columns] / max(map(axes.text_width, x.marks))))
    _level_ticks(ax.yaxis, y, 16)
    across = len(x.levels) * grid.columns
    if across <= 24:
        _annotate(ax, grid, inside, at, crowded=across > 18)
    best = grid.ranking.order(colours.metric)[0]
    if best in inside.index:
        row = list(inside.index).index(best)
        corner = float(at[1][row]) - 0.5, float(at[0][row]) - 0.5
        frame: dict[str, Any] = {"fill": False, "edgecolor": style.VERMILLION, "linewidth": 2.6, "clip_on": False}
        ax.add_patch(Rectangle(corner, 1, 1, zorder=5, **frame))


def _level_ticks(axis: Any, levels: axes.Axis, most: int) -> None:
    every = math.ceil(len(levels.levels) / max(1, most))
    chosen = list(range(0, len(levels.levels), every))
    style.ticks(axis, chosen, [levels.marks[i] for i in chosen])


def _annotate(ax: Any, grid: _Grid, inside: pd.DataFrame, at: tuple[np.ndarray, np.ndarray], crowded: bool) -> None:
    """Writes each cell's mean, its sd where there is one, and why where there is none."""
    size = style.SMALL - (1.5 if crowded else 0.5)
    options = {"ha": "center", "va": "center", "linespacing": 1.05, "in_layout": False}
    means, sds = (inside[f"{grid.scale.metric}_{what}"].astype(float).tolist() for what in ("mean", "sd"))
    for mean, sd, left_out, row, column in zip(means, sds, inside["left_out"], *at, strict=True):
        if not math.isfinite(mean):
            ax.text(column, row, _reason(left_out), fontsize=size - 1, color=style.MUTED, **options)
            continue
        spread = math.isfinite(sd) and not crowded
        if grid.scale.lower_is_better and not (spread and mean < 9.9995):
            text = three_digits(mean)
        else:
            text = f"{mean:.3f}".removeprefix("0")
        if spread:
            text += f"\n±{f'{sd:.3f}'.removeprefix('0') if sd < 0.9995 else three_digits(sd)}"
        ax.text(column, row, text, fontsize=size, color=style.ink_on(grid.scale.colour(mean)), **options)


def three_digits(value: float) -> str:
    """Returns a loss for a small cell: 0.81, 12.3, 441, 6e4."""
    if value >= 9999:
        return f"{value:.0e}".replace("e+0", "e").replace("e+", "e")
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"


def _reason(left_out: str) -> str:
    """Returns one short word for an empty cell."""
    for status, word in (("diverged", "NaN"), ("failed", "failed"), ("pruned", "pruned")):
        if status in left_out:
            return word
    return "…" if left_out else ""


def _caption(ranking: Ranking, colours: Scale) -> str:
    text = "Each cell is one point" + (": the mean over its repeats, ± sd." if ranking.repeats > 1 else ".")
    text += f" Framed: the {'lowest' if colours.lower_is_better else 'highest'}."
    share = ranking.majority_share
    if share is not None and not colours.lower_is_better:
        where = "below the scale" if colours.share is None else "red line on the colour bar"
        text += f" The majority share is {share:.3f} ({where})."
    if colours.note:
        text += f" {colours.note}"
    if (ranking.points["n"] == 0).any():
        text += " NaN: every trial diverged." if ranking.points["left_out"].str.contains("diverged").any() else ""
        text += " Grey: no result."
    return text
