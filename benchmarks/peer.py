"""The networks, weights and pictures that every library of `peers.py` is given.

A training step is: gather a batch of uint8 pictures by shuffled indices, scale it to [0, 1],
forward with dropout, cross-entropy, backward, Adam with learning rate 1e-3 and Keras' epsilon 1e-7.
fer_jax's step does more (L2, a check that everything is finite, accuracy, best weights, masks that
depend on nothing but key and place), which is left to its charge.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

SIZE, CLASSES = 48, 7
LEARNING_RATE, EPSILON = 1e-3, 1e-7
NETWORKS = ("oslo", "silvestro", "tiny")
# What fer_jax calls the network, and the fields in which it differs from the defaults.
FIELDS: dict[str, dict[str, Any]] = {
    "oslo": {"model.name": "cnn", "model.dropout": 0.4},
    "silvestro": {"model.name": "silvestro", "model.dropout": 0.25, "model.dense_dropout": 0.5},
    "tiny": {"model.name": "cnn", "model.dropout": 0.4, "model.pairs": 1, "model.kernels": (4,), "model.dense": (8,)},
}


class Layer(NamedTuple):
    """A layer of a network.

    Its kind is 'conv' (3x3, valid), 'norm', 'relu', 'pool' (2x2, max), 'dropout', 'flatten' or
    'dense'.

    Attributes:
        name: fer_jax's, where it has weights.
        inputs, outputs: channels or units, where it has weights.
        rate: of dropout.
        side: of the map that is flattened, in pixels.
    """

    kind: str
    name: str = ""
    inputs: int = 0
    outputs: int = 0
    rate: float = 0.0
    side: int = 0


def layers(network: str, size: int = SIZE) -> list[Layer]:
    """Returns the layers of one of `NETWORKS` for grey pictures of a size, up to the logits."""
    return list(_silvestro(size) if network == "silvestro" else _oslo(network, size))


def _oslo(network: str, size: int) -> Iterator[Layer]:
    kernels, dense = ((4,), (8,)) if network == "tiny" else ((32, 64, 64), (64, 7))
    inputs = 1
    for pair, filters in enumerate(kernels):
        yield Layer("conv", f"conv_{pair}", inputs, filters)
        yield from (Layer("relu"), Layer("pool"), Layer("dropout", rate=0.4))
        size, inputs = (size - 2) // 2, filters
    yield Layer("flatten", inputs=inputs, side=size)
    inputs *= size * size
    for index, units in enumerate(dense):
        yield from (Layer("dense", f"dense_{index}", inputs, units), Layer("relu"))
        inputs = units
    yield Layer("dense", "output", inputs, CLASSES)


def _silvestro(size: int) -> Iterator[Layer]:
    inputs = 1
    for place, filters in enumerate((32, 64, 128, 128, 256, 256)):
        yield from (Layer("conv", f"conv_{place}", inputs, filters), Layer("relu"))
        yield Layer("norm", f"norm_{place}", filters, filters)
        size, inputs = size - 2, filters
        if place % 2:
            yield from (Layer("pool"), Layer("dropout", rate=0.25))
            size //= 2
    yield Layer("flatten", inputs=inputs, side=size)
    yield from (Layer("dense", "dense_0", inputs * size * size, 256), Layer("relu"), Layer("norm", "norm_6", 256, 256))
    yield from (Layer("dropout", rate=0.5), Layer("dense", "output", 256, CLASSES))


def weights(network: str, size: int = SIZE) -> dict[str, dict[str, np.ndarray]]:
    """Returns random weights as fer_jax has them, maps flattened row by row.

    Kernels are (3, 3, inputs, outputs) or (inputs, outputs).
    """
    rng = np.random.default_rng(0)
    found: dict[str, dict[str, np.ndarray]] = {}
    for layer in layers(network, size):
        shape = {"conv": (3, 3, layer.inputs, layer.outputs), "dense": (layer.inputs, layer.outputs)}.get(layer.kind)
        if shape:
            kernel = rng.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape)
            arrays = {"kernel": kernel, "bias": rng.normal(0, 0.1, layer.outputs)}
        elif layer.kind == "norm":
            names = ("scale", "bias", "mean", "var")
            arrays = {name: rng.uniform(0.5, 1.5, layer.outputs) for name in names}
        else:
            continue
        found[layer.name] = {name: array.astype(np.float32) for name, array in arrays.items()}
    return found


def pictures(count: int, size: int = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Returns random grey pictures uint8 (n, size, size, 1) and labels int32 (n,)."""
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (count, size, size, 1)).astype(np.uint8)
    return images, rng.integers(0, CLASSES, count).astype(np.int32)
