"""What a paper published beside what we found: experiments on one scale, confusion matrices."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from scipy import special

from fer_jax.figures import style
from fer_jax.figures.confusion import show_matrix

MOST_EXPERIMENTS = 60
_NAMES = {"train": "training", "val": "validation", "test": "test", "external": "external"}
_LEVEL = 0.95
_ROOM = 30  # letters below each of three panels
_MARKS: dict[str, Any] = {"markersize": 5, "linewidth": 1.4}


def experiments(rows: pd.DataFrame) -> list[style.Drawing]:
    """Returns accuracy by experiment, ours beside the published, a figure a split that has two.

    Args:
        rows: of study.csv.
    """
    found = []
    for split in _NAMES:
        own = rows[rows["metric"].eq(f"{split}_accuracy")]
        own = own[own[["chosen_mean", "last_mean"]].notna().any(axis=1)].iloc[:MOST_EXPERIMENTS]
        if own["experiment"].nunique() > 1:
            found.append(_experiments(own, split))
    return found


def _experiments(rows: pd.DataFrame, split: str) -> style.Drawing:
    names = list(dict.fromkeys(rows["experiment"]))
    made = style.figure(1.4 + 0.3 * len(names))
    ax = made.subplots()
    for _, row in rows.iterrows():
        place = names.index(row["experiment"])
        weights = "last" if row["compared"] == "last" and not pd.isna(row["last_mean"]) else "chosen"
        mean, half = row[f"{weights}_mean"], _half(row[f"{weights}_sd"], int(row["n"]))
        ends = [[half], [half]] if half else None
        ax.errorbar([mean], [place], xerr=ends, color=style.BLUE, marker="o", capsize=3, zorder=3, **_MARKS)
        if not pd.isna(row["published"]):
            spread = row.get("published_sd")
            ends = None if pd.isna(spread) else [[spread], [spread]]
            below = place + 0.24
            ax.errorbar([row["published"]], [below], xerr=ends, color=style.VERMILLION, marker="D", capsize=2, **_MARKS)
    style.tidy(ax, "x")
    style.ticks(ax.yaxis, range(len(names)), [_shortened(name) for name in names])
    ax.set_ylim(len(names) - 0.5, -0.5)
    style.label(ax, x=f"{_NAMES[split]} accuracy")
    handles = [
        Line2D([], [], color=style.BLUE, marker="o", label="ours"),
        Line2D([], [], color=style.VERMILLION, marker="D", label="published"),
    ]
    style.legend(made, handles, "upper left", 2)
    text = (
        f"Each experiment's {_NAMES[split]} accuracy at the weights the paper reports. Blue bars: Student's 95 % "
        "interval of our mean, none with one seed; red bars: the published standard deviation, where there is one."
    )
    finding = "; ".join(
        f"{row['experiment']}: ours {row['last_mean' if row['compared'] == 'last' else 'chosen_mean']:.3f}"
        + ("" if pd.isna(row["published"]) else f", published {row['published']:g}")
        for _, row in rows.iterrows()
    )
    heading = f"All experiments, {_NAMES[split]} accuracy"
    return style.Drawing(f"study_{split}", heading, "Experiments", text, made, finding)


def _half(sd: float, n: int) -> float:
    """Returns half of Student's interval of a mean; 0 for one trial."""
    if n < 2 or pd.isna(sd):
        return 0.0
    return float(special.stdtrit(n - 1, 0.5 + _LEVEL / 2)) * float(sd) / math.sqrt(n)


def _shortened(name: str, most: int = 60) -> str:
    return name if len(name) <= most else f"{name[: most - 3]}..."


def matrices(one: Mapping[str, Any]) -> style.Drawing:
    """Returns a published confusion matrix, ours and their difference, as shares of the true class.

    Args:
        one: an item of study.json: classes, published and ours as square arrays of images or
            shares, where, data, n.
    """
    classes = [str(name) for name in one["classes"]]
    published, ours = (_shares(np.asarray(one[name], dtype=float)) for name in ("published", "ours"))
    difference = ours - published
    made = style.figure(0.9 + 0.4 * max(5, len(classes)))
    first, second, third = made.subplots(1, 3)
    blues, both = matplotlib.colormaps["Blues"], matplotlib.colormaps["PuOr_r"]
    show_matrix(first, published, classes, f"published, {one['where']}", "{:.2f}", (0.0, 1.0), blues, _ROOM)
    show_matrix(second, ours, classes, f"ours, n = {one['n']}", "{:.2f}", (0.0, 1.0), blues, _ROOM)
    top = max(0.05, float(np.abs(np.nan_to_num(difference)).max()))
    shown = difference.round(2) + 0.0  # the sum makes a minus zero a zero
    show_matrix(third, shown, classes, "ours less published", "{:+.2f}", (-top, top), both, _ROOM)
    for ax in (second, third):
        ax.set_yticklabels([])
        ax.set_ylabel("")
    note = f" {note[:1].upper()}{note[1:]}." if (note := str(one.get("note") or "")) else ""
    text = (
        f"{one['experiment']}, {str(one['split']).replace('_', ' ')} split ({one['data']}), as shares of each true "
        f"class's pictures: published, ours (mean of {one['n']}), and the difference, in which orange is more of ours "
        f"and purple more of theirs.{note}"
    )
    row, column = map(int, np.unravel_index(int(np.abs(np.nan_to_num(difference)).argmax()), difference.shape))
    finding = (
        f"Largest difference: {classes[row]} answered {classes[column]}, published {published[row, column]:.2f}, "
        f"ours {ours[row, column]:.2f}."
    )
    name = f"study_matrix_{one['split']}"
    return style.Drawing(name, "Confusion matrices, published and ours", "Matrices", text, made, finding)


def _shares(counts: np.ndarray) -> np.ndarray:
    """Returns each row as shares of its sum; zeros where it is empty."""
    sums = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, sums, out=np.zeros_like(counts), where=sums > 0)
