"""A fitted head of a trial: a classifier that takes the network's features and answers for
pictures.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fer_jax import heads
from fer_jax.analysis import fits, statistics
from fer_jax.base.text import did_you_mean
from fer_jax.config import fields
from fer_jax.errors import ConfigError, RunError
from fer_jax.heads import Features, Head

if TYPE_CHECKING:
    from fer_jax.results.trial import TrialResult


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
        return f"<fit {self.id} of trial {self.trial.id}: {self.settings['head.kind']} on {self.layer}, {self.row['status']}>"

    @property
    def id(self) -> str:
        return self.row["fit"]

    @property
    def layer(self) -> str:
        """Name of the layer that gives the features."""
        return self.settings["head.layer"]

    @functools.cached_property
    def settings(self) -> dict[str, Any]:
        """Dotted name -> value of the head fields that count with its kind."""
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
        directory, classes = self.trial.run._directory, len(self.trial.classes)
        if heads.kept(self.settings):
            suffix = heads.suffix(self.settings)
            content = directory.read_head(self.id, suffix)
            try:
                return heads.load(self.settings, content, classes)
            except RunError as error:
                raise RunError(f"{directory.path / 'heads' / f'{self.id}.{suffix}'}: {error}") from None
        labels = {name: split.labels for name, split in self.trial.dataset().splits().items()}
        if not directory.features.has(self.trial.id, self.layer, {name: len(some) for name, some in labels.items()}):
            raise RunError(
                f"the features of trial {self.trial.id} at {self.layer} are gone or damaged: start the sweep again"
            )
        features = directory.features.read(self.trial.id, self.layer)
        return heads.fit(self.settings, Features(features, labels, classes), int(self.row["seed"]))

    @property
    def importances(self) -> np.ndarray | None:
        """Share of each feature in what the trees gained, float (F,) summing to 1; None where no
        tree has a split.
        """
        return self.head.importances

    def predict(self, images: Any) -> np.ndarray:
        """Class probabilities of pictures, as `TrialResult.predict` takes and gives them.

        They come from the weights that validation chose. A linear SVM has margins, not
        probabilities: theirs is the order of the classes, not a calibrated share.

        Raises:
            RunError: images of another size, kind or range, or as for `head`.
        """
        features = self.trial.features(images, self.layer)
        return self.head.probabilities(features.reshape(len(features), math.prod(features.shape[1:])))


def find(trial: TrialResult, wanted: Mapping[str, Any]) -> FitResult:
    """See `TrialResult.head`."""
    rows = trial.heads
    if not len(rows):
        raise RunError(f"trial {trial.id} of {trial.run.path} has no fits: sweep with a head.kind, such as xgboost")
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
        return FitResult(trial, rows.iloc[0])
    said = ", ".join(f"{name} = {value}" for name, value in wanted.items()) or "any setting"
    if not len(rows):
        raise RunError(
            f"trial {trial.id} of {trial.run.path} has no fit with {said}; trial.heads lists {len(trial.heads)}"
        )
    varied = [
        name
        for name in fits.head_columns(rows)
        if rows[name].astype(object).map(statistics.hashable).nunique(dropna=False) > 1
    ]
    more = ", ".join(name.removeprefix("head.") for name in varied)
    raise RunError(f"trial {trial.id} of {trial.run.path} has {len(rows)} fits with {said}: name more of {more}")


def _is_empty(value: Any) -> bool:
    return value is None or value is pd.NA or value == "" or (isinstance(value, float) and value != value)
