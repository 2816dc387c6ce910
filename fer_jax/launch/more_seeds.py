"""Stages of a sweep that give some points more seeds: the best points, or those of a race."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from fer_jax.base.text import counted
from fer_jax.config.values import from_json, to_json
from fer_jax.launch import best_points, race
from fer_jax.store import RunDirectory


def with_recorded(config: ConfigDict, directory: RunDirectory, extend: bool) -> tuple[ConfigDict, bool]:
    """Returns the config with what its run directory has recorded of such stages.

    Args:
        config: of a start.
        directory: its run directory.
        extend: whether --extend was given.

    Returns:
        The config, and whether the directory may hold fewer trials than the config names. Without
        --extend it may where this is the recorded config: the start before ended between its
        record and its plan.

    Raises:
        FieldError: points that train.select cannot rank against each other.
        RunError: as for `best_points.with_recorded_choice` and `race.with_recorded`.
    """
    config = best_points.with_recorded_choice(config, directory, extend)
    config = race.with_recorded(config, directory, extend)
    if (config.sweep.chosen or config.sweep.raced) and not extend:
        extend = to_json(from_json(directory.read_config()["config"])) == to_json(config)
    return config, extend


def following(config: ConfigDict, directory: RunDirectory) -> tuple[ConfigDict, dict[str, Any]] | None:
    """Returns the config of the next stage and what config.json says of its choice; None after all.

    Args:
        config: of the stage before, whose trials are all over.
        directory: their run directory.
    """
    if config.search.race:
        return race.following(config, directory)
    if len(config.sweep.chosen) < config.sweep.best:
        second, choice = best_points.choose(config, directory)
        if len(second.sweep.chosen) > len(config.sweep.chosen):
            return second, {"chosen": choice}
    return None


def later(config: ConfigDict, choice: Mapping[str, Any] | None) -> str:
    """Returns what may follow a stage, such as 'more seeds of the best points'; '' for nothing.

    Args:
        config: of the stage.
        choice: that made it; None for the first.
    """
    if config.search.race:
        return "the next look of the race"
    return "more seeds of the best points" if choice is None and len(config.sweep.chosen) < config.sweep.best else ""


def describe(config: ConfigDict) -> str:
    """Returns what follows once every point has its first seeds, in words; '' for nothing."""
    return race.describe(config) or best_points.describe(config)


def announced(config: ConfigDict, choice: Mapping[str, Any] | None = None) -> str:
    """Returns a line on what follows, or goes on, for the start of a stage; '' for nothing.

    Args:
        config: of the stage.
        choice: that made it; None for the first.
    """
    if config.sweep.raced:
        return race.describe_round(config)
    if choice is not None and len(config.sweep.chosen) < config.sweep.best:
        number = len(config.sweep.chosen)
        return f"sweep.best = {config.sweep.best}: only {counted(number, 'point')} came to the end, and gets more seeds"
    return f"every point first; {found}" if (found := describe(config)) else ""
