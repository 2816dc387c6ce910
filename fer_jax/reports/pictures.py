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
from fer_jax.data import Split
from fer_jax.errors import FerJaxError
from fer_jax.figures import drawings, mistakes, style
from fer_jax.figures import samples as samples_figure
from fer_jax.figures.saliency_sheet import Seen, sheet_by_class
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
EACH = 5  # images of a class
MOST_LINES = 12  # classes in the sheet of maps


class ShownImages:
    """A split's images, read when first asked for and only if they may be shown.

    Attributes:
        why_none: why there are none to show, a sentence; empty if there are.
    """

    def __init__(self, run: Run, trials: Sequence[TrialResult], split: str, show: bool):
        """Takes the images of the split of each of `trials`, one trial after the other.

        See `results.best_point.one_an_image`.
        """
        allowed = show or run.config.report.show_images or trials[0].config.data.name == "synthetic"
        self.why_none = "" if allowed else started.worded(WITHHELD)
        self._splits: list[Split] = []
        if allowed:
            try:
                self._splits = [trial.dataset().splits()[split] for trial in trials]
            except FerJaxError as error:
                self.why_none = f"The pictures cannot be shown: {error}."

    def take(self, rows: Sequence[int] | np.ndarray) -> np.ndarray | None:
        """Returns the images with these numbers, uint8 (n, S, S, C); None if not to be shown."""
        if not self._splits:
            return None
        return np.stack([self._splits[place].images[row] for place, row in self._places(rows)])

    def truth(self, rows: Sequence[int] | np.ndarray) -> list[int | None]:
        """Returns the classes that built-in faces with these numbers show; None of others."""
        known = ((self._splits[place].truth, row) for place, row in self._places(rows))
        return [None if truth is None else int(truth[row]) for truth, row in known]

    def first_of_each_class(self, most: int) -> dict[int, list[int]]:
        """Returns class -> the numbers of its first images, `most` at most.

        Built-in faces whose label is noise are passed over.
        """
        found: dict[int, list[int]] = {}
        start = 0
        for split in self._splits:
            sure = np.full(len(split), True) if split.truth is None else split.truth == split.labels
            for label in np.unique(split.labels[sure]):
                own = np.flatnonzero(sure & (split.labels == label)) + start
                found[int(label)] = [*found.get(int(label), []), *own.tolist()][:most]
            start += len(split)
        return dict(sorted(found.items()))

    def _places(self, rows: Sequence[int] | np.ndarray) -> list[tuple[int, int]]:
        starts = np.cumsum([0, *map(len, self._splits)])
        places = np.searchsorted(starts, rows, side="right") - 1
        return [(int(place), int(row - starts[place])) for place, row in zip(places, rows, strict=True)]


def samples(run: Run, trial: TrialResult, show: bool) -> style.Drawing | None:
    """Returns five training images of each class of a trial; None if none are to be shown."""
    shown = ShownImages(run, [trial], "train", show)
    rows = shown.first_of_each_class(EACH)
    images = {label: shown.take(chosen) for label, chosen in rows.items()}
    found = {trial.classes[label]: some for label, some in images.items() if some is not None}
    return samples_figure.draw(found) if 0 < len(found) <= drawings.MOST_CLASSES else None


def saliency(trials: Sequence[TrialResult], predictions: Predictions, held_out: ShownImages) -> style.Drawing | None:
    """Returns what the networks of the best point look at in the first images of each class.

    None if no images are to be shown.

    Args:
        trials: of the best point; at most MOST_REPEATS of them are asked.
        predictions: on the split that `held_out` is of.
    """
    classes = range(len(predictions.classes))
    each = [np.flatnonzero(predictions.labels == label)[:EACH] for label in classes]
    rows = np.concatenate([some for some in each if len(some)][:MOST_LINES])
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
    seen = [_seen(predictions, int(row), truth) for row, truth in zip(rows, held_out.truth(rows), strict=True)]
    whose = f"the mean over {len(asked)} networks" if len(asked) > 1 else "one network"
    words = " and ".join(METHODS_IN_WORDS[method] for method, _ in METHODS)
    caption = (
        f"The first {predictions.split} pictures of each label, and what speaks for that class in them, "
        f"by {words}: {whose} of {predictions.setting}. Above each its true class, the answer (of "
        "the mean probability; wine red where it is not the label) and its number in the split."
    )
    if any(np.array(held_out.truth(rows)) != targets):
        caption += " The label of some of these drawn faces is noise: there the true class is what was drawn."
    warning = next(iter(found.values())).warning
    means = {method: one.mean for method, one in found.items()}
    return sheet_by_class(images, means, seen, caption=caption, warning=warning)


def _seen(predictions: Predictions, row: int, truth: int | None) -> Seen:
    """Returns how an image is headed: its true class, and what the networks answer."""
    names, label = predictions.classes, int(predictions.labels[row])
    mean = predictions.probabilities[:, row].mean(axis=0)
    answer = int(mean.argmax())
    noise = "" if truth in (None, label) else f" (label {names[label]})"
    true = f"true {names[label if truth is None else truth]}{noise}"
    return Seen(names[label], f"{true}\nanswer {names[answer]} {mean[answer]:.2f}, no. {row}", answer == label)


def mistake_parts(predictions: Predictions, held_out: ShownImages, suffix: str) -> tuple[style.Drawing | None, Section]:
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
