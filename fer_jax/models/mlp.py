"""imperial's feed-forward network: any number of dense layers, with dropout after each."""

import math
from collections.abc import Mapping
from typing import Any

from flax import nnx

from fer_jax.models.chain import Chain
from fer_jax.models.layers import BatchNorm, Dense, Dropout, Flatten, widened


def build_mlp(values: Mapping[str, Any], image_shape: tuple[int, int, int], num_classes: int, rngs: nnx.Rngs) -> Chain:
    """Returns the chain flatten, dense_0, [norm_0,] dropout_0, dense_1, ..., output.

    Args:
        values: dotted field name -> value; model.hidden (units of each hidden layer, may be
            empty), model.width_multiplier and model.batch_norm are read.
        image_shape, num_classes, rngs: as for `cnn.build_cnn`.
    """
    layers: list[tuple[str, nnx.Module]] = [("flatten", Flatten())]
    features = math.prod(image_shape)
    for index, units in enumerate(values["model.hidden"]):
        units = widened(units, values["model.width_multiplier"])
        layers.append((f"dense_{index}", Dense(features, units, relu=True, rngs=rngs)))
        if values["model.batch_norm"]:
            layers.append((f"norm_{index}", BatchNorm(units)))
        layers.append((f"dropout_{index}", Dropout(index)))
        features = units
    layers.append(("output", Dense(features, num_classes, relu=False, rngs=rngs)))
    return Chain(layers)
