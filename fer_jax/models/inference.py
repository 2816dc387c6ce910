"""Images through a trained network, in batches of three sizes: three programs serve any number."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fer_jax.base.text import did_you_mean
from fer_jax.config import fields
from fer_jax.config.rules import resolve
from fer_jax.errors import RunError

# A number of images is filled up to the next of these: one image does not cost a whole batch, and
# calls of many different sizes compile three programs only.
BATCH_SIZES = (1, 8, 64)
LARGEST_BATCH = BATCH_SIZES[-1]
# The softmax of the last layer's output can be asked for as if it were a layer of this name.
PROBABILITIES = "probabilities"

Forward = Callable[[Mapping[str, Any], np.ndarray, tuple[str, ...]], Mapping[str, Any]]


def apply(
    values: Mapping[str, Any],
    num_classes: int,
    variables: Mapping[str, Any],
    images: Any,
    layer: str | None = None,
) -> np.ndarray:
    """Returns the class probabilities of images, or the output of a layer for them.

    Args:
        values: dotted field name -> value of the trial, as `config.values.flatten` gives.
        num_classes: number of classes, K.
        variables: {'params', 'stats'} of one trial, and 'pixels': {'scale', 'offset'}, the affine
            map from pixels to the network's input.
        images: n images in any form that `as_images` takes.
        layer: a name in `layer_shapes`, the layer whose output is wanted; None for probabilities.

    Returns:
        float32 (n, K), rows summing to 1; or float32 (n, ...), the output of the layer.

    Raises:
        RunError: the images have another size, kind or range, or the network has no such layer.
    """
    name = PROBABILITIES if layer is None else layer
    found = activations(values, num_classes, variables, images, (name,))
    return np.concatenate([batch[name] for batch in found])


def logits(values: Mapping[str, Any], num_classes: int, variables: Mapping[str, Any], images: Any) -> np.ndarray:
    """Returns the last layer's output, before the softmax.

    Arguments and errors are those of `apply`.

    Returns:
        float32 (n, K).
    """
    _, names = _network(*network_key(values, num_classes))
    return apply(values, num_classes, variables, images, names[-2])


def activations(
    values: Mapping[str, Any], num_classes: int, variables: Mapping[str, Any], images: Any, layers: Sequence[str]
) -> Iterator[dict[str, np.ndarray]]:
    """Yields the outputs of several layers, one batch of images and one pass at a time.

    Arguments and errors are those of `apply`, `layers` being names in `layer_shapes`; the errors
    are raised by the call, before the first batch is asked for.

    Yields:
        layer name -> float32 (at most LARGEST_BATCH, ...), in the order of the images.
    """
    forward, images = _prepare(values, num_classes, images, layers)
    return _batches(forward, variables, images, tuple(layers))


def layer_shapes(values: Mapping[str, Any], num_classes: int) -> dict[str, tuple[int, ...]]:
    """Returns the layers whose output can be asked for, with the shapes of these for one image.

    Returns:
        layer name -> shape, in the network's order, PROBABILITIES last.
    """
    import jax

    from fer_jax.models import registry

    spec, image_shape, _ = network_key(values, num_classes)
    network = registry.build(dict(spec), image_shape, num_classes)
    params, stats = jax.eval_shape(network.init, jax.random.key(0))
    image = jax.ShapeDtypeStruct((1, *image_shape), "float32")
    apply = functools.partial(network.apply, capture=network.layer_names)
    _, _, found = jax.eval_shape(apply, params, stats, image)
    return {**{name: found[name].shape[1:] for name in network.layer_names}, PROBABILITIES: (num_classes,)}


def network_key(
    values: Mapping[str, Any], num_classes: int
) -> tuple[tuple[tuple[str, Any], ...], tuple[int, int, int], int]:
    """Returns all that a trial's compiled network depends on; equal keys share one.

    Returns:
        (dotted name, value) of the `model.*` shape fields, the image shape (S, S, C) and the
        number of classes.
    """
    size, channels = values["data.image_size"], values["data.channels"]
    named = [name for name, field in fields.FIELDS.items() if name.startswith("model.") and field.kind == "shape"]
    resolved = resolve(values)
    return tuple((name, resolved[name]) for name in named), (size, size, channels), num_classes


def _prepare(
    values: Mapping[str, Any], num_classes: int, images: Any, layers: Sequence[str]
) -> tuple[Forward, np.ndarray]:
    """Returns the compiled network and the images as it takes them; RunError as `apply` says."""
    images = as_images(images, values["data.image_size"], values["data.channels"])
    forward, known = _network(*network_key(values, num_classes))
    for layer in layers:
        if layer not in known:
            raise RunError(f"no layer {layer!r} in this network; {did_you_mean(layer, known)}")
    return forward, images


def _batches(
    forward: Forward, variables: Mapping[str, Any], images: np.ndarray, layers: tuple[str, ...]
) -> Iterator[dict[str, np.ndarray]]:
    size = min(size for size in BATCH_SIZES if size >= min(len(images), LARGEST_BATCH))
    for start in range(0, max(len(images), 1), LARGEST_BATCH):
        batch = images[start : start + LARGEST_BATCH].astype(np.float32)
        padded = np.concatenate([batch, np.zeros((size - len(batch), *batch.shape[1:]), np.float32)])
        found = forward(variables, padded, layers)
        yield {name: np.asarray(found[name])[: len(batch)] for name in layers}


def as_images(images: Any, size: int, channels: int) -> np.ndarray:
    """Returns images that come in any usual form as one array, in their own dtype.

    Args:
        images: numbers in 0..255 of shape (n, size, size, channels), (n, size, size), (size, size,
            channels) or (size, size); grey images are copied to all channels.
        size: height and width, in pixels.
        channels: 1 or 3.

    Returns:
        (n, size, size, channels), possibly a view of `images` that cannot be written to.

    Raises:
        RunError: the images are anything else, or floats that all lie in 0..1, which were surely
            scaled.
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
    """Returns the compiled network of a `network_key`, and the names of its outputs."""
    import jax

    from fer_jax.models import registry
    from fer_jax.models.network import normalize

    network = registry.build(dict(spec), image_shape, num_classes)

    @functools.partial(jax.jit, static_argnums=2)
    def forward(variables: Any, images: Any, layers: tuple[str, ...]) -> Any:
        inputs = normalize(images, **variables["pixels"])
        capture = tuple(layer for layer in layers if layer != PROBABILITIES)
        # A GPU would round the factors of its products to 10 bits otherwise.
        with jax.default_matmul_precision("float32"):
            logits, _, found = network.apply(variables["params"], variables["stats"], inputs, capture=capture)
        return {**found, PROBABILITIES: jax.nn.softmax(logits)}

    return forward, (*network.layer_names, PROBABILITIES)
