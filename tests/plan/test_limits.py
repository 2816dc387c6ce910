"""What did not fit is remembered, and obeyed for as long as memory is what it was."""

import dataclasses
import math

import pytest

from fer_jax import plan as planning
from fer_jax.config import search_space
from fer_jax.train.hardware import Hardware

GPU = Hardware("gpu", "some GPU", 1, 16 << 30)
SIZES = planning.DataSizes((24, 24, 1), 7, 2000, 500, 500)


@pytest.mark.parametrize(("hardware", "fitted", "width"), [(GPU, 7, 7), (dataclasses.replace(GPU, devices=2), 6, 6)])
def test_what_did_not_fit_is_not_tried_again(plan, config, tuned, hardware, fitted, width):
    config.sweep.repeats = 60
    tuner, _ = tuned(hardware=hardware, threshold=math.inf)
    before = plan(config, tuner, hardware)
    assert before.width > width
    values = next(iter(search_space.expand(config))).values
    planning.remember_limit(before, values, SIZES, fitted, hardware, tuner.measurements)
    after = plan(config, tuner, hardware)
    assert after.width <= width and sum(len(wave.trials) for wave in after.waves) == 60
    planning.remember_limit(
        before, values, SIZES, 40, hardware, tuner.measurements
    )  # what is known to be too much stays so
    assert plan(config, tuner, hardware) == after
    assert plan(config, tuner, hardware, width=20).width == 20  # the user's word stands
    a_little, much = (dataclasses.replace(hardware, memory=int(hardware.memory * factor)) for factor in (1.2, 1.3))
    assert plan(config, tuner, a_little).width <= width < plan(config, tuner, much).width
    planning.remember_limit(
        before, values, SIZES, 40, much, tuner.measurements
    )  # found beside nothing else: the new one counts
    assert width < plan(config, tuner, hardware).width <= 40 * hardware.devices
    planning.remember_limit(before, values, SIZES, fitted, hardware, tuner.measurements)
    other = dataclasses.replace(SIZES, train=4000)
    assert plan(config, tuner, hardware, other).width > width
    config.model.kernels = (8, 8, 8)
    assert plan(config, tuner, hardware).width > width
