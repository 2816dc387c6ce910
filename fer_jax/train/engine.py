"""A wave of trials as compiled programs, sharded over the devices.

`trial`'s functions are mapped or vectorised over the trial axis. Three engines give the same
numbers up to rounding, which training amplifies from step to step, soonest where images are
resampled or batches normalised. 'map' runs the trials of a device one after another, which suits a
CPU, where memory traffic is the limit and a finished trial costs nothing. 'vmap' runs them side by
side, convolutions as batched matrix products, which suits an accelerator, where one small model is
bound by the launching of kernels. 'grouped' does so too and leaves convolutions to XLA, which
groups them. `shard_map` splits the trial axis over the devices: no trial needs another, so the
program has no collectives.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from fer_jax.models import Network
from fer_jax.train import batch_parts, evaluation, hardware, hyper, trial
from fer_jax.train.hyper import DataStatistics
from fer_jax.train.recipe import PRECISIONS, Recipe
from fer_jax.train.trial import TrialState

ENGINES = ("map", "vmap", "grouped")
EVALUATION_BATCH = 32
# One trial after another on an accelerator, where launches bind so small a batch: of pictures of so
# many pixels, of larger ones fewer. Side by side, the width makes up for it.
ALONE_BATCH, ALONE_PIXELS = 256, 256 * 48**2


class WaveProgram:
    """The compiled programs of one stack, which every wave of it uses, whatever its traced values.

    A program is known by its name and by the phase of the training it belongs to, and `run` is the
    one way to it. `trace` and `compile` make all programs ahead; one that they did not is compiled
    when it first runs. A network's layers that are held apart go in as `frozen`, {} where there are
    none; all trials share them.

    Args:
        network: the architecture that the trials share.
        recipe: what else the programs are compiled for. `native_convolution` and `side_by_side`
            follow from the engine and the devices and are overwritten.
        engine: one of `ENGINES`.
        devices: the trial axis is split evenly over them; a wave's width must be a multiple of
            their number.

    Attributes:
        network, recipe, engine, devices: as given; the recipe is that of the first phase.
        per_trial: the sharding of arrays with a leading trial axis.
        shared: the sharding of arrays that every device holds whole, such as the data.

    Raises:
        ValueError: there is no such engine.
    """

    # The programs that each phase has of its own; the others are the same in all phases.
    phased: tuple[str, ...] = ("epoch", "next_phase")

    def __init__(self, network: Network, recipe: Recipe, engine: str, devices: tuple[jax.Device, ...]):
        if engine not in ENGINES:
            raise ValueError(f"stack.engine: {engine!r} is none of {', '.join(ENGINES)}")
        # The gradient for one trial after another is written for XLA's CPU backend; others have
        # convolutions of their own.
        native = engine == "grouped" or (engine == "map" and devices[0].platform != "cpu")
        self.network, self.engine, self.devices = network, engine, devices
        self.recipe = dataclasses.replace(recipe, native_convolution=native, side_by_side=engine != "map")
        self._mesh = Mesh(np.asarray(devices).reshape(-1, recipe.parts), ("trial", batch_parts.AXIS))
        self.per_trial = NamedSharding(self._mesh, PartitionSpec("trial"))
        self.shared = NamedSharding(self._mesh, PartitionSpec())
        self._programs: dict[tuple[str, int], Callable] = {}
        self._traced: dict[tuple[str, int], jax.stages.Lowered] = {}
        self._state_shapes: dict[int, TrialState] = {}

    def run(self, name: str, *arguments: Any, phase: int = 0) -> Any:
        """Runs a program: the executable that `compile` made, or one compiled now and kept."""
        if (name, phase) not in self._programs:
            self._programs[name, phase] = self._functions()[name](self.recipe.of_phase(phase))
        return self._programs[name, phase](*arguments)

    def lower(self, name: str, *arguments: Any, phase: int = 0) -> jax.stages.Lowered:
        """Returns a program for arguments of these shapes (arrays serve too), not compiled yet."""
        return self._functions()[name](self.recipe.of_phase(phase)).lower(*arguments)

    def init(self, values: Any) -> TrialState:
        """Returns a wave's initial state; `values` are its traced values, see `place_values`."""
        return self.run("init", values)

    def next_phase(self, state: TrialState, values: Any, phase: int) -> TrialState:
        """Returns the state in which a phase begins; the old state is donated."""
        return self.run("next_phase", state, values, phase=phase)

    def epoch(
        self, state: TrialState, values: Any, train: Any, validation: Any, frozen: Any, phase: int = 0
    ) -> tuple[TrialState, dict[str, jax.Array]]:
        """Trains every active trial for an epoch and returns the state and the epoch's record.

        Args:
            state: of the wave; it is donated.
            values: traced values, see `place_values`.
            train: see `place_train`.
            validation: see `place_batches`.
            frozen: see `place_frozen`.
            phase: the phase of the training that the epoch belongs to.

        Returns:
            The new state and the record of `trial.epoch`, each array (trial,).
        """
        return self.run("epoch", state, values, train, validation, frozen, phase=phase)

    def evaluate(
        self, split: str, variables: Any, values: Any, batches: Any, frozen: Any
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Returns loss (trial,), accuracy (trial,) and logits (trial, batches, b, K) on a split.

        Args:
            split: 'validation' or 'test': `trace` writes a program for each.
            variables: {'params', 'stats'} of every trial.
            values: traced values, see `place_values`.
            batches: the split, see `place_batches`.
            frozen: see `place_frozen`.
        """
        return self.run(f"evaluate_{split}", variables, values, batches, frozen)

    def _functions(self) -> dict[str, Callable[[Recipe], jax.stages.Wrapped]]:
        """Returns the functions that write each program for the recipe of a phase, by name."""
        return {
            "init": self._init,
            "next_phase": self._next_phase,
            "epoch": self._epoch,
            "evaluate_validation": self._evaluate,
            "evaluate_test": self._evaluate,
        }

    def _init(self, recipe: Recipe) -> jax.stages.Wrapped:
        mapped = self._over_trials(functools.partial(trial.init, self.network, recipe), shared=0)
        # Without it the first epoch would meet another sharding than the second, and compile twice.
        return jax.jit(mapped, out_shardings=self.per_trial, compiler_options=self._options(once=True))

    def _next_phase(self, recipe: Recipe) -> jax.stages.Wrapped:
        mapped = self._over_trials(lambda both: trial.next_phase(recipe, *both), shared=0)
        return jax.jit(
            lambda state, values: mapped((state, values)),
            donate_argnums=0,
            out_shardings=self.per_trial,
            compiler_options=self._options(once=True),
        )

    def _epoch(self, recipe: Recipe) -> jax.stages.Wrapped:
        def one(
            state_and_values: tuple, train: Any, validation: Any, frozen: Any
        ) -> tuple[TrialState, dict[str, jax.Array]]:
            state, values = state_and_values
            return trial.epoch(self.network.holding(frozen), recipe, state, values, train, validation)

        mapped = self._over_trials(one, shared=3)
        return jax.jit(
            lambda state, values, train, validation, frozen: mapped((state, values), train, validation, frozen),
            donate_argnums=0,
            out_shardings=self.per_trial,
            compiler_options=self._options(),
        )

    def _evaluate(self, recipe: Recipe) -> jax.stages.Wrapped:
        def one(variables_and_values: tuple, batches: Any, frozen: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
            variables, values = variables_and_values
            network = self.network.holding(frozen)
            return evaluation.evaluate(network, recipe, variables["params"], variables["stats"], values, batches)

        mapped = self._over_trials(one, shared=2)
        return jax.jit(
            lambda variables, values, batches, frozen: mapped((variables, values), batches, frozen),
            compiler_options=self._options(),
        )

    def trace(self, width: int, train: int, validation: int, test: int) -> None:
        """Writes every program for the waves of a stack, for `compile`.

        The host does it alone; it may run in another thread.

        Args:
            width: slots of a wave.
            train, validation, test: images of each split; test may be 0.
        """
        values, phases = self.value_shapes(width), range(len(self.recipe.phases))
        lowered = {("init", 0): self.lower("init", values)}
        for phase in phases[1:]:
            lowered["next_phase", phase] = self.lower("next_phase", self.state_shapes(values), values, phase=phase)
        for name, shapes in self.shapes(values, train, validation, test).items():
            for phase in phases if name in self.phased else phases[:1]:
                lowered[name, phase] = self.lower(name, *shapes, phase=phase)
        self._traced = lowered

    def compile(self) -> None:
        """Compiles what `trace` wrote, before the first wave is there."""
        # On a GPU the compiler times kernels on the device, and two would disturb each other.
        with ThreadPoolExecutor(None if self.devices[0].platform == "cpu" else 1) as pool:
            executables = pool.map(lambda one: one.compile(), self._traced.values())
            self._programs.update(zip(self._traced, executables, strict=True))
        self._traced = {}

    def shapes(self, values: Any, train: int, validation: int, test: int) -> dict[str, tuple]:
        """Returns the shapes that each program that sees images takes, by name; see `trace`."""
        shapes = self.epoch_shapes(values, train, validation)
        state, frozen = shapes[0], shapes[-1]
        found = {"epoch": shapes}
        for split, count in held_out(validation, test):
            batches = with_sharding(self._batch_shapes(count), self.shared)
            found[f"evaluate_{split}"] = (state.best, values, batches, frozen)
        return found

    def state_shapes(self, values: Any) -> TrialState:
        """Returns the shapes of what `init` returns, with their sharding, without computing it.

        The traced values may be shapes too.
        """
        width = len(jax.tree.leaves(values)[0])
        if width not in self._state_shapes:  # it takes a tenth of a second to trace them
            init = jax.vmap(functools.partial(trial.init, self.network, self.recipe))
            self._state_shapes[width] = with_sharding(jax.eval_shape(init, values), self.per_trial)
        return self._state_shapes[width]

    def value_shapes(self, width: int) -> Any:
        """Returns the shapes of a wave's traced values, for `width` slots, with their sharding."""
        kinds = hyper.layout(self.network.num_classes)
        values = {name: jax.ShapeDtypeStruct((width, *shape), kind) for name, (shape, kind) in kinds.items()}
        return with_sharding(values, self.per_trial)

    @property
    def input_dtype(self) -> np.dtype:
        """The element type of the network's inputs: uint8, or what it computes in if it is cut."""
        return np.dtype(np.uint8 if self.network.takes_images else self.recipe.dtype)

    def epoch_shapes(self, values: Any, train: int, validation: int) -> tuple[Any, ...]:
        """Returns the shapes of what `epoch` takes, with their sharding.

        Args:
            values: traced values, or their shapes.
            train, validation: images of the splits.
        """
        inputs = jax.ShapeDtypeStruct((train, *self.network.input_shape), self.input_dtype)
        images = {"images": inputs, "labels": jax.ShapeDtypeStruct((train,), np.int32)}
        shared = with_sharding((images, self._batch_shapes(validation), self.network.held_shapes), self.shared)
        return self.state_shapes(values), values, *shared

    @property
    def evaluation_batch(self) -> int:
        """Images of a batch of a split that is evaluated.

        It follows from the engine, the kind of devices and the network alone, so that a resumed
        run, and the narrower programs of a wave, cut a split alike.
        """
        if self.engine != "map" or self.devices[0].platform == "cpu":
            return EVALUATION_BATCH
        pixels = math.prod(self.network.image_shape[:2])
        return max(EVALUATION_BATCH, min(ALONE_BATCH, ALONE_PIXELS // pixels))

    def _batch_shapes(self, count: int) -> dict[str, jax.ShapeDtypeStruct]:
        return batch_shapes(batch_grid(count, self.evaluation_batch), self.network.input_shape, self.input_dtype)

    def _options(self, once: bool = False) -> dict[str, Any]:
        return hardware.compiler_options(self.devices[0].platform, once=once)

    def place_values(
        self, trials: Sequence[Mapping[str, Any]], statistics: DataStatistics | None = None
    ) -> dict[str, jax.Array]:
        """Returns the traced values of a wave as arrays on the devices, see `hyper.encode`.

        Args:
            trials: the field values of each slot's trial, by name; other fields may be among them.
            statistics: of the data; None where no value depends on them.
        """
        statistics = statistics or DataStatistics.neutral(self.network.num_classes)
        return jax.device_put(hyper.encode(trials, statistics), self.per_trial)

    def place_train(self, images: np.ndarray, labels: np.ndarray) -> dict[str, jax.Array]:
        """Puts a training split on every device.

        Args:
            images: uint8 (n, h, w, c), or what the network takes instead.
            labels: (n,), made int32.
        """
        return jax.device_put({"images": np.asarray(images), "labels": np.asarray(labels, np.int32)}, self.shared)

    def place_batches(self, images: np.ndarray, labels: np.ndarray) -> dict[str, jax.Array]:
        """Puts a split on every device, cut into padded batches for `epoch` and `evaluate`."""
        grid = batch_grid(len(labels), self.evaluation_batch)
        return jax.device_put(padded_batches(images, labels, grid), self.shared)

    def place_frozen(self, arrays: Mapping[str, Any]) -> dict[str, Any]:
        """Puts the arrays of the layers that the network holds apart on every device.

        Of `arrays`, {'params', 'stats'}, other layers are left out.
        """
        held = {
            kind: {name: arrays[kind][name] for name in shapes} for kind, shapes in self.network.held_shapes.items()
        }
        return jax.device_put(held, self.shared)

    def _over_trials(self, function: Callable, *, shared: int) -> Callable:
        """Applies function(trial's values, *shared values) to every trial of the first argument.

        The trials are its leading axis.
        """

        def local(values: Any, *rest: Any) -> Any:
            with jax.default_matmul_precision(PRECISIONS[self.recipe.precision]):
                if self.engine == "map":
                    return jax.lax.map(lambda one: function(one, *rest), values)
                return jax.vmap(lambda one: function(one, *rest))(values)

        return jax.shard_map(
            local,
            mesh=self._mesh,
            in_specs=(PartitionSpec("trial"), *[PartitionSpec()] * shared),
            out_specs=PartitionSpec("trial"),
            check_vma=False,  # convolve's custom gradient carries no device types
        )


def with_sharding(shapes: Any, sharding: NamedSharding) -> Any:
    """Returns shapes that also name a sharding."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), shapes)


def held_out(validation: int, test: int) -> Iterator[tuple[str, int]]:
    """Yields name and size of each split that is evaluated; 'test' only if it has images."""
    yield "validation", validation
    if test:
        yield "test", test


def batch_shapes(
    grid: tuple[int, int], image_shape: tuple[int, ...], dtype: Any = np.uint8
) -> dict[str, jax.ShapeDtypeStruct]:
    """Returns the shapes of `padded_batches` for a grid (batches, images in each)."""
    kinds = {"images": ((*grid, *image_shape), dtype), "labels": (grid, np.int32), "valid": (grid, np.bool_)}
    return {name: jax.ShapeDtypeStruct(*kind) for name, kind in kinds.items()}


def padded_batches(images: np.ndarray, labels: np.ndarray, grid: tuple[int, int]) -> dict[str, np.ndarray]:
    """Cuts a split into a grid (batches, images in each), filled up with blank images.

    `valid` is false for these, which count for nothing.
    """
    count = len(labels)
    padding = math.prod(grid) - count
    return {
        "images": np.concatenate([images, np.zeros((padding, *images.shape[1:]), images.dtype)]).reshape(
            *grid, *images.shape[1:]
        ),
        "labels": np.concatenate([labels, np.zeros(padding, labels.dtype)]).astype(np.int32).reshape(grid),
        "valid": (np.arange(math.prod(grid)) < count).reshape(grid),
    }


def batch_grid(count: int, batch: int) -> tuple[int, int]:
    """Returns a grid (batches, images in each) that holds `count` images."""
    batch = min(batch, count)
    return -(-count // batch), batch
