"""The answers that were most surely wrong: which images, taken for what, how surely."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from fer_jax.analysis.predictions import Predictions
from fer_jax.figures import style

MOST = 12
COLUMNS = 6


def worst(predictions: Predictions, most: int = MOST) -> pd.DataFrame:
    """Returns the images whose wrong answer has the highest probability, the mean over the repeats.

    Of equals the earlier image counts.

    Returns:
        A row an image, the surest first: image (its number in the split, from 0), true and
        answer (class numbers), confidence (mean probability of the answer), given (that of the true
        class) and repeats_wrong (how many of the networks answer wrongly by themselves).
    """
    mean = predictions.probabilities.mean(axis=0)
    answers = mean.argmax(axis=1)
    wrong = np.flatnonzero(answers != predictions.labels)
    confidence = mean[wrong, answers[wrong]]
    chosen = wrong[np.argsort(-confidence, kind="stable")[:most]]
    labels = predictions.labels[chosen]
    alone = predictions.probabilities[:, chosen].argmax(axis=-1) != labels
    return pd.DataFrame(
        {
            "image": chosen,
            "true": labels,
            "answer": answers[chosen],
            "confidence": mean[chosen, answers[chosen]],
            "given": mean[chosen, labels],
            "repeats_wrong": alone.sum(axis=0),
        }
    )


def draw(predictions: Predictions, found: pd.DataFrame, images: np.ndarray) -> style.Drawing:
    """Returns the images of `worst`, each with its class, the answer and how sure that was.

    Args:
        found: as `worst` gives it, one row or more.
        images: uint8 (rows, S, S, 1 or 3), the images of its rows.
    """
    rows = math.ceil(len(found) / COLUMNS)
    made = style.figure(2.15 * rows + 0.2)
    panels = made.subplots(rows, COLUMNS, squeeze=False).ravel()
    for ax in panels:
        ax.set_axis_off()
    for ax, row, image in zip(panels, found.itertuples(index=False), images, strict=False):
        show(ax, image)
        true, answer = predictions.classes[row.true], predictions.classes[row.answer]
        ax.set_title(
            f"{true}\nfor {answer}, {row.confidence:.2f}\nno. {row.image}", fontsize=style.SMALL, color=style.INK
        )
    text = (
        "Above each picture: its label, the wrong answer with the mean probability of the networks, and the "
        "picture's number in the split. Some labels may be wrong themselves."
    )
    finding = sentences(found, predictions.classes, len(predictions.labels))
    return style.Drawing("mistakes", "Most confident mistakes", "Mistakes", text, made, finding, predictions.about)


def show(ax: Any, image: np.ndarray) -> None:
    """Draws one uint8 image (S, S, 1 or 3), every pixel as it is."""
    grey = image.shape[-1] == 1
    ax.imshow(
        image[..., 0] if grey else image, cmap="gray" if grey else None, vmin=0, vmax=255, interpolation="nearest"
    )


def sentences(found: pd.DataFrame, classes: Sequence[str], images: int) -> str:
    """Returns how many of how many images, and what for what most often; plain text."""
    if not len(found):
        return f"No wrong answer among {images:,} pictures."
    pairs = found.groupby(["true", "answer"]).size().sort_values(ascending=False, kind="stable")
    true, answer = pairs.index[0]
    often = f"; {pairs.iloc[0]} of them {classes[true]} taken for {classes[answer]}" if pairs.iloc[0] > 1 else ""
    return f"The {len(found)} surest wrong answers on {images:,} pictures{often}."
