"""Optimisers rebuilt from traced values inside a trial. The only place that reads the learning rate."""

from collections.abc import Mapping

import jax
import optax

OPTIMIZERS = ("adam", "sgd")


def build(name: str, hyper: Mapping[str, jax.Array]) -> optax.GradientTransformation:
    """The gradient transformation of one trial.

    Args:
      name: 'adam' (Kingma and Ba 2015, epsilon 1e-7 as in Keras) or 'sgd' (with heavy-ball momentum).
      hyper: scalars `train.learning_rate`, `train.beta1`, `train.beta2`, `train.momentum`; may be traced.

    Returns:
      An optax transformation whose state has the same shapes for all values of `hyper`.
    """
    if name == "adam":
        direction = optax.scale_by_adam(b1=hyper["train.beta1"], b2=hyper["train.beta2"], eps=1e-7)
    elif name == "sgd":
        direction = optax.trace(decay=hyper["train.momentum"])
    else:
        raise ValueError(f"train.optimizer: {name!r} is none of {', '.join(OPTIMIZERS)}")
    return optax.chain(direction, optax.scale_by_learning_rate(hyper["train.learning_rate"]))
