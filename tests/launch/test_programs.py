import threading
from types import SimpleNamespace

import pytest

from fer_jax.launch.programs import Programs

STACKS = [SimpleNamespace(name=f"stack_{number}") for number in range(3)]


def test_a_program_is_made_once_and_the_next_one_before_it_is_asked_for():
    made, second = [], threading.Event()

    def make(stack):
        made.append(stack.name)
        if stack is STACKS[1]:
            second.set()
        return f"program of {stack.name}"

    with Programs(STACKS, make) as programs:
        assert not programs.is_ready(STACKS[0])
        assert programs.take(STACKS[0])[0] == programs.take(STACKS[0])[0] == "program of stack_0"
        assert second.wait(10)
        assert [programs.take(stack)[0] for stack in STACKS[1:]] == ["program of stack_1", "program of stack_2"]
    assert made == ["stack_0", "stack_1", "stack_2"]


def test_what_one_compilation_dies_of_reaches_its_own_stack_only():
    def make(stack):
        if stack is STACKS[1]:
            raise MemoryError("too large")
        return stack.name

    with Programs(STACKS, make) as programs:
        assert programs.take(STACKS[0])[0] == "stack_0"
        with pytest.raises(MemoryError, match="too large"):
            programs.take(STACKS[1])
        assert programs.take(STACKS[2])[0] == "stack_2"
