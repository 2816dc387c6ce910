"""Racing over seeds: which points are still worth another seed, and whether the best is known.

Races of models are of Maron and Moore (Hoeffding Races, NIPS 6, 1994), for settings of a
stochastic algorithm of Birattari, Stützle, Paquete and Varrentrapp (F-Race, GECCO 2002). As in
F-Race all points of a race have the same seeds, so that differences are taken seed by seed; as in
Hoeffding races the error is held over the whole race, which F-Race, whose tests are each at the
same level, does not claim.

The rule: a race looks at its points after every number of seeds from the first look to the last.
At a look the leader is the point with the best mean, and a point leaves whose mean paired
difference to the leader has a one-sided p (Student) of at most

    error / (looks * (points - 1)),

with the numbers of looks and of points that the race begins with. That holds the error, by
Bonferroni's inequality: where b is the truly best point, or any of several, and j another, a test
of b against j at one look throws b out with at most this probability, whichever j may have become
the leader there, since the differences of b to every j are counted. There are as many such tests
as looks times other points. It needs differences that are normal, and nothing about their
variances, nor independence of the points or of the looks.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from fer_jax.analysis import comparable
from fer_jax.analysis.significance import paired_t_rows

FEWEST = 2  # seeds, below which a difference has no spread
TOLD_APART, TIED, ENDED, EMPTY = "told apart", "tied", "the seeds ended", "no result"


@dataclasses.dataclass(frozen=True)
class Look:
    """What one look at a race came to.

    Attributes:
        seeds: that every point of the race had.
        leader: the number of the point with the best mean over them.
        left: the points that left, with the one-sided p of being worse than the leader; NaN for a
            point that left because its trial diverged or failed.
        tied: whether the points that stay have one mean.
    """

    seeds: int
    leader: int
    left: tuple[tuple[int, float], ...]
    tied: bool


@dataclasses.dataclass(frozen=True)
class Race:
    """A race as far as it has gone.

    Attributes:
        points: that take part, numbered from 0.
        first: seeds that every point has before the race, from 1.
        most: seeds that a point may have, more than `first`.
        error: the most probable it may be that the truly best point leaves, in (0, 0.5].
        looks: those made so far.
    """

    points: int
    first: int
    most: int
    error: float
    looks: tuple[Look, ...] = ()

    @property
    def level(self) -> float:
        """The one-sided p at or below which a point leaves."""
        return self.error / ((self.most - max(self.first, FEWEST) + 1) * max(1, self.points - 1))

    @property
    def racing(self) -> tuple[int, ...]:
        """The points that have not left."""
        gone = {point for look in self.looks for point, _ in look.left}
        return tuple(point for point in range(self.points) if point not in gone)

    @property
    def next_look(self) -> int:
        """The seeds that every point of the race needs for the next look."""
        return self.looks[-1].seeds + 1 if self.looks else max(self.first, FEWEST)

    @property
    def outcome(self) -> str:
        """How the race has ended: `TOLD_APART`, `TIED` or `ENDED`; '' while it goes on.

        It is `EMPTY` where no point takes part. One that takes part alone is told apart.
        """
        if len(self.racing) < 2:
            return TOLD_APART if self.racing else EMPTY
        if self.next_look <= self.most:
            return ""
        return TIED if self.looks[-1].tied else ENDED

    def after(self, scores: np.ndarray) -> Race:
        """Returns the race after every look that can be made on these scores.

        The looks that are made already stay as they are, whatever the scores say of them.

        Args:
            scores: (points, seeds), higher is better: NaN where a seed is not trained yet, -inf
                where it has no result because it diverged or failed. A point leaves by the first
                such seed, unless all points of the race lack that seed's result: then it is passed
                over.

        Returns:
            The race, which has ended, or whose `racing` points want `next_look` seeds.
        """
        race = self
        while not race.outcome and race.next_look <= scores.shape[1]:
            here = scores[list(race.racing), : race.next_look]
            if np.isnan(here).any():
                break
            race = dataclasses.replace(race, looks=(*race.looks, race._look(here)))
        return race

    def _look(self, scores: np.ndarray) -> Look:
        """Returns a look at the scores of the racing points, (points, seeds)."""
        points = np.array(self.racing)
        whole = np.ones(len(points), bool)
        for seed in scores.T:
            if np.isfinite(seed[whole]).any():
                whole &= np.isfinite(seed)
        left = [(int(point), float("nan")) for point in points[~whole]]
        points, scores = points[whole], scores[whole]
        scores = scores[:, np.isfinite(scores).all(axis=0)]
        if not scores.size:
            return Look(self.next_look, int(points[0]), tuple(left), tied=False)
        rank = comparable.steps(-scores.mean(axis=1))
        leader = int(np.argmin(rank))
        _, mean, _, p = paired_t_rows(scores[leader] - scores)
        with np.errstate(invalid="ignore"):
            worse = (mean > 0) & (p / 2 <= self.level)
        left += [(int(point), float(each / 2)) for point, each in zip(points[worse], p[worse], strict=True)]
        return Look(self.next_look, int(points[leader]), tuple(sorted(left)), tied=bool((rank[~worse] == 0).all()))
