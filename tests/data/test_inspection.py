"""What an audit finds among images whose copies are known."""

import numpy as np
import pytest

from fer_jax.data import faces, inspection
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
    offenders = inspection.examine(planted).offenders
    assert {key for row in offenders for key in row} <= set(inspection.COLUMNS)
    exact = [row for row in offenders if row["finding"] == "exact copy"]
    assert [(row["picture"], row["other_picture"], row["leak"], row["conflict"]) for row in exact] == [
        ("picture 3", "picture 0", True, True),
        ("picture 4", "picture 1", True, False),
    ]
    (flat,) = (row for row in offenders if row["finding"] == "constant")
    assert flat["picture"] == "picture 5" and flat["split"] == "test"


def test_images_of_one_data_set_are_found_in_another():
    first = contents(DRAWN[:4], [0, 0, 1, 1], ["train"] * 4, "one")
    second = contents(np.concatenate([DRAWN[6:9], DRAWN[[2]]]), [0, 1, 0, 0], ["train", "train", "test", "test"], "two")
    found = inspection.compare(first, second)
    there = found.summary["second_in_first"]
    assert there["test"]["in"]["train"] == {"exact": 1, "any": 1} and there["test"]["other_label"] == 1
    assert there["train"]["in"]["all"] == {"exact": 0, "any": 0}
    assert found.summary["first_in_second"]["all"]["in"]["test"] == {"exact": 1, "any": 1}
    (row,) = found.offenders
    assert (row["finding"], row["data"], row["picture"]) == ("exact copy", "B", "picture 3")
    assert (row["other_data"], row["other_picture"], row["conflict"]) == ("A", "picture 2", True)
