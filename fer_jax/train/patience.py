"""What a trial does when validation no longer improves: a lower learning rate, or an end.

Both are Keras' rules, per trial. A `Watch` remembers the best value so far and how many epochs have
passed without a better one.
"""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp

PLATEAU_MIN_DELTA = 1e-4  # of validation loss, as in keras.callbacks.ReduceLROnPlateau


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Watch:
    """The lowest value seen so far, and how many epochs have passed since.

    Attributes:
        best: float32; infinite before the first value.
        wait: int32, epochs.
    """

    best: jax.Array
    wait: jax.Array

    @classmethod
    def new(cls) -> "Watch":
        """Returns a watch that has seen nothing."""
        return cls(jnp.full((), jnp.inf, jnp.float32), jnp.zeros((), jnp.int32))

    def see(self, value: jax.Array, min_delta: jax.Array | float) -> "Watch":
        """Returns the watch after another epoch.

        Only a value lower by more than `min_delta` is better.
        """
        better = value < self.best - min_delta
        return Watch(jnp.where(better, value, self.best), jnp.where(better, 0, self.wait + 1))


def lower_rate(
    watch: Watch, scale: jax.Array, hyper: Mapping[str, jax.Array], val_loss: jax.Array
) -> tuple[Watch, jax.Array]:
    """Lowers the learning rate where validation loss no longer falls.

    The rule is keras.callbacks.ReduceLROnPlateau. The learning rate is `scale` times
    train.learning_rate.

    Args:
        watch: of validation loss.
        scale: what plateaus have made of the learning rate so far, in (0, 1].
        hyper: scalars train.plateau_patience (0 switches it off), plateau_factor, learning_rate and
            learning_rate_floor.
        val_loss: after the epoch.

    Returns:
        The watch and the scale for the next epoch.
    """
    watch = watch.see(val_loss, PLATEAU_MIN_DELTA)
    floor = hyper["train.learning_rate_floor"] / hyper["train.learning_rate"]
    patience = hyper["train.plateau_patience"]
    falls = (patience > 0) & (watch.wait >= patience) & (scale > floor)
    scale = jnp.where(falls, jnp.maximum(scale * hyper["train.plateau_factor"], floor), scale)
    return Watch(watch.best, jnp.where(falls, 0, watch.wait)), scale


def stops(watch: Watch, hyper: Mapping[str, jax.Array]) -> jax.Array:
    """Returns whether train.stop_patience epochs have passed without improvement.

    The rule is keras.callbacks.EarlyStopping; a patience of 0 never stops.
    """
    patience = hyper["train.stop_patience"]
    return (patience > 0) & (watch.wait >= patience)
