"""The tuning curve of a sweep: the best of k of its points, with its band."""

from __future__ import annotations

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from fer_jax.analysis import tuning_curve
from fer_jax.analysis.ranking import METRIC_NAMES, Ranking
from fer_jax.figures import style

_LOG_FROM = 20  # points


def draw(ranking: Ranking) -> style.Drawing | None:
    """Returns what the best of k points is, for every k; None where there is no such curve."""
    found = tuning_curve.of_ranking(ranking)
    if isinstance(found, str):
        return None
    table = found.table
    lengths = table["points"].to_numpy(float)
    low, high = (table[name].to_numpy(float) for name in ("low95", "high95"))
    bounded, higher = table["bounded"].to_numpy(bool), ranking.higher_is_better
    made = style.figure(3.9)
    ax = made.subplots()
    # A band's ends are scores of points, or those of the metric itself, which are out of sight.
    bottom, top = float(found.scores.min()), float(found.scores.max())
    if not higher:
        top = min(top, max(ranking.loss_ceiling(found.scores), float(table["expected"].iloc[0])))
    margin = 0.05 * max(top - bottom, 0.01)
    bottom, top = bottom - margin, top + margin
    ends = (np.fmax(low, bottom), np.fmin(high, top))
    ax.fill_between(lengths, ends[0], ends[1], where=bounded, alpha=0.22, color=style.BLUE, linewidth=0, step="post")
    far = (ends[0], np.full(len(table), top)) if higher else (np.full(len(table), bottom), ends[1])
    open_from = ~bounded
    if open_from.any() and bounded.any():  # so that the two parts meet
        open_from[np.flatnonzero(bounded)[-1]] = True
    ax.fill_between(lengths, far[0], far[1], where=open_from, alpha=0.08, color=style.BLUE, linewidth=0, step="post")
    ax.plot(lengths, table["median"], color=style.BLUE, linewidth=2, drawstyle="steps-post")
    ax.plot(lengths, table["expected"], color=style.VERMILLION, linewidth=1.6, linestyle=(0, (4, 2)))
    ax.set_ylim(bottom, top)
    style.open_up(ax)
    style.tidy(ax)
    n = len(found.scores)
    if n > _LOG_FROM:
        ax.set_xscale("log")
    places = [k for k in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000) if k <= 0.8 * n] + [n]
    style.ticks(ax.xaxis, places, [f"{k:,}" for k in places])
    ax.set_xlim(1, n)
    style.label(ax, "points picked at random", f"best {METRIC_NAMES.get(ranking.metric, ranking.metric)} of them")
    handles = [
        Line2D([], [], color=style.BLUE, linewidth=2, label="median"),
        Line2D([], [], color=style.VERMILLION, linewidth=1.6, linestyle=(0, (4, 2)), label="expected"),
        Patch(color=style.BLUE, alpha=0.22, linewidth=0, label="95 % band of the median"),
    ]
    if (~bounded).any():
        handles.append(Patch(color=style.BLUE, alpha=0.08, linewidth=0, label="its better side is open"))
    style.legend(made, handles, "upper left", len(handles))
    caption = "The best of so many of the sweep's points by the metric that chooses, had they been picked blindly."
    return style.Drawing("tuning_curve", "What fewer points would have found", "Tuning", caption, made)
