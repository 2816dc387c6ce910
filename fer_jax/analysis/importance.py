"""How much of the differences between points each swept field makes: exact analysis of variance.

A full grid is a factorial experiment (Fisher, The Design of Experiments, 1935): the sum of squares
between its points falls apart into those of every field and of every interaction, which are
orthogonal. What the seeds do at a point is the error they are tested against. The seeds are the
same at all points (common random numbers), so that they are blocks: what a seed does to all points
alike is taken out of the error.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import linalg, stats

from fer_jax.analysis import significance
from fer_jax.analysis.ranking import Ranking


@dataclasses.dataclass(frozen=True)
class Importance:
    """The analysis of variance of a full grid.

    Attributes:
        fields: the K swept fields with several values, by dotted name.
        levels: the number of values of each.
        effects: a row for each of the 2^K - 1 sets of fields, the largest share first: `fields`
            (positions in `fields`, a tuple), `df`, `squares` (sum over all trials), `share` of the
            sum of squares between points, `chance` (the share that the seeds alone would be
            expected to give it; NaN without repeats), `f`, `p` and `p_holm` (Holm over all rows;
            NaN where there is no test).
        repeats: trials of each point.
        blocked: whether all points have the same seeds, whose main effect is taken out.
        error_df: degrees of freedom of the error, 0 without repeats.
        error: its mean square, the variance of a trial around its point; NaN without repeats.
        why_untested: a clause; '' where the effects are tested.
    """

    fields: tuple[str, ...]
    levels: tuple[int, ...]
    effects: pd.DataFrame
    repeats: int
    blocked: bool
    error_df: int
    error: float
    why_untested: str


def of_values(values: np.ndarray, fields: Sequence[str], blocked: bool, independent: bool = True) -> Importance:
    """Returns the analysis of variance of a full factorial.

    Args:
        values: float (L1, ..., LK, R), finite: of R trials at every combination of the values of K
            fields, each with two values or more.
        fields: the K names.
        blocked: whether the r-th trials of all points share a seed.
        independent: whether the trials of a point are independent; else nothing is tested.
    """
    *levels, repeats = values.shape
    points = int(np.prod(levels))
    squares, freedom = _by_effect(values.mean(axis=-1))
    squares = squares * repeats
    around = values - values.mean(axis=-1, keepdims=True)
    within, error_df = float((around**2).sum()), points * (repeats - 1)
    if blocked and repeats > 1:
        seeds = around.reshape(points, repeats).mean(axis=0)
        within, error_df = max(within - points * float((seeds**2).sum()), 0.0), (points - 1) * (repeats - 1)
    error = within / error_df if error_df else np.nan
    # A spread that is rounding only is none.
    rounding = (significance.ROUNDING * np.abs(values).max()) ** 2
    error = 0.0 if error <= rounding else error
    why = _why_untested(repeats, error, independent)
    between = squares.sum() if squares.sum() > rounding * values.size else 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        share = squares / between if between else np.full(len(squares), np.nan)
        chance = freedom * error / between if between else np.full(len(squares), np.nan)
        f = np.where(why == "", squares / freedom / error, np.nan)
    p = stats.f.sf(f, freedom, error_df) if not why else np.full(len(f), np.nan)
    sets = [tuple(k for k in range(len(levels)) if mask >> k & 1) for mask in range(1, 2 ** len(levels))]
    effects = pd.DataFrame(
        {"fields": sets, "df": freedom, "squares": squares, "share": share, "chance": chance, "f": f, "p": p}
    )
    effects["p_holm"] = significance.holm(p)
    order = np.lexsort(([len(one) for one in sets], -squares))
    effects = effects.iloc[order].reset_index(drop=True)
    return Importance(tuple(fields), tuple(levels), effects, repeats, blocked, error_df, error, why)


def of_ranking(ranking: Ranking) -> Importance | str:
    """Returns the analysis of variance of a sweep's points, by the metric that chooses.

    Returns:
        A reason in words, a clause, where it cannot be made: fields that were not crossed in full,
        or points with other numbers of done trials.
    """
    points = ranking.points
    fields = [field for field in ranking.swept if len(ranking.axes[field].levels) > 1]
    if not fields:
        return "nothing is swept"
    levels = [len(ranking.axes[field].levels) for field in fields]
    combinations = int(np.prod([float(count) for count in levels]))
    if len(points) != combinations:
        return (
            f"the sweep is no full grid: it has {len(points):,} of the {combinations:,} combinations of its "
            "fields' values"
        )
    counts = points["n"]
    if ranking.trials["status"].isin(["pruned", "paused"]).any():
        return "points left at a rung, and not all have a result of the whole training"
    if counts.min() != counts.max() or not counts.max():
        return f"the points have {counts.min()} to {counts.max()} done trials each, not the same number"
    repeats = int(counts.max())
    done = ranking.trials[ranking.trials["status"] == "done"].sort_values(["point", "seed"], kind="stable")
    if ranking.metric not in done or not np.isfinite(measured := done[ranking.metric].to_numpy(np.float64)).all():
        return f"not every trial has a finite {ranking.metric}"
    places = tuple(ranking.axes[field].index(points[field]) for field in fields)
    values = np.empty((*levels, repeats))
    values[places] = measured.reshape(len(points), repeats)
    seeds = done["seed"].to_numpy().reshape(len(points), repeats)
    found = of_values(values, fields, bool((seeds == seeds[0]).all()), not ranking.overlap)
    return found if found.effects["share"].notna().all() else f"all points have the same mean {ranking.metric}"


def _by_effect(means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the sum of squares and degrees of freedom of each set of fields but the empty one.

    The set of number m, from 1, has the fields whose bits are set in m.
    """
    # In an orthonormal basis whose first vector is constant, along each axis, every coefficient
    # belongs to one effect: to the fields along whose axes it is none of the first.
    kinds = np.zeros(means.shape, np.int64)
    freedom = np.ones(2**means.ndim, np.int64)
    for axis, count in enumerate(means.shape):
        means = np.moveaxis(np.tensordot(linalg.helmert(count, full=True), means, axes=(1, axis)), 0, axis)
        varies = (np.arange(count) > 0).astype(np.int64) << axis
        kinds += varies.reshape([-1 if each == axis else 1 for each in range(means.ndim)])
        freedom[np.arange(len(freedom)) >> axis & 1 == 1] *= count - 1
    return np.bincount(kinds.ravel(), weights=means.ravel() ** 2)[1:], freedom[1:]


def _why_untested(repeats: int, error: float, independent: bool) -> str:
    if repeats < 2:
        return (
            "each point has one trial, so that there is no error to test against; the interaction of all fields is "
            "not taken for one"
        )
    if not independent:
        return "folds, or splits of the same images, overlap in training: their spread is no error to test against"
    if not error > 0:
        return "the repeats do not differ, so that there is no error to test against"
    return ""
