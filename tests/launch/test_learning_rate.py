"""The learning rate of every epoch in the curves is what Keras' callback and schedules give."""

import keras
import numpy as np
import pandas as pd
import pytest

import fer_jax

pytestmark = pytest.mark.usefixtures("shared_programs")


@pytest.fixture
def dense(config):
    config.model.name = "mlp"
    config.model.hidden = (8,)
    config.train.optimizer = "sgd"
    config.train.epochs = 6
    config.sweep.repeats = 1
    return config


def rates(run):
    """Trial's learning rate -> its rate in each epoch."""
    curves = run.curves.merge(run.trials[["id", "train.learning_rate"]], on="id").sort_values("epoch")
    return {rate: own["learning_rate"].to_numpy() for rate, own in curves.groupby("train.learning_rate")}


class Model:
    """As much of a Keras model as the callback touches."""

    def __init__(self, rate):
        self.optimizer = keras.optimizers.SGD(rate)


def test_plateaus_are_those_of_keras(dense, tmp_path):
    dense.stack.engine = "vmap"
    dense.sweep.grid.train.learning_rate = (1e-5, 3e-1)
    dense.train.update(plateau_patience=1, plateau_factor=0.5, learning_rate_floor=2e-6)
    run = fer_jax.run_sweep(dense, tmp_path / "run")
    lowered = 0
    for rate, found in rates(run).items():
        losses = run.select(learning_rate=rate)[0].curves.sort_values("epoch")["val_loss"]
        model = Model(rate)
        callback = keras.callbacks.ReduceLROnPlateau(patience=1, factor=0.5, min_lr=2e-6)
        callback.set_model(model)
        callback.on_train_begin()
        wanted = []
        for epoch, loss in enumerate(losses):
            wanted.append(float(model.optimizer.learning_rate))
            callback.on_epoch_end(epoch, {"val_loss": np.float32(loss)})
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
        lowered += min(wanted) < rate
    assert lowered


def test_phases_and_schedules_are_those_of_the_config(dense, tmp_path):
    """Warm-up over two of three epochs, then a tenth of the rate; both halved after every epoch."""
    dense.stack.data = "stream"
    dense.sweep.grid.train.learning_rate = None
    dense.phases.update(lengths=(3, 3), rates=(1e-2, 1e-3))
    dense.train.update(schedule="exponential", decay_factor=0.5, warmup=2.0)
    run = fer_jax.run_sweep(dense, tmp_path / "run")
    # The last of the 4 steps of an epoch: 4 of 8 steps warmed up, 8 of 8, then all.
    warm, decay = np.array([0.5, 1, 1]), 0.5 ** np.arange(3)
    (trial,) = run.select()
    found = trial.curves.sort_values("epoch")["learning_rate"]
    np.testing.assert_allclose(found, np.concatenate([1e-2 * warm * decay, 1e-3 * warm * decay]), rtol=1e-6)


def test_a_run_of_an_earlier_version_opens_and_goes_on(dense, tmp_path, stop_after):
    stop_after(3)
    with pytest.raises(KeyboardInterrupt):
        fer_jax.run_sweep(dense, tmp_path / "run")
    stop_after(0)
    interrupted = fer_jax.load_run(tmp_path / "run").directory
    for wave in interrupted.curves.waves():
        for first in interrupted.curves.parts(wave):
            part = interrupted.curves.read(wave)
            part = part[part["epoch"] == first].drop(columns="learning_rate")
            interrupted.curves.write(wave, first, part)
    assert "learning_rate" not in fer_jax.load_run(tmp_path / "run").curves
    run = fer_jax.run_sweep(dense, tmp_path / "run")
    known = run.curves.groupby("epoch")["learning_rate"].apply(lambda rate: rate.notna().all())
    assert known.to_dict() == {1: False, 2: False, 3: False, 4: True, 5: True, 6: True}
    whole = fer_jax.run_sweep(dense, tmp_path / "whole")
    pd.testing.assert_frame_equal(
        run.curves.drop(columns="learning_rate").sort_values(["id", "epoch"], ignore_index=True),
        whole.curves.drop(columns="learning_rate").sort_values(["id", "epoch"], ignore_index=True),
        check_exact=True,
    )
    assert len(fer_jax.plot(run, "curves").axes) == 2
