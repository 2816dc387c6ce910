"""Rows of heads: under the weights that each was fitted on, beside its own network."""

import dataclasses
import math

import pytest
from small_studies import CONFIG

import fer_jax
from fer_jax.errors import ConfigError
from fer_jax.reports import run_report
from fer_jax.studies import rows as study_rows
from fer_jax.studies import sweeps
from fer_jax.studies.paper import Published

HEADED = """
    config.head.kind, config.head.layer, config.head.rounds = "xgboost", "dense_0", 2
    config.sweep.grid.head.weights = ("best", "last")
    config.sweep.repeats, config.train.learning_rate = 2, 3e-2
    config.sweep.each.train.learning_rate = None
    return config
"""
STUDY = """
from fer_jax.data.names import CLASSES
from fer_jax.studies.paper import Conditions, Experiment, Published, Study

SAME = Conditions("synthetic", "official", CLASSES, epochs=3)
GAIN = Published("val_relative_gain", -0.0192, digits=4)
STUDY = Study("headed", "A tiny paper on heads", (
    Experiment("on the last", "configs/headed.py", (GAIN, Published("test_accuracy", .5)), SAME,
               point={"head.weights": "last"}),
    Experiment("on the chosen", "configs/headed.py", (), SAME, point={"head.weights": "best"}),
))
"""


@pytest.fixture(scope="module")
def headed(tmp_path_factory):
    root = tmp_path_factory.mktemp("headed")
    for name, text in (("configs", CONFIG.replace("    return config\n", HEADED)), ("sweeps", STUDY)):
        (root / name).mkdir()
        (root / name / "headed.py").write_text(text)
    file = str(root / "sweeps" / "headed.py")
    (sweep,) = sweeps.sweeps(sweeps.read_study(file).experiments, file, "full")
    config = sweeps.load(sweep, {}, root / "work", "full").config
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_report, "write_report", lambda path: None)
        fer_jax.run_sweep(config, root / "work" / sweep.folder)
    return file, root / "work"


@pytest.fixture(scope="module")
def rows(headed):
    file, workdir = headed
    found = gathered(sweeps.read_study(file).experiments, file, workdir)
    return {(row.experiment, row.published.metric): row for row in found}


def gathered(experiments, file, workdir):
    (sweep,) = sweeps.sweeps(experiments, file, "full")
    rows, _ = study_rows.gather(sweep, file, workdir, "full")
    return rows


def test_a_heads_gain_is_always_shown_and_its_network_beside_its_accuracy(rows):
    assert list(rows) == [
        ("on the last", "val_relative_gain"),
        ("on the last", "test_accuracy"),
        ("on the chosen", "val_accuracy"),
        ("on the chosen", "val_relative_gain"),
    ]
    assert rows["on the last", "val_relative_gain"].verdict
    assert "no figure published" in rows["on the chosen", "val_relative_gain"].why_none
    assert [bool(row.network) for row in rows.values()] == [False, True, True, False]


def test_a_gain_is_of_each_trial_over_its_network_at_the_same_weights(rows):
    trials = fer_jax.load_run(rows["on the last", "val_relative_gain"].run).select()
    assert any(trial.row["best_epoch"] < trial.row["epochs"] for trial in trials)
    for experiment, weights, ours, other in (
        ("on the last", "last", "last", "chosen"),
        ("on the chosen", "best", "chosen", "last"),
    ):
        gain = rows[experiment, "val_relative_gain"]
        for number, trial in enumerate(trials):
            own = accuracy(trial.predict, trial.dataset().validation, weights=weights)
            head = accuracy(trial.head(weights=weights).predict, trial.dataset().validation)
            assert getattr(gain, ours)[number] == pytest.approx((head - own) / own, abs=1e-5)
        assert gain.published.weights == weights and all(math.isnan(value) for value in getattr(gain, other))
    for number, trial in enumerate(trials):
        beside = rows["on the last", "test_accuracy"].network[number]
        assert beside == pytest.approx(accuracy(trial.predict, trial.dataset().test, weights="last"), abs=1e-6)


def accuracy(predict, split, **which):
    return (predict(split.images, **which).argmax(axis=1) == split.labels).mean()


def test_a_gain_without_a_head_is_said_to_be_none(headed):
    file, workdir = headed
    first = sweeps.read_study(file).experiments[0]

    def rows_of(metric, **more):
        return gathered([dataclasses.replace(first, published=(Published(metric, 0.1),), **more)], file, workdir)

    (row,) = rows_of("val_relative_gain", point={})
    assert "relative_gain is of a head: name a head field in the experiment's point" in row.why_none
    with pytest.raises(ConfigError, match="metric 'train_relative_gain': must be .* of a head also 'val_' or 'test_'"):
        rows_of("train_relative_gain")
