"""What successive halving would have found on curves that were recorded in full."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from fer_jax.analysis.ranking import Ranking
from fer_jax.analysis.significance import ROUNDING
from fer_jax.search import history
from fer_jax.search.rungs import Halving


@dataclasses.dataclass(frozen=True)
class Replay:
    """A search carried out on a full grid's curves.

    Attributes:
        halving: its rungs and brackets.
        stopped: int (points,): the epochs after which each point would have left; those that reach
            the end have all.
        chosen: the best point at the end, of those that reach it.
        best: the best point of the full grid: the chosen one where none is better, else the first.
        score, best_score: of both after all epochs, higher is better.
        place: of the chosen point in the full grid, from 1: one more than there are better points.
    """

    halving: Halving
    stopped: np.ndarray
    chosen: int
    best: int
    score: float
    best_score: float
    place: int

    @property
    def regret(self) -> float:
        """How much better the full grid's best is, 0 or more, in the unit of the scores."""
        return self.best_score - self.score

    @property
    def share(self) -> float:
        """The share of the full grid's epochs that the search would have trained."""
        return float(self.stopped.sum() / (len(self.stopped) * self.halving.epochs[-1]))


def replay(scores: np.ndarray, halving: Halving) -> Replay | None:
    """Returns what a search would have done, whose every decision is `Halving.leaving`.

    Args:
        scores: float (points, epochs): what the points are ranked by after each epoch, higher is
            better, see `history.best_so_far`; NaN where none of a point's trials is left.
        halving: of these points, its last rung no longer than the scores.

    Returns:
        None where no point has a score at the end, or none of those that reach it.
    """
    last = scores[:, halving.epochs[-1] - 1]
    if np.isnan(last).all():
        return None
    stopped = np.full(len(scores), halving.epochs[-1])
    here = np.zeros(len(scores), bool)
    for rung, epochs in enumerate(halving.epochs):
        here |= halving.brackets == rung
        leaves = halving.leaving(rung, scores[:, epochs - 1], here)
        stopped[leaves] = epochs
        here &= ~leaves
    reached = np.where(here, last, np.nan)
    if np.isnan(reached).all():
        return None
    chosen, best = int(np.nanargmax(reached)), int(np.nanargmax(last))
    # Means of the same numbers in another order are one.
    place = 1 + int((last - last[chosen] > ROUNDING * max(1.0, abs(float(last[chosen])))).sum())
    best = chosen if place == 1 else best
    return Replay(halving, stopped, chosen, best, float(last[chosen]), float(last[best]), place)


def of_full_grid(ranking: Ranking, halving: tuple[int, int] | None = None) -> Replay | None:
    """Returns what halving would have found on a run whose points were all trained to the end.

    Args:
        ranking: the run.
        halving: epochs of the first rung, factor; None takes `history.usual_rungs`.

    Returns:
        None where some point was not trained to one common end, where its curves are not there, or
        where there would be nobody to leave.
    """
    ranking = history.first_seeds(ranking)
    length = history.one_length(ranking)
    if ranking.config.get("search.halving") or length is None or len(ranking.points) < 2:
        return None
    if not ranking.trials["status"].isin(["done", "diverged"]).all():
        return None
    search = Halving.of(len(ranking.points), length, halving or history.usual_rungs(length))
    scores = history.best_so_far(ranking, length)
    lost = ranking.trials.groupby("point")["status"].agg(lambda of: bool((of == "diverged").all()))
    known = np.isfinite(scores[:, -1]) | lost.reindex(ranking.points.index).to_numpy(bool)
    if len(search.epochs) < 2 or not known.all() or pd.isna(scores[:, search.epochs[0] - 1]).all():
        return None
    return replay(scores, search)
