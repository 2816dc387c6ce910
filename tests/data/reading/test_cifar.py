"""CIFAR-10's pickled batches: read exactly, never unpickled, refused in one line when they are not
what they should be.
"""

import hashlib
import os
import pickle
import types

import numpy as np
import pytest
from PIL import Image

from fer_jax.config.values import default_config, validate
from fer_jax.data import load
from fer_jax.errors import ConfigError, DataError
from tests.data.reading.python2_pickles import array, dictionary, listed, text, whole

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")
FIELDS = {
    "name": "cifar10", "split": "kaggle", "seed": 0, "fraction": 1.0, "image_size": 32, "channels": 3, "classes": (),
    "labels": "", "pattern": "", "names": (), "group": "",
    "merge": (), "drop_leaks": "none", "balance": "none", "balance_splits": "train", "on_error": "fatal",
}  # fmt: skip


def block(path, **changes):
    return types.SimpleNamespace(**{**FIELDS, "path": str(path), **changes})


def batch(pixels: np.ndarray, labels) -> bytes:
    items = {"batch_label": text("training batch 1 of 5"), "labels": listed(map(whole, labels)), "data": array(pixels)}
    return dictionary({**items, "filenames": listed(text(f"{number}.png") for number in range(len(pixels)))})


def meta(names=NAMES, count=20) -> bytes:
    return dictionary(
        {"num_cases_per_batch": whole(count), "label_names": listed(map(text, names)), "num_vis": whole(3072)}
    )


PIXELS = np.random.default_rng(0).integers(0, 256, (6, 20, 3072), np.uint8)
LABELS = np.random.default_rng(1).permuted(np.tile(np.arange(10), (6, 2)), axis=1)


@pytest.fixture(scope="session")
def release():
    """The seven files of a release of 120 images, two of each class in every batch."""
    files = {name: batch(PIXELS[at], LABELS[at]) for at, name in enumerate(BATCHES)}
    return {"batches.meta": meta(), **files, "readme.html": b"<html>"}


@pytest.fixture
def folder(release, make, tmp_path):
    return make.folder(tmp_path / "cifar-10-batches-py", release)


def test_training_batches_train_and_the_test_batch_validates(folder):
    data = load(block(folder))
    assert data.classes == NAMES and data.label == "CIFAR-10, kaggle split" and data.test is None
    assert data.counts("train").tolist() == [10] * 10 and data.counts("validation").tolist() == [2] * 10
    wanted = PIXELS.reshape(6, 20, 3, 32, 32).transpose(0, 1, 3, 4, 2)
    np.testing.assert_array_equal(data.train.images, wanted[:5].reshape(100, 32, 32, 3))
    np.testing.assert_array_equal(data.validation.images, wanted[5])
    np.testing.assert_array_equal(data.train.labels, LABELS[:5].ravel())
    np.testing.assert_array_equal(data.validation.labels, LABELS[5])


def test_labels_go_by_name(release, make, tmp_path):
    turned = NAMES[::-1]
    data = load(block(make.folder(tmp_path, {**release, "batches.meta": meta(turned)})))
    assert data.classes == NAMES
    np.testing.assert_array_equal(data.validation.labels, 9 - LABELS[5])


def test_folder_parent_and_archives_are_the_same_data(folder, release, make, tmp_path):
    inside = {f"cifar-10-batches-py/{name}": data for name, data in release.items()}
    packed = make.tar(tmp_path / "cifar-10-python.tar.gz", inside)
    zipped = make.zip(tmp_path / "cifar.zip", inside)
    datasets = [load(block(path)) for path in (folder, packed, zipped)]
    assert len({data.checksum for data in datasets}) == 1
    about = datasets[1].provenance
    assert about["kind"] == "tar" and about["source"] == str(packed)
    assert about["sha256"]["test_batch"] == hashlib.sha256(release["test_batch"]).hexdigest()
    assert list(about["sha256"]) == ["batches.meta", *BATCHES]
    packed.unlink(), zipped.unlink()
    assert load(block(tmp_path)).checksum == datasets[0].checksum


def test_grey_and_other_sizes_as_for_any_image(folder):
    data = load(block(folder, image_size=48, channels=1))
    rgb = np.ascontiguousarray(PIXELS[5, 3].reshape(3, 32, 32).transpose(1, 2, 0))
    grey = Image.fromarray(rgb).convert("L").resize((48, 48), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(data.validation.images[3, :, :, 0], np.asarray(grey))
    plain = load(block(folder, channels=1)).validation.images[3, :, :, 0]
    assert np.abs(plain - rgb @ [0.299, 0.587, 0.114]).max() < 1


def test_other_splits_fractions_and_classes(folder):
    data = load(block(folder, split="stratified_80_10_10"))
    assert [len(part) for part in data.splits().values()] == [100, 10, 10]
    few = load(block(folder, fraction=0.1))
    assert few.counts("train").tolist() == few.counts("validation").tolist() == [1] * 10
    assert load(block(folder, classes=("cat", "Dog"))).classes == ("cat", "dog")
    with pytest.raises(DataError, match="no validation set; choices that work: kaggle, kaggle_eighth"):
        load(block(folder, split="official"))


def test_a_path_is_needed():
    config = default_config()
    config.data.name = "cifar10"
    with pytest.raises(
        ConfigError, match="^data.path is empty: data.name = cifar10 needs --config.data.path=FOLDER, ZIP or TAR"
    ):
        validate(config)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    (
        ("data_batch_3", None, "has no data_batch_3; CIFAR-10 is the folder"),
        ("batches.meta", None, "has no batches.meta"),
        ("data_batch_2", b"", "data_batch_2 is damaged or cut off"),
        ("data_batch_2", b"no pickle at all", "data_batch_2 is damaged or cut off"),
        ("test_batch", batch(PIXELS[0], LABELS[0])[:30000], "test_batch is damaged or cut off"),
        ("test_batch", batch(PIXELS[0], LABELS[0])[:-1], "test_batch is damaged or cut off"),
        (
            "test_batch",
            dictionary({"data": array(PIXELS[0])}),
            "test_batch: is no batch of CIFAR-10: it needs 'data' and 'lab",
        ),
        ("test_batch", b"\x80\x02]q\x01.", "test_batch: is no batch of CIFAR-10"),
        (
            "test_batch",
            batch(PIXELS[0], [*LABELS[0][:-1], 10]),
            "test_batch: holds label 10; batches.meta names the classes 0",
        ),
        ("test_batch", batch(PIXELS[0], [*LABELS[0][:-1], -1]), "test_batch: holds label -1"),
        (
            "test_batch",
            batch(PIXELS[0], LABELS[0][:19]),
            "test_batch: holds 20 pictures and 19 labels; batches.meta says 20",
        ),
        ("test_batch", batch(PIXELS[0][:19], LABELS[0][:19]), "test_batch: holds 19 pictures and 19 labels"),
        ("test_batch", batch(PIXELS[0][:, :1024], LABELS[0]), r"'data' is an array of shape (20, 1024), not uint8"),
        ("test_batch", dictionary({"data": listed([]), "labels": listed([])}), "test_batch: 'data' is no array"),
        (
            "test_batch",
            dictionary({"data": array(PIXELS[0]), "labels": text("x")}),
            "'labels' is no list of whole numbers",
        ),
        (
            "test_batch",
            batch(PIXELS[0], LABELS[0]).replace(b"u1K", b"f8K"),
            "test_batch has an array that is not uint8",
        ),
        (
            "batches.meta",
            dictionary({"names": listed(map(text, NAMES))}),
            "batches.meta: has no list of texts called label_n",
        ),
        ("batches.meta", meta((*NAMES[:9], "Cat")), "batches.meta: label_names has a class twice"),
    ),
)
def test_a_broken_release_is_one_line_that_names_the_file(release, make, tmp_path, name, data, words):
    files = {**release, name: data}
    path = make.folder(tmp_path / "here", {name: data for name, data in files.items() if data is not None})
    with pytest.raises(DataError) as error:
        load(block(path))
    assert str(error.value).startswith(str(path)) and words in str(error.value) and "\n" not in str(error.value)


def test_two_releases_in_one_folder_are_not_guessed_between(release, make, tmp_path):
    files = {f"{place}/{name}": data for place in ("a", "b") for name, data in release.items()}
    with pytest.raises(DataError, match="holds a/batches.meta and b/batches.meta"):
        load(block(make.folder(tmp_path, files)))


class Hostile:
    """Unpickling it would make a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_nothing_in_a_pickle_is_ever_called(release, make, tmp_path, protocol):
    trap = tmp_path / "sprung"
    data = pickle.dumps({"data": Hostile(trap), "labels": [0]}, protocol)
    path = make.folder(tmp_path / "here", {**release, "data_batch_4": data})
    with pytest.raises(DataError, match="data_batch_4 (names|uses|has pickle protocol)"):
        load(block(path))
    assert not trap.exists()
    pickle.loads(data)
    assert trap.exists()  # so the file was a real trap
