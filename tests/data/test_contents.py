"""A data set as an audit sees it: splits as given or drawn again, names, chosen classes."""

import numpy as np
import pytest

from fer_jax.data import contents
from fer_jax.errors import DataError


@pytest.fixture
def folder(make, tmp_path):
    """Twelve images without a usage in two class folders, one of them broken."""
    members = {f"{name}/{i:02}.jpg": make.jpeg(10 * at + i) for at, name in enumerate(("cat", "dog")) for i in range(6)}
    return make.folder(tmp_path / "pets", members | {"dog/05.jpg": b""})


def test_broken_images_are_left_out_and_the_others_bear_their_names(folder):
    found = contents.read(str(folder))
    assert found.name == "folder" and found.classes == ("cat", "dog") and len(found.images) == 11
    assert found.provenance["skipped"]["count"] == 1
    assert sorted(found.files) == sorted(f"{name}/{i:02}.jpg" for name in ("cat", "dog") for i in range(6))[:11]
    assert [file.split("/")[0] for file in found.files] == found.class_names
    assert found.split_names == ["unassigned"] * 11 and list(found.rows) == ["unassigned"]


def test_splits_are_given_or_drawn_again(sample, make, tmp_path):
    path = str(make.folder(tmp_path / "faces", sample.kaggle()))
    given = contents.read(path)
    assert given.name == "fer2013" and {name: len(rows) for name, rows in given.rows.items()} == {
        "train": 14, "validation": 14, "test": 14,
    }  # fmt: skip
    drawn = contents.read(path, split="stratified_70_20_10", seed=1)
    assert sorted(np.concatenate(list(drawn.rows.values())).tolist()) == list(range(42))
    assert drawn.split_names != given.split_names
    with pytest.raises(DataError, match="choices that work"):
        contents.read(path, split="nonsense")


def test_chosen_classes_keep_the_numbers_of_their_images(make, tmp_path):
    members = {
        f"{name}/{i}.jpg": make.jpeg(10 * at + i) for at, name in enumerate(("ape", "cat", "dog")) for i in range(3)
    }
    path = str(make.folder(tmp_path / "zoo", members))
    found = contents.read(path, chosen=("Dog", "cat"))
    assert found.numbers.tolist() == [3, 4, 5, 6, 7, 8] and set(found.class_names) == {"cat", "dog"}
    assert [file.split("/")[0] for file in found.files] == found.class_names
    with pytest.raises(DataError, match="no class 'bird'"):
        contents.read(path, chosen=("bird", "cat"))


def test_built_in_faces_have_numbers_for_names():
    found = contents.read("synthetic", image_size=12)
    assert found.name == "synthetic" and found.files[:2] == ["picture 0", "picture 1"]
    assert list(found.rows) == ["train", "validation", "test"]


def test_the_kind_of_a_source_follows_from_its_names(sample, make, tmp_path):
    assert contents.kind(str(make.zip(tmp_path / "a.zip", sample.kaggle()))) == "fer2013"
    assert contents.kind(str(make.folder(tmp_path / "table", {"x/icml_face_data.csv": b"x"}))) == "fer2013"
    assert contents.kind(str(make.tar(tmp_path / "c.tar.gz", {"x/batches.meta": b"x"}))) == "cifar10"
    assert contents.kind(str(make.folder(tmp_path / "pets", {"cat/1.jpg": b"x"}))) == "folder"
    (tmp_path / "any.csv").write_bytes(b"x")
    assert contents.kind(str(tmp_path / "any.csv")) == "fer2013"
    assert contents.kind("synthetic") == "synthetic"
    with pytest.raises(DataError, match="cannot find"):
        contents.kind(str(tmp_path / "nowhere"))
