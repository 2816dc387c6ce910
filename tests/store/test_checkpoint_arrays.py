"""Checkpoints that something has damaged: no value that was not written is believed."""

import errno
import json
import os
import re
import shutil
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint.experimental.v1 as ocp
import pytest
import tensorstore as ts

from fer_jax.errors import RunError
from fer_jax.store import RunDirectory
from fer_jax.store.checkpoint_arrays import DamagedCheckpoint
from fer_jax.store.descriptions import checksum, describe
from tests.store.conftest import abstract, assert_equal_trees, curve_rows, example

WAVE = "stack_0-wave_0"


def files(path):
    return sorted(file for file in path.rglob("*") if file.is_file())


def flip(file, place):
    content = bytearray(file.read_bytes())
    content[place] ^= 1 << place % 8
    file.write_bytes(content)


def damages(content):
    """What a file is damaged to: empty, half of it, and flips through all of it."""
    yield b""
    yield content[: len(content) // 2]
    for place in range(0, len(content), 1 + len(content) // 12):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        yield bytes(flipped)


def test_no_damage_to_any_file_gives_other_values(run, capfd):
    tree = example()
    run.save_final(WAVE, tree)
    expected = jax.tree.map(lambda x: x[5] if np.ndim(x) else np.asarray(x), tree)
    told = 0
    for file in files(run.path / "checkpoints"):
        content = file.read_bytes()
        for damaged in (*damages(content), None):
            file.write_bytes(damaged) if damaged is not None else file.unlink()
            try:
                assert_equal_trees(run.load_trial(WAVE, 5, tree), expected)
                assert run.load_trial(WAVE, 5)["stats"] == {}
            except DamagedCheckpoint as error:
                assert re.fullmatch(
                    r".*/final-000001 is damaged \([^\n]*\); put it back from a copy, or [^\n]*", str(error)
                )
                told += 1
        file.write_bytes(content)
    assert told > 30
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def test_no_damage_to_a_state_gives_other_values(run):
    tree = example()
    run.save_state(WAVE, 3, tree)
    run.wait()
    found = files(run.path / "checkpoints")
    assert len(found) == 2
    told = 0
    for file in found:
        content = file.read_bytes()
        for damaged in (*damages(content), content + b"\0", None):
            file.write_bytes(damaged) if damaged is not None else file.unlink()
            with pytest.raises(DamagedCheckpoint, match=r".*/state-000003 is damaged \([^\n]*\); the same command "):
                run.restore_state(WAVE, abstract(tree))
            told += 1
        file.write_bytes(content)
    assert told > 25
    assert_equal_trees(run.restore_state(WAVE, abstract(tree)), tree)


def test_a_state_that_claims_more_than_it_holds_takes_no_memory(run):
    run.save_state(WAVE, 3, {"x": np.zeros((2, 3), np.float32)})
    run.wait()
    folder = run.path / "checkpoints" / WAVE / "state-000003"
    for shape in ("[1000000, 1000000]", "[-1, -6]", "[2, 3"):
        content = {"arrays": {"x": f"float32{shape} 00"}, "about": {}}
        (folder / "description.json").write_text(json.dumps({**content, "crc32": checksum(content)}))
        with pytest.raises(DamagedCheckpoint):
            run.load_state(WAVE)
    content = {"arrays": {"x": "object[3] 00"}, "about": {}}
    (folder / "description.json").write_text(json.dumps({**content, "crc32": checksum(content)}))
    with pytest.raises(DamagedCheckpoint):
        run.load_state(WAVE)


def test_damage_to_one_trial_is_no_matter_of_the_others(run):
    rng = np.random.default_rng(0)
    kernels, scale = rng.normal(size=(4, 1000)).astype(np.float32), rng.normal(size=1000)
    run.save_final(WAVE, {"best": {"kernel": kernels}, "shared": {"scale": scale}})
    file, content = _flip_inside(run.path, kernels[2])
    for slot in (0, 1, 3):
        part = run.load_trial(WAVE, slot, {"best": {"kernel": 0}})
        np.testing.assert_array_equal(part["best"]["kernel"], kernels[slot])
    with pytest.raises(DamagedCheckpoint, match="the bytes of best.kernel are not those that were written"):
        run.load_trial(WAVE, 2)
    file.write_bytes(content)
    _flip_inside(run.path, scale)
    with pytest.raises(DamagedCheckpoint, match="the bytes of shared.scale are not"):
        run.load_trial(WAVE, 1)


def _flip_inside(path, array):
    """Flips a bit of an array where it lies; returns its file and what the file held."""
    (file,) = [file for file in files(path) if array.tobytes() in file.read_bytes()]
    content = file.read_bytes()
    flip(file, content.index(array.tobytes()) + 77)
    return file, content


@pytest.mark.parametrize("name", ["_CHECKPOINT_METADATA", "_METADATA"])
@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", "{}", '{"custom_metadata": 3}', '{"tree_metadata": 3}', "[" * 100_000]
)
def test_metadata_of_any_content_are_told_in_a_line(run, name, content):
    run.save_final(WAVE, example())
    path = run.path / "checkpoints" / WAVE / "final-000001"
    if name == "_METADATA":  # which only checkpoints of earlier versions are read by
        _as_of_an_earlier_version(path)
    (path / name).write_text(content)
    with pytest.raises(DamagedCheckpoint, match=f"^{re.escape(str(path))} is damaged "):
        run.load_trial(WAVE, 0)


def _as_of_an_earlier_version(path):
    metadata = json.loads((path / "_CHECKPOINT_METADATA").read_text())
    (path / "_CHECKPOINT_METADATA").write_text(json.dumps({**metadata, "custom_metadata": {}}))


def test_checkpoints_of_earlier_versions_are_read(run):
    tree = jax.tree.map(np.asarray, {**example(), "pair": (np.ones(8), {"empty": []})})
    folder = run.path / "checkpoints" / WAVE
    ocp.save(folder / "state-000003", tree)
    ocp.save(folder / "final-000001", tree)
    assert run.resume(WAVE) == 3
    assert_equal_trees(run.restore_state(WAVE, abstract(tree)), tree)
    loaded = run.load_state(WAVE)
    assert loaded["stats"] == {} and isinstance(loaded["pair"], list) and loaded["pair"][1] == {"empty": []}
    np.testing.assert_array_equal(loaded["optimizer"][1]["count"], tree["optimizer"][1].count)
    trial = run.load_trial(WAVE, 6)
    np.testing.assert_array_equal(trial["params"]["conv_0"]["kernel"], tree["params"]["conv_0"]["kernel"][6])
    with pytest.raises(RunError, match="epoch is int32\\[\\], not int32\\[2\\]; remove it"):
        run.restore_state(WAVE, {**abstract(tree), "epoch": jax.ShapeDtypeStruct((2,), np.int32)})


def test_weights_in_the_folder_of_an_earlier_version_are_held_to_their_checksums(run):
    kernels = np.random.default_rng(0).normal(size=(4, 1000)).astype(np.float32)
    tree = {"best": {"kernel": kernels}}
    path = run.path / "checkpoints" / WAVE / "final-000001"
    context = ocp.Context()
    context.array.saving.use_compression = False
    with context:
        ocp.save(path, tree, custom_metadata={"fer_jax": describe(tree, {}, by_trial=True)})
    assert (path / "state" / "manifest.ocdbt").exists()
    np.testing.assert_array_equal(run.load_trial(WAVE, 2)["best"]["kernel"], kernels[2])
    _flip_inside(run.path, kernels)
    with pytest.raises(DamagedCheckpoint, match="the bytes of best.kernel are not those that were written"):
        run.load_trial(WAVE, 0)


def test_an_array_that_claims_more_than_its_files_hold_takes_no_memory(run):
    path = run.path / "checkpoints" / WAVE / "final-000001"
    path.mkdir(parents=True)
    store = {"driver": "ocdbt", "base": {"driver": "file", "path": f"{path}/state/"}, "path": "huge/"}
    ts.open({"driver": "zarr3", "kvstore": store}, create=True, dtype=ts.float32, shape=[2, 10**12]).result()
    (path / "_CHECKPOINT_METADATA").write_text('{"custom_metadata": {}}')
    key = {"key_metadata": [{"key": "huge", "key_type": 2}], "value_metadata": {"value_type": "np.ndarray"}}
    (path / "state" / "_METADATA").write_text(json.dumps({"tree_metadata": {"huge": key}}))
    with pytest.raises(DamagedCheckpoint, match="huge claims 1,000,000,000,000, and .* are stored"):
        run.load_trial(WAVE, 0)


# States


@pytest.fixture
def states(run):
    """A wave that broke off with states after epochs 2, 4 and 6, of which the last two are left."""
    for epoch in (2, 4, 6):
        run.curves.write(WAVE, epoch - 1, curve_rows(epoch - 1, epoch))
        run.save_state(WAVE, epoch, {"x": np.full((3, 5), epoch)})
    run.wait()
    return RunDirectory(run.path)


def lose(run, name):
    """Damages a state, or a part of the curves."""
    if name.startswith("state"):
        (run.path / "checkpoints" / WAVE / name / "arrays.bin").write_bytes(b"")
    elif name.startswith("no "):
        (run.path / "curves" / f"{WAVE}-{name[3:]}.parquet").unlink()
    else:
        flip(run.path / "curves" / f"{WAVE}-{name}.parquet", 100)


@pytest.mark.parametrize(
    ("lost", "epoch", "words"),
    [
        ((), 6, None),
        (("state-000004",), 6, None),
        (("state-000006",), 4, "state-000006 is damaged and deleted; going on from epoch 4"),
        (
            ("state-000006", "state-000004"),
            0,
            "state-000006 is damaged and deleted; state-000004 is damaged and deleted; the wave starts anew, its "
            "curves too",
        ),
        (("000005",), 4, f"curves/{WAVE}-000005.parquet is damaged, so state-000006 is deleted; going on from epoch 4"),
        (
            ("no 000005",),
            4,
            f"curves/{WAVE}-000005.parquet is missing, so state-000006 is deleted; going on from epoch 4",
        ),
        (
            ("state-000006", "no 000001"),
            0,
            f"state-000006 is damaged and deleted; curves/{WAVE}-000001.parquet is missing, so state-000004 is "
            "deleted; the wave starts anew, its curves too",
        ),
    ],
)
def test_a_wave_goes_on_from_its_newest_whole_state(states, lost, epoch, words):
    for name in lost:
        lose(states, name)
    said = []
    assert states.resume(WAVE, said.append) == epoch
    assert said == ([f"{WAVE}: {words}"] if words else [])
    assert states.curves.read(WAVE)["epoch"].unique().tolist() == list(range(1, epoch + 1))
    assert states.latest_state(WAVE) == (epoch or None)
    if epoch:
        assert (states.load_state(WAVE)["x"] == epoch).all()
    assert states.resume(WAVE, said.append) == epoch and len(said) == bool(words)


def test_what_cannot_be_read_is_no_damage_and_nothing_is_deleted(states):
    lose(states, "state-000006")
    arrays = states.path / "checkpoints" / WAVE / "state-000004" / "arrays.bin"
    content = arrays.read_bytes()
    arrays.unlink()
    arrays.symlink_to(arrays)
    before = sorted(states.path.rglob("*"))
    with pytest.raises(RunError, match="^cannot read .*/state-000004: Too many levels of symbolic links; ") as caught:
        states.resume(WAVE)
    assert not isinstance(caught.value, DamagedCheckpoint) and sorted(states.path.rglob("*")) == before
    arrays.unlink()
    arrays.write_bytes(content)
    assert states.resume(WAVE) == 4


def test_a_folder_of_states_that_cannot_be_listed_is_not_taken_for_empty(states, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(os, "listdir", refuse)
        with pytest.raises(RunError, match=f"^cannot read .*/{WAVE}: Permission denied; "):
            states.resume(WAVE)
    assert states.resume(WAVE) == 6 and len(states.curves.read(WAVE)) == len(curve_rows(1, 6))


# Flushing


def test_everything_is_flushed_before_the_name_and_the_name_before_an_older_state_goes(run, monkeypatch):
    fsync, rename, rmtree, done = os.fsync, Path.rename, shutil.rmtree, []

    def flushed(descriptor):
        done.append(("flush", os.readlink(f"/proc/self/fd/{descriptor}")))
        return fsync(descriptor)

    def renamed(path, target):
        done.append(("rename", str(path)))
        return rename(path, target)

    def removed(path, **options):
        done.append(("remove", str(path)))
        return rmtree(path, **options)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "rename", renamed)
    monkeypatch.setattr(shutil, "rmtree", removed)
    folder = run.path / "checkpoints" / WAVE
    for epoch in (1, 2, 3):
        done.clear()
        run.save_state(WAVE, epoch, {"x": np.full(3, epoch)})
        run.wait()
        if epoch == 1:
            # New folders are entries of those they lie in.
            assert [("flush", str(path)) for path in (run.path.parent, run.path, folder.parent)] == done[:3]
        written, state = f"{folder}/state-{epoch:06d}.written", folder / f"state-{epoch:06d}"
        named = done.index(("rename", written))
        everything = {str(path).replace(str(state), written, 1) for path in (state, *state.rglob("*"))}
        assert everything <= {path for what, path in done[:named] if what == "flush"}
        assert done[named + 1] == ("flush", str(folder))
    assert done[named + 2 :] == [
        ("remove", f"{folder}/state-000001.deleted"),
        ("rename", f"{folder}/state-000001"),
        ("remove", f"{folder}/state-000001.deleted"),
    ]
