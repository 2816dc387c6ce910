"""Whether a published value is what our repeats lead one to expect: intervals, tests, words."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

import numpy as np
from scipy import special, stats

LEVEL = 0.95


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The answer to whether a published value agrees with ours.

    Attributes:
        words: such as 'within what our 5 seeds predict (0.551 to 0.583)'.
        low, high: the prediction interval; NaN for Welch's test.
        p: of Welch's test; NaN for a prediction interval.
    """

    words: str
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan


def prediction_interval(mean: float, sd: float, n: int, runs: int = 1, level: float = LEVEL) -> tuple[float, float]:
    """Returns where the mean of `runs` further runs is expected to lie.

    It is mean -+ t(level, n - 1) sd sqrt(1 / runs + 1 / n).

    Supposes Gaussian runs of one spread (Hahn and Meeker, Statistical Intervals, 1991, section
    4.7).

    Args:
        mean, sd: of `n` runs, sd with divisor n - 1.
        n: two or more; (nan, nan) below.
        runs: runs behind the value that is predicted, 1 or more.
        level: probability that the interval holds it, in (0, 1).
    """
    if n < 2:
        return math.nan, math.nan
    half = float(special.stdtrit(n - 1, 0.5 + level / 2)) * sd * math.sqrt(1 / runs + 1 / n)
    return mean - half, mean + half


def welch(mean: float, sd: float, n: int, other_mean: float, other_sd: float, other_n: int) -> float:
    """Returns the two-sided p value of Welch's test that two samples have one mean.

    It is of Welch, Biometrika 34, 1947.

    Args:
        mean, sd, n: of one sample, sd with divisor n - 1; likewise the other. NaN below two runs on
            either side.

    Returns:
        p in [0, 1]. Without spread on either side it is 1 for equal means, else 0.
    """
    if min(n, other_n) < 2:
        return math.nan
    if sd == 0 and other_sd == 0:
        return 1.0 if mean == other_mean else 0.0
    return float(stats.ttest_ind_from_stats(mean, sd, n, other_mean, other_sd, other_n, equal_var=False).pvalue)


def obstacle(ours: Sequence[float]) -> str:
    """Returns why our repeats allow no verdict on anything; '' where they do.

    They show no spread to judge by.
    """
    if len(ours) < 2:
        return "one seed" if len(ours) else "no seed"
    return "the repeats do not differ" if min(ours) == max(ours) else ""


def compare(
    ours: Sequence[float], published: float, sd: float | None = None, n: int = 1, rounding: float = 0.0
) -> Verdict:
    """Returns whether a published value agrees with our repeats, as a `Verdict`.

    Args:
        ours: the value of each of our repeats, finite.
        published, sd, n: what was printed: a single run, or the mean of `n` runs with their sample
            sd. A mean without its sd is held against the interval for a mean of `n` runs as widely
            spread as ours.
        rounding: half of the last printed digit: the paper found something within `published` -+
            this. 'Ours above' and 'ours below' hold for all of it.

    Returns:
        Welch's test where both sides have a spread, else a prediction interval, both at 95 %; p is
        the largest over the rounding. Only the words of `obstacle` where that has any.
    """
    if reason := obstacle(ours):
        return Verdict(reason)
    count, mean, spread = len(ours), float(np.mean(ours)), float(np.std(ours, ddof=1))
    side = "ours above" if mean > published else "ours below"
    nearest = min(max(mean, published - rounding), published + rounding)
    if sd is not None and n > 1:
        p = welch(mean, spread, count, nearest, sd, n)
        found = side if p < 1 - LEVEL else "no difference found"
        shown = f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"
        return Verdict(f"{found}, Welch {shown}", p=p)
    low, high = prediction_interval(mean, spread, count, n)
    bounds = f"our {count} seeds predict ({low:.3f} to {high:.3f})"
    if low <= published <= high:
        return Verdict(f"within what {bounds}", low=low, high=high)
    if low <= nearest <= high:
        return Verdict(f"within what {bounds}, given its rounding (-+ {rounding:g})", low=low, high=high)
    return Verdict(f"{side}: {bounds}", low=low, high=high)


def compare_choices(
    choices: Iterable[Sequence[float]], published: float, sd: float | None = None, n: int = 1, rounding: float = 0.0
) -> Verdict:
    """Returns whether a published value lies within the spread over choices that are ours.

    A paper that leaves out its number of epochs, say, is held against ours after each of many. The
    spread reaches from the lowest to the highest of the prediction intervals of all choices, so
    that 'ours above' and 'ours below' hold whatever is chosen.

    Args:
        choices: the values of our repeats under each choice, finite.
        published, sd, n, rounding: as of `compare`; Welch's test against any choice may find no
            difference as well.

    Returns:
        The bounds of the spread as low and high. Only the words of `obstacle` where every choice
        has one.
    """
    usable = [values for values in choices if not obstacle(values)]
    if not usable:
        return Verdict(next((reason for values in choices if (reason := obstacle(values))), "no seed"))
    low, high, alike = math.inf, -math.inf, False
    for values in usable:
        count, mean, spread = len(values), float(np.mean(values)), float(np.std(values, ddof=1))
        bottom, top = prediction_interval(mean, spread, count, n)
        low, high = min(low, bottom), max(high, top)
        nearest = min(max(mean, published - rounding), published + rounding)
        alike |= sd is not None and n > 1 and welch(mean, spread, count, nearest, sd, n) >= 1 - LEVEL
    bounds = f"({low:.3f} to {high:.3f})"
    if alike or (low <= published + rounding and high >= published - rounding):
        return Verdict(f"within the spread over our choices {bounds}", low=low, high=high)
    side = "ours above" if low > published else "ours below"
    return Verdict(f"{side}, whatever we chose {bounds}", low=low, high=high)


def compare_one(ours: float, images: int, published: float, rounding: float = 0.0) -> Verdict:
    """Returns whether a published accuracy is within what the drawing of images leaves open.

    For a single seed of ours on images that the paper did not have: both accuracies are of as many
    images, drawn at random, so that their difference has a standard error of sqrt(2 p (1 - p) / n)
    even without any spread over seeds. A larger difference says nothing of one seed.

    Args:
        ours: an accuracy in [0, 1].
        images: how many it is of; the paper's are taken to be as many.
        published, rounding: as of `compare`.

    Returns:
        A verdict with no words where the difference is larger.
    """
    half = float(special.ndtri(0.5 + LEVEL / 2)) * math.sqrt(2 * ours * (1 - ours) / images)
    low, high = ours - half, ours + half
    words = f"no difference beyond what {images:,} images leave open ({low:.3f} to {high:.3f}), one seed"
    inside = low <= published + rounding and high >= published - rounding
    return Verdict(words if inside else "", low=low, high=high)
