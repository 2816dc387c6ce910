"""What the files of a run say of a trial, for rows of trials.csv that carry no seal."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from fer_jax.analysis import metrics, statistics
from fer_jax.config import search_space
from fer_jax.config.search_space import Trial
from fer_jax.config.values import from_json
from fer_jax.data import leaks
from fer_jax.errors import FerJaxError, RunError
from fer_jax.store import RunDirectory

CURVE_METRICS = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
# The column of the curves that has the learning rate of each epoch's last step.
RATE = "learning_rate"
# Of the probabilities by the weights that validation chose: means over the classes, and the
# calibration error.
PROBABILITY_METRICS = ("balanced_accuracy", "f1", "auc", "ece")
# The accuracy without leaked images; empty where no data set of the run has any in that split.
CLEAN = "accuracy_clean"
RESULTS = (
    "status",
    "epochs",
    "best_epoch",
    "diverged_epoch",
    "pruned_epoch",
    *CURVE_METRICS,
    "test_loss",
    "test_accuracy",
    *(f"{split}_{name}" for split in ("val", "test") for name in (*PROBABILITY_METRICS, CLEAN)),
    *(f"last_{name}" for name in (*CURVE_METRICS, "test_loss", "test_accuracy")),
    *(f"last_{split}_{CLEAN}" for split in ("val", "test")),
    "error",
)
# What every version wrote of a trial.
_FIRST = ("epochs", "best_epoch", *CURVE_METRICS, *(f"last_{name}" for name in CURVE_METRICS))
_OF_TEST = ("test_loss", "test_accuracy", "last_test_loss", "last_test_accuracy")
SPLITS = {"val": "validation", "test": "test"}
# Metrics that are empty for no trial with answers.
_OF_ANSWERS = tuple(name for name in PROBABILITY_METRICS if name != "auc")
# Losses of the same logits that a device and this module sum in another order.
_LOSS_TOLERANCE, _TOLERANCE = 1e-4, 1e-6
# Relative, of all other results: earlier versions kept some of them as float32.
_ROUNDING = 1e-7


@dataclasses.dataclass(frozen=True)
class Limits:
    """The ranges of a trial's results.

    Attributes:
        epochs: the most that it may be trained for.
        images: of each held-out split, by 'val' and 'test'; None where unknown.
        columns: of the table that a done trial has a number in.
        exact: columns of losses that float32 holds, as devices give them; others were rounded.
    """

    epochs: int
    images: Mapping[str, int | None]
    columns: tuple[str, ...]
    exact: frozenset[str]


class TrialFiles:
    """The settings, curves and predictions of a run's trials.

    Args:
        directory: the run.
        record: config.json.
        places: id -> (stack, wave, slot), of plan.json.
        left: id -> epochs of trials that have left a search.

    Attributes:
        trials: id -> the trial and the checksum of its data, in the order of the sweep.
    """

    def __init__(
        self,
        directory: RunDirectory,
        record: Mapping[str, Any],
        places: Mapping[str, tuple[str, str, int]],
        left: Mapping[str, int],
    ):
        self.directory, self.record, self.places, self.left = directory, record, places, left
        self.trials: dict[str, tuple[Trial, str]] = {}
        starts = ["", *(start["checksum"] for start in record.get("initial", ()))]
        checksums = [data["checksum"] for data in (record["data"], *(record.get("other_data") or ()))]
        # An earlier version's config may have values that this one refuses to expand.
        with contextlib.suppress(FerJaxError):
            for trial in search_space.expand(from_json(record["config"])):
                for checksum, start in itertools.product(checksums, starts):
                    if (identity := trial.id(checksum, start, places)) in places:
                        self.trials[identity] = trial, checksum
        self._filled: list[str] = []
        self._exact: frozenset[str] = frozenset()
        self._curves = functools.cache(self._read_curves)
        self._targets = functools.cache(self._read_targets)

    def settings(self, identity: str) -> dict[str, Any]:
        """Returns the swept values, seed and repeat of a trial as trials.csv has them."""
        if identity not in self.trials:
            return {}
        trial, _ = self.trials[identity]
        point = {name: str(value) if isinstance(value, tuple) else value for name, value in trial.point.items()}
        return {**point, "seed": trial.seed, "repeat": trial.repeat}

    def look_at(self, table: pd.DataFrame) -> None:
        """Notes which columns of the table are filled, and which losses are float32 throughout."""
        self._filled = [name for name in table if table[name].notna().any()]
        losses = table[[name for name in RESULTS if name.endswith("_loss") and name in self._filled]]
        self._exact = frozenset(
            name for name, column in losses.items() if np.mean([_is_float32(one) for one in column.dropna()]) > 1 / 2
        )

    def limits(self, identity: str) -> Limits:
        """Returns what a done trial's row of the table that was looked at may hold."""
        trial, checksum = self.trials.get(identity, (None, self.record["data"].get("checksum", "")))
        values = trial.values if trial else self.record["config"]
        epochs = int(sum(values.get("phases.lengths") or ()) or values.get("train.epochs") or 0)
        epochs = min(epochs, self.left.get(identity, epochs))
        targets, counts = self._targets(checksum), self.record["data"].get("counts") or {}
        images: dict[str, int | None] = {}
        for prefix, split in SPLITS.items():
            found = targets.get(f"{split}_labels")
            one_set = not self.record.get("other_data") and split in counts
            images[prefix] = len(found) if found is not None else sum(counts[split].values()) if one_set else None
        needed = list(_FIRST)
        if images["test"] or "test_accuracy" in self._filled:
            needed += _OF_TEST
        of_answers = {f"{part}_{one}" for part in SPLITS for one in _OF_ANSWERS}
        needed += [name for name in self._filled if name in of_answers]
        return Limits(epochs, images, tuple(needed), self._exact)

    def columns(self, header: Sequence[str]) -> list[str]:
        """Returns the columns that the table must have, those of `header` first."""
        return list(dict.fromkeys((*header, *self.record.get("swept", ()), "seed", "repeat", *RESULTS)))

    def recomputed(self, identity: str, row: Mapping[str, Any], epochs: int) -> dict[str, Any]:
        """Returns the columns of a done trial that its curves and predictions give.

        Args:
            identity: the trial's id.
            row: its row of trials.csv, of which `epochs` counts where it is in range.
            epochs: the most that it may be trained for.
        """
        if identity not in self.places:
            return {}
        _, wave, slot = self.places[identity]
        found = self._of_curves(identity, wave, row, epochs)
        from_curves = set(found)
        for prefix, split in SPLITS.items():
            answers = self._of_answers(identity, wave, slot, split)
            found |= {
                f"{prefix}_{name}": value for name, value in answers.items() if f"{prefix}_{name}" not in from_curves
            }
        best = found.get("best_epoch", row.get("best_epoch"))
        if pd.notna(best) and best == found.get("epochs", row.get("epochs")):
            of_test = ("test_loss", "test_accuracy", f"val_{CLEAN}", f"test_{CLEAN}")
            found |= {f"last_{name}": found[name] for name in of_test if name in found}
        if found and identity in self.left:
            found["pruned_epoch"] = self.left[identity]
        return found

    def _of_curves(self, identity: str, wave: str, row: Mapping[str, Any], limit: int) -> dict[str, Any]:
        """Returns nothing unless the curves reach as far as the trial was trained."""
        if identity not in self.trials:
            return {}
        values = self.trials[identity][0].values
        curve = self._curves(wave)
        curve = curve[curve["id"] == identity].sort_values("epoch")
        numbers = curve[list(CURVE_METRICS)].to_numpy(dtype=np.float64)
        last = len(curve)
        told = row["epochs"]
        told = int(told) if pd.notna(told) and 0 < told <= limit else limit
        whole = last and list(curve["epoch"]) == list(range(1, last + 1)) and last >= told
        if not whole or not np.isfinite(numbers).all():
            return {}
        scores = numbers[:, 3] if values["train.select"] == "val_accuracy" else -numbers[:, 2]
        best = int(scores.argmax())
        return {
            "epochs": last,
            "best_epoch": best + 1,
            **dict(zip(CURVE_METRICS, numbers[best], strict=True)),
            **{f"last_{name}": value for name, value in zip(CURVE_METRICS, numbers[-1], strict=True)},
        }

    def _of_answers(self, identity: str, wave: str, slot: int, split: str) -> dict[str, Any]:
        trial, checksum = self.trials.get(identity, (None, ""))
        targets = self._targets(checksum)
        labels, leaked = targets.get(f"{split}_labels"), targets.get(f"{split}_leaked")
        try:
            logits = self.directory.predictions.read(wave, split, slot)
        except RunError:
            return {}
        if trial is None or labels is None or logits is None or len(logits) != len(labels):
            return {}
        if not np.isfinite(logits).all():
            return {}
        probabilities = special.softmax(logits.astype(np.float64), axis=-1)
        overall = metrics.overall(probabilities[None], labels)
        found = {name: float(overall[name][0]) for name in ("accuracy", *PROBABILITY_METRICS)}
        if not trial.values["loss.focal_gamma"] and not trial.values["loss.label_smoothing"]:
            found["loss"] = float(np.float32(overall["log_loss"][0]))
        if leaked is not None and leaked.any() and not leaked.all():
            found[CLEAN] = float(leaks.accuracy_without(probabilities.argmax(axis=1) == labels, leaked))
        return found

    def _read_curves(self, wave: str) -> pd.DataFrame:
        try:
            return self.directory.curves.read(wave)
        except RunError:
            return pd.DataFrame(columns=["id", "epoch", *CURVE_METRICS])

    def _read_targets(self, checksum: str) -> Mapping[str, np.ndarray]:
        try:
            return self.directory.predictions.read_targets(checksum) or {}
        except RunError:
            return {}


def differing(row: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the columns of `found` that a row has otherwise, beyond rounding."""
    return {name: value for name, value in found.items() if name in row and not _is_close(name, row[name], value)}


def problem(row: Mapping[str, Any], limits: Limits) -> str:
    """Returns why a done trial's row cannot be right, empty where it may be."""
    for name in limits.columns:
        if statistics.hashable(row[name]) is None or pd.isna(row[name]):
            return f"it is done without {name}"
    if not 1 <= row["best_epoch"] <= row["epochs"] <= limits.epochs:
        return f"best_epoch {row['best_epoch']} of {row['epochs']} epochs, at most {limits.epochs}"
    for name, value in row.items():
        kind = name.removeprefix("last_")
        if (
            kind.partition("_")[0] not in ("train", *SPLITS)
            or "." in name
            or not isinstance(value, (int, float))
            or math.isnan(value)
        ):
            continue
        if name.endswith("_loss") and not 0 <= value < math.inf:
            return f"{name} is {value:g}"
        if name in limits.exact and not _is_float32(value):
            return f"{name} is {value:g}, rounded"
        if not name.endswith("_loss") and not -_TOLERANCE <= value <= 1 + _TOLERANCE:
            return f"{name} is {value:g}, no share"
        images = limits.images.get(kind.partition("_")[0])
        counted = value * images if images and kind.endswith("_accuracy") and "balanced" not in kind else 0.0
        if abs(counted - round(counted)) > _TOLERANCE * (images or 1):
            return f"{name} is {value:g}, no share of {images} images"
    return ""


def _is_float32(value: float) -> bool:
    return float(np.float32(value)) == value


def _is_close(name: str, stored: Any, value: Any) -> bool:
    if stored is None or pd.isna(stored):
        return bool(pd.isna(value))
    tolerance = _LOSS_TOLERANCE if name.endswith("test_loss") else _ROUNDING
    return abs(stored - value) <= tolerance * max(1e-3, abs(value))
