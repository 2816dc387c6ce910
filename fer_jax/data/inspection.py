"""What an audit finds in a data set, or between two.

These are counts as JSON values, and every offending image as a row of a table.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from fer_jax.data import duplicates, leaks, names
from fer_jax.data.contents import Contents
from fer_jax.data.duplicates import Copies

# Columns of the offenders; `other` is the image that one is a copy of.
COLUMNS = (
    "finding", "data", "split", "label", "picture", "other_data", "other_split", "other_label", "other_picture",
    "group", "bits", "correlation", "leak", "conflict", "note",
)  # fmt: skip
METHOD = {
    "exact": "the same pixels at this size and number of channels",
    "near": "not exact; DCT hashes of 64 bits differ in at most near_bits "
    "and grey pixels correlate with at least near_correlation",
    "near_bits": duplicates.NEAR_BITS,
    "near_correlation": duplicates.NEAR_CORRELATION,
    "nearly_constant_below_sd": duplicates.FLAT_SD,
}
_SPLITS = ("train", "validation", "test", names.USAGES[names.NO_USAGE])


@dataclasses.dataclass(frozen=True)
class Inspection:
    """The findings of an audit.

    Attributes:
        summary: JSON values; docs/audit.md has its keys.
        offenders: rows with `COLUMNS`, a key left out where it does not apply.
    """

    summary: dict[str, Any]
    offenders: list[dict[str, Any]]


def examine(data: Contents) -> Inspection:
    """Finds copies, leaks between splits, conflicting labels and empty images in one data set."""
    copies = duplicates.find([data.images], near=True)
    constant, sd = duplicates.contrast(data.images)
    flat = (sd < duplicates.FLAT_SD) & ~constant
    of_split = {name: part for name, part in data.rows.items() if name in leaks.EARLIER or name == "train"}
    conflicting = _conflicting(copies, data.labels)
    near_rows = _near_rows(copies)
    summary = {
        "data": _describe(data),
        "method": METHOD,
        "exact": {
            "redundant": len(data.labels) - len(copies.sizes),
            "groups": int((copies.sizes > 1).sum()),
            "conflicting_groups": int(conflicting.sum()),
            "conflicting_pictures": int(conflicting[copies.group].sum()),
            "redundant_within": {
                name: len(part) - len(np.unique(copies.group[part])) for name, part in data.rows.items()
            },
        },
        "near": {
            "pairs": len(copies.near),
            "pictures": int(near_rows.sum()),
            "conflicting_pairs": int((np.diff(data.labels[copies.first][copies.near]) != 0).sum()),
        },
        "leaks": _leaks(of_split, copies),
        "constant": int(constant.sum()),
        "nearly_constant": int(flat.sum()),
        "broken": data.provenance.get("skipped", {"count": 0, "kinds": {}}),
    }
    offenders = [
        *_exact_offenders(data, copies, conflicting),
        *_near_offenders(data, copies),
        *(
            {"finding": "constant", **_named(data, row), "note": "every pixel is the same"}
            for row in np.flatnonzero(constant).tolist()
        ),
        *(
            {"finding": "nearly constant", **_named(data, row), "note": f"sd {sd[row]:.2f}"}
            for row in np.flatnonzero(flat).tolist()
        ),
        *_broken(data),
    ]
    return Inspection(summary, offenders)


def compare(first: Contents, second: Contents) -> Inspection:
    """Finds the images of each data set that have a copy in the other. Both data sets have one
    image size and number of channels.
    """
    copies = duplicates.find([first.images, second.images], near=True)
    start = len(first.labels)
    rows = (first.rows, {name: part + start for name, part in second.rows.items()})
    labels = np.array([*first.class_names, *second.class_names])
    summary = {
        "data": [_describe(first), _describe(second)],
        "method": METHOD,
        "second_in_first": _overlap(rows[1], rows[0], labels, copies),
        "first_in_second": _overlap(rows[0], rows[1], labels, copies),
    }
    return Inspection(summary, list(_shared(first, second, copies)) + [*_broken(first, "A"), *_broken(second, "B")])


def _describe(data: Contents) -> dict[str, Any]:
    """Returns where the images come from and how many there are."""
    by_class = {
        name: np.bincount(data.labels[part], minlength=len(data.classes)).tolist() for name, part in data.rows.items()
    }
    return {
        "path": data.path,
        "name": data.name,
        "pictures": len(data.labels),
        "size": list(data.images.shape[1:]),
        "split": data.split,
        "splits": {name: len(part) for name, part in data.rows.items()},
        "classes": dict(zip(data.classes, np.bincount(data.labels, minlength=len(data.classes)).tolist(), strict=True)),
        "counts": {name: dict(zip(data.classes, numbers, strict=True)) for name, numbers in by_class.items()},
        "provenance": data.provenance,
    }


def _leaks(rows: dict[str, np.ndarray], copies: Copies) -> dict[str, dict[str, dict[str, int]]]:
    """Returns how many images of each split have a copy in each earlier split. The counts, by split
    and earlier split, are 'exact', and 'any' with near copies.

    A test split also has the entry 'train or validation'.
    """
    found: dict[str, dict[str, dict[str, int]]] = {}
    for name, earlier in leaks.EARLIER.items():
        places = {other: rows[other] for other in earlier if other in rows}
        if name not in rows or not places:
            continue
        if len(places) > 1:
            places[" or ".join(places)] = np.concatenate(list(places.values()))
        found[name] = {other: _counted(rows[name], among, copies) for other, among in places.items()}
    return found


def _counted(rows: np.ndarray, among: np.ndarray, copies: Copies) -> dict[str, int]:
    return {"exact": int(copies.exact().found(rows, among).sum()), "any": int(copies.found(rows, among).sum())}


def _overlap(
    rows: dict[str, np.ndarray], others: dict[str, np.ndarray], labels: np.ndarray, copies: Copies
) -> dict[str, dict[str, Any]]:
    """Returns for each split 'pictures', 'in' and 'other_label'. 'in' has 'exact' and 'any' for
    each split of the other data set, and for 'all' of it.

    'other_label' counts the images with an exact copy in the other data set that bears another
    class name there.
    """
    everywhere = {**others, "all": np.concatenate(list(others.values()))}
    there = set(zip(copies.group[everywhere["all"]].tolist(), labels[everywhere["all"]].tolist(), strict=True))
    names_of: dict[int, set[str]] = {}
    for group, label in there:
        names_of.setdefault(group, set()).add(label)
    found = {}
    for name, part in {**rows, "all": np.concatenate(list(rows.values()))}.items():
        own = zip(copies.group[part].tolist(), labels[part].tolist(), strict=True)
        found[name] = {
            "pictures": len(part),
            "in": {other: _counted(part, among, copies) for other, among in everywhere.items()},
            "other_label": sum(bool(names_of.get(group, set()) - {label}) for group, label in own),
        }
    return found


def _conflicting(copies: Copies, labels: np.ndarray) -> np.ndarray:
    """Returns which groups hold images of more than one class, bool (groups,)."""
    kinds = np.unique(np.stack([copies.group, labels], 1), axis=0)
    return np.bincount(kinds[:, 0]) > 1


def _near_rows(copies: Copies) -> np.ndarray:
    """Returns which images have a near copy, bool (n,)."""
    groups = np.zeros(len(copies.sizes), bool)
    groups[copies.near] = True
    return groups[copies.group]


def _first_in_order(copies: Copies, order: np.ndarray) -> np.ndarray:
    """Returns the image of each group that comes first in `order`, int64 (groups,)."""
    return order[np.unique(copies.group[order], return_index=True)[1]]


def _by_split(data: Contents) -> np.ndarray:
    """Returns all rows, train first, then validation, test and unassigned."""
    return np.concatenate([data.rows[name] for name in _SPLITS if name in data.rows])


def _named(data: Contents, row: int, prefix: str = "", letter: str = "") -> dict[str, Any]:
    found = {"split": data.split_names[row], "label": data.class_names[row], "picture": data.files[row]}
    return {f"{prefix}{key}": value for key, value in ({"data": letter} | found if letter else found).items()}


def _exact_offenders(data: Contents, copies: Copies, conflicting: np.ndarray) -> Iterator[dict[str, Any]]:
    """Yields every redundant copy, beside the one of its group in the earliest split."""
    order = _by_split(data)
    firsts = _first_in_order(copies, order)
    redundant = np.setdiff1d(order, firsts)
    for row in redundant[np.argsort(copies.group[redundant], kind="stable")].tolist():
        group = int(copies.group[row])
        first = int(firsts[group])
        yield {
            "finding": "exact copy", **_named(data, row), **_named(data, first, "other_"), "group": group,
            "leak": data.split_names[row] != data.split_names[first], "conflict": bool(conflicting[group]),
        }  # fmt: skip


def _near_offenders(data: Contents, copies: Copies) -> Iterator[dict[str, Any]]:
    """Yields every pair of groups that are near copies, the most alike first. The image of a group
    is the one in the earliest split.
    """
    order = _by_split(data)
    firsts, place = _first_in_order(copies, order), np.argsort(order)
    for at in np.argsort(-copies.correlation, kind="stable").tolist():
        first, row = sorted(firsts[copies.near[at]].tolist(), key=lambda row: place[row])
        yield {
            "finding": "near copy", **_named(data, row), **_named(data, first, "other_"), "bits": int(copies.bits[at]),
            "correlation": round(float(copies.correlation[at]), 4),
            "leak": data.split_names[row] != data.split_names[first],
            "conflict": bool(data.labels[row] != data.labels[first]),
        }  # fmt: skip


def _shared(first: Contents, second: Contents, copies: Copies) -> Iterator[dict[str, Any]]:
    """Yields every image of the second data set with an exact copy in the first, then near copies.

    Of near copies, every pair of groups across the two data sets comes once.
    """
    start = len(first.labels)
    own = _first_in_order(copies, np.concatenate([_by_split(first), _by_split(second) + start]))
    theirs = _first_in_order(copies, np.concatenate([_by_split(second) + start, _by_split(first)]))
    both = (own < start) & (theirs >= start)
    for row in range(len(second.labels)):
        group = int(copies.group[start + row])
        if both[group]:
            yield _pair("exact copy", first, second, int(own[group]), row) | {"group": group}
    for at in np.argsort(-copies.correlation, kind="stable").tolist():
        for one, other in (copies.near[at], copies.near[at][::-1]):
            if own[one] < start <= theirs[other]:
                found = _pair("near copy", first, second, int(own[one]), int(theirs[other]) - start)
                yield found | {"bits": int(copies.bits[at]), "correlation": round(float(copies.correlation[at]), 4)}


def _pair(finding: str, first: Contents, second: Contents, one: int, other: int) -> dict[str, Any]:
    return {
        "finding": finding, **_named(second, other, letter="B"), **_named(first, one, "other_", "A"),
        "conflict": second.class_names[other] != first.class_names[one],
    }  # fmt: skip


def _broken(data: Contents, letter: str = "") -> Iterator[dict[str, Any]]:
    for item in data.provenance.get("skipped", {}).get("items", ()):
        found = {"finding": item["kind"], "picture": item["item"], "note": item["reason"]}
        yield found | ({"data": letter} if letter else {})
