"""What the fits of a run scored: heads.csv summarised over repeats, and ranked for the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from fer_jax.analysis import statistics
from fer_jax.analysis.ranking import Ranking, rank_points

SPLITS = {"train": "train", "val": "validation", "test": "test"}
SCORES = tuple(f"{split}_{metric}" for split in SPLITS for metric in ("accuracy", "loss"))
# How much a head is above its own trial's network, on the same images and weights: the paired
# difference.
GAINS = tuple(f"{split}_accuracy_gain" for split in ("val", "test"))
# Both without leaked images; empty where no data set of the run has any in that split.
CLEAN = tuple(f"{split}_accuracy_clean{what}" for split in ("val", "test") for what in ("", "_gain"))
METRICS = (*SCORES, *GAINS, *CLEAN, "rounds", "seconds")


def network_column(split: str, weights: str) -> str:
    """Returns the column of trials.csv with the network's own accuracy beside a head's.

    Args:
        split: 'val' or 'test'.
        weights: `head.weights` of the head: 'best' or 'last'.
    """
    return f"{split}_accuracy" if weights == "best" else f"last_{split}_accuracy"


def relative_gain(head: float, network: float) -> float:
    """Returns how much a head's accuracy is above its network's, as a share of the network's.

    It is (head - network) / network; NaN where the network is never right.
    """
    return (head - network) / network if network else math.nan


def head_columns(fits: pd.DataFrame) -> list[str]:
    """Returns the columns of heads.csv that hold head fields."""
    return [name for name in fits.columns if name.startswith("head.")]


def summarise(fits: pd.DataFrame, swept: Sequence[str], overlap: float = 0.0) -> pd.DataFrame:
    """Returns a row a point and head setting; see `statistics.summarise`.

    Args:
        fits: heads.csv.
        swept: the fields of trials that are swept.
        overlap: `statistics.fold_overlap`.
    """
    present = [name for name in METRICS if name in fits and fits[name].notna().any()]
    return statistics.summarise(fits, [*swept, *head_columns(fits)], present, overlap)


def rank_heads(record: Mapping[str, Any], fits: pd.DataFrame, title: str) -> Ranking:
    """Returns the fits as ranked points: the combinations of what was swept, head fields included.

    Args:
        record: config.json.
        fits: heads.csv.
        title: of the report.
    """
    # A field that a kind of head does not know is empty there, which is no value of it.
    varied = [
        name
        for name in head_columns(fits)
        if len({statistics.hashable(value) for value in fits[name]} - {None, ""}) > 1
    ]
    swept = [*(record.get("swept") or ()), *varied]
    columns = [
        *swept,
        *(name for name in fits.columns if name not in head_columns(fits) and name not in ("features", "threads")),
        "head.weights",
    ]
    no_curves = pd.DataFrame(columns=["id", "epoch"])
    return rank_points({**record, "swept": swept}, fits[list(dict.fromkeys(columns))], no_curves, title)
