"""What a search did: who left at which rung, with what score, and what was trained for it.

Everything follows from config.json, trials.csv and the recorded curves, so that a report says the
same of a run whenever and wherever it is drawn.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from fer_jax.analysis import statistics
from fer_jax.analysis.comparable import lower_is_better
from fer_jax.analysis.ranking import Ranking
from fer_jax.search.rungs import Halving, ladder

STAYS = -1
_FEWEST = 3  # points: of two a rank correlation is 1 or -1, whatever they are


@dataclasses.dataclass(frozen=True)
class Stretch:
    """The training of a bracket's points from one comparison to the next.

    Attributes:
        bracket: from 0.
        rung: at whose end the points are compared; the last one ends the training.
        epochs: after which it ends.
        trained: points that began it.
        went_on: points that went on from it; None at the last rung, and where that is not decided.
        worst_kept, best_left: scores at its end, of the worst point that went on and of the best
            that left; NaN for none.
        passes: epochs trained in it, over all trials.
    """

    bracket: int
    rung: int
    epochs: int
    trained: int
    went_on: int | None
    worst_kept: float
    best_left: float
    passes: int


@dataclasses.dataclass(frozen=True)
class History:
    """A run with `search.halving`, as far as it has come.

    Attributes:
        halving: its rungs and brackets.
        scores: float (points, rungs): of each point at the end of each rung, higher is better; NaN
            where it has not been trained so far or all of its trials have diverged or failed.
        left: int (points,): the rung at which each point left, `STAYS` for those that did not.
        why: str (points,): 'pruned', 'diverged' or 'failed' of those that left, else ''.
        epochs: int (trials,): trained, of each trial that the rungs compare (`first_seeds`), in the
            order of trials.csv.
        point: int (trials,): of each trial.
    """

    halving: Halving
    scores: np.ndarray
    left: np.ndarray
    why: np.ndarray
    epochs: np.ndarray
    point: np.ndarray

    @property
    def trained(self) -> int:
        """The epochs trained, over all trials."""
        return int(self.epochs.sum())

    @property
    def full(self) -> int:
        """The epochs that all trials would have been trained for to their end."""
        return len(self.epochs) * self.halving.epochs[-1]

    def stretches(self) -> Iterator[Stretch]:
        """Yields the stretches of each bracket in order, up to the one that is not decided."""
        ends = self.halving.epochs
        for bracket in np.unique(self.halving.brackets):
            members = self.halving.brackets == bracket
            before = 0
            for rung in range(bracket, len(ends)):
                here = members & ((self.left == STAYS) | (self.left >= rung))
                own = np.clip(self.epochs - before, 0, ends[rung] - before)[members[self.point]]
                leaves = here & (self.left == rung)
                beyond = np.isin(np.arange(len(here)), self.point[self.epochs > ends[rung]])
                decided = rung < len(ends) - 1 and bool((leaves | (here & beyond)).any())
                kept = here & ~leaves
                yield Stretch(
                    int(bracket), rung, ends[rung], int(here.sum()),
                    int(kept.sum()) if decided else None,
                    _least(self.scores[kept, rung]) if decided else np.nan,
                    -_least(-self.scores[leaves, rung]),
                    int(own.sum()),
                )  # fmt: skip
                if not decided:
                    break
                before = ends[rung]


def of_ranking(ranking: Ranking) -> History | None:
    """Returns what a run's search did; None without a `search.halving` that makes sense."""
    halving = tuple(int(value) for value in ranking.config.get("search.halving") or ())
    length = one_length(ranking)
    if (
        len(halving) != 2
        or halving[1] < 2
        or length is None
        or not 1 <= halving[0] <= length
        or not len(ranking.points)
    ):
        return None
    brackets, seed = (int(ranking.config.get(f"search.{name}") or 0) for name in ("brackets", "seed"))
    rungs = len(ladder(length, halving[0], halving[1]))
    search = Halving.of(len(ranking.points), length, (halving[0], halving[1]), min(max(brackets, 1), rungs), seed)
    curves = best_so_far(ranking, length)
    trials = first_seeds(ranking).trials
    epochs = pd.to_numeric(trials["epochs"]).fillna(0).to_numpy(np.int64)
    last = trials["id"].map(ranking.curves.groupby("id")["epoch"].max()) if len(ranking.curves) else None
    if last is not None:  # those that are running have no result yet, but curves
        epochs = np.maximum(epochs, last.fillna(0).to_numpy(np.int64))
    point = trials["point"].to_numpy(np.int64)
    left, why = np.full(len(ranking.points), STAYS), np.full(len(ranking.points), "", object)
    for number in range(len(left)):
        own = point == number
        left[number], why[number] = _departure(trials["status"][own], epochs[own], pruned_after(trials)[own], search)
    return History(search, curves[:, np.array(search.epochs) - 1], left, why, epochs, point)


def first_seeds(ranking: Ranking) -> Ranking:
    """Returns the ranking with those trials alone by which points are compared at rungs.

    They are the repeats that every point has. `sweep.best` and `search.race` train more of some
    points, once all rungs are over.
    """
    trials, first = ranking.trials, (ranking.config.get("sweep") or {}).get("repeats")
    if not first or "repeat" not in trials:
        return ranking
    early = pd.to_numeric(trials["repeat"]) < int(first)
    return dataclasses.replace(ranking, trials=trials[early].reset_index(drop=True)) if not early.all() else ranking


def one_length(ranking: Ranking) -> int | None:
    """Returns the epochs of the whole training; None where points differ in it."""
    if "train.epochs" in ranking.swept and ranking.points["train.epochs"].nunique() != 1:
        return None
    swept = "train.epochs" in ranking.swept and len(ranking.points)
    return int(ranking.points["train.epochs"].iloc[0] if swept else ranking.config.get("train.epochs") or 0) or None


def best_so_far(ranking: Ranking, epochs: int) -> np.ndarray:
    """Returns what points are ranked by after each epoch.

    It is the mean over the repeats that every point has (`first_seeds`) of the best value so far of
    the metric that chooses, among trials that have not diverged or failed by then; a loss is
    negated. A trial that stopped early keeps its best value.

    Args:
        ranking: with curves.
        epochs: E, of the whole training.

    Returns:
        float (points, E), NaN where some repeat that goes on has not come so far, or none goes on.
    """
    trials, metric = first_seeds(ranking).trials, ranking.metric
    sign = -1.0 if lower_is_better(metric) else 1.0
    recorded = np.full((len(trials), epochs), np.nan)
    if len(ranking.curves) and metric in ranking.curves:
        curves = ranking.curves.drop_duplicates(["id", "epoch"], keep="last")
        rows = pd.Series(np.arange(len(trials)), index=trials["id"]).reindex(curves["id"]).to_numpy(np.float64)
        places = curves["epoch"].to_numpy(np.int64) - 1
        known = np.isfinite(rows) & (places >= 0) & (places < epochs)
        recorded[rows[known].astype(int), places[known]] = sign * curves[metric].to_numpy(np.float64)[known]
    seen = np.isfinite(recorded)
    last = np.where(seen.any(axis=1), epochs - seen[:, ::-1].argmax(axis=1), 0)
    best = np.fmax.accumulate(recorded, axis=1)
    after = np.arange(1, epochs + 1) > last[:, None]
    status = trials["status"].to_numpy()
    over = np.isin(status, ("diverged", "failed"))[:, None]
    gone = np.where(over, after | ~seen, False)
    if "diverged_epoch" in trials:
        at = pd.to_numeric(trials["diverged_epoch"]).to_numpy(np.float64, na_value=np.inf)
        gone |= np.arange(1, epochs + 1) >= np.where(np.isnan(at), np.inf, at)[:, None]
    ends = np.where(status == "done", epochs, pruned_after(trials))
    waits = after & ~gone & ((np.arange(1, epochs + 1) > ends[:, None]) | (last == 0)[:, None])
    best[waits | gone] = np.nan
    codes, count = trials["point"].to_numpy(np.int64), len(ranking.points)
    total, alive, missing = (np.zeros((count, epochs)) for _ in range(3))
    np.add.at(total, codes, np.where(np.isfinite(best), best, 0.0))
    np.add.at(alive, codes, np.isfinite(best).astype(float))
    np.add.at(missing, codes, (~np.isfinite(best) & ~gone).astype(float))
    with np.errstate(invalid="ignore"):
        return np.where(missing == 0, total / alive, np.nan)


def rank_correlations(scores: np.ndarray, epochs: Sequence[int]) -> pd.DataFrame:
    """Returns Spearman's rank correlation (1904) of the scores at each pair of rungs.

    It is over the points that have a score at both. Where points left in between these are the
    survivors, which are alike, so that the correlation is lower than over all points would be.

    Args:
        scores: float (points, rungs), NaN where there is none.
        epochs: of each rung.

    Returns:
        A row a pair: `epochs`, `later_epochs`, `n` (points with both), `of` (points with a score at
        the earlier), `spearman` (NaN below three points, and where all scores of a rung are equal).
    """
    rows = []
    for one in range(len(epochs)):
        for other in range(one + 1, len(epochs)):
            both = np.isfinite(scores[:, one]) & np.isfinite(scores[:, other])
            a, b = scores[both, one], scores[both, other]
            told = len(a) >= _FEWEST and np.ptp(a) > 0 and np.ptp(b) > 0
            found = float(stats.spearmanr(a, b).statistic) if told else np.nan
            rows.append((epochs[one], epochs[other], int(both.sum()), int(np.isfinite(scores[:, one]).sum()), found))
    return pd.DataFrame(rows, columns=["epochs", "later_epochs", "n", "of", "spearman"])


def usual_rungs(epochs: int) -> tuple[int, int]:
    """Returns `search.halving` for a training of so many epochs, where nobody chose it.

    It is a twelfth of the epochs and factor 3: 4, 12 and 50 of 50.
    """
    return max(1, epochs // 12), 3


def usual_ladder(epochs: int) -> tuple[int, ...]:
    """Returns the ends of the rungs of `usual_rungs`."""
    return ladder(epochs, *usual_rungs(epochs))


def pruned_after(trials: pd.DataFrame) -> np.ndarray:
    """Returns the epochs of the rung at which each trial left, 0 for those that did not.

    A trial that was stopped early has fewer epochs than that.
    """
    found = pd.to_numeric(trials["epochs"]).to_numpy(np.float64, na_value=0)
    if "pruned_epoch" in trials:
        told = pd.to_numeric(trials["pruned_epoch"]).to_numpy(np.float64, na_value=np.nan)
        found = np.where(np.isnan(told), found, told)
    return np.where(trials["status"] == "pruned", found, 0).astype(np.int64)


def _departure(statuses: pd.Series, epochs: np.ndarray, pruned_after: np.ndarray, search: Halving) -> tuple[int, str]:
    """Returns the rung at which a point left and why; (`STAYS`, '') if it did not."""
    pruned = (statuses == "pruned").to_numpy()
    if pruned.any():
        return min(int(np.searchsorted(search.epochs, pruned_after.max())), len(search.epochs) - 1), "pruned"
    if statuses.isin(["done", *statistics.UNFINISHED]).any():
        return STAYS, ""
    why = "diverged" if (statuses == "diverged").any() else "failed"
    rung = np.searchsorted(search.epochs, max(int(epochs.max()), 1))
    return min(int(rung), len(search.epochs) - 1), why


def _least(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.min()) if len(finite) else np.nan
