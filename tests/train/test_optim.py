"""Optimisers step like Keras', with settings that may be traced."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest

from fer_jax.train import optim

HYPER = {"train.learning_rate": 0.02, "train.beta1": 0.8, "train.beta2": 0.95, "train.momentum": 0.7}


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("adam", lambda: keras.optimizers.Adam(0.02, beta_1=0.8, beta_2=0.95)),
        ("sgd", lambda: keras.optimizers.SGD(0.02, momentum=0.7)),
    ],
)
def test_ten_steps_are_those_of_keras(name, theirs):
    start = np.linspace(-2, 2, 12, dtype=np.float32)
    scales = np.linspace(0.1, 3, 12, dtype=np.float32)

    @jax.jit
    def ours(hyper):
        optimizer = optim.build(name, hyper)
        params = {"kernel": jnp.asarray(start)}
        state = optimizer.init(params)
        for _ in range(10):
            grads = {"kernel": jnp.sin(params["kernel"]) * scales}
            updates, state = optimizer.update(grads, state, params)
            params = optax.apply_updates(params, updates)
        return params["kernel"]

    variable = keras.Variable(start)
    optimizer = theirs()
    for _ in range(10):
        optimizer.apply([keras.ops.sin(variable.value) * scales], [variable])
    np.testing.assert_allclose(ours(HYPER), variable.numpy(), rtol=1e-5, atol=1e-6)


def test_an_unknown_optimizer_is_named():
    with pytest.raises(ValueError, match="train.optimizer: 'lion' is none of adam, sgd"):
        optim.build("lion", HYPER)
