"""Scores of fits over repeats, with the numbers worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from fer_jax.analysis import fits

NAN = np.nan


def table(rows):
    """heads.csv: every head column is there, empty where it does not count."""
    blank = {
        "head.kind": "",
        "head.layer": "",
        "head.weights": "best",
        "head.max_depth": NAN,
        "head.C": NAN,
        "status": "done",
    }
    blank |= {"features": 4, "threads": 1, "error": ""}
    full = [
        {"fit": f"f{number}", "id": f"t{number}", "seed": 0, "repeat": 0, **blank, **row}
        for number, row in enumerate(rows)
    ]
    return pd.DataFrame(full)


def boosted(depth, repeat, accuracy, gain, **more):
    row = {"head.kind": "xgboost", "head.layer": "flatten", "head.max_depth": depth, "repeat": repeat, "seed": repeat}
    return row | {"val_accuracy": accuracy, "val_accuracy_gain": gain, "val_loss": 1.0, "rounds": 10} | more


FITS = table(
    [
        boosted(2, 0, 0.50, 0.01),
        boosted(2, 1, 0.60, 0.04),
        boosted(2, 2, 0.70, 0.10),
        boosted(6, 0, 0.55, 0.02),
        boosted(6, 1, 0.45, -0.02),
        boosted(6, 2, NAN, NAN, status="failed"),
        {"head.kind": "svm", "head.layer": "flatten", "head.C": 1.0, "val_accuracy": 0.4, "val_accuracy_gain": -0.1},
    ]
)


def test_gains_are_averaged_over_the_repeats_of_a_head_setting():
    deep, deeper, machine = fits.summarise(FITS, []).to_dict("records")
    assert [row["n"] for row in (deep, deeper, machine)] == [3, 2, 1]
    assert deep["val_accuracy_gain_mean"] == pytest.approx(0.05)
    assert deep["val_accuracy_gain_sd"] == pytest.approx(np.sqrt((0.04**2 + 0.01**2 + 0.05**2) / 2))
    assert deep["val_accuracy_gain_min"] == 0.01 and deep["val_accuracy_gain_max"] == 0.10
    assert deep["val_accuracy_mean"] == pytest.approx(0.6) and deep["val_accuracy_sd"] == pytest.approx(0.1)
    assert deeper["val_accuracy_gain_mean"] == pytest.approx(0) and deeper["left_out"] == "1 failed"
    assert deeper["val_accuracy_gain_sd"] == pytest.approx(0.02 * 2**0.5)
    assert machine["val_accuracy_gain_mean"] == -0.1 and np.isnan(machine["val_accuracy_gain_sd"])


def test_the_spread_of_the_gains_is_that_of_paired_differences():
    """Networks that differ much and gain all the same: the accuracies spread, the gains do not."""
    pairs = table([boosted(2, repeat, accuracy, 0.02) for repeat, accuracy in enumerate((0.3, 0.5, 0.7))])
    (row,) = fits.summarise(pairs, []).to_dict("records")
    assert row["val_accuracy_sd"] == pytest.approx(0.2) and row["val_accuracy_gain_sd"] == pytest.approx(0, abs=1e-12)


def test_a_summary_has_the_settings_and_the_measured_scores_only():
    found = fits.summarise(FITS, [])
    assert [name for name in found if name.startswith("head.")] == fits.head_columns(FITS)
    assert found["head.max_depth"].tolist()[:2] == [2, 6] and np.isnan(found["head.max_depth"][2])
    measured = {name.rsplit("_", 1)[0] for name in found if name.endswith("_mean")}
    assert measured == {
        "val_accuracy",
        "val_loss",
        "val_accuracy_gain",
        "rounds",
    }  # no test split, and seconds were not kept
    assert np.isnan(found["val_loss_mean"][2])  # an SVM has no loss


def test_points_of_trials_are_not_averaged_together():
    two = pd.concat([FITS.assign(**{"train.l2": 0.0}), FITS.assign(**{"train.l2": 0.1})], ignore_index=True)
    assert fits.summarise(two, ["train.l2"])["n"].tolist() == [3, 2, 1] * 2
    assert fits.summarise(two, [])["n"].tolist() == [6, 4, 2]


def record(**more):
    return {"config": {"train.select": "val_accuracy"}, **more}


def test_what_varies_among_the_fits_is_swept():
    gathered = fits.rank_heads(record(), FITS, "a run")
    assert gathered.swept == ["head.kind", "head.max_depth"]
    boosters = fits.rank_heads(record(swept=[]), FITS[FITS["head.kind"] == "xgboost"].reset_index(drop=True), "a run")
    assert boosters.swept == ["head.max_depth"]
    assert boosters.points["total"].tolist() == [3, 3] and boosters.points["n"].tolist() == [3, 2]
    assert boosters.points["rank"].tolist() == [1, 2]


def test_what_was_swept_among_the_trials_stays_swept_and_comes_first():
    two = pd.concat([FITS.assign(**{"train.l2": 0.0}), FITS.assign(**{"train.l2": 0.1})], ignore_index=True)
    gathered = fits.rank_heads(record(swept=["train.l2"]), two, "a run")
    assert gathered.swept == ["train.l2", "head.kind", "head.max_depth"]
    assert len(gathered.points) == 6 and gathered.record["swept"] == gathered.swept


def test_one_head_setting_varies_in_nothing():
    gathered = fits.rank_heads(record(), FITS[:3], "a run")
    assert gathered.swept == [] and len(gathered.points) == 1
    assert gathered.points["val_accuracy_mean"][0] == pytest.approx(0.6)


def test_numbers_of_features_and_threads_are_no_scores():
    gathered = fits.rank_heads(record(), FITS, "a run")
    assert not [name for name in gathered.points if name.startswith(("features", "threads"))]
    assert "val_accuracy_gain_mean" in gathered.points
