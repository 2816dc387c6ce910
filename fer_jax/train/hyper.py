"""What a trial's traced fields become on the device: one array a field, with a leading trial axis.

Numbers go as they are. Words and lists become what the step computes with:

    data.normalize                    -> pixels.scale, pixels.offset: network input = scale * pixel + offset
    model.init                        -> its place in initializers.NAMES; 0 for weights that are loaded afterwards
    phases.*, train.block_rates       -> lists filled up, with 0 and with 1
    loss.class_weight, loss.weights   -> loss.class_weight: a weight for each class
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fer_jax.config import rules
from fer_jax.config.fields import FIELDS
from fer_jax.data import names
from fer_jax.errors import ConfigError
from fer_jax.models import initializers

ENCODED = (
    *("data.normalize", "model.init", "loss.class_weight", "loss.weights"),
    *("train.block_rates", "phases.rates", "phases.patience"),
)
# Items of a list that is an array on the device, of whatever length it is in a config.
MAX_BLOCKS = 32


@dataclasses.dataclass(frozen=True)
class Facts:
    """What encoding needs to know of a training split.

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
    def neutral(cls, num_classes: int) -> "Facts":
        """Equally frequent classes without names."""
        return cls(tuple(map(str, range(num_classes))), (1,) * num_classes)


def layout(num_classes: int) -> dict[str, tuple[tuple[int, ...], type]]:
    """Name -> shape and element type of every array a program takes for one trial."""
    traced = {name: field for name, field in FIELDS.items() if field.kind == "traced" and name not in ENCODED}
    found: dict[str, tuple[tuple[int, ...], type]] = {
        name: ((), np.int32 if field.type is int else np.float32) for name, field in traced.items()
    }
    return found | {
        "train.seed": ((), np.uint32),
        "pixels.scale": ((), np.float32),
        "pixels.offset": ((), np.float32),
        "model.init": ((), np.int32),
        "train.block_rates": ((MAX_BLOCKS,), np.float32),
        "phases.rates": ((rules.MAX_PHASES,), np.float32),
        "phases.patience": ((rules.MAX_PHASES,), np.int32),
        "loss.class_weight": ((num_classes,), np.float32),
    }


def encode(trials: Sequence[Mapping[str, Any]], facts: Facts) -> dict[str, np.ndarray]:
    """The arrays of a wave, as `layout` describes them, with a leading trial axis.

    Args:
        trials: the traced fields' values of each trial.
        facts: of the data set the trials share.

    Raises:
        ConfigError: loss.weights names a class that the data do not have, or leaves no class a
            weight.
    """
    rows = [_encode_one(trial, facts) for trial in trials]
    kinds = layout(len(facts.classes))
    return {name: np.asarray([row[name] for row in rows], kind) for name, (_, kind) in kinds.items()}


def _encode_one(trial: Mapping[str, Any], facts: Facts) -> dict[str, Any]:
    scale, offset = pixel_map(trial["data.normalize"], facts)
    return {
        **trial,
        "pixels.scale": scale,
        "pixels.offset": offset,
        "model.init": initializers.NAMES.index(trial["model.init"]) if trial["model.init"] in initializers.NAMES else 0,
        "train.block_rates": _filled(trial["train.block_rates"], MAX_BLOCKS, 1.0),
        "phases.rates": _filled(trial["phases.rates"], rules.MAX_PHASES, 0.0),
        "phases.patience": _filled(trial["phases.patience"], rules.MAX_PHASES, 0),
        "loss.class_weight": class_weights(trial, facts),
    }


def _filled(values: Sequence[float], length: int, filling: float) -> list[float]:
    return [*values, *[filling] * (length - len(values))]


def pixel_map(name: str, facts: Facts) -> tuple[float, float]:
    """(scale, offset) of a value of data.normalize.

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
    shift, spread = (facts.low, facts.high - facts.low) if name == "minmax" else (facts.mean, facts.sd)
    # Training images that are all of one shade have no spread to divide by.
    spread = spread or 1.0
    return 1 / spread, -shift / spread


def class_weights(trial: Mapping[str, Any], facts: Facts) -> np.ndarray:
    """(N / (K n_c)) ** loss.class_weight for every class c, or what loss.weights says; float64
    (K,).

    Raises:
        ConfigError: as `encode`.
    """
    given = rules.class_weights(trial)
    if not given:
        counts = np.asarray(facts.counts, float)
        return (counts.sum() / (len(counts) * counts)) ** trial["loss.class_weight"]
    weights = np.ones(len(facts.classes))
    for name, weight in given.items():
        match = names.spelled(name, facts.classes)
        if match not in facts.classes:
            raise ConfigError(f"loss.weights: no class {name!r}; the data have {', '.join(facts.classes)}")
        weights[facts.classes.index(match)] = weight
    if not weights.any():
        raise ConfigError(
            "loss.weights: every class of the data has weight 0, so nothing is learnt; give one a weight above 0"
        )
    return weights
