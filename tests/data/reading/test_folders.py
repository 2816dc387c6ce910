"""Folders as data sets have them: splits however called, persons, lists beside pictures."""

import os
import re
import socket
import unicodedata
from pathlib import Path

import pytest

from fer_jax.data.reading import folders
from fer_jax.errors import DataError

CLASSES = ("happy", "sad")


def tree(make, path: Path, places) -> Path:
    """A picture at every place, with pixels of its own."""
    return make.folder(path, {place: make.jpeg(at) for at, place in enumerate(places)})


SPLITS = [
    ({"FER2013Train": 0, "FER2013Valid": 1, "FER2013Test": 2}, CLASSES),
    ({"train_class": 0, "val_class": 1}, ("class001", "class002")),
    ({"Train Set": 0, "Validation Set": 1, "Test Set": 2}, CLASSES),
    ({"Training_Data": 0, "Testing_Data": 2}, CLASSES),
    ({"images_train": 0, "images_test": 2}, CLASSES),
    ({"images-TRAIN": 0, "images-VAL": 1}, ("cat", "dog")),
    ({"trainset": 0, "testset": 2}, CLASSES),
    ({"seen": 0, "holdout": 2}, CLASSES),
    ({"fer_public_test": 1, "fer_private_test": 2, "fer_training": 0}, CLASSES),
    ({"train": 0, "images_test": 2}, CLASSES),
    ({"train_1": 0, "train_2": 0}, ("0", "1")),
    ({"Training/Train Set": 0, "Training/Test Set": 2}, CLASSES),
    ({"train/train_images": 0, "test/test_images": 2}, CLASSES),
    ({"train/images": 0, "test/images": 2}, ("cat", "dog")),
]


@pytest.mark.parametrize(("splits", "classes"), SPLITS, ids=[" ".join(splits) for splits, _ in SPLITS])
def test_folders_named_like_splits_are_splits(splits, classes, make, collect, tmp_path: Path) -> None:
    path = tree(make, tmp_path / "faces", [f"data/{split}/{label}/1.jpg" for split in splits for label in classes])
    found = collect(path, False)
    assert found.classes == classes and not len(found.problems)
    assert found.usage == {f"data/{split}/{label}/1.jpg": usage for split, usage in splits.items() for label in classes}


def test_splits_below_the_classes(make, collect, tmp_path: Path) -> None:
    places = [f"images/{label}/{split}/1.jpg" for label in CLASSES for split in ("train", "val set")]
    found = collect(tree(make, tmp_path / "faces", places), True)
    assert found.usage == {place: int("val" in place) for place in places}
    assert found.labels == {place: place.split("/")[1] for place in places}


@pytest.mark.parametrize(
    ("places", "says"),
    [
        (["FER2013Train/1.png", "FER2013Test/1.png"],
         "FER2013Test and FER2013Train are named after splits, and hold pictures instead of class folders; name"),
        (["train/1.jpg", "test/1.jpg"], "test and train are named after splits, and hold pictures"),
        (["train_happy/1.jpg", "train_sad/1.jpg", "test_sad/1.jpg"], "named after splits, and hold pictures"),
        (["my_train/a/1.jpg", "my_test/a/1.jpg", "more/a/1.jpg"],
         "my_test and my_train are named after splits, more beside them is not"),
        (["my_train/1.jpg", "my_test/1.jpg", "more/1.jpg"], "more beside them is not"),
        (["train/happy/1.jpg", "eval/happy/1.jpg"], "folder eval may mean validation or test: call it"),
        (["my_train/happy/1.jpg", "train+val/happy/1.jpg"], r"folder train\+val may mean train or validation: call it"),
        (["happy/train/1.jpg", "happy/test/1.jpg", "sad/1.jpg"], "happy/test is named after a split .* unlike sad"),
        (["happy/1.jpg", "sad/1.jpg", "test/1.jpg"], "test is named after a split and lies beside happy"),
        (["s/subject0/happy/1.jpg", "s/subject0/sad/1.jpg", "s/subject1/happy/1.jpg"],
         r"s/subject0 and s/subject1 would be the classes, but hold folders named after expressions "
         r"\(s/subject0/happy\); --config.data.pattern='\(\?P<group>\[\^/\]\+\)/\(\?P<label>"),
        (["KDEF/AF01/AF01ANS.JPG", "KDEF/AM02/AM02ANS.JPG"], "KDEF/AF01 and KDEF/AM02 .* persons are; .*data.pattern"),
        (["S005/001/1.png", "S010/001/1.png"], "called as persons are"),
        (["jaffedbase/KA.AN1.39.tiff", "jaffedbase/KA.DI1.42.tiff"],
         "all pictures lie in one class folder, jaffedbase; .*--config.data.labels=.*--config.data.pattern="),
        (["train/cat/1.jpg", "test/cat/1.jpg"], "one class folder, test/cat"),
        (["1.jpg", "2.jpg"], "holds 2 pictures and no class folders; .*--config.data.labels="),
    ],
)  # fmt: skip
@pytest.mark.parametrize("fer", [False, True])
def test_what_may_be_read_in_two_ways_is_an_error(places, says, fer, make, collect, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=says) as caught:
        collect(tree(make, tmp_path / "faces", places), fer)
    assert str(caught.value).startswith(f"{tmp_path / 'faces'}: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "places",
    [
        ["toys/car/1.jpg", "toys/train/1.jpg", "toys/plane/1.jpg"],
        ["valid/1.jpg", "invalid/1.jpg"],
        ["freight train/a/1.jpg", "car/a/1.jpg"],
        ["0_angry/1.jpg", "1_happy/1.jpg"],
        ["happy/subject1/1.jpg", "sad/subject1/1.jpg"],
        ["model_s/1.jpg", "model_t/1.jpg", "labels.txt"],
    ],
)
def test_what_may_be_classes_stays_classes(places, make, collect, tmp_path: Path) -> None:
    found = collect(tree(make, tmp_path / "data", places), False)
    assert set(found.labels.values()) == {
        p.split("/")[-3 if "/a/" in p or "subject" in p else -2] for p in found.labels
    }
    assert set(found.usage.values()) == {-1}


def test_the_pattern_that_an_error_offers_tells_what_it_says() -> None:
    aboves = [("data", "subject0", "happy"), ("data", "subject1", "happy")]
    with pytest.raises(DataError) as caught:
        folders.read("faces", aboves, [], False)
    lower, upper = re.findall("data.pattern='(.*?)'", str(caught.value))
    found = re.search(lower, "data/subject0/happy/1.jpg")
    assert found and found.groupdict() == {"group": "subject0", "label": "happy"}
    found = re.search(upper, "data/subject0/happy/1.jpg")
    assert found and found.groupdict() == {"label": "subject0"}


def test_a_list_beside_the_pictures_is_named(make, collect, tmp_path: Path) -> None:
    official = {"Image/aligned/train_1.jpg": make.jpeg(0), "Image/aligned/train_2.jpg": make.jpeg(1)}
    official |= {"EmoLabel/list_patition_label.txt": b"train_1.jpg 5\n", "readme.txt": b"x"}
    with pytest.raises(DataError, match="if EmoLabel/list_patition_label.txt lists the labels, name it with --config"):
        collect(make.zip(tmp_path / "raf.zip", official), True)
    flat = {"1.jpg": make.jpeg(0), "legend.csv": b"user.id,image,emotion\n1,1.jpg,anger\n"}
    with pytest.raises(DataError, match="no class folders; if legend.csv lists the labels"):
        collect(make.folder(tmp_path / "flat", flat), False)


@pytest.mark.parametrize("rows", [b"image,label\na/1.jpg,joy\n", b"1.jpg joy\n2.jpg rage\n", b'"2";"joy"\n'])
def test_a_list_with_other_labels_than_the_folders_is_an_error(rows, make, collect, tmp_path: Path) -> None:
    members = {"part_a/1.jpg": make.jpeg(0), "part_b/2.jpg": make.jpeg(1), "labels.csv": rows}
    says = "labels.csv lists the pictures under other labels than part_a: --config.data.labels=labels.csv"
    for path in (make.folder(tmp_path / "f", members), make.tar(tmp_path / "a.tar", members)):
        with pytest.raises(DataError, match=says):
            collect(path, False)


@pytest.mark.parametrize(
    ("classes", "rows"),
    [(("cat", "dog"), b"file,label\n1.jpg,Cat\n2.jpg,dog\n"), (("1", "2"), b"image,label\n1.jpg,3\n"),
     (("cat", "dog"), b"photographer,year\nann,1999\n")],
)  # fmt: skip
def test_a_list_beside_class_folders_that_name_the_classes(classes, rows, make, collect, tmp_path: Path) -> None:
    members = {f"train/{label}/{at}.jpg": make.jpeg(at) for at, label in enumerate(classes, 1)}
    found = collect(make.folder(tmp_path / "f", members | {"train_labels.csv": rows}), False)
    assert found.classes == classes and found.provenance["ignored"] == {"count": 1, "items": ["train_labels.csv"]}


def test_a_class_composed_and_decomposed_is_one(make, collect, tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "Très triste") for form in ("NFC", "NFD"))
    members = {f"train/{composed}/1.jpg": make.jpeg(0), f"test/{decomposed}/1.jpg": make.jpeg(1)}
    members |= {f"{split}/happy/1.jpg": make.jpeg(2 + at) for at, split in enumerate(("train", "test"))}
    assert collect(make.zip(tmp_path / "mac.zip", members), False).classes == ("happy", "très triste")


def test_a_class_folder_whose_name_is_no_text(make, collect, tmp_path: Path) -> None:
    path = tree(make, tmp_path / "faces", ["sad/1.jpg", "happy/1.jpg"])
    os.rename(os.fsencode(path / "sad"), os.fsencode(path) + b"/tr\xe8s triste")
    for fer in (False, True):
        with pytest.raises(DataError, match=r"the name of class folder tr\\udce8s triste is no UTF-8: rename it$"):
            collect(path, fer)


def test_names_of_pictures_may_be_no_text(good, make, collect, tmp_path: Path) -> None:
    path = make.folder(tmp_path / "faces", good)
    os.rename(path / "train" / "sad" / "1.jpg", os.fsencode(path / "train" / "sad") + b"/caf\xe9.jpg")
    assert set(collect(path, True).labels.values()) == {"happy", "sad"}


def test_pictures_of_kinds_that_are_not_read_are_counted(good, make, collect, tmp_path: Path) -> None:
    extra = {
        "train/happy/2.PSD": b"x",
        "train/happy/3.svg": b"x",
        "train/rare/1.jxl": b"x",
        "train/rare/.2.jxl": b"x",
    }
    found = collect(make.zip(tmp_path / "a.zip", good | extra), True)
    assert found.problems.counts == {"picture of a kind that is not read": 3}
    assert "train/happy/2.PSD (is PSD, which is not read: save it as PNG or JPEG)" in found.fatal()
    assert "train/rare/1.jxl (is JXL" in found.fatal() and found.provenance["hidden"] == 1
    with pytest.raises(
        DataError, match="holds no pictures in class folders, .*; it has 3 pictures of kinds that are not"
    ):
        collect(make.zip(tmp_path / "b.zip", extra), False)


def test_pipes_and_sockets_are_never_opened(good, make, collect, tmp_path: Path, monkeypatch) -> None:
    path = make.folder(tmp_path / "faces", good | {"train/happy/.hidden.jpg": b"x", ".git/1.jpg": b"x"})
    os.mkfifo(path / "train" / "happy" / "9.jpg")
    monkeypatch.chdir(path)  # the path of a socket may have a hundred characters
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("a socket")
        found = collect(path, True)
    assert set(found.data) == set(good) and found.problems.counts == {"refused member": 2}
    assert "train/happy/9.jpg (is a pipe, a socket or a device)" in found.fatal()
    assert found.provenance["hidden"] == 2


def test_pictures_above_the_class_folders_are_stray(make, collect, tmp_path: Path) -> None:
    path = tree(make, tmp_path / "faces", ["fer/happy/1.jpg", "fer/sad/1.jpg", "fer/logo.png"])
    found = collect(path, True)
    assert set(found.labels) == {"fer/happy/1.jpg", "fer/sad/1.jpg"}
    assert "fer/logo.png (lies outside the class folders)" in found.fatal()
