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
        ("official", [0, 2], ("no validation set", "kaggle, stratified_80_10_10")),
        ("official", [0, 1], ("no test set", "kaggle, stratified_80_10_10")),
        ("official", [-1, -1], ("does not say", "work: stratified_80_10_10, stratified_70_20_10")),
        ("kaggle", [-1, -1], ("does not say", "work: stratified_80_10_10, stratified_70_20_10")),
        ("kaggle", [0, 0], ("no validation and no test set", "work: stratified_80_10_10")),
        ("kaggle", [1, 2], ("no train set", "work: stratified_80_10_10")),
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
