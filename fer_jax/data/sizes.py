"""How many images of which class each split has, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fer_jax.base.text import counted, in_columns, shown
from fer_jax.data.reading.problems import Problems

_ALL = 20  # classes up to which all are named
_SOME = 10  # classes that are named of more
_LONGEST = 40  # characters of a name


def of_split(counts: Mapping[str, int]) -> str:
    """Returns 'angry 3,995, disgust 436', and of names that end in digits '0: 3,995, 1: 436'.

    Of more than 20 classes it is the first ten and how many more there are of which sizes.
    """
    return ", ".join(_pieces(counts))


def lines(counts: Mapping[str, Mapping[str, int]], width: int | None = None) -> list[str]:
    """Returns the sizes of all splits, 'train: angry 3,995, disgust 436', each from a new line.

    Args:
        counts: by split and class.
        width: columns of a terminal; only a single name may take more. Lines that go on with a
            split are indented. None for a line a split.
    """
    found = []
    for split, by_class in counts.items():
        line = f"{split}:"
        pieces = _pieces(by_class)
        for piece in [*(f"{piece}," for piece in pieces[:-1]), *pieces[-1:]]:
            if width and in_columns(f"{line} {piece}") > width and line.strip() != f"{split}:":
                found.append(line)
                line = "   "
            line += f" {piece}"
        found.append(line)
    return found


def left_out(provenance: Mapping[str, Any]) -> str:
    """Returns what of a source is not among its images, by its kind, empty if nothing is.

    '2 unreadable pictures, 3 other files, 1 hidden file' is an example.
    """
    parts = []
    if skipped := provenance.get("skipped"):
        parts.append(Problems.from_json(skipped).counted())
    if unlisted := provenance.get("unlisted"):
        parts.append(f"{counted(unlisted['count'], 'picture')} not in data.labels" * bool(unlisted["count"]))
    if ignored := provenance.get("ignored"):
        parts.append(counted(ignored["count"], "other file") * bool(ignored["count"]))
    if hidden := provenance.get("hidden"):
        parts.append(counted(hidden, "hidden file"))
    return ", ".join(filter(None, parts))


def _pieces(counts: Mapping[str, int]) -> Sequence[str]:
    colon = ":" * any(name[-1:].isdigit() for name in counts)
    named = [f"{shown(name, _LONGEST)}{colon} {count:,}" for name, count in counts.items()]
    if len(named) <= _ALL:
        return named
    rest = list(counts.values())[_SOME:]
    sizes = f"{min(rest):,}" if min(rest) == max(rest) else f"{min(rest):,} to {max(rest):,}"
    return [*named[:_SOME], f"and {len(rest):,} more of {sizes}"]
