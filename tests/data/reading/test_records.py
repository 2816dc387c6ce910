"""The TFDS data set that preparation leaves, read back through TFDS and Grain alone."""

import hashlib
import tempfile
from pathlib import Path

import numpy as np
import pytest

from fer_jax.base.cache import Damaged
from fer_jax.data import names
from fer_jax.data.reading import image_files
from tests.data.conftest import walked


@pytest.fixture(scope="module")
def stored(sample, make, tmp_path_factory: pytest.TempPathFactory):
    from fer_jax.data.reading import records

    folder = tmp_path_factory.mktemp("records")
    source = make.zip(tmp_path_factory.mktemp("source") / "a.zip", sample.kaggle())
    with walked(source, True) as collected:
        records.write(collected, folder, fer=True)
    return folder, collected


def test_it_is_an_ordinary_tfds_data_set(stored) -> None:
    import tensorflow_datasets as tfds

    folder, _ = stored
    builder = tfds.builder_from_directory(folder / "fer2013" / "1.0.0")
    assert builder.name == "fer2013"
    assert {name: split.num_examples for name, split in builder.info.splits.items()} == {
        "train": 14, "validation": 14, "test": 14,
    }  # fmt: skip
    assert tuple(builder.info.features["label"].names) == names.CLASSES
    assert builder.info.file_format.value == "array_record"
    assert sorted(path.name for path in folder.iterdir()) == ["fer2013"]


def test_writing_leaves_nothing_in_the_systems_temporary_folder(sample, make, tmp_path, monkeypatch) -> None:
    from fer_jax.data.reading import records

    source = make.zip(tmp_path / "a.zip", sample.kaggle())
    (tmp_path / "temporary").mkdir()
    with walked(source, True) as collected:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
        records.write(collected, tmp_path / "records", fer=True)
    assert not list((tmp_path / "temporary").iterdir())


def test_grain_gives_back_the_original_files(stored, sample) -> None:
    import grain

    from fer_jax.data.reading import records

    folder, collected = stored
    kaggle = sample.kaggle()
    found = {}
    for usage in ("train", "validation", "test"):
        source = records.data_source(folder, usage)
        for record in grain.MapDataset.source(source):
            found[record["file"].decode()] = record
            assert hashlib.sha256(record["image"]).digest()  # bytes, not pixels
    assert {name: record["image"] for name, record in found.items()} == kaggle
    for item in collected.items:
        assert names.CLASSES[found[item.name]["label"]] == item.label
        assert found[item.name]["digest"].decode() == item.digest


def test_tfds_itself_decodes_the_images(stored, make) -> None:
    from fer_jax.data.reading import records

    folder, _ = stored
    source = records.open_builder(folder).as_data_source("validation")
    encoded = records.data_source(folder, "validation")
    assert np.array_equal(source[3]["image"][..., 0], make.pixels(encoded[3]["image"]))


def test_records_come_in_the_order_of_the_items(stored) -> None:
    from fer_jax.data.reading import records

    folder, collected = stored
    found = list(records.read(folder, lambda record: (record.usage, names.CLASSES[record.label], record.digest)))
    assert found == [(item.usage, item.label, item.digest) for item in collected.items]
    assert found == sorted(found)


def test_a_digest_belongs_to_its_image(stored) -> None:
    from fer_jax.data.reading import records

    folder, _ = stored
    assert all(
        records.read(folder, lambda record: image_files.digest(image_files.decode(record.image)) == record.digest)
    )


def test_preparing_prints_nothing(sample, make, tmp_path: Path, capfd) -> None:
    from fer_jax.data.reading import records

    source = make.folder(tmp_path / "a", {"up/1.jpg": make.jpeg(1), "down/1.jpg": make.jpeg(2)})
    (tmp_path / "out").mkdir()
    with walked(source, False) as collected:
        capfd.readouterr()
        records.write(collected, tmp_path / "out", fer=False)
    assert list(records.read(tmp_path / "out", lambda record: (record.usage, record.label))) == [(-1, 0), (-1, 1)]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["picture_folders"]
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_what_array_record_says_of_a_full_disk_is_understood(sample, make, tmp_path: Path, monkeypatch) -> None:
    from fer_jax.data.reading import records

    def refuse(*_, **__):
        raise RuntimeError("Failed to finalize writing:\nwrite() failed: No space left on device; at byte 37859328")

    monkeypatch.setattr(records.Fer2013, "download_and_prepare", refuse)
    source = make.folder(tmp_path / "a", sample.kaggle())
    with walked(source, True) as collected, pytest.raises(OSError, match="No space left on device$"):
        records.write(collected, tmp_path / "out", fer=True)


def test_missing_records_are_damage(tmp_path: Path) -> None:
    from fer_jax.data.reading import records

    with pytest.raises(Damaged, match="^records: "):
        list(records.read(tmp_path, lambda record: record))
