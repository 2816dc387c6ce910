"""The steps of one epoch of one trial, and evaluation: pure functions of its weights."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from fer_jax.data import augment
from fer_jax.models import Network, normalize
from fer_jax.train import losses, optim, schedules
from fer_jax.train.recipe import Recipe

# The arrays of `hyper.layout`, by name.
Hyper = Mapping[str, jax.Array]
Split = Mapping[str, jax.Array]


def keys(hyper: Hyper) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """A trial's random keys: initial weights, order of the images, dropout, augmentation."""
    root = jax.random.key(hyper["train.seed"])
    weights, order, masks, pictures = (jax.random.fold_in(root, purpose) for purpose in range(4))
    return weights, order, masks, pictures


def train_steps(
    network: Network,
    recipe: Recipe,
    params: Any,
    stats: Any,
    opt: Any,
    hyper: Hyper,
    train: Split,
    epoch: jax.Array,
    rate_scale: jax.Array,
) -> tuple[Any, Any, Any, jax.Array, dict[str, jax.Array]]:
    """All steps of one epoch; from the first that is not finite on, weights stay as they were before it.

    Args:
      params, stats, opt: of one trial.
      train: {'images': uint8 (n, h, w, c), 'labels': int32 (n,)}.
      epoch: epochs completed before, int32.
      rate_scale: what plateaus have made of the learning rate, in (0, 1].

    Returns:
      New params, stats and opt; whether every loss and gradient was finite; {'train_loss', 'train_accuracy'}, running means
      over the steps, with dropout, augmentation and class weights, as Keras reports them.
    """
    _, order_key, mask_key, picture_key = keys(hyper)
    count = train["labels"].shape[0]
    steps = count // recipe.batch_size
    order = jax.random.permutation(jax.random.fold_in(order_key, epoch), count)
    order = order[: steps * recipe.batch_size].reshape(steps, recipe.batch_size)

    def step(carry: tuple, inputs: tuple[jax.Array, jax.Array]) -> tuple[tuple, tuple[jax.Array, jax.Array]]:
        params, stats, opt, finite = carry
        number, indices = inputs
        update = epoch * steps + number
        batch = _batch(recipe, hyper, train["images"][indices], train["labels"][indices], jax.random.fold_in(picture_key, update))
        key = jax.random.fold_in(mask_key, update)
        grads, new_stats, loss, correct = gradients(network, recipe, params, stats, hyper, batch, key)
        penalty_grads = jax.grad(losses.l2_penalty)(params, hyper["train.l2"])
        grads = jax.tree.map(jnp.add, grads, penalty_grads)
        # Known before the update, so that updating and choosing are one pass. XLA's CPU backend vectorises a dot product but no sum.
        finite &= jnp.isfinite(loss + sum(jnp.vdot(grad, grad) for grad in jax.tree.leaves(grads)))
        factor = schedules.factor(recipe.schedule, hyper, update, steps, recipe.uses("train.warmup"))
        updates, new_opt = optim.build(recipe, hyper, factor * rate_scale).update(grads, opt, params)
        new = (optax.apply_updates(params, updates), new_stats, new_opt)
        return (*choose(finite, new, (params, stats, opt)), finite), (loss, correct)

    start = (params, stats, opt, jnp.bool_(True))
    (params, stats, opt, finite), (loss, correct) = jax.lax.scan(step, start, (jnp.arange(steps), order))
    metrics = {"train_loss": loss.mean(), "train_accuracy": correct.sum() / (steps * recipe.batch_size)}
    return params, stats, opt, finite, metrics


def _batch(recipe: Recipe, hyper: Hyper, images: jax.Array, labels: jax.Array, key: jax.Array) -> dict[str, jax.Array]:
    """A batch as `gradients` takes it, augmented where the recipe says so."""
    pictured = tuple(name for name in recipe.used("augment") if name != "augment.mixup")
    if pictured:
        images = augment.augment(images, hyper, key, pictured)
    batch = {"images": images, "labels": labels, "rows": jnp.arange(recipe.batch_size)}
    if recipe.uses("augment.mixup"):
        batch["images"], _, batch["partners"], batch["share"] = augment.mixup(images, labels, hyper, key)
    return batch


def gradients(
    network: Network, recipe: Recipe, params: Any, stats: Any, hyper: Hyper, batch: Mapping[str, jax.Array], key: jax.Array
) -> tuple[Any, Any, jax.Array, jax.Array]:
    """Gradient of the mean data loss over a batch, new stats, that loss, and the number of correct predictions.

    Args:
      batch: 'images' uint8 or float (n, h, w, c) in 0..255, 'labels' int32 (n,), 'rows' int32 (n,), the places in the batch;
        after mixup also 'partners' int32 (n,), the second labels, and 'share' float (n,) of the first ones.
      key: of this trial and step, for dropout.
    """

    def total(params: Any, batch: Mapping[str, jax.Array]) -> tuple[jax.Array, tuple]:
        logits, new_stats, _ = network.apply(
            params,
            stats,
            normalize(batch["images"], hyper["pixels.scale"], hyper["pixels.offset"]),
            train=True,
            dropout=hyper["model.dropout"] if recipe.uses("model.dropout") else None,
            dense_dropout=hyper["model.dense_dropout"] if recipe.uses("model.dense_dropout") else None,
            key=key,
            rows=batch["rows"],
        )
        loss = _weighted_losses(recipe, hyper, logits, batch["labels"])
        if "partners" in batch:
            other = _weighted_losses(recipe, hyper, logits, batch["partners"])
            loss = batch["share"] * loss + (1 - batch["share"]) * other
        correct = (logits.argmax(-1) == batch["labels"]).sum()
        return loss.sum() / recipe.batch_size, (new_stats, correct)

    gradient = jax.value_and_grad(total, has_aux=True)
    if recipe.micro_batch in (0, recipe.batch_size):
        (loss, (new_stats, correct)), grads = gradient(params, batch)
        return grads, new_stats, loss, correct

    def part(sums: Any, batch: Mapping[str, jax.Array]) -> tuple[Any, None]:
        (loss, (_, correct)), grads = gradient(params, batch)
        return jax.tree.map(jnp.add, sums, (grads, loss, correct)), None

    parts = jax.tree.map(lambda x: x.reshape(-1, recipe.micro_batch, *x.shape[1:]), dict(batch))
    zeros = (jax.tree.map(jnp.zeros_like, params), jnp.zeros(()), jnp.zeros((), jnp.int32))
    (grads, loss, correct), _ = jax.lax.scan(part, zeros, parts)
    return grads, stats, loss, correct


def evaluate(
    network: Network, recipe: Recipe, params: Any, stats: Any, hyper: Hyper, batches: Split
) -> tuple[jax.Array, jax.Array]:
    """Mean data loss and accuracy in inference mode; class weights do not count, as in Keras.

    Args:
      batches: {'images': uint8 (batches, b, h, w, c), 'labels': int32 (batches, b), 'valid': bool (batches, b)}; padding has
        `valid` false and counts for nothing.

    Returns:
      Scalars loss (nats) and accuracy in [0, 1].
    """

    def one(totals: tuple[jax.Array, jax.Array], batch: Split) -> tuple[tuple[jax.Array, jax.Array], None]:
        images = normalize(batch["images"], hyper["pixels.scale"], hyper["pixels.offset"])
        logits, _, _ = network.apply(params, stats, images)
        loss = jnp.where(batch["valid"], _losses(recipe, hyper, logits, batch["labels"]), 0).sum()
        correct = (batch["valid"] & (logits.argmax(-1) == batch["labels"])).sum()
        return (totals[0] + loss, totals[1] + correct), None

    (loss, correct), _ = jax.lax.scan(one, (jnp.zeros(()), jnp.zeros((), jnp.int32)), dict(batches))
    count = batches["valid"].sum()
    return loss / count, correct / count


def _losses(recipe: Recipe, hyper: Hyper, logits: jax.Array, labels: jax.Array) -> jax.Array:
    return losses.data_loss(
        logits,
        labels,
        hyper["loss.label_smoothing"] if recipe.uses("loss.label_smoothing") else None,
        hyper["loss.focal_gamma"] if recipe.uses("loss.focal_gamma") else None,
    )


def _weighted_losses(recipe: Recipe, hyper: Hyper, logits: jax.Array, labels: jax.Array) -> jax.Array:
    found = _losses(recipe, hyper, logits, labels)
    return found * hyper["loss.class_weight"][labels] if recipe.uses("loss.class_weight", "loss.weights") else found


def choose(condition: jax.Array, new: Any, old: Any) -> Any:
    """Every array of `new` where the condition holds, else of `old`."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)
