"""One fit of a run as a Python object: a head, and the network whose features it was fitted on."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

import numpy as np
import pandas as pd

from fer_jax import heads
from fer_jax.base.text import printable
from fer_jax.config import fields
from fer_jax.data import leaks
from fer_jax.errors import RunError
from fer_jax.heads import Features, Head
from fer_jax.results import copied
from fer_jax.results.network import TrialNetwork
from fer_jax.results.row_checks import CLEAN


@dataclasses.dataclass(frozen=True, eq=False)
class FitResult:
    """One fit of a run: a head and the trial whose features it was fitted on.

    Attributes:
        trial: the trained trial.
        row: its row of `run.heads`.
    """

    trial: TrialNetwork
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

    def accuracy_without_copies(self, split: str = "test", path: str | None = None) -> float:
        """Returns the fit's accuracy on the images of a split that have no copy in an earlier one.

        It is that of heads.csv; where a version before it was recorded did the fit, the head is
        asked again, about its stored features or else about the images.

        Args:
            split: 'validation' or 'test'.
            path: as for `TrialResult.dataset`.

        Returns:
            In [0, 1]; NaN as for `TrialResult.accuracy_without_copies`.

        Raises:
            RunError: another split, or as for `head`.
            DataError: the features are gone, and the data cannot be read.
        """
        stored = self.row.get(f"{copied.prefix(split)}_{CLEAN}")
        if pd.notna(stored):
            return float(stored)
        found = copied.images(self.trial, split, path)
        if found is None or found.all():
            return math.nan
        run, data = self.trial.run, self.trial.data
        features, rows = run.directory.features, {name: sum(some.values()) for name, some in data["counts"].items()}
        if run.has_targets(data["checksum"]) and features.has(self.trial.id, self.layer, rows, self.weights):
            probabilities = self.head.probabilities(features.read(self.trial.id, self.layer, self.weights)[split])
            labels = run.targets(data["checksum"])[f"{split}_labels"]
        else:
            own = self.trial.split(split, path)
            probabilities, labels = self.predict(own.images), own.labels
        return float(leaks.accuracy_without(probabilities.argmax(axis=1) == labels, found))


def _is_empty(value: Any) -> bool:
    return value is None or value is pd.NA or value == "" or (isinstance(value, float) and value != value)
