"""A plan as data: stacks, waves, and their way to plan.json and back."""

import collections
import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any

from fer_jax.base.text import shown
from fer_jax.errors import RunError
from fer_jax.store.safety import DIGEST, STACK, WAVE, check_name
from fer_jax.train.engine import ENGINES

MOST_SLOTS = 1 << 20  # of a wave
MOST_DEVICES = 1 << 16
MOST_EPOCHS = 1_000_000
# What a stack's words may be; its other fields are numbers from 0 on.
_WORDS = {"engine": ENGINES, "data": ("resident", "stream"), "frozen": ("", "shared", "own")}
_ADVICE = "restore it, or start a new --workdir"


@dataclasses.dataclass(frozen=True)
class DataSizes:
    """The sizes of a data set.

    Attributes:
        image_shape: (height, width, channels).
        num_classes: of the data.
        train, validation, test: images in each split.
    """

    image_shape: tuple[int, int, int]
    num_classes: int
    train: int
    validation: int
    test: int

    @property
    def bytes(self) -> int:
        """The bytes that all images take together, one for each pixel and channel."""
        return (self.train + self.validation + self.test) * math.prod(self.image_shape)


@dataclasses.dataclass(frozen=True)
class Wave:
    """Trials that are on the device together; the unit of checkpoint and resume.

    Attributes:
        name: 'stack_0-wave_0'; halves of it, made where it did not fit into memory, are
            'stack_0-wave_0a' and 'stack_0-wave_0b'.
        trials: their ids, in the order of their slots.
        width: slots, a multiple of the stack's devices, or fewer; 0 for the stack's width.
        parts: devices that compute each of its trials together, see `train.batch_parts`.
        until: epochs after which its trials are compared with others and go on in other waves, or
            leave; 0 where they are trained to their end.
        leaves: whether they have left, and only their results are to be had.
    """

    name: str
    trials: tuple[str, ...]
    width: int = 0
    parts: int = 1
    until: int = 0
    leaves: bool = False

    @property
    def pauses(self) -> bool:
        """Whether its trials wait at its end for what becomes of them."""
        return self.until > 0 and not self.leaves

    def end(self, epochs: int) -> int:
        """Returns the epoch after which a trial of so many ends in this wave."""
        return min(epochs, self.until) if self.until else epochs


@dataclasses.dataclass(frozen=True)
class Stack:
    """Trials served by one compiled program.

    Attributes:
        name: 'stack_0', 'stack_1', ... in running order.
        shape: the shape fields in which this stack differs from others of the plan.
        optional: traced fields compiled in because some trial uses them.
        engine, devices, micro_batch: how it is run.
        width: slots of a wave, a multiple of `devices`, or fewer where several devices compute a
            trial; slots without a trial stay empty.
        parameters: trainable parameters of one network.
        flops: floating-point operations of the whole stack, training and validation.
        images: training images passed forward and backward, summed over trials and epochs.
        memory: estimated bytes on one device while a wave runs.
        seconds: estimated duration; 0 where nothing is known of the rate.
        waves: in running order.
        chosen_by: what decided how it is run: 'measured', the fields of `stack` that the user has
            set, or 'table'.
        images_per_second: the rate that was measured, trials x training images with all slots busy;
            0 where none was.
        data: 'resident', whole on every device, or 'stream', in chunks.
        frozen: layers that are never trained are 'shared' by the trials or each trial's 'own'; ''
            where there are none.
        cut: the layer whose outputs are computed once and trained on instead of images; '' for
            images.
        trial_bytes: estimated bytes that another trial takes where trials are computed side by
            side.
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
    # Plans stored before these fields were there have their defaults.
    chosen_by: str = "table"
    images_per_second: float = 0.0
    data: str = "resident"
    frozen: str = ""
    cut: str = ""
    trial_bytes: int = 0

    @property
    def trials(self) -> tuple[str, ...]:
        """The ids of its trials, wave by wave."""
        return tuple(trial for wave in self.waves for trial in wave.trials)

    @property
    def next_wave(self) -> int:
        """The number that no wave of it has yet, for one that takes the place of others."""
        return 1 + max(int(re.sub(r".*wave_(\d+).*", r"\1", wave.name)) for wave in self.waves)

    def width_of(self, wave: Wave) -> int:
        """Returns the slots of one of its waves."""
        return wave.width or self.width

    def parts_of(self, width: int) -> int:
        """Returns how many devices compute each trial of its waves of so many slots together."""
        return next((wave.parts for wave in self.waves if self.width_of(wave) == width), 1)


@dataclasses.dataclass(frozen=True)
class Plan:
    """All stacks of a run in running order, and the hardware they were planned for."""

    stacks: tuple[Stack, ...]
    hardware: str

    @property
    def trials(self) -> tuple[str, ...]:
        """The ids of all trials, stack by stack."""
        return tuple(trial for stack in self.stacks for trial in stack.trials)

    @property
    def seconds(self) -> float:
        """Its estimated duration; 0 where nothing is known of some stack."""
        known = all(stack.seconds for stack in self.stacks)
        return sum(stack.seconds for stack in self.stacks) if known else 0.0

    def number(self, stack: Stack) -> str:
        """Returns which of its stacks one is, such as '2 of 5'."""
        names = [each.name for each in self.stacks]
        return f"{names.index(stack.name) + 1} of {len(names)}"

    def place(self, stack: Stack, wave: Wave) -> str:
        """Returns where in the plan a wave is, such as 'stack 2 of 5, wave 1 of 3'."""
        names = [each.name for of in self.stacks if of.name == stack.name for each in of.waves]
        of_waves = f", wave {names.index(wave.name) + 1} of {len(names)}" if len(names) > 1 else ""
        return f"stack {self.number(stack)}{of_waves}"

    def to_json(self) -> dict[str, Any]:
        """Returns the plan as JSON can hold it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Plan":
        """Returns the plan that `to_json` gave, also after a trip through a JSON file.

        Such a file turns tuples into lists. Names become parts of paths and numbers sizes of
        arrays, so that nothing is taken over that no plan of this program has.

        Raises:
            RunError: something in it is missing, of another kind or out of range, or a name is none
                that a plan gives, or given twice.
        """
        stacks = []
        try:
            for stack in document["stacks"]:
                waves = tuple(Wave(**{**wave, "trials": tuple(wave["trials"])}) for wave in stack["waves"])
                stacks.append(Stack(**{**stack, "optional": tuple(stack["optional"]), "waves": waves}))
            plan = cls(tuple(stacks), document["hardware"])
        except (KeyError, TypeError, AttributeError) as error:
            raise RunError(f"plan.json is no plan of this version ({error}): {_ADVICE}") from None
        _check(plan)
        return plan


def _check(plan: Plan) -> None:
    """Raises RunError where a plan that was read has a name or a number that no plan has."""
    for stack in plan.stacks:
        check_name(STACK, "stack", stack.name, "plan.json")
        for name, words in _WORDS.items():
            if getattr(stack, name) not in words:
                raise RunError(f"plan.json: {name} of {stack.name} must be one of {', '.join(words)}: {_ADVICE}")
        sizes = {"devices": (1, MOST_DEVICES), "width": (1, MOST_SLOTS), "micro_batch": (0, MOST_SLOTS)}
        sizes |= dict.fromkeys(("parameters", "images", "memory", "trial_bytes"), (0, 1 << 80))
        for name, (low, high) in sizes.items():
            _check_number(stack.name, name, getattr(stack, name), low, high)
        for name in ("flops", "seconds", "images_per_second"):
            _check_number(stack.name, name, getattr(stack, name), 0, 1e300, float)
        for wave in stack.waves:
            check_name(WAVE, f"wave of {stack.name}", wave.name, "plan.json")
            for trial in wave.trials:
                check_name(DIGEST, f"trial of {wave.name}", trial, "plan.json")
            _check_number(wave.name, "width", wave.width, 0, MOST_SLOTS)
            _check_number(wave.name, "parts", wave.parts, 1, MOST_DEVICES)
            _check_number(wave.name, "until", wave.until, 0, MOST_EPOCHS)
            if not isinstance(wave.leaves, bool):
                raise RunError(f"plan.json: leaves of {wave.name} must be true or false: {_ADVICE}")
            _check_number(wave.name, "number of trials", len(wave.trials), 1, stack.width_of(wave))
    names = [stack.name for stack in plan.stacks] + [wave.name for stack in plan.stacks for wave in stack.waves]
    for what, given in (("name", names), ("trial", plan.trials)):
        if twice := [one for one, count in collections.Counter(given).items() if count > 1]:
            raise RunError(f"plan.json: {what} {twice[0]} is there twice: {_ADVICE}")


def _check_number(where: str, name: str, value: Any, low: float, high: float, kind: type = int) -> None:
    if not (type(value) is int or (kind is float and type(value) is float)) or not low <= value <= high:
        raise RunError(f"plan.json: {name} of {where} is {shown(repr(value), 40)}, which no plan has: {_ADVICE}")
