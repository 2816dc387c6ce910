"""Trials -> stacks -> waves: what will run together, on what, in which order, and what it will cost.

A stack holds the trials whose arrays have the same shapes; a wave is as many of them as the device takes at once. A plan is
made once, stored, and followed by every later start of the same run, so that a resumed wave is the wave that was interrupted.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

from fer_jax import models
from fer_jax.config import FIELDS
from fer_jax.data import stream
from fer_jax.errors import ConfigError
from fer_jax.search.space import Trial
from fer_jax.train import cost
from fer_jax.train.hardware import Hardware
from fer_jax.train.recipe import Recipe
from fer_jax.words import counted, in_bytes, in_flops, in_time

# Share of a float32 matrix product's rate that a training step reaches on a CPU, and seconds to compile a stack there: rough
# figures from oslo's network on two noisy cores (benchmarks/throughput.py), where the share lay between .35 and .45.
CPU_EFFICIENCY = 0.4
CPU_COMPILE_SECONDS = 7.0
# On a CPU a wave's epoch should not keep the user waiting for a sign of life.
CPU_WAVE_SECONDS = 20.0
CPU_MICRO_BATCH = 8
# One small model is bound by the launching of kernels until width times batch reaches a few thousand images.
VMAP_IMAGES = 8192
MEMORY_SHARE = 0.6


@dataclasses.dataclass(frozen=True)
class DataSizes:
    """Sizes of a data set: image_shape (height, width, channels), number of classes, and images in each split."""

    image_shape: tuple[int, int, int]
    num_classes: int
    train: int
    validation: int
    test: int

    @property
    def bytes(self) -> int:
        return (self.train + self.validation + self.test) * math.prod(self.image_shape)


@dataclasses.dataclass(frozen=True)
class Options:
    """`stack.*` of the config; 0 and 'auto' leave the choice to the planner."""

    engine: str = "auto"
    width: int = 0
    devices: int = 0
    micro_batch: int = 0
    data: str = "auto"


@dataclasses.dataclass(frozen=True)
class Wave:
    """Trials that are on the device together; the unit of checkpoint and resume."""

    name: str
    trials: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Stack:
    """Trials served by one compiled program.

    Attributes:
      name: 'stack_0', 'stack_1', ... in running order.
      shape: the shape fields in which this stack differs from others of the plan.
      optional: traced fields compiled in because some trial uses them.
      engine, devices, micro_batch: how it is run.
      width: slots of a wave, a multiple of `devices`; slots without a trial stay empty.
      parameters: trainable parameters of one network.
      flops: floating-point operations of the whole stack, training and validation.
      images: training images passed forward and backward, summed over trials and epochs.
      memory: estimated bytes on one device while a wave runs.
      seconds: estimated duration; 0 where this hardware has not been measured.
      waves: in running order.
      data: 'resident', whole on every device, or 'stream', in chunks.
    """

    name: str
    shape: Mapping[str, Any]
    optional: tuple[str, ...]
    engine: str
    devices: int
    micro_batch: int
    width: int
    parameters: int
    flops: float
    images: int
    memory: int
    seconds: float
    waves: tuple[Wave, ...]
    data: str = "resident"

    @property
    def trials(self) -> tuple[str, ...]:
        return tuple(trial for wave in self.waves for trial in wave.trials)


@dataclasses.dataclass(frozen=True)
class Plan:
    """All stacks of a run in running order, and the hardware they were planned for."""

    stacks: tuple[Stack, ...]
    hardware: str

    @property
    def trials(self) -> tuple[str, ...]:
        return tuple(trial for stack in self.stacks for trial in stack.trials)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Plan":
        """Rebuilds what `to_json` gave, also after a trip through a JSON file (which turns tuples into lists)."""
        stacks = []
        for stack in document["stacks"]:
            waves = tuple(Wave(wave["name"], tuple(wave["trials"])) for wave in stack["waves"])
            stacks.append(Stack(**{**stack, "optional": tuple(stack["optional"]), "waves": waves}))
        return cls(tuple(stacks), document["hardware"])


def make_plan(
    trials: Mapping[str, Trial], sizes: Callable[[Trial], DataSizes], options: Options, hardware: Hardware, first_stack: int = 0
) -> Plan:
    """Groups trials into stacks and cuts these into waves.

    Args:
      trials: id -> trial, in the order of the sweep.
      sizes: the sizes of the data set a trial uses.
      options: the user's wishes.
      hardware: what there is to run on.
      first_stack: number of the first stack, for a plan that extends another.

    Raises:
      ConfigError: a number of devices or a micro-batch that does not fit.
    """
    groups: dict[Hashable, dict[str, Trial]] = {}
    for identity, trial in trials.items():
        groups.setdefault(trial.shape_key(), {})[identity] = trial
    differing = _differing(trial for trial in trials.values())
    stacks = []
    for number, group in enumerate(groups.values(), first_stack):
        values = next(iter(group.values())).values
        shape = {name: values[name] for name in differing}
        data = sizes(next(iter(group.values())))
        stacks.append(_plan_stack(f"stack_{number}", shape, group, data, options, hardware))
    return Plan(tuple(stacks), f"{hardware.devices} x {hardware.kind}")


def check(trials: Iterable[Trial], sizes: Callable[[Trial], DataSizes]) -> None:
    """Raises ConfigError where a batch is larger than the training split: nothing would be left to train on."""
    for trial in trials:
        batch, count = trial.values["train.batch_size"], sizes(trial).train
        if batch > count:
            raise ConfigError(
                f"train.batch_size = {batch} is more than the {count} training images: "
                "lower it, or train on more images (data.train_size, data.fraction)"
            )


def recipe_of(values: Mapping[str, Any], optional: Iterable[str], micro_batch: int) -> Recipe:
    """What the trainer compiles for a stack with these shape values."""
    return Recipe(
        batch_size=values["train.batch_size"],
        optimizer=values["train.optimizer"],
        schedule=values["train.schedule"],
        select=values["train.select"],
        stop_metric=values["train.stop_metric"],
        optional=tuple(optional),
        micro_batch=micro_batch,
    )


def traced_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The traced fields of a trial: what its stack's program takes as arguments."""
    return {name: value for name, value in values.items() if FIELDS[name].kind == "traced"}


def optional_fields(trials: Iterable[Trial]) -> tuple[str, ...]:
    """The traced fields with a block of computation of their own that some trial uses, in the order of `FIELDS`."""
    values = [trial.values for trial in trials]
    blocks = [field for field in FIELDS.values() if field.neutral is not None]
    return tuple(
        field.name for field in blocks if any(one[field.name] != field.neutral and field.has_effect(one) for one in values)
    )


def _differing(trials: Iterable[Trial]) -> list[str]:
    """Shape fields that do not have the same value in all trials."""
    distinct = [trial.values for trial in {trial.shape_key(): trial for trial in trials}.values()]
    shape = (name for name, field in FIELDS.items() if field.kind == "shape")
    return [name for name in shape if any(values[name] != distinct[0][name] for values in distinct)]


def _plan_stack(
    name: str,
    shape: Mapping[str, Any],
    group: Mapping[str, Trial],
    data: DataSizes,
    options: Options,
    hardware: Hardware,
) -> Stack:
    values = next(iter(group.values())).values
    batch = values["train.batch_size"]
    engine = options.engine if options.engine != "auto" else "map" if hardware.backend == "cpu" else "vmap"
    micro_batch = _micro_batch(values, data, engine, options, hardware)
    optional = optional_fields(group.values())
    one = _cost(_network_values(values), data.image_shape, data.num_classes, recipe_of(values, optional, micro_batch))
    steps = data.train // batch
    per_epoch = one.train_flops * steps * batch + one.evaluation_flops * data.validation
    epochs = [trial.values["train.epochs"] for trial in group.values()]
    flops = per_epoch * sum(epochs)
    rate = hardware.product_rate * CPU_EFFICIENCY

    devices = _devices(len(group), options, hardware)
    placing = _placing(data, devices, options, hardware)
    pictures = data.bytes if placing == "resident" else stream.bytes_on_device(data.bytes)
    most = _most_at_once(one, pictures, batch, engine, devices, per_epoch / rate if rate else 0.0, hardware)
    width = min(options.width or most, len(group))
    count = math.ceil(len(group) / width)
    width = math.ceil(math.ceil(len(group) / count) / devices) * devices
    waves = _cut(name, list(group), count)
    resident = pictures + one.state_bytes * width // devices
    at_once = 1 if engine == "map" else width // devices
    return Stack(
        name=name,
        shape=dict(shape),
        optional=optional,
        engine=engine,
        devices=devices,
        micro_batch=micro_batch,
        width=width,
        parameters=one.parameters,
        flops=flops,
        images=sum(epochs) * steps * batch,
        memory=resident + one.step_bytes * at_once,
        seconds=flops / rate + CPU_COMPILE_SECONDS if rate else 0.0,
        waves=waves,
        data=placing,
    )


def _network_values(values: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple((name, value) for name, value in values.items() if name.startswith("model.") and FIELDS[name].kind == "shape")


def _cost(network: tuple[tuple[str, Any], ...], image_shape: tuple[int, int, int], num_classes: int, recipe: Recipe) -> cost.Cost:
    """`cost.measure`, once for all stacks that push the same number of images through the same network."""
    images = recipe.micro_batch or recipe.batch_size
    return _measured(network, image_shape, num_classes, dataclasses.replace(recipe, batch_size=images, micro_batch=0))


@functools.cache
def _measured(
    network: tuple[tuple[str, Any], ...], image_shape: tuple[int, int, int], num_classes: int, recipe: Recipe
) -> cost.Cost:
    return cost.measure(models.build(dict(network), image_shape, num_classes), recipe)


def _micro_batch(values: Mapping[str, Any], data: DataSizes, engine: str, options: Options, hardware: Hardware) -> int:
    batch, wish = values["train.batch_size"], options.micro_batch
    whole = models.build(values, data.image_shape, data.num_classes).has_statistics
    if wish:
        if batch % wish:
            raise ConfigError(f"stack.micro_batch = {wish} does not divide train.batch_size = {batch}")
        if whole and wish != batch:
            raise ConfigError("stack.micro_batch: batch normalisation needs the whole batch; leave it at 0")
        return 0 if wish == batch else wish
    # A few images' activations stay in the processor's cache; a fully connected network has few activations to keep.
    small = engine == "map" and hardware.backend == "cpu" and values["model.name"] != "mlp" and not whole
    return CPU_MICRO_BATCH if small and batch > CPU_MICRO_BATCH and batch % CPU_MICRO_BATCH == 0 else 0


def _devices(trials: int, options: Options, hardware: Hardware) -> int:
    if options.devices > hardware.devices:
        raise ConfigError(f"stack.devices = {options.devices}, but this machine has {hardware.devices}")
    # With fewer trials than devices, one trial has the whole machine's matrix product.
    return options.devices or (hardware.devices if trials >= hardware.devices else 1)


def _placing(data: DataSizes, devices: int, options: Options, hardware: Hardware) -> str:
    """Where the pictures of a stack are: `Stack.data`."""
    if options.data != "auto":
        return options.data
    # The host devices of a CPU hold a copy each in the one memory they share.
    copies = devices if hardware.backend == "cpu" else 1
    return "resident" if stream.fits(data.bytes * copies, hardware.memory) else "stream"


def _most_at_once(
    one: cost.Cost, pictures: int, batch: int, engine: str, devices: int, epoch_seconds: float, hardware: Hardware
) -> int:
    """Trials that fit on the devices together, beside so many bytes of pictures on each, and are worth holding together."""
    shared = devices if hardware.backend != "cpu" else 1
    free = hardware.memory * MEMORY_SHARE * shared - pictures * devices
    per_trial = one.state_bytes + (one.step_bytes if engine == "vmap" else 0)
    fitting = max(devices, int(free / per_trial))
    if engine == "vmap":
        return min(fitting, max(1, VMAP_IMAGES // batch) * devices)
    if not epoch_seconds:
        return fitting
    return min(fitting, max(devices, int(CPU_WAVE_SECONDS / epoch_seconds) // devices * devices))


def _cut(stack: str, trials: Sequence[str], count: int) -> tuple[Wave, ...]:
    """Waves of nearly equal size: the remainder is spread, not left to the last."""
    edges = [round(index * len(trials) / count) for index in range(count + 1)]
    return tuple(
        Wave(f"{stack}-wave_{index}", tuple(trials[start:end]))
        for index, (start, end) in enumerate(zip(edges, edges[1:], strict=False))
    )


def describe(plan: Plan) -> str:
    """The plan as a table for people, a line a stack, and its totals."""
    head = ("stack", "trials", "waves", "engine", "devices", "width", "micro", "parameters", "memory", "FLOPs", "time", "shape")
    rows = [head]
    for stack in plan.stacks:
        shape = ", ".join(f"{name}={value}" for name, value in stack.shape.items())
        compiled = ", ".join(name.rpartition(".")[2] for name in stack.optional)
        rows.append(
            (
                stack.name,
                str(len(stack.trials)),
                str(len(stack.waves)),
                stack.engine,
                str(stack.devices),
                str(stack.width),
                str(stack.micro_batch or "-"),
                f"{stack.parameters:,}",
                in_bytes(stack.memory),
                in_flops(stack.flops),
                in_time(stack.seconds) if stack.seconds else "?",
                " ".join(filter(None, (shape, f"[{compiled}]" if compiled else "", "data streamed" if stack.data == "stream" else ""))),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(head) - 1)]
    lines = ["  ".join([*(cell.rjust(w) for cell, w in zip(row, widths, strict=False)), row[-1]]).rstrip() for row in rows]
    seconds = sum(stack.seconds for stack in plan.stacks)
    known = all(stack.seconds for stack in plan.stacks)
    total = f"about {in_time(seconds)}" if known else "time unknown: this hardware has not been measured"
    flops = in_flops(sum(stack.flops for stack in plan.stacks))
    images = sum(stack.images for stack in plan.stacks)
    lines.append(
        f"{counted(len(plan.trials), 'trial')} in {counted(len(plan.stacks), 'stack')} on {plan.hardware}: "
        f"{images:,} training image passes, "
        f"{flops}, {total}"
    )
    return "\n".join(lines)
