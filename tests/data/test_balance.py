"""Equal classes: exact counts, nothing invented, originals untouched, copies as SciPy would
transform them.
"""

import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from fer_jax.data import balance, load
from fer_jax.errors import DataError

CLASSES = ("angry", "happy", "sad")
FIELDS = {
    "name": "folder", "path": "somewhere", "split": "official", "seed": 0, "fraction": 1.0, "image_size": 12,
    "channels": 1, "classes": (), "merge": (), "drop_leaks": "none", "balance": "none", "balance_splits": "train",
    "on_error": "fatal", "labels": "", "pattern": "", "names": (), "group": "",
}  # fmt: skip


def block(**changes):
    return types.SimpleNamespace(**{**FIELDS, **changes})


@pytest.fixture
def source(monkeypatch):
    """Puts 60 images in place of any file; train 10/20/3, validation 5/3/4, test 6/5/4 of
    angry/happy/sad.
    """
    counts = [(10, 20, 3), (5, 3, 4), (6, 5, 4)]
    usage = np.repeat([0, 1, 2], [sum(row) for row in counts]).astype(np.int8)
    labels = np.concatenate([np.repeat(np.arange(3, dtype=np.int32), row) for row in counts])
    order = np.random.default_rng(1).permutation(60)
    images = np.random.default_rng(0).integers(0, 256, (60, 12, 12, 1), np.uint8)
    made = types.SimpleNamespace(
        images=images, labels=labels[order], usage=usage[order], classes=CLASSES, provenance={"source": "here"}
    )
    monkeypatch.setattr("fer_jax.data.reading.source.read", lambda *_, **__: made)
    return made


def rows_of(part, source):
    """Which of the source's images each of a split's is, -1 for none."""
    known = {image.tobytes(): row for row, image in enumerate(source.images)}
    return [known.get(image.tobytes(), -1) for image in part.images]


def test_undersampled_training_leaves_the_other_splits_alone(source):
    plain, data = load(block()), load(block(balance="undersample"))
    assert data.counts("train").tolist() == [3, 3, 3]
    rows = rows_of(data.train, source)
    assert rows == sorted(set(rows)) and set(rows) <= set(rows_of(plain.train, source))
    np.testing.assert_array_equal(data.train.labels, source.labels[rows])
    np.testing.assert_array_equal(data.validation.images, plain.validation.images)
    assert data.counts("test").tolist() == [6, 5, 4]


def test_every_split_undersampled_to_its_own_smallest_class(source):
    data = load(block(balance="undersample", balance_splits="all"))
    assert {name: data.counts(name).tolist() for name in data.splits()} == {
        "train": [3, 3, 3], "validation": [3, 3, 3], "test": [4, 4, 4]
    }  # fmt: skip
    assert data.majority_share == pytest.approx(1 / 3)


def test_oversampled_rows_differ_by_one_in_how_often_they_come(source):
    plain, data = load(block()), load(block(balance="oversample"))
    assert data.counts("train").tolist() == [20, 20, 20]
    rows = rows_of(data.train, source)
    assert rows == sorted(rows) and set(rows) == set(rows_of(plain.train, source))
    times = {label: [rows.count(row) for row in set(rows) if source.labels[row] == label] for label in range(3)}
    assert sorted(times[0]) == [2] * 10 and sorted(times[1]) == [1] * 20 and sorted(times[2]) == [6, 7, 7]


def test_augmented_copies_are_new_and_originals_stay(source):
    plain, data = load(block(seed=5)), load(block(seed=5, balance="augment"))
    repeated = load(block(seed=5, balance="oversample"))
    np.testing.assert_array_equal(data.train.labels, repeated.train.labels)
    rows = np.array(rows_of(repeated.train, source))
    first = np.flatnonzero(np.diff(rows, prepend=-1))
    np.testing.assert_array_equal(data.train.images[first], plain.train.images)
    copies = np.delete(data.train.images, first, axis=0)
    assert len(copies) == 60 - 33 and len({copy.tobytes() for copy in copies}) == len(copies)
    assert not {copy.tobytes() for copy in copies} & {image.tobytes() for image in source.images}
    np.testing.assert_array_equal(data.validation.images, plain.validation.images)
    again, other = load(block(seed=5, balance="augment")), load(block(seed=6, balance="augment"))
    assert again.checksum == data.checksum != other.checksum


def test_provenance_and_label_tell_what_was_done(source):
    data = load(block(balance="undersample", balance_splits="all"))
    assert data.provenance["balanced"] == {
        "kind": "undersample",
        "splits": ["train", "validation", "test"],
        "counts_before": {
            "train": {"angry": 10, "happy": 20, "sad": 3},
            "validation": {"angry": 5, "happy": 3, "sad": 4},
            "test": {"angry": 6, "happy": 5, "sad": 4},
        },
    }
    assert data.provenance["counts"]["test"] == {"angry": 4, "happy": 4, "sad": 4}
    assert data.label == "folder, official split, every split undersampled"
    assert load(block(balance="oversample")).label == "folder, official split, training oversampled"
    assert "balanced" not in load(block()).provenance and load(block()).label == "folder, official split"


def test_fraction_and_merging_come_before_balancing(source):
    data = load(block(fraction=0.5, balance="undersample"))
    assert data.counts("train").tolist() == [2, 2, 2]  # of 5, 10 and 2
    merged = load(block(merge=("bad=angry+sad",), balance="undersample"))
    assert merged.classes == ("bad", "happy") and merged.counts("train").tolist() == [13, 13]
    kept = load(block(classes=("angry", "happy"), balance="undersample"))
    assert kept.counts("train").tolist() == [10, 10]


def test_a_class_without_images_cannot_be_balanced(source):
    source.usage[(source.labels == 2) & (source.usage == 1)] = 0
    with pytest.raises(
        DataError, match="^class sad has no pictures in the validation split, so data.balance = oversample"
    ):
        load(block(balance="oversample", balance_splits="all", on_error="skip"))
    assert load(block(balance="oversample", on_error="skip")).counts("train").tolist() == [20, 20, 20]


@given(
    st.lists(st.integers(0, 2), min_size=3, max_size=120),
    st.sampled_from(("undersample", "oversample", "augment")),
    st.integers(0, 2**31 - 1),
)
def test_counts_are_equal_and_no_row_is_invented(labels, kind, seed):
    labels = np.array(labels)
    rows = np.arange(0, len(labels), 1 + seed % 2)
    sizes = np.bincount(labels[rows], minlength=3)
    if not sizes.all():
        with pytest.raises(DataError, match="has no pictures in the train split"):
            balance.balance(kind, rows, labels, CLASSES, seed, "train")
        return
    made = balance.balance(kind, rows, labels, CLASSES, seed, "train")
    assert set(np.bincount(labels[made])) == {sizes.min() if kind == "undersample" else sizes.max()}
    assert (np.diff(made) >= 0).all() and set(made) <= set(rows)
    if kind == "undersample":
        assert len(set(made)) == len(made)
    else:
        assert set(made) == set(rows)


def test_draws_depend_on_seed_and_class_name_alone():
    labels = np.repeat([0, 1, 2], (40, 30, 10))
    three, other = (balance.balance("undersample", np.arange(80), labels, CLASSES, seed, "train") for seed in (3, 4))
    assert set(three) != set(other)
    two = balance.balance("undersample", np.arange(40), np.repeat([1, 0], (30, 10)), ("sad", "happy"), 3, "train")
    np.testing.assert_array_equal(two[two < 30], three[(three >= 40) & (three < 70)] - 40)
    fewer = balance.balance("undersample", np.arange(75), labels, CLASSES, 3, "train")
    assert set(fewer[fewer < 70]) < set(three[three < 70])


def test_undersampled_rows_are_pinned():
    rows = balance.balance("undersample", np.arange(12), np.repeat([0, 1], (9, 3)), ("happy", "sad"), 3, "train")
    assert rows.tolist() == [3, 6, 7, 9, 10, 11]


@pytest.mark.parametrize("channels", (1, 3))
def test_copies_are_what_scipy_makes_of_the_same_numbers(channels):
    rng = np.random.default_rng(2)
    images = ndimage.gaussian_filter(rng.uniform(0, 255, (40, 17, 17, channels)), (0, 1, 1, 0)).astype(np.uint8)
    draws = rng.random((40, 7))
    made = balance.transform(images, draws)
    for image, got, draw in zip(images, made, draws, strict=True):
        signed = 2 * draw[:6] - 1
        angle = 2 * np.arctan(np.tan(np.radians(5)) * signed[0])
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = turn @ np.diag([1 + 0.1 * signed[3], (1 + 0.1 * signed[4]) * (-1 if draw[6] < 0.5 else 1)])
        centre = np.array([8.0, 8.0])
        offset = centre + 17 * 0.1 * signed[1:3] - matrix @ centre
        for channel in range(channels):
            plane = image[..., channel].astype(float)
            wanted = ndimage.affine_transform(plane, matrix, offset, order=1, mode="nearest")
            wanted = np.clip(wanted * (1 + 0.1 * signed[5]), 0, 255)
            assert np.abs(got[..., channel] - wanted).max() <= 0.5 + 1e-5


def test_middling_numbers_leave_a_image_as_it_is():
    images = np.random.default_rng(3).integers(0, 256, (2, 9, 9, 3), np.uint8)
    draws = np.full((2, 7), 0.5)
    np.testing.assert_array_equal(balance.transform(images, draws), images)
    draws[:, 6] = 0.1
    np.testing.assert_array_equal(balance.transform(images, draws), images[:, :, ::-1])
