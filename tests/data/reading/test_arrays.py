"""Arrays of the cache: what was written is mapped, and anything else is damage."""

from pathlib import Path

import numpy as np
import pytest

from fer_jax.base.cache import Damaged
from fer_jax.data.reading import arrays

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 6, 6, 3), np.uint8)
LABELS, USAGES = [0, 0, 1, 2, 1], [0, 0, 1, 2, -1]


def write(folder: Path, count: int = 5) -> None:
    arrays.write(folder, zip(IMAGES, LABELS, USAGES, strict=True), (count, 6, 6, 3), {"classes": ["a", "b", "c"]})


def test_what_was_written_is_mapped_and_cannot_be_changed(tmp_path: Path) -> None:
    write(tmp_path)
    found, note = arrays.load(tmp_path)
    np.testing.assert_array_equal(found["images"], IMAGES)
    assert found["labels"].tolist() == LABELS and found["usage"].tolist() == USAGES
    assert [array.dtype for array in found.values()] == [np.uint8, np.int32, np.int8]
    assert isinstance(found["images"], np.memmap)
    assert not any(array.flags.writeable for array in found.values())
    assert note["about"] == {"classes": ["a", "b", "c"]} and note["shape"] == [5, 6, 6, 3]


def test_they_are_ordinary_npy_files(tmp_path: Path) -> None:
    write(tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "images.npy"), IMAGES)
    np.testing.assert_array_equal(np.load(tmp_path / "labels.npy"), LABELS)


@pytest.mark.parametrize("count", [4, 6])
def test_another_number_of_images_is_damage(count: int, tmp_path: Path) -> None:
    with pytest.raises(Damaged, match=f"^records: 5 of {count} pictures$"):
        write(tmp_path, count)


def test_arrays_of_another_shape_are_damage(tmp_path: Path) -> None:
    write(tmp_path)
    np.save(tmp_path / "images.npy", IMAGES[:4])
    with pytest.raises(Damaged, match="^images.npy: its checksum differs"):
        arrays.load(tmp_path)
