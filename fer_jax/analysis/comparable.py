"""Which points a metric can rank against each other, and in what direction."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from fer_jax.analysis.significance import ROUNDING
from fer_jax.analysis.statistics import hashable
from fer_jax.config import search_space
from fer_jax.config.field import FieldError, in_words

# What decides between which classes a network tells: an accuracy over two of them says nothing
# about one over seven.
CLASS_FIELDS = ("data.name", "data.classes", "data.merge")
# What decides which images it is asked about.
PICTURE_FIELDS = (
    "data.name", "data.split", "data.fraction", "data.drop_leaks", "data.balance", "data.balance_splits",
    "data.validation_size", "data.test_size", "data.label_noise",
)  # fmt: skip
# A loss is each trial's own. Class weights do not enter where nothing is trained.
_EVALUATED = ("loss.focal_gamma", "loss.label_smoothing")
_TRAINED = (*_EVALUATED, "loss.class_weight", "loss.weights")


def lower_is_better(metric: str) -> bool:
    """Returns whether the smaller value of a metric is better: of losses and calibration errors."""
    return metric.endswith(("loss", "ece"))


def steps(values: np.ndarray) -> np.ndarray:
    """Returns the place of each value among the different ones, from 0; NaN for NaN.

    Values that differ by rounding are one: means over the same accuracies in another order.
    """
    order = np.argsort(values, kind="stable")
    ascending = values[order]
    before = np.concatenate([ascending[:1], ascending[:-1]])
    with np.errstate(invalid="ignore"):
        larger = ascending - before > ROUNDING * np.maximum(1, np.abs(before))
    found = np.empty(len(values))
    found[order] = np.where(np.isnan(ascending), np.nan, np.cumsum(larger))
    return found


def loss_fields(metric: str) -> tuple[str, ...]:
    """Returns the fields that make a loss another function; () for any other metric."""
    if not metric.endswith("loss"):
        return ()
    return _TRAINED if "train_" in metric else _EVALUATED


def check_sweep(config: Any, name: str, value: object) -> None:
    """Raises FieldError where train.select cannot rank the points of a sweep against each other.

    Args:
        config: of the sweep.
        name: of the field that asks for it.
        value: of that field, as the error shows it.
    """
    swept, metric = search_space.swept(config), config.train.select
    names = dict.fromkeys((*CLASS_FIELDS, *PICTURE_FIELDS, *loss_fields(metric), "train.select"))
    unlike = [field for field in names if field in swept]
    if config.data.balance_splits == "train" and "data.balance_splits" not in swept:
        # It changes the training images alone.
        unlike = [field for field in unlike if field != "data.balance"]
    if unlike:
        raise FieldError(
            [name, *unlike],
            f"{name} = {value}: points that differ in {in_words(unlike)} are not ranked against each other by {metric}",
        )


def differing(table: pd.DataFrame, names: Iterable[str]) -> tuple[str, ...]:
    """Returns those of the named columns in which the rows of a table differ."""
    return tuple(name for name in names if name in table and len({hashable(value) for value in table[name]}) > 1)


def classes(data: Mapping[str, Any]) -> Hashable:
    """Returns a key of the classes of a data set, after merging.

    Args:
        data: its record in config.json.
    """
    merged = sorted((name, tuple(old)) for name, old in (data.get("merged") or {}).items())
    return tuple(data.get("classes") or ()), tuple(merged)


def held_out(data: Mapping[str, Any]) -> tuple[Hashable, ...]:
    """Returns a key of what a trial is measured on: only where it is equal are trials comparable.

    How the training images were balanced does not enter, and neither does the size of any.

    Args:
        data: the record of the trial's data set.
    """
    images = data.get("held_out") or data.get("counts") or {}
    return classes(data), *(_images(images.get(split)) for split in ("validation", "test"))


def drawn(data: Mapping[str, Any]) -> tuple[Hashable, ...]:
    """Returns the fold and the seed of a split: all in which the data of a point's repeats differ.

    Args:
        data: the record of the trial's data set.
    """
    return data.get("fold"), data.get("seed")


def _images(found: Any) -> Hashable:
    # Before their digests were kept there were only numbers a class.
    return tuple(sorted(found.items())) if isinstance(found, Mapping) else found
