"""A plan as text."""

import textwrap
from collections.abc import Sequence

from fer_jax.base.text import aligned, counted, in_bytes, in_flops, in_time
from fer_jax.plan.plan import Plan, Stack

_HEAD = (
    *("stack", "trials", "waves", "engine", "width", "micro", "chosen by"),
    *("parameters", "memory", "FLOPs", "time", "shape"),
)

# The columns that stand beside each other in a terminal too narrow for all of them.
_FIRST = ("stack", "trials", "waves", "engine", "width", "memory", "FLOPs", "time")

# Those of them that go below first.
_NEXT = ("engine", "width", "FLOPs", "waves", "memory")

# An accelerator as people have or rent it, and the part of it that estimates may fill.
ACCELERATOR_GIB = 80
SHARE = 0.6
# Of what is smaller hundreds fit anywhere.
WORTH_SAYING = 32 * 2**20


def describe(plan: Plan, columns: int | None = None) -> str:
    """Returns the plan as a table for people and its totals.

    Args:
        plan: a plan.
        columns: the width of a terminal, in which stacks whose lines would be longer have short
            ones and the rest below them; None for a line a stack, however long.
    """
    rows = [_HEAD, *(_row(stack) for stack in plan.stacks)]
    lines = aligned(rows, "r" * (len(_HEAD) - 1) + "l")
    if columns and max(map(len, lines)) > columns:
        lines = _folded(rows, columns)
    total = f"about {in_time(plan.seconds)}" if plan.seconds else "time unknown: this hardware has not been measured"
    flops = in_flops(sum(stack.flops for stack in plan.stacks))
    images = sum(stack.images for stack in plan.stacks)
    lines.append(
        f"{counted(len(plan.trials), 'trial')} in {counted(len(plan.stacks), 'stack')} on {plan.hardware}: "
        f"{images:,} training image passes, "
        f"{flops}, {total}"
    )
    widest = max(plan.stacks, key=lambda stack: stack.trial_bytes, default=None)
    if widest and widest.trial_bytes > WORTH_SAYING:
        many = int(ACCELERATOR_GIB * 2**30 * SHARE / widest.trial_bytes)
        lines.append(
            f"side by side a trial of {widest.name} takes about {in_bytes(widest.trial_bytes)}: an accelerator of "
            f"{ACCELERATOR_GIB} GiB holds {'about ' + counted(many, 'trial') if many else 'none'} at once"
        )
    return "\n".join(lines)


def _folded(rows: Sequence[Sequence[str]], columns: int) -> list[str]:
    """Returns the table with what does not fit beside the rest below it, indented."""
    beside, below = list(_FIRST), []
    while True:
        places = [_HEAD.index(name) for name in beside]
        lines = aligned([[row[place] for place in places] for row in rows], "r")
        if max(map(len, lines)) <= columns or not set(beside) & set(_NEXT):
            break
        below.append(next(name for name in _NEXT if name in beside))
        beside.remove(below[-1])
    found = lines[:1]
    for line, row in zip(lines[1:], rows[1:], strict=True):
        cells = dict(zip(_HEAD, row, strict=True))
        rest = [f"{name} {cells[name]}" for name in below]
        rest += [f"{cells['parameters']} parameters", f"chosen by {cells['chosen by']}"]
        rest += [f"batches in parts of {cells['micro']}"] if cells["micro"] != "-" else []
        rest += [cells["shape"]] if cells["shape"] else []
        found += [line, *textwrap.wrap("; ".join(rest), columns, initial_indent="    ", subsequent_indent="    ")]
    return found


def _row(stack: Stack) -> tuple[str, ...]:
    shape = ", ".join(f"{name}={value}" for name, value in stack.shape.items())
    compiled = ", ".join(name.rpartition(".")[2] for name in stack.optional)
    rate = f" {stack.images_per_second:,.0f}/s" if stack.images_per_second else ""
    streamed = "data streamed" if stack.data == "stream" else ""
    frozen = {"": "", "shared": "frozen layers shared", "own": "frozen layers of each trial's own"}[stack.frozen]
    cut = f"computed once up to {stack.cut}" if stack.cut else ""
    return (
        stack.name,
        str(len(stack.trials)),
        str(len(stack.waves)),
        f"{stack.engine} x{stack.devices}",
        str(stack.width),
        str(stack.micro_batch or "-"),
        stack.chosen_by + rate,
        f"{stack.parameters:,}",
        in_bytes(stack.memory),
        in_flops(stack.flops),
        in_time(stack.seconds) if stack.seconds else "?",
        " ".join(filter(None, (shape, f"[{compiled}]" if compiled else "", streamed, frozen, cut))),
    )
