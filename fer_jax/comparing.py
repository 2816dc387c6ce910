"""The points of a run compared: what `Run.compare`, `Run.indistinguishable` and `Run.unbiased` do."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd

from fer_jax.analysis import axes, points, significance, statistics
from fer_jax.analysis.points import PointComparison
from fer_jax.errors import RunError

if TYPE_CHECKING:
    from fer_jax.run import Run

Point: TypeAlias = int | Mapping[str, Any] | pd.Series


def compare(run: Run, point_a: Point, point_b: Point, metric: str) -> PointComparison:
    """See `Run.compare`; the metric is one of the run's."""
    rows = [_point(run, point) for point in (point_a, point_b)]
    if rows[0] == rows[1]:
        raise RunError(f"{run.path}: a point cannot be compared with itself: both are {_describe(run, rows[0])}")
    if len(set(run.groups(run.summary.loc[rows], metric))) > 1:
        raise RunError(f"{run.path}: these points have different classes or losses: their {metric} are figures of different things")
    codes, _ = statistics.point_codes(run.trials, run.swept)
    done = [run.trials[(codes == row) & (run.trials["status"] == "done")] for row in rows]
    for row, some in zip(rows, done, strict=True):
        if not len(some):
            raise RunError(f"{run.path}: no trial of {_describe(run, row)} is done")
    values = [dict(zip(some["seed"].astype(int), some[metric].astype(float), strict=True)) for some in done]
    names = _describe(run, rows[0]), _describe(run, rows[1])
    return points.compare(metric, names, (values[0], values[1]), _pictures(run, *done), overlap(run))


def overlap(run: Run) -> float:
    """`statistics.fold_overlap` of the run's config."""
    return statistics.fold_overlap(run.record["config"])


def intervals(run: Run, metric: str) -> pd.DataFrame:
    """See `Run.intervals`; the metric is one of the run's."""
    codes, firsts = statistics.point_codes(run.trials, run.swept)
    done = run.trials[run.trials["status"] == "done"].assign(point=codes[run.trials["status"] == "done"])
    table = run.summary[[*run.swept, "n", *(f"{metric}_{name}" for name in ("mean", "low95", "high95"))]].copy()
    own = {point: group[metric].astype(float).to_numpy() for point, group in done.groupby("point")}
    independent = not overlap(run)
    # Folds are not independent, and resampling supposes that they are.
    bounds = [significance.bootstrap(own[point]) if independent and point in own else (math.nan,) * 2 for point in range(len(firsts))]
    return table.assign(bootstrap_low95=[low for low, _ in bounds], bootstrap_high95=[high for _, high in bounds])


def _point(run: Run, point: Point) -> Hashable:
    """The row of `run.summary` that is meant."""
    if isinstance(point, Mapping):
        found = run.summary[run._matching(run.summary, {name.replace(".", "__"): value for name, value in point.items()})]
        if len(found) != 1:
            said = ", ".join(f"{name} = {value!r}" for name, value in point.items()) or "no field"
            raise RunError(f"{run.path}: {len(found)} points have {said}: name the values of one; run.summary has them all")
        return int(found.index[0])
    row = point.name if isinstance(point, pd.Series) else point
    if row not in run.summary.index:
        raise RunError(f"{run.path}: no point {row!r}; give a row of run.summary, its number, or a dict of swept values")
    return row


def _describe(run: Run, row: Hashable) -> str:
    names, values = axes.short_names(list(run.swept)), run.summary.loc[row]
    parts = [f"{names[field]} {axes.value_text(statistics.hashable(values[field]))}" for field in run.swept]
    return ", ".join(parts) or "the one configuration"


def _pictures(run: Run, done_a: pd.DataFrame, done_b: pd.DataFrame) -> pd.DataFrame | None:
    """McNemar's test a seed that both points have, on the test split where there is one; None where no predictions are kept."""
    rows = []
    both = done_a.merge(done_b, on="seed", suffixes=("_a", "_b"))[["seed", "id_a", "id_b"]]
    for seed, id_a, id_b in both.itertuples(index=False):
        a, b = run.trial(id_a), run.trial(id_b)
        split = "test" if (a.data.get("counts") or {}).get("test") else "validation"
        try:
            labels, others = a.labels(split), b.labels(split)
            logits = a.logits(split), b.logits(split)
        except RunError:
            return None
        # Another share of the data, say: then no picture of one is known to be one of the other.
        if labels.shape != others.shape or (labels != others).any():
            return None
        only_a, only_b, p = significance.mcnemar(labels, logits[0].argmax(axis=1), logits[1].argmax(axis=1))
        rows.append((int(seed), split, len(labels), only_a, only_b, p))
    return pd.DataFrame(rows, columns=["seed", "split", "pictures", "only_a", "only_b", "p"])
