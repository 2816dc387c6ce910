"""The points of a run: which can be ranked against each other, and two of them compared."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeAlias

import pandas as pd

from fer_jax.analysis import axes, comparable, points, significance, statistics, varied
from fer_jax.analysis.points import PointComparison
from fer_jax.base import console
from fer_jax.errors import DamagedError, RunError
from fer_jax.results import trial
from fer_jax.results.record import RunRecord
from fer_jax.results.trial import TrialResult

Point: TypeAlias = int | Mapping[str, Any] | pd.Series


def compare(run: RunRecord, point_a: Point, point_b: Point, metric: str) -> PointComparison:
    """Compares two points by a metric of the run; `Run.compare` has what is taken and raised."""
    rows = [label(run, point) for point in (point_a, point_b)]
    if rows[0] == rows[1]:
        raise RunError(f"{run.path}: a point cannot be compared with itself: both are {_describe(run, rows[0])}")
    if len(set(groups(run, run.summary.loc[rows], metric))) > 1:
        raise RunError(
            f"{run.path}: these points have different {_why_unlike(run, run.summary.loc[rows], metric)[0]}: "
            f"their {metric} are figures of different things"
        )
    codes, _ = statistics.point_codes(run.trials, run.swept)
    done = [run.trials[(codes == row) & (run.trials["status"] == "done")] for row in rows]
    for row, some in zip(rows, done, strict=True):
        if not len(some):
            raise RunError(f"{run.path}: no trial of {_describe(run, row)} is done")
    values = [dict(zip(some["seed"].astype(int), some[metric].astype(float), strict=True)) for some in done]
    names = _describe(run, rows[0]), _describe(run, rows[1])
    config = run.record["config"]
    return points.compare(
        metric, names, (values[0], values[1]), _by_image(run, *done), run.overlap, varied.unit(config),
        varied.units(config),
    )  # fmt: skip


def groups(run: RunRecord, table: pd.DataFrame, metric: str) -> list[Hashable]:
    """Returns a key for each row of `run.trials` or `run.summary`.

    The metric may rank a row only against rows of the same key.
    """
    losses = [name for name in comparable.loss_fields(metric) if name in run.swept and name in table]
    return list(zip(_held_out(run, table), _values(table, losses), strict=True))


def check_ranked(run: RunRecord, table: pd.DataFrame, metric: str, call: str) -> None:
    """Raises RunError for points that the metric cannot rank against each other.

    Args:
        run: the run.
        table: rows of `run.trials` or `run.summary`.
        metric: what they would be ranked by.
        call: what was called, as far as its filters: "run.best('val_loss'".
    """
    if len(set(groups(run, table, metric))) < 2:
        return
    what, names = _why_unlike(run, table, metric)
    first = {name.replace(".", "__"): statistics.hashable(table[name].iloc[0]) for name in names}
    one = ", ".join(f"{name}={value!r}" for name, value in first.items())
    raise RunError(
        f"{run.path}: points with different {what} ({' and '.join(names)} swept) are not ranked against each other "
        f"by {metric}: choose among equal ones, as with {call}, {one}); run.summary has them all"
    )


def _why_unlike(run: RunRecord, table: pd.DataFrame, metric: str) -> tuple[str, tuple[str, ...]]:
    """Returns the difference that keeps a metric from ranking the points, and its fields."""
    held_out = set(_held_out(run, table))
    if len(held_out) < 2:
        return "losses", comparable.differing(table, comparable.loss_fields(metric))
    if len({classes for classes, *_ in held_out}) > 1:
        return "classes", comparable.differing(table, comparable.CLASS_FIELDS)
    return "held-out pictures", comparable.differing(table, comparable.PICTURE_FIELDS)


def _held_out(run: RunRecord, table: pd.DataFrame) -> list[tuple[Hashable, ...]]:
    """Returns what each row of trials or summary is measured on (of folds, the first)."""
    names = [name for name in run.swept if name.startswith("data.") and name in table]
    _, firsts = statistics.point_codes(run.trials, names)
    some = run.trials.iloc[firsts]
    found = {}
    for values, (_, row) in zip(_values(some, names), some.iterrows(), strict=True):
        data = TrialResult(run, row).own_data
        found[values] = comparable.held_out(data) if data else values
    return [found[values] for values in _values(table, names)]


def _values(table: pd.DataFrame, names: Sequence[str]) -> list[tuple[Hashable, ...]]:
    """Returns what each row has in the named columns."""
    columns = [[statistics.hashable(value) for value in table[name]] for name in names]
    return list(zip(*columns, strict=True)) if columns else [()] * len(table)


def intervals(run: RunRecord, metric: str) -> pd.DataFrame:
    """Returns 95 % intervals of every point's mean, as `Run.intervals` says."""
    codes, firsts = statistics.point_codes(run.trials, run.swept)
    done = run.trials[run.trials["status"] == "done"].assign(point=codes[run.trials["status"] == "done"])
    table = run.summary[[*run.swept, "n", *(f"{metric}_{name}" for name in ("mean", "low95", "high95"))]].copy()
    own = {point: group[metric].astype(float).to_numpy() for point, group in done.groupby("point")}
    independent = not run.overlap
    # Folds are not independent, and resampling supposes that they are.
    bounds = [
        significance.bootstrap(own[point]) if independent and point in own else (math.nan,) * 2
        for point in range(len(firsts))
    ]
    return table.assign(bootstrap_low95=[low for low, _ in bounds], bootstrap_high95=[high for _, high in bounds])


def label(run: RunRecord, point: Point) -> Hashable:
    """Returns the row of `run.summary` that is meant; RunError if there is none, or several."""
    if isinstance(point, Mapping):
        found = run.summary[run.matching(run.summary, point)]
        if len(found) != 1:
            said = ", ".join(f"{name} = {value!r}" for name, value in point.items()) or "no field"
            raise RunError(
                f"{run.path}: {len(found)} points have {said}: name the values of one; run.summary has them all"
            )
        return int(found.index[0])
    row = point.name if isinstance(point, pd.Series) else point
    if not isinstance(row, Hashable) or row not in run.summary.index:
        raise RunError(
            f"{run.path}: no point {row!r}; give a row of run.summary, its number, or a dict of swept values"
        )
    return row


def _describe(run: RunRecord, row: Hashable) -> str:
    """Names a point by its swept values, such as 'learning rate 1e-3'."""
    names, values = axes.short_names(list(run.swept)), run.summary.loc[row]
    parts = [f"{names[field]} {run.axes[field].text(values[field])}" for field in run.swept]
    return ", ".join(parts) or "the one configuration"


def _by_image(run: RunRecord, done_a: pd.DataFrame, done_b: pd.DataFrame) -> pd.DataFrame | None:
    """Returns McNemar's test for each seed that both points have; None without predictions.

    It is on the test split where there is one.
    """
    rows = []
    both = done_a.merge(done_b, on="seed", suffixes=("_a", "_b"))[["seed", "id_a", "id_b"]]
    for seed, id_a, id_b in both.itertuples(index=False):
        a, b = trial.find(run, id_a), trial.find(run, id_b)
        split = "test" if (a.data.get("counts") or {}).get("test") else "validation"
        try:
            labels, others = a.labels(split), b.labels(split)
            logits = a.logits(split), b.logits(split)
        except DamagedError as error:
            console.say_once(str(error))
            continue
        except RunError:
            return None
        # Another share of the data, say: then no image of one is known to be one of the other.
        if labels.shape != others.shape or (labels != others).any():
            return None
        only_a, only_b, p = significance.mcnemar(labels, logits[0].argmax(axis=1), logits[1].argmax(axis=1))
        rows.append((int(seed), split, len(labels), only_a, only_b, p))
    if len(both) and not rows:
        return None
    return pd.DataFrame(rows, columns=["seed", "split", "pictures", "only_a", "only_b", "p"])
