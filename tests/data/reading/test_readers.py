"""Every form in which a data set may come: what is read from it, and that the form makes no
difference.
"""

import os
import random
from pathlib import Path

import numpy as np
import pytest

from fer_jax.data import names
from fer_jax.data.reading import image_files
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


def test_one_set_of_images_gives_one_order_in_every_form(sample, make, collect, tmp_path: Path) -> None:
    kaggle = sample.kaggle()
    shuffled = dict(random.Random(0).sample(list(kaggle.items()), len(kaggle)))
    nested = {f"./archive/fer2013/{name}": data for name, data in shuffled.items()}
    junk = {"__MACOSX/train/happy/._x.jpg": b"x", "train/happy/.DS_Store": b"x", "train/Thumbs.db": b"x", "a.txt": b"x"}
    table, spaced = sample.table(), sample.table("emotion, Usage, pixels")
    (tmp_path / "fer2013.csv").write_bytes(table.replace(b"\n", b"\r\n"))
    (tmp_path / "other.csv").write_bytes(b"\xef\xbb\xbf" + spaced)
    forms = [
        make.folder(tmp_path / "folder", kaggle | junk),
        make.folder(tmp_path / "nested", nested),
        make.folder(tmp_path / "three", sample.three_way()),
        make.zip(tmp_path / "a.zip", shuffled | junk),
        make.zip(tmp_path / "b.zip", {name.replace("/", "\\"): data for name, data in nested.items()}),
        make.tar(tmp_path / "a.tar", nested),
        make.tar(tmp_path / "a.tar.gz", kaggle),
        make.tar(tmp_path / "a.tar.bz2", kaggle),
        make.tar(tmp_path / "a.tar.xz", shuffled | junk),
        tmp_path / "fer2013.csv",
        tmp_path / "other.csv",
        make.folder(tmp_path / "with_table", {"x/fer2013.csv": table, "readme.md": b"x"}),
        make.zip(
            tmp_path / "c.zip", {"icml_face_data.csv": spaced, "train.csv": b"emotion,pixels\n", "fer2013.tar.gz": b"x"}
        ),
        make.tar(tmp_path / "c.tar.gz", {"fer2013/fer2013.csv": table, "fer2013/README": b"x"}),
    ]
    found = [collect(form, True) for form in forms]
    for form, other in zip(forms, found, strict=True):
        assert other.key == found[0].key, form
        assert other.provenance["contents_sha256"] == found[0].provenance["contents_sha256"]
        assert not len(other.problems)
        same = [np.asarray(image_files.decode(other.data[item.name])) for item in other.items]
        assert np.array_equal(
            same, [np.asarray(image_files.decode(found[0].data[item.name])) for item in found[0].items]
        )


def test_kinds_are_told_by_content(sample, make, tmp_path: Path) -> None:
    make.zip(tmp_path / "faces", sample.kaggle())
    make.tar(tmp_path / "a.tar.gz", sample.kaggle()).rename(tmp_path / "faces.dat")
    assert opening.open_container(str(tmp_path / "faces")).kind == "zip"
    assert opening.open_container(str(tmp_path / "faces.dat")).kind == "tar"
    assert opening.open_container(str(tmp_path)).kind == "folder"


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


def test_images_of_a_folder_may_be_links(make, collect, tmp_path: Path) -> None:
    make.folder(tmp_path / "store", {"1.jpg": make.jpeg(1), "2.jpg": make.jpeg(2)})
    for label, file in (("up", "1.jpg"), ("down", "2.jpg")):
        (tmp_path / "faces" / label).mkdir(parents=True)
        os.symlink(tmp_path / "store" / file, tmp_path / "faces" / label / file)
    os.symlink(tmp_path / "faces", tmp_path / "faces" / "down" / "again")  # a loop
    assert collect(tmp_path / "faces", False).labels == {"up/1.jpg": "up", "down/2.jpg": "down"}


def test_other_files_are_counted_as_ignored(make, collect, tmp_path: Path) -> None:
    members = {
        "a/1.jpg": make.jpeg(1),
        "b/1.jpg": make.jpeg(2),
        "notes.txt": b"x",
        "a/1.jpg.bak": b"x",
        "b/.hidden": b"x",
    }
    ignored = collect(make.zip(tmp_path / "a.zip", members), False).provenance["ignored"]
    assert ignored["count"] == 2
    assert sorted(ignored["items"]) == ["a/1.jpg.bak", "notes.txt"]


def test_of_members_with_one_name_the_last_counts(make, collect, tmp_path: Path) -> None:
    import tarfile

    path = make.tar(tmp_path / "a.tar", {"a/1.jpg": make.jpeg(1), "b/1.jpg": make.jpeg(2)})
    with tarfile.open(path, "a") as archive:
        (tmp_path / "new").write_bytes(make.jpeg(9))
        archive.add(tmp_path / "new", "a/1.jpg")
    assert collect(path, False).data["a/1.jpg"] == make.jpeg(9)


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"train/happy/1.jpg": b"x", "fer2013.csv": b"x"}, "several data sets"),
        ({"fer2013.csv": b"x", "icml_face_data.csv": b"x"}, "several data sets"),
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


def test_the_fingerprint_follows_the_files(make, tmp_path: Path) -> None:
    path = make.folder(tmp_path / "faces", {"a/1.jpg": b"1", "b/1.jpg": b"2"})
    seen = [opening.open_container(str(path)).fingerprint()]
    assert opening.open_container(str(path)).fingerprint() == seen[0]
    os.utime(path / "a" / "1.jpg", ns=(1, 1))
    seen.append(opening.open_container(str(path)).fingerprint())
    (path / "a" / "1.jpg").rename(path / "a" / "2.jpg")
    seen.append(opening.open_container(str(path)).fingerprint())
    (path / "c").mkdir()
    seen.append(opening.open_container(str(path)).fingerprint())
    (path / "b" / "1.jpg").write_bytes(b"33")
    os.utime(path / "b" / "1.jpg", ns=(1, 1))
    seen.append(opening.open_container(str(path)).fingerprint())
    assert len(set(seen)) == len(seen)
