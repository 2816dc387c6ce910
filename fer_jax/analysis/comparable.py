"""Which points a metric can rank against each other, those it measures the same thing of, and in what direction."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from fer_jax.analysis.statistics import hashable

# What decides between which classes a network tells: an accuracy over two of them says nothing about one over seven.
CLASS_FIELDS = ("data.name", "data.classes", "data.merge")
# A loss is each trial's own. Class weights do not enter where nothing is trained.
_EVALUATED = ("loss.focal_gamma", "loss.label_smoothing")
_TRAINED = (*_EVALUATED, "loss.class_weight", "loss.weights")


def lower_is_better(metric: str) -> bool:
    """Whether the smaller value of a metric is the better one: of losses and of the calibration error; high is better of all else."""
    return metric.endswith(("loss", "ece"))


def loss_fields(metric: str) -> tuple[str, ...]:
    """The fields that make a loss, such as val_loss or last_train_loss, another function; () for any other metric."""
    if not metric.endswith("loss"):
        return ()
    return _TRAINED if "train_" in metric else _EVALUATED


def differing(table: pd.DataFrame, names: Iterable[str]) -> tuple[str, ...]:
    """Those of the named columns in which the rows of a table of trials or points differ."""
    return tuple(name for name in names if name in table and len({hashable(value) for value in table[name]}) > 1)
