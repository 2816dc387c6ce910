"""Learning-rate schedules as factors on a trial's learning rate, every setting traced per trial."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

SCHEDULES = ("constant", "cosine", "step", "exponential", "inverse_time")


def factor(name: str, hyper: Mapping[str, jax.Array], update: jax.Array, steps: int, warmup: bool) -> jax.Array:
    """Returns what the learning rate is multiplied by at one update.

    Args:
        name: 'constant'; 'cosine' (Loshchilov and Hutter 2017, eq. 5, without restarts: from 1 to
            learning_rate_floor / learning_rate over the trial's train.epochs); 'step' (decay_factor
            after every decay_every epochs); 'exponential' (decay_factor after every epoch);
            'inverse_time' (Keras' decay: 1 / (1 + decay * update)).
        hyper: scalars `train.*`.
        update: updates made before this one, over all epochs; an int32 scalar.
        steps: updates an epoch.
        warmup: whether train.warmup is compiled in: the factor then also grows linearly over that
            many epochs, from one update's share to 1.

    Returns:
        A float32 scalar, at least 0.

    Raises:
        ValueError: there is no such schedule.
    """
    epoch, update = update // steps, update.astype(jnp.float32)
    if name == "constant":
        found = jnp.ones(())
    elif name == "cosine":
        floor = jnp.minimum(1.0, hyper["train.learning_rate_floor"] / hyper["train.learning_rate"])
        done = update / jnp.maximum(1, hyper["train.epochs"] * steps)
        found = floor + (1 - floor) * (1 + jnp.cos(jnp.pi * jnp.minimum(1.0, done))) / 2
    elif name == "step":
        found = hyper["train.decay_factor"] ** (epoch // hyper["train.decay_every"])
    elif name == "exponential":
        found = hyper["train.decay_factor"] ** epoch
    elif name == "inverse_time":
        found = 1 / (1 + hyper["train.decay"] * update)
    else:
        raise ValueError(f"train.schedule: {name!r} is none of {', '.join(SCHEDULES)}")
    if warmup:
        length = hyper["train.warmup"] * steps
        found *= jnp.where(length > 0, jnp.minimum(1.0, (update + 1) / jnp.maximum(length, 1e-9)), 1.0)
    return found
