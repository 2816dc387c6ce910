"""Parallel coordinates: every point a line through its values to its metric (Inselberg, 1985)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection

from fer_jax.analysis.axes import Axis, text_width
from fer_jax.analysis.ranking import METRIC_NAMES, Ranking
from fer_jax.figures import scale, style

FEWEST_FIELDS, MOST_FIELDS = 3, 9
BOLD, BOLD_SHARE = 5, 0.2
_LONGEST_NAME = 14
# Of more points than these, the best and an even share of the others are drawn.
_MANY, _BEST = 500, 100


def draw(ranking: Ranking) -> style.Drawing | None:
    """Returns a vertical axis a swept field, and one of the metric that chooses, as the last.

    None below `FEWEST_FIELDS` fields or without a scale.

    The best fifth, at most `BOLD` points, are drawn bold, over the others. Lines through one value
    are spread a little, so that they do not hide each other.
    """
    fields = [field for field in ranking.swept if len(ranking.axes[field].levels) > 1][:MOST_FIELDS]
    ranked, colours = ranking.ranked, scale.over_points(ranking, ranking.metric)
    if len(fields) < FEWEST_FIELDS or len(ranked) < 2 or colours is None:
        return None
    total, ranked = len(ranked), _thinned(ranked)
    values = ranked[f"{ranking.metric}_mean"].to_numpy(dtype=float)
    heights = np.column_stack(
        [*(_heights(ranking.axes[field], ranked[field]) for field in fields), colours.norm(values)]
    )
    made = style.figure(4.6)
    ax = made.subplots()
    places = np.arange(heights.shape[1])
    bold = max(1, min(BOLD, round(BOLD_SHARE * total)))
    shades, lines = colours.lines(colours.norm(values)), [np.column_stack([places, one]) for one in heights]
    # The worst first, so that the best lie on top.
    ax.add_collection(LineCollection(lines[: bold - 1 : -1], colors=shades[: bold - 1 : -1], linewidths=0.9, zorder=2))
    ax.add_collection(LineCollection(lines[bold - 1 :: -1], colors=shades[bold - 1 :: -1], linewidths=2.8, zorder=3))
    for place, field in enumerate(fields):
        _axis(ax, place, ranking.axes[field], len(fields))
    ticks, texts = style.value_ticks(colours.low, colours.high)
    for tick, text in zip(ticks, texts, strict=True):
        ax.text(places[-1] + 0.06, float(colours.norm(tick)), text, va="center", fontsize=style.SMALL, color=style.INK)
    ax.vlines(places, 0, 1, color=style.INK, linewidth=0.8, zorder=4)
    names = [*(ranking.axes[field].label for field in fields), colours.label]
    style.ticks(ax.xaxis, places, [_broken(name) for name in names])
    ax.tick_params(axis="x", labelsize=style.SMALL, length=0, pad=8)
    ax.set_yticks([])
    style.label(ax, x="swept fields, and what came of them")
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set_xlim(-0.5, places[-1] + 0.45)
    ax.set_ylim(-0.03, 1.03)
    left = len(ranking.swept) - len(fields)
    more = (
        f" The first {len(fields)} swept fields; {left} more are in the tables."
        if left > 0 and len(fields) == MOST_FIELDS
        else ""
    )
    if len(ranked) < total:
        more += (
            f" Drawn are the best {_BEST} of {total} points and {len(ranked) - _BEST} of the others, evenly by rank."
        )
    name = METRIC_NAMES.get(ranking.metric, ranking.metric)
    text = (
        f"Every line is a point, from left to right through its values to its mean {name}, which is also its colour; "
        f"the best {bold} are bold.{more} {colours.note}"
    ).strip()
    heading, finding = "Parallel coordinates: all fields at once", _finding(ranking, fields, ranked.iloc[:bold])
    return style.Drawing("parallel", heading, "Parallel coordinates", text, made, finding)


def _thinned(ranked: pd.DataFrame) -> pd.DataFrame:
    """Returns the best `_BEST` points and, evenly by rank, as many others as make `_MANY`."""
    if len(ranked) <= _MANY:
        return ranked
    others = np.linspace(_BEST, len(ranked) - 1, _MANY - _BEST).round().astype(int)
    return ranked.iloc[[*range(_BEST), *others]]


def _finding(ranking: Ranking, fields: list[str], best: pd.DataFrame) -> str:
    """Returns which values the best points have of every field."""
    if alike := scale.all_alike(ranking, ranking.metric):
        return alike
    found = []
    for field in fields:
        axis = ranking.axes[field]
        texts = [axis.texts[int(place)] for place in sorted(set(axis.index(best[field])))]
        found.append(f"{axis.label} {' or '.join(texts)}")
    ends = best[f"{ranking.metric}_mean"]
    name = METRIC_NAMES.get(ranking.metric, ranking.metric)
    which = f"The best {len(best)} points have" if len(best) > 1 else "The best point has"
    return f"{which} {', '.join(found)}, and mean {name} {ends.min():.3f} to {ends.max():.3f}."


def _heights(axis: Axis, values: Any) -> np.ndarray:
    """Returns 0 for the lowest level and 1 for the highest, lines at one level a little apart."""
    places, levels = axis.position(values).astype(float), axis.position(axis.levels).astype(float)
    low, high = levels.min(), levels.max()
    room = 0.25 * np.diff(np.sort(levels)).min() / (high - low)
    order = np.arange(len(places)) / max(1, len(places) - 1) - 0.5
    return np.clip((places - low) / (high - low) + min(room, 0.04) * order, 0, 1)


def _axis(ax: Any, place: int, axis: Axis, fields: int) -> None:
    levels = axis.position(axis.levels).astype(float)
    low, high = levels.min(), levels.max()
    ticks, texts = axis.ticks(style.ROOM[1] // 2)
    longest = max(map(text_width, texts), default=0)
    size = style.SMALL if longest * fields < 70 else style.SMALL - 2
    for tick, text in zip(ticks, texts, strict=True):
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8}
        ax.text(
            place - 0.05,
            (tick - low) / (high - low),
            text,
            ha="right",
            va="center",
            fontsize=size,
            color=style.INK,
            zorder=5,
            bbox=box,
        )


def _broken(name: str) -> str:
    """Returns a long name on two lines or more."""
    words, lines = name.split(" "), [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) >= _LONGEST_NAME:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)
