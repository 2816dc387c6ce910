"""The ways to run a stack: the shipped table's, and those worth measuring against it."""

import dataclasses
import math
from collections.abc import Callable

from fer_jax.base.text import counted
from fer_jax.errors import ConfigError
from fer_jax.plan.work import COUNTED_BATCH, Work, has_statistics
from fer_jax.train.engine import ENGINES
from fer_jax.train.hardware import Hardware

# The table's numbers, see `from_table`: of 48x48 pixels 8 images.
CPU_MICRO_BATCH = 8
CPU_PIXELS = CPU_MICRO_BATCH * 48**2
# Counted for an accelerator, not timed: 8,192 images at once are 2 % faster and take four times the
# memory.
VMAP_IMAGES = 2048
# On a CPU it is only taken where the user asks for it, in as few waves as memory allows.
CPU_VMAP_IMAGES = 8192

# Devices that compute a trial together, and of every batch on each of them: images, and operations
# that pay for the exchange of one weight's gradient (benchmarks/throughput.py: 570 were 1.3 times
# as fast as one device, 190 half as fast).
MOST_PARTS = 4
LEAST_PART = 4
LEAST_FLOPS_A_WEIGHT = 400

MICRO_BATCHES = (8, 16, 32, 0)  # 0 is the whole batch
CPU_WIDTH = 2
# From one width to the next that is tried on an accelerator, where each takes 20 s or more to
# compile.
WIDER = 4


@dataclasses.dataclass(frozen=True)
class Options:
    """`stack.*` of the config; 0 and 'auto' leave the choice to the planner."""

    engine: str = "auto"
    width: int = 0
    devices: int = 0
    micro_batch: int = 0
    data: str = "auto"

    @property
    def given(self) -> tuple[str, ...]:
        """Names of the fields that the user has set."""
        unset = Options()
        names = (field.name for field in dataclasses.fields(self))
        return tuple(f"stack.{name}" for name in names if getattr(self, name) != getattr(unset, name))


@dataclasses.dataclass(frozen=True)
class Candidate:
    """One way of running a stack.

    Attributes:
        engine: one of `engine.ENGINES`.
        devices: that share a wave.
        micro_batch: images a pass; 0 is the whole batch.
        width: trials in computation at the same time, on all devices together; under 'map' one a
            device, or fewer, see `parts`.
    """

    engine: str
    devices: int
    micro_batch: int
    width: int

    @property
    def parts(self) -> int:
        """Devices that compute each trial together, see `train.batch_parts`."""
        return max(1, self.devices // self.width)

    def __str__(self) -> str:
        batches = f"micro-batches of {self.micro_batch}" if self.micro_batch else "whole batches"
        batches += f", every batch in {self.parts} parts" if self.parts > 1 else ""
        many = "" if self.engine == "map" else f", {counted(self.width, 'trial')} at once"
        return f"{self.engine} x{self.devices} {'device' if self.devices == 1 else 'devices'}, {batches}{many}"


# (engine, devices, micro_batch, trials wanted at once) -> as many of them as fit, at least one a
# device.
Limit = Callable[[str, int, int, int], int]


def check(options: Options, work: Work, hardware: Hardware) -> None:
    """Raises ConfigError for options that this stack or hardware cannot have."""
    batch, wish = work.recipe.batch_size, options.micro_batch
    if wish and batch % wish:
        raise ConfigError(f"stack.micro_batch = {wish} does not divide train.batch_size = {batch}")
    if wish not in (0, batch) and has_statistics(work):
        raise ConfigError("stack.micro_batch: batch normalisation needs the whole batch; leave it at 0")
    if options.devices > hardware.devices:
        raise ConfigError(f"stack.devices = {options.devices}, but this machine has {hardware.devices}")
    if 0 < options.width < options.devices:
        raise ConfigError(
            f"stack.width = {options.width} leaves some of stack.devices = {options.devices} without a trial: raise it"
        )


def from_table(work: Work, options: Options, hardware: Hardware, limit: Limit) -> Candidate:
    """Returns the way to run a stack that needs no measuring; options that are set are kept.

    | backend | engine | batches | because |
    |---|---|---|---|
    | cpu | map | of 8 to 32, by their pixels | memory traffic is the limit: activations in cache |
    | cpu: mlp, BatchNorm | map | whole | few activations to keep; statistics of the whole batch |
    | others | vmap | whole | launching kernels is the limit up to `VMAP_IMAGES` at once |

    It uses all devices. Where there are fewer trials than devices, each trial has one under 'map',
    or several where that pays (`parts_of`); the other engines then take one device.
    """
    cpu, batch = hardware.backend == "cpu", work.recipe.batch_size
    engine = options.engine if options.engine != "auto" else "map" if cpu else "vmap"
    micro_batch = options.micro_batch
    if not micro_batch and cpu and engine == "map" and dict(work.network)["model.name"] != "mlp":
        micro_batch = _cached(work)
    if engine == "map":
        devices, width = _mapped(work, options, hardware)[0]
        part = batch // max(1, devices // width)
        return Candidate(engine, devices, 0 if micro_batch >= part else micro_batch, width)
    micro_batch = 0 if micro_batch == batch else micro_batch
    devices = _devices(work, options, hardware)
    at_once = CPU_VMAP_IMAGES if cpu else VMAP_IMAGES
    most = options.width or max(1, at_once // batch) * devices
    return _vectorised(engine, devices, micro_batch, most, work, options, limit)


def ladders(work: Work, options: Options, hardware: Hardware, limit: Limit) -> tuple[tuple[Candidate, ...], ...]:
    """Returns the candidates worth measuring, the table's choice first.

    They come as ladders, to be climbed for as long as the next rung pays. No candidate contradicts
    an option that is set.
    """
    first = from_table(work, options, hardware, limit)
    if hardware.backend != "cpu":
        return _on_accelerator(first, work, options, hardware, limit)
    engines: tuple[str, ...] = ENGINES if options.engine == "auto" else (options.engine,)
    if options.engine == "auto":
        # XLA's gradient of a grouped convolution is tens of times slower there: a minute to learn
        # what is known.
        engines = tuple(engine for engine in ENGINES if engine != "grouped")
    found: list[tuple[Candidate, ...]] = [(first,)]
    for engine in sorted(engines, key=lambda engine: engine != first.engine):
        if engine == "map":
            for devices, width in _mapped(work, options, hardware):
                part = work.recipe.batch_size // max(1, devices // width)
                for sizes in _tried_micro_batches(first, work, options):
                    found.append(tuple(Candidate(engine, devices, size, width) for size in sizes if size < part))
        else:
            devices = _devices(work, options, hardware)
            micro_batch = 0 if options.micro_batch == work.recipe.batch_size else options.micro_batch
            # Wider only loses: memory traffic is the limit.
            width = options.width or CPU_WIDTH * devices
            found.append((_vectorised(engine, devices, micro_batch, width, work, options, limit),))
    # A ladder that begins with the table's choice needs no second one for it; nor does one that
    # leads nowhere.
    found = [ladder for ladder in dict.fromkeys(found) if ladder]
    return tuple(found[1:] if len(found) > 1 and found[1][:1] == found[0] else found)


def _on_accelerator(
    first: Candidate, work: Work, options: Options, hardware: Hardware, limit: Limit
) -> tuple[tuple[Candidate, ...], ...]:
    """Returns the candidates that can pay on an accelerator, see `ladders`.

    They are the table's and wider ones, the other way of convolutions at the table's width, and
    narrower ones, for which the tuner has no time if a wider one paid. One trial after another is
    bound by the launches of its kernels, so it is among them only where few go side by side.
    """
    if first.engine == "map":
        return ((first,),)

    def at(engine: str, width: int) -> Candidate:
        return _vectorised(engine, first.devices, first.micro_batch, width, work, options, limit)

    wider, narrower = [first], [first]
    while not options.width and (one := at(first.engine, WIDER * wider[-1].width)).width > wider[-1].width:
        wider.append(one)
    while not options.width and narrower[-1].width >= WIDER**2 * first.devices:
        narrower.append(at(first.engine, narrower[-1].width // WIDER))
    found = [wider]
    if options.engine == "auto":
        found += [[at(engine, first.width)] for engine in ENGINES if engine not in ("map", first.engine)]
    if len(narrower) > 1:
        found.append(narrower)
    if options.engine == "auto" and first.width <= WIDER * first.devices:
        mapped = _mapped(work, options, hardware)
        found.append([Candidate("map", devices, first.micro_batch, width) for devices, width in mapped])
    return tuple(map(tuple, found))


def _devices(work: Work, options: Options, hardware: Hardware) -> int:
    """Returns how many devices can have a trial each at once, one if the trials are too few."""
    most = min(hardware.devices, options.width or hardware.devices)
    return options.devices or (most if work.trials >= most else 1)


def _mapped(work: Work, options: Options, hardware: Hardware) -> tuple[tuple[int, int], ...]:
    """Returns (devices, trials at once) under 'map', the table's choice first.

    On a CPU what is worth measuring against it follows.
    """
    most = options.devices or hardware.devices
    width = min(most, options.width or most, work.trials)
    parts = parts_of(work, most // width, hardware) if width == work.trials else 1
    if options.devices:
        # Where they cannot share a trial, some stay idle, as the user wants it.
        return ((most, width if width * parts == most else most),)
    if hardware.backend != "cpu":
        width = _devices(work, options, hardware)
        return ((width, width),)
    return tuple(dict.fromkeys([(width * parts, width), (width, width), (1, 1)]))


def parts_of(work: Work, most: int, hardware: Hardware) -> int:
    """Returns into how many parts a batch is best cut where each trial can have `most` devices.

    It is 1 where exchanging gradients costs too much.
    """
    if hardware.backend != "cpu" or has_statistics(work):
        return 1
    batch, one = work.recipe.batch_size, work.cost(COUNTED_BATCH)

    def pays(parts: int) -> bool:
        part = batch // parts
        return (
            batch % parts == 0
            and part >= LEAST_PART
            and part * one.train_flops >= LEAST_FLOPS_A_WEIGHT * one.parameters
        )

    return max([1, *(parts for parts in range(2, min(most, MOST_PARTS) + 1) if pays(parts))])


def _vectorised(
    engine: str, devices: int, micro_batch: int, most: int, work: Work, options: Options, limit: Limit
) -> Candidate:
    # More slots than trials would only compute for nobody; a width that the user has set needs no
    # leave of ours.
    wanted = min(most, -(-work.trials // devices) * devices)
    most = wanted if options.width else limit(engine, devices, micro_batch, wanted)
    return Candidate(engine, devices, micro_batch, max(devices, most // devices * devices))


def _cached(work: Work) -> int:
    """Returns the largest micro-batch whose activations stay in cache, as far as pixels tell.

    It is 0 for the whole batch.
    """
    pixels, sizes = math.prod(work.image_shape[:2]), [size for size in _micro_batches(work) if size]
    if not sizes or work.recipe.batch_size * pixels <= CPU_PIXELS:
        return 0
    return max([size for size in sizes if size * pixels <= CPU_PIXELS] or sizes[:1])


def _micro_batches(work: Work) -> tuple[int, ...]:
    """Returns the sizes into which a batch may be cut, and 0."""
    batch = work.recipe.batch_size
    if has_statistics(work):
        return (0,)
    return tuple(size for size in MICRO_BATCHES if not size or (size < batch and batch % size == 0))


def _tried_micro_batches(first: Candidate, work: Work, options: Options) -> tuple[tuple[int, ...], ...]:
    """Returns the sizes from the table's on to larger ones, and to smaller ones."""
    if options.micro_batch:
        return ((first.micro_batch,),)
    sizes = _micro_batches(work)
    place = sizes.index(first.micro_batch if first.engine == "map" else 0)
    return tuple(dict.fromkeys([sizes[place:], sizes[place::-1]]))
