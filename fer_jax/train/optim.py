"""Optimisers, rebuilt from traced values inside a trial; only they read the learning rate."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import optax

from fer_jax.train.recipe import Recipe

OPTIMIZERS = ("adam", "adamw", "sgd", "nesterov", "rmsprop", "lion")


def build(
    recipe: Recipe,
    hyper: Mapping[str, jax.Array],
    factor: jax.Array | float = 1.0,
    layer_factors: Mapping[str, jax.Array] | None = None,
) -> optax.GradientTransformation:
    """Returns the gradient transformation of one trial at one update, by Keras' rules.

    Args:
        recipe: its optimizer is 'adam' (Kingma and Ba 2015), 'adamw' (the same with weight decay;
            Loshchilov and Hutter 2019), 'sgd' (heavy-ball momentum), 'nesterov', 'rmsprop' (Hinton
            2012, momentum on top) or 'lion' (Chen et al. 2023). Epsilon is 1e-7.
        hyper: scalars `train.*`; may be traced.
        factor: what schedules and plateaus multiply the learning rate by.
        layer_factors: the same for single layers; None where all have one learning rate.

    Returns:
        An optax transformation whose state has the same shapes for all values of `hyper` and
        `factor`. As in Keras, the learning rate is inside the momentum, the global norm is clipped
        before anything else, and weight decay takes the share learning rate * train.weight_decay of
        every weight.

    Raises:
        ValueError: there is no such optimiser.
    """
    name, rate = recipe.optimizer, hyper["train.learning_rate"] * factor
    descend = optax.scale_by_learning_rate(rate) if layer_factors is None else _descend_by_layer(rate, layer_factors)
    if name in ("adam", "adamw"):
        rule = [_adam(hyper["train.beta1"], hyper["train.beta2"]), descend]
    elif name in ("sgd", "nesterov"):
        rule = [descend, optax.trace(decay=hyper["train.momentum"], nesterov=name == "nesterov")]
    elif name == "rmsprop":
        rule = [
            optax.scale_by_rms(decay=hyper["train.rho"], eps=1e-7),
            descend,
            optax.trace(decay=hyper["train.momentum"]),
        ]
    elif name == "lion":
        rule = [optax.scale_by_lion(b1=hyper["train.beta1"], b2=hyper["train.beta2"]), descend]
    else:
        raise ValueError(f"train.optimizer: {name!r} is none of {', '.join(OPTIMIZERS)}")
    if recipe.uses("train.clip_norm"):
        rule = [_clip(hyper["train.clip_norm"]), *rule]
    if recipe.uses("train.weight_decay"):
        rule = [*rule, _decay(-rate * hyper["train.weight_decay"], layer_factors)]
    return optax.chain(*rule)


def _adam(beta1: jax.Array, beta2: jax.Array, epsilon: float = 1e-7) -> optax.GradientTransformation:
    """Returns Adam's direction as in Keras.

    It is m sqrt(1 - beta2^t) / (1 - beta1^t) / (sqrt(v) + epsilon).

    Optax adds its epsilon to the unbiased root (Kingma and Ba 2015, algorithm 1), Keras to the
    biased one (the remark before section 2.1), which is up to 32 times more in the first steps and
    moves small gradients less.
    """

    def update(grads: optax.Updates, state: optax.ScaleByAdamState, params: optax.Params | None = None) -> tuple:
        count = state.count + 1
        mean = optax.tree.update_moment(grads, state.mu, beta1, 1)
        square = optax.tree.update_moment_per_elem_norm(grads, state.nu, beta2, 2)
        scale = jnp.sqrt(1 - beta2**count) / (1 - beta1**count)
        direction = jax.tree.map(lambda m, v: scale * m / (jnp.sqrt(v) + epsilon), mean, square)
        return direction, optax.ScaleByAdamState(count, mean, square)

    return optax.GradientTransformation(optax.scale_by_adam().init, update)


def _descend_by_layer(rate: jax.Array, factors: Mapping[str, jax.Array]) -> optax.GradientTransformation:
    """Returns `optax.scale_by_learning_rate` with a factor a layer, 1 where none is given."""

    def update(grads: optax.Updates, state: optax.EmptyState, params: optax.Params | None = None) -> tuple:
        return {name: optax.tree.scale(-rate * factors.get(name, 1.0), leaves) for name, leaves in grads.items()}, state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def _decay(share: jax.Array, factors: Mapping[str, jax.Array] | None) -> optax.GradientTransformation:
    """Returns `optax.add_decayed_weights` with a factor a layer."""
    if factors is None:
        return optax.add_decayed_weights(share)

    def update(updates: optax.Updates, state: optax.EmptyState, params: optax.Params | None = None) -> tuple:
        assert params is not None
        return {
            name: optax.tree.add_scale(leaves, share * factors.get(name, 1.0), params[name])
            for name, leaves in updates.items()
        }, state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def _clip(longest: jax.Array) -> optax.GradientTransformation:
    """Scales gradients down to a global norm of `longest`; 0 leaves them alone."""

    def update(grads: optax.Updates, state: optax.EmptyState, params: optax.Params | None = None) -> tuple:
        norm = optax.tree.norm(grads)
        scale = jnp.where((longest > 0) & (norm > longest), longest / norm, 1.0)
        return jax.tree.map(lambda grad: grad * scale, grads), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)
