"""A wave that does not fit into memory becomes two halves, which go on from its last checkpoint."""

import dataclasses
from collections.abc import Mapping, Sequence

import jax
import numpy as np

from fer_jax import plan as planning
from fer_jax.launch import packing
from fer_jax.launch.prepared import Prepared
from fer_jax.plan import Plan, Stack, Wave
from fer_jax.store import RunDirectory

# What XLA says on an accelerator, and where the system refuses the CPU memory.
_EXHAUSTED = ("RESOURCE_EXHAUSTED", "Out of memory allocating")
ADVICE = "a trial a device is too much: lower train.batch_size or train.precision, or set stack.micro_batch"


def is_out_of_memory(error: BaseException) -> bool:
    """Returns whether memory is what an error is about: the devices' or the host's."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, jax.errors.JaxRuntimeError) and any(words in str(error) for words in _EXHAUSTED)


def remember_limit(prepared: Prepared, stack: Stack, half: Wave) -> None:
    """Lets later plans of such a stack begin with waves that are no wider than one that fitted."""
    trial = prepared.trials[half.trials[0]]
    planning.remember_limit(stack, trial.values, prepared.sizes(trial), half.width)


def halves(stack: Stack, wave: Wave) -> tuple[Wave, ...]:
    """Returns the two waves that take the place of one, named after it with a and b.

    There are none if it has one slot a device, or fewer.
    """
    width = packing.half(stack.width_of(wave), stack.devices)
    if width >= stack.width_of(wave):
        return ()
    cut = -(-len(wave.trials) // 2)
    parts = (("a", wave.trials[:cut]), ("b", wave.trials[cut:]))
    return tuple(
        dataclasses.replace(wave, name=wave.name + letter, trials=trials, width=width)
        for letter, trials in parts
        if trials
    )


def replaced(plan: Plan, parts: Mapping[str, Sequence[Wave]]) -> Plan:
    """Returns the plan with some waves (by name) replaced by others, in their places."""
    stacks = (
        dataclasses.replace(stack, waves=tuple(new for wave in stack.waves for new in parts.get(wave.name, (wave,))))
        for stack in plan.stacks
    )
    return dataclasses.replace(plan, stacks=tuple(stacks))


def hand_down(directory: RunDirectory, stack: Stack, wave: Wave, parts: Sequence[Wave]) -> int:
    """Gives the parts of a wave their share of its last checkpoint, curves first.

    The wave's own files stay.

    Returns:
        The epoch from which the parts go on, 0 for the start.
    """
    epoch = directory.resume(wave.name)
    whole = directory.load_state(wave.name) if epoch else {}
    curves = directory.curves.read(wave.name)
    for part in parts:
        # Of a start that was killed before its plan was written.
        directory.forget(part.name)
        if not epoch:
            continue
        directory.curves.write(part.name, 1, curves[curves["id"].isin(part.trials)])
        directory.save_state(part.name, epoch, _share(whole, stack, wave, part), owned=True)
        directory.wait()
    return epoch


def _share(whole: Mapping[str, np.ndarray], stack: Stack, wave: Wave, part: Wave) -> dict[str, np.ndarray]:
    rows = np.array([wave.trials.index(trial) for trial in part.trials], np.int32)
    in_program = np.isin(rows, packing.unpadded(whole["slots"]))
    idle = part.width - len(rows)
    own = packing.filled(rows, part.width)
    share = jax.tree.map(lambda leaf: leaf[own], dict(whole))
    slots = packing.choose(np.concatenate([in_program, np.zeros(idle, bool)]), np.arange(part.width), stack.devices)
    return {**share, "slots": packing.padded(slots, part.width)}
