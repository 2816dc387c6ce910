"""Class probabilities of pictures: `python -m fer_jax.predict RUN IMAGE...`, files and folders, of
any size and colour.

By default the repeats of the point that validation found best answer together: the mean of their
probabilities and, beside it, the standard deviation over them.

With --labelled the one argument after RUN is a data set with the pictures by class, and what is
printed is how right the answers are, with and without the pictures that have a copy among those
trained on.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

import numpy as np
from absl import flags

from fer_jax.analysis.outliers import BELOW, SCORES
from fer_jax.base import cache
from fer_jax.base.text import shown
from fer_jax.config import fields
from fer_jax.errors import ConfigError, FerJaxError, RunError, run_program
from fer_jax.models.test_time import NAMES
from fer_jax.prediction import external
from fer_jax.prediction.pictures import Answer, Failure, classify, find_pictures
from fer_jax.results.ensemble import Ensemble
from fer_jax.results.run import Run, load_run

USAGE = "usage: python -m fer_jax.predict RUN IMAGE_OR_FOLDER ... [flags], or RUN DATA --labelled [flags]"
# Flags that mean nothing without --labelled, and with it.
_LABELLED_ONLY = ("splits", "same_class", "copies", "train_data")
_PICTURES_ONLY = ("faces", "score", "show", "csv")
_BOX = ("left", "top", "right", "bottom")


def _declare() -> flags.FlagValues:
    # Of their own: other programs declare flags of the same names.
    values = flags.FlagValues()
    values.set_gnu_getopt()
    own: dict[str, Any] = {"flag_values": values}
    flags.DEFINE_multi_string("trial", [], "Ask this trial; several times for the mean of several.", **own)
    flags.DEFINE_integer(
        "top", None, "Ask the done trials of the best points, this many of them; by default 1.", lower_bound=1, **own
    )
    flags.DEFINE_string(
        "by", None, "The metric that chooses points, such as val_accuracy; by default the run's train.select.", **own
    )
    flags.DEFINE_multi_string("where", [], "Only points with FIELD=VALUE; several times for several fields.", **own)
    flags.DEFINE_enum(
        "tta", None, list(NAMES), "Test-time augmentation: picture and mirror image, or ten crops.", **own
    )
    flags.DEFINE_bool("faces", False, "Find the faces in each picture, a row each (needs the extra 'faces').", **own)
    flags.DEFINE_enum("score", "energy", list(SCORES), "How likeness to the training data is measured.", **own)
    flags.DEFINE_integer(
        "show",
        3,
        "Classes in a row of the table, the most probable first; --csv and --json have all.",
        lower_bound=1,
        **own,
    )
    flags.DEFINE_bool("json", False, "Print one JSON document instead of a table.", **own)
    flags.DEFINE_bool("csv", False, "Print comma-separated values instead of a table.", **own)
    flags.DEFINE_bool(
        "labelled",
        False,
        "Ask about a labelled data set (folder, zip, tar or csv) and print how right the answers are.",
        **own,
    )
    flags.DEFINE_list(
        "splits", [], "With --labelled: its train, validation, test or unassigned pictures only; by default all.", **own
    )
    flags.DEFINE_multi_string(
        "same_class", [], "With --labelled: THEIRS=OURS where names differ, as joy=happy; several times.", **own
    )
    flags.DEFINE_bool("copies", True, "With --labelled: look for copies among the pictures trained on.", **own)
    flags.DEFINE_string(
        "train_data", None, "With --labelled: where the run's own data lie now, if not at data.path.", **own
    )
    flags.DEFINE_bool("help", False, "Show this help.", short_name="h", **own)
    return values


def main(argv: list[str]) -> int:
    """Runs the program; returns its exit status: 0 done, 1 some pictures got no answer, 2 an error
    of the user's, 130 stopped.
    """
    return run_program(_main, argv)


def _main(argv: list[str]) -> int:
    values = _declare()
    try:
        given = values(argv)[1:]
    except flags.Error as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    if values.help:
        print(f"{__doc__}\n{USAGE}\n{values.get_help()}")
        return 0
    wrong = _misuse(values, given)
    if wrong:
        print(f"error: {wrong}; {USAGE}", file=sys.stderr)
        return 2

    # JAX takes seconds to import; errors above need not wait for it.
    from fer_jax.train import hardware

    hardware.use_compilation_cache(cache.root() / "compiled")
    run = load_run(given[0])
    ensemble = _ensemble(run, values)
    if values.labelled:
        return _evaluate(ensemble, values, given[1])
    try:
        threshold, why = ensemble.threshold(values.score), ""
    except RunError as error:
        threshold, why = None, str(error)
    answers = classify(ensemble, find_pictures(given[1:]), values.faces, values.tta, values.score)
    writer = _Json if values.json else _Csv if values.csv else _Table
    return writer(ensemble, values, threshold, why).write(answers, sys.stdout)


def _misuse(values: flags.FlagValues, given: Sequence[str]) -> str:
    if len(given) < 2:
        return "name a run and a picture or a folder"
    if values.json and values.csv:
        return "--json and --csv: choose one"
    if values.trial and (values.top or values.by or values.where):
        return "--trial names the network, --top, --by and --where choose points: leave one out"
    if values.labelled and len(given) > 2:
        return "--labelled asks about one data set: name one"
    for name in _PICTURES_ONLY if values.labelled else _LABELLED_ONLY:
        if values[name].present:
            return (
                f"--{name} says nothing with --labelled: leave one out"
                if values.labelled
                else f"--{name} needs --labelled"
            )
    return ""


def _evaluate(ensemble: Ensemble, values: flags.FlagValues, path: str) -> int:
    """Prints what the networks' answers are worth on a labelled data set; without their own data,
    without its copies.
    """
    same = {}
    for text in values.same_class:
        theirs, equals, ours = text.partition("=")
        if not (theirs and equals and ours):
            raise ConfigError(f"--same_class={text}: write THEIRS=OURS, such as --same_class=joy=happy")
        same[theirs.strip()] = ours.strip()
    options = {"splits": values.splits, "classes": same, "tta": values.tta}
    copies, why = values.copies, ""
    if copies:
        try:
            for member in ensemble.members:
                member.dataset(values.train_data)
        except FerJaxError as error:
            copies, why = False, str(error)
    found = external.evaluate(ensemble, path, copies=copies, train_path=values.train_data, **options)
    asked, label = ensemble.members[0].run.path, ensemble.members[0].data.get("label", "unknown data")
    if values.json:
        networks = {
            "run": str(asked),
            "networks": ensemble.label,
            "trials": [one.id for one in ensemble.members],
            "trained_on": label,
        }
        print(
            json.dumps({**networks, "copies_not_sought": why or None, **found.to_json()}, indent=2, ensure_ascii=False)
        )
    else:
        print("\n".join([f"{ensemble.label} of {asked}, trained on {label}", *external.describe(found, why)]))
    return 0


def _ensemble(run: Run, values: flags.FlagValues) -> Ensemble:
    if not values.trial:
        return run.ensemble(values.by, values.top or 1, **_wanted(run, values.where))
    members = tuple({trial.id: trial for trial in map(run.trial, values.trial)}.values())
    return Ensemble(members, f"trial {members[0].id}" if len(members) == 1 else f"{len(members)} trials")


def _wanted(run: Run, conditions: Sequence[str]) -> dict[str, Any]:
    """field -> value, as `Run.select` takes them, from FIELD=VALUE."""
    wanted = {}
    for condition in conditions:
        name, equals, text = condition.partition("=")
        if not (name and equals):
            raise ConfigError(f"--where={condition}: write FIELD=VALUE, such as --where=learning_rate=1e-3")
        wanted[name] = fields.FIELDS[run.field_name(name)].parse(text)
    return wanted


class _Output:
    """Prints answers as they come, and what got none on stderr."""

    def __init__(self, ensemble: Ensemble, values: flags.FlagValues, threshold: float | None, why: str):
        self.ensemble, self.classes, self.values = ensemble, ensemble.classes, values
        self.threshold, self.why = threshold, why

    def write(self, answers: Iterable[Answer | Failure], file: TextIO) -> int:
        """The program's exit status: 1 if a picture got no answer."""
        self.begin(file)
        failed = 0
        for one in answers:
            if isinstance(one, Failure):
                failed += 1
                print(f"error: {shown(one.picture)} {one.reason}", file=sys.stderr)
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
        """Columns of the classes, the most probable first."""
        return np.argsort(-answer.probabilities, kind="stable")

    def unlike(self, answer: Answer) -> bool | None:
        """Whether it scores less than nearly all validation pictures; None where there is no
        threshold.
        """
        return None if self.threshold is None else answer.score < self.threshold


class _Table(_Output):
    """Aligned columns, a row a picture or face, with what answered in front."""

    def begin(self, file: TextIO) -> None:
        member = self.ensemble.members[0]
        spread = "; probabilities are means ± standard deviations over them" if len(self.ensemble.members) > 1 else ""
        print(
            f"{self.ensemble.label} of {member.run.path}, trained on {member.data.get('label', 'unknown data')}{spread}",
            file=file,
        )
        if self.threshold is None:
            print(f"no threshold for the {self.values.score} score: {self.why}", file=file)
        else:
            share = f"at most about {BELOW:.0%} of the validation pictures score below {self.threshold:.2f}"
            print(f"score: {self.values.score}; {share}, and what does is marked *", file=file)
        self.rows: list[list[str]] = []

    def answer(self, answer: Answer, file: TextIO) -> None:
        width = max(map(len, self.classes))
        cells = [shown(answer.picture)]
        if self.values.faces:
            cells.append("-" if answer.box is None else ",".join(map(str, answer.box)))
        for column in self.best(answer)[: self.values.show]:
            spread = "" if math.isnan(answer.sd[column]) else f" ± {answer.sd[column]:.3f}"
            cells.append(f"{self.classes[column]:{width}} {answer.probabilities[column]:.3f}{spread}")
        cells.append(f"{answer.score:7.2f}{' *' if self.unlike(answer) else ''}")
        self.rows.append(cells)

    def end(self, file: TextIO) -> None:
        count = min(self.values.show, len(self.classes))
        head = ["picture", *(["face"] if self.values.faces else []), "most probable", *[""] * (count - 1), "  score"]
        table = [head, *self.rows]
        widths = [max(len(row[column]) for row in table) for column in range(len(head))]
        for row in table if self.rows else []:
            print("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip(), file=file)


class _Csv(_Output):
    """A row a picture or face: probabilities and their sd in the classes' own order."""

    def begin(self, file: TextIO) -> None:
        columns = [f"probability_{name}" for name in self.classes] + [f"sd_{name}" for name in self.classes]
        self.writer = csv.writer(file, lineterminator="\n")
        self.writer.writerow(["picture", *_BOX, "answer", *columns, "score", "threshold", "unlike_training"])

    def answer(self, answer: Answer, file: TextIO) -> None:
        spread = ["" if math.isnan(sd) else f"{sd:.6g}" for sd in answer.sd]
        unlike = self.unlike(answer)
        self.writer.writerow(
            [answer.picture, *(answer.box or [""] * 4), self.classes[self.best(answer)[0]]]
            + [f"{probability:.6g}" for probability in answer.probabilities]
            + [*spread, f"{answer.score:.6g}", "" if self.threshold is None else f"{self.threshold:.6g}"]
            + ["" if unlike is None else str(unlike).lower()]
        )


class _Json(_Output):
    """One document: what answered, the pictures with their classes best first, and what got no
    answer.
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
        asked = {
            "run": str(member.run.path),
            "networks": self.ensemble.label,
            "trials": [one.id for one in self.ensemble.members],
            "data": member.data.get("label"),
            "classes": list(self.classes),
            "tta": self.values.tta,
            "score": {"kind": self.values.score, "threshold": self.threshold, "validation_share_below": BELOW},
        }
        document = {**asked, "pictures": self.pictures, "failures": self.failures}
        print(json.dumps(document, indent=2, ensure_ascii=False), file=file)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
