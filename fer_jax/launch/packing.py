"""Which slots of a vectorised wave its program computes.

The survivors go on in a narrower one once they fit into half of it. A vectorised program computes
every slot, also those of trials that have stopped, diverged or run all their epochs. After every
tenth epoch the slots that are still active are counted; where half of the program's slots hold
them, or fewer, they move into a program of half the width (or a quarter, ...). What moves where
depends on the epoch and on the trials alone, never on time, and is part of every checkpoint, so
that a resumed wave runs the very programs of an uninterrupted one. The others rest on the host, bit
for bit as they were, and the two are one again in checkpoints and at the end.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import jax
import numpy as np

from fer_jax.plan import Stack
from fer_jax.plan.stack import predicted_seconds
from fer_jax.store import to_host
from fer_jax.train.engine import WaveProgram
from fer_jax.train.recipe import Recipe
from fer_jax.train.trial import TrialState

# A constant of the program and not a field: a resumed wave must count where the interrupted one
# would have counted.
EPOCHS = 10
# Share of a program's slots that are active below which the next narrower program is compiled, so
# that it is there in time.
COMPILE_BELOW = 0.6
# A stack planned to train for less than this would wait longer for narrower programs to compile
# than it would save. The plan's estimate, which is stored, and not the clock's, so that a resumed
# wave decides alike.
LEAST_SECONDS = 120.0
# The same where the plan knows no duration, on an accelerator, by the predicted rate: there the
# training waits while a narrower program is compiled, 20 s each.
LEAST_PREDICTED_SECONDS = 600.0


def pays(stack: Stack, recipe: Recipe) -> bool:
    """Returns whether a stack's waves go on in narrower programs; `recipe` is what they compute."""
    if stack.engine == "map":
        return False
    if stack.seconds:
        return stack.seconds >= LEAST_SECONDS
    images = max(1, stack.width // stack.devices) * recipe.batch_size
    return predicted_seconds(stack.flops, stack.devices, recipe.precision, images) >= LEAST_PREDICTED_SECONDS


def half(width: int, devices: int) -> int:
    """Returns half of a width, rounded up to a multiple of the devices.

    It is the width itself where it cannot be halved.
    """
    return -(-width // (2 * devices)) * devices


def choose(active: np.ndarray, slots: np.ndarray, devices: int) -> np.ndarray:
    """Returns the slots that the program is to compute.

    Args:
        active: bool (width,), of all slots of the wave.
        slots: those that the program computes now; every active slot is among them.
        devices: that share the program.

    Returns:
        `slots` itself while more than half of it is active. Otherwise as many of the wave's slots
        as the narrowest program takes that halving leads to: the active ones in their order, then
        others, which stay as they are.
    """
    count, width = int(active.sum()), len(slots)
    while count <= (narrower := half(width, devices)) < width:
        width = narrower
    if width == len(slots) or not count:
        return slots
    # A stable sort: active slots first, both kinds in their order.
    return np.argsort(~active, kind="stable")[:width].astype(np.int32)


def padded(slots: np.ndarray, width: int) -> np.ndarray:
    """Returns slots as a checkpoint holds them: int32 (width,), -1 beyond the last."""
    return np.concatenate([slots, np.full(width - len(slots), -1)]).astype(np.int32)


def filled(slots: Sequence[int] | np.ndarray, width: int) -> np.ndarray:
    """Returns slots to take states from, int (width,): beyond the last it comes again.

    An idle slot has no epochs to run, so any state does.
    """
    return np.concatenate([slots, np.full(width - len(slots), slots[-1])]).astype(np.int32)


def unpadded(slots: np.ndarray) -> np.ndarray:
    """Undoes `padded`."""
    return slots[slots >= 0]


@dataclasses.dataclass
class PackedWave:
    """A wave's state, of which its program holds some slots.

    Attributes:
        program: as wide as `slots`.
        slots: int32, the slots of the wave that are in the program, in its order.
        state, hyper: of these slots, on the program's devices.
        resting: the state of all slots on the host, out of date for those in the program; None
            while these are all slots.
    """

    program: WaveProgram
    slots: np.ndarray
    state: TrialState
    hyper: Mapping[str, jax.Array]
    resting: TrialState | None = None

    @classmethod
    def of(
        cls, program: WaveProgram, slots: np.ndarray, whole: TrialState, hyper: Mapping[str, np.ndarray]
    ) -> "PackedWave":
        """Places some slots of a wave on the devices.

        Args:
            program: as wide as `slots`.
            slots: as `choose` gives them.
            whole, hyper: of all slots, on the host.
        """
        chosen = jax.tree.map(lambda leaf: np.asarray(leaf)[slots], (whole, dict(hyper)))
        state, values = jax.device_put(chosen, program.per_trial)
        return cls(program, slots, state, values, None if len(slots) == len(whole.epoch) else whole)

    def whole(self) -> TrialState:
        """Returns the state of all slots, as arrays on the host that nobody else changes."""
        here = to_host(self.state)
        if self.resting is None:
            return here
        return jax.tree.map(self._renewed, self.resting, here)

    def spread(self, record: Mapping[str, np.ndarray], width: int) -> dict[str, np.ndarray]:
        """Returns a record of the program's slots as one of all slots.

        The others have neither run nor are they active.
        """
        if self.resting is None:
            return dict(record)
        blank = {
            name: np.zeros(width, bool) if x.dtype == bool else np.full(width, np.nan, x.dtype)
            for name, x in record.items()
        }
        return {name: self._renewed(blank[name], values) for name, values in record.items()}

    def _renewed(self, all_slots: np.ndarray, values: np.ndarray) -> np.ndarray:
        renewed = all_slots.copy()
        renewed[self.slots] = values
        return renewed
