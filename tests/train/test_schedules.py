"""Schedules against Keras' and optax' own."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest

from fer_jax.train import schedules

STEPS = 5  # updates an epoch
HYPER = {
    "train.learning_rate": 0.2,
    "train.learning_rate_floor": 0.02,
    "train.epochs": 4,
    "train.decay": 0.3,
    "train.decay_factor": 0.4,
    "train.decay_every": 2,
    "train.warmup": 1.6,
}


def factors(name, warmup=False, **changed):
    """The factor at every update of five epochs, all settings traced."""
    hyper = {**HYPER, **changed}
    return jax.jit(
        lambda hyper: jax.vmap(lambda update: schedules.factor(name, hyper, update, STEPS, warmup))(
            jnp.arange(5 * STEPS)
        )
    )(hyper)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("constant", optax.constant_schedule(0.2)),
        ("cosine", optax.cosine_decay_schedule(0.2, 4 * STEPS, alpha=0.1)),
        ("step", optax.exponential_decay(0.2, 2 * STEPS, 0.4, staircase=True)),
        ("exponential", optax.exponential_decay(0.2, STEPS, 0.4, staircase=True)),
        ("inverse_time", keras.optimizers.schedules.InverseTimeDecay(0.2, 1, 0.3)),
    ],
)
def test_each_schedule_is_the_libraries_own(name, theirs):
    expected = [float(theirs(update)) for update in range(5 * STEPS)]
    np.testing.assert_allclose(0.2 * factors(name), expected, rtol=1e-5)


def test_warmup_grows_linearly_to_the_schedule():
    plain, warm = factors("exponential"), factors("exponential", warmup=True)
    ramp = np.minimum(1, np.arange(1, 5 * STEPS + 1) / 8)
    np.testing.assert_allclose(warm, plain * ramp, rtol=1e-6)
    np.testing.assert_array_equal(factors("exponential", warmup=True, **{"train.warmup": 0.0}), plain)


def test_a_floor_above_the_learning_rate_raises_nothing():
    np.testing.assert_allclose(factors("cosine", **{"train.learning_rate_floor": 5.0}), 1)


def test_an_unknown_schedule_is_named():
    with pytest.raises(ValueError, match="train.schedule: 'linear' is none of constant"):
        schedules.factor("linear", HYPER, jnp.zeros((), jnp.int32), STEPS, False)
