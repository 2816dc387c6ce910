"""Confusion matrices of a point: images by true class and answer, and as shares of a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np

from fer_jax.analysis import metrics
from fer_jax.analysis.predictions import Predictions
from fer_jax.figures import style


def draw(predictions: Predictions) -> style.Drawing:
    """Returns the confusion matrix in images and in shares, side by side, means over repeats."""
    matrices = metrics.confusion(predictions.probabilities, predictions.labels).astype(float)
    shown = matrices.sum(axis=2, keepdims=True)
    shares = np.divide(matrices, shown, out=np.zeros_like(matrices), where=shown > 0)
    made = style.figure(0.9 + 0.52 * max(5, len(predictions.classes)))
    left, right = made.subplots(1, 2)
    whole = predictions.repeats == 1
    blues = matplotlib.colormaps["Blues"]
    show_matrix(
        left,
        matrices.mean(axis=0),
        predictions.classes,
        "pictures",
        "{:.0f}" if whole else "{:.1f}",
        (0.0, float(matrices.mean(axis=0).max())),
        blues,
    )
    show_matrix(right, shares.mean(axis=0), predictions.classes, "share of the true class", "{:.2f}", (0.0, 1.0), blues)
    mean = "" if whole else ", means over the repeats"
    text = (
        "Rows are true classes, columns answers: pictures on the left, shares of the row's pictures on the right"
        f"{mean}."
    )
    heading, finding = "Confusion matrix: what is taken for what", _finding(shares.mean(axis=0), predictions.classes)
    return style.Drawing("confusion", heading, "Confusion matrix", text, made, finding, predictions.about)


def _finding(shares: np.ndarray, classes: Sequence[str]) -> str:
    """Returns the classes that are found best and worst, and the commonest confusion."""
    found = np.diagonal(shares)
    good, bad = int(found.argmax()), int(found.argmin())
    text = f"Found most often: {classes[good]} ({found[good]:.0%} of its pictures)"
    if bad != good:
        text += f"; least often: {classes[bad]} ({found[bad]:.0%})"
    wrong = shares - np.diag(found)
    if wrong.max() > 0:
        row, column = map(int, np.unravel_index(int(wrong.argmax()), wrong.shape))
        text += f"; commonest confusion: {classes[row]} taken for {classes[column]} ({wrong.max():.0%})"
    return f"{text}."


def show_matrix(
    ax: Any,
    values: np.ndarray,
    classes: Sequence[str],
    name: str,
    form: str,
    limits: tuple[float, float],
    colours: Any,
    room: int = 44,
) -> None:
    """Draws a square of numbers, true classes down and answers across.

    Args:
        ax: where to.
        values: (K, K).
        classes: names of its rows and columns.
        name: title of the panel.
        form: of a number, such as '{:.2f}'.
        limits: the values at both ends of the colours.
        colours: a colour map.
        room: letters that fit below it; longer names of classes stand askew.
    """
    low, high = limits[0], max(limits[1], limits[0] + 1e-9)
    ax.imshow(values, cmap=colours, vmin=low, vmax=high, aspect="auto")
    size = style.SMALL if len(classes) <= 8 else style.SMALL - 1.5
    for row, column in np.ndindex(*values.shape):
        ink = style.ink_on(colours((values[row, column] - low) / (high - low)))
        weight = "bold" if row == column else "normal"
        ax.text(
            column,
            row,
            form.format(values[row, column]),
            ha="center",
            va="center",
            fontsize=size,
            color=ink,
            fontweight=weight,
        )
    style.tidy(ax, "none")
    style.ticks(ax.xaxis, range(len(classes)), list(classes))
    style.ticks(ax.yaxis, range(len(classes)), list(classes))
    if sum(map(len, classes)) > room:
        ax.tick_params(axis="x", labelrotation=35)
        for text in ax.get_xticklabels():
            text.set_ha("right")
            text.set_rotation_mode("anchor")
    style.title(ax, name)
    style.label(ax, x="answer", y="true class")
