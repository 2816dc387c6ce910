"""The command that trains one trial or point of a sweep again, in parts that a page joins."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from fer_jax.analysis import statistics
from fer_jax.config import command_line, fields, repeats
from fer_jax.config.values import flatten
from fer_jax.errors import ConfigError
from fer_jax.results.run import Run

_SEEDS = ("train.seed", "train.seeds", "data.seed", "data.fold")
_TREES = ("grid", "each", "zip", "draw")


def template(run: Run, ids: Sequence[str]) -> dict[str, Any] | None:
    """Returns the parts of the commands; None where the run was not begun by a command.

    A trial's command is `base`, the flag of each swept field (--config.<name>= and the level's
    `typed` text), the trial's `seeds` and `workdir` with its id. A point's has
    --config.sweep.repeats with its number of trials instead of `seeds`.

    Args:
        run: the run.
        ids: of its trials, in the order of `seed_of`.

    Returns:
        base: the run's own command without its sweep. seeds: distinct texts of flags; seed_of: the
        number of its text for each trial, None where there is one text. workdir: what the id is
        added to.
    """
    base = _base(run)
    if base is None:
        return None
    texts, numbers = _seeds(run)
    order = [numbers[id] for id in ids] if len(texts) > 1 else None
    return {"base": base, "seeds": texts, "seed_of": order, "workdir": f"--workdir=runs/{_folder(run)}-"}


def typed(name: str, levels: Sequence[Any]) -> list[str] | None:
    """Returns the values of a field as one types them into a shell; '' where there is none."""
    return [
        "" if (value := statistics.hashable(level)) is None else shlex.quote(value_typed(name, value))
        for level in levels
    ]


def value_typed(name: str, value: Any) -> str:
    """Returns a value as the command line reads it, not yet quoted for a shell."""
    field = fields.FIELDS.get(name)
    if field is not None and field.type is str:
        return str(value)
    return repr(field.coerce(value) if field is not None else value)


def _folder(run: Run) -> str:
    safe = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in run.path.resolve().name)
    return safe or "run"


def _base(run: Run) -> str | None:
    """Returns the run's command with nothing swept, nothing searched and one repeat."""
    try:
        file, overrides, rest = command_line.split_argv(shlex.split(str(run.record.get("command") or "")))
    except (ValueError, ConfigError):
        return None
    if not file:
        return None
    program = []
    for word in rest:
        if word.startswith("--"):
            break
        program.append(word)
    config = run.record["config"]
    kept = {name: value for name, value in overrides.items() if name not in run.swept and _stays(name)}
    flags = [_flag(name, value) for name, value in {**kept, **_unswept(config)}.items()]
    return " ".join([shlex.join(program), f"--config={shlex.quote(file)}", *flags])


def _stays(name: str) -> bool:
    """Returns whether an override of the run is one of every trial: not of its sweep or search."""
    if name.startswith("search."):
        return False
    tree, _, field = name.removeprefix("sweep.").partition(".")
    if name.startswith("sweep."):
        return tree in _TREES and _is_of_head(field)
    return True


def _is_of_head(name: str) -> bool:
    return name in fields.FIELDS and fields.FIELDS[name].kind == "head"


def _unswept(config: Mapping[str, Any]) -> dict[str, str]:
    """Returns the overrides that leave one point of one trial; heads stay swept."""
    sweep = config.get("sweep") or {}
    found = {
        f"sweep.{tree}.{name}": "None" for tree in _TREES for name in sweep.get(tree) or {} if not _is_of_head(name)
    }
    found |= {"sweep.points": "()"} if sweep.get("points") else {}
    found |= {"sweep.cross": "false"} if sweep.get("cross") else {}
    found |= {"sweep.repeats": "1"} if sweep.get("repeats", 1) != 1 else {}
    found |= {"sweep.best": "0", "sweep.best_repeats": "0"} if sweep.get("best") else {}
    for name, field in fields.FIELDS.items():
        if name.startswith("search.") and statistics.hashable(config.get(name, field.default)) != field.default:
            found[name] = value_typed(name, field.default)
    return found


def _flag(name: str, value: str) -> str:
    return f"--config.{name}={shlex.quote(value)}"


def _seeds(run: Run) -> tuple[list[str], dict[str, int]]:
    """Returns the distinct flags of seeds and folds, and the number of its text by trial's id."""
    values = flatten(run.config)
    swept = [name for name in (*_SEEDS, "data.split") if name in run.swept]
    seeds_of = run.config.sweep.seeds_of
    texts: dict[str, int] = {}
    numbers: dict[str, int] = {}
    for _, row in run.trials[["id", "repeat", *swept]].iterrows() if "repeat" in run.trials else ():
        own = values | {name: fields.FIELDS[name].coerce(row[name]) for name in swept}
        moved = repeats.repeated(own, int(row["repeat"]), seeds_of)
        flags = [_flag(name, value_typed(name, moved[name])) for name in _SEEDS if moved[name] != own[name]]
        numbers[str(row["id"])] = texts.setdefault(" ".join(flags), len(texts))
    return list(texts), numbers
