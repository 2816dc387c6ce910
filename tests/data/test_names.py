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


def test_official_usage_of_files() -> None:
    assert [names.file_usage(f"{word}_1.jpg") for word in ("Training", "publictest", "PrivateTest")] == [0, 1, 2]
    assert names.file_usage("Trainings_1.jpg") is None
    assert names.file_usage("x_Training_1.jpg") is None
