"""The curves of a search: every point up to the rung at which it left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from fer_jax.analysis.ranking import METRIC_NAMES, Ranking
from fer_jax.base.text import counted
from fer_jax.figures import phases, style

_LEFT = (style.GREY, style.SKY, style.GREEN, style.WINE, style.INDIGO)
_MANY = 40  # points, from which on their lines are thin


def draw(ranking: Ranking, scores: np.ndarray, rungs: Sequence[int], left: np.ndarray) -> style.Drawing | None:
    """Returns the curves of all points, those that left ending at their rung.

    None where no curve is recorded.

    Args:
        ranking: of whom the curves are.
        scores: float (points, epochs), higher is better: the mean over the repeats of the best
            value so far; NaN where a point was not trained so far.
        rungs: the epochs after which each rung ends.
        left: int (points,): the rung at which each point left, -1 for those that did not.
    """
    if not np.isfinite(scores).any():
        return None
    sign = 1.0 if ranking.higher_is_better else -1.0
    values, epochs = sign * scores, np.arange(1, scores.shape[1] + 1)
    made = style.figure(4.4)
    ax = made.subplots()
    thin = len(scores) > _MANY
    handles = []
    for rung, end in enumerate(rungs):
        members = np.flatnonzero(left == rung)
        colour = _LEFT[min(rung, len(_LEFT) - 1)]
        if not len(members):
            continue
        lines = [np.column_stack([epochs, row])[epochs <= end] for row in values[members]]
        width, alpha = (0.6, 1.0) if thin else (1.1, 1.0)
        ax.add_collection(LineCollection(lines, colors=colour, linewidths=width, alpha=alpha, zorder=2 + rung))
        ends = values[members, end - 1]
        ax.plot(np.full(len(ends), end), ends, "o", color=colour, markersize=2.6 if thin else 4, zorder=2 + rung)
        words = f"left after {counted(end, 'epoch')}: {counted(len(members), 'point')}"
        handles.append(Line2D([], [], color=colour, linewidth=1.6, marker="o", markersize=4, label=words))
    handles += _those_that_stay(ax, ranking, values, epochs, left)
    _frame(ax, ranking, values, rungs)
    phases.mark(ax, phases.ends(ranking))
    style.legend(made, handles, "lower left", 3)
    caption = (
        "Best value so far, the mean over a point's repeats, by which points are ranked at each rung (dotted). "
        "A dot ends the curve of a point that left."
    )
    gone = [f"{counted(int((left == rung).sum()), 'point')} after {end}" for rung, end in enumerate(rungs[:-1])]
    finding = f"Left, by epoch: {', '.join(gone)}; trained to the end: {int((left < 0).sum())} of {len(left)}."
    return style.Drawing("rungs", "Halving: who left when", "Halving rungs", caption, made, finding)


def _those_that_stay(
    ax: Any, ranking: Ranking, values: np.ndarray, epochs: np.ndarray, left: np.ndarray
) -> list[Line2D]:
    """Draws the points that did not leave, the best in front; returns their legend."""
    stays = np.flatnonzero(left < 0)
    best = ranking.best if len(ranking.ranked) else None
    others = [point for point in stays if point != best]
    handles = []
    if others:
        lines = [np.column_stack([epochs, values[point]]) for point in others]
        ax.add_collection(LineCollection(lines, colors=style.BLUE, linewidths=1.2, alpha=0.85, zorder=8))
        words = f"not left: {counted(len(others), 'other point' if best is not None else 'point')}"
        handles.append(Line2D([], [], color=style.BLUE, linewidth=1.6, label=words))
    if best is not None:
        ax.plot(epochs, values[best], color=style.VERMILLION, linewidth=2.2, zorder=9)
        name = ranking.describe(best, marks=True)
        name = name if len(name) <= 60 else f"{name[:59]}…"
        handles.append(Line2D([], [], color=style.VERMILLION, linewidth=2.2, label=f"best: {name}"))
    return handles


def _frame(ax: Any, ranking: Ranking, values: np.ndarray, rungs: Sequence[int]) -> None:
    """Sets the axes, with a line at each rung and at what ignorance scores."""
    finite = values[np.isfinite(values)]
    low, high = float(finite.min()), float(finite.max())
    share = ranking.share_within(low, high) if ranking.metric == "val_accuracy" else None
    if share is not None:
        ax.axhline(share, color=style.INK, linewidth=0.9, linestyle=(0, (1, 3)), zorder=1)
        low = min(low, share)
    if not ranking.higher_is_better:
        high = min(high, ranking.loss_ceiling(finite))
    margin = 0.04 * max(high - low, 0.01)
    ax.set_ylim(low - margin, high + margin)
    style.tidy(ax, "y")
    if rungs[-1] > 2:
        ax.set_xscale("log")
        ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlim(0.97, rungs[-1] * 1.04)
    for end in rungs[:-1]:
        ax.axvline(end, color=style.MUTED, linewidth=0.9, linestyle=":", zorder=1)
    places = sorted({1, *rungs})
    style.ticks(ax.xaxis, places, [f"{place:,}" for place in places])
    style.label(ax, "epoch", f"best {METRIC_NAMES.get(ranking.metric, ranking.metric)} so far")
    style.open_up(ax)
