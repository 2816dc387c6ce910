"""Logits and labels on disk: what was written is read, one trial at a time, or known missing."""

import numpy as np
import pytest

from fer_jax.errors import DamagedError, RunError
from fer_jax.store.predictions import PredictionFiles

LOGITS = np.random.default_rng(0).normal(size=(3, 5, 7))
TARGETS = {
    "validation_labels": np.array([0, 6, 2], np.int32),
    "validation_leaked": np.array([False, True, False]),
}
CHECKSUM = "0123456789abcdef" * 4


@pytest.fixture
def files(tmp_path):
    return PredictionFiles(tmp_path / "predictions")


def test_each_trial_gets_its_own_logits_in_float32(files):
    files.write("w", "validation", LOGITS)
    for slot in range(3):
        found = files.read("w", "validation", slot)
        assert found.dtype == np.float32 and not isinstance(found, np.memmap)
        np.testing.assert_array_equal(found, LOGITS[slot].astype(np.float32))


def test_labels_and_leaks_come_back_for_their_data_set_only(files):
    files.write_targets(CHECKSUM, TARGETS)
    found = files.read_targets(CHECKSUM)
    assert found.keys() == TARGETS.keys()
    for name, array in TARGETS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    assert files.read_targets("f" * 64) is None


def test_what_was_never_kept_is_none(files):
    files.write("w", "validation", LOGITS)
    assert files.read("w", "test", 0) is None and files.read("v", "validation", 0) is None
    assert files.read_targets(CHECKSUM) is None


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY"])
def test_damaged_files_are_named_in_one_line(files, content):
    files.write("w", "validation", LOGITS)
    files.write_targets(CHECKSUM, TARGETS)
    for path in (path for path in files.folder.iterdir() if path.suffix != ".json"):
        path.write_bytes(content)
    for read in (lambda: files.read("w", "validation", 0), lambda: files.read_targets(CHECKSUM)):
        with pytest.raises(
            RunError, match=" is damaged .*: what needs it is left out; the same command makes it again$"
        ) as caught:
            read()
        assert "\n" not in str(caught.value)


def test_a_slot_that_the_wave_does_not_have_is_refused(files):
    files.write("w", "validation", LOGITS)
    with pytest.raises(RunError, match="w-validation.npy is damaged"):
        files.read("w", "validation", 3)


def test_forgetting_a_wave_leaves_the_others(files):
    for wave in ("w", "v"):
        for split in ("validation", "test"):
            files.write(wave, split, LOGITS)
    files.write_targets(CHECKSUM, TARGETS)
    files.forget("w")
    files.forget("w")
    assert files.read("w", "validation", 0) is None and files.read("w", "test", 0) is None
    assert files.read("v", "test", 0) is not None and files.read_targets(CHECKSUM) is not None


def test_a_flipped_byte_costs_its_own_slot_only(files):
    files.write("w", "validation", LOGITS)
    path = files.folder / "w-validation.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedError, match="w-validation.npy is damaged .slot 2 has another checksum.: what needs it"):
        files.read("w", "validation", 2)
    np.testing.assert_array_equal(files.read("w", "validation", 1), LOGITS[1].astype(np.float32))
    assert files.check("w", "validation", [0, 1]) == "" and files.check("w", "validation", [0, 2]) == "damaged"
    assert files.check("w", "test", [0]) == "gone"


def test_logits_of_an_earlier_version_have_no_checksum_and_must_be_finite(files):
    files.write("w", "validation", np.where(np.arange(3)[:, None, None] == 1, np.nan, LOGITS))
    (files.folder / "w-validation.json").unlink()
    np.testing.assert_array_equal(files.read("w", "validation", 0), LOGITS[0].astype(np.float32))
    assert files.check("w", "validation", [0, 2]) == "" and files.check("w", "validation", [1]) == "damaged"
