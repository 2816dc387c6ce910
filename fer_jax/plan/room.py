"""Whether there is room for what was planned."""

import dataclasses

from fer_jax.base.text import counted, in_bytes
from fer_jax.plan.plan import Plan, Stack
from fer_jax.train.hardware import UNSAID_MEMORY, Hardware

# Stacks that are named one by one; of more it is said how many they are.
NAMED = 3


@dataclasses.dataclass(frozen=True)
class Room:
    """The memory there is for a plan.

    Attributes:
        hardware: that it was made for.
        available: bytes of one device that are free now; on a CPU, of the machine. `UNSAID_MEMORY`
            where an accelerator does not say.
    """

    hardware: Hardware
    available: int

    def needed(self, stack: Stack) -> int:
        """Returns the bytes that a stack needs of a device; on a CPU, on all its host devices."""
        return stack.memory * (stack.devices if self.hardware.backend == "cpu" else 1)

    def shortages(self, plan: Plan) -> list[str]:
        """Returns lines about stacks that need more than there is, the same at every start.

        Where an accelerator does not say how much that is, the first line does.

        The planner takes as few trials at once as it must, so that these have a trial that is too
        much alone, or a width that the user has set.
        """
        memory = self.hardware.memory
        found = [stack for stack in plan.stacks if self.needed(stack) > memory]
        advice = "lower train.batch_size, data.image_size or stack.width, set stack.micro_batch where the network has "
        advice += "no batch normalisation, or give stack.memory in GB to have it tried all the same"
        lines = [
            f"{stack.name} needs about {in_bytes(self.needed(stack))} of memory for waves of {stack.width} and "
            f"{self._there} {in_bytes(memory)}: {advice}"
            for stack in found[:NAMED]
        ]
        lines = self._unsaid() + lines
        return lines + ([f"and so do {counted(len(found) - NAMED, 'other stack')}"] if len(found) > NAMED else [])

    def tightness(self, plan: Plan) -> str:
        """Returns a line about what fits and does not beside what is in memory now, '' if nothing.

        It is no part of the plan, which does not depend on what else the machine does.
        """
        largest = max(map(self.needed, plan.stacks), default=0)
        if self._is_silent(self.available) or not self.available < largest <= self.hardware.memory:
            return ""
        return (
            f"note: up to {in_bytes(largest)} of memory are needed and {in_bytes(self.available)} are free now: "
            "end other programs, or lower stack.memory (GB)"
        )

    def _unsaid(self) -> list[str]:
        if not self._is_silent(self.hardware.memory):
            return []
        return [
            f"the device does not say its memory; planned with {round(UNSAID_MEMORY / 2**30)} GiB: "
            "set stack.memory (GB) to what it has"
        ]

    def _is_silent(self, size: int) -> bool:
        """Returns whether a number of bytes stands for what an accelerator does not say."""
        return self.hardware.backend != "cpu" and size == UNSAID_MEMORY

    @property
    def _there(self) -> str:
        return "this machine has" if self.hardware.backend == "cpu" else "a device has"
