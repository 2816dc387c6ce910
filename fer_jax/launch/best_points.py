"""More seeds for the best points (`sweep.best`), which are chosen once, by validation.

The choice is recorded, so that no later start chooses others. The first stage of such a sweep gives
every point `sweep.repeats` trials. Once these are over, the points that are best by `train.select`
become `sweep.chosen` in config.json, and the second stage gives them `sweep.best_repeats` trials.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from fer_jax.analysis import comparable, statistics
from fer_jax.analysis.ranking import rank_points
from fer_jax.base.text import counted
from fer_jax.config import fields, search_space
from fer_jax.config.values import canonical, from_json
from fer_jax.errors import RunError
from fer_jax.store import RunDirectory


def with_recorded_choice(config: ConfigDict, directory: RunDirectory, extend: bool) -> ConfigDict:
    """Returns the config with the points that its run directory has recorded as chosen.

    These are at most `sweep.best`.

    Raises:
        FieldError: points that train.select cannot rank against each other.
        RunError: the directory holds a run without this choice, and --extend is not given; or a
            damaged file.
    """
    config = canonical(config)
    config.sweep.chosen = ()
    if not config.sweep.best:
        return config
    comparable.check_sweep(config, "sweep.best", config.sweep.best)
    if not directory.has("plan.json"):
        return config
    recorded = from_json(directory.read_config()["config"]).sweep
    if not extend and config.sweep.best > recorded.best:
        raise RunError(
            f"{directory.path}: sweep.best was {recorded.best}, is {config.sweep.best}; add --extend to choose "
            f"{counted(config.sweep.best - recorded.best, 'point')} and train more seeds of them"
        )
    config.sweep.chosen = recorded.chosen[: config.sweep.best]
    return config


def choose(config: ConfigDict, directory: RunDirectory) -> tuple[ConfigDict, dict[str, Any]]:
    """Returns the config of the second stage, and what config.json says of the choice.

    That is the metric, the repeats (of the seeds that chose) and the number of points. Points that
    were chosen before stay; the others follow by their mean over the seeds of the first choice.

    Args:
        config: whose trials are all over.
        directory: their run directory.
    """
    record = directory.read_config()
    repeats = int((record.get("chosen") or {}).get("repeats", config.sweep.repeats))
    trials = directory.read_trials()
    found = rank_points(
        _without_choice(record), trials[trials["repeat"] < repeats].reset_index(drop=True), trials.iloc[:0], ""
    )
    by_name = {key(trial.point): dict(trial.point) for trial in search_space.expand(config)}
    ranked = [by_name[row_key(row, found.swept)] for _, row in found.ranked.iterrows()]
    chosen = list(config.sweep.chosen)
    chosen += [point for point in ranked if point not in chosen][: config.sweep.best - len(chosen)]
    second = copy.deepcopy(config)
    second.sweep.chosen = tuple(chosen)
    return second, {"metric": config.train.select, "repeats": repeats, "points": len(found.ranked)}


def _without_choice(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the record as that of a run that ranks all its points alike."""
    config = record["config"]
    return {**record, "config": {**config, "sweep": {**config["sweep"], "chosen": []}}}


def _typed(name: str, value: Any) -> Any:
    """Returns a cell of trials.csv as its field has it: words and tuples are text there."""
    field = fields.FIELDS[name]
    if field.type in (str, tuple):
        return field.parse("" if statistics.hashable(value) is None else value)
    return field.coerce(statistics.hashable(value))


def key(point: Mapping[str, Any]) -> tuple:
    """Returns what is equal for equal points."""
    return tuple(sorted(point.items()))


def row_key(row: Mapping[str, Any], swept: Sequence[str]) -> tuple:
    """Returns the `key` of the point of a row of trials.csv."""
    return key({name: _typed(name, row[name]) for name in swept})


def describe(config: ConfigDict) -> str:
    """Returns 'then 7 more seeds of each of the 5 best points by val_accuracy: 35 trials'.

    It is empty without sweep.best.
    """
    left = config.sweep.best - len(config.sweep.chosen)
    if not left:
        return ""
    more = config.sweep.best_repeats - config.sweep.repeats
    return (
        f"then {counted(more, 'more seed')} of each of the {counted(left, 'best point')} by {config.train.select}: "
        f"{counted(left * more, 'trial')}"
    )
