"""The part of a report that shows pictures of the data set: the surest mistakes, and what networks look at.

Faces of a licensed data set may not be passed on by everybody, and a report is made to be sent: only the built-in faces are shown unless
`report.show_images` says otherwise.
"""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd

from fer_jax.analysis import mistakes, style
from fer_jax.analysis.answered import Answered
from fer_jax.analysis.evidence import Evidence
from fer_jax.analysis.page import Section
from fer_jax.analysis.tables import Column, html, number
from fer_jax.errors import FerJaxError
from fer_jax.run import Run
from fer_jax.trained import TrialResult

WITHHELD = (
    "The pictures themselves are not shown, because their licence may forbid to pass them on: report.show_images = True, or --show_images "
    "of python -m fer_jax.report, shows them."
)


class Pictures:
    """A held-out split's pictures, read when first asked for and only if they may be shown.

    Attributes:
        why_none: why there are none to show, a sentence; empty if there are.
    """

    def __init__(self, run: Run, trial: TrialResult, split: str, show: bool):
        allowed = show or run.config.report.show_images or trial.config.data.name == "synthetic"
        self.why_none = "" if allowed else WITHHELD
        self._images: np.ndarray | None = None
        if allowed:
            try:
                self._images = trial.dataset().splits()[split].images
            except FerJaxError as error:
                self.why_none = f"The pictures cannot be shown: {error}."

    def take(self, rows: np.ndarray) -> np.ndarray | None:
        """The pictures with these numbers, uint8 (n, S, S, C); None if they are not to be shown."""
        return None if self._images is None else np.asarray(self._images[rows])


def best_trials(run: Run, evidence: Evidence) -> list[TrialResult]:
    """The done trials of the best point, in the order of their seeds' repeats."""
    rows = evidence.trials[(evidence.trials["point"] == evidence.ranked.index[0]) & (evidence.trials["status"] == "done")]
    return [run.trial(id) for id in rows["id"]]


def mistake_parts(answered: Answered, pictures: Pictures, suffix: str) -> tuple[style.Drawing | None, Section]:
    """The surest mistakes as a figure, if pictures may be shown, and as a table."""
    found = mistakes.worst(answered)
    shown = pictures.take(found["picture"].to_numpy()) if len(found) else None
    drawing = None if shown is None else mistakes.draw(answered, found, shown)
    note = " ".join(
        filter(None, [mistakes.sentences(found, answered.classes, len(answered.labels)), answered.about, pictures.why_none])
    )
    table = _table(answered, found, suffix) if len(found) else ""
    return drawing, Section("mistake-list", "Mistake list", "Most confident mistakes as a table", f"<p>{escape(note)}</p>{table}")


def _table(answered: Answered, found: pd.DataFrame, suffix: str) -> str:
    names = np.asarray(answered.classes, dtype=object)
    columns = [
        Column("picture", [str(one) for one in found["picture"]], f"its number in the {answered.split} split, from 0"),
        Column("label", list(names[found["true"]]), "", "text"),
        Column("answer", list(names[found["answer"]]), "of the mean probability", "text"),
        Column("probability of the answer", [number(one, 3) for one in found["confidence"]], "mean over the repeats"),
        Column("of the label", [number(one, 3) for one in found["given"]], "mean over the repeats"),
    ]
    if answered.repeats > 1:
        wrong = [f"{one} of {answered.repeats}" for one in found["repeats_wrong"]]
        columns.append(Column("networks wrong", wrong, "networks that answer wrongly by themselves"))
    return html(columns, f"mistakes-table{suffix}", f"{len(found)} most confident mistakes")
