"""One stack: how it is run, how many of its trials at once, and what it will cost."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from fer_jax.config.search_space import Trial
from fer_jax.plan import candidates, memory, sharing
from fer_jax.plan.candidates import Candidate, Options
from fer_jax.plan.limits import known_limit
from fer_jax.plan.memory import Footprint
from fer_jax.plan.plan import DataSizes, Stack, Wave
from fer_jax.plan.tuning import Tuner
from fer_jax.plan.work import COUNTED_BATCH, Work, optional_fields, work_of
from fer_jax.train import stream
from fer_jax.train.hardware import Hardware

# Share of a float32 matrix product's rate that a training step reaches on a CPU, and seconds to
# compile a stack there: rough numbers from two cores (benchmarks/throughput.py, roofline.py), where
# the share, of direct convolutions' operations, was .6 for oslo's network at 24 pixels, .85 at 48,
# and .75 for silvestro's.
CPU_EFFICIENCY = 0.6
COMPILE_SECONDS = 7.0
# Floating-point operations a second of an accelerator, by precision, predicted and not timed:
# oslo's network (62.4 MFLOP an image) side by side, in the programs that XLA compiles for an H200,
# each kernel given the longest of its launch, bytes and operations (docs/gpu.md: 368,000 to 415,000
# images/s in float32, 616,000 in TF32, 1,133,000 in bfloat16). A plan's time is not estimated with
# it, only which stacks are measured, and for how long.
ACCELERATOR_RATES = {"float32": 25e12, "tf32": 38e12, "bfloat16": 71e12}
# Images at once at which a step of these programs takes twice what its images alone would: the
# kernels' launches take .14 ms of a step of oslo's network, an image 2.4 us.
LAUNCH_IMAGES = 58
# One trial after another, a wave's epoch should not keep the user waiting for a sign of life.
MAP_WAVE_SECONDS = 20.0
# Of the memory: what an estimate may fill, what the compiler's own numbers may fill, and from
# where on an estimate is worth replacing by two compilations.
ESTIMATED_SHARE = 0.6
ANALYSED_SHARE = 0.8
WORTH_ANALYSING = 0.1
# Where the estimate for a single trial is so many times the memory, no exact number makes it fit.
HOPELESS = 1.5
# Seconds that a wave of the last, odd trials must save, so that another program to compile and
# another start are worth it.
WORTH_A_WAVE = 30.0


def predicted_seconds(flops: float, devices: int, precision: str, images: int) -> float:
    """Returns how long accelerators take for so many operations, by `ACCELERATOR_RATES`.

    Args:
        flops: floating-point operations of the whole training.
        devices: that share it.
        precision: of train.precision.
        images: of a step on one device, over all its trials.
    """
    return flops * (1 + LAUNCH_IMAGES / images) / (ACCELERATOR_RATES[precision] * devices)


def plan_stack(
    name: str,
    shape: Mapping[str, Any],
    group: Mapping[str, Trial],
    data: DataSizes,
    options: Options,
    hardware: Hardware,
    tuner: Tuner | None = None,
) -> Stack:
    """Plans the trials of one stack; arguments are as for `make.make_plan` and `Stack`."""
    values = next(iter(group.values())).values
    optional = optional_fields(group.values())
    work = work_of(values, optional, data, len(group))
    # The host devices of a CPU share its memory.
    free = hardware.memory / (hardware.devices if hardware.backend == "cpu" else 1)
    shares = options.data != "stream" and stream.fits(data.bytes, free) and sharing.shares(work, group.values())
    if shares:
        work = dataclasses.replace(work, shares=True, cut=sharing.cut(work, group.values(), data, free))
    candidates.check(options, work, hardware)
    images = sum(trial.values["train.epochs"] for trial in group.values()) * work.images
    case = _Case(name, work, data, options, hardware, tuner, images)

    chosen, rate = case.choose()
    count, width = case.waves(chosen, rate)
    one = work.cost(chosen.micro_batch)
    footprint = case.footprint(chosen.engine, chosen.devices, chosen.micro_batch, width)[0]
    return Stack(
        name=name,
        shape=dict(shape),
        optional=optional,
        engine=chosen.engine,
        devices=chosen.devices,
        micro_batch=chosen.micro_batch,
        width=width,
        parameters=one.parameters,
        flops=case.flops,
        images=images,
        memory=footprint.at(math.ceil(width / chosen.devices)),
        seconds=case.seconds(chosen, rate),
        waves=_cut(name, list(group), count, chosen.parts, *case.rest(chosen, rate)),
        chosen_by="measured" if rate else ", ".join(options.given) or "table",
        images_per_second=rate,
        data=case.placing(chosen.devices),
        frozen=("shared" if shares else "own") if work.recipe.always_frozen else "",
        cut=work.cut,
        trial_bytes=round(case.side_by_side.per_trial),
    )


def cut_again(
    stack: Stack, group: Mapping[str, Trial], data: DataSizes, options: Options, hardware: Hardware
) -> tuple[Wave, ...]:
    """Returns waves for some of a stack's trials, which are run as the stack is; none is wider.

    Args:
        stack: as it was planned.
        group: id -> trial, at least one.
        data, options, hardware: as for `make.make_plan`.
    """
    work = work_of(next(iter(group.values())).values, stack.optional, data, len(group))
    work = dataclasses.replace(work, shares=stack.frozen == "shared", cut=stack.cut)
    images = sum(trial.values["train.epochs"] for trial in group.values()) * work.images
    case = _Case(stack.name, work, data, options, hardware, None, images)
    at_once = stack.width
    if stack.engine == "map":
        # Where there are fewer trials than devices, several compute one, if that pays.
        spare = stack.devices // min(len(group), stack.devices)
        at_once = stack.devices // candidates.parts_of(work, spare, hardware)
    chosen, rate = Candidate(stack.engine, stack.devices, stack.micro_batch, at_once), stack.images_per_second
    left, parts = case.rest(chosen, rate)
    together = stack.devices // chosen.parts
    count = max(case.waves(chosen, rate)[0], math.ceil((len(group) - left) / max(together, stack.width)))
    width = math.ceil((len(group) - left) / (count * together)) * together
    waves = _cut(stack.name, list(group), count, chosen.parts, left, parts)
    return tuple(wave if wave.width else dataclasses.replace(wave, width=width) for wave in waves)


@dataclasses.dataclass(frozen=True)
class _Case:
    """A stack to be planned; `images` are those of all its trials and epochs."""

    name: str
    work: Work
    data: DataSizes
    options: Options
    hardware: Hardware
    tuner: Tuner | None
    images: int

    @property
    def flops(self) -> float:
        """Floating-point operations of all trials and epochs, training and validation."""
        # An image's are the same in every batch, so one tracing serves stacks that differ in batch
        # size.
        epochs = self.images / self.work.images
        weights = [phase.epochs for phase in self.work.recipe.phases]
        total = sum(weights)
        if not total:
            return self._epoch_flops(0) * epochs
        return sum(self._epoch_flops(phase) * epochs * weight / total for phase, weight in enumerate(weights))

    def _epoch_flops(self, phase: int) -> float:
        work = dataclasses.replace(self.work, recipe=self.work.recipe.of_phase(phase))
        one = work.cost(COUNTED_BATCH)
        return one.train_flops * work.images + one.evaluation_flops * work.validation

    @property
    def side_by_side(self) -> Footprint:
        """Bytes of trials that are computed at once, whole batches, as on an accelerator."""
        return memory.estimate(self.work.cost(0), self._inputs_bytes, "vmap")

    @property
    def _inputs_bytes(self) -> int:
        """Bytes of all the network's inputs: images, or outputs of the layer where it is cut."""
        if not self.work.cut:
            return self.data.bytes
        return sharing.feature_bytes(self.work, self.data)

    def choose(self) -> tuple[Candidate, float]:
        """Returns how the stack is run, and the rate measured for it; 0 where the table decides."""
        table = self._table()
        if self.tuner is None or self._long <= self.tuner.threshold:
            return table, 0.0
        ladders = [
            tuple(one for one in ladder if one == table or self._has_room(one))
            for ladder in candidates.ladders(self.work, self.options, self.hardware, self.fitting)
        ]
        if len({candidate for ladder in ladders for candidate in ladder}) == 1:
            return table, 0.0
        rates = self.tuner.rates(self.name, self.work, ladders, self._long)
        if not rates:
            return table, 0.0
        return max(rates.items(), key=lambda item: item[1] * self.busy(*item))

    def _table(self) -> Candidate:
        """Returns the table's choice, on so few devices that their trials fit, at least one.

        The host devices of a CPU share its memory, and each computes a trial of its own.
        """
        found = candidates.from_table(self.work, self.options, self.hardware, self.fitting)
        while found.devices > 1 and not self.options.devices and not self._has_room(found):
            fewer = dataclasses.replace(self.options, devices=found.devices // 2)
            found = candidates.from_table(self.work, fewer, self.hardware, self.fitting)
        return found

    def _has_room(self, one: Candidate) -> bool:
        """Returns whether one trial a device fits; the compiler is asked only if in doubt."""
        if self.hardware.backend != "cpu":
            return True
        free = self._free(one.devices)
        estimated = memory.estimate(self.work.cost(one.micro_batch), self._resident_bytes(one.devices), one.engine)
        width = one.width if one.engine != "map" else one.devices
        at_once = math.ceil(width / one.devices)
        if estimated.at(at_once) <= free:
            return True
        return self.footprint(one.engine, one.devices, one.micro_batch, width)[0].at(at_once) <= free

    @property
    def _long(self) -> float:
        """Seconds of training by what is known before measuring, on an accelerator a prediction."""
        known = self._busy_seconds(0.0)
        recipe, devices = self.work.recipe, self.hardware.devices
        at_once = max(1, min(self.work.trials // devices * recipe.batch_size, candidates.VMAP_IMAGES))
        return known or predicted_seconds(self.flops, devices, recipe.precision, at_once)

    def seconds(self, chosen: Candidate, rate: float) -> float:
        """Returns the estimated duration; 0 where nothing is known of the rate."""
        training = self._busy_seconds(rate)
        if rate:
            training /= self.busy(chosen, rate)
        return training + COMPILE_SECONDS if training else 0.0

    def _busy_seconds(self, rate: float) -> float:
        """Returns the estimated duration of the training with all slots busy.

        It is 0 where nothing is known of the rate.
        """
        if rate:
            return self.images / rate
        estimated = self.hardware.product_rate * CPU_EFFICIENCY
        return self.flops / estimated if estimated else 0.0

    def busy(self, chosen: Candidate, rate: float) -> float:
        """Returns the share of the slots that hold a trial."""
        count, width = self.waves(chosen, rate)
        left, parts = self.rest(chosen, rate)
        return self.work.trials / (count * width + (chosen.devices / parts if left else 0))

    def waves(self, chosen: Candidate, rate: float) -> tuple[int, int]:
        """Returns the number of waves and their slots, `rest` apart.

        They are as few waves as the width allows, no wider than they need be: fewer slots are idle
        than waves x trials at once, and no narrower width would do with as many waves.
        """
        at_once, trials = chosen.devices // chosen.parts, self.work.trials - self.rest(chosen, rate)[0]
        most = self.options.width or self._most(chosen, rate)
        most = max(at_once, most // at_once * at_once)
        count = math.ceil(trials / most)
        return count, math.ceil(trials / (count * at_once)) * at_once

    def rest(self, chosen: Candidate, rate: float) -> tuple[int, int]:
        """Returns the number of last trials that would leave devices idle, and each one's devices.

        They make a wave of their own. It is (0, 1) where there are none.
        """
        left = self.work.trials % chosen.devices
        if chosen.engine != "map" or chosen.parts > 1 or not left or self.options.width:
            return 0, 1
        parts = candidates.parts_of(self.work, chosen.devices // left, self.hardware)
        alone = self._busy_seconds(rate) * chosen.devices / self.work.trials
        return (left, parts) if alone * (1 - 1 / parts) > WORTH_A_WAVE else (0, 1)

    def _most(self, chosen: Candidate, rate: float) -> int:
        """Returns how many trials are worth holding together."""
        if chosen.engine != "map":
            return chosen.width
        at_once = chosen.devices // chosen.parts
        wanted = math.ceil(self.work.trials / at_once) * at_once
        if epoch := self._busy_seconds(rate) * self.work.images / self.images:
            wanted = min(wanted, max(at_once, int(MAP_WAVE_SECONDS / epoch)))
        return self.fitting(chosen.engine, chosen.devices, chosen.micro_batch, wanted)

    def fitting(self, engine: str, devices: int, micro_batch: int, wanted: int) -> int:
        """Returns how many trials fit, by memory and by what is remembered of an out-of-memory.

        It is a `candidates.Limit`.
        """
        footprint, share = self.footprint(engine, devices, micro_batch, wanted)
        most = footprint.most(self._free(devices) * share)
        if self.tuner is not None:
            how = engine, micro_batch, self.placing(devices)
            most = min(most, known_limit(self.tuner.measurements, self.hardware, self.work, *how) or most)
        return min(wanted, most * devices)

    def footprint(self, engine: str, devices: int, micro_batch: int, wanted: int) -> tuple[Footprint, float]:
        """Returns the bytes on one device, and the share of the memory that they may fill.

        The compiler is asked only where the estimate for the trials wanted at once is no small part
        of the memory, and a single trial may fit at all: for large networks it takes minutes.
        """
        streamed, input_bytes = self.placing(devices) == "stream", self._resident_bytes(devices)
        estimated = memory.estimate(self.work.cost(micro_batch), input_bytes, engine)
        free = self._free(devices)
        in_doubt = estimated.at(math.ceil(wanted / devices)) > WORTH_ANALYSING * free
        if self.tuner is not None and in_doubt and estimated.at(1) <= HOPELESS * free:
            work, test_bytes = (
                self._in_chunks(input_bytes) if streamed else (self.work, self.data.test * self._image_bytes)
            )
            if found := self.tuner.footprint(self.name, work, engine, micro_batch, test_bytes):
                return found, ANALYSED_SHARE
        return estimated, ESTIMATED_SHARE

    def _resident_bytes(self, devices: int) -> int:
        """Returns the bytes of the network's inputs that a device holds at a time."""
        streamed = self.placing(devices) == "stream"
        return stream.bytes_on_device(self.data.bytes) if streamed else self._inputs_bytes

    def placing(self, devices: int) -> str:
        """Returns where the images are: `Stack.data`."""
        if self.options.data != "auto":
            return self.options.data
        if self.work.shares:
            return "resident"
        return "resident" if stream.fits(self.data.bytes, self._free(devices)) else "stream"

    def _in_chunks(self, input_bytes: int) -> tuple[Work, int]:
        """Returns the work from which the compiler tells the memory, and the bytes beside it.

        Its resident data set is as large as the chunks that a device holds of the streamed one.
        """
        images = max(self.work.recipe.batch_size, input_bytes // self._image_bytes)
        return dataclasses.replace(self.work, train=images, validation=1), 0

    @property
    def _image_bytes(self) -> int:
        return math.prod(self.data.image_shape)

    def _free(self, devices: int) -> float:
        """Returns the bytes for one device: the host devices of a CPU share its memory."""
        return self.hardware.memory / (devices if self.hardware.backend == "cpu" else 1)


def _cut(stack: str, trials: Sequence[str], count: int, parts: int, left: int, parts_of_left: int) -> tuple[Wave, ...]:
    """Returns waves of nearly equal size, and one of the trials that are left for it.

    The remainder is spread and not left to the last.
    """
    first = len(trials) - left
    edges = [round(index * first / count) for index in range(count + 1)]
    waves = [
        Wave(f"{stack}-wave_{index}", tuple(trials[start:end]), parts=parts)
        for index, (start, end) in enumerate(zip(edges, edges[1:], strict=False))
    ]
    if left:
        waves.append(Wave(f"{stack}-wave_{count}", tuple(trials[first:]), left, parts_of_left))
    return tuple(waves)
