"""Kernels, bytes and operations of a compiled program, and its time by a model on paper.

A kernel takes the longest of three: its launch, its bytes over the memory's bandwidth, and its
operations over the rate of its products. Bytes are those a kernel reads and writes, each once;
what a cache saves and what a poor tile wastes is not known here. The numbers are assumptions about
an H200 and are marked so in docs/gpu.md; only a device can tell.
"""

import dataclasses
import math
import re
from collections import defaultdict

from gpu_hlo import Instruction, Module

LAUNCH_SECONDS = 2.5e-6
BANDWIDTH = 4.3e12  # bytes a second; 4.8e12 on the data sheet
RATES = {"float32": 45e12, "tf32": 380e12, "bfloat16": 700e12}  # operations a second
_FREE = {"parameter", "tuple", "get-tuple-element", "bitcast", "constant", "after-all", "partition-id", "replica-id"}
_FREE |= {"opt-barrier", "iota"}
_CONTROL = {"while", "conditional", "call"}
_SLICES = {"dynamic-slice", "slice", "gather"}

Table = dict[str, Instruction]


@dataclasses.dataclass(frozen=True)
class Kernel:
    """One launch.

    Attributes:
        name, kind: of the instruction.
        bytes: read and written.
        flops: of its products and convolutions; elementwise operations are left out.
        precision: a key of RATES; '' where there are no products.
    """

    name: str
    kind: str
    bytes: int
    flops: int = 0
    precision: str = ""

    @property
    def seconds(self) -> float:
        """Its time by the model."""
        products = self.flops / RATES[self.precision] if self.flops else 0.0
        return max(LAUNCH_SECONDS, self.bytes / BANDWIDTH, products)


@dataclasses.dataclass(frozen=True)
class Body:
    """What one pass of a loop costs, loops within it included as often as they run."""

    kernels: int
    bytes: int
    flops: int
    seconds: float

    def times(self, count: int) -> "Body":
        """Returns the cost of so many passes."""
        return Body(self.kernels * count, self.bytes * count, self.flops * count, self.seconds * count)

    def plus(self, other: "Body") -> "Body":
        """Returns the cost of both."""
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return Body(*(one + another for one, another in pairs))


def cost(module: Module, computation: str = "") -> Body:
    """Returns what a computation costs, by default the whole program.

    Of the branches of a condition the costliest counts. A loop that has no known number of trips
    counts once.
    """
    computation = computation or module.entry
    own = kernels(module, computation)
    total = Body(
        len(own), sum(one.bytes for one in own), sum(one.flops for one in own), sum(one.seconds for one in own)
    )
    for one in module.computations[computation].values():
        if one.opcode == "while":
            total = total.plus(cost(module, one.called("body")).times(one.trips or 1))
        elif one.opcode in _CONTROL:
            total = total.plus(max((cost(module, name) for name in one.branches), key=lambda body: body.seconds))
    return total


def kernels(module: Module, computation: str) -> list[Kernel]:
    """Returns the launches of one pass of a computation, without those of loops within it."""
    table = module.computations[computation]
    found = []
    for one in table.values():
        if one.opcode in _FREE or one.opcode in _CONTROL:
            continue
        found.append(_fusion(module, one) if one.opcode == "fusion" else _plain(one, table))
    return found


def _fusion(module: Module, one: Instruction) -> Kernel:
    table = module.computations[one.called("calls")]
    products = [own for own in table.values() if own.opcode == "dot"]
    kind = re.search(r'"kind":"(__[\w$]+)"', one.attributes) or re.search(r"kind=(k\w+)", one.attributes)
    precision = _precision(products[0], table) if products else ""
    flops = sum(_dot_flops(own, table) for own in products)
    return Kernel(one.name, kind.group(1) if kind else "", _read(table) + _written(table), flops, precision)


def _read(table: Table) -> int:
    """Returns the bytes that a fusion reads: of what it only slices, the slices."""
    users: dict[str, list[Instruction]] = defaultdict(list)
    for one in table.values():
        for operand in one.operands:
            users[operand].append(one)

    def uses(name: str) -> list[tuple[Instruction, str]]:
        found = []
        for user in users[name]:
            found += uses(user.name) if user.opcode in ("bitcast", "reshape") else [(user, name)]
        return found

    total = 0
    for one in table.values():
        if one.opcode != "parameter":
            continue
        part, whole = 0, False
        for user, name in uses(one.name):
            first = user.operands[0] == name
            if user.opcode in _SLICES and first:
                part += user.bytes
            elif not (user.opcode == "dynamic-update-slice" and first):
                whole = True
        total += one.bytes if whole else min(one.bytes, part)
    return total


def _written(table: Table) -> int:
    root = next(one for one in table.values() if one.root)
    total = 0
    for one in [table[name] for name in root.operands] if root.opcode == "tuple" else [root]:
        while one.opcode in ("bitcast", "reshape") and one.operands:
            one = table[one.operands[0]]
        total += table[one.operands[1]].bytes if one.opcode == "dynamic-update-slice" else one.bytes
    return total


def _plain(one: Instruction, table: Table) -> Kernel:
    moved = one.bytes + sum(table[name].bytes for name in one.operands if name in table)
    kind = one.target or one.opcode
    if "conv" in kind and one.window:
        workspace = one.arrays[-1][1][0] if one.shape.startswith("(") and one.arrays[-1][0] in ("s8", "u8") else 0
        return Kernel(one.name, kind, moved - workspace, _convolution_flops(one, table), _precision(one, table))
    if "gemm" in kind or "matmul" in kind:
        raise ValueError(f"{one.name} calls {kind}: its operations are not counted")
    if one.opcode == "dot":
        return Kernel(one.name, kind, moved, _dot_flops(one, table), _precision(one, table))
    return Kernel(one.name, kind, 2 * one.bytes if one.opcode == "dynamic-slice" else moved)


def _precision(one: Instruction, table: Table) -> str:
    """Returns what a product's factors are rounded to; float32 factors are not at HIGHEST."""
    kind = table[one.operands[0]].arrays[0][0]
    if kind == "bf16":
        return "bfloat16"
    return "float32" if re.search(r"operand_precision=\{highest|\"HIGHEST\"", one.attributes) else "tf32"


def _dot_flops(one: Instruction, table: Table) -> int:
    left = table[one.operands[0]].arrays[0][1]
    return 2 * math.prod(one.arrays[0][1]) * math.prod(left[axis] for axis in one.numbers("lhs_contracting_dims"))


def _convolution_flops(one: Instruction, table: Table) -> int:
    """Returns the operations of a convolution; a gradient has those of its forward pass."""
    labels = re.search(r"dim_labels=(\w+)_(\w+)->(\w+)", one.attributes)
    if labels is None:
        return 0
    left, right = (table[name].arrays[0][1] for name in one.operands[:2])
    window = math.prod(one.window)
    if "BackwardFilter" in one.target:
        groups = int((re.search(r"feature_group_count=(\d+)", one.attributes) or [0, 1])[1])
        return 2 * math.prod(right) * window * left[labels.group(1).index("f")] // groups
    outputs = left if "BackwardInput" in one.target else one.arrays[0][1]
    return 2 * math.prod(outputs) * window * right[labels.group(2).index("i")]
