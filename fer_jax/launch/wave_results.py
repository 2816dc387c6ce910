"""What a trained wave leaves in the tables: rows of the curves, and rows of trials.csv."""

from collections.abc import Callable, Mapping, Sequence

import jax
import numpy as np
import pandas as pd
from scipy import special

from fer_jax.analysis import metrics
from fer_jax.data import leaks
from fer_jax.launch.wave_job import WaveJob
from fer_jax.results.row_checks import CLEAN, CURVE_METRICS, PROBABILITY_METRICS, RATE, RESULTS
from fer_jax.train.feed import exact_share
from fer_jax.train.trial import TrialState


def curve_rows(job: WaveJob, first: int, records: Sequence[Mapping[str, np.ndarray]]) -> pd.DataFrame:
    """Returns a row for each trial and epoch that the trial was trained in.

    Args:
        job: the wave.
        first: the number of the first epoch.
        records: of that epoch and those after it, of all slots.
    """
    if not records:
        return pd.DataFrame()
    ids = job.wave.trials
    epochs, slots = np.nonzero(np.stack([record["ran"][: len(ids)] for record in records]))
    names = (*CURVE_METRICS, RATE)
    columns = {name: np.stack([record[name] for record in records])[epochs, slots] for name in names}
    for name, count in (
        ("train_accuracy", job.images_per_epoch()),
        ("val_accuracy", len(job.data.labels["validation"])),
    ):
        columns[name] = exact_share(columns[name], count)
    return pd.DataFrame({"id": np.asarray(ids, object)[slots], "epoch": first + epochs, **columns})


def result_rows(
    job: WaveJob,
    state: TrialState,
    hyper: Mapping[str, jax.Array],
    curves: pd.DataFrame,
    keep: Callable[[str, np.ndarray], None],
) -> pd.DataFrame:
    """Returns the metrics at the weights that validation chose and at the last epoch.

    It is the only place that reads the test split.

    Args:
        job: the wave, trained.
        state, hyper: of all its slots.
        curves: of its trials.
        keep: given a split and the logits of the trials on it, by the weights that validation
            chose.

    Returns:
        A row a trial, indexed by id: the columns `RESULTS`.
    """
    slots = range(len(job.trials))
    host = jax.device_get({"epoch": state.epoch, "best": state.best_epoch, "diverged": state.diverged_epoch})
    table = pd.DataFrame(index=pd.Index(job.wave.trials, name="id"), columns=list(RESULTS), dtype=object)
    table["epochs"] = host["epoch"][slots]
    table["best_epoch"] = host["best"][slots]
    table["diverged_epoch"] = [int(epoch) or None for epoch in host["diverged"][slots]]
    table["status"] = np.where(host["diverged"][slots] > 0, "diverged", "pruned" if job.wave.leaves else "done")
    # A trial that was stopped early has fewer epochs than the rung at which its point leaves.
    table["pruned_epoch"] = [job.wave.until if status == "pruned" else None for status in table["status"]]
    table["error"] = ""
    at = curves.set_index(["id", "epoch"])[list(CURVE_METRICS)]
    for prefix, column in (("", "best_epoch"), ("last_", "epochs")):
        chosen = at.reindex(list(zip(table.index, table[column], strict=True))).to_numpy()
        table[[prefix + name for name in CURVE_METRICS]] = chosen
    # Before its first finite epoch a trial has nothing to ask.
    learnt = host["best"][slots] > 0
    for column, values in _held_out(job, state, hyper, keep).items():
        table[column] = np.where(learnt, values, np.nan)
    return table


def _held_out(
    job: WaveJob, state: TrialState, hyper: Mapping[str, jax.Array], keep: Callable[[str, np.ndarray], None]
) -> dict[str, np.ndarray]:
    """Returns how the trials do on the held-out splits: by column of the results, each (trial,)."""
    count, columns = len(job.trials), {}
    for split, prefix in (("validation", "val"), ("test", "test")):
        if split not in job.data.labels:
            continue
        best = job.data.evaluate(job.program, state.best, hyper, split)
        keep(split, best.logits[:count])
        answers = _probability_metrics(best.logits[:count], job.data.labels[split])
        columns.update({f"{prefix}_{name}": values for name, values in answers.items()})
        leaked, asked = job.data.leaked[split], {"": best}
        if split == "test" or leaked.any():
            own = {"params": state.params, "stats": state.stats}
            asked["last_"] = job.data.evaluate(job.program, own, hyper, split)
        if leaked.any():
            for when, found in asked.items():
                right = found.logits[:count].argmax(axis=-1) == job.data.labels[split]
                columns[f"{when}{prefix}_{CLEAN}"] = leaks.accuracy_without(right, leaked)
        if split == "test":
            last = asked["last_"]
            columns.update(test_loss=best.loss[:count], test_accuracy=best.accuracy[:count])
            columns.update(last_test_loss=last.loss[:count], last_test_accuracy=last.accuracy[:count])
    return columns


def _probability_metrics(logits: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Returns `PROBABILITY_METRICS` of trials' logits (T, n, K), each (T,)."""
    probabilities = special.softmax(logits.astype(np.float64), axis=-1)
    matrix = metrics.confusion(probabilities, labels)
    found = metrics.by_class(matrix)
    areas = metrics.class_mean(metrics.auc(probabilities, labels))
    values = (
        metrics.balanced_accuracy(matrix),
        found.macro(found.f1),
        areas,
        metrics.calibration(probabilities, labels).ece,
    )
    return dict(zip(PROBABILITY_METRICS, values, strict=True))
