"""The program of a stack, made ready for the waves of one width."""

import dataclasses
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

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


class _Held:
    """Stands for a lowered program's executable, which is compiled when it is first asked for."""

    def __init__(self, lowered: jax.stages.Lowered):
        self._lowered = lowered

    def compile(self) -> "_Held":
        """Puts it off: `WaveProgram.prepare` asks."""
        return self

    @functools.cached_property
    def executable(self) -> jax.stages.Compiled:
        return self._lowered.compile()

    def __call__(self, *arguments: Any) -> Any:
        return self.executable(*arguments)


class HeldProgram(WaveProgram):
    """The programs of a stack that `prepare` only lowers; `compile` does the rest."""

    @functools.cached_property
    def _held(self) -> list[_Held]:
        return []

    def lower(self, name: str, *arguments: Any, phase: int = 0) -> Any:
        """Does what `WaveProgram.lower` does; what it returns is compiled later."""
        self._held.append(_Held(super().lower(name, *arguments, phase=phase)))
        return self._held[-1]

    def compile(self) -> None:
        """Compiles what was lowered."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda one: one.executable, self._held))
        self._held.clear()


class HeldStreamedProgram(HeldProgram, StreamedProgram):
    """What `HeldProgram` is, for images that come in chunks."""


def makers(
    prepared: Prepared,
) -> tuple[Callable[[Stack, int], WaveProgram], Callable[[WaveProgram], None] | None]:
    """Returns what `Programs` takes: what may run while a wave trains, and what may not.

    On a GPU the compiler times kernels on the device: what trains there would disturb it.
    """
    if jax.default_backend() != "gpu":
        return functools.partial(compile_program, prepared), None

    def compiled(program: WaveProgram) -> None:
        assert isinstance(program, HeldProgram)
        program.compile()

    return functools.partial(compile_program, prepared, held=True), compiled


def compile_program(prepared: Prepared, stack: Stack, width: int, held: bool = False) -> WaveProgram:
    """Compiles a stack's program for waves of a width.

    Args:
        prepared: the sweep.
        stack: of its plan.
        width: slots of the waves.
        held: whether it is only lowered, as a `HeldProgram`.

    Returns:
        The program, ready to run or held; a `StreamedProgram` where the data are streamed.

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
    resident, streamed = (HeldProgram, HeldStreamedProgram) if held else (WaveProgram, StreamedProgram)
    program = resident(network, recipe, stack.engine, tuple(jax.devices()[:devices]))
    if stack.data == "stream":
        seeds = {repeats.stream_seeds(prepared.trials[identity].values)[step.ORDER] for identity in stack.trials}
        program = streamed(program, sizes.train, min(width, len(seeds)))
    program.prepare(width, sizes.train, sizes.validation, sizes.test)
    return program
