"""The program of a stack, made ready for the waves of one width."""

import dataclasses
import functools
from collections.abc import Callable

import jax

from fer_jax import models
from fer_jax import plan as planning
from fer_jax.config import repeats
from fer_jax.errors import RunError
from fer_jax.launch.prepared import Prepared
from fer_jax.plan import Stack
from fer_jax.train import step
from fer_jax.train.engine import WaveProgram
from fer_jax.train.streamed import StreamedProgram


def makers(
    prepared: Prepared,
) -> tuple[Callable[[Stack, int], WaveProgram], Callable[[WaveProgram], None] | None]:
    """Returns what `Programs` takes: what may run while a wave trains, and what may not.

    On a GPU the compiler times kernels on the device: what trains there would disturb it.
    """
    if jax.default_backend() == "gpu":
        return functools.partial(trace_program, prepared), WaveProgram.compile
    return functools.partial(compile_program, prepared), None


def compile_program(prepared: Prepared, stack: Stack, width: int) -> WaveProgram:
    """Returns what `trace_program` does, ready to run; errors are its own."""
    program = trace_program(prepared, stack, width)
    program.compile()
    return program


def trace_program(prepared: Prepared, stack: Stack, width: int) -> WaveProgram:
    """Writes a stack's program for waves of a width.

    Args:
        prepared: the sweep.
        stack: of its plan.
        width: slots of the waves.

    Returns:
        The program, to be compiled; a `StreamedProgram` where the data are streamed.

    Raises:
        RunError: the stack was planned for more devices than there are.
    """
    trial = prepared.trials[stack.trials[0]]
    sizes = prepared.sizes(trial)
    if stack.devices > jax.device_count():
        raise RunError(
            f"{stack.name} was planned for {stack.devices} devices and there are {jax.device_count()}: "
            "resume on the hardware the run began on, or start a new --workdir"
        )
    network = models.build(trial.values, sizes.image_shape, sizes.num_classes)
    recipe = planning.recipe_of(trial.values, stack.optional, stack.micro_batch, network.layer_names)
    parts = stack.parts_of(width)
    recipe = dataclasses.replace(recipe, parts=parts)
    devices = width * parts if parts > 1 else stack.devices
    network = planning.trained_part(network, recipe, stack.frozen == "shared", stack.cut)
    program = WaveProgram(network, recipe, stack.engine, tuple(jax.devices()[:devices]))
    if stack.data == "stream":
        seeds = {repeats.stream_seeds(prepared.trials[identity].values)[step.ORDER] for identity in stack.trials}
        program = StreamedProgram(program, sizes.train, min(width, len(seeds)))
    program.trace(width, sizes.train, sizes.validation, sizes.test)
    return program
