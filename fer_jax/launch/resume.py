"""The resume rule: the same command finishes what is missing; another sweep is refused."""

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from fer_jax.base.text import counted
from fer_jax.config import sampling
from fer_jax.config.fields import FIELDS
from fer_jax.config.search_space import Trial
from fer_jax.config.values import to_json
from fer_jax.errors import RunError
from fer_jax.launch import longer
from fer_jax.launch.longer import Successor
from fer_jax.launch.prepared import Prepared
from fer_jax.plan import Plan
from fer_jax.search import search as searching
from fer_jax.store import RunDirectory

# Fields of the search that say which points are drawn.
_DRAWN = ("search.kind", "search.draws", "search.seed")


@dataclasses.dataclass(frozen=True)
class Known:
    """The records that an earlier start of the run stored.

    Attributes:
        trials: ids of its trials.
        config: the flat config (dotted names, `sweep` nested) of its newest start.
        checksums: of the data sets it used.
    """

    trials: frozenset[str]
    config: Mapping[str, Any]
    checksums: frozenset[str]


def check_directory(directory: RunDirectory, prepared: Prepared, extend: bool) -> dict[str, Successor]:
    """Applies `check` to what a run directory holds; one without a plan holds nothing.

    Args:
        directory: it.
        prepared: this start's sweep.
        extend: whether --extend was given.

    Returns:
        The trials of the run that go on for more epochs, see `longer.successors`.

    Raises:
        RunError: as for `check` and `longer.successors`, or a damaged file.
    """
    if not directory.has("plan.json"):
        return {}
    old = directory.read_config()
    if missing := [name for name in ("config", "checksums") if name not in old]:
        raise RunError(f"{directory.path / 'config.json'} has no {missing[0]!r}: restore it or start a new --workdir")
    planned = frozenset(Plan.from_json(directory.read_plan()).trials)
    known = Known(planned, old["config"], frozenset(old["checksums"]))
    checksums = frozenset(dataset.checksum for dataset in prepared.datasets.values())
    if planned:
        _check_search(directory, prepared, old["config"], planned)
    successors = longer.successors(str(directory.path), prepared, planned, old["config"])
    check(str(directory.path), known, prepared.trials, to_json(prepared.config), checksums, extend, successors.keys())
    return successors


def _check_search(
    directory: RunDirectory, prepared: Prepared, old: Mapping[str, Any], planned: Collection[str]
) -> None:
    """Raises RunError where this start's search is not the one that the run began with."""
    new = to_json(prepared.config)
    changed = [
        f"{name} was {_show(old.get(name, FIELDS[name].default) or None)}, is {_show(new[name] or None)}"
        for name in searching.FIELDS
        if _plain(old.get(name, FIELDS[name].default)) != _plain(new[name])
    ]
    is_search = prepared.search is not None or old.get("search.halving") or old.get("search.stop", "none") != "none"
    if not is_search:
        return
    points = prepared.search.points if prepared.search else {}
    if added := [identity for identity in points if identity not in planned]:
        changed.append(f"{counted(len(added), 'trial')} of {len(points)} are new")
    if changed:
        raise RunError(
            f"{directory.path} holds a search, whose points were compared as it was begun: {'; '.join(changed)}; "
            "choose another --workdir"
        )


def check(
    workdir: str,
    known: Known,
    trials: Mapping[str, Trial],
    config: Mapping[str, Any],
    checksums: frozenset[str],
    extend: bool,
    shorter: Collection[str] = (),
) -> None:
    """Decides whether a start may go on with a run directory.

    1. The same trials go on; what is done is not repeated. Fields that define no trial may have
       changed.
    2. All the old trials and new ones besides go on with --extend; so do old trials whose only
       change is more epochs.
    3. Anything else belongs into another directory.

    Args:
        workdir: named in errors.
        known: of the run that is there.
        trials: id -> trial of this start.
        config, checksums: of this start.
        extend: whether --extend was given.
        shorter: ids of the old trials that this start names with more epochs.

    Raises:
        RunError: case 3, with a field-by-field difference, or case 2 without --extend.
    """
    missing, added = known.trials - trials.keys() - set(shorter), trials.keys() - known.trials
    if missing:
        raise RunError(
            f"{workdir} holds another sweep ({len(missing)} of its {len(known.trials)} trials are not in this one): "
            f"{_difference(known, config, checksums)}; choose another --workdir"
        )
    if shorter and not extend:
        raise RunError(
            f"{workdir} holds {len(shorter)} of this sweep's {len(trials)} trials after fewer epochs: "
            f"{_difference(known, config, checksums)}; add --extend to go on from there"
        )
    if added and not extend:
        raise RunError(
            f"{workdir} holds {len(known.trials)} of this sweep's {len(trials)} trials: "
            f"{_difference(known, config, checksums)}; add --extend to train the other {len(added)} as well"
        )


def _difference(known: Known, config: Mapping[str, Any], checksums: frozenset[str]) -> str:
    changes = []
    draws = any("draw" in (of.get("sweep") or {}) for of in (known.config, config))
    for name in dict.fromkeys((*known.config, *config)):
        old, new = known.config.get(name), config.get(name)
        if name == "sweep":
            changes += [
                f"sweep.{key} was {_show(o)}, is {_show(n)}"
                for key, o, n in _nested(old or {}, new or {})
                if key != "chosen"
            ]
        elif _plain(old) != _plain(new) and name in FIELDS and (FIELDS[name].kind != "run" or draws and name in _DRAWN):
            changes.append(f"{name} was {_show(old)}, is {_show(new)}")
            if name == "search.draws" and config.get("search.kind") in sampling.WHOLE:
                changes[-1] += (
                    f" (of search.kind = {config['search.kind']} more draws are others; "
                    "random, sobol and halton keep what is there)"
                )
    if known.checksums != checksums:
        changes.append("the data have other checksums")
    return "; ".join(changes) or "its trials were made by another version of the program"


def _nested(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Returns (key, old, new) of what differs, one level of nesting resolved."""
    found = []
    for key in dict.fromkeys((*old, *new)):
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) or isinstance(b, Mapping):
            found += [(f"{key}.{inner}", x, y) for inner, x, y in _nested(a or {}, b or {})]
        elif _plain(a) != _plain(b):
            found.append((key, a, b))
    return found


def _plain(value: Any) -> Any:
    """Returns tuples as lists, as JSON keeps them."""
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _show(value: Any) -> str:
    return "not set" if value is None else str(tuple(value) if isinstance(value, list) else value)
