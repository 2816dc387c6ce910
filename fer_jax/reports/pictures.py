"""The part of a report that shows images of the data set: mistakes, and what networks look at.

Faces of a licensed data set may not be passed on by everybody, and a report is made to be sent:
only the built-in faces are shown unless `report.show_images` says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from fer_jax.analysis.predictions import Predictions
from fer_jax.base import started
from fer_jax.errors import FerJaxError
from fer_jax.figures import mistakes, style
from fer_jax.figures.saliency_sheet import MOST_COLUMNS, saliency_sheet
from fer_jax.reports import templates
from fer_jax.reports.html_tables import html
from fer_jax.reports.page import Section
from fer_jax.reports.tables import Column, number
from fer_jax.results.run import Run
from fer_jax.results.trial import TrialResult
from fer_jax.saliency import explain

WITHHELD = (
    "The pictures themselves are not shown, because their licence may forbid to pass them on: "
    "report.show_images = True, or --show_images of python -m fer_jax.report, shows them."
)
# Saliency methods that are drawn, with their settings, and how many networks are asked: a second or
# two for a small network.
METHODS: Sequence[tuple[str, Mapping[str, Any]]] = (("integrated_gradients", {"steps": 32}),)
METHODS_IN_WORDS = {
    "integrated_gradients": "integrated gradients from black",
    "gradient": "the gradient",
    "smoothgrad": "SmoothGrad",
}
MOST_REPEATS = 5


class HeldOutImages:
    """A held-out split's images, read when first asked for and only if they may be shown.

    Attributes:
        why_none: why there are none to show, a sentence; empty if there are.
    """

    def __init__(self, run: Run, trials: Sequence[TrialResult], split: str, show: bool):
        """Takes the images of the split of each of `trials`, one trial after the other.

        See `results.best_point.one_an_image`.
        """
        allowed = show or run.config.report.show_images or trials[0].config.data.name == "synthetic"
        self.why_none = "" if allowed else started.worded(WITHHELD)
        self._images: list[np.ndarray] = []
        if allowed:
            try:
                self._images = [trial.dataset().splits()[split].images for trial in trials]
            except FerJaxError as error:
                self.why_none = f"The pictures cannot be shown: {error}."

    def take(self, rows: Sequence[int] | np.ndarray) -> np.ndarray | None:
        """Returns the images with these numbers, uint8 (n, S, S, C); None if not to be shown."""
        if not self._images:
            return None
        starts = np.cumsum([0, *map(len, self._images)])
        places = np.searchsorted(starts, rows, side="right") - 1
        return np.stack([self._images[place][row - starts[place]] for place, row in zip(places, rows, strict=True)])


def saliency(trials: Sequence[TrialResult], predictions: Predictions, held_out: HeldOutImages) -> style.Drawing | None:
    """Returns what the networks of the best point look at in the first image of each class.

    None if no images are to be shown.

    Args:
        trials: of the best point; at most MOST_REPEATS of them are asked.
        predictions: on the split that `held_out` is of.
    """
    rows = [
        int(np.argmax(predictions.labels == label))
        for label in range(len(predictions.classes))
        if (predictions.labels == label).any()
    ]
    rows = rows[:MOST_COLUMNS]
    images = held_out.take(rows) if METHODS else None
    if images is None:
        return None
    asked, targets = list(trials[:MOST_REPEATS]), predictions.labels[rows]
    try:
        found = {
            method: explain.saliency_maps(asked, images, method, targets, **settings) for method, settings in METHODS
        }
    except FerJaxError:
        return None  # no weights are left, or none that this version can read
    names = [f"{predictions.classes[label]}\nno. {row}" for label, row in zip(targets, rows, strict=True)]
    whose = f"the mean over {len(asked)} networks" if len(asked) > 1 else "one network"
    words = " and ".join(METHODS_IN_WORDS[method] for method, _ in METHODS)
    caption = (
        f"The first {predictions.split} picture of each class and what speaks for that class in it, by {words}: "
        f"{whose} of {predictions.setting}."
    )
    warning = next(iter(found.values())).warning
    means = {method: one.mean for method, one in found.items()}
    return saliency_sheet(images, means, names, caption=caption, warning=warning)


def mistake_parts(
    predictions: Predictions, held_out: HeldOutImages, suffix: str
) -> tuple[style.Drawing | None, Section]:
    """Returns the surest mistakes as a figure, if images may be shown, and as a table."""
    found = mistakes.worst(predictions)
    shown = held_out.take(found["image"].to_numpy()) if len(found) else None
    drawing = None if shown is None else mistakes.draw(predictions, found, shown)
    note = " ".join(
        filter(
            None,
            [
                mistakes.sentences(found, predictions.classes, len(predictions.labels)),
                predictions.about,
                held_out.why_none,
            ],
        )
    )
    table = _table(predictions, found, suffix) if len(found) else Markup()
    return drawing, Section(
        "mistake-list", "Mistake list", "Most confident mistakes as a table", templates.paragraphs(note) + table
    )


def _table(predictions: Predictions, found: pd.DataFrame, suffix: str) -> Markup:
    names = np.asarray(predictions.classes, dtype=object)
    columns = [
        Column("picture", [str(one) for one in found["image"]], f"its number in the {predictions.split} split, from 0"),
        Column("label", list(names[found["true"]]), "", "text"),
        Column("answer", list(names[found["answer"]]), "of the mean probability", "text"),
        Column("probability of the answer", [number(one, 3) for one in found["confidence"]], "mean over the repeats"),
        Column("of the label", [number(one, 3) for one in found["given"]], "mean over the repeats"),
    ]
    if predictions.repeats > 1:
        wrong = [f"{one} of {predictions.repeats}" for one in found["repeats_wrong"]]
        columns.append(Column("networks wrong", wrong, "networks that answer wrongly by themselves"))
    return html(columns, f"mistakes-table{suffix}", f"{len(found)} most confident mistakes")
