"""Tests whether samples can be told apart: repeats that share seeds or folds, images, many."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from scipy import special, stats

# Of fewer pairs even the most extreme signs have a two-sided p of at least 2 / 2^5 = 0.0625:
# nothing can fall below 5 %.
WILCOXON_FROM = 6
# Below this a resample holds too few different values: the interval is too narrow
# (docs/statistics.md has the coverage).
BOOTSTRAP_FROM = 10
RESAMPLES = 9999
# A smaller share of a mean is no spread: one image of a million among a thousand seeds is more.
ROUNDING = 1e-10


@dataclasses.dataclass(frozen=True)
class Paired:
    """The mean of paired differences.

    Attributes:
        pairs: differences it stands on.
        mean: their mean; NaN without any.
        low, high: Student's interval at the level asked for; NaN below two pairs.
        p: two-sided, of the mean being 0; NaN below two pairs and where the differences do not
            differ.
    """

    pairs: int
    mean: float
    low: float
    high: float
    p: float


def paired_t(differences: np.ndarray, level: float = 0.95, overlap: float = 0.0) -> Paired:
    """Returns Student's paired t test (Student, Biometrika 6, 1908) and interval.

    Args:
        differences: (n,), one a pair; NaN where a side is missing, which leaves the pair out.
        level: probability that the interval holds the mean, in (0, 1).
        overlap: as for `paired_t_rows`.
    """
    count, mean, half, p = (
        each[0] for each in paired_t_rows(np.asarray(differences, np.float64)[None], level, overlap)
    )
    return Paired(int(count), float(mean), float(mean - half), float(mean + half), float(p))


def paired_t_rows(
    differences: np.ndarray, level: float = 0.95, overlap: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns `paired_t` of every row at once.

    Args:
        differences: (rows, pairs), NaN for a pair that a row does not have.
        level: of the interval, in (0, 1).
        overlap: held-out images per training image where the pairs are folds, 1 / (k - 1), else
            0. Folds share training images, so that their variance understates that of the mean:
            it is multiplied by 1 / n + overlap in place of 1 / n (Nadeau and Bengio, Machine
            Learning 52, 2003, section 3: the corrected resampled t test).

    Returns:
        Pairs, mean, half the interval's width, and p, each (rows,). Differences that are all 0 have
        p = 1. Where they are all one other number there is no spread to judge by, and p is NaN: on
        few images, accuracies of two seeds often differ by the same number of images.
    """
    present = np.isfinite(differences)
    count = present.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(present, differences, 0.0).sum(axis=1) / count
        squares = np.where(present, (differences - mean[:, None]) ** 2, 0.0).sum(axis=1)
        error = np.sqrt(squares / (count - 1) * (1 / count + overlap))
        # Rounding of a mean must not pass for a spread.
        error = np.where(error <= ROUNDING * np.abs(mean), 0.0, error)
        p = 2 * special.stdtr(count - 1, -np.abs(mean) / error)
        p = np.where(error == 0, np.where(mean == 0, 1.0, np.nan), p)
        half = special.stdtrit(count - 1, 0.5 + level / 2) * error
    enough = count >= 2
    return count, np.where(count > 0, mean, np.nan), np.where(enough, half, np.nan), np.where(enough, p, np.nan)


def wilcoxon(differences: Sequence[float] | np.ndarray) -> float:
    """Returns the two-sided p value of Wilcoxon's signed-rank test, exact where it can be.

    The test is of Wilcoxon, Biometrics Bulletin 1, 1945.

    Returns:
        NaN below `WILCOXON_FROM` pairs, with which it could never find anything at 5 %; 1 where all
        differences are 0.
    """
    finite = np.asarray(differences, np.float64)
    # The same number of images is the same difference, whatever rounding made of it: ties must be
    # found.
    finite = np.round(finite[np.isfinite(finite)], 12)
    if len(finite) < WILCOXON_FROM:
        return math.nan
    return float(stats.wilcoxon(finite).pvalue) if finite.any() else 1.0


def mcnemar(labels: np.ndarray, answers: np.ndarray, other_answers: np.ndarray) -> tuple[int, int, float]:
    """Returns McNemar's test that two classifiers are right equally often on the same images.

    It is of McNemar, Psychometrika 12, 1947, in its mid-p form.

    The mid-p value takes half of the probability of what was observed. For any number of discordant
    images it keeps the level in practice, where the exact test is too strict and the chi-square
    too lax or, with its continuity correction, stricter still (Fagerland, Lydersen and Laake, BMC
    Medical Research Methodology 13:91, 2013).

    Args:
        labels, answers, other_answers: int (n,): the true class of each image and what either
            classifier says.

    Returns:
        Images only the first is right about, images only the second is right about, and the
        two-sided p, 1 where neither number is above the other.
    """
    first, second, p = mcnemar_rows(answers == labels, (other_answers == labels)[None])
    return int(first[0]), int(second[0]), float(p[0])


def mcnemar_rows(right: np.ndarray, others_right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns `mcnemar` of one classifier against each of many on the same images.

    Args:
        right: bool (n,), whether the one is right about each image.
        others_right: bool (rows, n), the same of the others.

    Returns:
        Images only the one is right about, images only the other is right about, int64 (rows,), and
        the two-sided p, (rows,).
    """
    first = np.count_nonzero(right & ~others_right, axis=1)
    second = np.count_nonzero(~right & others_right, axis=1)
    fewer, both = np.minimum(first, second), first + second
    p = 2 * stats.binom.cdf(fewer, both, 0.5) - stats.binom.pmf(fewer, both, 0.5)
    return first, second, np.where(first == second, 1.0, p)


def holm(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """Returns Holm's adjusted p values (Scandinavian Journal of Statistics 6, 1979), (n,).

    What lies at or below a level after adjustment can be rejected with that probability of any
    false rejection among all. NaN (a comparison that could not be tested) stays NaN and is not
    counted.
    """
    values = np.asarray(p, np.float64)
    adjusted = np.full(values.shape, np.nan)
    known = np.flatnonzero(np.isfinite(values))
    order = known[np.argsort(values[known], kind="stable")]
    factors = len(order) - np.arange(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1.0)
    return adjusted


def bootstrap(values: Sequence[float] | np.ndarray, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Returns the bias-corrected and accelerated bootstrap interval of a mean.

    It is of Efron, JASA 82, 1987, and the same for the same values.

    It is the same for the same values.

    Args:
        values: (n,), finite.
        level: probability that it holds the mean, in (0, 1).
        seed: of the `RESAMPLES` resamples.

    Returns:
        (nan, nan) below `BOOTSTRAP_FROM` values; the value itself twice where all are equal.
    """
    sample = np.asarray(values, np.float64)
    if len(sample) < BOOTSTRAP_FROM:
        return math.nan, math.nan
    if sample.min() == sample.max():
        return float(sample[0]), float(sample[0])
    found = stats.bootstrap(
        (sample,), np.mean, n_resamples=RESAMPLES, confidence_level=level, method="BCa", rng=np.random.default_rng(seed)
    ).confidence_interval
    return float(found.low), float(found.high)
