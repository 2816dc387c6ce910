"""The tuning curve of a sweep: how good the best of k of its points is, were they picked blindly.

Dodge, Gururangan, Card, Schwartz and Smith (Show Your Work, EMNLP 2019) report the expected best of
k. Their estimate draws with replacement and is biased downwards (Tang, Lee, Xin, Liu, Yu and Lin,
ACL 2020); this one draws without. The median and its band are those of Lourie, Cho and He (Show
Your Work with Confidence, NAACL 2024).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import special

from fer_jax.analysis import cdf_bands
from fer_jax.analysis.ranking import Ranking

LEAST = 5  # points: of fewer there is little to say about picking some of them
# More lengths than this are thinned out to about equal ratios.
_MOST_LENGTHS = 500
# What may be drawn at most and at least, where a band ends.
_ENDS: Mapping[str, tuple[float, float]] = {"accuracy": (0.0, 1.0), "f1": (0.0, 1.0), "auc": (0.0, 1.0)}


@dataclasses.dataclass(frozen=True)
class TuningCurve:
    """The best of k points, for every k that is shown.

    Attributes:
        scores: float (n,), of the points, better ones later.
        table: a row a k, ascending: `points` (k), `expected` and `median` (of the best of k points,
            picked at random without replacement from the n), `low95` and `high95` (the band, NaN
            where it has no end).
        lost: points of the n whose trials all diverged; they count as the worst of the others.
        unknown: points that are not among the n: pending, running or failed.
    """

    scores: np.ndarray
    table: pd.DataFrame
    lost: int = 0
    unknown: int = 0

    @property
    def last_bounded(self) -> int:
        """The largest k whose best is bounded from the better side; 0 for none."""
        bounded = self.table["points"][self.table["bounded"]]
        return int(bounded.max()) if len(bounded) else 0


def of_scores(scores: np.ndarray, metric: str = "val_accuracy", confidence: float = 0.95) -> pd.DataFrame:
    """Returns the tuning curve of points with these scores.

    What is expected, and the median, are exact: of the C(n, k) ways to pick k points, the i-th
    smallest score is the largest in C(i - 1, k - 1). The band takes the points for independent
    draws from a distribution that may be any, and holds for the median of the best of k further
    draws of it, at all k together, with the confidence or more.

    Args:
        scores: float (n,), finite, in any order.
        metric: decides which end is better, and whether the scores have ends (an accuracy lies
            between 0 and 1).
        confidence: of the band, in (0, 1).

    Returns:
        A row a k, see `TuningCurve.table`, and `bounded`: whether the band says more about the
        better side than the metric's own end does.
    """
    better_low = metric.endswith(("loss", "ece"))
    ascending = np.sort(-scores if better_low else scores)
    n = len(ascending)
    lengths = _lengths(n)
    expected, median = [], []
    for k in lengths:
        within = _share_within(n, int(k))
        expected.append(float(np.diff(within) @ ascending))
        median.append(ascending[np.searchsorted(within, 0.5 - 1e-12) - 1])
    lower, upper = cdf_bands.band(n, confidence)
    least, most = _ends(metric)
    wanted = 0.5 ** (1 / lengths)
    # The smallest score up to which a bound holds as large a share as is wanted: the bound from
    # above (below) gives the lower (upper) end.
    low = np.concatenate([[least], ascending])[np.searchsorted(upper, wanted)]
    at = np.searchsorted(lower, wanted)
    high = np.concatenate([[least], ascending, [most]])[at]
    columns = {"expected": np.array(expected), "median": np.array(median), "low95": low, "high95": high}
    if better_low:
        columns = {name: 0.0 - values for name, values in columns.items()}
        columns["low95"], columns["high95"] = columns["high95"], columns["low95"]
    table = pd.DataFrame({"points": lengths, **columns, "bounded": at <= n})
    return table.replace([np.inf, -np.inf], np.nan)


def of_ranking(ranking: Ranking) -> TuningCurve | str:
    """Returns the tuning curve of a sweep's points, by their mean of the metric that chooses.

    Returns:
        A reason in words, a clause, where there is none: fewer than `LEAST` points with a result,
        or points that left at a rung, whose scores are not those of a whole training.
    """
    points, name = ranking.points, f"{ranking.metric}_mean"
    if (ranking.trials["status"].isin(["pruned", "paused"])).any():
        return "points left at a rung, and what they would have come to is not known"
    scores = points[name].to_numpy(np.float64) if name in points else np.full(len(points), np.nan)
    known = np.isfinite(scores)
    if known.sum() < LEAST:
        return f"fewer than {LEAST} points have a result"
    if np.ptp(scores[known]) == 0:
        return "all points have the same score"
    trials = ranking.trials
    lost = trials.groupby("point")["status"].agg(lambda of: bool((of == "diverged").all())).reindex(points.index)
    diverged = ~known & lost.fillna(False).to_numpy(bool)
    worst = scores[known].min() if ranking.higher_is_better else scores[known].max()
    found = np.concatenate([scores[known], np.full(int(diverged.sum()), worst)])
    better_later = np.sort(found) if ranking.higher_is_better else -np.sort(-found)
    table = of_scores(found, ranking.metric)
    return TuningCurve(better_later, table, int(diverged.sum()), int((~known & ~diverged).sum()))


def _share_within(n: int, k: int) -> np.ndarray:
    """Returns the share of the ways to pick k of n that lie within the first i, float (n + 1,)."""
    i = np.arange(n + 1)
    with np.errstate(invalid="ignore"):
        logs = special.gammaln(i + 1) - special.gammaln(np.maximum(i - k, 0) + 1)
    total = special.gammaln(n + 1) - special.gammaln(n - k + 1)
    return np.where(i >= k, np.exp(np.minimum(logs - total, 0.0)), 0.0)


def _lengths(n: int) -> np.ndarray:
    """Returns every k from 1 to n, or about `_MOST_LENGTHS` of them where there are more."""
    if n <= _MOST_LENGTHS:
        return np.arange(1, n + 1)
    return np.unique(np.geomspace(1, n, _MOST_LENGTHS).round().astype(int))


def _ends(metric: str) -> tuple[float, float]:
    """Returns the ends of what a score can be, as larger is better; infinite where it has none."""
    if metric.endswith(("loss", "ece")):
        return -np.inf, 0.0
    return next((ends for kind, ends in _ENDS.items() if metric.endswith(kind)), (-np.inf, np.inf))
