"""Searches replayed on recorded curves: what each way of searching chooses, and what it costs.

A method is a function of a `View`, which is a full grid as one order shows it: the points shuffled,
and for each point some of its repeats, in an order of the point's own. It returns the `Found`.
"""

import abc
import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from fer_jax.search.extrapolation import FEWEST_EPOCHS, unlikely
from fer_jax.search.racing import Race
from fer_jax.search.rungs import Halving, ladder

NOT_POINTS = ("seed", "epoch", "val_accuracy", "val_loss", "status", "test_accuracy")


@dataclasses.dataclass(frozen=True)
class Grid:
    """The recorded curves of a full grid.

    Attributes:
        points: their swept fields, a row a point.
        scores: (points, seeds, epochs): the best validation accuracy up to each epoch; NaN from the
            epoch on at which a trial diverged.
        trained: int (points, seeds, epochs): the epochs each trial had been trained for.
        test: (points, seeds): test accuracy at the epoch that validation chose; NaN if unknown.
    """

    points: pd.DataFrame
    scores: np.ndarray
    trained: np.ndarray
    test: np.ndarray

    @classmethod
    def of(cls, rows: pd.DataFrame) -> "Grid":
        """Returns the grid of a table of `record_curves.py`.

        Raises:
            SystemExit: not every point has every seed.
        """
        swept = [name for name in rows.columns if name not in NOT_POINTS]
        point = rows.groupby(swept, sort=False, dropna=False).ngroup().to_numpy()
        seed = pd.factorize(rows["seed"])[0]
        epoch = rows["epoch"].to_numpy() - 1
        shape = point.max() + 1, seed.max() + 1, epoch.max() + 1
        accuracy, trained = np.full(shape, np.nan), np.zeros(shape, int)
        accuracy[point, seed, epoch] = rows["val_accuracy"]
        trained[point, seed, epoch] = 1
        if not trained[:, :, 0].all():
            raise SystemExit("not every point of the grid was trained with every seed")
        test, diverged = np.full(shape[:2], np.nan), np.zeros(shape[:2], bool)
        test[point, seed] = rows["test_accuracy"]
        diverged[point, seed] = rows["status"] == "diverged"
        # A trial that stopped early keeps its best; one that diverged has none from there on.
        scores = np.fmax.accumulate(accuracy, axis=2)
        gone = np.arange(shape[2]) >= trained.sum(2, keepdims=True) - 1
        scores[diverged[:, :, None] & gone] = np.nan
        test[diverged] = np.nan
        return cls(rows.groupby(swept, sort=False, dropna=False).head(1)[swept], scores, trained.cumsum(2), test)

    @property
    def truth(self) -> np.ndarray:
        """Each point's validation accuracy at the end, the mean over its seeds, (points,)."""
        return mean(self.scores[:, :, -1], 1)


def mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Returns means of those that are numbers; -inf where none is."""
    known = np.isfinite(values)
    count = known.sum(axis)
    return np.where(count > 0, np.where(known, values, 0).sum(axis) / np.maximum(count, 1), -np.inf)


@dataclasses.dataclass(frozen=True)
class View:
    """A grid in one order, with some repeats of each point.

    Attributes:
        points: int (points,): which point of the grid each is.
        scores, trained: (points, seeds, epochs), see `Grid`.
        number: of the order.
    """

    points: np.ndarray
    scores: np.ndarray
    trained: np.ndarray
    number: int

    @functools.cached_property
    def curves(self) -> np.ndarray:
        """Means over the seeds, by which a search compares, (points, epochs)."""
        return mean(self.scores, 1)

    @functools.cached_property
    def passes(self) -> np.ndarray:
        """Epochs that a point's trials together were trained for, int (points, epochs)."""
        return self.trained.sum(1)

    @property
    def end(self) -> int:
        return self.scores.shape[2]


def views(grid: Grid, orders: int, seeds: int) -> Iterator[View]:
    """Yields the first so many orders of a grid, the same in each call, with `seeds` repeats.

    An order's repeats are those of fewer repeats and others.
    """
    shape = grid.scores.shape[:2]
    for number in range(orders):
        rng = np.random.default_rng(number)
        points = rng.permutation(shape[0])
        chosen = rng.permuted(np.tile(np.arange(shape[1]), (shape[0], 1)), axis=1)[:, :seeds]
        yield View(points, grid.scores[points[:, None], chosen], grid.trained[points[:, None], chosen], number)


class Found(NamedTuple):
    """The point of the grid that a search chooses, and the passes (epochs of one trial) it took."""

    point: int
    passes: int


def chosen(view: View, left: np.ndarray) -> Found:
    """Returns what a search finds that trained each point for `left` epochs, int (points,).

    The best of those that were trained to their end; the first where some are equal.
    """
    last = np.where(left == view.end, view.curves[:, -1], -np.inf)
    spent = view.passes[np.arange(len(left)), np.maximum(left - 1, 0)] * (left > 0)
    return Found(int(view.points[np.argmax(last)]), int(spent.sum()))


class Method(abc.ABC):
    """A way of searching that decides for how many epochs each point is trained."""

    @abc.abstractmethod
    def left(self, view: View) -> np.ndarray:
        """Returns the epochs that each point is trained for, int (points,)."""

    def __call__(self, view: View) -> Found:
        return chosen(view, self.left(view))


@dataclasses.dataclass(frozen=True)
class First(Method):
    """Random search, or the full grid: the first so many points are trained to their end."""

    points: int

    def left(self, view: View) -> np.ndarray:
        return np.where(np.arange(len(view.points)) < self.points, view.end, 0)


@dataclasses.dataclass(frozen=True)
class Constant(Method):
    """i-Epoch: all are trained for `epochs`, the best `keep` of them to their end.

    Of Egele, Mohr, Viering and Balaprakash (Neurocomputing 597, 2024).
    """

    epochs: int
    keep: int

    def left(self, view: View) -> np.ndarray:
        best = np.argsort(-view.curves[:, self.epochs - 1], kind="stable")[: self.keep]
        left = np.full(len(view.points), self.epochs)
        left[best] = view.end
        return left


@dataclasses.dataclass(frozen=True)
class Rungs(Method):
    """Successive halving, or Hyperband where there are several brackets.

    With a level other than 0, who is unlikely to win leaves at a rung as well.
    """

    first: int
    factor: int
    brackets: int = 1
    level: float = 0.0

    def left(self, view: View) -> np.ndarray:
        size = len(view.points)
        search = Halving.of(size, view.end, (self.first, self.factor), self.brackets, view.number)
        left, here = np.zeros(size, int), np.zeros(size, bool)
        for rung, epochs in enumerate(search.epochs):
            here |= search.brackets == rung
            left[here] = epochs
            leaves = search.leaving(rung, view.curves[:, epochs - 1], here)
            if self.level and epochs < view.end:
                leaves[here] |= unlikely(finite(view.curves[here, :epochs]), view.end, self.level)
            here &= ~leaves
        return left


@dataclasses.dataclass(frozen=True)
class Unlikely(Method):
    """Nobody is compared but with the leader: who is unlikely to win leaves after any epoch."""

    level: float

    def left(self, view: View) -> np.ndarray:
        left, here = np.full(len(view.points), view.end), np.ones(len(view.points), bool)
        for epochs in range(FEWEST_EPOCHS, view.end):
            leaves = np.flatnonzero(here)[unlikely(finite(view.curves[here, :epochs]), view.end, self.level)]
            left[leaves], here[leaves] = epochs, False
        return left


@dataclasses.dataclass(frozen=True)
class Reseeded:
    """A search with one seed a point, then all seeds of the best points it has trained to the end.

    Attributes:
        method: of the search.
        keep: so many points get the other seeds, and are compared by all of them.
    """

    method: Method
    keep: int

    def __call__(self, view: View) -> Found:
        alone = View(view.points, view.scores[:, :1], view.trained[:, :1], view.number)
        left = self.method.left(alone)
        last = np.where(left == view.end, alone.curves[:, -1], -np.inf)
        best = np.argsort(-last, kind="stable")[: min(self.keep, int((left == view.end).sum()))]
        spent = chosen(alone, left).passes + int(view.trained[best, 1:, -1].sum())
        return Found(int(view.points[best[np.argmax(view.curves[best, -1])]]), spent)


def finite(curves: np.ndarray) -> np.ndarray:
    """Returns curves with NaN where no trial of a point had a number."""
    return np.where(np.isfinite(curves), curves, np.nan)


@dataclasses.dataclass(frozen=True)
class Racing:
    """A race over seeds: all points with `first` of them, then more for those still in it."""

    first: int
    error: float

    def __call__(self, view: View) -> Found:
        ends = view.scores[:, :, -1]
        scores = np.where(np.isfinite(ends), ends, -np.inf)
        race = Race(points=len(scores), first=self.first, most=scores.shape[1], error=self.error).after(scores)
        had = np.full(len(scores), race.looks[-1].seeds if race.looks else self.first)
        for look in race.looks:
            had[[point for point, _ in look.left]] = look.seeds
        asked = np.arange(scores.shape[1]) < had[:, None]
        means = mean(np.where(asked, ends, np.nan), 1)
        racing = np.isin(np.arange(len(means)), race.racing) if race.racing else np.ones(len(means), bool)
        best = int(np.argmax(np.where(racing, means, -np.inf)))
        return Found(int(view.points[best]), int((view.trained[:, :, -1] * asked).sum()))


def halvings(end: int) -> list[tuple[int, int]]:
    """Returns which (first, factor) have at least two rungs, each ladder once: those that a user
    would try, from a first rung of one epoch to a third of the training.
    """
    found: dict[Sequence[int], tuple[int, int]] = {}
    for factor in (2, 3, 4):
        for first in range(1, max(1, end // 3) + 1):
            if len(ladder(end, first, factor)) > 1:
                found[(factor, *ladder(end, first, factor))] = (first, factor)
    return list(found.values())
