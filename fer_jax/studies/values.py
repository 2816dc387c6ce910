"""What the trials of an experiment came to in one metric: at both weights, by epoch, on images
without a copy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from fer_jax.analysis import metrics
from fer_jax.analysis.fits import SPLITS, network_column, relative_gain
from fer_jax.data.names import canonical
from fer_jax.errors import ConfigError, FerJaxError, RunError
from fer_jax.prediction.external import Evaluation, evaluate
from fer_jax.results import copied
from fer_jax.results.fit import FitResult
from fer_jax.results.trial import TrialResult
from fer_jax.studies.paper import Experiment, PublishedMatrix

# The split, in the name of a metric, that is another data set.
EXTERNAL = "external"
# Of a head: its network's accuracy on the same images by the same weights, and what it adds to
# that, as a share of it.
NETWORK_ACCURACY, RELATIVE_GAIN = "network_accuracy", "relative_gain"
HEAD_METRICS = (NETWORK_ACCURACY, RELATIVE_GAIN)
_BINARY = "binary_"
_STORED = ("accuracy", "loss")  # what trials.csv, heads.csv and the curves hold


class Metric(NamedTuple):
    """A metric's name in its parts.

    Attributes:
        split: 'train', 'val', 'test' or 'external'.
        quantity: what is measured there, such as 'accuracy' or 'recall_happy'.
        binary: whether it is of summed probabilities.
    """

    split: str
    quantity: str
    binary: bool

    @property
    def of_class(self) -> str:
        """The class that the quantity is of; empty for one of all classes."""
        kind, _, name = self.quantity.partition("_")
        return name if kind in metrics.CLASS_METRICS else ""

    @property
    def stored(self) -> bool:
        """Whether the tables of a run hold it."""
        return self.quantity in _STORED and not self.binary and self.split != EXTERNAL


def read_metric(name: str) -> Metric:
    """Returns the parts of a metric's name.

    For 'binary_val_auc' and for 'val_binary_auc' they are ('val', 'auc', True).

    Raises:
        ConfigError: no metric of a study.
    """
    split, _, quantity = name.removeprefix(_BINARY).partition("_")
    binary = name.startswith(_BINARY) or quantity.startswith(_BINARY)
    found = Metric(split, quantity.removeprefix(_BINARY), binary)
    of_head = found.quantity in HEAD_METRICS and not binary and split in ("val", "test")
    known = found.quantity in metrics.METRICS or found.of_class or of_head
    if split not in (*SPLITS, EXTERNAL) or not known or (binary and found.of_class not in ("", *metrics.BINARY)):
        words = (
            f"'train_', 'val_', 'test_' or 'external_' before {', '.join(metrics.METRICS)}, of a head also "
            f"'val_' or 'test_' before {' or '.join(HEAD_METRICS)}"
        )
        kinds = ", ".join(metrics.CLASS_METRICS)
        raise ConfigError(
            f"metric {name!r}: must be {words}; '_' and a class after {kinds}; "
            f"'{_BINARY}' before that for summed probabilities, whose classes are positive and negative"
        )
    return found


class Values:
    """The values of an experiment's trials; what needs a network is computed once.

    Args:
        experiment: whose trials they are.
        head: the values of every head field where it is about a head; else empty.
        external: path of the labelled data set that 'external_' metrics are of; '' for none.
    """

    def __init__(self, experiment: Experiment, head: Mapping[str, Any], external: str):
        self.positive = experiment.positive
        self.head = head
        self.external, self.external_name = external, experiment.external
        self._answers: dict[tuple[str, str, str], tuple[np.ndarray, np.ndarray]] = {}
        self._metrics: dict[tuple[str, str, str, bool], dict[str, float]] = {}
        self._evaluated: dict[tuple[str, str], Evaluation] = {}

    def of(self, trials: Sequence[TrialResult], metric: str, weights: str, why: list[str]) -> tuple[float, ...]:
        """Returns one value a trial, NaN where there is none.

        Args:
            trials: done ones.
            metric: as in `Published.metric`.
            weights: 'best' or 'last'.
            why: what stands in the way is added to it.
        """
        asked = read_metric(metric)
        if self.head and weights != self.head["head.weights"]:
            return (math.nan,) * len(trials)  # a head is fitted on the features of these weights alone
        try:
            return tuple(self._value(trial, metric, asked, weights) for trial in trials)
        except FerJaxError as error:
            why.append(str(error))
            return (math.nan,) * len(trials)

    def _value(self, trial: TrialResult, metric: str, asked: Metric, weights: str) -> float:
        if asked.quantity in HEAD_METRICS:
            if not self.head:
                raise RunError(f"{asked.quantity} is of a head: name a head field in the experiment's point")
            network = self._network(trial, asked.split)
            if asked.quantity == NETWORK_ACCURACY:
                return network
            return relative_gain(float(self.fit(trial).row[f"{asked.split}_accuracy"]), network)
        if asked.stored:
            row = self.fit(trial).row if self.head else trial.row
            value = row.get(metric if self.head or weights == "best" else f"last_{metric}")
            return math.nan if value is None else float(value)
        return self._measured(trial, weights, asked.split, asked.binary).get(_spelt(asked), math.nan)

    def network(self, trials: Sequence[TrialResult], metric: str) -> tuple[float, ...]:
        """Returns the accuracy of the networks that heads are fitted on, one a trial.

        It is that on the same images and by the same weights; () for what is no accuracy of a head.
        """
        asked = read_metric(metric)
        if not self.head or not asked.stored or asked.quantity != "accuracy":
            return ()
        return tuple(self._network(trial, asked.split) for trial in trials)

    def _network(self, trial: TrialResult, split: str) -> float:
        value = trial.row.get(network_column(split, self.head["head.weights"]))
        return math.nan if value is None else float(value)

    def by_epoch(self, trials: Sequence[TrialResult], metric: str) -> dict[int, tuple[float, ...]]:
        """Returns a metric after each epoch of the second half, one value a trial.

        A trial that ended before keeps its last value. It is empty where curves do not hold the
        metric.
        """
        asked = read_metric(metric)
        if not asked.stored or asked.split == "test" or self.head:
            return {}
        curves = [trial.curves for trial in trials]
        if not all(len(one) and metric in one for one in curves):
            return {}
        grid = pd.DataFrame({number: one.groupby("epoch")[metric].last() for number, one in enumerate(curves)}).ffill()
        grid = grid[grid.index >= (grid.index.max() + 1) // 2].dropna()
        return {int(epoch): tuple(row) for epoch, row in zip(grid.index, grid.to_numpy(dtype=float), strict=True)}

    def clean(self, trials: Sequence[TrialResult], metric: str, weights: str) -> tuple[float, ...]:
        """Returns the accuracy on images without an exact copy in what was trained on or chosen by.

        It is () for what is no accuracy of held-out images, where none has a copy, and where the
        images cannot be had any more.
        """
        asked = read_metric(metric)
        if asked.quantity != "accuracy" or asked.binary or asked.split == "train":
            return ()
        if self.head and weights != self.head["head.weights"]:
            return ()
        try:
            found = [self._clean(trial, asked.split, weights) for trial in trials]
        except FerJaxError:
            return ()
        return () if any(math.isnan(one) for one in found) else tuple(found)

    def _clean(self, trial: TrialResult, split: str, weights: str) -> float:
        if split == EXTERNAL:
            found = self.evaluated(trial, weights)
            kept = ~found.copied()
            right = found.probabilities.argmax(axis=1) == found.labels
            return float(right[kept].mean()) if 0 < kept.mean() < 1 else math.nan
        copies = copied.images(trial, SPLITS[split])
        if copies is None or not copies.any():
            return math.nan
        if self.head:
            return self.fit(trial).accuracy_without_copies(SPLITS[split])
        return trial.accuracy_without_copies(SPLITS[split], weights)

    def matrix(self, trials: Sequence[TrialResult], split: str, weights: str) -> np.ndarray:
        """Returns the mean confusion matrix of trials: float64 (K, K), rows true classes.

        Args:
            trials: done ones, with the same classes.
            split: as in `PublishedMatrix.split`; of a binary one the classes are metrics.BINARY.
            weights: 'best' or 'last'.

        Raises:
            FerJaxError: the images, the data set or the weights cannot be had.
        """
        binary = split.startswith(_BINARY)
        found = []
        for trial in trials:
            probabilities, labels = self._asked(trial, weights, split.removeprefix(_BINARY))
            if binary:
                columns = metrics.positive_columns(trial.classes, self.positive)
                summed = probabilities[:, columns].sum(axis=1)
                probabilities = np.column_stack([1 - summed, summed])
                labels = np.isin(labels, columns).astype(int)
            found.append(metrics.confusion(probabilities[None], labels)[0])
        return np.asarray(np.mean(found, axis=0, dtype=np.float64))

    def ordered_matrix(self, trials: Sequence[TrialResult], published: PublishedMatrix) -> np.ndarray:
        """Returns `matrix` in the order of a published matrix's classes.

        Raises:
            ConfigError: its classes are not those of the networks, or of binary answers.
            FerJaxError: as for `matrix`.
        """
        binary = published.split.startswith(_BINARY)
        names = [canonical(name) for name in (metrics.BINARY if binary else trials[0].classes)]
        wanted = [canonical(name) for name in published.classes]
        if sorted(names) != sorted(wanted):
            raise ConfigError(f"{published.where}: its classes are {', '.join(wanted)}, ours {', '.join(names)}")
        order = [names.index(name) for name in wanted]
        return self.matrix(trials, published.split, published.weights)[np.ix_(order, order)]

    def _measured(self, trial: TrialResult, weights: str, split: str, binary: bool) -> dict[str, float]:
        """Returns all metrics of a trial on a split, name -> value, computed at the first call."""
        key = (trial.id, weights, split, binary)
        if key not in self._metrics:
            found, labels = self._asked(trial, weights, split)
            if binary:
                self._metrics[key] = metrics.binarise(found, labels, trial.classes, self.positive)
            else:
                by_class = metrics.measure_classes(found, labels, trial.classes)
                self._metrics[key] = {**metrics.measure(found, labels), **by_class}
        return self._metrics[key]

    def _asked(self, trial: TrialResult, weights: str, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Returns probabilities and labels of a split, asked for once."""
        key = (trial.id, weights, split)
        if key not in self._answers:
            if split == EXTERNAL:
                found = self.evaluated(trial, weights)
                self._answers[key] = (found.probabilities, found.labels)
            else:
                self._answers[key] = self._own(trial, weights, split)
        return self._answers[key]

    def _own(self, trial: TrialResult, weights: str, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Returns probabilities and labels of a split of the trial's data."""
        splits = trial.dataset().splits()
        if SPLITS[split] not in splits:
            raise RunError(f"no {SPLITS[split]} split")
        images, labels = splits[SPLITS[split]].images, splits[SPLITS[split]].labels
        return self.fit(trial).predict(images) if self.head else trial.predict(images, weights=weights), labels

    def evaluated(self, trial: TrialResult, weights: str) -> Evaluation:
        """Returns what a trial answers to the external data set, with its copies, asked for once.

        Raises:
            RunError: none was named, or the experiment is about a head.
        """
        if self.head:
            raise RunError("fits are not asked about other data sets")
        if not self.external:
            raise RunError(f"no external data set: name {self.external_name or 'it'} with --external")
        key = (trial.id, weights)
        if key not in self._evaluated:
            self._evaluated[key] = evaluate(trial, self.external, weights=weights)
        return self._evaluated[key]

    def fit(self, trial: TrialResult) -> FitResult:
        """Returns the fit of the trial that the experiment means; RunError if there is none."""
        return trial.head(**{name.removeprefix("head."): value for name, value in self.head.items()})


def _spelt(asked: Metric) -> str:
    """Returns the name of a quantity as `analysis.metrics` spells it."""
    if not asked.of_class:
        return asked.quantity
    return f"{asked.quantity.partition('_')[0]}_{canonical(asked.of_class)}"
