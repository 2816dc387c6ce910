"""One trial of a run as a Python object: its metrics, its stored predictions and its networks,
ready to classify images.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from fer_jax import heads
from fer_jax.analysis import fits, metrics, statistics
from fer_jax.analysis.answers import Answers, Dead, dead, dead_words
from fer_jax.base import console
from fer_jax.base.text import did_you_mean, printable, sentence
from fer_jax.config import fields
from fer_jax.errors import ConfigError, DamagedError, RunError
from fer_jax.heads import Features, Head
from fer_jax.results import shown
from fer_jax.results.network import TrialNetwork
from fer_jax.results.record import RunRecord


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TrialResult(TrialNetwork):
    """One trial of a run: its settings, metrics, stored predictions and networks.

    Attributes:
        run: the run it belongs to.
        row: its row of `run.trials`.
    """

    def _repr_html_(self) -> str:
        """Returns what a notebook shows: the trial's settings and what it scored."""
        dead = dead_words([self.dead], 1, "trial") if self.dead else ""
        return shown.of_trial(self.run, self.row, sentence(dead) if dead else "")

    @property
    def curves(self) -> pd.DataFrame:
        """The trial's rows of `run.curves`."""
        return self.run.curves[self.run.curves["id"] == self.id].reset_index(drop=True)

    def logits(self, split: str = "test") -> np.ndarray:
        """Returns what the network gave for a held-out split's images when its training ended.

        Args:
            split: 'validation' or 'test'.

        Returns:
            Logits by the weights that validation chose, float32 (n, K), in the order of the split,
            columns as `classes`.

        Raises:
            DamagedError: what was kept is damaged, or not finite.
            RunError: another split, one that the data do not have, or none kept: the trial is not
                done, diverged in its first epoch, or the run was trained before logits were kept.
        """
        # First, since a split that is not there says more than predictions that are not.
        images = len(self._targets(split)["labels"])
        wave, slot = self.row.get("wave", ""), self.row.get("slot")
        has_results = bool(wave) and not pd.isna(slot) and self.status in (*statistics.ANSWERED, "diverged")
        if has_results:
            self._check_learnt()
        found = self.run.directory.predictions.read(wave, split, int(slot)) if has_results else None
        if found is None:
            why = "was trained before they were kept, or they were deleted" if has_results else f"is {self.status}"
            raise RunError(f"trial {self.id} of {self.run.path} has no stored predictions: it {why}")
        if found.shape != (images, len(self.classes)) or found.dtype != np.float32:
            raise RunError(
                f"predictions of trial {self.id} in {self.run.path / 'predictions'} are damaged: {found.shape} of "
                f"{found.dtype} for {images} images of {len(self.classes)} classes; delete {wave}-{split}.npy"
            )
        if not np.isfinite(found).all():
            raise DamagedError(f"stored predictions of trial {self.id} of {self.run.path} on {split} are not finite")
        return found

    def probabilities(self, split: str = "test") -> np.ndarray:
        """Returns `logits` as class probabilities, float64 (n, K); errors as there."""
        return special.softmax(self.logits(split).astype(np.float64), axis=-1)

    @functools.cached_property
    def dead(self) -> Dead | None:
        """What a dead network answers to nearly every validation image; see `answers.dead`.

        None for any other network, and where no validation predictions are stored.
        """
        try:
            logits, labels = self.logits("validation"), self.labels("validation")
        except RunError:
            return None
        if logits.shape[0] != len(labels) or not np.isfinite(logits).all():
            return None
        return dead(Answers(logits.argmax(axis=1), labels, self.classes, self.id))

    def labels(self, split: str = "test") -> np.ndarray:
        """Returns the labels of a split's images, int32 (n,), indices into `classes`.

        Images and errors are as for `logits`.
        """
        return self._targets(split)["labels"]

    def leaked(self, split: str = "test") -> np.ndarray:
        """Tells which images of a split have an exact copy in an earlier split, bool (n,).

        That is the training split and, for 'test', also the validation split. Images and errors
        are as for `logits`.
        """
        return self._targets(split)["leaked"]

    def _targets(self, split: str) -> dict[str, np.ndarray]:
        """Returns 'labels' and what else is stored of a held-out split."""
        if split not in ("validation", "test"):
            raise RunError(f"split = {split!r}: predictions are stored of 'validation' and 'test'")
        stored = self.run.targets(self.data["checksum"])
        if f"{split}_labels" not in stored:
            raise RunError(f"the data of {self.run.path} have no {split} split")
        return {name.removeprefix(f"{split}_"): array for name, array in stored.items() if name.startswith(f"{split}_")}

    def has_split(self, split: str) -> bool:
        """Tells whether predictions are stored on 'validation' or 'test'."""
        return f"{split}_labels" in self.run.targets(self.data["checksum"])

    @property
    def heads(self) -> pd.DataFrame:
        """The trial's rows of `run.heads`."""
        return self.run.heads[self.run.heads["id"] == self.id].reset_index(drop=True)

    def head(self, **wanted: Any) -> FitResult:
        """Returns the trial's one fit with these values: `head(layer="dense_0", max_depth=6)`.

        Args:
            **wanted: head field=value; a field is what follows 'head.'. A single fit needs none.

        Raises:
            RunError: no head field of that name, a value it cannot have, no such fit, or several.
        """
        rows = self.heads
        if not len(rows):
            raise RunError(f"trial {self.id} of {self.run.path} has no fits: sweep with a head.kind, such as xgboost")
        for keyword, value in wanted.items():
            name = f"head.{keyword}"
            known = [known.removeprefix("head.") for known in fits.head_columns(rows)]
            if keyword not in known:
                raise RunError(f"no field {name}; {did_you_mean(keyword, known)}")
            try:
                value = fields.FIELDS[name].coerce(value)
            except ConfigError as error:
                raise RunError(str(error)) from None
            rows = rows[[statistics.hashable(one) == value for one in rows[name]]]
        if len(rows) == 1:
            return FitResult(self, rows.iloc[0])
        said = ", ".join(f"{name} = {value}" for name, value in wanted.items()) or "any setting"
        if not len(rows):
            raise RunError(
                f"trial {self.id} of {self.run.path} has no fit with {said}; trial.heads lists {len(self.heads)}"
            )
        varied = [
            name
            for name in fits.head_columns(rows)
            if rows[name].astype(object).map(statistics.hashable).nunique(dropna=False) > 1
        ]
        more = ", ".join(name.removeprefix("head.") for name in varied)
        raise RunError(f"trial {self.id} of {self.run.path} has {len(rows)} fits with {said}: name more of {more}")

    def confusion_matrix(self, split: str = "test", path: str | None = None, normalize: bool = False) -> pd.DataFrame:
        """Counts images by true class (rows) and predicted class (columns).

        The weights are those that validation chose. Stored predictions of a held-out split serve
        where there are some; then neither data nor network are needed.

        Args:
            split: 'test', 'validation' or 'train'.
            path: as for `dataset`; asks the network anew.
            normalize: shares of each row's images instead, in [0, 1]; 0 in the row of a class
                without images, as scikit-learn has it.

        Raises:
            RunError: no such split, other data than the run's, or no weights.
            DataError: the data cannot be read.
        """
        probabilities, labels = self._predictions(split, "best", path)
        counts = metrics.confusion(probabilities[None], labels)[0]
        support = counts.sum(axis=1, keepdims=True)
        values = counts / np.maximum(support, 1) if normalize else counts
        return pd.DataFrame(
            values, index=pd.Index(self.classes, name="true"), columns=pd.Index(self.classes, name="predicted")
        )

    def binarised(
        self,
        positive: Sequence[str],
        split: str = "test",
        threshold: float = 0.5,
        weights: str = "best",
        path: str | None = None,
    ) -> dict[str, float]:
        """Returns metrics of 'one of the positive classes or not' for a network of more classes.

        An image is called positive if the probabilities of the positive classes sum to `threshold`
        or more. Compare thresholds on the validation split: the test split is for the one that was
        chosen.

        Args:
            positive: names of some of `classes`, in any spelling `data.names.canonical` knows.
            split: 'test', 'validation' or 'train'.
            threshold: in [0, 1].
            weights: as for `predict`.
            path: as for `dataset`; without it stored predictions serve, where there are some.

        Returns:
            accuracy, loss (nats), precision, recall, f1 (means over both classes) and auc; see
            `metrics.binarise`.

        Raises:
            ConfigError: an unknown class, or none or all of them positive.
            RunError: no such split, a threshold out of range, other data than the run's, or no
                weights.
            DataError: the data cannot be read.
        """
        metrics.positive_columns(self.classes, positive)
        if not 0 <= threshold <= 1:
            raise RunError(f"threshold = {threshold}: must be in [0, 1], a share of the probability")
        return metrics.binarise(*self._predictions(split, weights, path), self.classes, positive, threshold)

    def _predictions(self, split: str, weights: str, path: str | None) -> tuple[np.ndarray, np.ndarray]:
        """Returns probabilities (n, K) and labels (n,) of a split.

        They are the stored ones if these are asked for, else those that the network gives now.
        """
        if weights == "best" and path is None and split in ("validation", "test"):
            with contextlib.suppress(RunError):
                return self.probabilities(split), self.labels(split)
        found = self.split(split, path)
        return self.predict(found.images, weights), found.labels


@dataclasses.dataclass(frozen=True, eq=False)
class FitResult:
    """One fit of a run: a head and the trial whose features it was fitted on.

    Attributes:
        trial: the trained trial.
        row: its row of `run.heads`.
    """

    trial: TrialResult
    row: pd.Series

    def __repr__(self) -> str:
        kind, status = self.settings["head.kind"], self.row["status"]
        return printable(f"<fit {self.id} of trial {self.trial.id}: {kind} on {self.layer}, {status}>")

    @property
    def id(self) -> str:
        """The fit's id, ten hex digits."""
        return self.row["fit"]

    @property
    def layer(self) -> str:
        """The name of the layer that gives the features."""
        return self.settings["head.layer"]

    @property
    def weights(self) -> str:
        """The weights that gave the features: 'best', those that validation chose, or 'last'."""
        return self.settings["head.weights"]

    @functools.cached_property
    def settings(self) -> dict[str, Any]:
        """The head fields that count with its kind, dotted name -> value."""
        known = {name: field for name, field in fields.FIELDS.items() if field.kind == "head"}
        return {name: field.coerce(self.row[name]) for name, field in known.items() if not _is_empty(self.row[name])}

    @functools.cached_property
    def head(self) -> Head:
        """The classifier: `probabilities(features)`, `importances`, `rounds`.

        Raises:
            RunError: it failed, is not fitted yet, or its file is gone or damaged.
            DataError: nearest neighbours need the training labels, and the data cannot be read.
        """
        if self.row["status"] != "done":
            why = f" ({self.row['error']})" if self.row["error"] else ""
            raise RunError(
                f"fit {self.id} of {self.trial.run.path} has no classifier: its status is {self.row['status']}{why}"
            )
        directory, classes = self.trial.run.directory, len(self.trial.classes)
        if heads.kept(self.settings):
            suffix = heads.suffix(self.settings)
            content = directory.read_head(self.id, suffix)
            try:
                return heads.load(self.settings, content, classes)
            except RunError as error:
                raise RunError(f"{directory.path / 'heads' / f'{self.id}.{suffix}'}: {error}") from None
        labels = {name: split.labels for name, split in self.trial.dataset().splits().items()}
        rows = {name: len(some) for name, some in labels.items()}
        if not directory.features.has(self.trial.id, self.layer, rows, self.weights):
            raise RunError(
                f"the features of trial {self.trial.id} at {self.layer} are gone or damaged: start the sweep again"
            )
        features = directory.features.read(self.trial.id, self.layer, self.weights)
        return heads.fit(self.settings, Features(features, labels, classes), self.trial.config.train.seed)

    @property
    def importances(self) -> np.ndarray | None:
        """The share of each feature in what the trees gained, float (F,) summing to 1.

        None where no tree has a split.
        """
        return self.head.importances

    def predict(self, images: Any) -> np.ndarray:
        """Returns class probabilities of images, both as `TrialResult.predict` has them.

        The features come from `weights`, as those that the head was fitted on. A linear SVM has
        margins, not probabilities: theirs is the order of the classes, not a calibrated share.

        Raises:
            RunError: images of another size, kind or range, or as for `head`.
        """
        features = self.trial.features(images, self.layer, self.weights)
        return self.head.probabilities(features.reshape(len(features), math.prod(features.shape[1:])))


def find(run: RunRecord, id: str) -> TrialResult:
    """Returns the trial with this id, or with the one id that begins so.

    Raises:
        RunError: no such trial (it names near ones), or several.
    """
    if not isinstance(id, str):
        raise RunError(
            f"trial id {id!r}: ids are text; run.trials['id'] lists them and run.select(seed=0) finds by value"
        )
    ids = run.trials["id"].to_numpy()
    matches = np.flatnonzero(ids == id)
    if id and not len(matches):
        matches = np.flatnonzero([known.startswith(id) for known in ids])
    if len(matches) > 1:
        some = ", ".join([*ids[matches[:4]], *["..."] * (len(matches) > 4)])
        raise RunError(f"trial id {id!r} is ambiguous in {run.path}: {some}")
    if not len(matches):
        raise RunError(f"no trial {id!r} in {run.path}; {did_you_mean(id, list(ids))}")
    return TrialResult(run, run.trials.iloc[matches[0]])


def select(run: RunRecord, **wanted: Any) -> list[TrialResult]:
    """Returns the trials with some values, in plan order.

    `RunRecord.matching` says which values there are and what is raised.
    """
    return [TrialResult(run, row) for _, row in run.trials[run.matching(run.trials, wanted)].iterrows()]


def _is_empty(value: Any) -> bool:
    return value is None or value is pd.NA or value == "" or (isinstance(value, float) and value != value)


def with_answers(trials: Sequence[TrialResult], split: str) -> list[TrialResult]:
    """Returns the trials that have stored predictions on a split, whole and finite.

    Damaged ones are named on stderr.
    """
    found = []
    for trial in trials:
        try:
            trial.logits(split)
        except DamagedError as error:
            console.say_once(str(error))
        except RunError:
            continue
        else:
            found.append(trial)
    return found
