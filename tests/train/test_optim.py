"""Optimisers step like Keras', with settings that may be traced."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest

from fer_jax.train import optim
from fer_jax.train.recipe import Recipe

HYPER = {
    "train.learning_rate": 0.02,
    "train.beta1": 0.8,
    "train.beta2": 0.95,
    "train.momentum": 0.7,
    "train.rho": 0.85,
    "train.clip_norm": 1.5,
    "train.weight_decay": 0.3,
}
DECAY, CLIP = "train.weight_decay", "train.clip_norm"
K = keras.optimizers


@pytest.mark.parametrize(
    ("name", "optional", "theirs"),
    [
        ("adam", (), lambda: K.Adam(0.02, beta_1=0.8, beta_2=0.95)),
        ("adam", (CLIP,), lambda: K.Adam(0.02, beta_1=0.8, beta_2=0.95, global_clipnorm=1.5)),
        ("adamw", (DECAY,), lambda: K.AdamW(0.02, beta_1=0.8, beta_2=0.95, weight_decay=0.3)),
        ("sgd", (), lambda: K.SGD(0.02, momentum=0.7)),
        ("sgd", (CLIP, DECAY), lambda: K.SGD(0.02, momentum=0.7, global_clipnorm=1.5, weight_decay=0.3)),
        ("nesterov", (), lambda: K.SGD(0.02, momentum=0.7, nesterov=True)),
        ("rmsprop", (), lambda: K.RMSprop(0.02, rho=0.85, momentum=0.7)),
        ("lion", (DECAY,), lambda: K.Lion(0.02, beta_1=0.8, beta_2=0.95, weight_decay=0.3)),
    ],
)
def test_ten_steps_are_those_of_keras_while_the_rate_falls(name, optional, theirs):
    start = np.linspace(-2, 2, 12, dtype=np.float32)
    scales = np.linspace(0.1, 3, 12, dtype=np.float32)
    recipe = Recipe(8, optimizer=name, optional=optional)

    @jax.jit
    def ours(hyper):
        params = {"kernel": jnp.asarray(start)}
        state = optim.build(recipe, hyper).init(params)
        for number in range(10):
            grads = {"kernel": jnp.sin(params["kernel"]) * scales}
            updates, state = optim.build(recipe, hyper, 0.9**number).update(grads, state, params)
            params = optax.apply_updates(params, updates)
        return params["kernel"]

    variable = keras.Variable(start)
    optimizer = theirs()
    for number in range(10):
        optimizer.learning_rate = 0.02 * 0.9**number
        optimizer.apply([keras.ops.sin(variable.value) * scales], [variable])
    np.testing.assert_allclose(ours(HYPER), variable.numpy(), rtol=1e-5, atol=1e-5)


def test_a_clip_of_zero_and_a_decay_of_zero_change_no_bit():
    params = {"kernel": jnp.linspace(-2, 2, 12)}
    grads = {"kernel": jnp.linspace(30, -7, 12)}
    hyper = {**HYPER, "train.clip_norm": 0.0, "train.weight_decay": 0.0}
    found = []
    for optional in ((), (CLIP, DECAY)):
        optimizer = optim.build(Recipe(8, optimizer="adamw", optional=optional), hyper)
        updates, _ = optimizer.update(grads, optimizer.init(params), params)
        found.append(optax.apply_updates(params, updates)["kernel"])
    np.testing.assert_array_equal(*found)


def test_an_unknown_optimizer_is_named():
    with pytest.raises(ValueError, match="train.optimizer: 'ftrl' is none of adam, adamw, sgd"):
        optim.build(Recipe(8, optimizer="ftrl"), HYPER)
