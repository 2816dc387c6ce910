"""Every count of an audit is what the rows of its table come to."""

import collections

import numpy as np
import pytest

from fer_jax.data import duplicates, faces, inspection, leaks, offenders
from fer_jax.data.contents import Contents

DRAWN = faces.draw("train", 40, size=48, seed=4)[0]
FLAT = np.full((2, 48, 48, 1), 90, np.uint8)
SPLITS = ("train", "validation", "test", "unassigned")


def contents(seed, splits=SPLITS, path="here"):
    """90 images: some exact copies, some near ones (lighter, in two ways), some of one grey."""
    rng = np.random.default_rng(seed)
    drawn = DRAWN[rng.integers(0, 40, 90)].astype(float)
    lighter = rng.integers(0, 3, 90)[:, None, None, None]
    images = np.clip(drawn * (1 - 0.1 * lighter) + 20 * lighter, 0, 255).astype(np.uint8)
    images[:2] = FLAT
    images[2] = 90 + np.arange(48 * 48).reshape(48, 48, 1) % 3
    of_split = rng.permutation(np.repeat(np.array(splits), -(-90 // len(splits)))[:90])
    rows = {name: np.flatnonzero(of_split == name) for name in splits}
    labels = rng.integers(0, 2, 90).astype(np.int32)
    skipped = {
        "count": 3,
        "kinds": {"broken row": 3},
        "items": [{"kind": "broken row", "item": "row 1", "reason": "x"}],
    }
    return Contents(
        path, "synthetic", images, labels, ("angry", "happy"), {"skipped": skipped}, np.arange(90), "given", rows
    )


def pictures(rows, **wanted):
    """The distinct pictures among rows with these values; a tuple stands for any of its values."""
    found = set()
    for row in rows:
        values = {key: value if isinstance(value, tuple) else (value,) for key, value in wanted.items()}
        if all(row.get(key) in value for key, value in values.items()):
            found.add((row.get("data"), row["picture"]))
    return len(found)


COPY = ("exact copy", "near copy")


@pytest.mark.parametrize("seed", range(3))
def test_counts_of_one_data_set(seed, monkeypatch):
    data = contents(seed)
    belongs = tuple(np.random.default_rng(seed).choice(["", "ann", "bob"], 90).tolist())
    object.__setattr__(data, "groups", belongs)
    found = inspection.examine(data)
    rows, summary = found.offenders, found.summary
    assert {key for row in rows for key in row} <= set(offenders.COLUMNS)
    exact = [row for row in rows if row["finding"] == "exact copy"]
    near = [row for row in rows if row["finding"] == "near copy"]
    assert summary["exact"]["redundant"] == pictures(exact, redundant=True) > 0
    assert summary["exact"]["groups"] == len({row["group"] for row in exact}) > 0
    assert summary["exact"]["conflicting_groups"] == len({row["group"] for row in exact if row["conflict"]}) > 0
    assert summary["exact"]["conflicting_pictures"] == pictures(exact, conflict=True) > 0
    for split, count in summary["exact"]["redundant_within"].items():
        inside = [row for row in exact if row["split"] == row["other_split"] == split]
        assert count == pictures(inside) - len({row["group"] for row in inside})
    pairs = collections.defaultdict(list)
    for row in near:
        pairs[frozenset((row["group"], row["other_group"]))].append(row)
    assert summary["near"]["pairs"] == len(pairs) > 0
    assert summary["near"]["pictures"] == pictures(near)
    assert (
        summary["near"]["conflicting_pairs"] == sum(any(row["conflict"] for row in part) for part in pairs.values()) > 0
    )
    assert summary["near"]["within_one_group"] == sum(part[0]["same_group"] for part in pairs.values()) > 0
    for split, places in summary["leaks"].items():
        for place, count in places.items():
            there = {"split": split, "other_split": tuple(place.split(" or ")), "leak": True}
            assert count == {
                "exact": pictures(exact, **there), "any": pictures(rows, finding=COPY, **there)
            } and count["any"]  # fmt: skip
    assert summary["constant"] == pictures(rows, finding="constant") == 2
    assert summary["nearly_constant"] == pictures(rows, finding="nearly constant") == 1
    (named, rest) = (row for row in rows if row["finding"] == "broken row")
    assert named["picture"] == "row 1" and rest["note"] == "and 2 more, which are not named"


@pytest.mark.parametrize("seed", range(3))
def test_counts_of_two_data_sets(seed):
    first, second = contents(seed, ("train", "test"), "one"), contents(seed + 50, SPLITS[1:], "two")
    found = inspection.compare(first, second)
    for letter, key in (("B", "second_in_first"), ("A", "first_in_second")):
        rows = [row for row in found.offenders if row["data"] == letter and row["finding"] in COPY]
        exact = [row for row in rows if row["finding"] == "exact copy"]
        assert {row["other_data"] for row in rows} == {"A" if letter == "B" else "B"}
        for split, line in found.summary[key].items():
            where = {} if split == "all" else {"split": split}
            assert line["other_label"] == pictures(rows, conflict=True, **where)
            for place, count in line["in"].items():
                there = where if place == "all" else {**where, "other_split": place}
                assert count == {"exact": pictures(exact, **there), "any": pictures(rows, **there)}
        assert pictures(exact) and pictures(rows) > pictures(exact)


def test_a_row_says_what_is_true_of_its_two_pictures():
    data = contents(7)
    by_name = {name: row for row, name in enumerate(data.files)}
    copies = duplicates.find([data.images], near=True)
    near = {tuple(pair): at for at, pair in enumerate(copies.near.tolist())}
    for row in inspection.examine(data).offenders:
        if row["finding"] not in COPY:
            continue
        one, other = by_name[row["picture"]], by_name[row["other_picture"]]
        assert one != other and row["conflict"] == (data.labels[one] != data.labels[other])
        assert (row["split"], row["other_split"]) == (data.split_names[one], data.split_names[other])
        assert row["leak"] == (row["other_split"] in leaks.EARLIER.get(row["split"], ()))
        if row["finding"] == "exact copy":
            assert np.array_equal(data.images[one], data.images[other])
        else:
            at = near[tuple(sorted((row["group"], row["other_group"])))]
            assert row["bits"] == copies.bits[at] and row["correlation"] == round(float(copies.correlation[at]), 4)


def test_many_copies_of_one_picture_are_a_row_each():
    """300 copies are not 300 x 299 pairs."""
    images = np.repeat(DRAWN[:1], 300, axis=0)
    rows = {"train": np.arange(200), "test": np.arange(200, 300)}
    data = Contents("here", "synthetic", images, np.zeros(300, np.int32), ("happy",), {}, np.arange(300), "given", rows)
    assert len(inspection.examine(data).offenders) == 600
