"""What the names in a source say: classes, splits, and what is refused or belongs nowhere."""

import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from fer_jax.data import names
from fer_jax.errors import DataError


def test_the_kaggle_release_has_its_official_usage(sample, make, collect, tmp_path: Path) -> None:
    found = collect(make.folder(tmp_path / "faces", sample.kaggle()), True)
    assert found.classes == names.CLASSES
    assert not len(found.problems)
    wanted = {name: (label, usage) for name, (label, usage, _, _) in zip(sample.kaggle(), sample.images, strict=True)}
    assert {name: (found.labels[name], found.usage[name]) for name in found.data} == wanted
    assert found.data == sample.kaggle()  # encoded images are kept as they are
    counts = found.provenance["source_counts"]
    assert counts == {usage: dict.fromkeys(names.CLASSES, 2) for usage in ("train", "validation", "test")}


def test_train_and_test_folders_without_official_names(sample, make, collect, tmp_path: Path) -> None:
    members = {f"{'train' if u == 0 else 'test'}/{label}/{u}{name}": d for label, u, name, d in sample.images}
    found = collect(make.folder(tmp_path / "faces", members), True)
    assert set(found.usage.values()) == {names.TRAIN, names.TEST}
    assert all(usage == (0 if name.startswith("train") else 2) for name, usage in found.usage.items())


def test_a_validation_folder_is_believed_before_file_names(make, collect, tmp_path: Path) -> None:
    members = {
        "train/happy/PrivateTest_1.jpg": make.jpeg(1),
        "valid/sad/Training_1.jpg": make.jpeg(2),
        "test/sad/Training_2.jpg": make.jpeg(3),
    }
    assert list(collect(make.folder(tmp_path / "faces", members), True).usage.values()) == [0, 1, 2]


def test_class_folders_without_splits_have_no_usage(make, collect, tmp_path: Path) -> None:
    members = {f"data/{name}/{i}.png": make.jpeg(i) for i, name in enumerate(("Cat", "dog", "Anger"))}
    found = collect(make.folder(tmp_path / "pets", members), False)
    assert found.classes == ("angry", "cat", "dog")
    assert set(found.usage.values()) == {names.NO_USAGE}
    assert found.labels["data/Cat/0.png"] == "cat"


def test_official_file_names_count_for_fer_only(make, collect, tmp_path: Path) -> None:
    members = {"happy/PublicTest_1.jpg": make.jpeg(0), "sad/Training_1.jpg": make.jpeg(1)}
    path = make.folder(tmp_path / "faces", members)
    assert sorted(collect(path, True).usage.values()) == [0, 1]
    assert set(collect(path, False).usage.values()) == {-1}


def test_folders_below_a_class_belong_to_it(make, collect, tmp_path: Path) -> None:
    members = {f"train/{label}/subject{i}/a.jpg": make.jpeg(i) for i, label in enumerate(("up", "down"))}
    found = collect(make.folder(tmp_path / "faces", members), False)
    assert found.classes == ("down", "up")
    without = {name.removeprefix("train/"): data for name, data in members.items()}
    assert collect(make.folder(tmp_path / "flat", without), False).classes == ("down", "up")


def test_a_class_may_be_called_like_a_split(make, collect, tmp_path: Path) -> None:
    members = {f"vehicles/{label}/{i}.jpg": make.jpeg(i) for i, label in enumerate(("car", "train", "plane"))}
    found = collect(make.folder(tmp_path / "toys", members), False)
    assert found.classes == ("car", "plane", "train")
    assert set(found.usage.values()) == {-1}


def test_spellings_of_one_class_are_one_class(make, collect, tmp_path: Path) -> None:
    members = {"train/Happiness/1.jpg": make.jpeg(1), "test/happy/1.jpg": make.jpeg(2), "test/SAD/1.jpg": make.jpeg(3)}
    assert set(collect(make.folder(tmp_path / "faces", members), False).classes) == {"happy", "sad"}


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"train/happy/1.jpg": b"x", "fer2013.csv": b"x"}, "several data sets"),
        ({"fer2013.csv": b"x", "icml_face_data.csv": b"x"}, "names no column emotion"),
        ({"x/train/happy/1.jpg": b"x", "y/train/happy/1.jpg": b"x"}, "several data sets"),
        ({"readme.txt": b"x"}, "holds no pictures"),
        ({"download/archive.zip": b"x"}, "archive.zip: name that file itself"),
        ({}, "holds no pictures"),
    ],
)
def test_what_cannot_be_one_data_set_is_refused(members, says, make, collect, tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    with pytest.raises(DataError, match=says):
        collect(make.folder(tmp_path / "faces", members), True)


def test_unknown_classes_and_stray_images(good, make, collect, tmp_path: Path) -> None:
    extra = {"train/contempt/1.jpg": make.jpeg(7), "logo.png": make.jpeg(8), "other/x.jpg": make.jpeg(9)}
    found = collect(make.folder(tmp_path / "f", good | extra), True)
    assert found.problems.counts == {"item of an unknown class": 1, "picture outside the class folders": 2}
    text = found.fatal()
    assert "train/contempt/1.jpg ('contempt' is none of angry, disgust" in text and "logo.png" in text
    assert set(collect(tmp_path / "f", False).classes) == {"happy", "sad", "contempt"}


def test_an_empty_class_folder(good, make, collect, tmp_path: Path) -> None:
    path = make.folder(tmp_path / "f", good | {"train/fear/readme.txt": b"x"})
    (path / "train" / "disgust").mkdir()
    (path / "train" / "notes").mkdir()
    found = collect(path, True)
    assert found.problems.counts == {"empty class folder": 2}
    assert "2 empty class folders in a.zip: train/disgust (holds no pictures), train/" in found.fatal()
    assert collect(path, False).problems.counts == {"empty class folder": 3}


CLIMBING = ["../out.jpg", "train/../../out.jpg", "/etc/out.jpg", "C:/out.jpg", "..\\out.jpg", "../passwd"]


@pytest.mark.parametrize("name", CLIMBING)
def test_zip_members_that_climb_out_are_refused(name: str, good, make, collect, tmp_path: Path) -> None:
    found = collect(make.zip(tmp_path / "a.zip", good | {name: make.jpeg(5)}), True)
    assert set(found.data) == set(good)
    assert found.problems.counts == {"refused member": 1}
    assert "points outside the archive" in found.fatal()
    assert sorted(os.listdir(tmp_path)) == ["a.zip"]


@pytest.mark.parametrize("name", ["../out.jpg", "/etc/out.jpg", "a/b/../../../out.jpg"])
def test_tar_members_that_climb_out_are_refused(name: str, good, make, collect, tmp_path: Path) -> None:
    found = collect(make.tar(tmp_path / "a.tar", good | {name: make.jpeg(5)}), True)
    assert set(found.data) == set(good)
    assert "points outside the archive" in found.fatal()


def test_links_and_devices_in_archives_are_refused(good, make, collect, tmp_path: Path) -> None:
    path = make.tar(tmp_path / "a.tar", good)
    with tarfile.open(path, "a") as archive:
        for name, kind in (("1.jpg", tarfile.SYMTYPE), ("2.jpg", tarfile.LNKTYPE), ("3.jpg", tarfile.CHRTYPE)):
            info = tarfile.TarInfo(f"train/happy/{name}")
            info.type, info.linkname = kind, "train/happy/0.jpg"
            archive.addfile(info)
    found = collect(path, True)
    assert found.problems.counts == {"refused member": 3}
    assert {item["reason"] for item in found.problems.listed} == {"is a link", "is a pipe, a socket or a device"}
    with zipfile.ZipFile(make.zip(tmp_path / "a.zip", good), "a") as zipped:
        link = zipfile.ZipInfo("train/happy/link.jpg")
        link.external_attr = 0o120777 << 16
        zipped.writestr(link, "/etc/passwd")
    assert "link.jpg (is a link)" in collect(tmp_path / "a.zip", True).fatal()


def test_an_archive_in_an_archive_is_to_be_unpacked_first(make, collect, tmp_path):
    with pytest.raises(DataError, match="it holds in/faces.zip: unpack it and name that file itself"):
        collect(make.zip(tmp_path / "a.zip", {"in/faces.zip": b"x"}), fer=False)
