"""Saliency of any number of images by one compiled program, in batches of one size."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

# Half of what a prediction takes at a time: a gradient keeps what every layer gave.
BATCH = 32

# `model.*` shape fields, image shape (S, S, C), number of classes: what a network's compiled
# program depends on.
Key = tuple[tuple[tuple[str, Any], ...], tuple[int, int, int], int]
Program = Callable[..., Mapping[str, Any]]


def batches(
    key: Key,
    variables: Mapping[str, Any],
    images: np.ndarray,
    targets: np.ndarray,
    method: str,
    settings: Mapping[str, Any],
) -> Iterator[dict[str, np.ndarray]]:
    """Explains images, in order, BATCH at a time.

    Args:
        key: the network; trials with the same one share its compiled program.
        variables: {'params', 'stats', 'pixels'} of one trial.
        images: numbers in 0..255, (n, S, S, C).
        targets: int (n,), the class each is explained for.
        method, settings: from `settings.resolve`.

    Yields:
        float32 arrays of at most BATCH rows: `values` (b, S, S, C) and `logits` (b,), and, by
        integrated gradients, `baseline_logits` (b,); see `maps.Saliency`. One batch without rows
        for no images.
    """
    import jax

    program = _program(*key, method, settings.get("layer"))
    options = _options(method, settings, key[1])
    for start in range(0, max(len(images), 1), BATCH):
        batch = images[start : start + BATCH].astype(np.float32)
        missing = BATCH - len(batch)
        padded = np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), np.float32)])
        classes = np.concatenate([targets[start : start + BATCH], np.zeros(missing)]).astype(np.int32)
        places = np.arange(start, start + BATCH, dtype=np.int32)
        # A GPU would round the factors of its products to 10 bits otherwise.
        with jax.default_matmul_precision("float32"):
            found = program(variables, padded, classes, places, options)
        yield {name: np.asarray(array)[: len(batch)] for name, array in found.items()}


def _options(method: str, settings: Mapping[str, Any], image_shape: tuple[int, int, int]) -> dict[str, Any]:
    """Returns the settings as arguments of the compiled method.

    Another value compiles nothing, except another number of squares.
    """
    import jax

    if method == "smoothgrad":
        samples, noise = np.int32(settings["samples"]), np.float32(settings["noise"])
        return {"key": jax.random.key(settings["seed"]), "samples": samples, "noise": noise}
    options: dict[str, Any] = {}
    if "baseline" in settings:
        options["baseline"] = np.broadcast_to(np.float32(settings["baseline"]), image_shape)
    if method == "integrated_gradients":
        options["steps"] = np.int32(settings["steps"])
    if method == "occlusion":
        options |= {
            "corners": corners(image_shape[0], settings["patch"], settings["stride"]),
            "patch": np.int32(settings["patch"]),
        }
    return options


def corners(size: int, patch: int, stride: int) -> np.ndarray:
    """Returns where squares lie that cover an image.

    Args:
        size: side of the image, pixels.
        patch: side of a square.
        stride: from one square to the next; the last ones end at the border.

    Returns:
        Top row and left column of each, int32 (m, 2).
    """
    starts = np.unique([*range(0, size - patch + 1, stride), size - patch])
    return np.stack(np.meshgrid(starts, starts, indexing="ij"), axis=-1).reshape(-1, 2).astype(np.int32)


@functools.lru_cache(maxsize=64)
def _program(
    spec: tuple[tuple[str, Any], ...],
    image_shape: tuple[int, int, int],
    num_classes: int,
    method: str,
    layer: str | None,
) -> Program:
    """Returns the compiled program, which is one for all trials with this network.

    It takes (variables, images, targets, places, options) and returns what `batches` yields.
    """
    import jax
    import jax.numpy as jnp

    from fer_jax import models
    from fer_jax.saliency import methods

    network = models.build(dict(spec), image_shape, num_classes)

    @jax.jit
    def program(variables: Any, images: Any, targets: Any, places: Any, options: Any) -> dict[str, Any]:
        def score(images: Any, **tap: Any) -> Any:
            inputs = models.normalize(images, **variables["pixels"])
            logits, _, found = network.apply(variables["params"], variables["stats"], inputs, **tap)
            scores = jnp.take_along_axis(logits, targets[:, None], axis=1)[:, 0]
            return (scores, found) if tap else scores

        found = {"logits": score(images)}
        if method == "gradient":
            found["values"] = methods.gradient(score, images)
        elif method == "smoothgrad":
            found["values"] = methods.smoothgrad(score, images, places, **options)
        elif method == "integrated_gradients":
            found["values"] = methods.integrated_gradients(score, images, **options)
            found["baseline_logits"] = score(jnp.broadcast_to(options["baseline"], images.shape))
        elif method == "occlusion":
            found["values"] = methods.occlusion(score, images, **options)
        else:
            assert layer is not None

            def tapped(added: Any) -> tuple[Any, Any]:
                scores, found = score(images, added={layer: added}, capture=(layer,))
                return scores, found[layer]

            nothing = jax.eval_shape(lambda: score(images, capture=(layer,))[1][layer])
            found["values"] = methods.grad_cam(tapped, nothing.shape, image_shape[0])
        return found

    return program
