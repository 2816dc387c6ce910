import threading
from types import SimpleNamespace

import pytest

from fer_jax.launch.programs import Programs

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
