"""More seeds for points whose rank is undecided (`search.race`), a look of the race at a time.

The looks are recorded, so that no later start decides otherwise. A stage gives the points of the
race one more trial each, which `sweep.raced` in config.json names; once its trials are over, the
next look says who stays. What is decided is `search.racing`'s; here it meets the run directory.
"""

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from ml_collections import ConfigDict

from fer_jax.analysis.comparable import check_sweep, lower_is_better
from fer_jax.base.text import counted
from fer_jax.config import search_space
from fer_jax.config.raced import Raced, most_seeds, raced, raced_repeats
from fer_jax.config.values import from_json, to_json
from fer_jax.errors import RunError
from fer_jax.launch import best_points
from fer_jax.search.racing import Race
from fer_jax.search.rungs import Halving
from fer_jax.store import RunDirectory

Points = Sequence[Mapping[str, Any]]


def with_recorded(config: ConfigDict, directory: RunDirectory, extend: bool) -> ConfigDict:
    """Returns the config with the seeds that a race has given its points.

    Args:
        config: checked, as `best_points.with_recorded_choice` returns it.
        directory: its run directory.
        extend: whether --extend was given.

    Raises:
        FieldError: points that train.select cannot rank against each other.
        RunError: the directory holds a run of another race, or of one where there is none now, and
            --extend is not given, or would not help.
    """
    config.sweep.raced = ()
    if config.search.race:
        check_sweep(config, "search.race", _shown(config))
    if not directory.has("plan.json"):
        return config
    document = directory.read_config()["config"]
    if not config.search.race and not document.get("search.race"):
        return config
    before = from_json(document)
    if before.sweep.raced and not config.search.race:
        raise RunError(
            f"{directory.path}: search.race was {_shown(before)}, is not set, and the run has seeds of the race; "
            "set it again"
        )
    if config.search.race != before.search.race and config.search.race and not extend:
        was = _shown(before) if before.search.race else "not set"
        raise RunError(
            f"{directory.path}: search.race was {was}, is {_shown(config)}; add --extend to race by the new rule, "
            "with the seeds that are there"
        )
    config.sweep.raced = before.sweep.raced
    return config


def following(config: ConfigDict, directory: RunDirectory) -> tuple[ConfigDict, dict[str, Any]] | None:
    """Returns the config of a race's next stage and what config.json says of the race till then.

    Where the race has ended, that is written into config.json instead.

    Args:
        config: of the stage before, whose trials are all over.
        directory: their run directory.

    Returns:
        The config and a record under `race`; None where the race has ended.
    """
    record = directory.read_config()
    trials = directory.read_trials()
    points = _points(config)
    scores = _scores(trials, record["swept"], points, config)
    part, race = _recorded(record.get("race"), config, points) or _begun(config, scores)
    for number, point in enumerate(points):
        # The stage is over: what is not there now will not come.
        had = scores[number, : max(config.sweep.repeats, raced_repeats(config).get(frozenset(point.items()), 0))]
        had[np.isnan(had)] = -math.inf
    race = race.after(scores[part])
    found = _to_json(race, config, [points[number] for number in part], len(points))
    second = _with_seeds(config, points, part, race)
    if not race.outcome:
        return second, {"race": found}
    document = to_json(second)
    if record.get("race") != found or record["config"] != document:
        with directory.lock():
            directory.write_config({**directory.read_config(), "config": document, "race": found})
    return None


def _points(config: ConfigDict) -> list[dict[str, Any]]:
    """Returns the swept values of every point, in the order of the sweep."""
    return [dict(trials[0].point) for trials, _ in search_space.expand_points(config)]


def _scores(trials: pd.DataFrame, swept: Sequence[str], points: Points, config: ConfigDict) -> np.ndarray:
    """Returns what `Race.after` takes, for all points, with the trials of trials.csv."""
    places = {best_points.key(point): number for number, point in enumerate(points)}
    most = max(most_seeds(config), int(trials["repeat"].max()) + 1)
    scores = np.full((len(points), most), np.nan)
    values = pd.to_numeric(trials[config.train.select]).to_numpy(np.float64)
    values = -values if lower_is_better(config.train.select) else values
    over = trials["status"].isin(["done", "diverged", "failed", "pruned"])
    values = np.where((trials["status"] == "done") & np.isfinite(values), values, -math.inf)
    for row in np.flatnonzero(over):
        place = places.get(best_points.row_key(trials.iloc[row], swept))
        if place is not None:
            scores[place, int(trials["repeat"].iloc[row])] = values[row]
    return scores[:, : most_seeds(config)]


def _recorded(record: Mapping[str, Any] | None, config: ConfigDict, points: Points) -> tuple[list[int], Race] | None:
    """Returns which points take part in the race that config.json has, and it; None for another.

    Another rule, other points or more epochs make it another race, which begins with its first look
    at the seeds that are there.

    Raises:
        RunError: a damaged record.
    """
    if not record or any(record.get(name) != value for name, value in _rule(config, len(points)).items()):
        return None
    race = Race.from_record(record)
    numbers = {best_points.key(point): number for number, point in enumerate(points)}
    probe = copy.deepcopy(config)
    probe.sweep.raced = tuple({"point": point, "repeats": 1, "racing": True} for point in record["points"])
    part = [numbers.get(best_points.key(one.point), -1) for one in raced(probe)]
    if -1 in part:
        raise RunError("config.json: its race has a point that the sweep has not; restore it")
    return part, race


def _begun(config: ConfigDict, scores: np.ndarray) -> tuple[list[int], Race]:
    """Returns which points take part in a race that begins, those with a result, and the race."""
    first = config.sweep.repeats
    part = np.flatnonzero(np.isfinite(scores[:, :first]).any(axis=1)).tolist()
    return part, Race(len(part), first, most_seeds(config), float(config.search.race[1]))


def _rule(config: ConfigDict, points: int) -> dict[str, Any]:
    """Returns what makes a race another one."""
    return {
        "metric": config.train.select,
        "first": config.sweep.repeats,
        "most": most_seeds(config),
        "error": float(config.search.race[1]),
        "epochs": config.train.epochs,
        "of": points,
    }


def _to_json(race: Race, config: ConfigDict, part: Points, points: int) -> dict[str, Any]:
    """Returns the record of a race: rule, points that take part, looks, and how it has ended.

    Points are numbered in the order of the record's own list.
    """
    listed = [{name: list(v) if isinstance(v, tuple) else v for name, v in point.items()} for point in part]
    return {**_rule(config, points), **race.to_record(), "points": listed}


def _with_seeds(config: ConfigDict, points: Points, part: Sequence[int], race: Race) -> ConfigDict:
    """Returns the config in which the points of a race have the seeds for its next look.

    Seeds that a point has got before, if only from a race by another rule, stay its own.
    """
    had = {best_points.key(one.point): one.repeats for one in raced(config)}
    racing = {part[point] for point in race.racing}
    wanted = race.next_look if not race.outcome else 0
    found = []
    for number, point in enumerate(points):
        repeats = max(had.get(best_points.key(point), config.sweep.repeats), wanted if number in racing else 0)
        if repeats > config.sweep.repeats or number in racing:
            found.append(Raced(point, repeats, number in racing))
    second = copy.deepcopy(config)
    second.sweep.raced = tuple(one.to_json() for one in found)
    return from_json(to_json(second))


def describe(config: ConfigDict) -> str:
    """Returns 'then up to 9 more seeds of points not told apart from the best (at most 72 trials)'.

    It is empty without search.race, or once the race has begun.

    Raises:
        FieldError: points that train.select cannot rank against each other.
    """
    if not config.search.race or config.sweep.raced:
        return ""
    check_sweep(config, "search.race", _shown(config))
    points, more = len(_points(config)), most_seeds(config) - config.sweep.repeats
    if config.search.halving:
        halving = Halving.of(points, config.train.epochs, tuple(config.search.halving), config.search.brackets)
        points = halving.sizes()[-1]
    return (
        f"then up to {counted(more, 'more seed')} of points not told apart from the best "
        f"(at most {counted(points * more, 'trial')})"
    )


def describe_round(config: ConfigDict) -> str:
    """Returns a line on a race that has begun: the points in it, and their seeds."""
    racing = [one for one in raced(config) if one.racing]
    seeds, most = max((one.repeats for one in racing), default=0), most_seeds(config)
    more = f", up to {most - seeds} more may follow" if most > seeds else ""
    return f"the race: {counted(len(racing), 'point')} in it, {counted(seeds, 'seed')} each{more}"


def _shown(config: ConfigDict) -> str:
    return f"({', '.join(f'{number:g}' for number in config.search.race)})"
