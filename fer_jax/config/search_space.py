"""From a config to its trials: the settings of its sweep (settings.py), checked and repeated.

Head fields are swept in the same lists but make no trials: a trial with one head setting is a fit,
and however many fits there are, every network is trained once.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ml_collections import ConfigDict

from fer_jax.config import fields, repeats
from fer_jax.config.field import FieldError, in_words
from fer_jax.config.raced import check_race, most_seeds, raced_repeats
from fer_jax.config.rules import resolve
from fer_jax.config.settings import Sweep
from fer_jax.config.values import flatten, sweep_points, validate

# What spreadsheets and other programs read as a number: 0123456789, or the infinite 12345e6789.
_NUMBER = re.compile(r"\d+([de]\d+)?")
_LETTERS = "abcdef"


@dataclass(frozen=True)
class Trial:
    """One point with one seed: one model to train.

    Attributes:
        values: dotted name -> value of every shape and traced field, with `train.seed`,
            `train.seeds` and `data.seed` already those of this repeat.
        point: dotted name -> value of the swept fields only; trials that differ only in seed share
            it.
        repeat: 0, 1, ... within the point.
        seeds_of: what the repeats of the point vary, see `sweep.seeds_of`.
    """

    values: Mapping[str, Any]
    point: Mapping[str, Any]
    repeat: int
    seeds_of: str = "all"

    @property
    def seed(self) -> int:
        """The seed of what the repeats of its point vary, different in each of them."""
        return repeats.varied_seed(self.values, self.seeds_of)

    def shape_key(self) -> Hashable:
        """Returns the names and values of the shape fields.

        Trials with equal keys can share one compiled program.
        """
        return tuple((name, value) for name, value in self.values.items() if fields.FIELDS[name].kind == "shape")

    def id(self, checksum: str, initial: str = "", known: Collection[str] = ()) -> str:
        """Returns ten hex digits that identify the trial and do not look like a number.

        They are of a SHA-256 over seed, data and the values that are not their default.

        Leaving defaults out keeps every id when a field with a neutral default is added, and gives
        the first repeat of a point one id whatever the others vary: only the values of these
        differ.

        Args:
            checksum: identifies the data the trial trains on.
            initial: identifies the weights that model.init names, wherever they lie; empty where
                weights are drawn.
            known: ids that its run has recorded; the spelling of an older version is kept there.
        """
        changed = {name: value for name, value in self.values.items() if value != fields.FIELDS[name].default}
        changed.pop("train.seed", None)
        if initial:
            changed["model.init"] = initial
        return _identity({"values": changed, "seed": self.values["train.seed"], "data": checksum}, known)


@dataclass(frozen=True)
class Fit:
    """One trial with one head setting: one classifier to fit on the features of a trained network.

    Attributes:
        trial: whose network gives the features.
        head: dotted name -> value of the head fields that count with this kind of head; `head.kind`
            is never 'none'.
    """

    trial: Trial
    head: Mapping[str, Any]

    def id(self, trial: str, known: Collection[str] = ()) -> str:
        """Returns ten hex digits that identify the fit and do not look like a number.

        They are of a SHA-256 over the trial's id and the head's values that are not their default.

        Args:
            trial: the id of its trial.
            known: as for `Trial.id`.
        """
        changed = {name: value for name, value in self.head.items() if value != fields.FIELDS[name].default}
        return _identity({"trial": trial, "head": changed}, known)


def _identity(record: Mapping[str, Any], known: Collection[str]) -> str:
    """Returns the first ten hex digits of a SHA-256 over a record.

    The first is a letter in its place where they would look like a number, unless they are `known`
    as they are: runs have recorded them before.
    """
    text = json.dumps(record, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    if digest in known or not _NUMBER.fullmatch(digest):
        return digest
    return _LETTERS[int(digest[0]) % len(_LETTERS)] + digest[1:]


def swept(config: ConfigDict) -> tuple[str, ...]:
    """Returns the names of the swept shape and traced fields, in the order of `FIELDS`."""
    return tuple(name for name in Sweep.of(config).names if fields.FIELDS[name].kind in fields.TRIAL_KINDS)


def expand(config: ConfigDict) -> tuple[Trial, ...]:
    """Returns the trials of a config; one point, the config itself, where nothing is swept.

    Points come in the order points, each, grid x zip, draws, the first of equal ones kept; inside a
    grid the last field of `FIELDS` moves fastest and the lists of `sweep.zip` advance together as
    one axis; repeats are innermost. `sweep.each` makes a point of each listed value with everything
    else at the config's own: the unchanged config is a point only if some list holds its value.
    With `sweep.cross` every one of `sweep.points` is combined with every other setting. Head fields
    make no trials.

    Raises:
        FieldError: a wrong value, list or draw, fields that do not fit together at some point, a
            sweep over a field that no trial uses, or more than `fields.MAX_SETTINGS` settings.
    """
    return tuple(trial for trials, _ in expand_points(config) for trial in trials)


def expand_points(config: ConfigDict) -> list[tuple[tuple[Trial, ...], tuple[dict[str, Any], ...]]]:
    """Returns the trials of every point, and the head settings that each of these is combined with.

    What `expand` says of trials holds here too. A trial with a head setting is a fit; there is none
    where every `head.kind` is 'none'. Head fields that do not count with a setting's kind of head
    are left out: settings that differ in nothing else are one.

    Raises:
        FieldError: as `expand`, or a sweep over a head field that no fit uses.
    """
    names = swept(config)
    points: dict[Hashable, tuple[dict[str, Any], dict[Hashable, dict[str, Any]]]] = {}
    for setting in settings(config):
        values = {name: value for name, value in setting.items() if fields.FIELDS[name].kind in fields.TRIAL_KINDS}
        head = counting_head(setting)
        _, heads = points.setdefault(tuple(values.items()), (values, {}))
        if head["head.kind"] != "none":
            heads.setdefault(tuple(head.items()), head)
    _check_best(config, len(points))
    check_race(config, [values for values, _ in points.values()])
    more = raced_repeats(config)
    chosen = {frozenset(point.items()) for point in sweep_points(config, "sweep.chosen")}
    found = []
    for values, heads in points.values():
        point = {name: values[name] for name in names}
        key, of = frozenset(point.items()), config.sweep.seeds_of
        count = config.sweep.best_repeats if key in chosen else max(config.sweep.repeats, more.get(key, 0))
        trials = tuple(Trial(repeats.repeated(values, number, of), point, number, of) for number in range(count))
        found.append((trials, tuple(heads.values())))
    return found


def settings(config: ConfigDict) -> list[dict[str, Any]]:
    """Returns the values of every swept kind of field at each setting of the sweep, in order.

    Swept kinds are shape, traced and head. Equal settings are not merged.

    Raises:
        FieldError: as `expand` does.
    """
    validate(config)
    sweep = Sweep.of(config)
    sweep.check_number(config.sweep.repeats)
    base = flatten(config)
    most = max(config.sweep.repeats, config.sweep.best_repeats if config.sweep.best else 0)
    names = sweep.names
    listed = list(sweep.listed()) if names else [{}]
    found = [_resolve(base, changes) for changes in listed]
    repeats.check(found, config.sweep.seeds_of, max(most, most_seeds(config)))
    _check_folds(found, most)
    _check_used(names, found)
    _check_distinct(names, listed, found)
    return found


def _check_distinct(
    names: Sequence[str], listed: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]
) -> None:
    """Raises FieldError for a swept field of whose values other fields make one.

    phases.rates, for one, does so of train.learning_rate.
    """
    for name in names:
        if fields.FIELDS[name].type is tuple:
            continue  # of which several ways of writing are one value
        given = {changes[name] for changes in listed if name in changes}
        left = {setting[name] for changes, setting in zip(listed, found, strict=True) if name in changes}
        if len(given) > 1 and len(left) == 1:
            raise FieldError(
                [name],
                f"{name} is swept, but other fields make every value {left.pop()!r}: sweep those, or leave them out",
            )


def counting_head(setting: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the head fields of a setting that change its fit."""
    heads = {name: field for name, field in fields.FIELDS.items() if field.kind == "head"}
    return {name: setting[name] for name, field in heads.items() if field.has_effect(setting)}


def sources(config: ConfigDict, name: str) -> tuple[str, ...]:
    """Returns what sets a field in every point, so that its value in the config is never used.

    Such as ('sweep.grid.train.l2',); empty where that value is used.

    Args:
        config: one that `expand` takes.
        name: dotted name of a field that is not one of `sweep`.
    """
    return Sweep.of(config).sources(name)


def without_effect(settings: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Returns the names of fields that are set and change nothing in any setting.

    Such as train.momentum where every trial uses Adam. A field at its default is not set.
    """
    return tuple(
        name
        for name, field in fields.FIELDS.items()
        if field.needs
        and field.kind in fields.SWEPT_KINDS
        and not any(field.has_effect(setting) for setting in settings)
        and not all(field.is_unset(setting[name]) for setting in settings)
    )


def describe_unused(settings: Sequence[Mapping[str, Any]]) -> str:
    """Returns a line that names the fields that are set without effect; '' if there is none.

    It says what they need.

    The sizes of the built-in faces are not named: whoever reads another data set has left them
    behind on purpose.
    """
    needed: dict[str, list[str]] = {}
    for name in without_effect(settings):
        field = fields.FIELDS[name]
        if any(need.name != "data.name" for need in field.needs):
            needed.setdefault(field.needed, []).append(name)
    groups = (f"{in_words(names)} (only with {need})" for need, names in needed.items())
    return f"note: set without effect: {'; '.join(groups)}" if needed else ""


def describe_unmet(name: str, settings: Sequence[Mapping[str, Any]]) -> str:
    """Returns why a field has no effect: 'train.schedule is constant; it needs ...'."""
    field = fields.FIELDS[name]
    found = []
    for need in field.needs:
        values = dict.fromkeys(str(setting[need.name]) for setting in settings)
        found.append(f"{need.name} is {' or '.join(values)}")
    return f"{' and '.join(found)}; it needs {field.needed}"


def _resolve(base: Mapping[str, Any], setting: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the shape, traced and head values of one point, checked together.

    An error says which point it was.
    """
    try:
        values = resolve({**base, **setting})
    except FieldError as error:
        if not set(error.names) & set(setting):
            raise
        point = ", ".join(f"{name} = {value}" for name, value in setting.items())
        sources = [f"sweep.{tree}.{name}" for tree in fields.MIRRORS for name in setting]
        raise FieldError([*error.names, *sources, "sweep.points"], f"{error} (at the sweep's point {point})") from None
    return {name: value for name, value in values.items() if fields.FIELDS[name].kind in fields.SWEPT_KINDS}


def _check_folds(found: Sequence[Mapping[str, Any]], count: int) -> None:
    """Refuses more repeats than there are folds, and folds at some points only."""
    if not any(setting["data.split"] == "kfold" for setting in found):
        return
    if any(setting["data.split"] != "kfold" for setting in found):
        raise FieldError(
            ["data.split", *(f"sweep.{tree}.data.split" for tree in fields.MIRRORS)],
            "data.split = kfold cannot be swept beside another split: "
            "repeats are folds at some points and seeds at others",
        )
    folds, first = found[0]["data.folds"], found[0]["data.fold"]
    if first + count > folds:
        raise FieldError(
            ["sweep.repeats", "data.folds", "data.fold", "sweep.best_repeats"],
            f"{count} repeats from data.fold = {first} on: "
            f"each validates on a fold of its own and data.folds = {folds}; "
            f"set sweep.repeats to {max(folds - first, 1)} or less, or more folds",
        )


def _check_best(config: ConfigDict, points: int) -> None:
    """Refuses a choice of the best points that cannot be made, or gives them no trials."""
    best, most, fewest = config.sweep.best, config.sweep.best_repeats, config.sweep.repeats
    if not best:
        if most or config.sweep.chosen:
            raise FieldError(
                ["sweep.best_repeats", "sweep.best"], "sweep.best_repeats counts only with sweep.best above 0"
            )
        return
    if best > points:
        raise FieldError(["sweep.best"], f"sweep.best = {best}: the sweep has {points} points; choose fewer")
    if most <= fewest:
        raise FieldError(
            ["sweep.best_repeats", "sweep.repeats"],
            f"sweep.best_repeats = {most}: must be more than sweep.repeats = {fewest}, which every point has",
        )


def _check_used(names: tuple[str, ...], points: list[dict[str, Any]]) -> None:
    """Refuses to vary a field that changes nothing in any trial.

    Such is momentum where every trial uses Adam.
    """
    for name in names:
        field = fields.FIELDS[name]
        if not any(field.has_effect(point) for point in points):
            others = (need.name for need in field.needs)
            raise FieldError(
                [*(f"sweep.{tree}.{name}" for tree in fields.MIRRORS), "sweep.points", *others],
                f"the sweep over {name} changes nothing: it needs {field.needed}, and no trial has that",
            )
