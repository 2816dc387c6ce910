"""Several trained networks asked as one: the mean of their probabilities and how far they differ.

The repeats of a sweep are an ensemble for free (deep ensembles: Lakshminarayanan, Pritzel and
Blundell 2017, Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles). Members
are chosen on the validation split; the test split is read afterwards.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from fer_jax.analysis import metrics, outliers, statistics
from fer_jax.analysis.answers import Dead, dead_words
from fer_jax.base.text import counted, printable, sentence
from fer_jax.data import leaks
from fer_jax.errors import RunError
from fer_jax.results import shown, trial
from fer_jax.results.record import RunRecord
from fer_jax.results.trial import TrialResult


@dataclasses.dataclass(frozen=True, eq=False)
class Ensemble:
    """Networks over the same classes, whose probabilities are averaged.

    Attributes:
        members: the trials, one or more.
        label: what they are, such as '5 repeats of the best point by val_accuracy'.
    """

    members: tuple[TrialResult, ...]
    label: str = ""

    def __post_init__(self) -> None:
        if not self.members:
            raise RunError("an ensemble needs a member: name a trial")
        for other in self.members[1:]:
            if other.classes != self.classes:
                raise RunError(
                    f"trials {self.members[0].id} and {other.id} tell apart different classes "
                    f"({', '.join(self.classes)}; {', '.join(other.classes)}): their probabilities have no mean"
                )

    def __repr__(self) -> str:
        dead = len(self.dead)
        what = self.label or counted(len(self.members), "trial")
        return printable(f"<ensemble of {what}{f'; {dead} dead' if dead else ''}>")

    def _repr_html_(self) -> str:
        """Returns what a notebook shows: what the ensemble and its members score."""
        label, rows = self.label or counted(len(self.members), "trial"), [member.row for member in self.members]
        try:
            scores = self.row()
        except RunError:  # no answers are stored, or those of different pictures
            scores = {}
        return shown.of_ensemble(label, rows, scores, sentence(self.warning) if self.warning else "")

    @functools.cached_property
    def dead(self) -> dict[str, Dead]:
        """The members whose networks are dead, by id, as far as predictions are stored."""
        return {member.id: member.dead for member in self.members if member.dead is not None}

    @property
    def warning(self) -> str:
        """What its answers are worth where members are dead, in words; '' where none is."""
        words = dead_words(self.dead.values(), len(self.members), "member")
        if not words:
            return ""
        if len(self.members) == 1:
            return f"{words}; its answers mean nothing"
        return f"{words}; {'their' if len(self.dead) > 1 else 'its'} part in the answers means nothing"

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the columns `predict` returns."""
        return self.members[0].classes

    def predict(self, images: Any, tta: str | None = None) -> np.ndarray:
        """Returns the members' mean class probabilities, float32 (n, K), rows summing to 1.

        Arguments and errors are those of `TrialResult.predict`. Members that take images of
        different sizes refuse what is not of theirs: `prediction.pictures` fits files to each.
        """
        return self.all_probabilities(images, tta).mean(axis=0)

    def spread(self, images: Any, tta: str | None = None) -> np.ndarray:
        """Returns the standard deviation of the members' probabilities, float32 (n, K).

        See the function `spread`; arguments and errors are as for `predict`.
        """
        return spread(self.all_probabilities(images, tta))

    def all_probabilities(self, images: Any, tta: str | None = None) -> np.ndarray:
        """Returns the probabilities of each member, float32 (m, n, K)."""
        return np.stack([member.predict(images, tta=tta) for member in self.members])

    def logits(self, images: Any) -> np.ndarray:
        """Returns the output of each member's last layer, float32 (m, n, K), before the softmax.

        Arguments and errors are as for `predict`.
        """
        return np.stack([member.image_logits(images) for member in self.members])

    def score(self, images: Any, kind: str = "energy") -> np.ndarray:
        """Returns how much images are like the training data, float64 (n,).

        It is the mean of the members' scores; see `analysis.outliers`.
        """
        return outliers.score(kind, self.logits(images)).mean(axis=0)

    def threshold(self, kind: str = "energy") -> float:
        """Returns the score that 5 % of the validation images do not reach, by stored logits.

        Raises:
            RunError: another kind of score, members of different data, data without a validation
                split, or none stored.
        """
        logits = np.stack([member.logits("validation") for member in self._alike("validation")])
        return outliers.threshold(outliers.score(kind, logits).mean(axis=0))

    def probabilities(self, split: str = "test") -> np.ndarray:
        """Returns the mean of the members' stored probabilities, float64 (n, K).

        Args:
            split: 'validation' or 'test'.

        Raises:
            RunError: another split, one of which the members have different images, or a member
                without stored predictions.
        """
        return np.mean([member.probabilities(split) for member in self._alike(split)], axis=0)

    def labels(self, split: str = "test") -> np.ndarray:
        """Returns the labels of the images of `probabilities`, int32 (n,); errors as there."""
        return self._alike(split)[0].labels(split)

    def metrics(self, split: str = "test") -> dict[str, float]:
        """Returns accuracy, f1, auc, log_loss and more of the mean probabilities on a split.

        They are those of `metrics.overall`. Where some images have an exact copy in an earlier
        split, 'accuracy_clean' is the accuracy without them. Errors are as for `probabilities`.
        """
        mean, labels = self.probabilities(split), self.labels(split)
        found = {name: float(values[0]) for name, values in metrics.overall(mean[None], labels).items()}
        leaked = self.members[0].leaked(split)
        if leaked.any() and not leaked.all():
            found["accuracy_clean"] = float(leaks.accuracy_without(mean.argmax(axis=1) == labels, leaked))
        return found

    def accuracy(self, split: str = "test") -> float:
        """Returns the share of the split's images whose most probable class is theirs, in [0, 1].

        Errors are as for `probabilities`.
        """
        return float(np.mean(self.probabilities(split).argmax(axis=1) == self.labels(split)))

    def row(self) -> dict[str, Any]:
        """Returns the ensemble as a row of a table.

        Returns:
            'label', 'members' (their number) and, for each held-out split that all members have,
            `metrics` as val_accuracy, test_f1, ..., and the mean and sd of the members' own
            accuracies, val_accuracy_members_mean, test_accuracy_members_sd, ... Folds have a test
            split in common, and no validation split.

        Raises:
            RunError: as for `probabilities`, if the members have neither split in common.
        """
        found: dict[str, Any] = {"label": self.label, "members": len(self.members)}
        common = [
            split for split in ("validation", "test") if self.members[0].has_split(split) and self._same_images(split)
        ]
        if not common:
            self._alike("validation")  # says why
        for split in common:
            prefix = "val" if split == "validation" else split
            found |= {f"{prefix}_{name}": value for name, value in self.metrics(split).items()}
            labels = self.labels(split)
            own = np.array([np.mean(member.probabilities(split).argmax(axis=1) == labels) for member in self.members])
            found[f"{prefix}_accuracy_members_mean"] = float(own.mean())
            found[f"{prefix}_accuracy_members_sd"] = float(own.std(ddof=1)) if len(own) > 1 else float("nan")
        return found

    def _alike(self, split: str) -> tuple[TrialResult, ...]:
        """Returns the members; RunError if their stored predictions are of different images."""
        if not self._same_images(split):
            raise RunError(
                f"the members of {self!r} have different {split} pictures, of different data or folds: none has a mean"
            )
        return self.members

    def _same_images(self, split: str) -> bool:
        """Tells whether the members have one split; folds of one data set have one test split."""
        return (
            len({(member.data.get("held_out") or {}).get(split, member.data["checksum"]) for member in self.members})
            == 1
        )


def spread(probabilities: np.ndarray) -> np.ndarray:
    """Returns the standard deviation (divisor m - 1) over the members, (n, K) for (m, n, K).

    It is NaN for a single member.
    """
    if len(probabilities) < 2:
        return np.full(probabilities.shape[1:], np.nan, probabilities.dtype)
    return probabilities.std(axis=0, ddof=1)


def best_points(run: RunRecord, metric: str, labels: Sequence[Any], together: int = 1) -> Ensemble:
    """Returns the done trials of some points.

    Args:
        run: the run.
        metric: the metric that chose the points.
        labels: of the points in `run.summary`, best first.
        together: points that are best together, see `ranking.best_together`.
    """
    members = tuple(member for label in labels for member in _repeats(run, label))
    if len(labels) == 1:
        which = "1 network" if len(members) == 1 else f"{len(members)} repeats"
        point = "the best point" if together == 1 else f"the first of {together} equally good best points"
        return Ensemble(members, f"{which} of {point} by {metric}")
    return Ensemble(members, f"{counted(len(members), 'network')} of the {len(labels)} best points by {metric}")


def _repeats(run: RunRecord, label: Any) -> list[TrialResult]:
    """Returns the done trials of one point."""
    codes, _ = statistics.point_codes(run.trials, run.swept)
    rows = run.trials[(codes == label) & (run.trials["status"] == "done").to_numpy()]
    return [trial.find(run, id) for id in rows["id"]]
