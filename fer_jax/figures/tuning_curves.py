"""The tuning curve of a sweep: the best of k of its points, with its band."""

from __future__ import annotations

from typing import Any

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
        top = min(top, ranking.loss_ceiling(found.scores))
    margin = 0.05 * max(top - bottom, 0.01)
    bottom, top = bottom - margin, top + margin
    low, high = np.fmax(low, bottom), np.fmin(high, top)
    open_low, open_high = (low, np.full(len(low), top)) if higher else (np.full(len(low), bottom), high)
    _fill(ax, lengths, low, high, slice(0, bounded.sum()), 0.22)
    _fill(ax, lengths, open_low, open_high, slice(bounded.sum(), None), 0.08)
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
    if found.scores.max() > top:
        caption += f" Losses above {top:.1f} are cut off."
    half = table.iloc[(table["points"] - max(1, len(found.scores) // 2)).abs().argmin()]
    finding = (
        f"The best of {int(half['points']):,} points picked at random has {half['median']:.3f} in the median, "
        f"the best of all {len(found.scores):,} {found.scores[-1]:.3f}."
    )
    heading = "Tuning curve: what fewer points would have found"
    return style.Drawing("tuning_curve", heading, "Tuning curve", caption, made, finding)


def _fill(ax: Any, lengths: np.ndarray, low: np.ndarray, high: np.ndarray, part: slice, alpha: float) -> None:
    """Fills a band of steps, each from its number of points up to the next."""
    starts, ends = lengths[part], np.append(lengths[1:], lengths[-1])[part]
    places = np.column_stack([starts, ends]).ravel()
    ax.fill_between(
        places, np.repeat(low[part], 2), np.repeat(high[part], 2), color=style.BLUE, alpha=alpha, linewidth=0
    )
