"""Answers about pictures as `python -m fer_jax.predict` prints them: a table, CSV or JSON."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

import numpy as np

from fer_jax.analysis.outliers import BELOW
from fer_jax.base import console
from fer_jax.base.text import aligned, in_columns, padded, printable, shown
from fer_jax.prediction.pictures import Answer, Failure
from fer_jax.results.ensemble import Ensemble

_BOX = ("left", "top", "right", "bottom")


@dataclass(frozen=True)
class Asked:
    """The options of a prediction, and how much of an answer a table shows.

    Attributes:
        score: the score of likeness to the training data, one of `config.choices.LIKENESS`.
        tta: the way of test-time augmentation, one of `config.choices.TEST_TIME`; None for none.
        faces: whether each face of a picture has a row of its own.
        show: most classes in a row of the table, the most probable first.
    """

    score: str
    tta: str | None = None
    faces: bool = False
    show: int = 3


def dead_answers(ensemble: Ensemble) -> dict[str, str]:
    """Returns the one answer that each dead member gives, by the id of its trial, for JSON."""
    return {id: one.answer for id, one in ensemble.dead.items()}


def json_text(document: Mapping[str, Any], file: TextIO) -> str:
    """Returns a document as JSON, in ASCII alone where the file cannot hold more.

    What a terminal would obey is written as JSON's own escapes, which a reader turns back.
    """
    text = json.dumps(document, indent=2, ensure_ascii=not console.writes_unicode(file))
    for one in set(text):
        if printable(one, lines=True) != one:
            text = text.replace(one, json.dumps(one)[1:-1])
    return text


class Printer:
    """The printer of answers in one form; a picture without an answer goes to stderr."""

    def __init__(self, ensemble: Ensemble, asked: Asked, threshold: float | None, why: str):
        self.ensemble, self.classes, self.asked = ensemble, ensemble.classes, asked
        self.threshold, self.why = threshold, why

    def write(self, answers: Iterable[Answer | Failure], file: TextIO) -> int:
        """Prints all answers and returns the exit status: 1 if a picture got no answer, else 0."""
        self.begin(file)
        failed = 0
        for one in answers:
            if isinstance(one, Failure):
                failed += 1
                console.show(f"error: {shown(one.picture)} {one.reason}", sys.stderr)
                self.fail(one)
            else:
                self.answer(one, file)
        self.end(file)
        return 1 if failed else 0

    def begin(self, file: TextIO) -> None:
        """Prints what stands before the answers."""

    def answer(self, answer: Answer, file: TextIO) -> None:
        """Prints or keeps an answer."""

    def fail(self, failure: Failure) -> None:
        """Keeps what got no answer."""

    def end(self, file: TextIO) -> None:
        """Prints what stands behind the answers."""

    def best(self, answer: Answer) -> np.ndarray:
        """Returns the columns of the classes, the most probable first."""
        return np.argsort(-answer.probabilities, kind="stable")

    def unlike(self, answer: Answer) -> bool | None:
        """Returns whether a picture scores below the threshold; None where there is none.

        Nearly all validation pictures score more.
        """
        return None if self.threshold is None else answer.score < self.threshold


class Table(Printer):
    """Aligned columns, a row a picture or face, with what answered in front."""

    def begin(self, file: TextIO) -> None:
        page = console.Page(file)
        member = self.ensemble.members[0]
        spread = "; probabilities are means ± standard deviations over them" if len(self.ensemble.members) > 1 else ""
        data = member.data.get("label", "unknown data")
        page.line(f"{self.ensemble.label} of {member.run.path}, trained on {data}{spread}")
        if self.ensemble.warning:
            page.line(f"warning: {self.ensemble.warning}")
        if self.threshold is None:
            page.line(f"no threshold for the {self.asked.score} score: {self.why}")
        else:
            share = f"at most about {BELOW:.0%} of the validation pictures score below {self.threshold:.2f}"
            page.line(f"score: {self.asked.score}; {share}, and what does is marked *")
        self.rows: list[list[str]] = []

    def answer(self, answer: Answer, file: TextIO) -> None:
        names = [console.as_written(printable(name), file) for name in self.classes]
        width = max(map(in_columns, names))
        cells = [console.as_written(shown(answer.picture), file)]
        if self.asked.faces:
            cells.append("-" if answer.box is None else ",".join(map(str, answer.box)))
        for column in self.best(answer)[: self.asked.show]:
            spread = "" if math.isnan(answer.sd[column]) else f" ± {answer.sd[column]:.3f}"
            found = f"{padded(names[column], width)} {answer.probabilities[column]:.3f}{spread}"
            cells.append(console.as_written(found, file))
        cells.append(f"{answer.score:7.2f}{' *' if self.unlike(answer) else ''}")
        self.rows.append(cells)

    def end(self, file: TextIO) -> None:
        count = min(self.asked.show, len(self.classes))
        head = ["picture", *(["face"] if self.asked.faces else []), "most probable", *[""] * (count - 1), "  score"]
        columns, lines = console.Page(file).columns, aligned([head, *self.rows])
        for narrower in (self._below_each_other, self._below_the_picture):
            if columns and max(map(in_columns, lines)) > columns:
                lines = narrower(head, count)
        print("\n".join(lines if self.rows else []), end="\n" if self.rows else "", file=file)

    def _below_each_other(self, head: list[str], count: int) -> list[str]:
        """Returns lines for a narrow terminal: each class of a picture in a line of its own."""
        before = len(head) - count - 1
        rows = [[*head[: before + 1], head[-1]]]
        for row in self.rows:
            classes = row[before:-1]
            rows.append([*row[:before], classes[0], row[-1]])
            rows += [[*[""] * before, one, ""] for one in classes[1:]]
        return aligned(rows)

    def _below_the_picture(self, head: list[str], count: int) -> list[str]:
        """Returns lines for long names in a narrow terminal: a name, and below it the rest.

        The terminal itself breaks a name that is too long, so that it can be copied.
        """
        before = len(head) - count - 1
        rows, pictures = [["", *head[1 : before + 1], head[-1]]], [head[0]]
        for row in self.rows:
            rows.append(["", *row[1 : before + 1], row[-1]])
            rows += [["", *[""] * (before - 1), one, ""] for one in row[before + 1 : -1]]
            pictures += [row[0], *[""] * (count - 1)]
        return [line for name, rest in zip(pictures, aligned(rows), strict=True) for line in (name, rest) if line]


class Csv(Printer):
    """A row a picture or face: probabilities and their sd in the classes' own order.

    What to know of the networks goes to stderr, so that the rows stay a table. Control characters
    in names are visible escapes, as in the other forms.
    """

    def begin(self, file: TextIO) -> None:
        if self.ensemble.warning:
            console.show(f"warning: {self.ensemble.warning}", sys.stderr)
        names = [printable(name) for name in self.classes]
        columns = [f"probability_{name}" for name in names] + [f"sd_{name}" for name in names]
        self.writer = csv.writer(file, lineterminator="\n")
        self.writer.writerow(["picture", *_BOX, "answer", *columns, "score", "threshold", "unlike_training"])

    def answer(self, answer: Answer, file: TextIO) -> None:
        spread = ["" if math.isnan(sd) else f"{sd:.6g}" for sd in answer.sd]
        unlike = self.unlike(answer)
        self.writer.writerow(
            [printable(answer.picture), *(answer.box or [""] * 4), printable(self.classes[self.best(answer)[0]])]
            + [f"{probability:.6g}" for probability in answer.probabilities]
            + [*spread, f"{answer.score:.6g}", "" if self.threshold is None else f"{self.threshold:.6g}"]
            + ["" if unlike is None else str(unlike).lower()]
        )


class Json(Printer):
    """One document: the networks, the pictures with their classes, the pictures without an answer.

    The classes of a picture are in order, the most probable first.
    """

    def begin(self, file: TextIO) -> None:
        self.pictures: list[dict[str, Any]] = []
        self.failures: list[dict[str, str]] = []

    def answer(self, answer: Answer, file: TextIO) -> None:
        order = self.best(answer)
        self.pictures.append(
            {
                "picture": answer.picture,
                "box": None if answer.box is None else dict(zip(_BOX, answer.box, strict=True)),
                "answer": self.classes[order[0]],
                "probabilities": {self.classes[column]: float(answer.probabilities[column]) for column in order},
                "sd": None
                if np.isnan(answer.sd).all()
                else {self.classes[column]: float(answer.sd[column]) for column in order},
                "score": answer.score,
                "unlike_training": self.unlike(answer),
            }
        )

    def fail(self, failure: Failure) -> None:
        self.failures.append({"picture": failure.picture, "reason": failure.reason})

    def end(self, file: TextIO) -> None:
        member = self.ensemble.members[0]
        question = {
            "run": str(member.run.path),
            "networks": self.ensemble.label,
            "trials": [one.id for one in self.ensemble.members],
            "dead": dead_answers(self.ensemble),
            "data": member.data.get("label"),
            "classes": list(self.classes),
            "tta": self.asked.tta,
            "score": {"kind": self.asked.score, "threshold": self.threshold, "validation_share_below": BELOW},
        }
        document = {**question, "pictures": self.pictures, "failures": self.failures}
        print(json_text(document, file), file=file)
