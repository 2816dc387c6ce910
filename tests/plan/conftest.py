"""Small stacks to be planned, with a tuner whose clock stands still."""

import json

import pytest

from fer_jax import plan as planning
from fer_jax.base import machine
from fer_jax.config import fields, search_space
from fer_jax.config.values import default_config
from fer_jax.plan import measurements, tuning
from fer_jax.plan.measurements import Measurements
from fer_jax.plan.memory import Footprint
from fer_jax.plan.work import Work
from fer_jax.train.hardware import Hardware
from fer_jax.train.recipe import Recipe

CPU = Hardware("cpu", "cpu", 2, 8 << 30, 1e11)
SIZES = planning.DataSizes((24, 24, 1), 7, 2000, 500, 500)


@pytest.fixture(autouse=True)
def others(monkeypatch):
    """The share of the processors that other programs take: others[0], none unless a test says."""
    share = [0.0]
    monkeypatch.setattr(machine.Watch, "others", lambda watch: share[0])
    return share


@pytest.fixture
def config():
    config = default_config()
    config.data.image_size = 24
    return config


@pytest.fixture
def tuned(tmp_path):
    """tuned(rate): a tuner that measures `rate(candidate)` images a second at no cost of time.

    It comes with the list of what it measured.
    """

    def make(rate=lambda one: 1000.0, hardware=CPU, per_trial=1e6, **changes):
        clock, measured = [0.0], []

        def start(work, candidate):
            measured.append(candidate)

            def run():
                clock[0] += 0.5
                return 0.5 * rate(candidate)

            return run

        tuner = tuning.Tuner(
            Measurements(tmp_path, measurements.circumstances(hardware)),
            say=lambda line: None,
            start=start,
            analyse=lambda *arguments: Footprint(1e6, per_trial),
            clock=lambda: clock[0],
            **{"threshold": 0.0, **changes},
        )
        return tuner, measured

    return make


@pytest.fixture(scope="session")
def plan():
    """plan(config, tuner, hardware, sizes, **options): the only stack of a config's plan."""

    def plan(config, tuner=None, hardware=CPU, sizes=SIZES, **options):
        trials = {trial.id("data"): trial for trial in search_space.expand(config)}
        made = planning.make_plan(trials, lambda _: sizes, planning.Options(**options), hardware, tuner=tuner)
        assert planning.Plan.from_json(json.loads(json.dumps(made.to_json()))) == made
        (stack,) = made.stacks
        return stack

    return plan


@pytest.fixture(scope="session")
def work():
    """work(trials, batch, **values): what trials of one convolution on 12x12 images compute."""

    def work(trials=20, batch=64, **values):
        shape = {
            name: field.default
            for name, field in fields.FIELDS.items()
            if field.kind == "shape" and name.startswith("model.")
        }
        shape.update({"model.pairs": 1, "model.kernels": (4,), "model.dense": (5,)} | values)
        return Work(tuple(shape.items()), (12, 12, 1), 3, Recipe(batch), 640, 64, trials)

    return work
