"""Pictures through a trained network, in batches of three sizes: any numbers of pictures need three
compilations at most.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fer_jax.base.text import did_you_mean
from fer_jax.config import fields
from fer_jax.config.rules import resolve
from fer_jax.errors import RunError

# What a number of pictures is filled up to: one picture costs no batch, and ten different numbers
# compile two programs.
SIZES = (1, 8, 64)
BATCH = SIZES[-1]
# The softmax of the last layer, which has no layer of its own.
PROBABILITIES = "probabilities"

Forward = Callable[[Mapping[str, Any], np.ndarray, tuple[str, ...]], Mapping[str, Any]]


def apply(
    values: Mapping[str, Any],
    num_classes: int,
    variables: Mapping[str, Any],
    images: Any,
    layer: str | None = None,
) -> np.ndarray:
    """Class probabilities of images, or the output of a layer.

    Args:
        values: dotted field name -> value of the trial, as `config.flatten` gives.
        num_classes: number of classes, K.
        variables: {'params', 'stats'} of one trial, and 'pixels': {'scale', 'offset'}, what its
            network takes for a pixel.
        images: see `as_pictures`.
        layer: name of the layer whose output is wanted, see `layer_names`; None for probabilities.

    Returns:
        float32 (n, K), rows summing to 1; or float32 (n, ...), what the layer gives.

    Raises:
        RunError: images of another size, kind or range, or a layer the network does not have.
    """
    name = PROBABILITIES if layer is None else layer
    found = activations(values, num_classes, variables, images, (name,))
    return np.concatenate([batch[name] for batch in found])


def logits(values: Mapping[str, Any], num_classes: int, variables: Mapping[str, Any], images: Any) -> np.ndarray:
    """What the last layer gives, before the softmax, float32 (n, K); arguments and errors as for
    `apply`.
    """
    _, names = _network(*network_key(values, num_classes))
    return apply(values, num_classes, variables, images, names[-2])


def activations(
    values: Mapping[str, Any], num_classes: int, variables: Mapping[str, Any], images: Any, layers: Sequence[str]
) -> Iterator[dict[str, np.ndarray]]:
    """The outputs of several layers for batches of images, one pass through the network a batch;
    see `apply`.

    Yields:
        layer name -> float32 (at most BATCH, ...), in the order of the images.
    """
    forward, pictures = _prepare(values, num_classes, images, layers)
    return _batches(forward, variables, pictures, tuple(layers))


def layer_shapes(values: Mapping[str, Any], num_classes: int) -> dict[str, tuple[int, ...]]:
    """The layers whose output can be asked for, PROBABILITIES last, and the shape of what each
    gives for one image.
    """
    import jax

    from fer_jax import models

    spec, image_shape, _ = network_key(values, num_classes)
    network = models.build(dict(spec), image_shape, num_classes)
    params, stats = jax.eval_shape(network.init, jax.random.key(0))
    image = jax.ShapeDtypeStruct((1, *image_shape), "float32")
    apply = functools.partial(network.apply, capture=network.layer_names)
    _, _, found = jax.eval_shape(apply, params, stats, image)
    return {**{name: found[name].shape[1:] for name in network.layer_names}, PROBABILITIES: (num_classes,)}


def network_key(
    values: Mapping[str, Any], num_classes: int
) -> tuple[tuple[tuple[str, Any], ...], tuple[int, int, int], int]:
    """What a trial's compiled network depends on: its `model.*` shape fields, image shape (S, S, C)
    and number of classes.
    """
    size, channels = values["data.image_size"], values["data.channels"]
    named = [name for name, field in fields.FIELDS.items() if name.startswith("model.") and field.kind == "shape"]
    resolved = resolve(values)
    return tuple((name, resolved[name]) for name in named), (size, size, channels), num_classes


def _prepare(
    values: Mapping[str, Any], num_classes: int, images: Any, layers: Sequence[str]
) -> tuple[Forward, np.ndarray]:
    """The compiled network and the images as it takes them; RunError as `apply` says."""
    pictures = as_pictures(images, values["data.image_size"], values["data.channels"])
    forward, known = _network(*network_key(values, num_classes))
    for layer in layers:
        if layer not in known:
            raise RunError(f"no layer {layer!r} in this network; {did_you_mean(layer, known)}")
    return forward, pictures


def _batches(
    forward: Forward, variables: Mapping[str, Any], pictures: np.ndarray, layers: tuple[str, ...]
) -> Iterator[dict[str, np.ndarray]]:
    size = min(size for size in SIZES if size >= min(len(pictures), BATCH))
    for start in range(0, max(len(pictures), 1), BATCH):
        batch = pictures[start : start + BATCH].astype(np.float32)
        padded = np.concatenate([batch, np.zeros((size - len(batch), *batch.shape[1:]), np.float32)])
        found = forward(variables, padded, layers)
        yield {name: np.asarray(found[name])[: len(batch)] for name in layers}


def as_pictures(images: Any, size: int, channels: int) -> np.ndarray:
    """Images in any form a person may hold as an array (n, size, size, channels), in its own dtype.

    Args:
        images: numbers in 0..255 of shape (n, size, size, channels), (n, size, size), (size, size,
            channels) or (size, size); grey pictures are copied to all channels.

    Raises:
        RunError: anything else, or floats that all lie in 0..1, which were surely scaled.
    """
    shapes = f"(n, {size}, {size}, {channels}), (n, {size}, {size}) or ({size}, {size})"
    expected = f"images must be numbers in 0..255 of shape {shapes}"
    try:
        array = np.asarray(images)
    except ValueError:
        raise RunError(f"{expected}; these differ in shape") from None
    if array.dtype.kind not in "uif":
        raise RunError(f"{expected}; these are {array.dtype}")
    shape = array.shape
    if shape == (size, size) or shape in ((size, size, 1), (size, size, channels)):
        array = array[None]
    if array.shape[1:] == (size, size):
        array = array[..., None]
    if array.shape[1:] not in ((size, size, 1), (size, size, channels)):
        raise RunError(f"{expected}; these have shape {shape}")
    if array.dtype != np.uint8 and array.size:
        low, high = array.min(), array.max()
        if not (low >= 0 and high <= 255):
            raise RunError(f"{expected}; these hold {low:.4g} to {high:.4g}")
        if array.dtype.kind == "f" and 0 < high <= 1:
            raise RunError(f"{expected}; these lie in 0..1: multiply them by 255")
    return np.broadcast_to(array, (*array.shape[:3], channels))


@functools.lru_cache(maxsize=64)
def _network(
    spec: tuple[tuple[str, Any], ...], image_shape: tuple[int, int, int], num_classes: int
) -> tuple[Forward, tuple[str, ...]]:
    """The compiled network of these `model.*` values, shared by all trials that have them, and its
    outputs' names.
    """
    import jax

    from fer_jax import models

    network = models.build(dict(spec), image_shape, num_classes)

    @functools.partial(jax.jit, static_argnums=2)
    def forward(variables: Any, images: Any, layers: tuple[str, ...]) -> Any:
        inputs = models.normalize(images, **variables["pixels"])
        capture = tuple(layer for layer in layers if layer != PROBABILITIES)
        logits, _, found = network.apply(variables["params"], variables["stats"], inputs, capture=capture)
        return {**found, PROBABILITIES: jax.nn.softmax(logits)}

    return forward, (*network.layer_names, PROBABILITIES)
