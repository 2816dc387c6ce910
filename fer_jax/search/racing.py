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
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from fer_jax.analysis import comparable
from fer_jax.analysis.significance import paired_t_rows
from fer_jax.errors import RunError

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

    def to_record(self) -> dict[str, Any]:
        """Returns what config.json keeps of the race, beside the names of its points."""
        looks = [
            {
                "seeds": look.seeds,
                "leader": look.leader,
                "left": [[point, None if math.isnan(p) else p] for point, p in look.left],
                "tied": look.tied,
            }
            for look in self.looks
        ]
        rule = {"first": self.first, "most": self.most, "error": self.error, "level": self.level}
        return {**rule, "looks": looks, "outcome": self.outcome}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Race:
        """Returns the race that config.json has under `race`.

        Args:
            record: as `to_record` gives it, with a list of its `points`.

        Raises:
            RunError: it is none.
        """
        try:
            rule = int(record["first"]), int(record["most"]), float(record["error"])
            race = cls(len(record["points"]), *rule, tuple(_read_look(look) for look in record["looks"]))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise _damaged(error) from None
        points = {point for look in race.looks for point in (look.leader, *(point for point, _ in look.left))}
        if not points <= set(range(race.points)) or not 1 <= race.first < race.most or (race.looks and not race.racing):
            raise _damaged("numbers out of range")
        return race


def _read_look(found: Mapping[str, Any]) -> Look:
    left = tuple((int(point), math.nan if p is None else float(p)) for point, p in found["left"])
    return Look(int(found["seeds"]), int(found["leader"]), left, bool(found["tied"]))


def _damaged(why: object) -> RunError:
    return RunError(f"config.json: its race is not as this program writes it ({why}); restore it")
