"""From a dotted name to its field, and from a wrong name to the nearest right one."""

from __future__ import annotations

import difflib

from fer_jax.config.field import Field, FieldError
from fer_jax.config.fields import FIELDS, MIRRORS, SWEPT_KINDS


def sweep_names() -> list[str]:
    """Returns the dotted names of all sweep lists and draws, 'sweep.grid.train.l2' and so on."""
    return [f"sweep.{tree}.{name}" for tree in MIRRORS for name, field in FIELDS.items() if field.kind in SWEPT_KINDS]


def sweepable(name: str, where: str) -> Field:
    """Returns the field called `name`.

    Raises:
        FieldError: there is none, or it may not be swept; the message calls it `where`.
    """
    if name not in FIELDS:
        raise FieldError([where], f"{where}: {unknown(name)}")
    field = FIELDS[name]
    if field.kind not in SWEPT_KINDS or field.never_swept:
        reason = field.never_swept or f"it is a {field.kind} field, the same for every trial"
        raise FieldError([where], f"{where}: {name} cannot be swept: {reason}")
    return field


def locate(name: str) -> tuple[Field, str]:
    """Returns the field a dotted name stands for, and the tree of `MIRRORS` it lies in.

    The tree is '' for the field itself.

    Raises:
        FieldError: no such field, or not one to sweep; names the nearest right name.
    """
    if name in FIELDS:
        return FIELDS[name], ""
    for tree in MIRRORS:
        prefix = f"sweep.{tree}."
        if name.startswith(prefix) and name.removeprefix(prefix) in FIELDS:
            return sweepable(name.removeprefix(prefix), name), tree
    inside = next((known for known in (*FIELDS, *sweep_names()) if known.startswith(f"{name}.")), None)
    if inside:
        raise FieldError([name], f"{name} is a block of fields: set one of them, such as {inside}")
    raise FieldError([name], unknown(name))


def unknown(name: str) -> str:
    """Returns what to say of a name that is no field: the block or the field that is most like it.

    It is a block of the same depth where one is more like it than any field's last word is.
    """
    above, _, last = name.rpartition(".")
    last_words = {known.rpartition(".")[2] for known in FIELDS}
    inside = f"{above}." if above else ""
    blocks = {
        known.removeprefix(inside).partition(".")[0]
        for known in (*FIELDS, *sweep_names())
        if known.startswith(inside) and "." in known.removeprefix(inside)
    }
    near = difflib.get_close_matches(last, [*blocks, *last_words], 1, cutoff=0.7)
    if near and near[0] in blocks:
        return f"no block {name}; did you mean {inside}{near[0]}?"
    return f"no field {name}; did you mean {nearest(name)}?"


def nearest(name: str) -> str:
    """Returns the field name most like `name`; a sweep tree's prefix is kept.

    One of its own block that holds its last word wins (`loss.gamma`: focal_gamma), then one with
    that last word in any block, then one whose words begin with its letters (`lr`: learning_rate).
    """
    for tree in MIRRORS:
        prefix = f"sweep.{tree}."
        if name.startswith(prefix):
            return prefix + nearest(name.removeprefix(prefix))
    block, _, last = name.rpartition(".")
    same = [known for known in FIELDS if known.startswith(f"{block}.") and last in known.rpartition(".")[2].split("_")]
    same = same or [known for known in FIELDS if known.rpartition(".")[2] == last]
    same = same or [known for known in FIELDS if len(last) > 1 and _initials(known) == last]
    if same:
        return difflib.get_close_matches(name, same, 1, cutoff=0)[0]
    by_last = {known.rpartition(".")[2]: known for known in FIELDS}
    whole = difflib.get_close_matches(name, FIELDS, 1, cutoff=0)[0]
    part = difflib.get_close_matches(last, by_last, 1, cutoff=0.75)
    return by_last[part[0]] if part and "." not in name else whole


def _initials(name: str) -> str:
    """Returns 'lr' for `train.learning_rate`."""
    return "".join(word[:1] for word in name.rpartition(".")[2].split("_"))
