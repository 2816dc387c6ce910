"""The fields of a race over seeds: `search.race`, and `sweep.raced`, which the program fills in."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ml_collections import ConfigDict

from fer_jax.config.field import FieldError
from fer_jax.config.fields import FIELDS
from fer_jax.config.names import sweepable

_FORM = {"point": dict, "repeats": int, "racing": bool}


@dataclass(frozen=True)
class Raced:
    """A point that a race has given more seeds.

    Attributes:
        point: dotted name -> value of the swept fields.
        repeats: trials it has, from 1.
        racing: whether it is among those that may still be the best.
    """

    point: Mapping[str, Any]
    repeats: int
    racing: bool

    def to_json(self) -> dict[str, Any]:
        """Returns the point as an item of `sweep.raced`."""
        return {"point": dict(self.point), "repeats": self.repeats, "racing": self.racing}


def raced(config: ConfigDict) -> tuple[Raced, ...]:
    """Returns `sweep.raced`, with every value in its field's own type.

    Raises:
        FieldError: an item is not of the form that the program writes.
    """
    found = []
    for number, item in enumerate(FIELDS["sweep.raced"].coerce(config.sweep.raced)):
        where = f"sweep.raced[{number}]"
        kinds = {key: type(value) for key, value in item.items()}
        if kinds != _FORM or not 1 <= item["repeats"] <= FIELDS["sweep.repeats"].high:
            raise FieldError(["sweep.raced"], f"{where} is filled in by the program: leave sweep.raced out")
        point = {name: sweepable(name, where).coerce(value, f"{where} {name}") for name, value in item["point"].items()}
        found.append(Raced(point, item["repeats"], item["racing"]))
    return tuple(found)


def raced_repeats(config: ConfigDict) -> dict[frozenset, int]:
    """Returns the trials of the points that have more than `sweep.repeats`, by their items."""
    return {frozenset(one.point.items()): one.repeats for one in raced(config)}


def most_seeds(config: ConfigDict) -> int:
    """Returns the seeds that a race may give a point; 0 without a race."""
    return int(config.search.race[0]) if config.search.race else 0


def check_race(config: ConfigDict, points: Sequence[Mapping[str, Any]]) -> None:
    """Refuses a race that cannot be run.

    Args:
        config: of the sweep.
        points: the values of each.

    Raises:
        FieldError: what is wrong with search.race, or does not go with it.
    """
    race = tuple(config.search.race)
    if not race:
        if config.sweep.raced:
            raise FieldError(["search.race"], "search.race is not set, and sweep.raced has points of a race: set it")
        return
    said = f"search.race = {_shown(race)}"
    if len(race) != 2 or race[0] != int(race[0]) or not 0 < race[1] <= 0.5:
        raise FieldError(
            ["search.race"],
            f"{said}: must be (most seeds, error), a whole number and a probability of at most .5, such as (10, .05)",
        )
    if race[0] <= config.sweep.repeats:
        raise FieldError(
            ["search.race", "sweep.repeats"],
            f"{said}: the most seeds must be more than sweep.repeats = {config.sweep.repeats}, which every point has",
        )
    if config.sweep.best:
        raise FieldError(
            ["search.race", "sweep.best"],
            f"{said} and sweep.best = {config.sweep.best} both say which points get more seeds; leave one of them out",
        )
    if any(point["data.split"] == "kfold" for point in points):
        raise FieldError(
            ["search.race", "data.split"],
            f"{said}: folds share training pictures, which its tests do not allow for; set another data.split",
        )
    if len(points) < 2:
        raise FieldError(["search.race"], f"{said}: the sweep has one point, which races against nothing; sweep some")


def _shown(race: Collection[float]) -> str:
    return f"({', '.join(f'{number:g}' for number in race)})"
