"""Confusion matrices of a point: images by true class and answer, and as shares of a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np

from fer_jax.analysis import metrics
from fer_jax.analysis.predictions import Predictions
from fer_jax.figures import style


def draw(predictions: Predictions, validation: Predictions | None = None) -> style.Drawing:
    """Returns the confusion matrix in images and in shares, means over repeats.

    Args:
        predictions: on the test split, or on validation where there is no other.
        validation: of the same networks on the validation split, drawn beside those of the test
            split; None draws `predictions` alone.
    """
    splits = [predictions] if validation is None else [validation, predictions]
    height = 0.9 + 0.52 * max(5, len(predictions.classes))
    made = style.figure(height * len(splits))
    # Of one split both matrices are side by side, of two the splits are.
    axes = made.subplots(len(splits), 2, squeeze=False)
    places = [axes[0]] if validation is None else axes.T
    shares = [_split(pair, one, len(splits) > 1) for pair, one in zip(places, splits, strict=True)]
    mean = "" if predictions.repeats == 1 else ", means over the repeats"
    text = "Rows are true classes, columns answers: pictures {}, shares of the row's pictures {}" + mean + "."
    finding = _finding(shares[-1], predictions.classes)
    if validation is not None:
        text = text.format("above", "below") + (
            f" Validation ({len(validation.labels):,} pictures), which chose epoch and point, on the left, test on the "
            "right."
        )
        finding += f" On validation: {_finding(shares[0], predictions.classes)}"
    else:
        text = text.format("on the left", "on the right")
        if predictions.split == "validation":
            text += " Validation alone, which chose epoch and point too: no answers on a test split are there."
    heading = "Confusion matrix: what is taken for what"
    return style.Drawing("confusion", heading, "Confusion matrix", text, made, finding, predictions.about)


def _split(axes: Sequence[Any], predictions: Predictions, named: bool) -> np.ndarray:
    """Draws the matrices of one split, images and shares; returns the mean shares (K, K)."""
    matrices = metrics.confusion(predictions.probabilities, predictions.labels).astype(float)
    shown = matrices.sum(axis=2, keepdims=True)
    shares = np.divide(matrices, shown, out=np.zeros_like(matrices), where=shown > 0).mean(axis=0)
    counts, form = matrices.mean(axis=0), "{:.0f}" if predictions.repeats == 1 else "{:.1f}"
    of = f"{predictions.split}: " if named else ""
    classes, blues, top = predictions.classes, matplotlib.colormaps["Blues"], float(counts.max())
    show_matrix(axes[0], counts, classes, f"{of}pictures", form, (0.0, top), blues)
    show_matrix(axes[1], shares, classes, f"{of}share of the true class", "{:.2f}", (0.0, 1.0), blues)
    return np.asarray(shares)


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
