"""Features on disk: whole or not there, whatever happened to the writer or the file."""

import errno
import json
import os

import numpy as np
import pytest

from fer_jax.errors import RunError
from fer_jax.store import features
from fer_jax.store.features import FeatureFiles

ROWS = {"train": 5, "validation": 3, "test": 2}
WIDTHS = {"flatten": (2, 3), "dense_0": (4,)}


def numbers(layer, rows=ROWS):
    total, width = sum(rows.values()), int(np.prod(WIDTHS[layer]))
    return np.random.default_rng(len(layer)).normal(size=(total, width)).astype(np.float32)


def write(folder, trial="t0", rows=ROWS, widths=WIDTHS):
    files = FeatureFiles(folder)
    with files.writers(trial, widths, rows) as arrays:
        for layer, array in arrays.items():
            array[:] = numbers(layer, rows)
    return files


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run" / "features"


def names(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def whole(folder, layer="flatten", rows=ROWS):
    """What a process that has not seen the file yet says of it."""
    return FeatureFiles(folder).has("t0", layer, rows)


def test_what_was_written_is_read_by_split(folder):
    files = write(folder)
    for layer in WIDTHS:
        for reader in (files, FeatureFiles(folder)):
            assert reader.has("t0", layer, ROWS)
            found, expected = reader.read("t0", layer), numbers(layer)
            assert list(found) == list(ROWS)
            np.testing.assert_array_equal(found["train"], expected[:5])
            np.testing.assert_array_equal(found["validation"], expected[5:8])
            np.testing.assert_array_equal(found["test"], expected[8:])
            assert all(part.dtype == np.float32 for part in found.values())
    assert names(folder) == ["t0-dense_0.json", "t0-dense_0.npy", "t0-flatten.json", "t0-flatten.npy"]


def test_arrays_to_fill_are_flat_and_as_long_as_all_splits(folder):
    with FeatureFiles(folder).writers("t0", WIDTHS, ROWS) as arrays:
        assert {layer: (array.shape, array.dtype) for layer, array in arrays.items()} == {
            "flatten": ((10, 6), np.float32),
            "dense_0": ((10, 4), np.float32),
        }


def test_reading_maps_the_file(folder):
    found = write(folder).read("t0", "flatten")
    assert all(isinstance(part, np.memmap) and not part.flags.writeable for part in found.values())


def test_trials_and_layers_do_not_mix(folder):
    files = write(folder, "t0", widths={"flatten": (2, 3)})
    assert files.has("t0", "flatten", ROWS)
    assert not files.has("t0", "dense_0", ROWS) and not files.has("t1", "flatten", ROWS)
    with pytest.raises(FileNotFoundError):
        files.read("t1", "flatten")


def test_features_of_both_weights_do_not_mix(folder):
    files = write(folder)
    assert not files.has("t0", "flatten", ROWS, "last")
    with files.writers("t0", {"flatten": (2, 3)}, ROWS, "last") as arrays:
        arrays["flatten"][:] = 7
    for reader in (files, FeatureFiles(folder)):
        assert reader.has("t0", "flatten", ROWS, "last") and reader.has("t0", "flatten", ROWS)
        assert (reader.read("t0", "flatten", "last")["test"] == 7).all()
        np.testing.assert_array_equal(reader.read("t0", "flatten")["test"], numbers("flatten")[8:])
    assert {"t0-flatten.npy", "t0.last-flatten.npy"} < set(names(folder))
    for suffix in ("npy", "json"):
        os.replace(folder / f"t0.last-flatten.{suffix}", folder / f"t0-flatten.{suffix}")
    assert not whole(folder) and FeatureFiles(folder).damaged("t0", "flatten") == "t0-flatten.npy"


def test_features_of_before_there_were_two_weights_are_those_of_the_chosen(folder):
    write(folder)
    path = folder / "t0-flatten.json"
    record = json.loads(path.read_text())
    del record["weights"]
    path.write_text(json.dumps(record))
    assert whole(folder)


def test_features_of_other_trials_are_forgotten_with_both_weights(folder):
    files = FeatureFiles(folder)
    for trial in ("0123456789", "abcdef0123"):
        for weights in ("best", "last"):
            with files.writers(trial, {"dense_0": (4,)}, ROWS, weights) as arrays:
                arrays["dense_0"][:] = 0
    files.forget_others(["abcdef0123"])
    left = [f"abcdef0123{mark}-dense_0.{suffix}" for mark in ("", ".last") for suffix in ("json", "npy")]
    assert names(folder) == sorted(left)


def test_writing_again_replaces(folder):
    write(folder)
    fewer = {"train": 4, "validation": 3}
    files = write(folder, rows=fewer)
    assert files.has("t0", "flatten", fewer) and whole(folder, rows=fewer) and not whole(folder)
    np.testing.assert_array_equal(files.read("t0", "flatten")["validation"], numbers("flatten", fewer)[4:])


def test_a_flipped_bit_is_noticed(folder):
    write(folder)
    path = folder / "t0-flatten.npy"
    content = path.read_bytes()
    for place in (len(content) - 1, len(content) - 10 * 6 * 4, len(content) - 100):
        damaged = bytearray(content)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        assert not whole(folder)
        assert whole(folder, "dense_0")
    path.write_bytes(content)
    assert whole(folder)


def test_the_checksum_covers_every_piece_of_a_large_array(folder, monkeypatch):
    monkeypatch.setattr(features, "HASHED_BYTES", 50)  # two rows of six numbers a piece
    write(folder)
    path = folder / "t0-flatten.npy"
    content = path.read_bytes()
    assert whole(folder)
    for row in range(10):
        damaged = bytearray(content)
        damaged[len(content) - 24 * (10 - row) + 5] ^= 0x80
        path.write_bytes(damaged)
        assert not whole(folder)
    monkeypatch.undo()
    path.write_bytes(content)
    assert whole(folder)  # the size of a piece is no part of the checksum


@pytest.mark.parametrize("keep", [0, 10, 128, 200, -24, -1])
def test_an_array_cut_short_does_not_count(folder, keep):
    write(folder)
    path = folder / "t0-flatten.npy"
    path.write_bytes(path.read_bytes()[:keep])
    assert not whole(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"{}", b'{"rows": 3, "sha256": 1}', b"\xff\xfe"])
def test_an_array_without_a_readable_record_does_not_count(folder, content):
    write(folder)
    seal = folder / "t0-flatten.json"
    seal.write_bytes(content)
    assert not whole(folder)
    seal.unlink()
    assert not whole(folder) and whole(folder, "dense_0")


def test_a_record_without_its_array_does_not_count(folder):
    write(folder)
    (folder / "t0-flatten.npy").unlink()
    assert not whole(folder)


def test_pickled_objects_are_not_loaded(folder):
    write(folder)
    np.save(folder / "t0-flatten.npy", np.array([{}] * 10, dtype=object), allow_pickle=True)
    assert not whole(folder)


@pytest.mark.parametrize(
    "rows",
    [{"train": 6, "validation": 2, "test": 2}, {"train": 5, "validation": 3}, {"train": 10}, {**ROWS, "more": 1}],
    ids=str,
)
def test_features_of_other_numbers_of_images_do_not_count(folder, rows):
    writer = write(folder)
    assert not whole(folder, rows=rows)
    assert not writer.has("t0", "flatten", rows)
    reader = FeatureFiles(folder)
    assert reader.has("t0", "flatten", ROWS) and not reader.has("t0", "flatten", rows)


def test_an_array_is_read_whole_only_once(folder):
    write(folder)
    files = FeatureFiles(folder)
    assert files.has("t0", "flatten", ROWS)
    path = folder / "t0-flatten.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert files.has("t0", "flatten", ROWS) and not whole(folder)


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_a_writer_that_breaks_off_leaves_nothing(folder, error):
    files = FeatureFiles(folder)
    with pytest.raises(type(error)), files.writers("t0", WIDTHS, ROWS) as arrays:
        arrays["flatten"][:] = 1
        raise error
    assert names(folder) == []
    assert not files.has("t0", "flatten", ROWS)


def test_a_writer_that_breaks_off_leaves_the_features_of_before(folder):
    files = write(folder)
    with pytest.raises(ValueError), files.writers("t0", WIDTHS, ROWS) as arrays:
        arrays["flatten"][:] = 1
        raise ValueError
    assert whole(folder)
    np.testing.assert_array_equal(files.read("t0", "flatten")["train"], numbers("flatten")[:5])


def test_what_a_killed_writer_leaves_between_array_and_record_does_not_count(folder, monkeypatch):
    """The array has its name already; a record of an older array must not vouch for it."""
    write(folder)

    def killed(path, data):
        raise KeyboardInterrupt

    monkeypatch.setattr(features, "write_bytes", killed)
    with pytest.raises(KeyboardInterrupt), FeatureFiles(folder).writers("t0", {"flatten": (2, 3)}, ROWS) as arrays:
        arrays["flatten"][:] = 1
    assert not whole(folder) and whole(folder, "dense_0")
    assert names(folder) == ["t0-dense_0.json", "t0-dense_0.npy", "t0-flatten.npy"]


def test_a_full_disk_is_one_line_before_anything_is_filled(folder, monkeypatch):
    def full(descriptor, offset, length):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    entered = []
    with pytest.raises(RunError) as caught, FeatureFiles(folder).writers("t0", WIDTHS, ROWS):
        entered.append(True)
    assert not entered and names(folder) == []
    assert str(caught.value) == (
        f"cannot write {folder}: No space left on device; free some space and start the same command again"
    )


def test_room_is_asked_for_every_array_in_full(folder, monkeypatch):
    asked = []
    monkeypatch.setattr(os, "posix_fallocate", lambda descriptor, offset, length: asked.append((offset, length)))
    write(folder)
    sizes = [(folder / f"t0-{layer}.npy").stat().st_size for layer in WIDTHS]
    assert asked == [(0, size) for size in sizes]
    assert all(size > numbers(layer).nbytes for size, layer in zip(sizes, WIDTHS, strict=True))


def test_a_file_in_the_way_is_one_line(folder):
    folder.parent.mkdir()
    folder.write_text("")
    with pytest.raises(RunError, match="^cannot write .*: File exists; a file is in the way: remove it") as caught:
        write(folder)
    assert "\n" not in str(caught.value)


def test_the_record_says_what_the_rows_are(folder):
    write(folder)
    record = json.loads((folder / "t0-flatten.json").read_text())
    assert record["rows"] == ROWS and len(record["sha256"]) == 64


@pytest.mark.parametrize("other", [b">f4", b"<i4"])
def test_a_header_of_another_type_is_damage_though_the_numbers_have_their_checksum(folder, other):
    write(folder)
    path = folder / "t0-flatten.npy"
    content = path.read_bytes()
    assert content.count(b"<f4") == 1
    path.write_bytes(content.replace(b"<f4", other))
    assert not whole(folder)
    assert FeatureFiles(folder).damaged("t0", "flatten") == path.name
    path.write_bytes(content)
    assert whole(folder)


def test_what_a_killed_writer_leaves_is_no_damage(folder):
    write(folder)
    (folder / "t0-flatten.json").unlink()
    assert not whole(folder) and FeatureFiles(folder).damaged("t0", "flatten") == ""
