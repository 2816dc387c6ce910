"""Images evaluated on that were learned or chosen from: found, and left out by `data.drop_leaks`,
for every way to split.
"""

import types

import numpy as np
import pytest

from fer_jax.config.values import default_config
from fer_jax.data import Dataset, Split, faces, leaks, load, remarks
from fer_jax.data.duplicates import find
from fer_jax.errors import DataError

CLASSES = ("angry", "happy", "sad")


def block(**changes):
    made = default_config().data
    made.name, made.path, made.image_size = "folder", "somewhere", 24
    for name, value in changes.items():
        made[name] = value
    return made


@pytest.fixture
def source(monkeypatch):
    """90 images (usages 0, 1, 2 in turn, 30 of each class) in place of any file, some of them
    copies.

    Row 1 (validation) is row 0 (train), row 2 (test) is row 3 (train), row 5 (test) is row 7
    (validation), row 8 (test) is row 11 (test), row 35 (test, happy) is row 6 (train, angry). Row
    10 (validation) is a lighter copy of row 9 (train).
    """
    images = np.array(faces.draw("train", 90, seed=1, size=24)[0])
    for copy, original in ((1, 0), (2, 3), (5, 7), (8, 11), (35, 6)):
        images[copy] = images[original]
    images[10] = (30 + images[9] * 0.8).astype(np.uint8)
    made = types.SimpleNamespace(
        images=images, labels=np.repeat(np.arange(3, dtype=np.int32), 30), usage=np.tile([0, 1, 2], 30).astype(np.int8),
        classes=CLASSES, provenance={"source": "here"},
    )  # fmt: skip
    monkeypatch.setattr("fer_jax.data.reading.source.read", lambda *_, **__: made)
    return made


def images(split):
    return [image.tobytes() for image in split.images]


def expected_leaks(data):
    """As sets of bytes say."""
    train, validation = set(images(data.train)), set(images(data.validation))
    found = {"validation": [one in train for one in images(data.validation)]}
    if data.test is not None:
        found["test"] = [one in train | validation for one in images(data.test)]
    return found


@pytest.mark.parametrize(
    "changes",
    [
        {}, {"split": "kaggle"}, {"split": "stratified_80_10_10", "seed": 4}, {"split": "stratified_70_20_10"},
        {"fraction": 0.5},
        {"classes": ("angry", "happy")}, {"merge": ("bad=angry+sad",)}, {"balance": "augment"},
        {"balance": "oversample", "balance_splits": "all"}, {"balance": "undersample", "balance_splits": "all"},
        {"balance": "undersample"}, {"split": "kfold", "folds": 3, "fold": 1}, {"classes": ("happy", "sad")},
    ],
    ids=str,
)  # fmt: skip
def test_leaks_are_those_of_the_sets_of_images_and_dropping_leaves_none(source, changes):
    plain, data = load(block(**changes)), load(block(**changes, drop_leaks="exact"))
    wanted = expected_leaks(plain)
    assert {name: mask.tolist() for name, mask in plain.leaked.items()} == wanted
    assert list(data.leaked) == list(wanted) and not any(mask.any() for mask in data.leaked.values())
    np.testing.assert_array_equal(data.train.images, plain.train.images)
    np.testing.assert_array_equal(data.train.labels, plain.train.labels)
    if changes.get("balance_splits") != "all":
        for name, mask in plain.leaked.items():
            kept = plain.splits()[name].images[~mask]
            np.testing.assert_array_equal(data.splits()[name].images, kept)
            assert data.provenance["leaks_dropped"]["counts"][name] == mask.sum()


def test_which_copy_goes(source):
    plain, data = load(block()), load(block(drop_leaks="exact"))
    assert [np.flatnonzero(plain.leaked[name]).tolist() for name in ("validation", "test")] == [[0], [0, 1, 11]]
    rows = {name: images(split) for name, split in data.splits().items()}
    assert source.images[1].tobytes() not in rows["validation"]  # the copy in validation goes
    assert source.images[0].tobytes() in rows["train"]  # the one in train stays
    assert source.images[35].tobytes() not in rows["test"]  # another label in train makes it no less a leak
    assert rows["test"].count(source.images[8].tobytes()) == 2  # copies within a split stay
    assert len(data.validation) == 29 and len(data.test) == 27
    assert data.counts("test").tolist() == [8, 9, 10]
    of = {"validation": 30, "test": 30}
    assert data.provenance["leaks_dropped"] == {"kind": "exact", "counts": {"validation": 1, "test": 3}, "of": of}
    assert data.provenance["counts"]["test"] == {"angry": 8, "happy": 9, "sad": 10}


def test_near_copies_go_as_well(source):
    exact, near = load(block(drop_leaks="exact")), load(block(drop_leaks="near"))
    light = source.images[10].tobytes()
    assert light in images(exact.validation) and light not in images(near.validation)
    assert near.provenance["leaks_dropped"]["counts"] == {"validation": 2, "test": 3}
    told = "data.drop_leaks = near left out 2 of 30 validation and 3 of 30 test images"
    assert remarks.remarks(near.provenance) == [told]


def test_a_copy_in_a_class_or_share_that_is_not_used_is_no_leak(source):
    # Row 35 is happy, its copy in train is angry.
    data = load(block(classes=("happy", "sad"), drop_leaks="exact"))
    assert source.images[35].tobytes() in images(data.test) and not data.provenance["leaks_dropped"]["counts"]["test"]


def test_headings_and_checksums_tell_data_without_leaks(source):
    assert load(block()).label == "folder, official split"
    data = load(block(drop_leaks="exact", balance="undersample"))
    assert data.label == "folder, official split, without exact leaks, training undersampled"
    assert load(block(drop_leaks="near")).label == "folder, official split, without exact and near leaks"
    assert len({load(block(drop_leaks=kind)).checksum for kind in ("none", "exact", "near")}) == 3


def test_a_split_of_which_nothing_is_left(source):
    source.images[source.usage == 2] = source.images[0]
    with pytest.raises(DataError, match=r"the test split holds no pictures .*data.drop_leaks = exact") as caught:
        load(block(drop_leaks="exact"))
    assert "\n" not in str(caught.value)
    source.images[(source.usage == 1) & (source.labels == 2)] = source.images[0]
    source.images[source.usage == 2] = faces.draw("test", 30, seed=9, size=24)[0]
    with pytest.raises(DataError, match=r"class sad has no pictures in the validation split .*data.drop_leaks = exact"):
        load(block(drop_leaks="exact"))


def test_leaked_of_splits_that_share_nothing_or_everything():
    images, labels = faces.draw("train", 10, size=16)
    split = Split(images, labels)
    twice = Dataset("mine", "official", faces.CLASSES, split, split, split, "", {})
    assert (
        twice.leaked["validation"].all() and twice.leaked["test"].all() and set(twice.leaked) == {"validation", "test"}
    )
    assert twice.leaked is twice.leaked
    other = Dataset("mine", "kaggle", faces.CLASSES, split, Split(255 - images, labels), None, "", {})
    assert {name: mask.tolist() for name, mask in other.leaked.items()} == {"validation": [False] * 10}


def test_a_test_image_goes_with_its_near_copy_in_a_validation_split_that_goes_itself(source):
    rows = {"train": np.array([9]), "validation": np.array([10]), "test": np.array([12])}
    images = source.images.copy()
    images[12] = images[10]
    kept, dropped = leaks.drop("near", images, rows)
    assert dropped == {"validation": 1, "test": 1} and kept["train"].tolist() == [9]
    kept, dropped = leaks.drop("exact", images, rows)
    assert dropped == {"validation": 0, "test": 1} and kept["validation"].tolist() == [10]
    assert leaks.leaked(rows, find([images]))["test"].tolist() == [True]


def test_the_accuracy_without_leaked_images_leaves_exactly_them_out():
    right = np.array([[True, True, False, False], [False, True, True, True]])
    found = leaks.accuracy_without(right, np.array([True, False, False, False]))
    np.testing.assert_allclose(found, [1 / 3, 1])
    np.testing.assert_array_equal(leaks.accuracy_without(right, np.zeros(4, bool)), [0.5, 0.75])
    assert np.isnan(leaks.accuracy_without(right, np.ones(4, bool))).all()
    assert leaks.accuracy_without(right[0], np.array([False, False, True, True])) == 1
