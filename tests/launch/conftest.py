"""Sweeps that train in a second: 16x16 faces, one small convolution or a few dense units."""

import contextlib

import pytest

from fer_jax.config.values import default_config
from fer_jax.launch import compiling, progress, stopping
from fer_jax.reports import run_report
from fer_jax.train import stream


@pytest.fixture
def config(make_config):
    return make_config()


@pytest.fixture(scope="session")
def make_config():
    return _make_config


def _make_config():
    config = default_config()
    config.data.image_size = 16
    config.data.train_size = 70
    config.data.validation_size = 35
    config.data.test_size = 35
    config.model.pairs = 1
    config.model.kernels = (4,)
    config.model.dense = (8,)
    config.train.batch_size = 16
    config.train.epochs = 4
    config.checkpoint.every = 1
    config.report.saliency = False
    config.sweep.grid.train.learning_rate = (1e-3, 1e-2)
    config.sweep.repeats = 2
    return config


@pytest.fixture
def leaving():
    """Returns the config of eight trials of a dense network in one vectorised wave.

    Two train for 9 epochs, two for 3, two stop early, two diverge. After epoch 2 four are left
    (slots 0, 1, 4 and 5), after epoch 4 two.
    """
    config = _make_config()
    config.model.name = "mlp"
    config.model.hidden = (8,)
    config.model.dropout = 0.3
    config.train.optimizer = "sgd"
    config.train.learning_rate = 1e-2
    config.train.epochs = 9
    config.stack.engine = "vmap"
    config.stack.devices = 1
    config.checkpoint.every = 3
    config.sweep.grid.train.learning_rate = None
    config.sweep.points = (
        {},
        {"train.learning_rate": 1e30},
        {"train.learning_rate": 2e-2, "train.epochs": 3},
        {"train.learning_rate": 3e-2, "train.stop_patience": 1, "train.stop_min_delta": 10.0},
    )
    return config


@pytest.fixture(scope="session")
def programs():
    """Programs by stack and width are shared by tests that plan the same stacks."""
    return {}


@pytest.fixture
def shared_programs(programs, monkeypatch):
    """Sweeps in this process compile nothing twice, and draw no report."""
    compile_program = compiling.compile_program

    def once(prepared, stack, width):
        trial = prepared.trials[stack.trials[0]]
        key = trial.shape_key(), stack.optional, stack.engine, stack.devices, stack.micro_batch, width
        key += (
            stack.frozen,
            stack.cut,
            stack.data,
            stream.CHUNK_BYTES,
            len({prepared.trials[identity].seed for identity in stack.trials}),
        )
        if key not in programs:
            programs[key] = compile_program(prepared, stack, width)
        return programs[key]

    monkeypatch.setattr(compiling, "compile_program", once)
    monkeypatch.setattr(run_report, "write_report", lambda path: None)


@pytest.fixture
def stop_after(monkeypatch):
    """stop_after(n) makes sweeps behave as if Ctrl-C came during the n-th epoch.

    stop_after(0) lets them behave as if none came.
    """
    done = []
    report_epoch = progress.WaveProgress.epoch

    def count(follower, number, *rest):
        report_epoch(follower, number, *rest)
        done.append(number)

    monkeypatch.setattr(progress.WaveProgress, "epoch", count)

    def arrange(epochs):
        done.clear()

        @contextlib.contextmanager
        def requests(note):
            yield lambda: 0 < epochs <= len(done)

        monkeypatch.setattr(stopping, "requests", requests)

    return arrange
