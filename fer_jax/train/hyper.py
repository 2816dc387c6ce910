"""What a trial's traced fields become on the device: one array a field, with a leading trial axis.

Numbers go as they are. Words and lists become what the step computes with:

    data.normalize                 -> pixels.scale, pixels.offset: input = scale * pixel + offset
    train.seeds                    -> the seed of each stream, train.seed where the list is empty
    model.init                     -> its place in initializers.NAMES; 0 for weights loaded later
    phases.*, train.block_rates    -> lists filled up, with 0 and with 1
    loss.class_weight, .weights    -> loss.class_weight: a weight for each class
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fer_jax.config import repeats, rules
from fer_jax.config.fields import FIELDS
from fer_jax.data import Dataset, names
from fer_jax.errors import ConfigError
from fer_jax.models import initializers

ENCODED = (
    *("data.normalize", "model.init", "loss.class_weight", "loss.weights"),
    *("train.seeds", "train.block_rates", "phases.rates", "phases.patience"),
)
# Items of a list that is an array on the device, of whatever length it is in a config.
MAX_BLOCKS = 32
BLOCK = 1024  # images whose pixels are counted at once


@dataclasses.dataclass(frozen=True)
class DataStatistics:
    """The facts about a training split that `encode` needs.

    Attributes:
        classes: names, in the order of the labels.
        counts: images of each class, at least 1.
        low, high, mean, sd: of its pixels, in 0..255.
    """

    classes: tuple[str, ...]
    counts: tuple[int, ...]
    low: float = 0.0
    high: float = 255.0
    mean: float = 127.5
    sd: float = 64.0

    @classmethod
    def neutral(cls, num_classes: int) -> "DataStatistics":
        """Returns the statistics of equally frequent classes without names."""
        return cls(tuple(map(str, range(num_classes))), (1,) * num_classes)

    @classmethod
    def of(cls, dataset: Dataset) -> "DataStatistics":
        """Returns the statistics of a data set's training split."""
        pixels = np.asarray(dataset.train.images)
        # A class of no training images (data.on_error = skip) meets its weight nowhere.
        counts = tuple(max(1, count) for count in dataset.counts("train").tolist())
        # A float64 copy of the pixels, as their standard deviation would make, may not fit into
        # memory. Sums of integers are exact.
        histogram = np.zeros(256, np.int64)
        for start in range(0, len(pixels), BLOCK):
            histogram += np.bincount(pixels[start : start + BLOCK].reshape(-1), minlength=256)
        shades = {shade: count for shade, count in enumerate(histogram.tolist()) if count}
        number, total = sum(shades.values()), sum(shade * count for shade, count in shades.items())
        squares = sum(shade**2 * count for shade, count in shades.items())
        sd = math.sqrt(number * squares - total**2) / number
        return cls(dataset.classes, counts, float(min(shades)), float(max(shades)), total / number, sd)


def layout(num_classes: int) -> dict[str, tuple[tuple[int, ...], type]]:
    """Returns shape and element type of every array a program takes for one trial, by name."""
    traced = {name: field for name, field in FIELDS.items() if field.kind == "traced" and name not in ENCODED}
    found: dict[str, tuple[tuple[int, ...], type]] = {
        name: ((), np.int32 if field.type is int else np.float32) for name, field in traced.items()
    }
    return found | {
        "train.seed": ((), np.uint32),
        "train.seeds": ((len(repeats.STREAMS),), np.uint32),
        "pixels.scale": ((), np.float32),
        "pixels.offset": ((), np.float32),
        "model.init": ((), np.int32),
        "train.block_rates": ((MAX_BLOCKS,), np.float32),
        "phases.rates": ((rules.MAX_PHASES,), np.float32),
        "phases.patience": ((rules.MAX_PHASES,), np.int32),
        "loss.class_weight": ((num_classes,), np.float32),
    }


def encode(trials: Sequence[Mapping[str, Any]], statistics: DataStatistics) -> dict[str, np.ndarray]:
    """Returns the arrays of a wave, as `layout` describes them, with a leading trial axis.

    Args:
        trials: the field values of each trial, by name; only traced fields are read.
        statistics: of the data set that the trials share.

    Raises:
        ConfigError: loss.weights names a class that the data do not have, or leaves no class a
            weight.
    """
    rows = [_encode_one(trial, statistics) for trial in trials]
    kinds = layout(len(statistics.classes))
    return {name: np.asarray([row[name] for row in rows], kind) for name, (_, kind) in kinds.items()}


def _encode_one(trial: Mapping[str, Any], statistics: DataStatistics) -> dict[str, Any]:
    scale, offset = pixel_map(trial["data.normalize"], statistics)
    return {
        **trial,
        "train.seeds": repeats.stream_seeds(trial),
        "pixels.scale": scale,
        "pixels.offset": offset,
        "model.init": initializers.NAMES.index(trial["model.init"]) if trial["model.init"] in initializers.NAMES else 0,
        "train.block_rates": _filled(trial["train.block_rates"], MAX_BLOCKS, 1.0),
        "phases.rates": _filled(trial["phases.rates"], rules.MAX_PHASES, 0.0),
        "phases.patience": _filled(trial["phases.patience"], rules.MAX_PHASES, 0),
        "loss.class_weight": class_weights(trial, statistics),
    }


def _filled(values: Sequence[float], length: int, filling: float) -> list[float]:
    return [*values, *[filling] * (length - len(values))]


def pixel_map(name: str, statistics: DataStatistics) -> tuple[float, float]:
    """Returns (scale, offset) of a value of data.normalize.

    'unit': [0, 1]; 'minmax': the training split's darkest pixel becomes 0 and its brightest 1;
    'standardize': its pixels get mean 0 and standard deviation 1; 'symmetric': [-1, 1], x / 127.5 -
    1; 'none': 0..255 as they are.
    """
    if name == "unit":
        return 1 / 255, 0.0
    if name == "symmetric":
        return 1 / 127.5, -1.0
    if name == "none":
        return 1.0, 0.0
    shift, spread = (
        (statistics.low, statistics.high - statistics.low) if name == "minmax" else (statistics.mean, statistics.sd)
    )
    # Training images that are all of one shade have no spread to divide by.
    spread = spread or 1.0
    return 1 / spread, -shift / spread


def class_weights(trial: Mapping[str, Any], statistics: DataStatistics) -> np.ndarray:
    """Returns each class' weight, float64 (K,).

    It is (N / (K n_c)) ** loss.class_weight for class c, or what loss.weights says.

    Raises:
        ConfigError: as `encode`.
    """
    given = rules.class_weights(trial)
    if not given:
        counts = np.asarray(statistics.counts, float)
        return (counts.sum() / (len(counts) * counts)) ** trial["loss.class_weight"]
    weights = np.ones(len(statistics.classes))
    for name, weight in given.items():
        match = names.spelled(name, statistics.classes)
        if match not in statistics.classes:
            raise ConfigError(f"loss.weights: no class {name!r}; the data have {', '.join(statistics.classes)}")
        weights[statistics.classes.index(match)] = weight
    if not weights.any():
        raise ConfigError(
            "loss.weights: every class of the data has weight 0, so nothing is learnt; give one a weight above 0"
        )
    return weights
