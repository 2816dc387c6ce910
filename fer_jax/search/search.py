"""The search that a config asks for (`search.halving`, `search.stop`): who leaves at which rung."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fer_jax.analysis.comparable import check_sweep, lower_is_better
from fer_jax.base.text import counted, in_time
from fer_jax.config.field import FieldError, in_words
from fer_jax.config.search_space import Trial
from fer_jax.search.extrapolation import unlikely
from fer_jax.search.rungs import Halving, ladder

# Probability of coming to the best below which search.stop = unlikely lets a point leave.
UNLIKELY = 0.05
# Rungs of search.stop without search.halving, of train.epochs.
CHECKS = 10
# Fields of which a run that has begun cannot have others.
FIELDS = ("search.halving", "search.brackets", "search.stop", "search.seed")


@dataclasses.dataclass(frozen=True)
class Search:
    """The search of a sweep.

    Attributes:
        halving: its rungs, and the bracket of each point.
        points: id of each trial that takes part -> the number of its point, in the order of the
            sweep. Trials that a later stage adds take no part: they are trained to their end.
        metric: by which points are compared, 'val_accuracy' or 'val_loss'.
        stop: whether points that are unlikely to come to the best leave too.
    """

    halving: Halving
    points: Mapping[str, int]
    metric: str
    stop: bool

    @property
    def rungs(self) -> int:
        """The number of rungs."""
        return len(self.halving.epochs)

    def first_end(self, trial: str) -> int:
        """Returns the epoch after which a trial's first wave ends; 0 for its own end."""
        if trial not in self.points:
            return 0
        return self.halving.until(self.points[trial]) % self.halving.epochs[-1]

    def next_end(self, epochs: int) -> int:
        """Returns where the waves end in which trials go on after so many epochs."""
        rung = self.halving.epochs.index(epochs)
        return self.halving.epochs[rung + 1] % self.halving.epochs[-1]

    def _so_far(self, curves: pd.DataFrame, epochs: int) -> np.ndarray:
        """Returns each point's score after each epoch, (points, epochs), higher is better.

        It is the mean, over its trials that have not diverged, of the best value so far of the
        metric, a loss negated; NaN where there is none.
        """
        number = 1 + max(self.points.values())
        own = curves[curves["id"].isin(list(self.points)) & (curves["epoch"] <= epochs)]
        if own.empty:
            return np.full((number, epochs), np.nan)
        table = own.pivot(index="id", columns="epoch", values=self.metric).reindex(columns=range(1, epochs + 1))
        values = -table.to_numpy() if lower_is_better(self.metric) else table.to_numpy()
        # What was stopped early keeps its best; a loss that was not finite is a row of NaN.
        lengths = own.groupby("id")["epoch"].max().reindex(table.index).to_numpy()
        trained = np.arange(1, epochs + 1) <= lengths[:, None]
        diverged = (trained & np.isnan(values)).any(axis=1)
        best = np.fmax.accumulate(np.where(np.isnan(values), -np.inf, values), axis=1)
        best[diverged] = np.nan
        codes = np.array([self.points[identity] for identity in table.index])
        return pd.DataFrame(best).groupby(codes).mean().reindex(range(number)).to_numpy()

    def leaving(self, curves: pd.DataFrame, epochs: int, here: Collection[str]) -> set[int]:
        """Returns the points that leave after the rung of so many epochs.

        Args:
            curves: of the trials that are here, a row a trial and epoch.
            epochs: of the rung.
            here: ids of the trials that were trained to its end.
        """
        so_far = self._so_far(curves, epochs)
        present = np.zeros(len(so_far), bool)
        present[[self.points[identity] for identity in here]] = True
        leaves = self.halving.leaving(self.halving.epochs.index(epochs), so_far[:, -1], present)
        if self.stop:
            left = np.flatnonzero(present & ~leaves)
            ceiling = 0.0 if lower_is_better(self.metric) else 1.0
            leaves[left] |= unlikely(so_far[left], self.halving.epochs[-1], UNLIKELY, ceiling)
        return set(np.flatnonzero(leaves).tolist())


def asked_for(config: Any, trials: Mapping[str, Trial]) -> Search | None:
    """Returns the search that a config asks for; None where every point is trained to its end.

    Args:
        config: checked, also by `check`.
        trials: id -> trial of its sweep.
    """
    halving, stop = config.search.halving, config.search.stop == "unlikely"
    if not halving and not stop:
        return None
    first = {identity: trial for identity, trial in trials.items() if trial.repeat < config.sweep.repeats}
    numbers: dict[Any, int] = {}
    points = {
        identity: numbers.setdefault(tuple(sorted(trial.point.items())), len(numbers))
        for identity, trial in first.items()
    }
    epochs = next(iter(first.values())).values["train.epochs"]
    if halving:
        made = Halving.of(len(numbers), epochs, tuple(halving), config.search.brackets, config.search.seed)
    else:
        ends = sorted({max(1, round(epochs * part / CHECKS)) for part in range(1, CHECKS + 1)})
        made = Halving(tuple(ends), 1, np.zeros(len(numbers), int))
    return Search(made, points, config.train.select, stop)


def check(config: Any, trials: Sequence[Trial]) -> None:
    """Checks that the search of a config makes sense for the trials of its sweep.

    Raises:
        FieldError: it does not.
    """
    halving, brackets = tuple(config.search.halving), config.search.brackets
    if brackets > 1 and not halving:
        raise FieldError(
            ["search.brackets"],
            f"search.brackets = {brackets}: brackets are of search.halving; set that too, such as (4, 3)",
        )
    if not halving and config.search.stop == "none":
        return
    field, value = ("search.halving", halving) if halving else ("search.stop", config.search.stop)
    if halving and len(halving) != 2:
        raise FieldError(
            [field], f"{field} = {halving}: it takes the epochs of the first rung and the factor, such as (4, 3)"
        )
    lengths = {trial.values["train.epochs"] for trial in trials}
    for name, wrong, reason in (
        ("train.epochs", len(lengths) > 1, "is swept: points of other lengths have no rungs in common"),
        ("phases.lengths", any(trial.values["phases.lengths"] for trial in trials), "is set: phases have no rungs"),
        (
            "data.split",
            any(trial.values["data.split"] == "kfold" for trial in trials),
            "is kfold: folds are for points that have been chosen",
        ),
    ):
        if wrong:
            raise FieldError([field, name], f"{field} = {value}: {name} {reason}; leave one of them out")
    if halving and halving[1] < 2:
        raise FieldError([field], f"{field} = {halving}: a factor of {halving[1]} lets no point leave; 2 is the least")
    if halving and halving[0] > min(lengths):
        raise FieldError(
            [field, "train.epochs"],
            f"{field} = {halving}: a first rung of {halving[0]} epochs is longer than train.epochs = {min(lengths)}",
        )
    if halving and halving[0] * halving[1] > min(lengths):
        raise FieldError(
            [field, "train.epochs"],
            f"{field} = {halving}: {halving[1]} times {halving[0]} epochs are more than train.epochs = {min(lengths)}, "
            "so that no point would leave; lower one of them",
        )
    if halving and brackets > (rungs := len(ladder(min(lengths), *halving))):
        raise FieldError(
            ["search.brackets"],
            f"search.brackets = {brackets}: search.halving = {halving} makes {counted(rungs, 'rung')} of "
            f"{min(lengths)} epochs, and no more brackets",
        )
    _check_best(config, trials, min(lengths))
    check_sweep(config, field, value)


def _check_best(config: Any, trials: Sequence[Trial], epochs: int) -> None:
    """Raises FieldError where fewer points come to the end than sweep.best is to choose from."""
    halving, best = tuple(config.search.halving), config.sweep.best
    if not halving or not best:
        return
    points = len({tuple(sorted(trial.point.items())) for trial in trials})
    made = Halving.of(points, epochs, halving, config.search.brackets, config.search.seed)
    if best > (last := made.sizes()[-1]):
        raise FieldError(
            ["sweep.best", "search.halving"],
            f"sweep.best = {best}: search.halving = {halving} trains {last} of {counted(points, 'point')} to the end; "
            "choose fewer, or a smaller factor",
        )


def describe(search: Search | None, seconds: float, repeats: int) -> list[str]:
    """Returns what a search comes to, in lines: its rungs, and passes against all points' ends.

    Args:
        search: it, None for none.
        seconds: that all points to their ends are estimated to take, 0 where unknown.
        repeats: trials of each point.
    """
    if search is None:
        return []
    halving = search.halving
    rungs = [
        f"{counted(points * repeats, 'trial')} to epoch {end}"
        for points, end in zip(halving.sizes(), halving.epochs, strict=True)
    ]
    passes, whole = halving.passes() * repeats, len(halving.brackets) * halving.epochs[-1] * repeats
    time = f", about {in_time(seconds * passes / whole)} of {in_time(seconds)}" if seconds else ""
    words = f"{counted(search.rungs, 'rung')}: {', then '.join(rungs)}"
    if halving.brackets.any():
        counts = np.bincount(halving.brackets)
        words += f"; {in_words(map(str, counts))} points compared from rung 1 to {len(counts)} on"
    if halving.factor == 1:
        return [f"{words}, less those that are unlikely to come to the best"]
    most = "at most " if search.stop else ""
    return [words, f"{most}{passes:,} of {whole:,} epochs of all points ({passes / whole:.0%}){time}"]
