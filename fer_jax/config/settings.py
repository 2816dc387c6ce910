"""What each setting of a sweep changes in the config: points, each, grid x zip, and what is drawn.

All of them stand beside each other, or `sweep.cross` combines every point with every other setting.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ml_collections import ConfigDict

from fer_jax.base.text import counted
from fer_jax.config import sampling
from fer_jax.config.draws import Draw
from fer_jax.config.field import FieldError, in_words
from fer_jax.config.fields import FIELDS, MAX_SETTINGS, TREES
from fer_jax.config.values import sweep_draws, sweep_points, sweep_tree


@dataclass(frozen=True)
class Sweep:
    """The parts of `sweep` and of `search` that say which settings there are.

    Attributes:
        points: sweep.points, each dotted name -> value.
        trees: 'grid', 'each' and 'zip' -> dotted name -> values, in the order of `FIELDS`.
        draws: dotted name -> what it is drawn from, in the same order.
        kind, number, seed: search.kind, .draws and .seed.
        cross: sweep.cross.
    """

    points: tuple[dict[str, Any], ...]
    trees: Mapping[str, Mapping[str, tuple[Any, ...]]]
    draws: Mapping[str, Draw]
    kind: str
    number: int
    seed: int
    cross: bool

    @classmethod
    def of(cls, config: ConfigDict) -> Sweep:
        """Returns the sweep of a config.

        Raises:
            FieldError: a list, a point or a draw that is none.
        """
        search = config.search
        trees = {tree: sweep_tree(config, tree) for tree in TREES}
        draws = sweep_draws(config)
        return cls(sweep_points(config), trees, draws, search.kind, search.draws, search.seed, bool(config.sweep.cross))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the swept fields, heads included, in the order of `FIELDS`."""
        names = {name for lists in self.trees.values() for name in lists} | self.draws.keys()
        names.update(name for point in self.points for name in point)
        return tuple(name for name in FIELDS if name in names)

    def parts(self) -> dict[str, int]:
        """Returns how many settings each part has that has any, but the points.

        Those of 'sweep.draw' are at most so many: equal draws are one.
        """
        grid, zipped = self.trees["grid"], self.trees["zip"]
        product = [len(values) for values in grid.values()] + [len(values) for values in zipped.values()][:1]
        name = " x ".join(f"sweep.{tree}" for tree in ("grid", "zip") if self.trees[tree])
        counts = {
            "sweep.each": sum(len(values) for values in self.trees["each"].values()),
            name: math.prod(product) if product else 0,
            "sweep.draw": self.number if self.draws else 0,
        }
        return {name: count for name, count in counts.items() if count}

    @property
    def is_crossed(self) -> bool:
        """Whether points are combined with other settings."""
        return self.cross and bool(self.points) and bool(self.parts())

    def check_number(self, repeats: int) -> None:
        """Refuses a sweep too large to list before listing it.

        Raises:
            FieldError: more than `MAX_SETTINGS` settings, each of so many repeats.
        """
        others = sum(self.parts().values())
        number = len(self.points) * others if self.is_crossed else len(self.points) + others
        number = max(1, number) * repeats
        if number > MAX_SETTINGS:
            names = [f"sweep.{tree}.{name}" for tree, lists in self.trees.items() for name in lists]
            names += [*(f"sweep.draw.{name}" for name in self.draws), *(["search.draws"] if self.draws else [])]
            raise FieldError(
                [*names, "sweep.points", "sweep.repeats"],
                f"the sweep makes {number:,} trials: {MAX_SETTINGS:,} is the most",
            )

    def listed(self) -> Iterator[dict[str, Any]]:
        """Yields what each setting changes in the config, in order: points first, draws last.

        Where points are combined with the others, these move fastest.

        Raises:
            FieldError: fewer draws than the smallest grid of them takes.
        """
        if self.is_crossed:
            return ({**point, **other} for point, other in itertools.product(self.points, self._others()))
        return itertools.chain(self.points, self._others())

    def _others(self) -> Iterator[dict[str, Any]]:
        product = _product(self.trees["grid"], self.trees["zip"])
        return itertools.chain(_each(self.trees["each"]), product, self._drawn())

    def _drawn(self) -> tuple[dict[str, Any], ...]:
        return sampling.drawn(self.draws, self.kind, self.number, self.seed)

    def sources(self, name: str) -> tuple[str, ...]:
        """Returns what sets a field in every setting; empty where one leaves it to the config."""
        found = [f"sweep.{tree}.{name}" for tree, lists in self.trees.items() if name in lists]
        found += ["sweep.points"] if any(name in point for point in self.points) else []
        found += [f"sweep.draw.{name}"] if name in self.draws else []
        return tuple(found) if found and all(name in setting for setting in self.listed()) else ()

    def notes(self) -> list[str]:
        """Returns lines on equal draws, on what has no effect, and on how parts are joined.

        'note: 2 points stand beside 6 settings of sweep.grid; --config.sweep.cross=true combines
        them'
        """
        drawn = len(self._drawn())
        found = []
        if drawn < self.number:
            words = "has" if self.kind == "grid" else "draws"
            found.append(f"note: search.kind = {self.kind} {words} {drawn:,} different points of {self.number:,}")
        if not self.draws and self.kind != "random":
            found.append(f"note: search.kind = {self.kind} has no effect: sweep.draw is empty")
        if self.cross and not self.points:
            found.append(
                "note: sweep.cross = True has no effect: it combines sweep.points with the rest; there are none"
            )
        parts = self.parts()
        others = [
            counted(drawn, "draw") if name == "sweep.draw" else f"{counted(count, 'setting')} of {name}"
            for name, count in parts.items()
        ]
        points = counted(len(self.points), "point")
        if self.is_crossed:
            found.append(f"note: sweep.cross combines {points} with {in_words(others)}")
        elif self.points and others:
            stand = "stand" if len(self.points) > 1 else "stands"
            found.append(f"note: {points} {stand} beside {in_words(others)}; --config.sweep.cross=true combines them")
        elif len(others) > 1:
            found.append(f"note: {in_words(others)} stand beside each other, uncombined")
        return found


def _each(lists: Mapping[str, tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    for name, values in lists.items():
        for value in values:
            yield {name: value}


def _product(grid: Mapping[str, tuple[Any, ...]], zipped: Mapping[str, tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    """Yields grid x zip, nested in the order of FIELDS.

    The zip counts as one axis that stands where its first field does.
    """
    if not grid and not zipped:
        return
    axes = {name: [{name: value} for value in values] for name, values in grid.items()}
    if zipped:
        axes[next(iter(zipped))] = [
            dict(zip(zipped, together, strict=True)) for together in zip(*zipped.values(), strict=True)
        ]
    ordered = [axes[name] for name in FIELDS if name in axes]
    for combination in itertools.product(*ordered):
        yield functools.reduce(lambda left, right: left | right, combination)
