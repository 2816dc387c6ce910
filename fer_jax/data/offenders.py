"""Every image that an audit counts, as rows of a table.

An image has a row for each split in which it has an exact copy, and for each split and group of
exact copies of which it is a near copy: so whatever is counted by split, label or group can be
counted again in the table.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fer_jax.data import leaks, names
from fer_jax.data.contents import Contents
from fer_jax.data.duplicates import Copies

# `other` is the image that one is a copy of.
COLUMNS = (
    "finding", "data", "split", "label", "picture", "other_data", "other_split", "other_label", "other_picture",
    "group", "other_group", "bits", "correlation", "redundant", "leak", "conflict", "same_group", "note",
)  # fmt: skip
Row = dict[str, Any]
_SPLITS = ("train", "validation", "test", names.USAGES[names.NO_USAGE])


def within_one_group(data: Contents, copies: Copies) -> np.ndarray | None:
    """Returns which near pairs have a person or sequence in common, bool (p,).

    It is None where the images belong to nothing.
    """
    belongs: Sequence[str] | None = getattr(data, "groups", None)
    if belongs is None:
        return None
    known: list[set[str]] = [set() for _ in copies.sizes]
    for group, name in zip(copies.group.tolist(), belongs, strict=True):
        if name:
            known[group].add(name)
    return np.array([not known[one].isdisjoint(known[other]) for one, other in copies.near.tolist()], bool)


def copies_within(data: Contents, copies: Copies, alike: np.ndarray | None) -> Iterator[Row]:
    """Yields the copies in one data set, exact ones first, then near ones, the most alike first.

    `alike` is as `within_one_group` returns it.
    """
    images = _Images([data], copies)
    for group in np.flatnonzero(copies.sizes > 1).tolist():
        first, *_ = images.members[group]
        for row in images.members[group]:
            for found in images.beside(row, group, range(1)):
                yield {"finding": "exact copy", **found, "group": group, "redundant": row != first}
    for at, one, other in _directed(copies):
        for row in images.members[one]:
            for found in images.beside(row, other, range(1)):
                same = {} if alike is None else {"same_group": bool(alike[at])}
                yield {**_near(copies, at, one, other), **found, **same}


def copies_across(first: Contents, second: Contents, copies: Copies) -> Iterator[Row]:
    """Yields the images of the second data set with a copy in the first, then the other way."""
    images = _Images([first, second], copies)
    for own in (1, 0):
        for group, members in enumerate(images.members):
            for row in members:
                if images.of[row] == own:
                    for found in images.beside(row, group, (1 - own,)):
                        yield {"finding": "exact copy", **found, "group": group}
        for at, one, other in _directed(copies):
            for row in images.members[one]:
                if images.of[row] == own:
                    for found in images.beside(row, other, (1 - own,)):
                        yield {**_near(copies, at, one, other), **found}


def without_contrast(data: Contents, constant: np.ndarray, flat: np.ndarray, sd: np.ndarray) -> Iterator[Row]:
    """Yields the images of one grey and those that are nearly so, bool (n,), by their sd (n,)."""
    images = _Images([data], None)
    for row in np.flatnonzero(constant).tolist():
        yield {"finding": "constant", **images.named(row), "note": "every pixel is the same"}
    for row in np.flatnonzero(flat).tolist():
        yield {"finding": "nearly constant", **images.named(row), "note": f"sd {sd[row]:.2f}"}


def broken(data: Contents, letter: str = "") -> Iterator[Row]:
    """Yields what could not be read; a row says how many of a kind are not named."""
    skipped = data.provenance.get("skipped", {})
    of = {"data": letter} if letter else {}
    for item in skipped.get("items", ()):
        yield {"finding": item["kind"], **of, "picture": item["item"], "note": item["reason"]}
    for kind, count in skipped.get("kinds", {}).items():
        if unnamed := count - sum(item["kind"] == kind for item in skipped["items"]):
            yield {"finding": kind, **of, "note": f"and {unnamed:,} more, which are not named"}


def _directed(copies: Copies) -> Iterator[tuple[int, int, int]]:
    """Yields every near pair both ways, the most alike first: its number and the two groups."""
    for at in np.argsort(-copies.correlation, kind="stable").tolist():
        one, other = copies.near[at].tolist()
        yield at, other, one
        yield at, one, other


def _near(copies: Copies, at: int, one: int, other: int) -> Row:
    return {
        "finding": "near copy", "group": one, "other_group": other, "bits": int(copies.bits[at]),
        "correlation": round(float(copies.correlation[at]), 4),
    }  # fmt: skip


@dataclasses.dataclass(frozen=True)
class _Place:
    """What one split of one data set holds of one group: rows by label, the first two of each."""

    data: int
    split: str
    rows: dict[str, list[int]]


class _Images:
    """The images of one or two data sets, numbered one after another.

    Attributes:
        of: number of the data set of every image.
        members: rows of every group, those of the earlier data set and split first.
    """

    def __init__(self, data: Sequence[Contents], copies: Copies | None):
        self._data = data
        self._starts = np.cumsum([0, *(len(one.labels) for one in data)]).tolist()
        self.of = [number for number, one in enumerate(data) for _ in one.labels]
        self._labels = [label for one in data for label in one.class_names]
        self._splits = [split for one in data for split in one.split_names]
        self.members: list[list[int]] = [[] for _ in copies.sizes] if copies else []
        self._places: dict[int, list[_Place]] = {}
        order = [row + start for one, start in zip(data, self._starts, strict=False) for row in _by_split(one).tolist()]
        if copies:
            for row, group in zip(order, copies.group[order].tolist(), strict=True):
                self.members[group].append(row)

    def named(self, row: int, prefix: str = "") -> Row:
        """Returns what an image is called and where it lies."""
        number = self.of[row]
        found = {"data": "AB"[number]} if len(self._data) > 1 else {}
        found |= {"split": self._splits[row], "label": self._labels[row]}
        found["picture"] = self._data[number].files[row - self._starts[number]]
        return {f"{prefix}{key}": value for key, value in found.items()}

    def beside(self, row: int, group: int, data: Sequence[int]) -> Iterator[Row]:
        """Yields an image beside one of a group in each split of some data sets that has another.

        It is one with another label, where there is one; else the first.
        """
        label, split = self._labels[row], self._splits[row]
        for place in self._held(group):
            if place.data not in data:
                continue
            unlike = [rows[0] for name, rows in place.rows.items() if name != label]
            others = unlike or [other for other in place.rows[label] if other != row]
            if others:
                leak = {"leak": place.split in leaks.EARLIER.get(split, ())} if len(self._data) == 1 else {}
                yield {
                    **self.named(row), **self.named(min(others), "other_"), **leak, "conflict": bool(unlike),
                }  # fmt: skip

    def _held(self, group: int) -> list[_Place]:
        if group not in self._places:
            places: dict[tuple[int, str], _Place] = {}
            for row in self.members[group]:
                key = self.of[row], self._splits[row]
                rows = places.setdefault(key, _Place(*key, {})).rows.setdefault(self._labels[row], [])
                if len(rows) < 2:
                    rows.append(row)
            self._places[group] = list(places.values())
        return self._places[group]


def _by_split(data: Contents) -> np.ndarray:
    """Returns all rows, train first, then validation, test and unassigned."""
    return np.concatenate([data.rows[name] for name in _SPLITS if name in data.rows])
