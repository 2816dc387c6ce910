"""Reliability diagram: how often answers of a confidence are right (Guo et al., 2017)."""

from __future__ import annotations

import numpy as np

from fer_jax.analysis import metrics
from fer_jax.analysis.predictions import Predictions, mean_and_spread
from fer_jax.figures import style


def draw(predictions: Predictions) -> style.Drawing:
    """Returns accuracy against confidence, and how many answers have which confidence."""
    found = metrics.calibration(predictions.probabilities, predictions.labels)
    centres, width = (found.edges[1:] + found.edges[:-1]) / 2, float(found.edges[1] - found.edges[0])
    # A bin shows the means of all images that the repeats have in it, and its spread where
    # several have some.
    total = np.maximum(found.counts.sum(axis=0), 1)
    filled = found.counts.sum(axis=0) > 0
    accuracy = np.nansum(found.accuracy * found.counts, axis=0) / total
    confidence = np.nansum(found.confidence * found.counts, axis=0) / total
    made = style.figure(4.2)
    left, right = made.subplots(1, 2, width_ratios=(3, 2))
    left.plot([0, 1], [0, 1], color=style.MUTED, linewidth=0.9, linestyle=":")
    left.vlines(
        confidence[filled],
        np.minimum(accuracy, confidence)[filled],
        np.maximum(accuracy, confidence)[filled],
        color=style.VERMILLION,
        linewidth=4,
        alpha=0.35,
    )
    left.errorbar(
        confidence[filled],
        accuracy[filled],
        _spread(found.accuracy)[filled],
        color=style.BLUE,
        marker="o",
        markersize=5,
        capsize=3,
        linewidth=1.4,
    )
    style.tidy(left)
    left.set_xlim(0, 1)
    left.set_ylim(0, 1.01)
    style.title(left, f"Calibration error {mean_and_spread(found.ece)}")
    style.label(left, x="confidence (probability of the answer)", y="share of right answers")
    shares = found.counts / max(1, len(predictions.labels))
    right.bar(centres, shares.mean(axis=0), 0.9 * width, color=style.BLUE)
    style.tidy(right, "y")
    right.set_xlim(0, 1)
    style.title(right, "Answers by confidence")
    style.label(right, x="confidence", y="share of the pictures")
    sure, right_share = (
        predictions.probabilities.max(axis=-1).mean(),
        (predictions.probabilities.argmax(axis=-1) == predictions.labels).mean(),
    )
    tendency = "overconfident" if sure > right_share else "underconfident"
    text = (
        "Points on the dotted line are as often right as they are sure; red is the gap. "
        f"Mean confidence {sure:.3f}, accuracy {right_share:.3f}: {tendency} by {abs(sure - right_share):.3f}. "
        f"The calibration error is the mean gap over {metrics.BINS} bins of equal width."
    )
    heading = "Calibration: is it as often right as it is sure?"
    finding = f"Calibration error {mean_and_spread(found.ece)}; {tendency} by {abs(sure - right_share):.3f}."
    return style.Drawing("calibration", heading, "Calibration", text, made, finding, predictions.about)


def _spread(values: np.ndarray) -> np.ndarray:
    """Returns the sample deviation over the repeats that have a value, (T, bins) -> (bins,).

    It is 0 where fewer than two do.
    """
    known = np.isfinite(values)
    count = known.sum(axis=0)
    mean = np.where(known, values, 0).sum(axis=0) / np.maximum(count, 1)
    squares = np.where(known, (values - mean) ** 2, 0).sum(axis=0)
    return np.sqrt(np.where(count > 1, squares / np.maximum(count - 1, 1), 0))
