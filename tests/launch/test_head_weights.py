"""Heads on the features of the chosen weights and of the last epoch's: each on its own."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

import fer_jax
from fer_jax import heads
from fer_jax.analysis import fits
from fer_jax.heads import Features
from fer_jax.launch import wave
from fer_jax.reports import head_words, run_report, run_tables


def headed(config):
    """Two trials whose best epoch is not the last one."""
    config.train.epochs = 4
    config.train.learning_rate = 0.03
    config.sweep.grid.train.learning_rate = None
    config.head.kind = "xgboost"
    config.head.layer = "dense_0"
    config.head.rounds = 3
    return config


@pytest.fixture(scope="module")
def earlier(tmp_path_factory, make_config):
    """A run with heads on the chosen weights, as it was before there was a choice."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_report, "write_report", lambda path: None)
        path = tmp_path_factory.mktemp("earlier")
        fer_jax.run_sweep(headed(make_config()), path)
    table = pd.read_csv(path / "heads.csv", dtype=str, keep_default_na=False)
    shutil.rmtree(path / ".sealed")
    table.drop(columns="head.weights").to_csv(path / "heads.csv", index=False)
    for seal in (path / "features").glob("*.json"):
        record = json.loads(seal.read_text())
        del record["weights"]
        seal.write_text(json.dumps(record))
    return path


@pytest.fixture(scope="module")
def both(earlier, tmp_path_factory, make_config):
    """That run gone on with heads on either weights."""
    path = tmp_path_factory.mktemp("both") / "run"
    shutil.copytree(earlier, path)
    config = headed(make_config())
    config.sweep.grid.head.weights = ("last", "best")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wave, "train", lambda *_: pytest.fail("a head made a network train"))
        return fer_jax.run_sweep(config, path)


def test_fits_of_before_there_was_a_choice_are_on_the_chosen_weights(earlier, both):
    old = fer_jax.load_run(earlier)
    assert (old.heads["head.weights"] == "best").all() and (old.heads_summary["head.weights"] == "best").all()
    trial = old.trial(old.heads["id"][0])
    images, labels = trial.dataset().validation.images, trial.dataset().validation.labels
    fit = trial.head(weights="best")
    assert np.mean(fit.predict(images).argmax(axis=1) == labels) == fit.row["val_accuracy"]
    again = both.heads[both.heads["head.weights"] == "best"].reset_index(drop=True)
    pd.testing.assert_frame_equal(again[old.heads.columns], old.heads)  # seconds too: nothing was fitted again


def test_a_head_on_the_last_weights_is_fitted_asked_and_compared_there(both):
    assert (both.trials["best_epoch"] < both.trials["epochs"]).all()
    table = both.heads[both.heads["head.weights"] == "last"]
    assert len(table) == len(both.trials) == 2 and (table["status"] == "done").all()
    for _, row in table.iterrows():
        trial = both.trial(row["id"])
        splits = trial.dataset().splits()
        last = {name: trial.features(split.images, "dense_0", "last") for name, split in splits.items()}
        best = trial.features(splits["validation"].images, "dense_0")
        assert not np.array_equal(last["validation"], best)
        np.testing.assert_array_equal(both.directory.features.read(trial.id, "dense_0", "last")["test"], last["test"])
        fit = trial.head(weights="last")
        labels = {name: split.labels for name, split in splits.items()}
        anew = heads.fit(fit.settings, Features(last, labels, len(trial.classes)), trial.config.train.seed)
        for short, split in (("val", "validation"), ("test", "test")):
            found = fit.predict(splits[split].images)
            np.testing.assert_array_equal(found, anew.probabilities(last[split]))
            accuracy = np.mean(found.argmax(axis=1) == labels[split])
            network = np.mean(trial.predict(splits[split].images, weights="last").argmax(axis=1) == labels[split])
            assert row[f"{short}_accuracy"] == accuracy
            assert row[f"{short}_accuracy_gain"] == pytest.approx(accuracy - network, abs=1e-6)


def test_words_and_table_say_which_weights(both, earlier):
    ranked = [fits.rank_heads(run.record, run.heads, "a run") for run in (both, fer_jax.load_run(earlier))]
    (either, *_), (chosen, *_) = (head_words.sentences(ranking) for ranking in ranked)
    assert ", at the weights that validation chose or the weights of the last epoch, without dropout" in either
    assert ", at the weights that validation chose, without dropout" in chosen
    table = run_tables.heads(ranked[0])
    assert "at the same weights" in table.caption
    assert set(table.frame["head.weights"]) == {"best", "last"}


def test_neighbours_are_those_of_the_weights_meant(make_config, tmp_path, monkeypatch):
    monkeypatch.setattr(run_report, "write_report", lambda path: None)
    config = headed(make_config())
    config.head.kind, config.sweep.repeats = "neighbors", 1
    config.sweep.grid.head.weights = ("best", "last")
    run = fer_jax.run_sweep(config, tmp_path)
    trial = run.trial(run.trials["id"][0])
    test = trial.dataset().test
    for weights in ("best", "last"):
        fit = trial.head(weights=weights)
        assert np.mean(fit.predict(test.images).argmax(axis=1) == test.labels) == fit.row["test_accuracy"]
    assert trial.head(weights="best").row["val_loss"] != trial.head(weights="last").row["val_loss"]
