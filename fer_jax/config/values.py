"""The values of a config: defaults, dotted names, sweep lists, and their form in JSON."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict, config_dict

from fer_jax.base import home
from fer_jax.config import draws
from fer_jax.config.draws import Draw
from fer_jax.config.field import FieldError, UnknownField, in_words
from fer_jax.config.fields import FIELDS, SWEPT_KINDS, TREES
from fer_jax.config.names import locate, sweep_names, sweepable, unknown
from fer_jax.config.raced import raced
from fer_jax.config.rules import resolve
from fer_jax.errors import ConfigError

_PATHS = ("data.path", "data.labels")


class Config(ConfigDict):
    """A config, or a block of one, whose errors name the field and what to do.

    A wrong name is answered with the field or block that is most like it, a wrong value with what
    is wanted. While it is locked, its blocks and fields stay: only values change.

    Args:
        values: name -> value or block.
        type_safe: as for ConfigDict.
        block: its dotted name, '' for the whole.
    """

    def __init__(self, values: Mapping[str, Any] | None = None, type_safe: bool = True, block: str = "") -> None:
        super().__init__(values, type_safe)
        object.__setattr__(self, "_block", block)

    def __getitem__(self, key: str) -> Any:
        try:
            return super().__getitem__(key)
        except UnknownField:  # of the block below, by a key with dots
            raise
        except KeyError:
            raise self._unknown(key) from None

    def __setitem__(self, key: str, value: Any) -> None:
        block, dotted, last = str(key).rpartition(".")
        if dotted:
            self[block][last] = value
            return
        try:
            if self.is_locked and isinstance(value, dict) and isinstance(self.get(key), ConfigDict):
                locate(self._named(key))  # says that it is a block
            super().__setitem__(key, value)
        except KeyError:
            raise self._unknown(key) from None
        except TypeError:
            super().__setitem__(key, locate(self._named(key))[0].coerce(value))

    def __delitem__(self, key: str) -> None:
        if self.is_locked:
            _ = self[key]  # says what there is not
            name = self._named(key)
            raise FieldError([name], f"{name} cannot be deleted: a config has every field; set values instead")
        super().__delitem__(key)

    def __delattr__(self, attribute: str) -> None:
        del self[attribute]

    def __setstate__(self, state: Mapping[str, Any]) -> None:  # without it copies lose the name
        super().__setstate__(state)
        object.__setattr__(self, "_block", state["_block"])

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("_"):  # asked by copy, pickle and notebooks, also of half-made objects
            raise AttributeError(attribute)
        return self[attribute]

    def __setattr__(self, attribute: str, value: Any) -> None:
        self[attribute] = value

    def _unknown(self, key: Any) -> UnknownField:
        return UnknownField(self._named(key), unknown(self._named(key)))

    def _named(self, key: Any) -> str:
        return f"{self._block}.{key}" if self._block else str(key)


def default_config() -> ConfigDict:
    """Returns a config with every field at its default and nothing swept.

    The trees `sweep.{grid,each,zip,draw}` are full of empty placeholders.

    The config is locked: assigning to a field that does not exist, or a value of another type,
    fails at once.
    """
    leaves = {name: field.default for name, field in FIELDS.items()}
    for name in sweep_names():
        leaves[name] = config_dict.placeholder(object)
    root: dict[str, Any] = {}
    for name, value in leaves.items():
        *blocks, last = name.split(".")
        functools.reduce(lambda block, key: block.setdefault(key, {}), blocks, root)[last] = value
    return _block("", root).lock()


def _block(name: str, values: Mapping[str, Any]) -> Config:
    """Returns nested dictionaries as blocks that know their names."""
    inner = {
        key: _block(f"{name}.{key}" if name else key, value) if isinstance(value, dict) else value
        for key, value in values.items()
    }
    return Config(inner, block=name)


def get(config: ConfigDict, name: str) -> Any:
    """Returns the value behind a dotted name."""
    return functools.reduce(lambda block, key: block[key], name.split("."), config)


def put(config: ConfigDict, name: str, value: Any) -> None:
    """Sets the value behind a dotted name."""
    block, _, last = name.rpartition(".")
    (get(config, block) if block else config)[last] = value


def flatten(config: ConfigDict) -> dict[str, Any]:
    """Returns dotted name -> value, in its own type, for every field but those of `sweep`.

    The order is that of `FIELDS`.

    Raises:
        FieldError: a value has the wrong type or is out of range.
    """
    return {name: field.coerce(get(config, name)) for name, field in FIELDS.items() if field.kind != "sweep"}


def sweep_tree(config: ConfigDict, tree: str) -> dict[str, tuple[Any, ...]]:
    """Returns dotted name -> values for what is set in `sweep.<tree>`, in the order of `FIELDS`.

    Raises:
        FieldError: a list is empty, holds a wrong value, or belongs to a field that may not be
            swept; for `zip` also lists of unequal length.
    """
    lists = {}
    for name, field in FIELDS.items():
        where = f"sweep.{tree}.{name}"
        values = get(config, where) if field.kind in SWEPT_KINDS else None
        if values is not None:
            lists[name] = _list(name, values, where)
    if tree == "zip" and len({len(values) for values in lists.values()}) > 1:
        lengths = in_words(f"sweep.zip.{name} has {len(values)}" for name, values in lists.items())
        raise FieldError([f"sweep.zip.{name}" for name in lists], f"lists of sweep.zip need one length: {lengths}")
    return lists


def _list(name: str, values: Any, where: str) -> tuple[Any, ...]:
    field = sweepable(name, where)
    return field.coerce_list(draws.spelled_out(field, values, where), where)


def sweep_draws(config: ConfigDict) -> dict[str, Draw]:
    """Returns dotted name -> what it is drawn from, for what is set in `sweep.draw`.

    The order is that of `FIELDS`.

    Raises:
        FieldError: a text that cannot be drawn from, or a field that may not be swept.
    """
    found = {}
    for name, field in FIELDS.items():
        where = f"sweep.draw.{name}"
        value = get(config, where) if field.kind in SWEPT_KINDS else None
        if value is not None:
            found[name] = draws.parse(sweepable(name, where), value, where)
    return found


def sweep_points(config: ConfigDict, name: str = "sweep.points") -> tuple[dict[str, Any], ...]:
    """Returns `sweep.points`, or `sweep.chosen`, with every value in its field's own type.

    Raises:
        FieldError: as `sweep_tree` does.
    """
    points = []
    for number, point in enumerate(FIELDS[name].coerce(get(config, name))):
        where = f"{name}[{number}]"
        points.append({name: sweepable(name, where).coerce(value, f"{where} {name}") for name, value in point.items()})
    return tuple(points)


def validate(config: ConfigDict) -> None:
    """Checks every field and sweep list, and, if nothing is swept, how the fields fit.

    A number that the computation cannot hold is refused here and not by `canonical`, so that runs
    which were trained with one can still be read.

    How the fields fit together at each point of a sweep is checked by `search_space.expand`.

    Raises:
        FieldError: a ConfigError of one line that names the field, its value, what is wanted and
            the nearest name.
    """
    config = canonical(config)
    points = sweep_points(config)
    lists = {tree: sweep_tree(config, tree) for tree in TREES}
    for name, value in flatten(config).items():
        FIELDS[name].check_held(value)
    for tree, swept in lists.items():
        for name, values in swept.items():
            for value in values:
                FIELDS[name].check_held(value, f"sweep.{tree}.{name}")
    for number, point in enumerate(points):
        for name, value in point.items():
            FIELDS[name].check_held(value, f"sweep.points[{number}] {name}")
    drawn = sweep_draws(config)
    _check_twice(lists, drawn)
    _check_search(drawn, config.search.draws)
    if config.sweep.cross:
        _check_cross(points, {**lists, "draw": drawn})
    if not points and not drawn and not any(lists.values()):
        resolve(flatten(config))


def _check_twice(lists: Mapping[str, Mapping[str, Any]], drawn: Mapping[str, Draw]) -> None:
    """Refuses a field in two parts of the sweep that would be taken for one."""
    for tree, others, first in (
        ("zip", lists["zip"], "grid"),
        ("draw", drawn, "grid"),
        ("draw", drawn, "zip"),
    ):
        for name in others:
            if name in lists[first]:
                where = f"sweep.{tree}.{name}"
                raise FieldError(
                    [where],
                    f"{where}: {name} is in sweep.{first} as well; keep one of them, "
                    f"--config.sweep.{first}.{name}=None takes it out",
                )


def _check_search(drawn: Mapping[str, Draw], number: int) -> None:
    """Refuses draws without their number, and a number without draws."""
    if drawn and not number:
        where = f"sweep.draw.{next(iter(drawn))}"
        raise FieldError(
            [where, "search.draws"],
            f"{where} draws nothing: search.draws = 0; say how many points, such as --config.search.draws=16",
        )
    if number and not drawn:
        raise FieldError(
            ["search.draws"],
            f"search.draws = {number:,} draws nothing: say from what, such as "
            "--config.sweep.draw.train.learning_rate='log 1e-5 1e-1', or draw none with --config.search.draws=0",
        )


def _check_cross(points: Sequence[Mapping[str, Any]], others: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuses to combine a point with another setting of a field that it sets."""
    for tree, named in others.items():
        for name in named:
            number = next((number for number, point in enumerate(points) if name in point), None)
            if number is not None:
                raise FieldError(
                    [f"sweep.{tree}.{name}", "sweep.points", "sweep.cross"],
                    f"sweep.cross = True: sweep.points[{number}] and sweep.{tree} both set {name}; keep one of them",
                )


def canonical(config: ConfigDict) -> ConfigDict:
    """Returns a locked copy with every value in its field's own type and every sweep list a tuple.

    Raises:
        FieldError: an unknown or missing field, a wrong type, or a value out of range.
    """
    if not isinstance(config, ConfigDict):
        given = type(config).__name__
        raise ConfigError(f"a config is a ConfigDict from fer_jax.config.default_config(), not a {given}")
    present = set(_leaves(config))
    expected = (*FIELDS, *sweep_names())
    for name in sorted(present):
        if name not in expected:
            locate(name)
    for name in expected:
        if name not in present:
            raise FieldError([name], f"{name} is missing: start from fer_jax.config.default_config()")
    return from_json(to_json(config))


def variants(text: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the variant words of a config file in the order they were given.

    Args:
        text: words joined by commas; empty for none.
        allowed: the words the file knows. `smoke` and `full` exclude each other.

    Raises:
        ConfigError: an unknown word, a word given twice, or both `smoke` and `full`.
    """
    words = tuple(word.strip() for word in text.split(",")) if text.strip() else ()
    for word in words:
        if word not in allowed:
            close = difflib.get_close_matches(word, allowed, 1, cutoff=0)
            hint = f"did you mean {close[0]}? (known: {', '.join(allowed)})" if close else "this file has none"
            raise ConfigError(f"unknown variant {word!r}; {hint}")
    if len(set(words)) != len(words) or {"smoke", "full"} <= set(words):
        raise ConfigError(f"variants {text!r}: give each word once, and smoke or full but not both")
    return words


def to_json(config: ConfigDict) -> dict[str, Any]:
    """Returns the config as what JSON can hold.

    That is dotted name -> value, and under `sweep` only the lists and draws that are set.
    """
    record: dict[str, Any] = flatten(config)
    sweep = {tree: {name: list(values) for name, values in sweep_tree(config, tree).items()} for tree in TREES}
    repeats = FIELDS["sweep.repeats"].coerce(get(config, "sweep.repeats"))
    record["sweep"] = {**sweep, "points": list(sweep_points(config)), "repeats": repeats}
    if drawn := {name: draw.text for name, draw in sweep_draws(config).items()}:
        record["sweep"]["draw"] = drawn
    for name in ("cross", "seeds_of"):
        field = FIELDS[f"sweep.{name}"]
        if (value := field.coerce(get(config, field.name))) != field.default:
            record["sweep"][name] = value
    best, more = (FIELDS[name].coerce(get(config, name)) for name in ("sweep.best", "sweep.best_repeats"))
    if best or more:
        record["sweep"] |= {"best": best, "best_repeats": more, "chosen": list(sweep_points(config, "sweep.chosen"))}
    if found := raced(config):
        record["sweep"]["raced"] = [one.to_json() for one in found]
    return record


def from_json(record: Mapping[str, Any]) -> ConfigDict:
    """Rebuilds the config that `to_json` wrote; fields the record does not know keep their default.

    Raises:
        ConfigError: the record holds a field or value that this version does not know.
    """
    try:
        return _from_json(record)
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        raise ConfigError(f"this is no record of a config ({str(error).splitlines()[0]})") from None


def _from_json(record: Mapping[str, Any]) -> ConfigDict:
    config = default_config()
    for name, value in record.items():
        if name != "sweep":
            put(config, name, locate(name)[0].coerce(value))
    sweep = record.get("sweep", {})
    for tree in TREES:
        for name, values in sweep.get(tree, {}).items():
            where = f"sweep.{tree}.{name}"
            put(config, where, _list(name, values, where))
    for name, text in sweep.get("draw", {}).items():
        where = f"sweep.draw.{name}"
        put(config, where, draws.parse(sweepable(name, where), text, where).text)
    config.sweep.repeats = sweep.get("repeats", 1)
    config.sweep.points = tuple(sweep.get("points", ()))
    config.sweep.points = sweep_points(config)
    for name in ("cross", "seeds_of"):
        config.sweep[name] = sweep.get(name, FIELDS[f"sweep.{name}"].default)
    config.sweep.best, config.sweep.best_repeats = sweep.get("best", 0), sweep.get("best_repeats", 0)
    config.sweep.chosen = tuple(sweep.get("chosen", ()))
    config.sweep.chosen = sweep_points(config, "sweep.chosen")
    config.sweep.raced = tuple(sweep.get("raced", ()))
    config.sweep.raced = tuple(one.to_json() for one in raced(config))
    if not config.report.paths:
        for name in _PATHS:
            put(config, name, home.hidden(get(config, name)))
    return config


def _leaves(config: ConfigDict, prefix: str = "") -> Iterator[str]:
    for key, value in config.items():
        if isinstance(value, ConfigDict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key
