"""How one trial does on a split: data loss, correct predictions and logits, in inference mode."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from fer_jax.models import Network, normalize
from fer_jax.train import batch_parts, losses
from fer_jax.train.recipe import Recipe

# The arrays of `hyper.layout`, by name.
Hyper = Mapping[str, jax.Array]
Split = Mapping[str, jax.Array]
# Sum of losses, float32, and number of correct predictions, int32.
Scores = tuple[jax.Array, jax.Array]


def evaluate(
    network: Network, recipe: Recipe, params: Any, stats: Any, hyper: Hyper, batches: Split
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Evaluates one trial on a split in inference mode.

    Arguments are as for `add_scores`.

    Returns:
        Mean data loss in nats, accuracy in [0, 1], and logits, float32 (batches, b, K), with those
        of the padding.
    """
    (loss, correct), logits = scores_and_logits(network, recipe, params, stats, hyper, no_scores(), batches)
    count = batches["valid"].sum()
    return loss / count, correct / count, logits


def no_scores() -> Scores:
    """Returns the scores of no image."""
    return jnp.zeros(()), jnp.zeros((), jnp.int32)


def add_scores(
    network: Network, recipe: Recipe, params: Any, stats: Any, hyper: Hyper, scores: Scores, batches: Split
) -> Scores:
    """Adds the data losses and correct predictions on a split, or on a part of it.

    Class weights do not count, as in Keras.

    Args:
        scores: of the batches before.
        batches: {'images': uint8 (batches, b, h, w, c), 'labels': int32 (batches, b), 'valid': bool
            (batches, b)}; padding has `valid` false and counts for nothing.
    """
    return _score(network, recipe, params, stats, hyper, scores, batches, keep=False)[0]


def scores_and_logits(
    network: Network, recipe: Recipe, params: Any, stats: Any, hyper: Hyper, scores: Scores, batches: Split
) -> tuple[Scores, jax.Array]:
    """Does what `add_scores` does, and returns the logits too, float32 (batches, b, K)."""
    found, logits = _score(network, recipe, params, stats, hyper, scores, batches, keep=True)
    assert logits is not None
    return found, logits


def _score(
    network: Network, recipe: Recipe, params: Any, stats: Any, hyper: Hyper, scores: Scores, batches: Split, keep: bool
) -> tuple[Scores, jax.Array | None]:
    def one(scores: Scores, batch: Split) -> tuple[Scores, jax.Array | None]:
        images = network_inputs(network, recipe, hyper, batch["images"])
        logits, _, _ = network.apply(params, stats, images, native=recipe.native_convolution)
        logits = logits.astype(jnp.float32)
        loss = jnp.where(batch["valid"], example_losses(recipe, hyper, logits, batch["labels"]), 0).sum()
        correct = (batch["valid"] & (logits.argmax(-1) == batch["labels"])).sum()
        return (scores[0] + loss, scores[1] + correct), logits if keep else None

    # A split smaller than a batch may have no equal parts: then every device takes it whole.
    shared = recipe.parts if batches["valid"].shape[1] % recipe.parts == 0 else 1
    found, logits = jax.lax.scan(one, batch_parts.once(scores, shared), batch_parts.own(dict(batches), shared, axis=1))
    return batch_parts.summed(found, shared), None if logits is None else batch_parts.gathered(logits, shared, axis=1)


def network_inputs(network: Network, recipe: Recipe, hyper: Hyper, images: jax.Array) -> jax.Array:
    """Returns what the network takes: images normalised, the outputs of a layer as they are."""
    if network.takes_images:
        images = normalize(images, hyper["pixels.scale"], hyper["pixels.offset"])
    return images.astype(recipe.dtype)


def example_losses(recipe: Recipe, hyper: Hyper, logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Returns the data loss of every example (n,), with the terms that the recipe compiles in."""
    return losses.data_loss(
        logits,
        labels,
        hyper["loss.label_smoothing"] if recipe.uses("loss.label_smoothing") else None,
        hyper["loss.focal_gamma"] if recipe.uses("loss.focal_gamma") else None,
    )
