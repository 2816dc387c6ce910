"""How far each source of chance alone spreads the results of one point (`sweep.seeds_of`)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import special

from fer_jax.config.repeats import SOURCES

COLUMNS = ("source", "n", "mean", "sd", "low95", "high95")


def sd_interval(sd: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Returns an interval of the standard deviation that n values were drawn with.

    (n - 1) sd² / sigma² is chi-square with n - 1 degrees of freedom where values are normal. Few
    values leave it wide: 0.6 to 2.9 times sd for five.

    Args:
        sd: of the values (divisor n - 1).
        n: values.
        level: of the interval, in (0, 1).

    Returns:
        Its ends; NaN for fewer than two values, and for values that are all the same, whose
        distribution is not normal.
    """
    if n < 2 or not sd > 0:
        return math.nan, math.nan
    squares, tail = (n - 1) * sd**2, (1 - level) / 2
    # chdtri is the inverse of the upper tail.
    return tuple(float(math.sqrt(squares / special.chdtri(n - 1, p))) for p in (tail, 1 - tail))  # type: ignore[return-value]


def components(tables: Mapping[str, pd.DataFrame], metric: str) -> pd.DataFrame:
    """Returns the spread of a metric that each source of chance causes at one point.

    Where the sources act independently, the variances (sd²) of the single ones add up to that of
    'all', and to more where they interact; the split stands apart: 'all' keeps it, 'everything'
    varies it too.

    Args:
        tables: what repeats vary, as `sweep.seeds_of` names it -> trials of one and the same point,
            as in trials.csv. Only done trials with a value count.
        metric: column of trials.

    Returns:
        A row a source, in the order of `repeats.SOURCES`, with `COLUMNS`: source, n, mean, sd
        (divisor n - 1), and the 95 % interval of the sd (`sd_interval`); NaN where n is too small.

    Raises:
        ValueError: a source that `sweep.seeds_of` does not know.
    """
    if unknown := set(tables) - set(SOURCES):
        raise ValueError(f"sweep.seeds_of has no {unknown.pop()!r}: it is {', '.join(SOURCES)}")
    rows = []
    for source in SOURCES:
        if source not in tables:
            continue
        table = tables[source]
        values = pd.to_numeric(table[metric][table["status"] == "done"]).to_numpy(np.float64, na_value=np.nan)
        values = values[np.isfinite(values)]
        sd = float(values.std(ddof=1)) if len(values) > 1 else math.nan
        mean = float(values.mean()) if len(values) else math.nan
        rows.append((source, len(values), mean, sd, *sd_interval(sd, len(values))))
    return pd.DataFrame(rows, columns=COLUMNS)
