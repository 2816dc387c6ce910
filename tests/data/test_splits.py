"""Splits by usage and by lot: exact shares, nothing lost or twice, and what to choose where a
source lacks a set.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_jax.data import splits
from fer_jax.errors import DataError

CLASSES = ("angry", "happy", "sad")
STRATIFIED = ("stratified_80_10_10", "stratified_70_20_10")
EIGHTHS = ("kaggle_eighth", "kaggle_eighth_mixed")


def test_official_and_kaggle():
    usage = np.array([0, 1, 2, 0, 2, 1], np.int8)
    labels = np.zeros(6, np.int32)
    official = splits.assign("official", labels, usage, CLASSES, 0)
    assert {name: rows.tolist() for name, rows in official.items()} == {
        "train": [0, 3], "validation": [1, 5], "test": [2, 4]
    }  # fmt: skip
    kaggle = splits.assign("kaggle", labels, usage, CLASSES, 0)
    assert {name: rows.tolist() for name, rows in kaggle.items()} == {"train": [0, 3], "validation": [1, 2, 4, 5]}


@pytest.mark.parametrize(
    ("choice", "usage", "words"),
    (
        ("official", [0, 2], ("no validation set", "kaggle, kaggle_eighth, kaggle_eighth_mixed, stratified_80_10_10")),
        ("official", [0, 1], ("no test set", "kaggle, kaggle_eighth, kaggle_eighth_mixed, stratified_80_10_10")),
        ("official", [-1, -1], ("does not say", "work: stratified_80_10_10, stratified_70_20_10")),
        ("kaggle", [-1, -1], ("does not say", "work: stratified_80_10_10, stratified_70_20_10")),
        ("kaggle", [0, 0], ("no validation and no test set", "work: stratified_80_10_10")),
        ("kaggle", [1, 2], ("no train set", "work: stratified_80_10_10")),
        ("kaggle_eighth", [0, 0], ("no validation and no test set", "work: stratified_80_10_10")),
        ("kaggle_eighth_mixed", [-1, -1], ("does not say", "work: stratified_80_10_10, stratified_70_20_10")),
        ("official", [0, 1, 2, -1], ("of some pictures", "work: stratified_80_10_10")),
    ),
)
def test_missing_usage_names_what_works(choice, usage, words):
    with pytest.raises(DataError) as error:
        splits.assign(choice, np.zeros(len(usage), np.int32), np.array(usage), CLASSES, 0)
    assert f"data.split = {choice}" in str(error.value) and "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=300), st.sampled_from(STRATIFIED), st.integers(0, 2**31 - 1))
def test_stratified_shares_are_exact_and_nothing_is_lost(labels, choice, seed):
    labels = np.array(labels, np.int32)
    rows = splits.assign(choice, labels, np.full(len(labels), -1), CLASSES, seed)
    assert sorted(np.concatenate(list(rows.values())).tolist()) == list(range(len(labels)))
    percent = [int(word) for word in choice.split("_")[1:]]
    for label in range(3):
        count = (labels == label).sum()
        for share, name in zip(percent, splits.NAMES, strict=True):
            got = (labels[rows[name]] == label).sum()
            assert abs(got - count * share / 100) < (2 if name == "train" else 1)
            assert got >= 1 or count < 3


def test_stratified_counts_of_fer2013():
    counts = {"disgust": 547, "happy": 8989}
    labels = np.repeat(np.arange(2), list(counts.values()))
    rows = splits.assign("stratified_80_10_10", labels, np.full(len(labels), -1), tuple(counts), 0)
    got = {name: np.bincount(labels[part]).tolist() for name, part in rows.items()}
    assert got == {"train": [437, 7191], "validation": [55, 899], "test": [55, 899]}


def test_stratified_depends_on_the_seed_and_not_on_other_classes():
    labels = np.arange(600) % 3
    usage = np.full(600, -1)
    first, again, other = (splits.assign(STRATIFIED[0], labels, usage, CLASSES, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first["test"], again["test"])
    assert set(first["test"]) != set(other["test"])
    alone = splits.assign(STRATIFIED[0], np.zeros(200, int), usage[:200], CLASSES[1:2], 0)
    happy = first["test"][labels[first["test"]] == 1]
    np.testing.assert_array_equal(alone["test"], happy // 3)


def test_stratified_rows_are_pinned():
    rows = splits.assign(STRATIFIED[0], np.zeros(30, int), np.full(30, -1), ("happy",), 3)
    assert (rows["validation"].tolist(), rows["test"].tolist()) == ([1, 11, 18], [21, 27, 29])


# FER-2013's Training, PublicTest and PrivateTest images of each class.
FER2013 = {
    "angry": (3995, 467, 491), "disgust": (436, 56, 55), "fear": (4097, 496, 528), "happy": (7215, 895, 879),
    "neutral": (4965, 607, 626), "sad": (4830, 653, 594), "surprise": (3171, 415, 416),
}  # fmt: skip


def eighths(choice, seed=0):
    """Labels of FER-2013, and the rows of a split of it."""
    counts = np.array(list(FER2013.values()))
    labels, usage = np.repeat(np.arange(7), counts.sum(axis=1)), np.repeat(np.tile([0, 1, 2], 7), counts.ravel())
    return labels, usage, splits.assign(choice, labels, usage, tuple(FER2013), seed)


@pytest.mark.parametrize("choice", EIGHTHS)
def test_an_eighth_of_fer2013s_training_images_tests_and_the_test_folder_validates(choice):
    _, usage, rows = eighths(choice)
    assert {name: len(part) for name, part in rows.items()} == {"train": 25120, "validation": 7178, "test": 3589}
    assert rows["validation"].tolist() == np.flatnonzero(usage > 0).tolist()
    assert np.union1d(rows["train"], rows["test"]).tolist() == np.flatnonzero(usage == 0).tolist()
    assert set(rows["test"]) != set(eighths(choice, 1)[2]["test"])


def test_the_eighth_is_of_each_class_as_silvestro_printed_or_of_all_images_together():
    labels, _, rows = eighths("kaggle_eighth")
    counts = dict(zip(FER2013, np.bincount(labels[rows["test"]]).tolist(), strict=True))
    # Her 396 a class of 3,171, and 1,670 negative and 1,298 positive.
    assert counts["surprise"] == 396 and counts["happy"] + counts["surprise"] == 1298
    assert sum(counts[name] for name in ("angry", "disgust", "fear", "sad")) == 1670
    # Without regard to class the disgusted ones are hypergeometric: 3,589 of 28,709, of whom 436
    # are; mean 54.5, sd 6.85.
    drawn = []
    for seed in range(40):
        labels, _, rows = eighths("kaggle_eighth_mixed", seed)
        drawn.append(np.bincount(labels[rows["test"]])[1])
    assert abs(np.mean(drawn) - 436 / 8) < 4 * 6.85 / np.sqrt(40) and 4.5 < np.std(drawn, ddof=1) < 9.5


@given(st.lists(st.integers(0, 2), min_size=2, max_size=200), st.sampled_from(EIGHTHS), st.integers(0, 2**31 - 1))
def test_no_image_is_lost_to_an_eighth_and_no_class_of_two(labels, choice, seed):
    labels = np.array([*labels, 0], np.int32)
    usage = np.array([*np.zeros(len(labels) - 1, int), 1])
    rows = splits.assign(choice, labels, usage, CLASSES, seed)
    assert sorted(np.concatenate(list(rows.values())).tolist()) == list(range(len(labels)))
    of_class = [(labels[:-1] == label) for label in range(3)] if choice == "kaggle_eighth" else [labels[:-1] >= 0]
    for shown in of_class:
        tested = shown[rows["test"]].sum()
        assert abs(tested - shown.sum() / 8) <= 0.5 or (tested, shown.sum() >= 2) == (1, True)
        assert tested or shown.sum() < 2


def test_a_classs_eighth_depends_on_the_seed_and_not_on_other_classes():
    labels, usage = np.tile([0, 1, 2], 100), np.repeat([0, 2], (240, 60))
    first = splits.assign("kaggle_eighth", labels, usage, CLASSES, 3)["test"]
    alone = splits.assign("kaggle_eighth", np.zeros(100, int), usage[1::3], CLASSES[1:2], 3)["test"]
    assert (first[labels[first] == 1] // 3).tolist() == alone.tolist()


@given(st.floats(0.001, 1), st.floats(0.001, 1), st.integers(0, 1000))
def test_fraction_keeps_its_share_of_every_class_and_grows(fraction, other, seed):
    labels = np.repeat(np.arange(3), (3, 40, 157))
    rows = np.arange(0, 200, 2)
    small, large = (splits.subset(rows, labels, CLASSES, f, seed) for f in sorted((fraction, other)))
    assert set(small) <= set(large) <= set(rows)
    for label in range(3):
        whole = (labels[rows] == label).sum()
        got = (labels[small] == label).sum()
        # Half an image for its own rounding, and its share of the two that three classes and the
        # whole may be rounded by.
        assert got >= 1 and abs(got - whole * min(fraction, other)) <= max(1, 0.5 + 2 * whole / len(rows))


@pytest.mark.parametrize(("each", "count"), [(5000, 49), (1000, 10), (1, 10)])
def test_the_fraction_of_the_whole_is_rounded_and_not_of_each_class(each, count):
    """imperial's 49 of CIFAR-10's 50,000 training images, and at least one of each class."""
    labels = np.tile(np.arange(10), each)
    found = splits.subset(np.arange(len(labels)), labels, tuple("abcdefghij"), 49 / 50_000, 0)
    assert len(set(found)) == len(found) == count
    assert np.ptp(np.bincount(labels[found], minlength=10)) <= 1


def test_fraction_one_is_everything():
    rows = np.array([4, 7])
    np.testing.assert_array_equal(splits.subset(rows, np.zeros(8, int), CLASSES, 1.0, 0), rows)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=200), st.integers(2, 7), st.integers(0, 2**31 - 1))
def test_folds_are_equal_disjoint_and_leave_the_test_images_alone(labels, folds, seed):
    labels = np.array(labels, np.int32)
    usage = np.random.default_rng(seed).integers(-1, 3, len(labels))
    found = [splits.assign("kfold", labels, usage, CLASSES, seed, folds, fold) for fold in range(folds)]
    pool = np.flatnonzero(usage != 2)
    for rows in found:
        assert rows.get("test", np.array([])).tolist() == np.flatnonzero(usage == 2).tolist()
        assert sorted([*rows["train"], *rows["validation"]]) == pool.tolist()
        for label in range(3):
            assert (labels[rows["validation"]] == label).sum() == (labels[pool] == label).sum() // folds
    held_out = np.concatenate([rows["validation"] for rows in found])
    assert len(set(held_out.tolist())) == len(held_out)
    # What no fold validates on is less than one image a fold and class.
    assert len(pool) - len(held_out) <= 3 * (folds - 1)


def test_a_class_is_folded_the_same_whatever_others_there_are():
    labels, usage = np.repeat([0, 1, 2], 50), np.full(150, -1)
    rows = splits.assign("kfold", labels, usage, CLASSES, 0, 5, 2)["validation"]
    alone = splits.assign("kfold", np.zeros(50, int), usage[:50], CLASSES[1:2], 0, 5, 2)["validation"]
    assert (rows[labels[rows] == 1] - 50).tolist() == alone.tolist()
