"""One spelling for class names, splits by folder, file and column."""

import pytest

from fer_jax.data import names


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("Anger", "angry"), ("ANGRY", "angry"), ("disgusted", "disgust"), ("Fearful", "fear"), ("happiness", "happy"),
        ("Sadness", "sad"), ("surprised", "surprise"), ("suprise", "surprise"), ("Neutrality", "neutral"),
        (" sad ", "sad"), ("Contempt", "contempt"), ("Golden Retriever", "golden retriever"),
    ],
)  # fmt: skip
def test_class_names_have_one_spelling(given: str, wanted: str) -> None:
    assert names.canonical(given) == wanted
    assert names.canonical(names.canonical(given)) == wanted


def test_letters_and_accents_are_one_character() -> None:
    assert names.canonical("Tre\u0300s triste") == "tr\u00e8s triste" == names.canonical("TR\u00c8S TRISTE")
    assert names.spelled("Tre\u0300s", ("tr\u00e8s",)) == "tr\u00e8s"


def test_every_class_is_its_own_canonical_name() -> None:
    assert [names.canonical(name) for name in names.CLASSES] == sorted(names.CLASSES)
    assert sorted(names.CSV_ORDER) == list(names.CLASSES)


def test_csv_order_is_that_of_the_release_and_not_alphabetical() -> None:
    assert names.CSV_ORDER.index("sad") == 4
    assert names.CSV_ORDER.index("surprise") == 5
    assert names.CSV_ORDER.index("neutral") == 6


@pytest.mark.parametrize(
    ("folder", "usage"),
    [
        ("train", 0), ("Training", 0), ("VALID", 1), ("val", 1), ("dev", 1), ("Public_Test", 1), ("test", 2),
        ("PrivateTest", 2), ("happy", None), ("trains", None),
    ],
)  # fmt: skip
def test_folders_that_name_a_split(folder: str, usage: int | None) -> None:
    assert names.folder_usage(folder) == usage


@pytest.mark.parametrize(
    ("folder", "usages"),
    [
        ("FER2013Train", {0}), ("Validation Set", {1}), ("images_TEST", {2}), ("testdata", {2}), ("Held-out", {2}),
        ("unseen", {2}), ("PublicTest images", {1}), ("private_test_faces", {2}), ("eval", {1, 2}),
        ("train_val", {0, 1}),
        ("happy", set()), ("contest", set()), ("invalid", set()), ("trains", set()), ("2013", set()),
    ],
)  # fmt: skip
def test_words_for_splits_among_others(folder: str, usages: set[int]) -> None:
    assert names.usages_in(folder) == usages


def test_folders_named_after_expressions_persons_and_numbers() -> None:
    found = [
        names.expression(name) for name in ("Anger", "0_angry faces", "HappyFaces", "contempt", "happy_sad", "cat")
    ]
    assert found == ["angry", "angry", "happy", "contempt", None, None]
    assert all(map(names.is_person, ("subject3", "AF01", "bm12", "S005", "person_1")))
    assert not any(map(names.is_person, ("happy", "class001", "3", "s1", "AF1", "subject")))
    assert all(map(names.is_numbered, ("3", "class003", "Class 1"))) and not names.is_numbered("c3")


def test_official_usage_of_files() -> None:
    assert [names.file_usage(f"{word}_1.jpg") for word in ("Training", "publictest", "PrivateTest")] == [0, 1, 2]
    assert names.file_usage("Trainings_1.jpg") is None
    assert names.file_usage("x_Training_1.jpg") is None
