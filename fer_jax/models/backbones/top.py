"""What stands on a backbone: a global pool and dense layers of ours, or the classifier that
`keras.applications` has there.
"""

from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import Any

from flax import nnx

from fer_jax.models.chain import Chain, Entry
from fer_jax.models.keras_layers import DropBranch, GlobalPool
from fer_jax.models.layers import Dense, Dropout, Flatten, widened

POOLS = {"average": "avg_pool", "max": "max_pool"}
FIRST = frozenset({*POOLS.values(), "flatten"})
# Keras' names of the layers of its own top that have weights.
KERAS_TOP = frozenset({"fc1", "fc2", "predictions"})


def backbone_layers(names: Iterable[str]) -> tuple[str, ...]:
    """Those of a network's layers, in order, that are below its top; `names` as
    `Network.layer_names`.
    """
    return tuple(takewhile(lambda name: name not in FIRST, names))


def with_top(
    layers: list[Entry],
    features: int,
    values: Mapping[str, Any],
    num_classes: int,
    rngs: nnx.Rngs,
    *,
    drops: bool = False,
) -> Chain:
    """The network of a backbone's layers and a top.

    Ours (model.top = own) is avg_pool or max_pool, dense_0, dense_dropout_0, ..., output; Keras' is
    avg_pool, predictions.

    Args:
        layers: of the backbone, in order.
        features: channels of its last map.
        values: reads model.top, model.pooling, model.dense and model.width_multiplier.
        num_classes: units of the last layer, which has no activation.
        rngs: its `params` stream draws the initial weights.
        drops: whether Keras' top has a dropout layer, top_dropout, before its predictions.
    """
    # Streams of random numbers after those of the backbone's own layers that drop.
    first = 1 + max((layer.index for _, layer, *_ in layers if isinstance(layer, DropBranch)), default=-1)
    layers = [*layers, (POOLS[values["model.pooling"]], GlobalPool(values["model.pooling"]))]
    if values["model.top"] == "keras":
        dropout = [("top_dropout", Dropout(first, dense=True))] if drops else []
        return Chain([*layers, *dropout, ("predictions", Dense(features, num_classes, relu=False, rngs=rngs))])
    for index, units in enumerate(values["model.dense"]):
        units = widened(units, values["model.width_multiplier"])
        layers.append((f"dense_{index}", Dense(features, units, relu=True, rngs=rngs)))
        layers.append((f"dense_dropout_{index}", Dropout(first + index, dense=True)))
        features = units
    return Chain([*layers, ("output", Dense(features, num_classes, relu=False, rngs=rngs))])


def with_flat_top(
    layers: list[Entry], features: int, values: Mapping[str, Any], num_classes: int, rngs: nnx.Rngs
) -> Chain:
    """VGG's own top: flatten, fc1, fc2 of 4,096 units, predictions; `features` are the numbers in
    the last map, else as `with_top`.
    """
    units = widened(4096, values["model.width_multiplier"])
    return Chain(
        [
            *layers,
            ("flatten", Flatten()),
            ("fc1", Dense(features, units, relu=True, rngs=rngs)),
            ("fc2", Dense(units, units, relu=True, rngs=rngs)),
            ("predictions", Dense(units, num_classes, relu=False, rngs=rngs)),
        ]
    )
