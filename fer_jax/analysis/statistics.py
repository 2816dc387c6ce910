"""Means and spreads over repeats, with how many trials they stand on and who was left out.

Sample statistics throughout (divisor n - 1). With one trial there is no spread: sd, variance, sem
and intervals stay empty.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from fer_jax.analysis.varied import new_splits

# Held-out images per training image of a split that is drawn: those that validate, or those that
# test where only these are drawn.
_PER_TRAINING_IMAGE = {
    "stratified_80_10_10": 10 / 80,
    "stratified_70_20_10": 20 / 70,
    "kaggle_eighth": 1 / 7,
    "kaggle_eighth_mixed": 1 / 7,
}
# low95 and high95: Student's interval of the mean, see `interval`.
STATISTICS = ("mean", "sd", "variance", "min", "max", "sem", "low95", "high95")
# Statuses of trials with results: trained to their end, or to that of the rung at which they left.
ANSWERED = ("done", "pruned")
# Of trials that have not come to their end and may still go on.
UNFINISHED = ("pending", "running", "paused")
# Columns of trials.csv that are no measurement; whatever else is numeric and not swept is a metric.
BOOKKEEPING = (
    "id",
    "status",
    "seed",
    "repeat",
    "stack",
    "wave",
    "slot",
    "epochs",
    "best_epoch",
    "diverged_epoch",
    "pruned_epoch",
    "error",
)


def summarise(
    trials: pd.DataFrame, swept: Sequence[str], metrics: Sequence[str] | None = None, overlap: float = 0.0
) -> pd.DataFrame:
    """Returns statistics of every metric over the repeats of each point.

    Only trials whose status is `done` enter. A metric that is NaN in one of them (a test metric
    under a split without a test set, say) has empty statistics at that point, because a mean over
    fewer trials than `n` says would mislead.

    Args:
        trials: a row a trial with `status`, the swept columns and the metric columns, as in
            trials.csv.
        swept: names of the swept columns; rows equal in all of them are one point. None swept: all
            rows are one point.
        metrics: columns to summarise; None takes every column that `metric_columns` finds.
        overlap: as for `interval`.

    Returns:
        A row a point, in order of first appearance: the swept columns, `n` (done trials),
        `left_out` (such as '1 diverged, 2 pending', empty if none was), then `<metric>_` with each
        of `STATISTICS`.
    """
    metrics = metric_columns(trials, swept) if metrics is None else list(metrics)
    codes, firsts = point_codes(trials, swept)
    done = (trials["status"] == "done").to_numpy(dtype=bool)
    values = np.column_stack(
        [pd.to_numeric(trials[name]).to_numpy(dtype=np.float64, na_value=np.nan) for name in metrics]
        or [np.empty(len(trials))]
    )
    table = trials.iloc[firsts][list(swept)].reset_index(drop=True)

    members = (
        np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes, minlength=len(firsts)))[:-1])
        if len(firsts)
        else []
    )
    table["n"] = [int(done[rows].sum()) for rows in members]
    statuses = trials["status"].to_numpy()
    table["left_out"] = [count_words(statuses[rows[~done[rows]]]) for rows in members]
    results = np.array([_sample(values[rows[done[rows]]], overlap) for rows in members]).reshape(
        -1, len(STATISTICS), values.shape[1]
    )
    columns = {
        f"{metric}_{name}": results[:, s, m] for m, metric in enumerate(metrics) for s, name in enumerate(STATISTICS)
    }
    return pd.concat([table, pd.DataFrame(columns, index=table.index)], axis=1)


def _sample(values: np.ndarray, overlap: float) -> np.ndarray:
    """Returns the STATISTICS of each column of (trials, metrics), shape (statistics, metrics).

    They are NaN where there are too few trials.
    """
    n = len(values)
    result = np.full((len(STATISTICS), values.shape[1]), np.nan)
    if n == 0:
        return result
    with np.errstate(invalid="ignore", over="ignore"):
        result[0], result[3], result[4] = values.mean(axis=0), values.min(axis=0), values.max(axis=0)
        if n > 1:
            result[2] = values.var(axis=0, ddof=1)
            result[1] = np.sqrt(result[2])
            result[5] = result[1] / math.sqrt(n)
            half = _half_width(result[5], n, 0.95, overlap)
            result[6], result[7] = result[0] - half, result[0] + half
    return result


def metric_columns(trials: pd.DataFrame, swept: Sequence[str]) -> list[str]:
    """Returns the columns that hold measurements.

    These are numeric or wholly empty, not swept, and no bookkeeping.
    """
    known = {*BOOKKEEPING, *swept}
    return [
        name
        for name in trials.columns
        if name not in known
        and not pd.api.types.is_bool_dtype(trials[name])
        and (pd.api.types.is_numeric_dtype(trials[name]) or trials[name].isna().all())
    ]


def point_codes(trials: pd.DataFrame, swept: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Returns which point each trial belongs to, numbered by first appearance.

    Returns:
        codes, int64 (trials,), and the row number of each point's first trial, int64 (points,).
        Swept values may be anything (lists and tuples of equal content are one value; an empty cell
        equals an empty cell).
    """
    seen: dict[Hashable, int] = {}
    firsts: list[int] = []
    codes = np.empty(len(trials), dtype=np.int64)
    columns = [[hashable(value) for value in trials[name]] for name in swept]
    for row, key in enumerate(zip(*columns, strict=True) if columns else [()] * len(trials)):
        if key not in seen:
            seen[key] = len(firsts)
            firsts.append(row)
        codes[row] = seen[key]
    return codes, np.array(firsts, dtype=np.int64)


def hashable(value: Any) -> Hashable:
    """Returns a swept value as a dictionary key.

    Sequences become tuples, numpy scalars Python ones, an empty cell None.
    """
    if isinstance(value, (list, tuple, np.ndarray)):
        return tuple(hashable(item) for item in value)
    if isinstance(value, np.generic):
        value = value.item()
    return None if value is None or value is pd.NA or value != value else value


def count_words(statuses: Sequence[str] | np.ndarray) -> str:
    """Returns '2 diverged, 1 failed' for statuses in any order; '' for none."""
    order = ("done", "diverged", "failed", "pruned", "running", "paused", "pending")
    counts = Counter(statuses)
    return ", ".join(f"{counts[s]} {s}" for s in (*order, *sorted(set(counts) - set(order))) if counts[s])


def interval(mean: float, sem: float, n: int, level: float = 0.95, overlap: float = 0.0) -> tuple[float, float]:
    """Returns Student's interval of a mean, mean -+ t(level, n - 1) sem; NaN below two trials.

    Args:
        mean, sem: of n trials, sem = sd / sqrt(n).
        n: trials.
        level: probability that it holds the mean, in (0, 1).
        overlap: see `fold_overlap`. Above 0 the interval is widened by sqrt(1 + n overlap): the
            folds' training sets share images, so that the trials are not independent (Nadeau and
            Bengio, Machine Learning 52, 2003, section 3).
    """
    if n < 2:
        return math.nan, math.nan
    half = float(_half_width(sem, n, level, overlap))
    return mean - half, mean + half


def _half_width(sem: Any, n: int, level: float, overlap: float) -> Any:
    return special.stdtrit(n - 1, 0.5 + level / 2) * sem * math.sqrt(1 + n * overlap)


def fold_overlap(config: Mapping[str, Any]) -> float:
    """Returns how much the training data of a point's repeats overlap, 0 for repeats on one split.

    These are the held-out images per training image: 1 / (folds - 1) under data.split = kfold, and
    the share where sweep.seeds_of = split or everything draws several splits of the same images.
    Faces that are drawn anew for each have nothing in common.

    Args:
        config: dotted names -> values, with `sweep`, as config.json has it.
    """
    split = str(config.get("data.split", ""))
    if split == "kfold":
        return 1 / (int(config["data.folds"]) - 1)
    drawn_anew = config.get("data.name") == "synthetic"
    return _PER_TRAINING_IMAGE.get(split, 0.0) if new_splits(config) and not drawn_anew else 0.0


def finalists(table: pd.DataFrame, swept: Sequence[str], config: Mapping[str, Any]) -> np.ndarray:
    """Returns which rows of a table of points may be called the best, bool (rows,).

    They are those with more seeds where sweep.best chose some, and those that a race over seeds
    (`search.race`) has not thrown out.

    Args:
        table: with the swept columns.
        swept: their names.
        config: config.json's, with `sweep`.

    Returns:
        All rows where no point of the table was chosen, or races.
    """
    found = rows_of(table, swept, _chosen(config) or _racing(config))
    return found if found.any() else np.ones(len(table), dtype=bool)


def rows_of(table: pd.DataFrame, swept: Sequence[str], points: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Returns which rows of a table belong to some points, bool (rows,).

    Args:
        table: with the swept columns.
        swept: their names.
        points: name -> value. Where one of them has other names than the swept, no row belongs.
    """
    if any(set(point) != set(swept) for point in points):
        points = []
    keys = {tuple(hashable(point[name]) for name in swept) for point in points}
    rows = [[hashable(value) for value in table[name]] for name in swept]
    return np.array([key in keys for key in zip(*rows, strict=True)] if rows else [() in keys] * len(table), dtype=bool)


def unbiased(trials: pd.DataFrame, swept: Sequence[str], record: Mapping[str, Any]) -> pd.DataFrame:
    """Returns `summarise` of the points that sweep.best chose, over the seeds that did not choose.

    There are no rows where none were chosen.

    The seeds that chose a point flatter it: it was picked because they came out well.

    Args:
        trials: as for `summarise`, with `repeat`.
        swept: as for `summarise`.
        record: config.json.
    """
    config = record.get("config") or {}
    first = int((record.get("chosen") or {}).get("repeats", 0))
    new = trials[(trials["repeat"] >= first) & bool(_chosen(config))] if "repeat" in trials else trials.iloc[:0]
    new = new[finalists(new, swept, config)]
    return summarise(new.reset_index(drop=True), swept, metric_columns(trials, swept), fold_overlap(config))


def _chosen(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list((config.get("sweep") or {}).get("chosen") or ())


def _racing(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one["point"] for one in (config.get("sweep") or {}).get("raced") or () if one["racing"]]


def share_error(share: float, n: int) -> float:
    """Returns the standard error of a share measured on n images, sqrt(p (1 - p) / n).

    Another draw of images would change the share by about as much.
    """
    return math.sqrt(max(share * (1 - share), 0.0) / n) if n > 0 else math.nan
