"""Metrics of the stored predictions of a run's trials, trial by trial and class by class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from fer_jax.analysis import metrics
from fer_jax.data import leaks
from fer_jax.results.record import RunRecord
from fer_jax.results.trial import TrialResult, select, with_answers

AT_ONCE = 64  # trials whose probabilities are in memory together


def gathered(run: RunRecord, split: str) -> Iterator[tuple[list[TrialResult], np.ndarray, np.ndarray]]:
    """Yields done trials with stored predictions in groups that share their data.

    Args:
        run: the run.
        split: 'validation' or 'test'.

    Yields:
        The trials (T of them), their probabilities, float64 (T, n, K), and the labels, int32 (n,).
    """
    alike: dict[str, list[TrialResult]] = {}
    for trial in select(run, status="done") if len(run.trials) else ():
        alike.setdefault(trial.data["checksum"], []).append(trial)
    for trials in alike.values():
        for start in range(0, len(trials), AT_ONCE):
            # Without: those trained before predictions were kept, or by data without this split.
            some = with_answers(trials[start : start + AT_ONCE], split)
            if not some:
                continue
            probabilities = np.stack([trial.probabilities(split) for trial in some])
            labels = some[0].labels(split)
            yield some, probabilities, labels


def trial_metrics(run: RunRecord) -> pd.DataFrame:
    """Returns the metrics of each done trial and held-out split.

    Returns:
        A row each: id, split, those of `metrics.overall`, leaked (images with a copy among those
        learned or chosen from) and accuracy_clean (without them; empty, as in trials.csv, where
        no trial's split has any). No rows where no predictions are stored.
    """
    tables = []
    for split in ("validation", "test"):
        for trials, probabilities, labels in gathered(run, split):
            leaked = trials[0].leaked(split)
            right = probabilities.argmax(axis=-1) == labels
            columns = {
                "id": [trial.id for trial in trials],
                "split": split,
                **metrics.overall(probabilities, labels),
                "leaked": int(leaked.sum()),
                "accuracy_clean": leaks.accuracy_without(right, leaked),
            }
            tables.append(pd.DataFrame(columns))
    if not tables:
        return pd.DataFrame(columns=["id", "split"])
    found = pd.concat(tables, ignore_index=True)
    found.loc[found.groupby("split")["leaked"].transform("max") == 0, "accuracy_clean"] = np.nan
    return found


def class_metrics(run: RunRecord) -> pd.DataFrame:
    """Returns the metrics of each done trial, held-out split and class.

    Returns:
        A row each: id, split, class, support (images), then `metrics.of_classes`. No rows where no
        predictions are stored.
    """
    tables = []
    for split in ("validation", "test"):
        for trials, probabilities, labels in gathered(run, split):
            found = metrics.of_classes(probabilities, labels)
            classes = trials[0].classes
            columns = {
                "id": np.repeat([trial.id for trial in trials], len(classes)),
                "split": split,
                "class": list(classes) * len(trials),
                "support": np.tile(np.bincount(labels, minlength=len(classes)), len(trials)),
                **{name: values.ravel() for name, values in found.items()},
            }
            tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["id", "split", "class", "support"])
