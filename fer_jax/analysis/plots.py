"""Learning curves: accuracy and loss by epoch, the best points before the background of all others."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from fer_jax.analysis import style, verdict
from fer_jax.analysis.evidence import METRIC_NAMES, Evidence

_PANELS = (("accuracy", "accuracy"), ("loss", "loss (nats)"))
_LONGEST_ENTRY = 118
_GREY = "#9aa2ac"


def learning_curves(evidence: Evidence, best: int = 5) -> style.Drawing | None:
    """Accuracy and loss by epoch: the best points in colour with a band over repeats, everything else thin and grey.

    None while no epoch has been recorded.
    """
    if not len(evidence.curves) or "val_accuracy" not in evidence.curves:
        return None
    chosen = [int(point) for point in evidence.ranked.index[:best]]
    curves = evidence.curves.drop_duplicates(["id", "epoch"], keep="last")
    metrics = [f"{split}_{kind}" for split in ("val", "train") for kind, _ in _PANELS if f"{split}_{kind}" in curves]
    grids = {metric: curves.pivot(index="id", columns="epoch", values=metric) for metric in metrics}
    shown = evidence.trials["point"].isin(chosen) & evidence.trials["status"].eq("done")
    others = [identity for identity in grids["val_accuracy"].index if identity not in set(evidence.trials.loc[shown, "id"])]
    made = style.figure(3.9 + 0.2 * len(chosen))
    panels = made.subplots(1, 2)
    notes = []
    for ax, (kind, name) in zip(panels, _PANELS, strict=True):
        _background(ax, grids[f"val_{kind}"].loc[others])
        ranges = [_point_curves(ax, evidence, grids, point, kind, colour) for point, colour in zip(chosen, style.CYCLE, strict=False)]
        notes += _limits(ax, evidence, kind, grids[f"val_{kind}"], ranges)
        style.tidy(ax)
        style.label(ax, "epoch", name)
        ax.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
        last = int(curves["epoch"].max())
        ax.set_xlim(1 - 0.02 * last, last + 0.02 * last)
        if last == 1:
            ax.set_xticks([1])
    _curve_legend(made, evidence, chosen, len(others))
    caption = "Bands: mean ± sd over the repeats." if evidence.repeats > 1 else "Dot: the epoch that validation chose."
    return style.Drawing("learning_curves", "Learning curves", "Curves", " ".join([caption, *notes]), made)


def _background(ax: Any, grid: pd.DataFrame) -> None:
    epochs = grid.columns.to_numpy(dtype=float)
    lines = [np.column_stack([epochs, row]) for row in grid.to_numpy(dtype=float)]
    width, alpha = (0.8, 0.7) if len(lines) < 60 else (0.5, 0.45)
    ax.add_collection(LineCollection(lines, colors=_GREY, linewidths=width, alpha=alpha, zorder=1))
    ax.autoscale_view()


def _point_curves(ax: Any, evidence: Evidence, grids: dict[str, pd.DataFrame], point: int, kind: str, colour: str) -> tuple[float, float]:
    """Draws one point; returns the smallest and the largest value drawn."""
    trials = evidence.trials[(evidence.trials["point"] == point) & (evidence.trials["status"] == "done")]
    trials = trials[trials["id"].isin(grids[f"val_{kind}"].index)]
    low, high = math.inf, -math.inf
    for split, dashes in (("val", "-"), ("train", (0, (4, 2)))):
        if f"{split}_{kind}" not in grids or not len(trials):
            continue
        block = grids[f"{split}_{kind}"].loc[trials["id"]].dropna(axis=1)  # only epochs that every repeat has reached
        if not block.shape[1]:
            continue
        epochs, values = block.columns.to_numpy(dtype=float), block.to_numpy(dtype=float)
        mean = values.mean(axis=0)
        solid = split == "val"
        ax.plot(epochs, mean, color=colour, linestyle=dashes, linewidth=1.9 if solid else 1.1, zorder=4 if solid else 3,
                marker=("o" if solid else "s") if len(epochs) == 1 else None, markersize=5)  # fmt: skip
        if len(values) > 1 and solid:
            sd = values.std(axis=0, ddof=1)
            ax.fill_between(epochs, mean - sd, mean + sd, color=colour, alpha=0.2, linewidth=0, zorder=2)
        chosen = trials["best_epoch"].iloc[0] if "best_epoch" in trials else None
        if len(values) == 1 and solid and pd.notna(chosen) and chosen in block.columns:
            ax.plot([chosen], [block.iloc[0][chosen]], "o", color=colour, markersize=5.5, markeredgecolor="white", zorder=5)
        low, high = min(low, float(mean.min())), max(high, float(mean.max()))
    return low, high


def _limits(ax: Any, evidence: Evidence, kind: str, grid: pd.DataFrame, ranges: list[tuple[float, float]]) -> list[str]:
    """A line at what ignorance scores, and limits that a few exploded losses cannot stretch; returns notes for the caption."""
    values = grid.to_numpy(dtype=float)
    values = values[np.isfinite(values)]
    classes = len(evidence.data.get("classes") or [])
    if not len(values):
        return []
    if kind == "accuracy":
        line = evidence.share_within(float(values.min()), float(values.max()))
    else:
        line = math.log(classes) if classes > 1 else None
    if line is not None:
        ax.axhline(line, color=style.INK, linewidth=0.9, linestyle=":", zorder=2)
    if kind == "accuracy":
        return []
    # The best point decides; others may leave the panel.
    ceiling = max(evidence.loss_ceiling(values[:0]), *(r[1] for r in ranges[:1]), -math.inf)
    low = min([float(values.min()), *(r[0] for r in ranges)])
    high = min(max([float(values.max()), line or -math.inf, *(r[1] for r in ranges)]), ceiling)
    ax.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    return [f"Losses above {high:.1f} are cut off."] if values.max() > high else []


def _curve_legend(made: Any, evidence: Evidence, chosen: list[int], others: int) -> None:
    """How to read the lines, above the panels; which points they are, below."""
    key = []
    if chosen:
        key = [Line2D([], [], color=style.INK, linewidth=1.9, label="validation"),
               Line2D([], [], color=style.INK, linewidth=1.1, linestyle=(0, (4, 2)), label="training, as it runs")]  # fmt: skip
    if others:
        word = f"{'other ' if chosen else ''}trial{'s' * (others != 1)}"
        key.append(Line2D([], [], color=_GREY, linewidth=1, label=f"{others} {word}, validation"))
    share, classes = evidence.majority_share, len(evidence.data.get("classes") or [])
    if share is not None and classes > 1:
        ignorant = f"majority share {share:.3f}; equal odds ln {classes} = {math.log(classes):.2f}"
        key.append(Line2D([], [], color=style.INK, linewidth=0.9, linestyle=":", label=ignorant))
    options = {"fontsize": style.SMALL, "frameon": False, "labelcolor": style.INK, "alignment": "left"}
    if key:
        made.legend(handles=key, loc="outside upper left", ncols=len(key), **options)
    points = []
    for place, (point, colour) in enumerate(zip(chosen, style.CYCLE, strict=False), 1):
        value = verdict.metric_text(evidence, point, evidence.metric)
        words = evidence.describe(point, marks=True)
        words = words if len(words) <= _LONGEST_ENTRY else words[: _LONGEST_ENTRY - 1] + "…"
        points.append(Line2D([], [], color=colour, linewidth=2, label=f"{place}.  {words}:  {value}"))
    if points:
        heading = f"Best by mean {METRIC_NAMES.get(evidence.metric, evidence.metric)}"
        made.legend(handles=points, loc="outside lower left", title=heading, title_fontproperties=style.bold(style.SMALL), **options)
