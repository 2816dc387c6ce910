"""The compiler's numbers of bytes: linear in width and the same at any optimisation."""

import jax
import pytest

from fer_jax.config import fields
from fer_jax.plan import cost, memory
from fer_jax.plan.memory import Footprint
from fer_jax.plan.work import Work
from fer_jax.train.engine import WaveProgram
from fer_jax.train.recipe import Recipe


def work():
    shape = {
        name: field.default
        for name, field in fields.FIELDS.items()
        if field.kind == "shape" and name.startswith("model.")
    }
    shape.update({"model.pairs": 1, "model.kernels": (6,), "model.dense": (10,)})
    return Work(tuple(shape.items()), (12, 12, 1), 3, Recipe(16, optional=("model.dropout",)), 160, 40, 8)


@pytest.fixture(scope="module")
def programs():
    of = work()
    return {engine: WaveProgram(of.built(), of.recipe, engine, tuple(jax.devices()[:1])) for engine in ("map", "vmap")}


@pytest.mark.parametrize("engine", ["map", "vmap"])
def test_a_line_through_two_widths_meets_a_third(programs, engine):
    found = memory.analyse(work(), engine, 0, test_bytes=1000)
    compiled = memory.epoch_bytes(programs[engine], work(), 8)
    assert found.at(8) == pytest.approx(compiled + 1000, rel=0.02)
    # At least the data and each trial's state.
    assert found.base > 200 * 144 and found.per_trial > cost.measure(work().built(), work().recipe).state_bytes


def test_the_unoptimised_program_has_the_buffers_of_the_optimised(programs):
    quick, full = ({"xla_backend_optimization_level": level} for level in (0, 3))
    assert memory.epoch_bytes(programs["vmap"], work(), 2, quick) == memory.epoch_bytes(
        programs["vmap"], work(), 2, full
    )


def test_as_many_trials_fit_as_there_is_room_for():
    assert Footprint(100.0, 10.0).most(155.0) == 5 and Footprint(100.0, 10.0).at(5) == 150
    assert Footprint(100.0, 10.0).most(50.0) == 1
