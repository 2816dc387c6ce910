"""A sweep from config to run directory: results, resume, refusal, failure."""

import math
import re

import numpy as np
import pandas as pd
import pytest

import fer_jax
from fer_jax.errors import ConfigError, RunError
from fer_jax.launch import wave
from fer_jax.reports import run_report
from fer_jax.train import stream


def tables(path):
    run = fer_jax.load_run(path)
    return run.trials, run.curves.sort_values(["id", "epoch"], ignore_index=True)


@pytest.fixture(autouse=True)
def no_report(request, monkeypatch):
    """Only the test that looks at figures waits for them to be drawn."""
    if "figures" not in request.node.name:
        monkeypatch.setattr(run_report, "write_report", lambda path: None)


def test_a_sweep_leaves_tables_figures_and_networks_that_give_the_tabled_numbers(config, tmp_path):
    config.sweep.grid.train.batch_size = (8, 16)
    run = fer_jax.run_sweep(config, tmp_path / "run")
    assert len(run.trials) == 8 and (run.trials["status"] == "done").all()
    assert run.trials["stack"].nunique() == 2
    assert (run.summary["n"] == 2).all() and len(run.summary) == 4
    assert len(run.curves) == 8 * 4
    for _, row in run.trials.iterrows():
        curve = run.curves[run.curves["id"] == row["id"]]
        best = curve["val_accuracy"].max()
        assert row["val_accuracy"] == best and row["last_val_loss"] == curve["val_loss"].iloc[-1]
        assert row["best_epoch"] == curve["epoch"][curve["val_accuracy"] == best].iloc[0]
    trial = run.trial(run.trials["id"].iloc[-1])
    matrix = np.asarray(trial.confusion_matrix("test"))
    assert np.trace(matrix) / matrix.sum() == pytest.approx(run.trials["test_accuracy"].iloc[-1])
    for name in ("config.json", "plan.json", "trials.csv", "summary.csv", "report.html", "log.txt"):
        assert (tmp_path / "run" / name).stat().st_size > 100
    assert list((tmp_path / "run" / "figures").glob("*.png"))
    assert run.record["data"]["checksum"] and run.record["finished"]


def test_a_start_names_fields_without_effect(config, tmp_path, capsys):
    config.train.stop_min_delta = 0.5
    fer_jax.run_sweep(config, tmp_path)
    note = (
        "note: set without effect: train.stop_min_delta (only with train.stop_patience above 0 or phases.patience set)"
    )
    assert note in capsys.readouterr().err.splitlines() and note in (tmp_path / "log.txt").read_text()


def test_the_same_command_again_trains_nothing(config, tmp_path, monkeypatch):
    fer_jax.run_sweep(config, tmp_path)
    before, _ = tables(tmp_path)
    monkeypatch.setattr(wave, "train", lambda *_: pytest.fail("a finished wave was trained again"))
    fer_jax.run_sweep(config, tmp_path)
    pd.testing.assert_frame_equal(tables(tmp_path)[0], before)


def test_a_folder_of_other_files_is_left_alone(config, tmp_path):
    (tmp_path / "happy").mkdir()
    with pytest.raises(RunError, match="holds no run but other files .happy.: choose an empty --workdir"):
        fer_jax.run_sweep(config, tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["happy"]


@pytest.mark.parametrize(("every", "ahead_below", "last"), [(1, math.inf, 2), (3, math.inf, 3), (3, 0.0, 2)])
def test_resuming_gives_the_tables_of_an_uninterrupted_run(
    config, tmp_path, stop_after, monkeypatch, every, ahead_below, last
):
    """Also where the next epoch was begun before the stop was seen: it is part of what is saved."""
    monkeypatch.setattr(wave, "AHEAD_BELOW_SECONDS", ahead_below)
    config.checkpoint.every = every
    config.model.dropout = 0.3
    fer_jax.run_sweep(config, tmp_path / "whole")
    stop_after(2)
    with pytest.raises(KeyboardInterrupt):
        fer_jax.run_sweep(config, tmp_path / "cut")
    partial, curves = tables(tmp_path / "cut")
    assert (partial["status"] == "pending").all() and curves["epoch"].max() == last
    stop_after(0)
    fer_jax.run_sweep(config, tmp_path / "cut")
    for whole, cut in zip(tables(tmp_path / "whole"), tables(tmp_path / "cut"), strict=True):
        pd.testing.assert_frame_equal(cut, whole, check_exact=True)
    states = sorted(path.name for path in (tmp_path / "cut" / "checkpoints").glob("*/state-*"))
    assert states == ["state-000004"]


def test_a_stop_in_the_last_epoch_of_a_wave_trains_no_epoch_of_the_next(config, tmp_path, stop_after):
    config.stack.width, config.stack.devices = 2, 1
    stop_after(4)
    with pytest.raises(KeyboardInterrupt):
        fer_jax.run_sweep(config, tmp_path)
    trials, curves = tables(tmp_path)
    assert trials["status"].tolist() == ["done", "done", "pending", "pending"]
    assert set(curves["id"]) == set(trials["id"][:2])
    assert "stopped before stack_0-wave_1; the same command goes on from there" in (tmp_path / "log.txt").read_text()


def test_a_failing_wave_is_marked_and_the_others_run(config, tmp_path, monkeypatch, capsys):
    config.sweep.grid.train.batch_size = (8, 16)
    train = wave.train

    def broken(job, *rest):
        if job.program.recipe.batch_size == 8:
            raise RuntimeError("INTERNAL: the device\nis gone")
        return train(job, *rest)

    monkeypatch.setattr(wave, "train", broken)
    run = fer_jax.run_sweep(config, tmp_path)
    assert run.trials.groupby("train.batch_size")["status"].unique().map(list).to_dict() == {
        8: ["failed"],
        16: ["done"],
    }
    assert run.trials["error"].iloc[0] == "RuntimeError: INTERNAL: the device is gone"
    assert "--retry_failed" in capsys.readouterr().err
    assert "Traceback" in (tmp_path / "log.txt").read_text()
    monkeypatch.setattr(wave, "train", train)
    assert (fer_jax.run_sweep(config, tmp_path).trials["status"] == "failed").sum() == 4
    assert (fer_jax.run_sweep(config, tmp_path, retry_failed=True).trials["status"] == "done").all()


def test_a_diverged_trial_is_marked_with_its_epoch_and_left_out_of_its_mean(config, tmp_path):
    config.train.optimizer = "sgd"
    config.sweep.grid.train.learning_rate = (1e-2, 1e30)
    run = fer_jax.run_sweep(config, tmp_path)
    assert run.trials["status"].tolist() == ["done", "done", "diverged", "diverged"]
    assert run.trials["diverged_epoch"].tolist()[2:] == [1, 1]
    assert run.summary["n"].tolist() == [2, 0] and run.summary["left_out"].tolist() == ["", "2 diverged"]
    with pytest.raises(RunError, match="diverged in epoch 1, its first: nothing of it was learnt"):
        run.trial(run.trials["id"].iloc[-1]).predict(np.zeros((16, 16), np.uint8))


def test_a_swept_data_field_gives_each_stack_its_own_data(config, tmp_path):
    config.sweep.grid.data.image_size = (12, 16)
    run = fer_jax.run_sweep(config, tmp_path)
    assert (run.trials["status"] == "done").all() and run.trials["stack"].nunique() == 2
    assert len(run.record["other_data"]) == 1


def test_trials_of_a_sweep_over_merged_classes_know_their_own(config, tmp_path):
    config.train.epochs = config.sweep.repeats = 1
    config.sweep.grid.train.learning_rate = None
    config.sweep.grid.data.merge = ((), ("glad=happiness+surprise", "low=sad+fear+angry+disgust"))
    config.data.balance = "oversample"
    run = fer_jax.run_sweep(config, tmp_path)
    seven, three = (run.trial(identity) for identity in run.trials["id"])
    assert seven.classes == tuple(run.record["data"]["classes"]) and len(seven.classes) == 7
    assert three.classes == ("glad", "low", "neutral")
    assert three.predict(np.zeros((16, 16), np.uint8)).shape == (1, 3)
    assert list(three.confusion_matrix("validation").columns) == list(three.classes)
    assert run.record["data"]["label"] == "synthetic faces, official split, training oversampled"
    assert run.record["other_data"][0]["merged"]["glad"] == ["happy", "surprise"]
    counts = run.record["other_data"][0]["counts"]["train"]
    assert len(set(counts.values())) == 1 and sum(counts.values()) > 70


def test_mapped_and_vectorised_sweeps_agree(config, tmp_path):
    config.train.epochs = 1
    config.model.dropout = 0.0
    mapped = fer_jax.run_sweep(config, tmp_path / "map")
    config.stack.engine = "vmap"
    config.stack.devices = 2
    vectorised = fer_jax.run_sweep(config, tmp_path / "vmap")
    assert vectorised.trials["id"].tolist() == mapped.trials["id"].tolist()
    np.testing.assert_allclose(vectorised.trials["val_loss"], mapped.trials["val_loss"], atol=1e-4)


def test_a_batch_larger_than_the_training_split_is_refused(config, tmp_path):
    config.train.batch_size = 71
    with pytest.raises(ConfigError, match=re.escape("train.batch_size = 71 is more than the 70 training images")):
        fer_jax.run_sweep(config, tmp_path)


def test_options_of_a_trial_reach_its_training_and_its_predictions(config, tmp_path):
    """Normalisation, initial weights and class weights stand in one program.

    A loaded trial predicts what validation was told.
    """
    config.sweep.grid.train.learning_rate = None
    config.sweep.repeats = 1
    config.sweep.each.data.normalize = ("unit", "minmax", "standardize", "symmetric", "none")
    config.sweep.each.model.init = ("he_normal",)
    config.sweep.each.loss.class_weight = (1.0,)
    config.sweep.each.loss.weights = (("happy=3",),)
    config.sweep.each.augment.rotate = (20.0,)
    run = fer_jax.run_sweep(config, tmp_path)
    assert len(run.trials) == 9 and run.trials["stack"].nunique() == 1
    # Built-in faces hold pixels of 0 and of 255: 'minmax' is 'unit'.
    assert run.trials["train_loss"].nunique() == 8
    for identity in run.trials["id"]:
        trial = run.trial(identity)
        counts = trial.confusion_matrix("test").to_numpy()
        assert counts.trace() / counts.sum() == pytest.approx(float(trial.row["test_accuracy"]))


def test_a_run_resumes_with_its_watches_and_schedules(config, tmp_path, stop_after):
    """A run stopped after two epochs and resumed has the tables of one that never stopped.

    Early stopping and plateau are among what is resumed.
    """
    config.train.epochs = 8
    config.train.schedule = "cosine"
    config.train.stop_patience = 2
    config.train.stop_min_delta = 0.5
    config.train.plateau_patience = 1
    straight, curves = tables(fer_jax.run_sweep(config, tmp_path / "straight").path)
    assert straight["epochs"].max() < 8
    stop_after(2)
    with pytest.raises(KeyboardInterrupt):
        fer_jax.run_sweep(config, tmp_path / "stopped")
    stop_after(0)
    resumed, same = tables(fer_jax.run_sweep(config, tmp_path / "stopped").path)
    pd.testing.assert_frame_equal(resumed, straight)
    pd.testing.assert_frame_equal(same, curves)


@pytest.mark.parametrize("engine", ["map", "vmap"])
def test_a_streamed_sweep_gives_the_tables_of_a_resident_one_though_interrupted(
    config, tmp_path, stop_after, monkeypatch, engine
):
    """Five steps an epoch in chunks of three, of two seeds; 35 validation images in two."""
    monkeypatch.setattr(stream, "CHUNK_BYTES", 3 * 2 * 16 * 16 * 16)
    config.data.train_size = 90
    config.model.dropout = 0.3
    config.augment.flip = 0.5
    config.train.epochs = 3
    config.stack.engine = engine
    config.stack.data = "resident"
    whole = tables(fer_jax.run_sweep(config, tmp_path / "whole").path)
    config.stack.data = "stream"
    stop_after(2)
    with pytest.raises(KeyboardInterrupt):
        fer_jax.run_sweep(config, tmp_path / "streamed")
    stop_after(0)
    fer_jax.run_sweep(config, tmp_path / "streamed")
    assert "data streamed" in (tmp_path / "streamed" / "log.txt").read_text()
    # Vectorised, XLA rounds the quotients of validation in either program as it likes.
    exact = {"check_exact": True} if engine == "map" else {"rtol": 1e-6}
    for streamed, expected in zip(tables(tmp_path / "streamed"), whole, strict=True):
        pd.testing.assert_frame_equal(streamed, expected, **exact)


def test_a_weight_for_a_class_that_the_data_do_not_have_is_refused_before_anything_is_written(config, tmp_path):
    config.data.merge = ("positive=happy+surprise",)
    config.loss.weights = ("happy=3",)
    with pytest.raises(ConfigError, match="loss.weights: no class 'happy'; the data have angry, .*positive"):
        fer_jax.run_sweep(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
