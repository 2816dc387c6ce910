"""Learning curves: accuracy, loss and learning rate by epoch, the best points before all others."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from fer_jax.analysis.ranking import METRIC_NAMES, Ranking, metric_text
from fer_jax.base.text import counted
from fer_jax.figures import phases, style

_PANELS = (("accuracy", "accuracy"), ("loss", "loss (nats)"))
_LONGEST_ENTRY = 118
_MANY = 500  # trials, from which on their lines are hairs
_LOWEST = 1e-4  # of the highest learning rate: a cosine ends near 0


def learning_curves(ranking: Ranking, best: int = 5) -> style.Drawing | None:
    """Returns accuracy and loss by epoch; None while no epoch has been recorded.

    The best points are in colour with a band over repeats, everything else is thin and grey. Where
    the learning rate of some trial changes from epoch to epoch, it has a slim panel beside them.
    """
    if not len(ranking.curves) or "val_accuracy" not in ranking.curves:
        return None
    chosen = [int(point) for point in ranking.ranked.index[:best]]
    curves = ranking.curves.drop_duplicates(["id", "epoch"], keep="last")
    metrics = [f"{split}_{kind}" for split in ("val", "train") for kind, _ in _PANELS if f"{split}_{kind}" in curves]
    grids = {metric: curves.pivot(index="id", columns="epoch", values=metric) for metric in metrics}
    shown = ranking.trials["point"].isin(chosen) & ranking.trials["status"].eq("done")
    others = grids["val_accuracy"].index.difference(ranking.trials.loc[shown, "id"])
    rates, ends = changing_rates(curves), phases.ends(ranking, chosen or None)
    made = style.figure(3.9 + 0.2 * len(chosen))
    panels = made.subplots(1, 2 if rates is None else 3, width_ratios=[1, 1] if rates is None else [1, 1, 0.5])
    notes = []
    for ax, (kind, name) in zip(panels, _PANELS, strict=False):
        _background(ax, grids[f"val_{kind}"].loc[others])
        coloured = zip(chosen, style.CYCLE, strict=False)
        drawn = [_point_curves(ax, ranking, grids, point, kind, colour) for point, colour in coloured]
        notes += _limits(ax, ranking, kind, grids[f"val_{kind}"].loc[others], drawn)
        style.open_up(ax)
        _epochs(ax, int(curves["epoch"].max()), name, 8)
    if rates is not None:
        _rates(panels[2], ranking, rates, chosen)
        _epochs(panels[2], int(curves["epoch"].max()), "learning rate", 4)
        notes.append("Learning rate: of each trial, at the end of the epoch.")
    for ax in panels:
        phases.mark(ax, ends)
    _curve_legend(made, ranking, chosen, len(others))
    caption = "Bands: mean ± sd over the repeats." if ranking.repeats > 1 else "Dot: the epoch that validation chose."
    if left_out := len(ranking.curves.attrs.get("left_out", ())):
        notes.append(f"Epochs are missing: {counted(left_out, 'file')} of curves/ cannot be believed and was left out.")
    words = " ".join([caption, *notes])
    finding = _finding(ranking, chosen)
    return style.Drawing("learning_curves", "Learning curves", "Learning curves", words, made, finding)


def changing_rates(curves: pd.DataFrame) -> pd.DataFrame | None:
    """Returns the learning rates of all trials by id and epoch; None where each keeps its own.

    Args:
        curves: a row a trial and epoch. Epochs of earlier versions have no rate.
    """
    if "learning_rate" not in curves or not curves["learning_rate"].notna().any():
        return None
    found = curves.pivot(index="id", columns="epoch", values="learning_rate").astype(float)
    changes = found.max(axis=1) > found.min(axis=1) * (1 + 1e-6)
    return found if changes.any() else None


def _rates(ax: Any, ranking: Ranking, rates: pd.DataFrame, chosen: list[int]) -> None:
    """Draws a line a trial, those of the best points in colour, on a logarithmic axis."""
    done = ranking.trials[ranking.trials["status"] == "done"]
    best = done[done["point"].isin(chosen)]
    _background(ax, rates.loc[rates.index.difference(best["id"])])
    # The best point on top.
    for point, colour in reversed(list(zip(chosen, style.CYCLE, strict=False))):
        for _, line in rates.loc[rates.index.intersection(best["id"][best["point"] == point])].iterrows():
            epochs = line.index.to_numpy(dtype=float)
            ax.plot(epochs, line.to_numpy(), color=colour, linewidth=1.5, drawstyle="steps-mid", zorder=3)
    positive = rates.to_numpy()[rates.to_numpy() > 0]
    high = float(positive.max())
    low = max(float(positive.min()), _LOWEST * high)
    ax.set_yscale("log")
    ax.set_ylim(low / 1.3, high * 1.3)
    ax.tick_params(which="minor", color=style.MUTED, width=0.5, length=2)


def _epochs(ax: Any, last: int, name: str, ticks: int) -> None:
    style.tidy(ax)
    style.label(ax, "epoch", name)
    ax.xaxis.set_major_locator(MaxNLocator(ticks, integer=True, min_n_ticks=1))
    ax.set_xlim(1 - 0.02 * last, last + 0.02 * last)
    if last == 1:
        ax.set_xticks([1])


def _finding(ranking: Ranking, chosen: list[int]) -> str:
    """Returns which points are best and when, and where training has gone on past them."""
    if not chosen:
        return "No point has a result yet."
    name = METRIC_NAMES.get(ranking.metric, ranking.metric)
    best = chosen[0]
    own = ranking.trials[(ranking.trials["point"] == best) & (ranking.trials["status"] == "done")]
    text = f"Best: {ranking.describe(best)}, {name} {metric_text(ranking, best, ranking.metric)}"
    epochs = own["best_epoch"].dropna().astype(int) if "best_epoch" in own else own.index[:0]
    if len(epochs):
        low, high = int(epochs.min()), int(epochs.max())
        text += f", at epoch {low if low == high else f'{low} to {high}'} of {int(own['epochs'].max())}"
    return f"{text}."


def _background(ax: Any, grid: pd.DataFrame) -> None:
    epochs = grid.columns.to_numpy(dtype=float)
    lines = [np.column_stack([epochs, row]) for row in grid.to_numpy(dtype=float)]
    width = 0.8 if len(lines) < 60 else 0.5 if len(lines) < _MANY else 0.25
    ax.add_collection(LineCollection(lines, colors=style.GREY, linewidths=width, zorder=1))
    ax.autoscale_view()


def _point_curves(
    ax: Any, ranking: Ranking, grids: dict[str, pd.DataFrame], point: int, kind: str, colour: str
) -> dict[str, np.ndarray]:
    """Draws one point; returns the finite means drawn, for val and for train."""
    trials = ranking.trials[(ranking.trials["point"] == point) & (ranking.trials["status"] == "done")]
    trials = trials[trials["id"].isin(grids[f"val_{kind}"].index)]
    drawn = {}
    for split, dashes, width, marker in (("val", "-", 1.9, "o"), ("train", (0, (4, 2)), 1.1, "s")):
        if f"{split}_{kind}" not in grids or not len(trials):
            continue
        block = grids[f"{split}_{kind}"].loc[trials["id"]].dropna(axis=1)  # only epochs that every repeat has reached
        epochs, values = block.columns.to_numpy(dtype=float), block.to_numpy(dtype=float)
        mean = values.mean(axis=0)
        alone = {"marker": marker, "markersize": 5} if len(epochs) == 1 else {}
        ax.plot(epochs, mean, color=colour, linestyle=dashes, linewidth=width, zorder=width + 2, **alone)
        if len(values) > 1 and split == "val":
            with np.errstate(invalid="ignore"):
                sd = values.std(axis=0, ddof=1)
            ax.fill_between(epochs, mean - sd, mean + sd, color=colour, alpha=0.2, linewidth=0, zorder=2)
        chosen = trials["best_epoch"].iloc[0] if "best_epoch" in trials else None
        if len(values) == 1 and split == "val" and pd.notna(chosen) and chosen in block.columns:
            dot = {"color": colour, "markersize": 5.5, "markeredgecolor": "white", "zorder": 5}
            ax.plot([chosen], [block.iloc[0][chosen]], "o", **dot)
        drawn[split] = mean[np.isfinite(mean)]
    return drawn


def _limits(
    ax: Any, ranking: Ranking, kind: str, background: pd.DataFrame, drawn: list[dict[str, np.ndarray]]
) -> list[str]:
    """Draws a line at what ignorance scores, and sets limits that exploded losses cannot stretch.

    Returns notes for the caption.
    """
    values = np.concatenate([background.to_numpy(dtype=float).ravel(), *(m for means in drawn for m in means.values())])
    values = values[np.isfinite(values)]
    if not len(values):
        return []
    low, high = float(values.min()), float(values.max())
    classes = len(ranking.data.get("classes") or [])
    equal_odds = math.log(classes) if classes > 1 else None
    line = ranking.share_within(low, high) if kind == "accuracy" else equal_odds
    if line is not None:
        ax.axhline(line, color=style.INK, linewidth=0.9, linestyle=":", zorder=2)
        low, high = min(low, line), max(high, line)
    if kind == "accuracy":
        return []
    # The validation loss of the best point stays in sight; others may leave the panel.
    best = drawn[0].get("val", values[:0]) if drawn else values[:0]
    top = min(high, max([ranking.loss_ceiling(values[:0]), *best]))
    margin = 0.05 * max(top - low, 0.01)
    ax.set_ylim(low - margin, top + margin)
    return [f"Losses above {top:.1f} are cut off."] if high > top else []


def _curve_legend(made: Any, ranking: Ranking, chosen: list[int], others: int) -> None:
    """Draws how to read the lines, above the panels, and which points they are, below."""
    key = []
    if chosen:
        key.append(Line2D([], [], color=style.INK, linewidth=1.9, label="validation"))
        key.append(Line2D([], [], color=style.INK, linewidth=1.1, ls=(0, (4, 2)), label="training, as it runs"))
    if others:
        word = f"{'other ' if chosen else ''}trial{'s' * (others != 1)}"
        key.append(Line2D([], [], color=style.GREY, linewidth=1, label=f"{others} {word}, validation"))
    share, classes = ranking.majority_share, len(ranking.data.get("classes") or [])
    if share is not None and classes > 1:
        ignorant = f"majority share {share:.3f}; equal odds ln {classes} = {math.log(classes):.2f}"
        key.append(Line2D([], [], color=style.INK, linewidth=0.9, linestyle=":", label=ignorant))
    if key:
        style.legend(made, key, "upper left", len(key))
    points = []
    for place, (point, colour) in enumerate(zip(chosen, style.CYCLE, strict=False), 1):
        value = metric_text(ranking, point, ranking.metric)
        words = ranking.describe(point, marks=True)
        words = words if len(words) <= _LONGEST_ENTRY else words[: _LONGEST_ENTRY - 1] + "…"
        points.append(Line2D([], [], color=colour, linewidth=2, label=f"{place}.  {words}:  {value}"))
    if points:
        heading = f"Best by mean {METRIC_NAMES.get(ranking.metric, ranking.metric)}"
        style.legend(made, points, "lower left", 1, title=heading, title_fontproperties=style.bold(style.SMALL))
