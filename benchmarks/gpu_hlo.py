"""A compiled program's text (optimised HLO for a GPU), taken apart."""

import dataclasses
import math
import re
from collections.abc import Iterator

BYTES = {"pred": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "bf16": 2, "f16": 2, "s32": 4, "u32": 4, "f32": 4}
BYTES |= {"s4": 1, "u4": 1, "s64": 8, "u64": 8, "f64": 8, "c64": 8}
_ARRAY = re.compile(r"\b([a-z]+[0-9]*)\[([0-9,]*)\]")
_COMPUTATION = re.compile(r"^(ENTRY )?%([\w.\-]+) \(.*\) -> .*\{$")
_INSTRUCTION = re.compile(r"^\s+(ROOT )?%([\w.\-]+) = (.*)$")
_NAME = re.compile(r"%([\w.\-]+)")


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One line of a computation.

    Attributes:
        name, opcode, shape: as the text has them; a shape may be a tuple's.
        operands: names of the instructions it takes.
        attributes: what follows these.
        root: whether it is the computation's result.
    """

    name: str
    opcode: str
    shape: str
    operands: tuple[str, ...]
    attributes: str
    root: bool

    @property
    def arrays(self) -> list[tuple[str, list[int]]]:
        """The element type and the dimensions of each array of its shape."""
        return [
            (kind, [int(size) for size in sizes.split(",") if size])
            for kind, sizes in _ARRAY.findall(self.shape)
            if kind in BYTES
        ]

    @property
    def bytes(self) -> int:
        """The bytes of its result."""
        return sum(BYTES[kind] * math.prod(sizes) for kind, sizes in self.arrays)

    def called(self, role: str) -> str:
        """Returns the computation it calls as `role`, such as 'body'; '' where there is none."""
        found = re.search(rf"\b{role}=%([\w.\-]+)", self.attributes)
        return found.group(1) if found else ""

    @property
    def trips(self) -> int | None:
        """How often a loop runs; None where that is not known."""
        found = re.search(r'known_trip_count":\{"n":"(\d+)"', self.attributes)
        return int(found.group(1)) if found else None

    @property
    def branches(self) -> list[str]:
        """The computations of which a conditional runs one, or the one of a call."""
        found = re.search(
            r"branch_computations=\{[^}]*\}|true_computation=%\S+, false_computation=%\S+|to_apply=%\S+",
            self.attributes,
        )
        return [name.rstrip(",") for name in _NAME.findall(found.group(0))] if found else []

    def numbers(self, role: str) -> list[int]:
        """Returns the numbers of an attribute such as lhs_contracting_dims={1,2}."""
        found = re.search(rf"\b{role}=\{{([0-9,]*)\}}", self.attributes)
        return [int(number) for number in found.group(1).split(",") if number] if found else []

    @property
    def target(self) -> str:
        """What a custom call calls."""
        found = re.search(r'custom_call_target="([^"]+)"', self.attributes)
        return found.group(1) if found else ""

    @property
    def window(self) -> list[int]:
        """The sides of a convolution's window."""
        found = re.search(r"window=\{size=([0-9x]+)", self.attributes)
        return [int(side) for side in found.group(1).split("x")] if found else []


@dataclasses.dataclass(frozen=True)
class Loop:
    """A loop: the computation that is repeated, and how often, None where that is not known."""

    body: str
    trips: int | None


class Module:
    """All computations of a program, by name; `entry` is the first to run."""

    def __init__(self, text: str):
        self.computations: dict[str, dict[str, Instruction]] = {}
        self.entry = ""
        current = ""
        for line in text.splitlines():
            if head := _COMPUTATION.match(line):
                current = head.group(2)
                self.computations[current] = {}
                self.entry = current if head.group(1) else self.entry
            elif line.startswith("}"):
                current = ""
            elif current and (found := _INSTRUCTION.match(line)):
                one = _instruction(found.group(2), found.group(3), bool(found.group(1)))
                self.computations[current][one.name] = one

    def instructions(self) -> Iterator[Instruction]:
        """Yields those of all computations."""
        for computation in self.computations.values():
            yield from computation.values()

    def loops(self, computation: str = "") -> Iterator[Loop]:
        """Yields the loops that a computation runs, by default the entry, outer ones first."""
        for one in self.computations[computation or self.entry].values():
            if one.opcode == "while":
                yield Loop(one.called("body"), one.trips)
                yield from self.loops(one.called("body"))
            elif one.opcode in ("conditional", "call"):
                for name in one.branches:
                    yield from self.loops(name)


def _instruction(name: str, text: str, root: bool) -> Instruction:
    if text.startswith("("):
        end = _closing(text, 0) + 1
        shape, rest = text[:end], text[end + 1 :]
    else:
        shape, rest = text.split(" ", 1)
    opcode, _, rest = rest.partition("(")
    end = _closing(rest, 1)
    return Instruction(name, opcode, shape, tuple(_NAME.findall(rest[:end])), rest[end + 1 :], root)


def _closing(text: str, depth: int) -> int:
    """Returns where the bracket closes that is open (depth 1) or opens (0) at the text's begin."""
    for place, letter in enumerate(text):
        depth += (letter in "({") - (letter in ")}")
        if depth == 0:
            return place
    return len(text)
