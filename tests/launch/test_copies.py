"""Accuracies without copied images, against hashes of pixels, for every way to split."""

import copy
import hashlib
import json
import math
import shutil
import types

import numpy as np
import pytest

import fer_jax
from fer_jax.analysis import fits
from fer_jax.analysis.run_entry import Entry
from fer_jax.data import faces
from fer_jax.errors import DataError, RunError
from fer_jax.reports import (
    answer,
    by_class,
    ensembles,
    head_words,
    run_report,
    run_tables,
    side_by_side,
    text_tables,
    verdict,
)
from fer_jax.results import rankings
from fer_jax.results.best_point import of_best_point

CLASSES = ("angry", "happy", "sad")
SHORT = {"validation": "val", "test": "test"}


def read_as(monkeypatch, copies, usages=(0, 1, 2)):
    """Puts 120 drawn faces in place of what data.path names; `copies` has rows (copy, original)."""
    images = np.array(faces.draw("train", 120, seed=1, size=16)[0])
    for one, original in copies:
        images[one] = images[original]
    made = types.SimpleNamespace(
        images=images, labels=np.resize(np.repeat(np.arange(3, dtype=np.int32), 3), 120), classes=CLASSES,
        usage=np.resize(np.array(usages, np.int8), 120), provenance={"source": "here"},
    )  # fmt: skip
    monkeypatch.setattr("fer_jax.data.reading.source.read", lambda *_, **__: made)


@pytest.fixture(scope="module", autouse=True)
def patched():
    """Sweeps draw no report: tests draw what they look at."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(run_report, "write_report", lambda path: None)
        yield monkeypatch


def verdict_of(run):
    return " ".join(verdict.sentences(rankings.whole(run)))


@pytest.fixture(scope="module")
def small(make_config):
    config = make_config()
    config.data.name, config.data.path = "folder", "somewhere"
    config.model.name, config.model.hidden, config.train.batch_size = "mlp", (8,), 8
    return config


@pytest.fixture(scope="module")
def run(small, patched, tmp_path_factory):
    """Two points of two seeds with a fit each, on an official split with copies in every split.

    Rows 1, 4 and 7 (validation) are 0, 3 and 6 (train), row 2 (test) is 9 (train), row 5 (test) is
    10 (validation); row 8 (test) is 11 (test), which is no leak.
    """
    read_as(patched, [(1, 0), (4, 3), (7, 6), (2, 9), (5, 10), (8, 11)])
    config = copy.deepcopy(small)
    config.head.kind, config.head.layer = "logistic", "dense_0"
    return fer_jax.run_sweep(config, tmp_path_factory.mktemp("copies") / "run")


def without_copies(trial, split, answers):
    """The share of right answers among images whose pixels no earlier image has, by sets."""
    splits = trial.dataset().splits()
    hashes = {name: [hashlib.sha1(image.tobytes()).digest() for image in one.images] for name, one in splits.items()}
    earlier = {one for name in ("train", "validation")[: 1 + (split == "test")] for one in hashes[name]}
    kept = [one not in earlier for one in hashes[split]]
    return float(np.mean((answers(splits[split].images).argmax(axis=1) == splits[split].labels)[kept])), kept


def test_trials_and_fits_have_the_accuracy_without_the_planted_copies(run):
    assert run.record["data"]["leaked"] == {"validation": 3, "test": 2}
    for trial in run.select():
        for split, short in SHORT.items():
            for weights, when in (("best", ""), ("last", "last_")):
                wanted, kept = without_copies(trial, split, lambda images, w=weights: trial.predict(images, w))  # noqa: B023
                assert np.sum(np.logical_not(kept)) == trial.leaked(split).sum() == {"val": 3, "test": 2}[short]
                assert trial.accuracy_without_copies(split, weights) == pytest.approx(wanted, abs=1e-12)
                assert trial.row[f"{when}{short}_accuracy_clean"] == pytest.approx(wanted, abs=1e-12)
                assert trial.accuracy_without_copies(split, weights, path="somewhere") == pytest.approx(
                    wanted, abs=1e-12
                )
            fit = trial.head()
            wanted, _ = without_copies(trial, split, fit.predict)
            assert fit.accuracy_without_copies(split) == fit.row[f"{short}_accuracy_clean"] == pytest.approx(wanted)
            gain = wanted - trial.accuracy_without_copies(split)
            assert fit.row[f"{short}_accuracy_clean_gain"] == pytest.approx(gain, abs=1e-12)
    means = run.trials.groupby("train.learning_rate")["val_accuracy_clean"].mean()
    assert list(run.summary["val_accuracy_clean_mean"]) == pytest.approx(
        list(means[run.summary["train.learning_rate"]])
    )
    assert {"val_accuracy_clean_mean", "test_accuracy_clean_sd"} <= set(run.best_point().index)


def test_what_is_asked_wrongly_is_said(run):
    trial = run.select()[0]
    with pytest.raises(RunError, match="split = 'train'"):
        trial.accuracy_without_copies("train")
    with pytest.raises(RunError, match="weights = 'first'"):
        trial.accuracy_without_copies("test", "first")


def test_every_table_and_sentence_has_both_accuracies(run):
    for name in ("points", "trials", "heads"):
        head = text_tables.markdown(run_tables.make(run, name))
        assert "val. without copies" in head and "test without copies" in head, name
    assert "val. without copies" in text_tables.markdown(run_tables.make(run, "comparisons"))
    page = {column.heading for column in run_tables.make(run, "heads").page}
    assert {"val. without copies", "gain without copies", "95 % of gain without copies"} <= page
    assert "last test without copies" in {column.heading for column in run_tables.make(run, "trials").page}
    ranking, best = rankings.whole(run), run.best_row()
    text = verdict_of(run)
    assert (
        "2 of the 40 test images (5.0%) have an exact copy among those trained or validated on, and 3 of the 40" in text
    )
    assert text.count("an exact copy among those trained or validated on") == 1
    glance = dict(answer.rows(ranking))
    for short, name in (("val", "validation accuracy"), ("test", "test accuracy")):
        clean = f"without copies {best[f'{short}_accuracy_clean_mean']:.3f} ± {best[f'{short}_accuracy_clean_sd']:.3f}"
        assert glance[name].endswith(clean)
    fitted = " ".join(head_words.sentences(fits.rank_heads(run.record, run.heads, "run")))
    assert fitted.count(", without copies ") == 2 and "not recorded" not in fitted
    beside = str(side_by_side.best_points([Entry("run", ranking, {})]))
    assert "val. without copies" in beside and "test without copies" in beside


def test_recall_by_class_and_an_ensemble_leave_copies_out_too(run):
    ranking, best = rankings.whole(run), of_best_point(run, rankings.whole(run))
    kept = ~run.select()[0].leaked("test")
    right = (best.probabilities.argmax(axis=-1) == best.labels)[:, kept].mean(axis=1)
    table = str(by_class.class_table(best))
    assert "recall without copies" in table and f"{right.mean():.3f} ± {right.std(ddof=1):.3f}" in table
    assert "test without copies" in ensembles.sections(run, ranking)[0].content


def test_a_run_of_an_earlier_version_says_why_it_has_none(run, patched, tmp_path):
    """One that kept no predictions, no counts and no such columns; its data are there, then not."""
    path = shutil.copytree(run.path, tmp_path / "old")
    shutil.rmtree(path / "predictions")
    record = json.loads((path / "config.json").read_text())
    del record["data"]["leaked"]
    (path / "config.json").write_text(json.dumps(record))
    for name in ("trials.csv", "heads.csv"):
        table = fer_jax.load_run(run.path).trials if name == "trials.csv" else run.heads
        table.drop(columns=[one for one in table if "clean" in one]).to_csv(path / name, index=False)
    shutil.rmtree(path / ".sealed")
    old = fer_jax.load_run(path)
    for split in SHORT:
        for trial in old.select():
            known = run.trial(trial.id)
            assert trial.accuracy_without_copies(split) == pytest.approx(known.accuracy_without_copies(split))
            assert trial.head().accuracy_without_copies(split) == known.head().accuracy_without_copies(split)
    assert "was not recorded by the version that trained this run" in verdict_of(old)
    ranked = fits.rank_heads(old.record, old.heads, "old")
    assert "were not" not in " ".join(head_words.sentences(ranked))
    for name in ("points", "trials", "heads"):
        assert "without copies" not in text_tables.markdown(run_tables.make(old, name))
    with patched.context() as gone:
        gone.setattr("fer_jax.data.reading.source.read", _no_data)
        alone = fer_jax.load_run(path).select()[0]
        assert math.isnan(alone.accuracy_without_copies("test"))
        assert math.isnan(alone.head().accuracy_without_copies("test"))
        kept = fer_jax.load_run(run.path).select()[0]  # of this version: nothing of the data is needed
        assert kept.accuracy_without_copies("validation") == run.trial(kept.id).row["val_accuracy_clean"]
        assert kept.accuracy_without_copies("test", "last") == run.trial(kept.id).row["last_test_accuracy_clean"]


def _no_data(*_, **__):
    raise DataError("gone")


def test_a_mean_over_folds_has_the_folds_without_copies_too(small, monkeypatch, tmp_path):
    """One pair of copies lies across the first and third of three folds: the second has none."""
    read_as(monkeypatch, [(20, 0)], usages=(0,))
    config = copy.deepcopy(small)
    config.sweep.grid.train.learning_rate = None
    config.data.split, config.data.folds, config.sweep.repeats = "kfold", 3, 2
    run = fer_jax.run_sweep(config, tmp_path / "run")
    trials = run.select()
    wanted = [without_copies(trial, "validation", trial.predict)[0] for trial in trials]
    assert sorted(trial.leaked("validation").sum() for trial in trials) == [0, 1]
    assert [trial.accuracy_without_copies("validation") for trial in trials] == pytest.approx(wanted)
    assert run.summary.loc[0, "val_accuracy_clean_mean"] == pytest.approx(np.mean(wanted))
    assert math.isnan(trials[0].accuracy_without_copies("test"))  # no such split
    said = "0.0% to 2.5% of the validation images of each of 2 folds have an exact copy among those trained on"
    assert said in verdict_of(run)


def test_faces_without_copies_have_no_such_column(trained):
    made = fer_jax.load_run(trained)
    assert "copies" not in verdict_of(made) and "copy" not in verdict_of(made)
    for name in ("points", "trials"):
        assert "without copies" not in text_tables.markdown(run_tables.make(made, name))
    assert made.trials["val_accuracy_clean"].isna().all() and made.metrics["accuracy_clean"].isna().all()
    for split, short in SHORT.items():
        for trial in made.select(status="done"):
            assert trial.accuracy_without_copies(split) == trial.row[f"{short}_accuracy"]
            assert trial.accuracy_without_copies(split, "last") == trial.row[f"last_{short}_accuracy"]
