"""Pictures through a trained network, in batches of one size: any number of pictures needs one compilation."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from fer_jax import config as fields
from fer_jax.errors import RunError

BATCH = 64


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
        variables: {'params', 'stats'} of one trial, and 'pixels': {'scale', 'offset'}, what its network takes for a pixel.
        images: see `as_pictures`.
        layer: name of the layer whose output is wanted; None for probabilities.

    Returns:
        float32 (n, K), rows summing to 1; or float32 (n, ...), what the layer gives.

    Raises:
        RunError: images of another size, kind or range, or a layer the network does not have.
    """
    size, channels = values["data.image_size"], values["data.channels"]
    pictures = as_pictures(images, size, channels)
    named = [name for name, field in fields.FIELDS.items() if name.startswith("model.") and field.kind == "shape"]
    resolved = fields.resolve(values)
    spec = tuple((name, resolved[name]) for name in named)
    forward, layers = _network(spec, (size, size, channels), num_classes)
    if layer is not None and layer not in layers:
        raise RunError(f"no layer {layer!r} in this network; {did_you_mean(layer, layers)}")
    outputs = []
    for start in range(0, max(len(pictures), 1), BATCH):
        batch = pictures[start : start + BATCH].astype(np.float32)
        padded = np.concatenate([batch, np.zeros((BATCH - len(batch), *batch.shape[1:]), np.float32)])
        outputs.append(np.asarray(forward(variables, padded, layer))[: len(batch)])
    return np.concatenate(outputs)


def as_pictures(images: Any, size: int, channels: int) -> np.ndarray:
    """Images in any form a person may hold as an array (n, size, size, channels), in its own dtype.

    Args:
        images: numbers in 0..255 of shape (n, size, size, channels), (n, size, size), (size, size, channels) or
            (size, size); grey pictures are copied to all channels.

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


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """'did you mean a or b?', of the known names most like `name`, for the end of an error message."""
    known = list(known)
    close = difflib.get_close_matches(name, known, 3, cutoff=0.5) or known[:3]
    return f"did you mean {' or '.join(close)}?" if close else "there are none"


Forward = Callable[[Mapping[str, Any], np.ndarray, str | None], Any]


@functools.lru_cache(maxsize=64)
def _network(
    spec: tuple[tuple[str, Any], ...], image_shape: tuple[int, int, int], num_classes: int
) -> tuple[Forward, tuple[str, ...]]:
    """The compiled network of these `model.*` values, shared by all trials that have them, and its layers' names."""
    import jax

    from fer_jax import models

    network = models.build(dict(spec), image_shape, num_classes)

    @functools.partial(jax.jit, static_argnums=2)
    def forward(variables: Any, images: Any, layer: str | None) -> Any:
        capture = () if layer is None else (layer,)
        inputs = models.normalize(images, **variables["pixels"])
        logits, _, activations = network.apply(variables["params"], variables["stats"], inputs, capture=capture)
        return jax.nn.softmax(logits) if layer is None else activations[layer]

    return forward, network.layer_names
