"""Several runs in one figure: the best point of each, and its learning curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from fer_jax.analysis.ranking import METRIC_NAMES
from fer_jax.analysis.run_entry import Entry
from fer_jax.figures import phases, style

_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1.2)))
MOST_LINES = len(style.CYCLE) * len(_DASHES)


def best_points(entries: Sequence[Entry]) -> style.Drawing:
    """Returns the accuracy of the best point of every run, with interval and single seeds."""
    made = style.figure(1.3 + 0.62 * len(entries))
    ax = made.subplots()
    found = []
    for metric, shift, colour, marker in (
        ("val_accuracy", -0.14, style.BLUE, "o"),
        ("test_accuracy", 0.14, style.VERMILLION, "D"),
    ):
        known = [(place, entry) for place, entry in enumerate(entries) if math.isfinite(entry.mean(metric))]
        for place, entry in known:
            mean, (low, high) = entry.mean(metric), entry.interval(metric)
            ends = [[mean - low], [high - mean]] if math.isfinite(low) else None
            ax.errorbar(
                [mean],
                [place + shift],
                xerr=ends,
                color=colour,
                marker=marker,
                markersize=6.5,
                capsize=3.5,
                linewidth=1.6,
                zorder=3,
            )
            seeds = entry.done[metric].to_numpy(dtype=float)
            if len(seeds) > 1:
                ax.plot(
                    seeds, np.full(len(seeds), place + shift), "|", color=colour, markersize=8, alpha=0.55, zorder=2
                )
        if known:
            name = METRIC_NAMES[metric]
            found.append(Line2D([], [], color=colour, marker=marker, markersize=6.5, linewidth=1.6, label=name))
    style.tidy(ax, "x")
    style.ticks(ax.yaxis, range(len(entries)), [entry.short for entry in entries])
    ax.set_ylim(len(entries) - 0.5, -0.5)
    low, high = ax.get_xlim()
    cut = " No accuracy lies outside 0 to 1: there bars are cut off." if low < 0 or high > 1 else ""
    low, high = max(low, -0.01), min(high, 1.01)
    if high - low < 0.02:
        low, high = (low + high - 0.02) / 2, (low + high + 0.02) / 2
    ax.set_xlim(low, high)
    style.label(ax, x="accuracy")
    style.legend(made, found, "upper left", 2)
    name = METRIC_NAMES.get(entries[0].ranking.metric, entries[0].ranking.metric)
    text = (
        f"The best point of each run, chosen and ordered by mean {name}; test figures choose nothing. "
        f"Bars: Student's 95 % interval of the mean; strokes: single seeds; one seed has neither.{cut}"
    )
    listed = ", ".join(f"{entry.short} {entry.mean('val_accuracy'):.3f}" for entry in entries)
    finding = f"Validation accuracy, in order: {listed}."
    return style.Drawing("best_of_runs", "Best point of each run", "Intervals", text, made, finding)


def curves(entries: Sequence[Entry]) -> style.Drawing | None:
    """Returns validation accuracy and loss by epoch at the best point of every run.

    None while no epoch is recorded.
    """
    drawn = [entry for entry in entries if "val_accuracy" in entry.ranking.curves and len(entry.ranking.curves)][
        :MOST_LINES
    ]
    if not drawn:
        return None
    made = style.figure(3.7 + 0.19 * math.ceil(len(drawn) / 2))
    panels = made.subplots(1, 2)
    handles, highest = [], []
    for number_of, entry in enumerate(drawn):
        colour, dashes = style.CYCLE[number_of % len(style.CYCLE)], _DASHES[number_of // len(style.CYCLE)]
        own = entry.ranking.curves[entry.ranking.curves["id"].isin(entry.done["id"])].drop_duplicates(
            ["id", "epoch"], keep="last"
        )
        for ax, metric in zip(panels, ("val_accuracy", "val_loss"), strict=True):
            # Only epochs that every repeat has reached.
            block = own.pivot(index="id", columns="epoch", values=metric).dropna(axis=1)
            epochs, values = block.columns.to_numpy(dtype=float), block.to_numpy(dtype=float)
            if not values.size:
                continue
            mean = values.mean(axis=0)
            ax.plot(epochs, mean, color=colour, linestyle=dashes, linewidth=1.8, marker="o" if len(epochs) == 1 else "")
            if len(values) > 1:
                sd = values.std(axis=0, ddof=1)
                ax.fill_between(epochs, mean - sd, mean + sd, color=colour, alpha=0.15, linewidth=0)
            if metric == "val_loss":
                highest.append(entry.ranking.loss_ceiling(mean))
        handles.append(Line2D([], [], color=colour, linestyle=dashes, linewidth=1.8, label=entry.short))
    ends = {phases.ends(entry.ranking, [entry.best]) for entry in drawn}
    for ax, name in zip(panels, ("validation accuracy", "validation loss (nats)"), strict=True):
        style.open_up(ax)
        if len(ends) == 1:
            phases.mark(ax, next(iter(ends)))
        style.tidy(ax)
        style.label(ax, "epoch", name)
        ax.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    cut = ""
    if highest and panels[1].get_ylim()[1] > max(highest):
        panels[1].set_ylim(top=max(highest))
        cut = f" Losses above {max(highest):.1f} are cut off."
    style.legend(made, handles, "lower left", 2)
    left = f" The best {len(drawn)} of {len(entries)} runs." if len(drawn) < len(entries) else ""
    text = (
        "Means over the repeats of each run's best point; bands ± one standard deviation where there are several."
        f"{cut}{left}"
    )
    return style.Drawing("curves_of_runs", "Learning curves of the best points", "Learning curves", text, made)
