"""Plateaus and early stopping do what Keras' callbacks do, epoch for epoch."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from fer_jax.train import patience
from fer_jax.train.patience import Watch

RNG = np.random.default_rng(3)
LOSSES = [
    np.array([1.0, 0.9, 0.95, 0.95, 0.89, 0.8, 0.80005, 0.80003, 0.8, 0.9, 1.0, 1.1, 0.7, 0.71, 0.72, 0.73]),
    RNG.normal(1, 0.1, 40),
    np.linspace(2, 1, 12),
]


class Model:
    """As much of a Keras model as the callbacks touch."""

    def __init__(self, rate):
        self.optimizer = keras.optimizers.SGD(rate)
        self.stop_training = False

    def get_weights(self):
        return []


@pytest.mark.parametrize("losses", LOSSES)
@pytest.mark.parametrize(
    ("wait", "factor", "floor"), [(2, 0.5, 0.0), (1, 0.1, 0.003), (3, 0.9, 0.5), (1, 0.5, 9.0), (0, 0.5, 0.0)]
)
def test_plateaus_are_keras(losses, wait, factor, floor):
    hyper = {
        "train.plateau_patience": wait,
        "train.plateau_factor": factor,
        "train.learning_rate_floor": floor,
        "train.learning_rate": 1.0,
    }
    lower = jax.jit(patience.lower_rate)
    watch, scale, ours = Watch.new(), jnp.ones(()), []
    for loss in losses:
        watch, scale = lower(watch, scale, hyper, jnp.float32(loss))
        ours.append(float(scale))
    model = Model(1.0)
    callback = keras.callbacks.ReduceLROnPlateau(patience=wait, factor=factor, min_lr=floor)
    callback.set_model(model)
    callback.on_train_begin()
    theirs = []
    for epoch, loss in enumerate(losses):
        if wait:  # their patience 0 lowers the rate at once; ours switches it off
            callback.on_epoch_end(epoch, {"val_loss": np.float32(loss)})
        theirs.append(float(model.optimizer.learning_rate))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


@pytest.mark.parametrize("losses", LOSSES)
@pytest.mark.parametrize(("wait", "delta"), [(1, 0.0), (3, 0.0), (2, 0.1), (5, 0.02)])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_early_stopping_is_keras(losses, wait, delta, mode):
    hyper, sign = {"train.stop_patience": wait}, 1 if mode == "min" else -1
    watch, ours = Watch.new(), len(losses)
    for epoch, loss in enumerate(losses):
        watch = watch.see(jnp.float32(sign * loss), delta)
        if patience.stops(watch, hyper):
            ours = epoch
            break
    model = Model(1.0)
    callback = keras.callbacks.EarlyStopping("watched", patience=wait, min_delta=delta, mode=mode)
    callback.set_model(model)
    callback.on_train_begin()
    theirs = len(losses)
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"watched": np.float32(loss)})
        if model.stop_training:
            theirs = epoch
            break
    assert ours == theirs


def test_patience_zero_never_stops():
    watch = Watch.new()
    for _ in range(50):
        watch = watch.see(jnp.float32(1.0), 0.0)
    assert not patience.stops(watch, {"train.stop_patience": 0})
