"""Whether there is room for a plan: stacks too large for the machine, or for what is free of it."""

import dataclasses
import math

import pytest

from fer_jax import plan as planning
from fer_jax.config import search_space
from fer_jax.train.hardware import UNSAID_MEMORY, Hardware

CPU = Hardware("cpu", "cpu", 2, 24 * 10**9, 1e11)
GPU = Hardware("gpu", "some GPU", 1, 24 * 10**9)
SIZES = planning.DataSizes((224, 224, 3), 7, 2048, 512, 512)


def test_a_stack_larger_than_the_machine_says_how_large_and_what_helps(plan, config):
    """146 GB on each of two host devices are 292 GB of one machine's memory."""
    fits = plan(config, None, CPU)
    stack = dataclasses.replace(fits, memory=146 * 10**9, devices=2, width=4)
    room = planning.Room(CPU, 20 * 10**9)
    (line,) = room.shortages(planning.Plan((fits, stack), ""))
    assert line.startswith("stack_0 needs about 292 GB of memory for waves of 4 and this machine has 24.0 GB: lower ")
    many = room.shortages(planning.Plan((stack,) * 5, ""))
    assert len(many) == 4 and many[-1] == "and so do 2 other stacks"
    # Accelerators have a memory each.
    (line,) = planning.Room(GPU, 1).shortages(planning.Plan((stack,), ""))
    assert line.startswith("stack_0 needs about 146 GB of memory for waves of 4 and a device has 24.0 GB: ")


@pytest.mark.parametrize(("each", "said"), [(9, False), (11, True), (13, False)])
def test_what_is_free_now_is_told_apart_from_what_there_is(plan, config, each, said):
    stack = dataclasses.replace(plan(config, None, CPU), memory=each * 10**9, devices=2)
    line = planning.Room(CPU, 20 * 10**9).tightness(planning.Plan((stack,), ""))
    assert bool(line) == said
    if said:
        assert line == (
            "note: up to 22.0 GB of memory are needed and 20.0 GB are free now: "
            "end other programs, or lower stack.memory (GB)"
        )


def test_an_accelerator_that_does_not_say_its_memory_is_told_of_until_the_user_says_it(plan, config):
    silent = dataclasses.replace(GPU, memory=UNSAID_MEMORY)
    stack = dataclasses.replace(plan(config, None, GPU), memory=10**9)
    made = planning.Plan((stack,), "")
    room = planning.Room(silent, UNSAID_MEMORY)
    assert room.shortages(made) == [
        "the device does not say its memory; planned with 8 GiB: set stack.memory (GB) to what it has"
    ]
    assert not planning.Room(dataclasses.replace(CPU, memory=UNSAID_MEMORY), UNSAID_MEMORY).shortages(made)
    # What is free of it is as little known, and nothing is said of it.
    large = planning.Plan((dataclasses.replace(stack, memory=20 * 10**9),), "")
    said = planning.Room(GPU, UNSAID_MEMORY)
    assert not said.shortages(large) and not said.tightness(large)


def test_a_network_of_one_convolution_needs_what_is_counted_by_hand(config):
    """Images of 224 x 224 pixels, batches of 512, 3 -> 64 channels in float32, batch normalisation.

    The convolution's output alone takes 512 * 224^2 * 64 * 4 bytes, 6.6 GB, and its gradient as
    much; so the two host devices of 12 GB cannot both hold a trial, and one of them cannot either.
    """
    config.data.image_size = 224
    config.train.batch_size = 512
    config.model.pairs, config.model.kernels, config.model.dense = 1, (64,), (4,)
    config.model.padding, config.model.batch_norm = "same", True
    config.sweep.repeats = 4
    output = 512 * 224**2 * 64 * 4
    trials = {trial.id("data"): trial for trial in search_space.expand(config)}

    def stack(memory, **options):
        hardware = dataclasses.replace(CPU, memory=memory)
        made = planning.make_plan(trials, lambda _: SIZES, planning.Options(**options), hardware)
        return made.stacks[0], planning.Room(hardware, memory).shortages(made)

    small, told = stack(24 * 10**9)
    assert small.memory > 2 * output and small.devices == 1 and small.memory < 8 * output
    assert bool(told) == (small.memory > 24 * 10**9)
    large, told = stack(math.ceil(2.5 * small.memory))
    assert large.devices == 2 and not told
    both, told = stack(math.ceil(1.5 * small.memory))
    assert both.devices == 1 and not told
    # The user's word stands, and is commented on.
    wanted, told = stack(math.ceil(1.5 * small.memory), devices=2)
    assert wanted.devices == 2 and len(told) == 1
