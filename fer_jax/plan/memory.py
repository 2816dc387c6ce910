"""Bytes that a wave takes on a device, estimated from the traced program or the compiler's own."""

import dataclasses
from typing import Any

import jax

from fer_jax.plan.cost import Cost
from fer_jax.plan.work import Work
from fer_jax.train import hardware
from fer_jax.train.engine import WaveProgram

# One trial alone may be compiled without the trial axis, which is no point of the line through the
# others.
ANALYSED_WIDTHS = (2, 4)


@dataclasses.dataclass(frozen=True)
class Footprint:
    """Bytes on one device: base + per_trial x trials that the device holds."""

    base: float
    per_trial: float

    def at(self, trials: int) -> int:
        """Returns the bytes for so many trials."""
        return round(self.base + self.per_trial * trials)

    def most(self, free: float) -> int:
        """Returns how many trials fit into `free` bytes; at least one, which is always tried."""
        return max(1, int((free - self.base) / self.per_trial))


def estimate(one: Cost, data_bytes: int, engine: str) -> Footprint:
    """Returns the footprint if every intermediate result of a step is kept to its last use.

    Compilers fuse and need less; side by side, a convolution's patches are added (oslo's network on
    a CPU: a quarter more than this).
    """
    # An epoch's new states lie beside the old.
    states = 2 * one.state_bytes
    if engine == "map":
        return Footprint(data_bytes + one.step_bytes, states)
    return Footprint(data_bytes, states + one.step_bytes)


def analyse(work: Work, engine: str, micro_batch: int, test_bytes: int) -> Footprint | None:
    """Returns the footprint that the compiler's numbers for an epoch at two widths give.

    Temporary memory grows linearly in width. It compiles twice; on a CPU without optimisation,
    which changes no size and takes about half as long.

    Args:
        work: its images and those of validation are among the bytes.
        engine, micro_batch: how the stack is run.
        test_bytes: of data that are resident too, but no part of an epoch.

    Returns:
        None where this backend's compiler gives no numbers.
    """
    recipe = dataclasses.replace(work.recipe, micro_batch=micro_batch)
    device = jax.devices()[0]
    program = WaveProgram(work.built(), recipe, engine, (device,))
    options = hardware.compiler_options(device.platform, once=True)
    narrow, wide = (epoch_bytes(program, work, width, options) for width in ANALYSED_WIDTHS)
    if narrow is None or wide is None:
        return None
    per_trial = (wide - narrow) / (ANALYSED_WIDTHS[1] - ANALYSED_WIDTHS[0])
    # A compiler that found no use for a second trial's memory would leave nothing to divide by.
    per_trial = max(per_trial, 1.0)
    return Footprint(narrow - per_trial * ANALYSED_WIDTHS[0] + test_bytes, per_trial)


def epoch_bytes(program: WaveProgram, work: Work, width: int, options: dict | None = None) -> int | None:
    """Returns the bytes on one device while a wave's compiled epoch runs, None if unknown.

    Args:
        program: on one device.
        work: for its sizes.
        width: slots of the wave.
        options: of the compiler, over the program's own.
    """
    shapes = program.epoch_shapes(program.value_shapes(width), work.train, work.validation)
    found = program.lower("epoch", *shapes).compile(compiler_options=options or None).memory_analysis()
    return None if found is None else bytes_of(found)


def bytes_of(found: Any) -> int:
    """Returns the bytes on a device while a program runs, of its `memory_analysis`."""
    # `peak_memory_in_bytes` is wrong on a CPU.
    return (
        found.argument_size_in_bytes + found.temp_size_in_bytes + found.output_size_in_bytes - found.alias_size_in_bytes
    )
