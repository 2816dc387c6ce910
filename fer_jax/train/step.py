"""The steps of one epoch of one trial, at once or chunk by chunk: pure functions of its weights."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from fer_jax.config import repeats
from fer_jax.models import Network, freezing
from fer_jax.train import augment, batch_parts, losses, optim, schedules
from fer_jax.train.evaluation import Hyper, Split, example_losses, network_inputs
from fer_jax.train.recipe import Recipe

ORDER = repeats.STREAMS.index("order")


def keys(hyper: Hyper) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Returns a trial's random keys: of weights, order of the images, dropout, augmentation."""
    weights, order, masks, augmentation = (
        _key(hyper["train.seeds"][stream], stream) for stream in range(len(repeats.STREAMS))
    )
    return weights, order, masks, augmentation


def _key(seed: jax.Array, stream: int) -> jax.Array:
    # Streams of one seed have nothing in common.
    return jax.random.fold_in(jax.random.key(seed), stream)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Tally:
    """Sums over the training steps of an epoch so far.

    Attributes:
        finite: whether every loss and gradient was.
        loss: float32, sum of the steps' mean losses.
        correct: int32, images predicted correctly.
    """

    finite: jax.Array
    loss: jax.Array
    correct: jax.Array

    @classmethod
    def new(cls) -> "Tally":
        """Returns the tally of no step."""
        return cls(jnp.bool_(True), jnp.zeros(()), jnp.zeros((), jnp.int32))


# Params, stats, opt and tally between two steps.
Carry = tuple[Any, Any, Any, Tally]


def order(seed: jax.Array, epoch: jax.Array, count: int, batch_size: int) -> jax.Array:
    """Returns the rows of the training split in the order of an epoch, int32 (steps, batch_size).

    What is left of `count` images sits out. The order is drawn from (seed, epoch) alone, wherever
    it is computed: resident data are gathered by it on the device, streamed data on the host.

    Args:
        seed: of the order, uint32.
        epoch: epochs completed before, int32.
        count: images of the split.
        batch_size: images a step.
    """
    steps = count // batch_size
    key = jax.random.fold_in(_key(seed, ORDER), epoch)
    return jax.random.permutation(key, count)[: steps * batch_size].reshape(steps, batch_size)


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
) -> Carry:
    """Does all steps of one epoch.

    From the first that is not finite on, weights stay as they were before it.

    Args:
        params, stats, opt: of one trial.
        train: {'images': uint8 (n, h, w, c), 'labels': int32 (n,)}.
        epoch: epochs completed before, int32.
        rate_scale: what plateaus have made of the learning rate, in (0, 1].

    Returns:
        New params, stats and opt, and the epoch's tally.
    """
    rows = order(hyper["train.seeds"][ORDER], epoch, train["labels"].shape[0], recipe.batch_size)
    update = _update(network, recipe, hyper, len(rows), epoch, rate_scale)

    def one(carry: Carry, place: tuple[jax.Array, jax.Array]) -> tuple[Carry, None]:
        number, chosen = place
        return update(carry, number, train["images"][chosen], train["labels"][chosen]), None

    return jax.lax.scan(one, (params, stats, opt, Tally.new()), (jnp.arange(len(rows)), rows))[0]


def chunk_steps(
    network: Network,
    recipe: Recipe,
    carry: Carry,
    hyper: Hyper,
    chunk: Split,
    stream: jax.Array,
    first: jax.Array,
    steps: int,
    epoch: jax.Array,
    rate_scale: jax.Array,
) -> Carry:
    """Does some consecutive steps of an epoch, whose batches were gathered before.

    All of them in turn are `train_steps`.

    Args:
        carry: params, stats, opt and tally before them.
        chunk: {'images': uint8 (streams, size, b, h, w, c), 'labels': int32 (streams, size, b)}.
        stream: the one that has the order of this trial.
        first: number of the chunk's first step in the epoch; those from `steps` on are padding and
            change nothing.
        steps: of the whole epoch.
        epoch, rate_scale: as for `train_steps`.
    """
    streams, size, batch = chunk["labels"].shape
    # Rows to gather by, and not a slice, for the program to be that of resident data from here on:
    # XLA computes the gathered pixels once, but fuses a slice into all that reads it, with other
    # rounding.
    rows = jnp.arange(streams * size * batch).reshape(streams, size, batch)[stream]
    images, labels = (chunk[name].reshape(-1, *chunk[name].shape[3:]) for name in ("images", "labels"))
    update = _update(network, recipe, hyper, steps, epoch, rate_scale)

    def one(carry: Carry, place: tuple[jax.Array, jax.Array]) -> tuple[Carry, None]:
        number, chosen = place
        return update(carry, number, images[chosen], labels[chosen]), None

    return jax.lax.scan(one, carry, (first + jnp.arange(size), rows))[0]


def metrics(recipe: Recipe, tally: Tally, steps: int) -> dict[str, jax.Array]:
    """Returns {'train_loss', 'train_accuracy'}, means over an epoch's steps.

    As in Keras, they are computed with dropout, augmentation and class weights.
    """
    return {"train_loss": tally.loss / steps, "train_accuracy": tally.correct / (steps * recipe.batch_size)}


def last_rate(recipe: Recipe, hyper: Hyper, steps: int, epoch: jax.Array, rate_scale: jax.Array) -> jax.Array:
    """Returns the learning rate of the last step of an epoch, a float32 scalar.

    It is the phase's rate times what schedule, warm-up and plateaus multiply it by;
    train.block_rates, which differ from layer to layer, are not in it. Keras logs the same.

    Args:
        steps: of an epoch.
        epoch, rate_scale: as for `train_steps`.
    """
    hyper = in_phase(recipe, hyper)
    return hyper["train.learning_rate"] * _factor(recipe, hyper, (epoch + 1) * steps - 1, steps) * rate_scale


def _factor(recipe: Recipe, hyper: Mapping[str, Any], update: jax.Array, steps: int) -> jax.Array:
    """Returns what the schedule multiplies the rate by at an update, counted over all phases."""
    began = recipe.first_epoch * steps
    return schedules.factor(recipe.schedule, hyper, update - began, steps, recipe.uses("train.warmup"))


def _update(
    network: Network, recipe: Recipe, hyper: Hyper, steps: int, epoch: jax.Array, rate_scale: jax.Array
) -> Callable[[Carry, jax.Array, jax.Array, jax.Array], Carry]:
    """Returns the function that does one step of one trial.

    It takes (carry, number of the step in the epoch, uint8 images, labels) and returns the carry. A
    number from `steps` on is padding and leaves the carry as it was. Resident data have no
    padding, but ask all the same, so that the programs are alike.
    """
    _, _, mask_key, augmentation_key = keys(hyper)
    hyper = in_phase(recipe, hyper)

    def update(carry: Carry, number: jax.Array, images: jax.Array, labels: jax.Array) -> Carry:
        params, stats, opt, tally = carry
        update = epoch * steps + number
        batch = _batch(recipe, hyper, images, labels, jax.random.fold_in(augmentation_key, update))
        key = jax.random.fold_in(mask_key, update)
        grads, new_stats, loss, correct = gradients(network, recipe, params, stats, hyper, batch, key)
        learning = recipe.learning(params)
        penalty_grads = jax.grad(losses.l2_penalty)(learning, hyper["train.l2"])
        grads = jax.tree.map(jnp.add, grads, penalty_grads)
        # Known before the update, so that updating and choosing are one pass. XLA's CPU backend
        # vectorises a dot product but no sum.
        counts = number < steps
        is_finite = jnp.isfinite(loss + sum(jnp.vdot(grad, grad) for grad in jax.tree.leaves(grads)))
        finite = tally.finite & (is_finite | ~counts)
        factor = _factor(recipe, hyper, update, steps) * rate_scale
        new_params, new_opt = apply_gradients(network, recipe, hyper, factor, params, grads, opt)
        new = (new_params, new_stats, new_opt)
        sums = choose(counts, (tally.loss + loss, tally.correct + correct), (tally.loss, tally.correct))
        return *choose(finite & counts, new, (params, stats, opt)), Tally(finite, *sums)

    return update


def in_phase(recipe: Recipe, hyper: Mapping[str, Any]) -> dict[str, jax.Array]:
    """Returns traced values with those of the recipe's phase, where it has phases.

    These are train.learning_rate, train.stop_patience, and train.epochs, the epochs of the phase.
    """
    if len(recipe.phases) == 1:
        return dict(hyper)
    own = {
        "train.learning_rate": hyper["phases.rates"][recipe.phase],
        "train.stop_patience": hyper["phases.patience"][recipe.phase],
    }
    return {**hyper, **own, "train.epochs": jnp.int32(recipe.phases[recipe.phase].epochs)}


def apply_gradients(
    network: Network, recipe: Recipe, hyper: Hyper, factor: jax.Array, params: Any, grads: Any, opt: Any
) -> tuple[dict[str, Any], Any]:
    """Updates the layers that are trained now; the others keep theirs, bit for bit.

    Args:
        network, recipe, hyper: of the trial.
        factor: what schedules and plateaus multiply the learning rate by.
        params: of all layers.
        grads: of the layers that are trained now.
        opt: the optimiser's state.

    Returns:
        Params of all layers and the optimiser's state.
    """
    remembered = recipe.remembered(params)
    # What another phase trains has an optimiser state too, which stays as it began.
    grads = {name: grads.get(name) or jax.tree.map(jnp.zeros_like, leaves) for name, leaves in remembered.items()}
    updates, new_opt = optim.build(recipe, hyper, factor, _block_rates(network, recipe, hyper)).update(
        grads, opt, remembered
    )
    moved = {name: optax.apply_updates(leaves, updates[name]) for name, leaves in recipe.learning(params).items()}
    return {**params, **moved}, new_opt


def _block_rates(network: Network, recipe: Recipe, hyper: Hyper) -> dict[str, jax.Array] | None:
    """Returns layer -> factor on its learning rate; None if train.block_rates is not used."""
    if not recipe.uses("train.block_rates"):
        return None
    blocks = freezing.blocks(network.whole_names)
    return {name: hyper["train.block_rates"][blocks[name]] for name in network.layer_names if name in blocks}


def _batch(recipe: Recipe, hyper: Hyper, images: jax.Array, labels: jax.Array, key: jax.Array) -> dict[str, jax.Array]:
    """Returns a batch as `gradients` takes it, augmented where the recipe says so."""
    of_images = tuple(name for name in recipe.used("augment") if name != "augment.mixup")
    if of_images:
        images = augment.augment(images, hyper, key, of_images)
    batch = {"images": images, "labels": labels, "rows": jnp.arange(recipe.batch_size)}
    if recipe.uses("augment.mixup"):
        batch["images"], _, batch["partners"], batch["share"] = augment.mixup(images, labels, hyper, key)
    return batch


def gradients(
    network: Network,
    recipe: Recipe,
    params: Any,
    stats: Any,
    hyper: Hyper,
    batch: Mapping[str, jax.Array],
    key: jax.Array,
) -> tuple[Any, Any, jax.Array, jax.Array]:
    """Returns the gradient of the mean data loss over a batch, for the layers that are trained now.

    Args:
        batch: 'images' uint8 or float (n, h, w, c) in 0..255, 'labels' int32 (n,), 'rows' int32
            (n,), the places in the batch; after mixup also 'partners' int32 (n,), the second
            labels, and 'share' float (n,) of the first ones.
        key: of this trial and step, for dropout.

    Returns:
        The gradient, the new stats, the loss, and the number of correct predictions.
    """

    def total(learning: Any, batch: Mapping[str, jax.Array]) -> tuple[jax.Array, tuple]:
        logits, new_stats, _ = network.apply(
            {**params, **learning},
            stats,
            network_inputs(network, recipe, hyper, batch["images"]),
            train=True,
            frozen=recipe.frozen,
            dropout=hyper["model.dropout"] if recipe.uses("model.dropout") else None,
            dense_dropout=hyper["model.dense_dropout"] if recipe.uses("model.dense_dropout") else None,
            key=key,
            rows=batch["rows"],
            native=recipe.native_convolution,
        )
        logits = logits.astype(jnp.float32)
        loss = _weighted_losses(recipe, hyper, logits, batch["labels"])
        if "partners" in batch:
            other = _weighted_losses(recipe, hyper, logits, batch["partners"])
            loss = batch["share"] * loss + (1 - batch["share"]) * other
        correct = (logits.argmax(-1) == batch["labels"]).sum()
        return loss.sum() / recipe.batch_size, (new_stats, correct)

    gradient = jax.value_and_grad(total, has_aux=True)
    learning = recipe.learning(params)
    batch = batch_parts.own(dict(batch), recipe.parts)
    size = recipe.batch_size // recipe.parts
    micro_batch = math.gcd(recipe.micro_batch or size, size)
    if micro_batch == size:
        (loss, (new_stats, correct)), grads = gradient(learning, batch)
        grads, loss, correct = batch_parts.summed((grads, loss, correct), recipe.parts)
        return grads, new_stats, loss, correct

    def add(sums: Any, batch: Mapping[str, jax.Array]) -> tuple[Any, None]:
        (loss, (_, correct)), grads = gradient(learning, batch)
        return jax.tree.map(jnp.add, sums, (grads, loss, correct)), None

    cut = jax.tree.map(lambda x: x.reshape(-1, micro_batch, *x.shape[1:]), batch)
    zeros = (jax.tree.map(jnp.zeros_like, learning), jnp.zeros(()), jnp.zeros((), jnp.int32))
    grads, loss, correct = batch_parts.summed(jax.lax.scan(add, zeros, cut)[0], recipe.parts)
    return grads, stats, loss, correct


def _weighted_losses(recipe: Recipe, hyper: Hyper, logits: jax.Array, labels: jax.Array) -> jax.Array:
    found = example_losses(recipe, hyper, logits, labels)
    return found * hyper["loss.class_weight"][labels] if recipe.uses("loss.class_weight", "loss.weights") else found


def choose(condition: jax.Array, new: Any, old: Any) -> Any:
    """Returns every array of `new` where the condition holds, else of `old`."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)
