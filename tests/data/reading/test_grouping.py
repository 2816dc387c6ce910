"""What names tell of who belongs together: each convention with the group it should give, and names
that tell nothing.
"""

import pytest

from fer_jax.data.reading import grouping
from fer_jax.errors import ConfigError, DataError

UUID = "01234567-89ab-cdef-0123-456789abcdef"


def told(members, rule, labels=None):
    return grouping.by_rule(members, labels or [name.split("/")[-2] for name in members], rule)


@pytest.mark.parametrize(
    "copy",
    [
        "x.jpg3.jpg", "x.jpg_2.png", "x_aug_2.jpg", "x-flipped.png", "x_rot-15.jpg", "x_aug_1_flip.jpg", "aug_12_x.jpg",
        "aug_x.jpg", "x (1).jpg", "x - Copy.jpg", "x - Copy (2).jpg", "Copy of x.jpg", "x_3.jpg",
        "x_0_5512.jpeg",  # Keras, save_prefix of one's own
        "x_jpg.rf.0a1b2c3d4e5f.jpg",  # Roboflow
        f"happy_original_x.jpg_{UUID}.JPEG",  # Augmentor
    ],
)  # fmt: skip
def test_copies_that_were_made_beforehand_belong_to_their_original(copy):
    members = ["happy/x.jpg", f"happy/{copy}", "happy/other.jpg", f"sad/{copy.replace('x', 'y')}"]
    group, own, *others = told(members, "original")
    assert group == own != "" and others == ["", ""]


def test_copies_belong_together_across_splits_but_pictures_of_one_name_do_not():
    members = ["train/happy/1.jpg", "test/happy/1.jpg", "train/happy/1_aug_0.jpg", "test/happy/2_flip.jpg",
               "train/happy/2_rot90.jpg", "val/happy/3_aug.jpg",
               "train/happy/3.jpg", "train/sad/3_aug.jpg"]  # fmt: skip
    groups = told(members, "original")
    assert groups[0] == groups[2] != "" and groups[1] == ""
    assert groups[3] == groups[4] != "" and groups[5] == groups[6] != ""
    assert groups[7] == "" and len(set(groups)) == 4


def test_copies_that_keras_numbers_go_by_the_number_of_their_original():
    members = ["happy/aug_0_1234.png", "happy/aug_0_77.png", "happy/aug_1_9.png", "happy/aug_1_10.png"]
    first, again, second, other = told(members, "original")
    assert first == again != second == other
    # Here the first is copy 0 of a picture that has a number for its name.
    first, again, *_, original = told([*members, "happy/1234.png"], "original")
    assert first == original != "" and again == ""


def test_names_with_numbers_alone_are_no_copies():
    members = ["happy/happy (1).jpg", "happy/happy (2).jpg", "happy/S005_001_00000011.png", "happy/KA.HA1.29.tiff",
               "happy/Training_10.jpg", "happy/Training_11.jpg", "happy/train_00001_aligned.jpg",
               "happy/7.jpg"]  # fmt: skip
    assert told(members, "original") == [""] * len(members)


def test_the_folder_is_the_nearest_that_is_no_class_no_split_and_not_above_all():
    members = ["faces/train/happy/S1/1.png", "faces/train/S1/sad/2.png", "faces/test/S2/happy/3.png",
               "faces/test/sad/4.png"]  # fmt: skip
    assert told(members, "folder", ["happy", "sad", "happy", "sad"]) == ["S1", "S1", "S2", ""]


def test_a_rule_gives_its_named_group_else_its_first_else_the_whole():
    members = ["happy/S005_001_1.png", "happy/none.png"]
    assert told(members, r"S(\d+)_(?P<group>\d+)") == ["001", ""]
    assert told(members, r"(S\d+)_(\d+)") == ["S005", ""]
    assert told(members, r"S\d+") == ["S005", ""]
    # A Mac takes an umlaut apart.
    assert len(set(told(["happy/Mu\u0308ller_1.png", "happy/M\u00fcller_2.png"], r"/(\w+)_"))) == 1


def test_what_a_list_says_is_believed_before_the_rule():
    members, labels = ["happy/a_1.png", "happy/b_1.png"], ["happy", "happy"]
    assert grouping.find(members, labels, ["anna", ""], r"([ab])_") == (["anna", "b"], "")


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("(S", r"data.group = \(S: is no regular expression"),
        ("person", "data.group = person: tells no group of any of 2 names, such as happy/1.png"),
        ("original", "tells no group of any"),
        ("folder", "tells no group of any"),
    ],
)
def test_a_rule_that_says_nothing_is_one_line(rule, words):
    with pytest.raises((ConfigError, DataError), match=words) as caught:
        grouping.find(["happy/1.png", "sad/2.png"], ["happy", "sad"], ["", ""], rule)
    assert "\n" not in str(caught.value)


def frames(pattern, persons=12, labels=("happy", "sad")):
    return [f"{label}/{pattern.format(person=p, n=n)}" for label in labels for p in range(persons) for n in range(3)]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        (frames("S{person:03}_001_{n:08}.png"), r"group='(S\d+)_"),
        ([f"happy/K{chr(65 + p)}.HA{n}.{p + n}.tiff" for p in range(10) for n in range(3)], "10 persons or sequences"),
        ([f"happy/{s}{g}{p:02}HA{a}.JPG" for s in "AB" for g in "FM" for p in range(9) for a in "S"], "18 persons"),
        (frames("clip{person}_frame{n}.png"), "12 persons or sequences"),
        (frames("{person}.jpg{n}.jpg"), "72 of 72 names look like pictures and augmented copies"),
    ],
    ids=["CK+", "JAFFE", "KDEF", "clips", "copies"],
)
def test_names_that_look_like_persons_or_copies_bring_a_suggestion(members, words):
    labels = [name.split("/")[0] for name in members]
    groups, suggested = grouping.find(members, labels, [""] * len(members), "")
    assert not any(groups) and words in suggested and "--config.data.group=" in suggested
    rule = suggested.rpartition("data.group=")[2].strip("'")
    assert grouping.find(members, labels, [""] * len(members), rule)[1] == ""


@pytest.mark.parametrize(
    "form",
    ["{label}/Training_{n}.jpg", "{label}/train_{n:05}_aligned.jpg", "{label}/image{n:07}.jpg", "{label}/{n}.jpg",
     "{label}/{label} ({n}).jpg", "{label}/{label}_{n}.jpg", "{label}/{label}{n}.png", "{label}/{hash:016x}.png"],
)  # fmt: skip
def test_names_of_other_data_sets_bring_none(form):
    labels = [label for label in ("angry", "happy", "sad") for _ in range(100)]
    members = [form.format(label=label, n=n, hash=n * 0x9E3779B97F4A7C15 % 2**64) for n, label in enumerate(labels)]
    assert grouping.suggest(members, labels) == ""
