"""One trial as pure functions: initial state, one epoch, evaluation. Everything here is written for a single model; `engine`
maps or vectorises it over a wave.

Randomness: trial seed -> three keys (initial weights, order of the images, dropout). The order of epoch e depends on
(seed, e), a dropout mask on (seed, step, layer, row in the batch): never on the other trials of the wave nor on how a batch
is cut. Trials of one seed therefore see the same images in the same order at every point (common random numbers).
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from fer_jax.models import Network, normalize
from fer_jax.train import losses, optim

# A scalar for each traced field, by its config name.
Hyper = Mapping[str, jax.Array]
Split = Mapping[str, jax.Array]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What the compiled program of a stack depends on, besides its network and the sizes of the data.

    Attributes:
      batch_size: images a step.
      optimizer: see `optim.OPTIMIZERS`.
      select: 'val_accuracy' (highest) or 'val_loss' (lowest) chooses the weights to keep; the earliest epoch wins ties.
      dropout, label_smoothing, focal_gamma: whether any trial of the stack uses it; left out of the program otherwise.
      micro_batch: images a forward and backward pass; divides batch_size. 0 is the whole batch. Exact, since gradients add up
        (a network with batch statistics needs the whole batch).
    """

    batch_size: int
    optimizer: str = "adam"
    select: str = "val_accuracy"
    dropout: bool = True
    label_smoothing: bool = True
    focal_gamma: bool = True
    micro_batch: int = 0

    def __post_init__(self) -> None:
        if self.micro_batch and self.batch_size % self.micro_batch:
            raise ValueError(f"micro_batch {self.micro_batch} does not divide batch_size {self.batch_size}")


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrialState:
    """All that changes while a trial trains. In a wave every array has a leading trial axis.

    Attributes:
      params, stats, opt: weights, BatchNorm statistics, optimiser state after the last finite step.
      best: {'params', 'stats'} of the epoch that validation chose.
      best_score: its selection metric, higher is better (a loss is negated); -inf before the first epoch.
      best_epoch: int32, its number counted from 1; 0 before the first epoch.
      epoch: int32, epochs completed.
      diverged_epoch: int32, the epoch in which a loss or gradient was not finite; 0 while all is well.
    """

    params: Any
    stats: Any
    opt: Any
    best: Any
    best_score: jax.Array
    best_epoch: jax.Array
    epoch: jax.Array
    diverged_epoch: jax.Array


def _keys(hyper: Hyper) -> tuple[jax.Array, jax.Array, jax.Array]:
    root = jax.random.key(hyper["train.seed"])
    weights, order, masks = (jax.random.fold_in(root, purpose) for purpose in range(3))
    return weights, order, masks


def init(network: Network, recipe: Recipe, hyper: Hyper) -> TrialState:
    """State before the first epoch, from the trial's seed."""
    params, stats = network.init(_keys(hyper)[0])
    zero = jnp.zeros((), jnp.int32)
    return TrialState(
        params=params,
        stats=stats,
        opt=optim.build(recipe.optimizer, hyper).init(params),
        best={"params": jax.tree.map(jnp.copy, params), "stats": jax.tree.map(jnp.copy, stats)},
        best_score=jnp.full((), -jnp.inf, jnp.float32),
        best_epoch=zero,
        epoch=zero,
        diverged_epoch=zero,
    )


def is_active(state: TrialState, hyper: Hyper) -> jax.Array:
    """Whether the trial has epochs left and has not diverged."""
    return (state.epoch < hyper["train.epochs"]) & (state.diverged_epoch == 0)


def epoch(
    network: Network, recipe: Recipe, state: TrialState, hyper: Hyper, train: Split, validation: Split
) -> tuple[TrialState, dict[str, jax.Array]]:
    """Trains for one epoch and validates; a trial that is finished or has diverged comes back bit for bit.

    Args:
      state, hyper: of one trial.
      train: {'images': uint8 (n, h, w, c), 'labels': int32 (n,)}.
      validation: batches as for `evaluate`.

    Returns:
      The new state and a record of scalars: train_loss, train_accuracy (running means over the epoch's steps, with dropout,
      as Keras reports them), val_loss, val_accuracy (after the epoch, in inference mode), all NaN where the trial was not
      trained or diverged; `ran`, whether it was; `active`, whether it has epochs left.
    """

    def run(state: TrialState) -> tuple[TrialState, dict[str, jax.Array]]:
        params, stats, opt, finite, train_metrics = train_steps(network, recipe, state, hyper, train)
        val_loss, val_accuracy = evaluate(network, recipe, params, stats, hyper, validation)
        finite &= jnp.isfinite(val_loss)
        number = state.epoch + 1
        score = jnp.where(finite, val_accuracy if recipe.select == "val_accuracy" else -val_loss, -jnp.inf)
        better = score > state.best_score
        new = TrialState(
            params=params,
            stats=stats,
            opt=opt,
            best=_choose(better, {"params": params, "stats": stats}, state.best),
            best_score=jnp.where(better, score, state.best_score),
            best_epoch=jnp.where(better, number, state.best_epoch),
            epoch=number,
            diverged_epoch=jnp.where(finite, state.diverged_epoch, number),
        )
        metrics = {**train_metrics, "val_loss": val_loss, "val_accuracy": val_accuracy}
        metrics = {name: jnp.where(finite, value, jnp.nan) for name, value in metrics.items()}
        return new, {**metrics, "ran": jnp.bool_(True), "active": is_active(new, hyper)}

    def skip(state: TrialState) -> tuple[TrialState, dict[str, jax.Array]]:
        nothing = dict.fromkeys(("train_loss", "train_accuracy", "val_loss", "val_accuracy"), jnp.full((), jnp.nan))
        return state, {**nothing, "ran": jnp.bool_(False), "active": jnp.bool_(False)}

    return jax.lax.cond(is_active(state, hyper), run, skip, state)


def evaluate(
    network: Network, recipe: Recipe, params: Any, stats: Any, hyper: Hyper, batches: Split
) -> tuple[jax.Array, jax.Array]:
    """Mean data loss and accuracy in inference mode.

    Args:
      batches: {'images': uint8 (batches, b, h, w, c), 'labels': int32 (batches, b), 'valid': bool (batches, b)}; padding has
        `valid` false and counts for nothing.

    Returns:
      Scalars loss (nats) and accuracy in [0, 1].
    """

    def one(totals: tuple[jax.Array, jax.Array], batch: Split) -> tuple[tuple[jax.Array, jax.Array], None]:
        logits, _, _ = network.apply(params, stats, normalize(batch["images"]))
        loss = jnp.where(batch["valid"], _losses(recipe, hyper, logits, batch["labels"]), 0).sum()
        correct = (batch["valid"] & (logits.argmax(-1) == batch["labels"])).sum()
        return (totals[0] + loss, totals[1] + correct), None

    (loss, correct), _ = jax.lax.scan(one, (jnp.zeros(()), jnp.zeros((), jnp.int32)), dict(batches))
    count = batches["valid"].sum()
    return loss / count, correct / count


def train_steps(
    network: Network, recipe: Recipe, state: TrialState, hyper: Hyper, train: Split
) -> tuple[Any, Any, Any, jax.Array, dict[str, jax.Array]]:
    """All steps of one epoch; from the first that is not finite on, weights stay as they were before it."""
    _, order_key, mask_key = _keys(hyper)
    optimizer = optim.build(recipe.optimizer, hyper)
    count = train["labels"].shape[0]
    steps = count // recipe.batch_size
    order = jax.random.permutation(jax.random.fold_in(order_key, state.epoch), count)
    order = order[: steps * recipe.batch_size].reshape(steps, recipe.batch_size)

    def step(carry: tuple, inputs: tuple[jax.Array, jax.Array]) -> tuple[tuple, tuple[jax.Array, jax.Array]]:
        params, stats, opt, finite = carry
        number, indices = inputs
        key = jax.random.fold_in(mask_key, state.epoch * steps + number)
        images, labels = train["images"][indices], train["labels"][indices]
        grads, new_stats, loss, correct = gradients(network, recipe, params, stats, hyper, images, labels, key)
        penalty_grads = jax.grad(losses.l2_penalty)(params, hyper["train.l2"])
        grads = jax.tree.map(jnp.add, grads, penalty_grads)
        # Known before the update, so that updating and choosing are one pass. XLA's CPU backend vectorises a dot product but no sum.
        finite &= jnp.isfinite(loss + sum(jnp.vdot(grad, grad) for grad in jax.tree.leaves(grads)))
        updates, new_opt = optimizer.update(grads, opt, params)
        new = (optax.apply_updates(params, updates), new_stats, new_opt)
        return (*_choose(finite, new, (params, stats, opt)), finite), (loss, correct)

    start = (state.params, state.stats, state.opt, jnp.bool_(True))
    (params, stats, opt, finite), (loss, correct) = jax.lax.scan(step, start, (jnp.arange(steps), order))
    metrics = {"train_loss": loss.mean(), "train_accuracy": correct.sum() / (steps * recipe.batch_size)}
    return params, stats, opt, finite, metrics


def gradients(
    network: Network, recipe: Recipe, params: Any, stats: Any, hyper: Hyper, images: jax.Array, labels: jax.Array, key: Any
) -> tuple[Any, Any, jax.Array, jax.Array]:
    """Gradient of the mean data loss over a batch, new stats, that loss, and the number of correct predictions."""

    def total(params: Any, images: jax.Array, labels: jax.Array, rows: jax.Array) -> tuple[jax.Array, tuple]:
        dropout = hyper["model.dropout"] if recipe.dropout else None
        logits, new_stats, _ = network.apply(
            params, stats, normalize(images), train=True, dropout=dropout, key=key, rows=rows
        )
        loss = _losses(recipe, hyper, logits, labels).sum() / recipe.batch_size
        return loss, (new_stats, (logits.argmax(-1) == labels).sum())

    gradient = jax.value_and_grad(total, has_aux=True)
    rows = jnp.arange(recipe.batch_size)
    if recipe.micro_batch in (0, recipe.batch_size):
        (loss, (new_stats, correct)), grads = gradient(params, images, labels, rows)
        return grads, new_stats, loss, correct

    def part(sums: Any, inputs: tuple) -> tuple[Any, None]:
        (loss, (_, correct)), grads = gradient(params, *inputs)
        return jax.tree.map(jnp.add, sums, (grads, loss, correct)), None

    parts = jax.tree.map(lambda x: x.reshape(-1, recipe.micro_batch, *x.shape[1:]), (images, labels, rows))
    zeros = (jax.tree.map(jnp.zeros_like, params), jnp.zeros(()), jnp.zeros((), jnp.int32))
    (grads, loss, correct), _ = jax.lax.scan(part, zeros, parts)
    return grads, stats, loss, correct


def _losses(recipe: Recipe, hyper: Hyper, logits: jax.Array, labels: jax.Array) -> jax.Array:
    return losses.data_loss(
        logits,
        labels,
        hyper["loss.label_smoothing"] if recipe.label_smoothing else None,
        hyper["loss.focal_gamma"] if recipe.focal_gamma else None,
    )


def _choose(condition: jax.Array, new: Any, old: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)
