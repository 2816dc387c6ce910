"""Classes kept and merged: labels by name, any spelling, and what cannot be merged."""

import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_jax.config import rules
from fer_jax.data import classes, load, names
from fer_jax.errors import ConfigError, DataError

SIX = tuple(name for name in names.CLASSES if name != "neutral")
SILVESTRO = ("positive=happy+surprise", "negative=angry+fear+disgust+sad")
FIELDS = {
    "name": "folder", "path": "somewhere", "split": "official", "seed": 0, "fraction": 1.0, "image_size": 8,
    "channels": 1, "classes": (), "merge": (), "drop_leaks": "none", "balance": "none", "balance_splits": "train",
    "on_error": "fatal", "labels": "", "pattern": "", "names": (), "group": "",
}  # fmt: skip


def block(**changes):
    return types.SimpleNamespace(**{**FIELDS, **changes})


@pytest.fixture(autouse=True)
def source(monkeypatch):
    """Puts 210 images in place of any file, ten of each class and usage."""
    images = np.random.default_rng(0).integers(0, 256, (210, 8, 8, 1), np.uint8)
    made = types.SimpleNamespace(
        images=images, labels=np.tile(np.arange(7, dtype=np.int32), 30), usage=np.repeat([0, 1, 2], 70).astype(np.int8),
        classes=names.CLASSES, provenance={"source": "here"},
    )  # fmt: skip
    monkeypatch.setattr("fer_jax.data.reading.source.read", lambda *_, **__: made)
    return made


def test_silvestros_two_classes(source):
    data = load(block(classes=SIX, merge=SILVESTRO))
    assert data.classes == ("negative", "positive")
    assert data.counts("train").tolist() == [40, 20] and data.majority_share == pytest.approx(2 / 3)
    kept = [row for row in range(140, 210) if names.CLASSES[source.labels[row]] != "neutral"]
    np.testing.assert_array_equal(data.test.images, source.images[kept])
    positive = [names.CLASSES[source.labels[row]] in ("happy", "surprise") for row in kept]
    np.testing.assert_array_equal(data.test.labels, positive)
    assert data.provenance["merged"] == {
        "negative": ["angry", "disgust", "fear", "sad"], "positive": ["happy", "surprise"]
    }  # fmt: skip
    assert data.provenance["counts"]["validation"] == {"negative": 40, "positive": 20}


def test_unmerged_classes_stay_and_all_are_sorted():
    data = load(block(merge=("glad=happy+surprise",)))
    assert data.classes == ("angry", "disgust", "fear", "glad", "neutral", "sad")
    assert data.counts("train").tolist() == [10, 10, 10, 20, 10, 10]


def test_any_spelling_names_a_class():
    data = load(block(merge=("Happiness=HAPPY+surprised", "bad = Anger + disgusted")))
    assert data.classes == ("bad", "fear", "happy", "neutral", "sad")
    assert data.provenance["merged"] == {"bad": ["angry", "disgust"], "happy": ["happy", "surprise"]}


def test_merging_changes_labels_and_never_images():
    for split, fraction in (("official", 1.0), ("stratified_70_20_10", 1.0), ("official", 0.4)):
        plain = load(block(split=split, fraction=fraction))
        merged = load(block(split=split, fraction=fraction, merge=SILVESTRO))
        for name, part in plain.splits().items():
            np.testing.assert_array_equal(merged.splits()[name].images, part.images)
        assert merged.checksum != plain.checksum


def test_other_parts_give_another_checksum():
    one, other = load(block(merge=("a=happy+sad",))), load(block(merge=("a=happy+fear",)))
    assert one.checksum != other.checksum
    assert one.checksum == load(block(merge=("a=sad+happy",))).checksum


@pytest.mark.parametrize(
    ("change", "words"),
    (
        ({"merge": ("a=happy+joy",)}, "no class 'joy'; the data set has angry, disgust"),
        ({"classes": ("happy", "sad", "fear"), "merge": ("a=happy+angry",)}, "angry is left out by data.classes"),
        ({"merge": ("sadness=happy+angry",)}, "sad is already a class of its own"),
        ({"classes": ("happy", "sad"), "merge": ("a=happy+sad",)}, "leaves one class, a"),
        ({"merge": ("a=happy+happiness",)}, "happy is named twice"),
        ({"merge": ("a=happy+fear", "b=sad+happiness")}, "happy is named twice"),
        ({"merge": ("A=happy+fear", "a=sad+angry")}, "two new classes are called a"),
    ),
)
def test_what_cannot_be_merged_is_said_in_one_line(change, words):
    with pytest.raises(DataError) as error:
        load(block(**change))
    assert str(error.value).startswith("data.merge") and words in str(error.value) and "\n" not in str(error.value)


def test_an_entry_that_is_no_merge_is_refused():
    with pytest.raises(ConfigError, match="^data.merge = 'happy'"):
        load(block(merge=("happy",)))


def test_a_new_name_may_be_that_of_a_class_left_out():
    data = load(block(classes=("happy", "sad", "fear"), merge=("neutral=sad+fear",)))
    assert data.classes == ("happy", "neutral") and data.counts("train").tolist() == [10, 20]


@given(st.lists(st.sampled_from(names.CLASSES), min_size=1, max_size=5, unique=True), st.booleans())
def test_every_kept_class_becomes_exactly_one(parts, reverse):
    text = f"new={'+'.join(reversed(parts) if reverse else parts)}"
    merges = rules.merges({"data.merge": (text,)})
    made, becomes = classes.merge_classes(names.CLASSES, list(range(7)), merges)
    assert made == tuple(sorted({*names.CLASSES} - {*parts} | {"new"}))
    assert becomes == {name: "new" if name in parts else name for name in names.CLASSES}
