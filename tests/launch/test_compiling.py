"""The program of a stack for waves of one width."""

import dataclasses

import pytest

from fer_jax.errors import RunError
from fer_jax.launch.compiling import compile_program
from fer_jax.launch.planned import plan_sweep
from fer_jax.launch.prepared import prepare
from fer_jax.train.streamed import StreamedProgram


@pytest.fixture
def dense(config):
    config.model.name, config.model.hidden = "mlp", (8,)
    config.stack.engine, config.stack.devices = "vmap", 2
    return config


def test_a_program_is_for_the_stacks_engine_and_devices(dense):
    prepared = prepare(dense)
    (stack,) = plan_sweep(prepared).stacks
    program = compile_program(prepared, stack, stack.width)
    assert (program.engine, len(program.devices)) == ("vmap", 2) and not isinstance(program, StreamedProgram)
    dense.stack.data = "stream"
    (stack,) = plan_sweep(prepare(dense)).stacks
    program = compile_program(prepared, stack, stack.width)
    assert isinstance(program, StreamedProgram) and (program.streams, program.steps) == (2, 70 // 16)


def test_a_plan_for_more_devices_than_there_are_is_refused(dense):
    prepared = prepare(dense)
    (stack,) = plan_sweep(prepared).stacks
    with pytest.raises(RunError, match="stack_0 was planned for 99 devices and there are 4: resume on the hardware"):
        compile_program(prepared, dataclasses.replace(stack, devices=99), 99)
