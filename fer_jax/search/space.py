"""From a config to its trials: the union of `sweep.points`, `sweep.each` and `sweep.grid` x `sweep.zip`, repeated.

Head fields are swept in the same lists but make no trials: a trial with one head setting is a fit, and however many fits there
are, every network is trained once.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import math
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fer_jax import config as fields
from fer_jax.field import FieldError

MAX_SETTINGS = 100_000


@dataclass(frozen=True)
class Trial:
    """One point with one seed: one model to train.

    Attributes:
        values: dotted name -> value of every shape and traced field, with `train.seed` already that of this repeat.
        point: dotted name -> value of the swept fields only; trials that differ only in seed share it.
        repeat: 0, 1, ... within the point.
    """

    values: Mapping[str, Any]
    point: Mapping[str, Any]
    repeat: int

    @property
    def seed(self) -> int:
        return self.values["train.seed"]

    def shape_key(self) -> Hashable:
        """The shape fields' names and values; trials with equal keys can share one compiled program."""
        return tuple((name, value) for name, value in self.values.items() if fields.FIELDS[name].kind == "shape")

    def id(self, checksum: str) -> str:
        """Ten hex digits that identify the trial: a SHA-256 over seed, data and the values that are not their default.

        Leaving defaults out keeps every id when a field with a neutral default is added.

        Args:
            checksum: identifies the data the trial trains on.
        """
        changed = {name: value for name, value in self.values.items() if value != fields.FIELDS[name].default}
        changed.pop("train.seed", None)
        record = {"values": changed, "seed": self.seed, "data": checksum}
        return hashlib.sha256(json.dumps(record, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:10]


@dataclass(frozen=True)
class Fit:
    """One trial with one head setting: one classifier to fit on the features of a trained network.

    Attributes:
        trial: whose network gives the features.
        head: dotted name -> value of the head fields that count with this kind of head; `head.kind` is never 'none'.
    """

    trial: Trial
    head: Mapping[str, Any]

    def id(self, trial: str) -> str:
        """Ten hex digits that identify the fit: a SHA-256 over the trial's id and the head's values that are not default."""
        changed = {name: value for name, value in self.head.items() if value != fields.FIELDS[name].default}
        record = {"trial": trial, "head": changed}
        return hashlib.sha256(json.dumps(record, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:10]


def swept(config: fields.ConfigDict) -> tuple[str, ...]:
    """Returns the names of the swept shape and traced fields, in the order of `FIELDS`."""
    return tuple(name for name in _swept(config) if fields.FIELDS[name].kind in fields.TRIAL_KINDS)


def swept_heads(config: fields.ConfigDict) -> tuple[str, ...]:
    """Returns the names of the swept head fields, in the order of `FIELDS`."""
    return tuple(name for name in _swept(config) if fields.FIELDS[name].kind == "head")


def _swept(config: fields.ConfigDict) -> tuple[str, ...]:
    names = {name for tree in fields.TREES for name in fields.sweep_tree(config, tree)}
    names.update(name for point in fields.sweep_points(config) for name in point)
    return tuple(name for name in fields.FIELDS if name in names)


def expand(config: fields.ConfigDict) -> tuple[Trial, ...]:
    """Returns the trials of a config; one point, the config itself, where nothing is swept.

    Points come in the order points, each, grid x zip, the first of equal ones kept; inside a grid the last field of
    `FIELDS` moves fastest and the lists of `sweep.zip` advance together as one axis; repeats are innermost.
    `sweep.each` makes a point of each listed value with everything else at the config's own: the unchanged config is a
    point only if some list holds its value. Head fields make no trials.

    Raises:
        FieldError: a wrong value or list, fields that do not fit together at some point, a sweep over a field that no
            trial uses, or more than `MAX_SETTINGS` settings.
    """
    return tuple(trial for trials, _ in _points(config) for trial in trials)


def expand_fits(config: fields.ConfigDict) -> tuple[Fit, ...]:
    """Returns the fits of a config, trial by trial in the order of `expand`; none where every `head.kind` is 'none'.

    Head fields that do not count with a setting's kind of head are left out: settings that differ in nothing else are one fit.

    Raises:
        FieldError: as `expand`, or a sweep over a head field that no fit uses.
    """
    return tuple(Fit(trial, head) for trials, heads in _points(config) for trial in trials for head in heads)


def _points(config: fields.ConfigDict) -> list[tuple[tuple[Trial, ...], tuple[dict[str, Any], ...]]]:
    """The trials of every point, and the head settings that each of these is combined with."""
    fields.validate(config)
    names, repeats = swept(config), config.sweep.repeats
    settings = _settings(config)
    points: dict[Hashable, tuple[dict[str, Any], dict[Hashable, dict[str, Any]]]] = {}
    for setting in settings:
        values = {name: value for name, value in setting.items() if fields.FIELDS[name].kind in fields.TRIAL_KINDS}
        head = _counting_head(setting)
        _, heads = points.setdefault(tuple(values.items()), (values, {}))
        if head["head.kind"] != "none":
            heads.setdefault(tuple(head.items()), head)
    return [
        (
            tuple(
                Trial(
                    {**values, "train.seed": values["train.seed"] + repeat},
                    {name: values[name] for name in names},
                    repeat,
                )
                for repeat in range(repeats)
            ),
            tuple(heads.values()),
        )
        for values, heads in points.values()
    ]


def _settings(config: fields.ConfigDict) -> list[dict[str, Any]]:
    """Every setting of the sweep, head fields among them, in order and checked; equal ones are not merged."""
    trees = {tree: fields.sweep_tree(config, tree) for tree in fields.TREES}
    points = fields.sweep_points(config)
    repeats = config.sweep.repeats
    _check_number(len(points), trees, repeats)
    base = fields.flatten(config)
    fields.FIELDS["train.seed"].coerce(base["train.seed"] + repeats - 1, "train.seed + sweep.repeats - 1")
    names = _swept(config)
    listed = itertools.chain(points, _each(trees["each"]), _product(trees["grid"], trees["zip"])) if names else ({},)
    settings = [_resolve(base, setting) for setting in listed]
    _check_used(names, settings)
    return settings


def _counting_head(setting: Mapping[str, Any]) -> dict[str, Any]:
    """The head fields of a setting that change its fit."""
    heads = {name: field for name, field in fields.FIELDS.items() if field.kind == "head"}
    return {
        name: setting[name]
        for name, field in heads.items()
        if not field.needs or setting[field.needs[0]] in field.needed
    }


def _each(lists: Mapping[str, tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    for name, values in lists.items():
        for value in values:
            yield {name: value}


def _product(grid: Mapping[str, tuple[Any, ...]], zipped: Mapping[str, tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    """Grid x zip, nested in the order of FIELDS; the zip counts as one axis that stands where its first field does."""
    if not grid and not zipped:
        return
    axes = {name: [{name: value} for value in values] for name, values in grid.items()}
    if zipped:
        axes[next(iter(zipped))] = [
            dict(zip(zipped, together, strict=True)) for together in zip(*zipped.values(), strict=True)
        ]
    ordered = [axes[name] for name in fields.FIELDS if name in axes]
    for combination in itertools.product(*ordered):
        yield functools.reduce(lambda left, right: left | right, combination)


def _resolve(base: Mapping[str, Any], setting: Mapping[str, Any]) -> dict[str, Any]:
    """The shape and traced values of one point, checked together; an error says which point it was."""
    try:
        values = fields.resolve({**base, **setting})
    except FieldError as error:
        if not set(error.names) & set(setting):
            raise
        point = ", ".join(f"{name} = {value}" for name, value in setting.items())
        sources = [f"sweep.{tree}.{name}" for tree in fields.TREES for name in setting]
        raise FieldError([*error.names, *sources, "sweep.points"], f"{error} (at the sweep's point {point})") from None
    return {name: value for name, value in values.items() if fields.FIELDS[name].kind in fields.SWEPT_KINDS}


def _check_number(points: int, trees: Mapping[str, Mapping[str, tuple[Any, ...]]], repeats: int) -> None:
    """Refuses a sweep too large to list before listing it."""
    grid = [len(values) for values in trees["grid"].values()]
    zipped = [len(values) for values in trees["zip"].values()][:1]
    number = points + sum(len(values) for values in trees["each"].values())
    number = max(1, number + (math.prod(grid + zipped) if grid or zipped else 0)) * repeats
    if number > MAX_SETTINGS:
        names = [f"sweep.{tree}.{name}" for tree, lists in trees.items() for name in lists]
        raise FieldError(
            [*names, "sweep.points", "sweep.repeats"],
            f"the sweep makes {number:,} trials: {MAX_SETTINGS:,} is the most",
        )


def _check_used(names: tuple[str, ...], points: list[dict[str, Any]]) -> None:
    """Refuses to vary a field that changes nothing in any trial, such as momentum where every trial uses Adam."""
    for name in names:
        field = fields.FIELDS[name]
        if field.needs:
            other = field.needs[0]
            if all(point[other] not in field.needed for point in points):
                raise FieldError(
                    [*(f"sweep.{tree}.{name}" for tree in fields.TREES), "sweep.points", other],
                    f"the sweep over {name} changes nothing: it needs {other} = {' or '.join(field.needed)}, and no trial has that",
                )
