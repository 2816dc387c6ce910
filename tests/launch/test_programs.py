import threading
from types import SimpleNamespace

import jax
import pytest

from fer_jax.launch import compiling
from fer_jax.launch.planned import plan_sweep
from fer_jax.launch.prepared import prepare
from fer_jax.launch.programs import Programs
from fer_jax.train.streamed import StreamedProgram

STACKS = [SimpleNamespace(name=f"stack_{number}") for number in range(3)]


def test_a_program_is_made_once_for_each_width_and_before_it_is_asked_for():
    made, second = [], threading.Event()

    def make(stack, width):
        made.append((stack.name, width))
        if stack is STACKS[1]:
            second.set()
        return f"program of {stack.name} for {width}"

    with Programs(make) as programs:
        assert not programs.is_ready(STACKS[0], 8)
        assert programs.take(STACKS[0], 8)[0] == programs.take(STACKS[0], 8)[0] == "program of stack_0 for 8"
        assert programs.is_ready(STACKS[0], 8) and not programs.is_ready(STACKS[0], 4)
        programs.begin(STACKS[1], 8)
        assert second.wait(10)
        assert programs.take(STACKS[1], 8)[0] == "program of stack_1 for 8"
        assert programs.take(STACKS[0], 4)[0] == "program of stack_0 for 4"
        programs.keep({"stack_1"})
        assert programs.is_ready(STACKS[1], 8) and not programs.is_ready(STACKS[0], 8)
    assert made == [("stack_0", 8), ("stack_1", 8), ("stack_0", 4)]


def test_what_one_compilation_dies_of_reaches_its_own_program_only_and_can_be_forgotten():
    def make(stack, width):
        if width > 4 or stack is STACKS[1]:
            raise MemoryError("too large")
        return stack.name

    with Programs(make) as programs:
        for stack, width in ((STACKS[1], 4), (STACKS[0], 8)):
            with pytest.raises(MemoryError, match="too large"):
                programs.take(stack, width)
        assert programs.take(STACKS[0], 4)[0] == "stack_0" and programs.is_ready(STACKS[0], 8)
        programs.forget(STACKS[0], 8)
        assert not programs.is_ready(STACKS[0], 8)


def test_what_would_disturb_training_waits_until_the_program_is_taken():
    """It is done once, its error stays with its program, and both are kept and forgotten as one."""
    made, finished, second = [], [], threading.Event()

    def make(stack, width):
        made.append((stack.name, width))
        if stack is STACKS[1]:
            second.set()
        return stack.name, width

    def finish(program):
        finished.append(program)
        if program[1] > 8:
            raise MemoryError("too large")

    with Programs(make, finish) as programs:
        programs.begin(STACKS[1], 8)
        programs.begin(STACKS[0], 8)
        assert second.wait(10)
        assert programs.take(STACKS[0], 8)[0] == programs.take(STACKS[0], 8)[0] == ("stack_0", 8)
        assert finished == [("stack_0", 8)]
        assert programs.is_ready(STACKS[0], 8) and not programs.is_ready(STACKS[1], 8)
        for _ in range(2):
            with pytest.raises(MemoryError, match="too large"):
                programs.take(STACKS[1], 16)
        assert programs.take(STACKS[1], 8)[0] == ("stack_1", 8)
        programs.keep({"stack_1"})
        assert not programs.is_ready(STACKS[0], 8) and programs.is_ready(STACKS[1], 16)
        programs.forget(STACKS[1], 16)
        assert not programs.is_ready(STACKS[1], 16) and programs.is_ready(STACKS[1], 8)
        programs.begin(STACKS[1], 8)
    assert sorted(made) == [("stack_0", 8), ("stack_1", 8), ("stack_1", 16)]
    assert sorted(finished) == [("stack_0", 8), ("stack_1", 8), ("stack_1", 16)]


@pytest.mark.parametrize("placing", ["resident", "stream"])
def test_on_a_gpu_a_program_is_lowered_ahead_and_compiled_when_taken(config, monkeypatch, placing):
    config.model.name, config.model.hidden, config.stack.data = "mlp", (8,), placing
    prepared = prepare(config)
    (stack,) = plan_sweep(prepared, measures=False).stacks
    plain = compiling.compile_program(prepared, stack, stack.width)
    compiled, compile_one = [], jax.stages.Lowered.compile
    monkeypatch.setattr(jax.stages.Lowered, "compile", lambda one: compiled.append(one) or compile_one(one))
    assert compiling.makers(prepared)[1] is None
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    make, finish = compiling.makers(prepared)
    program = make(stack, stack.width)
    assert not compiled and isinstance(program, StreamedProgram) == (placing == "stream")
    finish(program)
    names = {"resident": ["epoch"], "stream": ["train_chunk", "validate_chunk", "finish_epoch", "order"]}[placing]
    count = len(compiled)
    assert count > len(names)
    # It is the program that is compiled at once, and nothing is left to compile.
    values = program.place_values([prepared.trials[one].values for one in stack.trials])
    ours, theirs = (jax.device_get(one.init(values)) for one in (program, plain))
    assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), ours.params, theirs.params))
    finish(program)
    assert len(compiled) == count
