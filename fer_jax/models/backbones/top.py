"""The top of a backbone: a global pool and dense layers, or the classifier of Keras' model."""

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
    """Returns those of the names, a network's `layer_names`, that are below its top, in order."""
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
    """Returns the chain of a backbone's layers and a top.

    With model.top = own the top is avg_pool or max_pool, dense_0, dense_dropout_0, ..., output;
    with model.top = keras it is avg_pool, predictions.

    Args:
        layers: the backbone's layers, in order.
        features: channels of its last map.
        values: dotted field name -> value; model.top, model.pooling, model.dense and
            model.width_multiplier are read.
        num_classes: units of the last layer, which has no activation.
        rngs: its `params` stream draws the initial weights.
        drops: whether Keras' top has a dropout layer, top_dropout, before its predictions.
    """
    # The backbone's own layers that drop have the streams of random numbers before this one.
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
    """Returns the chain of VGG's layers and its own top: flatten, fc1, fc2, predictions.

    Arguments are those of `with_top`, but `features` counts all numbers in the last map. fc1 and
    fc2 have 4,096 units times model.width_multiplier.
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
