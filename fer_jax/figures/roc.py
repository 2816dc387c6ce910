"""ROC and precision-recall curves of every class against the rest, with their spread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.lines import Line2D

from fer_jax.analysis import metrics
from fer_jax.analysis.predictions import Predictions, mean_and_spread
from fer_jax.figures import style

GRID = np.linspace(0, 1, 201)
_LINES: tuple[Any, ...] = ("-", "--", ":")

# (is the class, its probability, places in [0, 1]) -> a curve's heights at these places.
Curve = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def roc_curve(shown: np.ndarray, scores: np.ndarray, grid: np.ndarray = GRID) -> np.ndarray:
    """Returns the true positive rate at the false positive rates `grid`, the highest at each.

    The value at 0 is 0, as it is drawn.
    """
    right, called = metrics.at_thresholds(shown, scores)
    false, true = (called - right) / (~shown).sum(), right / shown.sum()
    return np.interp(grid, np.append(0, false), np.append(0, true))


def precision_recall(shown: np.ndarray, scores: np.ndarray, grid: np.ndarray = GRID) -> np.ndarray:
    """Returns the precision at the recalls `grid`.

    It is that of the highest threshold which reaches the recall, as average precision sums it up.
    """
    right, called = metrics.at_thresholds(shown, scores)
    reached = np.searchsorted(right / shown.sum(), grid, side="left")
    return (right / called)[np.minimum(reached, len(right) - 1)]


def draw(predictions: Predictions) -> style.Drawing | None:
    """Returns ROC and precision-recall curves; None where no class can be told from the rest."""
    areas = metrics.auc(predictions.probabilities, predictions.labels)
    precisions = metrics.average_precision(predictions.probabilities, predictions.labels)
    told = [number for number in range(len(predictions.classes)) if np.isfinite(areas[:, number]).all()]
    if not told or not predictions.repeats:
        return None
    made = style.figure(4.9)
    left, right = made.subplots(1, 2)
    rates = _heights(predictions, told, roc_curve)
    handles = _panel(left, predictions, rates, areas)
    more = _panel(right, predictions, _heights(predictions, told, precision_recall), precisions)
    left.plot([0, 1], [0, 1], color=style.MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
    macro = np.mean([heights.mean(axis=0) for heights in rates.values()], axis=0)
    left.plot(GRID, macro, color=style.INK, linewidth=1.6, linestyle=(0, (5, 1.5)))
    mean = Line2D(
        [],
        [],
        color=style.INK,
        linewidth=1.6,
        linestyle=(0, (5, 1.5)),
        label=f"mean of the classes  {mean_and_spread(metrics.class_mean(areas))}",
    )
    left.legend(handles=[*handles, mean], **_LEGEND, loc="lower right", title="area under the curve")
    right.legend(handles=more, **_LEGEND, loc="lower left", title="average precision")
    style.title(left, "ROC")
    style.title(right, "Precision and recall")
    style.label(left, x="false positive rate", y="true positive rate")
    style.label(right, x="recall", y="precision")
    band = "" if predictions.repeats == 1 else " Lines are means over the repeats, bands ± one standard deviation."
    text = f"Each class against the rest. The dotted diagonal is what guessing gives.{band}"
    order = sorted(told, key=lambda number: -float(areas[:, number].mean()))
    listed = ", ".join(f"{predictions.classes[one]} {mean_and_spread(areas[:, one])}" for one in order)
    finding = f"Area under the ROC curve, the best class first: {listed}."
    heading = "ROC and precision-recall curves: one class against the rest"
    return style.Drawing("roc", heading, "ROC curves", text, made, finding, predictions.about)


_LEGEND: dict[str, Any] = {
    "fontsize": style.SMALL - 1,
    "title_fontsize": style.SMALL - 1,
    "frameon": True,
    "framealpha": 0.85,
    "edgecolor": style.FAINT,
}


def _heights(predictions: Predictions, told: Sequence[int], curve: Curve) -> dict[int, np.ndarray]:
    """Returns class -> the curves of every repeat, (T, GRID)."""
    return {
        number: np.stack(
            [curve(predictions.labels == number, one[:, number], GRID) for one in predictions.probabilities]
        )
        for number in told
    }


def _panel(ax: Any, predictions: Predictions, curves: Mapping[int, np.ndarray], areas: np.ndarray) -> list[Line2D]:
    handles = []
    for number, heights in curves.items():
        colour, line = style.CYCLE[number % len(style.CYCLE)], _LINES[number // len(style.CYCLE) % len(_LINES)]
        mean = heights.mean(axis=0)
        ax.plot(GRID, mean, color=colour, linestyle=line, linewidth=1.4)
        if predictions.repeats > 1:
            spread = heights.std(axis=0, ddof=1)
            ax.fill_between(
                GRID, np.maximum(mean - spread, 0), np.minimum(mean + spread, 1), color=colour, alpha=0.07, linewidth=0
            )
        text = f"{predictions.classes[number]}  {mean_and_spread(areas[:, number])}"
        handles.append(Line2D([], [], color=colour, linestyle=line, linewidth=1.6, label=text))
    style.tidy(ax)
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1.01)
    return handles
