"""Exact confidence bands for a distribution that a sample was drawn from, whatever it is.

Of n independent draws the i-th smallest lies at a quantile whose law is Beta(i, n + 1 - i). One
interval for each of these quantiles, all of the same probability, bound the distribution function
at every draw; they are widened until all of them hold together with the confidence that is asked
for (Learned-Miller and DeStefano, IEEE Transactions on Information Theory 54, 2008), and the
intervals are those of highest density (Lourie, Cho and He, NAACL 2024, arXiv 2311.09480). The
probability that all hold is computed, neither simulated nor taken from a limit: the draws are
counted along the unit interval, where their number is a Poisson process given its end (Moscovich
and Nadler, Statistics and Probability Letters 123, 2017).
"""

from __future__ import annotations

import functools
import math

import numpy as np
from scipy import optimize, special, stats

# Up to here the exact band takes a second or less; above it the inequality is nearly as narrow.
MOST_EXACT = 1000


def coverage(low: np.ndarray, high: np.ndarray) -> float:
    """Returns the probability that all order statistics of uniform draws lie in their intervals.

    Args:
        low, high: float (n,), ascending, in [0, 1]: the ends of the interval of the i-th smallest
            of n independent draws from the unit interval.
    """
    n = len(low)
    if (low > high).any():
        return 0.0
    times = np.unique(np.concatenate([low, high, [1.0]]))
    # At a time t at least the draws must have come whose intervals end by then, and at most those
    # whose intervals have begun before.
    least = np.searchsorted(high, times, side="right")
    most = np.searchsorted(low, times, side="left")
    state, first, before = np.ones(1), 0, 0.0
    for time, fewest, largest in zip(times, least, most, strict=True):
        if fewest > largest:
            return 0.0
        steps = stats.poisson.pmf(np.arange(largest - first + 1), n * (time - before))
        grown = np.convolve(state, steps)[fewest - first : largest - first + 1]
        state, first, before = grown, int(fewest), float(time)
    return float(state[n - first] / stats.poisson.pmf(n, n)) if len(state) > n - first else 0.0


def highest_density(n: int, content: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns the shortest interval of each order statistic that holds it with a probability.

    Args:
        n: independent draws from the unit interval.
        content: the probability, in (0, 1).

    Returns:
        Its lower and upper ends, float (n,), of the i-th smallest draw. Where the density falls or
        rises throughout (the first and the last) the interval has one end at 0 or at 1.
    """
    i = np.arange(1, n + 1)
    a, b = i.astype(float), (n + 1 - i).astype(float)
    if n == 1:
        return np.array([(1 - content) / 2]), np.array([(1 + content) / 2])
    # The interval begins where this much lies below it, at which its two ends are equally dense.
    below, above = np.zeros(n), np.full(n, 1 - content)
    for _ in range(50):
        middle = (below + above) / 2
        low, high = special.betaincinv(a, b, middle), special.betaincinv(a, b, np.minimum(middle + content, 1))
        with np.errstate(divide="ignore"):
            rises = special.xlogy(a - 1, low / high) + special.xlog1py(b - 1, -low) - special.xlog1py(b - 1, -high)
        # An interval whose lower end is the less dense one has to move up.
        up = rises < 0
        below, above = np.where(up, middle, below), np.where(up, above, middle)
    low, high = special.betaincinv(a, b, below), special.betaincinv(a, b, np.minimum(below + content, 1))
    low[0], high[-1] = 0.0, 1.0
    high[0], low[-1] = -np.expm1(np.log1p(-content) / n), math.exp(math.log1p(-content) / n)
    return low, high


@functools.lru_cache(maxsize=64)
def band(n: int, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Returns bounds of a distribution function between the draws of a sample of n.

    With the confidence or more the function lies between both everywhere, whatever the distribution
    is; where it has no jumps, with the confidence exactly. Beyond `MOST_EXACT` draws they are those
    of the inequality of Dvoretzky, Kiefer and Wolfowitz with Massart's constant (Annals of
    Probability 18, 1990), which hold as well and are somewhat wider.

    Args:
        n: draws, from 1.
        confidence: in (0, 1).

    Returns:
        Lower and upper bound, float (n + 1,): the k-th of both, from 0, holds from the k-th
        smallest draw up to the next. The arrays are shared: do not write to them.
    """
    if n > MOST_EXACT:
        half = math.sqrt(math.log(2 / (1 - confidence)) / (2 * n))
        steps = np.arange(n + 1) / n
        return _shared(np.maximum(steps - half, 0)), _shared(np.minimum(steps + half, 1))

    def missing(logit: float) -> float:
        return coverage(*highest_density(n, 1 - math.exp(logit))) - confidence

    # All hold together no oftener than one, and at least as often as by Bonferroni's inequality.
    logs = math.log((1 - confidence) / n) - 1e-9, math.log(1 - confidence) + 1e-9
    found = optimize.brentq(missing, *logs, xtol=1e-10) if n > 1 else math.log(1 - confidence)
    low, high = highest_density(n, 1 - math.exp(found))
    return _shared(np.concatenate([[0.0], low])), _shared(np.concatenate([high, [1.0]]))


def _shared(values: np.ndarray) -> np.ndarray:
    values.flags.writeable = False
    return values
