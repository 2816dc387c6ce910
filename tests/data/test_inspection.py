"""What an audit finds among images whose copies are known."""

import numpy as np
import pytest

from fer_jax.data import faces, inspection, offenders
from fer_jax.data.contents import Contents

DRAWN, _ = faces.draw("train", 12, size=48)
FLAT = np.full((1, 48, 48, 1), 90, np.uint8)


def contents(images, labels, splits, path="here"):
    """Images with their splits; they have numbers for names."""
    splits = np.array(splits)
    rows = {name: np.flatnonzero(splits == name) for name in ("train", "validation", "test") if name in splits}
    return Contents(
        path, "synthetic", images, np.array(labels), ("angry", "happy"), {}, np.arange(len(labels)), "given", rows
    )


@pytest.fixture
def planted():
    """0 and 3 are copies with other labels, 1 and 4 with the same one; 5 is of one grey."""
    images = np.concatenate([DRAWN[:3], DRAWN[[0]], DRAWN[[1]], FLAT])
    return contents(images, [0, 0, 1, 1, 0, 1], ["train", "train", "train", "validation", "test", "test"])


def test_copies_leaks_and_conflicts_are_counted(planted):
    summary = inspection.examine(planted).summary
    exact = summary["exact"]
    assert (exact["redundant"], exact["groups"]) == (2, 2)
    assert (exact["conflicting_groups"], exact["conflicting_pictures"]) == (1, 2)
    assert exact["redundant_within"] == {"train": 0, "validation": 0, "test": 0}
    assert summary["leaks"]["validation"]["train"] == {"exact": 1, "any": 1}
    assert summary["leaks"]["test"]["train or validation"] == {"exact": 1, "any": 1}
    assert (summary["constant"], summary["nearly_constant"]) == (1, 0)
    assert summary["data"]["pictures"] == 6 and summary["data"]["classes"] == {"angry": 3, "happy": 3}


def test_every_offender_is_a_row(planted):
    rows = inspection.examine(planted).offenders
    assert {key for row in rows for key in row} <= set(offenders.COLUMNS)
    exact = [row for row in rows if row["finding"] == "exact copy"]
    assert [
        (row["picture"], row["other_picture"], row["leak"], row["conflict"], row["redundant"]) for row in exact
    ] == [
        ("picture 0", "picture 3", False, True, False),
        ("picture 3", "picture 0", True, True, True),
        ("picture 1", "picture 4", False, False, False),
        ("picture 4", "picture 1", True, False, True),
    ]
    (flat,) = (row for row in rows if row["finding"] == "constant")
    assert flat["picture"] == "picture 5" and flat["split"] == "test"


def test_images_of_one_data_set_are_found_in_another():
    first = contents(DRAWN[:4], [0, 0, 1, 1], ["train"] * 4, "one")
    second = contents(np.concatenate([DRAWN[6:9], DRAWN[[2]]]), [0, 1, 0, 0], ["train", "train", "test", "test"], "two")
    found = inspection.compare(first, second)
    there = found.summary["second_in_first"]
    assert there["test"]["in"]["train"] == {"exact": 1, "any": 1} and there["test"]["other_label"] == 1
    assert there["train"]["in"]["all"] == {"exact": 0, "any": 0}
    assert found.summary["first_in_second"]["all"]["in"]["test"] == {"exact": 1, "any": 1}
    row, back = found.offenders
    assert (row["finding"], row["data"], row["picture"]) == ("exact copy", "B", "picture 3")
    assert (row["other_data"], row["other_picture"], row["conflict"]) == ("A", "picture 2", True)
    assert (back["data"], back["picture"], back["other_picture"]) == ("A", "picture 2", "picture 3")


def test_a_near_copy_under_another_label_counts_as_such():
    first = contents(DRAWN[:3], [0, 0, 1], ["train"] * 3, "one")
    lighter = (30 + DRAWN[:2] * 0.8).astype(np.uint8)
    second = contents(lighter, [0, 1], ["test"] * 2, "two")
    there = inspection.compare(first, second).summary["second_in_first"]["all"]
    assert there["in"]["all"] == {"exact": 0, "any": 2} and there["other_label"] == 1


def encoded_again(count, groups=None):
    """Images that train and, a little lighter, validate, and one that does both as it is."""
    images = faces.draw("train", count, size=48, seed=6)[0]
    again = (10 + images * 0.9).astype(np.uint8)
    again[0] = images[0]
    data = contents(
        np.concatenate([images, again]), [0] * 2 * count, ["train"] * count + ["validation"] * count
    )  # fmt: skip
    if groups:
        object.__setattr__(data, "groups", groups)
    return data


def test_a_release_that_was_encoded_again_is_named():
    summary = inspection.examine(encoded_again(30)).summary
    assert summary["leaks"]["validation"]["train"] == {"exact": 1, "any": 30}
    (note,) = summary["notes"]
    assert note.startswith("validation pictures in train: 1 exact, 30 exact or near: the release was encoded again")
    assert "data.drop_leaks=exact will not do" in note
    assert not inspection.examine(encoded_again(15)).summary["notes"]  # too few to say


def test_a_second_data_set_that_was_encoded_again_is_named():
    data = encoded_again(30)
    first = contents(data.images[:30], [0] * 30, ["train"] * 30, "one")
    second = contents(data.images[30:], [0] * 30, ["test"] * 30, "two")
    (note,) = inspection.compare(first, second).summary["notes"]
    assert note.startswith("pictures of B in A: 1 exact, 30 exact or near: the copies were encoded again")
    assert not inspection.compare(first, first).summary["notes"]


def test_near_copies_of_one_person_are_said_to_be_that():
    persons = tuple(f"S{at % 30}" for at in range(60))
    summary = inspection.examine(encoded_again(30, persons)).summary
    assert summary["near"]["within_one_group"] == summary["near"]["pairs"] == 29
    (note,) = summary["notes"]
    assert note.startswith("29 of 29 near pairs lie within one group: other pictures of one person")
    strangers = inspection.examine(encoded_again(30, tuple(f"S{at}" for at in range(60)))).summary
    assert strangers["near"]["within_one_group"] == 0 and "encoded again" in strangers["notes"][0]
    assert inspection.examine(encoded_again(30)).summary["near"]["within_one_group"] is None
