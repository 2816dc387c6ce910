"""What the repeats of a run vary (`sweep.seeds_of`), in the words of tables and sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fer_jax.config.repeats import NEW_SPLITS, SOURCES, STREAMS


def seeds_of(config: Mapping[str, Any]) -> str:
    """Returns `sweep.seeds_of`.

    Args:
        config: dotted names -> values, with `sweep`, as config.json has it.
    """
    return str((config.get("sweep") or {}).get("seeds_of", "all"))


def new_splits(config: Mapping[str, Any]) -> bool:
    """Returns whether every repeat of a point has a split of its own."""
    return seeds_of(config) in NEW_SPLITS


def unit(config: Mapping[str, Any]) -> str:
    """Returns what differs between a point's trials: 'seed', 'fold' or 'split'."""
    if config.get("data.split") == "kfold":
        return "fold"
    return "split" if seeds_of(config) == "split" else "seed"


def units(config: Mapping[str, Any]) -> str:
    """Returns the same of several: 'seeds of the initial weights', 'seeds' of all training."""
    of = SOURCES.get(seeds_of(config), "")
    return f"{unit(config)}s {of}" if of and unit(config) == "seed" else f"{unit(config)}s"


def caution(config: Mapping[str, Any]) -> str:
    """Returns what a spread over such repeats leaves out or is of besides; '' for 'all'."""
    of = seeds_of(config)
    if of in STREAMS:
        return (
            f"Its repeats differ in the seed {SOURCES[of]} alone: the spread leaves out what other seeds do, and a "
            "whole repetition may differ by more."
        )
    if of == "split":
        return (
            "Each of its repeats has a split of its own: the spread is that over the images, of networks of one seed "
            "of training."
        )
    if of == "everything":
        return "Each of its repeats has a split of its own: the spread is that over training and over the images."
    return ""
