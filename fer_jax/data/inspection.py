"""What an audit finds in a data set, or between two: counts, and the images that they count."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from fer_jax.base.text import counted
from fer_jax.data import duplicates, leaks, offenders
from fer_jax.data.contents import Contents
from fer_jax.data.duplicates import Copies

METHOD = {
    "exact": "the same pixels at this size and number of channels",
    "near": "not exact; DCT hashes of 64 bits differ in at most near_bits and grey pixels correlate with at least "
    "near_correlation, or with changed_correlation once both histograms are equalised or, where one is not square, "
    "the whole of both is squeezed into a square",
    "near_bits": duplicates.NEAR_BITS,
    "near_correlation": duplicates.NEAR_CORRELATION,
    "changed_correlation": duplicates.CHANGED_CORRELATION,
    "nearly_constant_below_sd": duplicates.FLAT_SD,
}
# Exact copies are far fewer than near ones where they are less than this share of them all.
_FAR_BELOW, _FEW = 0.1, 20


@dataclasses.dataclass(frozen=True)
class Inspection:
    """The findings of an audit.

    Attributes:
        summary: JSON values; docs/audit.md has its keys.
        offenders: rows with `offenders.COLUMNS`, a key left out where it does not apply.
    """

    summary: dict[str, Any]
    offenders: list[dict[str, Any]]


def examine(data: Contents) -> Inspection:
    """Finds copies, leaks between splits, conflicting labels and empty images in one data set."""
    copies = duplicates.find([data.images], near=True, wholes=[data.whole])
    constant, sd = duplicates.contrast(data.images)
    flat = (sd < duplicates.FLAT_SD) & ~constant
    of_split = {name: part for name, part in data.rows.items() if name in leaks.EARLIER or name == "train"}
    conflicting = _conflicting(copies, data.labels)
    other_label = np.diff(data.labels[copies.first][copies.near])[:, 0] != 0
    alike = offenders.within_one_group(data, copies)
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
            "pictures": int(_near_rows(copies).sum()),
            "conflicting_pairs": int((other_label | conflicting[copies.near].any(axis=1)).sum()),
            "within_one_group": None if alike is None else int(alike.sum()),
        },
        "leaks": _leaks(of_split, copies),
        "constant": int(constant.sum()),
        "nearly_constant": int(flat.sum()),
        "broken": data.provenance.get("skipped", {"count": 0, "kinds": {}}),
    }
    summary["notes"] = _notes(summary)
    rows = [
        *offenders.copies_within(data, copies, alike),
        *offenders.without_contrast(data, constant, flat, sd),
        *offenders.broken(data),
    ]
    return Inspection(summary, rows)


def compare(first: Contents, second: Contents) -> Inspection:
    """Finds the images of each data set that have a copy in the other. Both data sets have one
    image size and number of channels.
    """
    copies = duplicates.find([first.images, second.images], near=True, wholes=[first.whole, second.whole])
    start = len(first.labels)
    rows = (first.rows, {name: part + start for name, part in second.rows.items()})
    labels = np.array([*first.class_names, *second.class_names])
    summary: dict[str, Any] = {
        "data": [_describe(first), _describe(second)],
        "method": METHOD,
        "second_in_first": _overlap(rows[1], rows[0], labels, copies),
        "first_in_second": _overlap(rows[0], rows[1], labels, copies),
    }
    there = summary["second_in_first"]["all"]["in"]["all"]
    summary["notes"] = (
        [f"{_far_below('pictures of B in A', there)}: the copies were encoded again, and exact ones say little"]
        if _is_far_below(there)
        else []
    )
    found = offenders.copies_across(first, second, copies)
    return Inspection(summary, [*found, *offenders.broken(first, "A"), *offenders.broken(second, "B")])


def _notes(summary: dict[str, Any]) -> list[str]:
    """Returns what the counts of one data set mean, a line each."""
    near, notes = summary["near"], []
    one_group = near["within_one_group"] or 0
    if one_group:
        notes.append(
            f"{one_group:,} of {counted(near['pairs'], 'near pair')} lie within one group: "
            "other pictures of one person or sequence rather than copies"
        )
    far = {
        f"{name} pictures in {place}": count
        for name, places in summary["leaks"].items()
        for place, count in places.items()
        if _is_far_below(count)
    }
    if far and 2 * one_group < near["pairs"]:
        what = max(far, key=lambda name: far[name]["any"])
        notes.append(
            f"{_far_below(what, far[what])}: the release was encoded again, or holds frames of one film. "
            "data.drop_leaks=exact will not do; near leaves these out too"
        )
    return notes


def _is_far_below(count: dict[str, int]) -> bool:
    return count["any"] >= _FEW and count["exact"] < _FAR_BELOW * count["any"]


def _far_below(what: str, count: dict[str, int]) -> str:
    return f"{what}: {count['exact']:,} exact, {count['any']:,} exact or near"


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

    'other_label' counts the images with an exact or near copy in the other data set that bears
    another class name there.
    """
    everywhere = {**others, "all": np.concatenate(list(others.values()))}
    bears = _labels_of_copies(everywhere["all"], labels, copies)
    found = {}
    for name, part in {**rows, "all": np.concatenate(list(rows.values()))}.items():
        own = zip(copies.group[part].tolist(), labels[part].tolist(), strict=True)
        found[name] = {
            "pictures": len(part),
            "in": {other: _counted(part, among, copies) for other, among in everywhere.items()},
            "other_label": sum(bool(bears.get(group, set()) - {label}) for group, label in own),
        }
    return found


def _labels_of_copies(rows: np.ndarray, labels: np.ndarray, copies: Copies) -> dict[int, set[str]]:
    """Returns for each group the labels that its copies, exact or near, have among some images."""
    there: dict[int, set[str]] = {}
    for group, label in set(zip(copies.group[rows].tolist(), labels[rows].tolist(), strict=True)):
        there.setdefault(group, set()).add(label)
    found = {group: set(known) for group, known in there.items()}
    for one, other in (*copies.near.tolist(), *copies.near[:, ::-1].tolist()):
        found.setdefault(one, set()).update(there.get(other, ()))
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
