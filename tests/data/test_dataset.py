"""What `fer_jax.data.load` makes of a config's data block: built-in faces, files, chosen classes,
fractions, gaps.
"""

import subprocess
import sys
import types

import numpy as np
import pytest

from fer_jax.data import Dataset, dataset, faces, load
from fer_jax.data.reading.wanted import Wanted
from fer_jax.errors import DataError

FIELDS = {
    "name": "synthetic", "path": "", "split": "official", "seed": 0, "fraction": 1.0, "image_size": 12, "channels": 1,
    "classes": (),
    "labels": "", "pattern": "", "names": (), "group": "",
    "merge": (), "drop_leaks": "none", "balance": "none", "balance_splits": "train",
    "on_error": "fatal", "train_size": 200, "validation_size": 80, "test_size": 70, "label_noise": 0.02,
}  # fmt: skip


def block(**changes):
    return types.SimpleNamespace(**{**FIELDS, **changes})


def sizes(data: Dataset) -> dict[str, int]:
    return {name: len(split) for name, split in data.splits().items()}


@pytest.fixture
def source(monkeypatch):
    """Puts a source of 90 images (thirty each of angry, happy, sad; usages 0, 1, 2 in turn) in
    place of any file.
    """
    images = np.random.default_rng(0).integers(0, 256, (90, 12, 12, 1), np.uint8)
    made = types.SimpleNamespace(
        images=images, labels=np.repeat(np.arange(3, dtype=np.int32), 30), usage=np.tile([0, 1, 2], 30).astype(np.int8),
        classes=("angry", "happy", "sad"), provenance={"source": "here", "skipped": []}, asked=None,
    )  # fmt: skip

    def read(path, image_size, channels, on_error, wanted):
        made.asked = (path, image_size, channels, on_error, wanted)
        return made

    monkeypatch.setattr("fer_jax.data.reading.source.read", read)
    return made


def test_built_in_faces():
    data = load(block())
    assert sizes(data) == {"train": 200, "validation": 80, "test": 70}
    assert data.classes == faces.CLASSES and data.label == "synthetic faces, official split"
    images, labels = faces.draw("validation", 80, size=12)
    np.testing.assert_array_equal(data.validation.images, images)
    np.testing.assert_array_equal(data.validation.labels, labels)
    assert 0.2 < data.majority_share < 0.3
    assert data.provenance["kind"] == "synthetic" and data.provenance["warnings"] == []
    assert data.provenance["counts"]["test"] == dict(zip(data.classes, data.counts("test").tolist(), strict=True))


def test_checksum_follows_the_data_and_nothing_else():
    first = load(block()).checksum
    assert first == load(block(path="elsewhere", on_error="skip")).checksum
    changes = (
        {"seed": 1}, {"image_size": 13}, {"split": "kaggle"}, {"fraction": 0.5}, {"channels": 3}, {"label_noise": 0.0}
    )  # fmt: skip
    others = [load(block(**change)).checksum for change in changes]
    assert len({first, *others}) == len(others) + 1


def test_held_out_images_have_an_identity(source):
    def identity(**change):
        return load(block(**change)).provenance["held_out"]

    first = identity()
    assert set(first) == {"validation", "test"} and first["validation"] != first["test"]
    for change in (
        {"image_size": 16},
        {"channels": 3},
        {"train_size": 100},
        {"balance": "oversample"},
        {"merge": ("bad=angry+sad",)},
    ):
        assert identity(**change) == first
    for change in (
        {"seed": 1},
        {"label_noise": 0.0},
        {"validation_size": 60},
        {"fraction": 0.5},
        {"classes": ("happy", "sad")},
    ):
        assert identity(**change)["validation"] != first["validation"]
    assert identity(validation_size=60)["test"] == first["test"]
    files = identity(name="folder")
    assert identity(name="folder", split="kaggle").keys() == {"validation"} and files["test"] != first["test"]
    source.images[0, 0, 0] ^= 255
    assert identity(name="folder") != files


def test_kaggle_validates_on_all_that_is_not_training():
    data = load(block(split="kaggle"))
    official = load(block())
    assert sizes(data) == {"train": 200, "validation": 150} and data.test is None
    np.testing.assert_array_equal(
        data.validation.images, np.concatenate([official.validation.images, official.test.images])
    )


@pytest.mark.parametrize("choice", ["kaggle_eighth", "kaggle_eighth_mixed"])
def test_an_eighth_of_the_training_images_tests_and_its_seed_is_told(choice):
    data, other, kaggle = (
        load(block(split=split, seed=seed)) for split, seed in ((choice, 3), (choice, 4), ("kaggle", 3))
    )
    assert sizes(data) == {"train": 175, "validation": 150, "test": 25} and data.provenance["seed"] == 3
    np.testing.assert_array_equal(data.validation.images, kaggle.validation.images)
    both = np.concatenate([data.train.images, data.test.images])
    assert sorted(image.tobytes() for image in both) == sorted(image.tobytes() for image in kaggle.train.images)
    assert other.checksum != data.checksum and data.label == f"synthetic faces, {choice} split"


def test_stratified_pools_all_images():
    data = load(block(split="stratified_70_20_10"))
    shares = [data.counts(name) / sum(data.counts(part) for part in data.splits()) for name in data.splits()]
    np.testing.assert_allclose(np.mean(shares, axis=1), [0.7, 0.2, 0.1], atol=0.03)
    assert sum(sizes(data).values()) == 350


def test_chosen_classes_of_built_in_faces_by_any_spelling():
    data = load(block(classes=("happiness", "anger")))
    assert data.classes == ("angry", "happy") and sizes(data)["train"] == 200
    assert set(data.train.labels) == {0, 1}


@pytest.mark.parametrize("name", ("folder", "fer2013"))
def test_files_are_read_by_name(source, name):
    data = load(block(name=name, path="somewhere"))
    assert source.asked == ("somewhere", 12, 1, "fatal", Wanted(fer=name == "fer2013"))
    assert sizes(data) == {"train": 30, "validation": 30, "test": 30}
    np.testing.assert_array_equal(data.test.images, source.images[2::3])
    np.testing.assert_array_equal(data.test.labels, source.labels[2::3])
    assert data.provenance["source"] == "here"


def test_chosen_classes_of_files_are_renumbered(source):
    data = load(block(name="folder", classes=("Sad", "anger")))
    assert data.classes == ("angry", "sad")
    np.testing.assert_array_equal(data.train.labels, np.repeat([0, 1], 10))
    np.testing.assert_array_equal(data.train.images, source.images[[*range(0, 30, 3), *range(60, 90, 3)]])


def test_chosen_classes_keep_their_stratified_split(source):
    everything = load(block(name="folder", split="stratified_80_10_10"))
    some = load(block(name="folder", split="stratified_80_10_10", classes=("angry", "sad")))
    np.testing.assert_array_equal(some.test.images, everything.test.images[everything.test.labels != 1])


def test_unknown_class_lists_the_known(source):
    with pytest.raises(DataError, match=r"no class 'joy'; the data set has angry, happy, sad$"):
        load(block(name="folder", classes=("angry", "joy")))
    with pytest.raises(DataError, match="no class 'joy'; the data set has angry, disgust"):
        load(block(classes=("angry", "joy")))


def test_two_spellings_of_one_class_are_one_class():
    with pytest.raises(DataError, match="give two or more"):
        load(block(classes=("angry", "anger")))


def test_fraction_thins_every_split_and_class(source):
    data = load(block(name="folder", fraction=0.3))
    assert data.counts("train").tolist() == [3, 3, 3] and sizes(data) == {"train": 9, "validation": 9, "test": 9}


def test_class_without_images_is_named(source):
    source.usage[60:] = np.where(source.usage[60:] == 1, 0, source.usage[60:])
    with pytest.raises(DataError, match="class sad has no pictures in the validation split"):
        load(block(name="folder"))
    data = load(block(name="folder", on_error="skip"))
    assert data.provenance["warnings"] == ["class sad has no pictures in the validation split"]
    assert data.classes == ("angry", "happy", "sad")
    assert load(block(name="folder", classes=("angry", "happy"))).num_classes == 2


def test_few_built_in_faces_may_lack_a_class():
    data = load(block(train_size=5))
    assert "class disgust has no pictures in the train split" in data.provenance["warnings"]
    assert data.num_classes == 7


def test_empty_split_is_an_error_even_when_skipping(source):
    source.usage[:60] = 0
    source.usage[60:] = [1, 2] * 15
    with pytest.raises(DataError, match="the validation split holds no pictures"):
        load(block(name="folder", classes=("angry", "happy"), on_error="skip"))


def test_missing_validation_set_says_what_works(source):
    source.usage[:] = np.where(source.usage == 1, 2, source.usage)
    with pytest.raises(DataError, match="no validation set; choices that work: kaggle, kaggle_eighth"):
        load(block(name="folder"))
    assert sizes(load(block(name="folder", split="kaggle"))) == {"train": 30, "validation": 60}


def test_neighbouring_rows_of_a_mapped_source_are_not_copied(source):
    source.usage[:] = np.repeat([0, 1, 2], 30)
    source.labels[:] = np.tile([0, 1, 2], 30)
    assert np.shares_memory(load(block(name="folder")).validation.images, source.images)


def test_split_refuses_other_arrays():
    with pytest.raises(TypeError, match="uint8"):
        dataset.Split(np.zeros((2, 8, 8, 1), np.float32), np.zeros(2, np.int32))
    with pytest.raises(TypeError, match="int32"):
        dataset.Split(np.zeros((2, 8, 8, 1), np.uint8), np.zeros(3, np.int32))


def test_import_is_light():
    code = "import sys, fer_jax.data.dataset; print([m for m in ('jax', 'PIL', 'pandas', 'grain') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_of_built_in_faces_it_is_known_what_they_show():
    """In every split and after merging, by the same faces drawn without noise."""
    noise = {"label_noise": 0.05, "merge": ("negative=angry+fear+sad",), "train_size": 400}
    clean = {image.tobytes(): label for image, label in _labelled(load(block(**noise | {"label_noise": 0.0})))}
    noisy = load(block(**noise, split="stratified_80_10_10"))
    shown, given = [], []
    for split in noisy.splits().values():
        shown += [label for label in split.truth]
        given += split.labels.tolist()
        assert [clean[image.tobytes()] for image in split.images] == split.truth.tolist()
    assert 0.01 < np.mean(np.array(shown) != given) < 0.08


def _labelled(data):
    for split in data.splits().values():
        yield from zip(split.images, split.labels.tolist(), strict=True)
