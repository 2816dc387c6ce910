"""Survivors of a vectorised wave in a narrower program: the same results, interrupted or not."""

import jax
import numpy as np
import pandas as pd
import pytest

import fer_jax
from fer_jax.launch import packing, wave
from fer_jax.store import RunDirectory
from fer_jax.train import stream

pytestmark = pytest.mark.usefixtures("shared_programs")


def tables(run):
    return run.trials, run.curves.sort_values(["id", "epoch"], ignore_index=True)


def weights(run, identity):
    row = run.trials.set_index("id").loc[identity]
    return RunDirectory(run.path).load_trial(row["wave"], int(row["slot"]))


@pytest.fixture
def leaving(leaving):
    """On two devices, so that slots change devices too; test_halving packs on one."""
    leaving.stack.devices = 2
    return leaving


@pytest.fixture
def every_other_epoch(monkeypatch):
    monkeypatch.setattr(packing, "EPOCHS", 2)
    monkeypatch.setattr(packing, "LEAST_SECONDS", 0)


def test_slots_halve_until_the_active_ones_just_fit_and_keep_their_order():
    def active(*slots):
        return np.isin(np.arange(8), slots)

    everyone = np.arange(8)
    assert packing.choose(active(0, 2, 4, 5, 7), everyone, 1) is everyone
    assert packing.choose(active(7, 2, 4, 5), everyone, 1).tolist() == [2, 4, 5, 7]
    assert packing.choose(active(7, 2, 4), everyone, 1).tolist() == [2, 4, 7, 0]
    assert packing.choose(active(6), everyone, 1).tolist() == [6]
    assert packing.choose(active(6), everyone, 2).tolist() == [6, 0]
    assert packing.choose(active(6), everyone, 8) is everyone
    assert packing.choose(active(), everyone, 1) is everyone
    packed = np.array([2, 4, 7, 0])
    assert packing.choose(active(2, 4, 7), packed, 1) is packed
    assert packing.choose(active(2, 7), packed, 1).tolist() == [2, 7]
    assert packing.choose(np.isin(np.arange(6), [1, 3, 4]), np.arange(6), 2).tolist() == [1, 3, 4, 0]
    assert packing.unpadded(packing.padded(packed, 8)).tolist() == packed.tolist()


def test_a_stack_planned_to_be_short_keeps_its_width(leaving, tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "EPOCHS", 2)
    run = fer_jax.run_sweep(leaving, tmp_path)
    assert "slots go on" not in (tmp_path / "log.txt").read_text() and run.trials["epochs"].max() == 9


def test_a_packed_wave_gives_the_results_of_one_that_keeps_its_width(leaving, tmp_path, every_other_epoch, monkeypatch):
    packed = fer_jax.run_sweep(leaving, tmp_path / "packed")
    log = (tmp_path / "packed" / "log.txt").read_text()
    assert "4 of 8 slots go on after epoch 2" in log and "2 of 4 slots go on after epoch 4" in log
    monkeypatch.setattr(packing, "EPOCHS", 1000)
    wide = fer_jax.run_sweep(leaving, tmp_path / "wide")
    assert "slots go on" not in (tmp_path / "wide" / "log.txt").read_text()
    assert packed.trials["status"].tolist() == ["done", "done", "diverged", "diverged"] + ["done"] * 4
    assert packed.trials["epochs"].tolist() == [9, 9, 1, 1, 3, 3, 2, 2]
    for one, other in zip(tables(packed), tables(wide), strict=True):
        pd.testing.assert_frame_equal(one, other, rtol=1e-5)
    assert not (packed.trials["val_loss"].dropna().duplicated()).any()  # so that a mix-up would show
    for identity, epochs in zip(packed.trials["id"], packed.trials["epochs"], strict=True):
        compare = (
            np.testing.assert_array_equal
            if epochs <= 2
            else lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
        )
        jax.tree.map(compare, weights(packed, identity), weights(wide, identity))
    for identity in packed.trials["id"][packed.trials["status"] == "done"]:
        trial = packed.trial(identity)
        counts = trial.confusion_matrix("test").to_numpy()
        assert counts.trace() / counts.sum() == pytest.approx(float(trial.row["test_accuracy"]))


def test_a_packed_wave_of_streamed_data_gives_the_results_of_resident_data(
    leaving, tmp_path, every_other_epoch, monkeypatch
):
    """Four steps an epoch in chunks of three, of two seeds, also where two trials are left."""
    resident = fer_jax.run_sweep(leaving, tmp_path / "resident")
    monkeypatch.setattr(stream, "CHUNK_BYTES", 3 * 2 * 16 * 16 * 16)
    leaving.stack.data = "stream"
    streamed = fer_jax.run_sweep(leaving, tmp_path / "streamed")
    log = (tmp_path / "streamed" / "log.txt").read_text()
    assert (
        "data streamed" in log
        and "4 of 8 slots go on after epoch 2" in log
        and "2 of 4 slots go on after epoch 4" in log
    )
    # XLA rounds the quotients of validation in either program as it likes.
    for one, other in zip(tables(streamed), tables(resident), strict=True):
        pd.testing.assert_frame_equal(one, other, rtol=1e-6)
    for identity in resident.trials["id"]:
        jax.tree.map(np.testing.assert_array_equal, weights(streamed, identity), weights(resident, identity))


@pytest.mark.parametrize("ahead_below", [0.0, 1e9])
def test_interrupted_at_every_epoch_a_packed_wave_gives_the_same_bits(
    leaving, tmp_path, every_other_epoch, stop_after, monkeypatch, ahead_below
):
    whole = fer_jax.run_sweep(leaving, tmp_path / "whole")
    monkeypatch.setattr(wave, "AHEAD_BELOW_SECONDS", ahead_below)
    starts = 0
    while True:
        stop_after(1)
        try:
            cut = fer_jax.run_sweep(leaving, tmp_path / "cut")
            break
        except KeyboardInterrupt:
            starts += 1
            leaving.checkpoint.every = starts % 3  # a run field: it may change, and packing must not follow it
    assert starts == 8
    for one, other in zip(tables(cut), tables(whole), strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    for identity in whole.trials["id"]:
        jax.tree.map(np.testing.assert_array_equal, weights(cut, identity), weights(whole, identity))


def test_epochs_started_ahead_change_nothing(leaving, tmp_path, monkeypatch):
    """Also where all trials stop early while the epoch after that runs already."""
    leaving.checkpoint.every = 0
    leaving.sweep.points = leaving.sweep.points[3:]
    runs = []
    for ahead_below in (0.0, 1e9):
        monkeypatch.setattr(wave, "AHEAD_BELOW_SECONDS", ahead_below)
        runs.append(fer_jax.run_sweep(leaving, tmp_path / str(ahead_below)))
    assert runs[0].trials["epochs"].tolist() == [2, 2] and len(runs[0].curves) == 4
    for one, other in zip(tables(runs[0]), tables(runs[1]), strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_trials_one_after_another_are_not_packed(leaving, tmp_path, every_other_epoch):
    leaving.stack.engine = "map"
    fer_jax.run_sweep(leaving, tmp_path)
    assert "slots go on" not in (tmp_path / "log.txt").read_text()
