"""A run, or a part of it, as it stands beside others: its ranking, and its best point."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from fer_jax.analysis.predictions import Predictions
from fer_jax.analysis.ranking import Ranking, best_first

_LONGEST_NAME = 40


@dataclasses.dataclass(frozen=True)
class Entry:
    """One run, or one part of a run that is ranked by itself.

    Attributes:
        name: of the run, with the part where there are several.
        ranking: its trials.
        config: dotted name -> value at its best point.
        predictions: what the networks of its best point answer; None where that was not kept.
    """

    name: str
    ranking: Ranking
    config: Mapping[str, Any]
    predictions: Predictions | None = None

    @property
    def best(self) -> int:
        """The number of the best point."""
        return self.ranking.best

    @property
    def done(self) -> pd.DataFrame:
        """The done trials of the best point."""
        trials = self.ranking.trials
        return trials[(trials["point"] == self.best) & (trials["status"] == "done")]

    @property
    def short(self) -> str:
        """The name of the run or part for figures, cut where it is long."""
        name = self.name if len(self.name) <= _LONGEST_NAME else self.name[: _LONGEST_NAME - 1] + "…"
        return name.replace("$", r"\$")  # matplotlib would read a formula

    def mean(self, metric: str) -> float:
        """Returns the best point's mean of a metric; NaN where it has none."""
        return float(self.ranking.points.loc[self.best].get(f"{metric}_mean", math.nan))

    def interval(self, metric: str) -> tuple[float, float]:
        """Returns Student's 95 % interval of that mean, corrected for folds; NaN for one seed."""
        row = self.ranking.points.loc[self.best]
        return float(row.get(f"{metric}_low95", math.nan)), float(row.get(f"{metric}_high95", math.nan))


def in_order(entries: Sequence[Entry]) -> list[Entry]:
    """Returns entries that share their metric and images, the best first; of equals, as given."""
    metric = entries[0].ranking.metric
    means = pd.DataFrame({metric: [entry.mean(metric) for entry in entries]})
    return [entries[place] for place in best_first(means, metric)]
