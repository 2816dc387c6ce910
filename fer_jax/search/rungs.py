"""Successive halving and Hyperband: rungs, brackets, and who leaves at a rung.

Successive halving is of Jamieson and Talwalkar (AISTATS 2016), Hyperband of Li, Jamieson, DeSalvo,
Rostamizadeh and Talwalkar (JMLR 18, 2018), here in their synchronous form: at a rung all points of
a bracket have the same epochs behind them, and the best of them go on.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from fer_jax.analysis.comparable import steps


def ladder(epochs: int, first: int, factor: int) -> tuple[int, ...]:
    """Returns the epochs after which each rung ends, such as (4, 12, 50) for 50, 4 and 3.

    A rung is `factor` times as long as the one before, as long as `factor` times as many fit into
    the training; the last rung ends with it.

    Args:
        epochs: of the whole training.
        first: of the first rung, from 1 to `epochs`.
        factor: from 2.
    """
    found = []
    while first * factor <= epochs:
        found.append(first)
        first *= factor
    return (*found, epochs)


@dataclasses.dataclass(frozen=True)
class Halving:
    """The rungs of a search, and the bracket of each of its points.

    Attributes:
        epochs: after which each rung ends, see `ladder`.
        factor: of the points of a bracket at a rung, one in `factor` goes on.
        brackets: int (points,): the rung at which each point is compared for the first time, from
            0. A point whose bracket is the last rung is never compared, and trained to its end.
    """

    epochs: tuple[int, ...]
    factor: int
    brackets: np.ndarray

    @classmethod
    def of(cls, points: int, epochs: int, halving: tuple[int, int], brackets: int = 1, seed: int = 0) -> Halving:
        """Returns the search that `search.halving`, `.brackets` and `.seed` ask for.

        Args:
            points: of the sweep.
            epochs: `train.epochs`.
            halving: epochs of the first rung, factor.
            brackets: from 1 to the number of rungs.
            seed: decides which points are in which bracket.
        """
        rungs = ladder(epochs, *halving)
        return cls(rungs, halving[1], assigned(points, len(rungs), brackets, halving[1], seed))

    def until(self, point: int) -> int:
        """Returns the epochs after which a point is compared for the first time."""
        return self.epochs[self.brackets[point]]

    def leaving(self, rung: int, scores: np.ndarray, here: np.ndarray) -> np.ndarray:
        """Returns which points leave at a rung.

        In each bracket the best ceil(n / factor) of n points go on, whichever come first where
        scores are equal.

        Args:
            rung: its number from 0; at the last one nobody leaves.
            scores: (points,), higher is better; NaN, for a point whose trials have all diverged or
                failed, comes after every number. Those of points that are not here are not read.
            here: bool (points,): which have been trained to the end of this rung.

        Returns:
            bool (points,).
        """
        leaves = np.zeros(len(scores), bool)
        if rung == len(self.epochs) - 1:
            return leaves
        for bracket in range(rung + 1):
            members = np.flatnonzero(here & (self.brackets == bracket))
            # Means over the same accuracies in another order are equal, whatever rounding makes of
            # them. NaN is sorted to the end.
            order = members[np.argsort(-steps(scores[members]), kind="stable")]
            leaves[order[math.ceil(len(members) / self.factor) :]] = True
        return leaves

    def passes(self) -> int:
        """Returns the epochs that all points together are trained for, by the numbers alone."""
        total = 0
        for bracket, count in enumerate(np.bincount(self.brackets, minlength=len(self.epochs))):
            before = 0
            for epochs in self.epochs[bracket:]:
                total += int(count) * (epochs - before)
                before, count = epochs, math.ceil(count / self.factor)
        return total

    def sizes(self) -> list[int]:
        """Returns how many points are trained in each rung, all brackets together."""
        found = [0] * len(self.epochs)
        for bracket, count in enumerate(np.bincount(self.brackets, minlength=len(self.epochs))):
            for rung in range(len(self.epochs)):
                found[rung] += int(count)
                if rung >= bracket:
                    count = math.ceil(count / self.factor)
        return found


def assigned(points: int, rungs: int, brackets: int, factor: int, seed: int) -> np.ndarray:
    """Returns the bracket of each point, int (points,), from 0.

    Bracket b of R rungs gets a share of the points in proportion to factor^(R - 1 - b) / (R - b),
    by which Hyperband gives all brackets about the same training; the largest remainders round up.
    Which points these are is drawn, so that no bracket holds the points of one corner of a grid.
    """
    shares = np.array([factor ** (rungs - 1 - b) / (rungs - b) for b in range(brackets)])
    exact = points * shares / shares.sum()
    counts = np.floor(exact).astype(int)
    for bracket in np.argsort(counts - exact, kind="stable")[: points - counts.sum()]:
        counts[bracket] += 1
    found = np.repeat(np.arange(brackets), counts)
    return found if brackets == 1 else np.random.default_rng(seed).permutation(found)
