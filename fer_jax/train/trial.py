"""One trial as pure functions: its initial state, and one epoch, at once or chunk by chunk.

Everything here is written for a single model; `engine` maps or vectorises it over a wave.

Randomness: four seeds, as a rule one number -> a key each for initial weights, order of the images,
dropout and augmentation. The order of epoch e depends on (seed, e), a dropout mask on (seed, step,
layer, row in the batch), an augmented image on (seed, step, field, row): never on the other trials
of the wave nor on how a batch is cut. Trials of one seed therefore see the same images in the same
order at every point (common random numbers).
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from fer_jax.models import Network, initializers
from fer_jax.train import evaluation, optim, patience, step
from fer_jax.train.evaluation import Hyper, Scores, Split
from fer_jax.train.patience import Watch
from fer_jax.train.recipe import Recipe
from fer_jax.train.step import Tally, choose

WATCHES = ("plateau", "stop")  # the fields of a state that are a Watch


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrialState:
    """All that changes while a trial trains. In a wave every array has a leading trial axis.

    Attributes:
        params, stats, opt: weights, BatchNorm statistics, optimiser state after the last finite
            step.
        best: {'params', 'stats'} of the epoch that validation chose.
        best_score: its selection metric, higher is better (a loss is negated); -inf before the
            first epoch.
        best_epoch: int32, its number counted from 1; 0 before the first epoch.
        epoch: int32, epochs completed.
        diverged_epoch: int32, the epoch in which a loss or gradient was not finite; 0 while all is
            well.
        plateau: watches validation loss, for the learning rate.
        rate_scale: what plateaus have made of the learning rate, in (0, 1].
        stop: watches train.stop_metric (an accuracy negated), for early stopping.
    """

    params: Any
    stats: Any
    opt: Any
    best: Any
    best_score: jax.Array
    best_epoch: jax.Array
    epoch: jax.Array
    diverged_epoch: jax.Array
    plateau: Watch
    rate_scale: jax.Array
    stop: Watch

    def named(self) -> dict[str, Any]:
        """Returns the arrays, nested by name, as a checkpoint holds them."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        watches = {name: {"best": fields[name].best, "wait": fields[name].wait} for name in WATCHES}
        # An optimiser's state is nested tuples of Optax' types; only its leaves are data.
        return {**fields, **watches, "opt": {f"leaf_{i}": leaf for i, leaf in enumerate(jax.tree.leaves(self.opt))}}

    @classmethod
    def from_named(cls, found: Mapping[str, Any], like: "TrialState") -> "TrialState":
        """Returns the state whose arrays `named` gave.

        Args:
            found: those arrays.
            like: a state, or its shapes, with the same structure of the optimiser's part.
        """
        leaves = [found["opt"][f"leaf_{i}"] for i in range(len(found["opt"]))]
        opt = jax.tree.unflatten(jax.tree.structure(like.opt), leaves)
        return cls(**{**found, "opt": opt, **{name: Watch(**found[name]) for name in WATCHES}})


def init(network: Network, recipe: Recipe, hyper: Hyper) -> TrialState:
    """Returns the state before the first epoch, drawn from the trial's seed of weights."""
    key = step.keys(hyper)[0]
    params, stats = network.init(key)
    if recipe.uses("model.init"):
        params = initializers.redraw(params, key, hyper["model.init"])
    zero = jnp.zeros((), jnp.int32)
    return TrialState(
        params=params,
        stats=stats,
        opt=optim.build(recipe, hyper).init(recipe.remembered(params)),
        best={"params": jax.tree.map(jnp.copy, params), "stats": jax.tree.map(jnp.copy, stats)},
        best_score=jnp.full((), -jnp.inf, jnp.float32),
        best_epoch=zero,
        epoch=zero,
        diverged_epoch=zero,
        plateau=Watch.new(),
        rate_scale=jnp.ones(()),
        stop=Watch.new(),
    )


def is_active(recipe: Recipe, state: TrialState, hyper: Mapping[str, Any]) -> jax.Array:
    """Returns whether the trial goes on in the recipe's phase.

    It does while it has epochs left, has not diverged and has not been stopped early.
    """
    left = state.epoch < hyper["train.epochs"]
    if recipe.phase < len(recipe.ends):
        left &= state.epoch < recipe.ends[recipe.phase]
    return left & (state.diverged_epoch == 0) & ~patience.stops(state.stop, step.in_phase(recipe, hyper))


def next_phase(recipe: Recipe, state: TrialState, hyper: Hyper) -> TrialState:
    """Returns a trial's state as the recipe's phase begins.

    Weights go on; the optimiser, plateaus and early stopping begin anew, as in Keras after
    `compile`. A trial that was stopped early in the phase before joins in at its end; one that
    diverged stays as it is.
    """
    begun = dataclasses.replace(
        state,
        opt=optim.build(recipe, hyper).init(recipe.remembered(state.params)),
        epoch=jnp.int32(recipe.first_epoch),
        plateau=Watch.new(),
        rate_scale=jnp.ones(()),
        stop=Watch.new(),
    )
    return choose((state.diverged_epoch == 0) & (state.epoch < hyper["train.epochs"]), begun, state)


def epoch(
    network: Network, recipe: Recipe, state: TrialState, hyper: Hyper, train: Split, validation: Split
) -> tuple[TrialState, dict[str, jax.Array]]:
    """Trains for one epoch and validates.

    A trial that is finished, stopped or has diverged comes back bit for bit.

    Args:
        state, hyper: of one trial.
        train: as for `step.train_steps`.
        validation: batches as for `evaluation.add_scores`.

    Returns:
        The new state and a record of scalars: train_loss, train_accuracy (see `step.metrics`),
        val_loss, val_accuracy (after the epoch, in inference mode), all NaN where the trial was not
        trained or diverged; learning_rate, see `step.last_rate`, NaN where it was not trained;
        `ran`, whether it was; `active`, whether it goes on.
    """

    def run(state: TrialState) -> tuple[TrialState, dict[str, jax.Array]]:
        params, stats, opt, tally = step.train_steps(
            network, recipe, state.params, state.stats, state.opt, hyper, train, state.epoch, state.rate_scale
        )
        trained = dataclasses.replace(state, params=params, stats=stats, opt=opt)
        scores = evaluation.add_scores(network, recipe, params, stats, hyper, evaluation.no_scores(), validation)
        steps = train["labels"].shape[0] // recipe.batch_size
        return _close_epoch(recipe, trained, hyper, tally, steps, scores, validation["valid"].sum())

    return _if_active(recipe, hyper, state, run, _no_epoch, state)


def train_chunk(
    network: Network,
    recipe: Recipe,
    state: TrialState,
    tally: Tally,
    hyper: Hyper,
    chunk: Split,
    stream: jax.Array,
    first: jax.Array,
    steps: int,
) -> tuple[TrialState, Tally]:
    """Does some steps of an epoch, see `step.chunk_steps`.

    All chunks in turn, `validate_chunk` and `finish_epoch` are `epoch`.
    """

    def run(state: TrialState, tally: Tally) -> tuple[TrialState, Tally]:
        carry = (state.params, state.stats, state.opt, tally)
        params, stats, opt, tally = step.chunk_steps(
            network, recipe, carry, hyper, chunk, stream, first, steps, state.epoch, state.rate_scale
        )
        return dataclasses.replace(state, params=params, stats=stats, opt=opt), tally

    return _if_active(recipe, hyper, state, run, lambda *same: same, state, tally)


def validate_chunk(
    network: Network, recipe: Recipe, state: TrialState, scores: Scores, hyper: Hyper, batches: Split
) -> Scores:
    """Adds the scores on some batches of the validation split, after an epoch's training."""

    def run(scores: Scores) -> Scores:
        return evaluation.add_scores(network, recipe, state.params, state.stats, hyper, scores, batches)

    return _if_active(recipe, hyper, state, run, lambda same: same, scores)


def finish_epoch(
    recipe: Recipe, state: TrialState, tally: Tally, scores: Scores, hyper: Hyper, steps: int, count: jax.Array
) -> tuple[TrialState, dict[str, jax.Array]]:
    """Ends an epoch in chunks that validated on `count` images; returns what `epoch` does."""

    def run(state: TrialState) -> tuple[TrialState, dict[str, jax.Array]]:
        return _close_epoch(recipe, state, hyper, tally, steps, scores, count)

    return _if_active(recipe, hyper, state, run, _no_epoch, state)


def _if_active(recipe: Recipe, hyper: Hyper, state: TrialState, run: Callable, stay: Callable, *given: Any) -> Any:
    """Returns run(*given) for a trial that goes on, else stay(*given), whose results are alike."""
    active = is_active(recipe, state, hyper)
    if recipe.side_by_side:
        # `vmap` would compute both branches of a `cond` too, and give every trial a copy of what
        # they read: the data set.
        return choose(active, run(*given), stay(*given))
    return jax.lax.cond(active, run, stay, *given)


def _close_epoch(
    recipe: Recipe, state: TrialState, hyper: Hyper, tally: Tally, steps: int, scores: Scores, count: jax.Array
) -> tuple[TrialState, dict[str, jax.Array]]:
    """Returns the new state and the record after an epoch's training.

    Of `state`, params, stats and opt are new already.
    """
    val_loss, val_accuracy = scores[0] / count, scores[1] / count
    finite = tally.finite & jnp.isfinite(val_loss)
    number = state.epoch + 1
    score = jnp.where(finite, val_accuracy if recipe.select == "val_accuracy" else -val_loss, -jnp.inf)
    better = score > state.best_score
    plateau, rate_scale = patience.lower_rate(state.plateau, state.rate_scale, step.in_phase(recipe, hyper), val_loss)
    watched = val_loss if recipe.stop_metric == "val_loss" else -val_accuracy
    new = dataclasses.replace(
        state,
        best=choose(better, {"params": state.params, "stats": state.stats}, state.best),
        best_score=jnp.where(better, score, state.best_score),
        best_epoch=jnp.where(better, number, state.best_epoch),
        epoch=number,
        diverged_epoch=jnp.where(finite, state.diverged_epoch, number),
        plateau=plateau,
        rate_scale=rate_scale,
        stop=state.stop.see(watched, hyper["train.stop_min_delta"]),
    )
    metrics = {**step.metrics(recipe, tally, steps), "val_loss": val_loss, "val_accuracy": val_accuracy}
    metrics = {name: jnp.where(finite, value, jnp.nan) for name, value in metrics.items()}
    rate = step.last_rate(recipe, hyper, steps, state.epoch, state.rate_scale)
    return new, {**metrics, "learning_rate": rate, "ran": jnp.bool_(True), "active": is_active(recipe, new, hyper)}


def _no_epoch(state: TrialState) -> tuple[TrialState, dict[str, jax.Array]]:
    names = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "learning_rate")
    return state, {**dict.fromkeys(names, jnp.full((), jnp.nan)), "ran": jnp.bool_(False), "active": jnp.bool_(False)}
