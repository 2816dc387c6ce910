"""A wave of trials as compiled programs: `trial`'s functions mapped or vectorised over the trial
axis, sharded over devices.

Three engines give the same numbers up to rounding, which training amplifies from step to step,
soonest where images are resampled or batches normalised. 'map' runs the trials of a device one
after another, which suits a CPU, where memory traffic is the limit and a finished trial costs
nothing; 'vmap' runs them side by side, convolutions as batched matrix products, which suits an
accelerator, where one small model is bound by the launching of kernels; 'grouped' does so too and
leaves convolutions to XLA, which groups them. `shard_map` splits the trial axis over the devices:
no trial needs another, so the program has no collectives.
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
from fer_jax.train import batch_parts, hardware, hyper, step, trial
from fer_jax.train.hyper import Facts
from fer_jax.train.recipe import PRECISIONS, Recipe
from fer_jax.train.trial import TrialState

ENGINES = ("map", "vmap", "grouped")
EVALUATION_BATCH = 32


@dataclasses.dataclass(frozen=True)
class WaveProgram:
    """The compiled programs of one stack; every wave of the stack, of whatever traced values, uses
    the same.

    Attributes:
        network: architecture shared by the trials.
        recipe: what else the program is compiled for; whether convolutions are XLA's own follows
            from the engine and the devices.
        engine: see `ENGINES`.
        devices: the trial axis is split evenly over them; a wave's width must be a multiple of
            their number.

    `epoch` and `next_phase` are those of the recipe's phase, see `phase`. The arrays of the layers
    that the network holds apart go in as `frozen`, {} where there are none; all trials share them.
    """

    network: Network
    recipe: Recipe
    engine: str
    devices: tuple[jax.Device, ...]

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise ValueError(f"stack.engine: {self.engine!r} is none of {', '.join(ENGINES)}")
        # The gradient for one trial after another is written for XLA's CPU backend; others have
        # convolutions of their own.
        native = self.engine == "grouped" or (self.engine == "map" and self.devices[0].platform != "cpu")
        object.__setattr__(self, "recipe", dataclasses.replace(self.recipe, native_convolution=native))

    @functools.cached_property
    def mesh(self) -> Mesh:
        return Mesh(np.asarray(self.devices).reshape(-1, self.recipe.parts), ("trial", batch_parts.AXIS))

    @functools.cached_property
    def per_trial(self) -> NamedSharding:
        """Sharding of arrays with a leading trial axis."""
        return NamedSharding(self.mesh, PartitionSpec("trial"))

    @functools.cached_property
    def shared(self) -> NamedSharding:
        """Sharding of the data, which every device holds whole."""
        return NamedSharding(self.mesh, PartitionSpec())

    @functools.cached_property
    def init(self) -> jax.stages.Wrapped:
        """hyper -> the wave's initial state."""
        mapped = self._over_trials(functools.partial(trial.init, self.network, self.recipe), shared=0)
        # Without it the first epoch would meet another sharding than the second, and compile twice.
        options = hardware.compiler_options(self.devices[0].platform, once=True)
        return jax.jit(mapped, out_shardings=self.per_trial, compiler_options=options)

    def phase(self, number: int) -> "WaveProgram":
        """The program of another phase of the same training; what `prepare` compiled for it is
        kept.
        """
        if number == self.recipe.phase:
            return self
        others = self.__dict__.setdefault("_phases", {})
        if number not in others:
            others[number] = dataclasses.replace(self, recipe=self.recipe.of_phase(number))
        return others[number]

    @functools.cached_property
    def next_phase(self) -> jax.stages.Wrapped:
        """(state, hyper) -> the state in which this program's phase begins; the old state is
        donated.
        """
        mapped = self._over_trials(lambda both: trial.next_phase(self.recipe, *both), shared=0)
        options = hardware.compiler_options(self.devices[0].platform, once=True)
        return jax.jit(
            lambda state, values: mapped((state, values)),
            donate_argnums=0,
            out_shardings=self.per_trial,
            compiler_options=options,
        )

    @functools.cached_property
    def epoch(self) -> jax.stages.Wrapped:
        """(state, hyper, train, validation, frozen) -> (state, records), one epoch of every active
        trial; the old state is donated.
        """

        def one(
            state_and_hyper: tuple, train: Any, validation: Any, frozen: Any
        ) -> tuple[TrialState, dict[str, jax.Array]]:
            state, values = state_and_hyper
            return trial.epoch(self.network.holding(frozen), self.recipe, state, values, train, validation)

        mapped = self._over_trials(one, shared=3)
        return jax.jit(
            lambda state, values, train, validation, frozen: mapped((state, values), train, validation, frozen),
            donate_argnums=0,
            out_shardings=self.per_trial,
            compiler_options=self._compiler_options,
        )

    @functools.cached_property
    def evaluate(self) -> jax.stages.Wrapped:
        """(variables, hyper, batches, frozen) -> loss (trial,), accuracy (trial,), logits (trial,
        batches, b, K); see `step.evaluate`.
        """

        def one(variables_and_hyper: tuple, batches: Any, frozen: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
            variables, values = variables_and_hyper
            network = self.network.holding(frozen)
            return step.evaluate(network, self.recipe, variables["params"], variables["stats"], values, batches)

        mapped = self._over_trials(one, shared=2)
        return jax.jit(
            lambda variables, values, batches, frozen: mapped((variables, values), batches, frozen),
            compiler_options=self._compiler_options,
        )

    def evaluate_split(
        self, split: str, variables: Any, values: Any, batches: Any, frozen: Any
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """`evaluate` for 'validation' or 'test', by the executable that `prepare` made for the
        split, if it did.
        """
        return self.__dict__.get(f"evaluate_{split}", self.evaluate)(variables, values, batches, frozen)

    def state_shapes(self, values: Any) -> TrialState:
        """What `init` returns, as shapes with their sharding, without computing it; the traced
        values may be shapes too.
        """
        shapes = jax.eval_shape(jax.vmap(functools.partial(trial.init, self.network, self.recipe)), values)
        return with_sharding(shapes, self.per_trial)

    def value_shapes(self, width: int) -> Any:
        """The traced values of a wave of `width` slots, as shapes with their sharding."""
        kinds = hyper.layout(self.network.num_classes)
        values = {name: jax.ShapeDtypeStruct((width, *shape), kind) for name, (shape, kind) in kinds.items()}
        return with_sharding(values, self.per_trial)

    @property
    def input_dtype(self) -> np.dtype:
        """What the network's inputs are stored as: pixels as uint8, the outputs of a layer as the
        network computes.
        """
        return np.dtype(np.uint8 if self.network.takes_images else self.recipe.dtype)

    def epoch_shapes(self, values: Any, train: int, validation: int) -> tuple[Any, ...]:
        """What `epoch` takes for traced values of these shapes and so many images, as shapes with
        their sharding.
        """
        inputs = jax.ShapeDtypeStruct((train, *self.network.input_shape), self.input_dtype)
        images = {"images": inputs, "labels": jax.ShapeDtypeStruct((train,), np.int32)}
        shared = with_sharding((images, self._batch_shapes(validation), self.network.held_shapes), self.shared)
        return self.state_shapes(values), values, *shared

    def _batch_shapes(self, count: int) -> dict[str, jax.ShapeDtypeStruct]:
        return batch_shapes(batch_grid(count), self.network.input_shape, self.input_dtype)

    def prepare(self, width: int, train: int, validation: int, test: int) -> None:
        """Compiles everything for the waves of a stack before the first of them is there; may run
        in another thread.

        Args:
            width: slots of a wave.
            train, validation, test: images of each split; test may be 0.
        """
        values = self.value_shapes(width)
        lowered = {("init", 0): self.init.lower(values)}
        for number in range(len(self.recipe.phases)):
            program = self.phase(number)
            found = program._lower(values, train, validation, test)
            lowered.update(
                {(name, number): one for name, one in found.items() if not number or not name.startswith("evaluate")}
            )
            if number:
                lowered["next_phase", number] = program.next_phase.lower(self.state_shapes(values), values)
        with ThreadPoolExecutor() as pool:
            compiled = dict(zip(lowered, pool.map(lambda one: one.compile(), lowered.values()), strict=True))
        # The executables take the places of the functions that would compile them.
        for (name, number), one in compiled.items():
            self.phase(number).__dict__[name] = one

    def _lower(self, values: Any, train: int, validation: int, test: int) -> dict[str, jax.stages.Lowered]:
        """Programs that see pictures, by attribute, for traced values of these shapes; the rest as
        for `prepare`.
        """
        shapes = self.epoch_shapes(values, train, validation)
        lowered = {"epoch": self.epoch.lower(*shapes)}
        for split, count in held_out(validation, test):
            batches = with_sharding(self._batch_shapes(count), self.shared)
            lowered[f"evaluate_{split}"] = self.evaluate.lower(shapes[0].best, values, batches, shapes[-1])
        return lowered

    @property
    def _compiler_options(self) -> dict[str, Any]:
        return hardware.compiler_options(self.devices[0].platform)

    def place_hyper(self, columns: Mapping[str, Sequence[Any]], facts: Facts | None = None) -> dict[str, jax.Array]:
        """Traced fields' values, a column each, as the device arrays that `hyper.encode` makes of
        them.

        Args:
            columns: field name -> a value a trial.
            facts: of the data; None where no value depends on them.
        """
        trials = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return jax.device_put(hyper.encode(trials, facts or Facts.neutral(self.network.num_classes)), self.per_trial)

    def place_train(self, images: np.ndarray, labels: np.ndarray) -> dict[str, jax.Array]:
        """Training split on every device: uint8 (n, h, w, c), or what the network takes instead,
        and int32 (n,).
        """
        return jax.device_put({"images": np.asarray(images), "labels": np.asarray(labels, np.int32)}, self.shared)

    def place_batches(self, images: np.ndarray, labels: np.ndarray) -> dict[str, jax.Array]:
        """A split on every device, cut into padded batches for `evaluate`."""
        return jax.device_put(padded_batches(images, labels, batch_grid(len(labels))), self.shared)

    def place_frozen(self, arrays: Mapping[str, Any]) -> dict[str, Any]:
        """What the network holds apart, on every device; of {'params', 'stats'} the layers that it
        does not hold are left out.
        """
        held = {
            kind: {name: arrays[kind][name] for name in shapes} for kind, shapes in self.network.held_shapes.items()
        }
        return jax.device_put(held, self.shared)

    def _over_trials(self, function: Callable, *, shared: int) -> Callable:
        """Applies function(trial's values, *shared values) to every trial of the first argument's
        leading axis.
        """

        def local(values: Any, *rest: Any) -> Any:
            with jax.default_matmul_precision(PRECISIONS[self.recipe.precision]):
                if self.engine == "map":
                    return jax.lax.map(lambda one: function(one, *rest), values)
                return jax.vmap(lambda one: function(one, *rest))(values)

        return jax.shard_map(
            local,
            mesh=self.mesh,
            in_specs=(PartitionSpec("trial"), *[PartitionSpec()] * shared),
            out_specs=PartitionSpec("trial"),
            check_vma=False,  # convolve's custom gradient carries no device types
        )


def with_sharding(shapes: Any, sharding: NamedSharding) -> Any:
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), shapes)


def held_out(validation: int, test: int) -> Iterator[tuple[str, int]]:
    """Name and images of the splits that are evaluated; none for the test of a data set that has no
    test split.
    """
    yield "validation", validation
    if test:
        yield "test", test


def batch_shapes(
    grid: tuple[int, int], image_shape: tuple[int, ...], dtype: Any = np.uint8
) -> dict[str, jax.ShapeDtypeStruct]:
    """Shapes of `padded_batches` for a grid (batches, images in each)."""
    kinds = {"images": ((*grid, *image_shape), dtype), "labels": (grid, np.int32), "valid": (grid, np.bool_)}
    return {name: jax.ShapeDtypeStruct(*kind) for name, kind in kinds.items()}


def padded_batches(images: np.ndarray, labels: np.ndarray, grid: tuple[int, int]) -> dict[str, np.ndarray]:
    """Cuts a split into a grid (batches, images in each), filled up with blank images that `valid`
    marks as not counting.
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


def batch_grid(count: int, batch: int = EVALUATION_BATCH) -> tuple[int, int]:
    """(batches, images in each) that hold `count` images."""
    batch = min(batch, count)
    return -(-count // batch), batch
