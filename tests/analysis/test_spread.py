"""The spread that each source of chance causes, with its interval."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from fer_jax.analysis import spread, statistics, varied


def table(values, statuses=None):
    return pd.DataFrame({"status": statuses or ["done"] * len(values), "val_accuracy": values})


def test_the_interval_is_that_of_chi_square():
    for n, level in ((2, 0.95), (5, 0.95), (30, 0.9)):
        low, high = spread.sd_interval(0.02, n, level)
        for end, p in ((low, (1 + level) / 2), (high, (1 - level) / 2)):
            assert end == pytest.approx(0.02 * np.sqrt((n - 1) / scipy.stats.chi2.ppf(p, n - 1)))
    low, high = spread.sd_interval(1.0, 5)
    assert (round(low, 1), round(high, 1)) == (0.6, 2.9)  # as the docstring says


def test_the_interval_covers_the_true_sd_as_often_as_it_says():
    samples = np.random.default_rng(0).normal(0, 0.3, (2000, 4)).std(axis=1, ddof=1)
    ends = np.array([spread.sd_interval(sd, 4) for sd in samples])
    assert np.mean((ends[:, 0] <= 0.3) & (ends[:, 1] >= 0.3)) == pytest.approx(0.95, abs=0.015)


def test_sources_come_in_order_with_what_they_stand_on():
    values = [0.5, 0.7, 0.6, 0.9]
    tables = {
        "split": table([0.5, 0.5, 0.5]),
        "all": table([*values, np.nan, 0.1], ["done"] * 5 + ["diverged"]),
        "dropout": table([0.4]),
        "order": table([]),
    }
    found = spread.components(tables, "val_accuracy").set_index("source")
    assert list(found.index) == ["all", "order", "dropout", "split"] and found["n"].tolist() == [4, 0, 1, 3]
    row = found.loc["all"]
    assert row["mean"] == pytest.approx(0.675) and row["sd"] == pytest.approx(np.std(values, ddof=1))
    assert (row["low95"], row["high95"]) == spread.sd_interval(row["sd"], 4)
    assert np.isnan(found.loc["dropout", ["sd", "low95", "high95"]].astype(float)).all()
    assert np.isnan(found.loc["order", "mean"])
    assert found.loc["split", "sd"] == 0 and np.isnan(found.loc["split", "low95"])
    with pytest.raises(ValueError, match="'moon'"):
        spread.components({"moon": table(values)}, "val_accuracy")


@pytest.mark.parametrize(
    ("of", "split", "unit", "units", "overlap"),
    [
        ("all", "official", "seed", "seeds", 0),
        ("weights", "official", "seed", "seeds of the initial weights", 0),
        ("all", "kfold", "fold", "folds", 1 / 4),
        ("split", "stratified_80_10_10", "split", "splits", 1 / 8),
        ("split", "stratified_70_20_10", "split", "splits", 2 / 7),
        ("all", "stratified_80_10_10", "seed", "seeds", 0),
        ("split", "kaggle_eighth", "split", "splits", 1 / 7),
        ("everything", "stratified_80_10_10", "seed", "seeds of training and the split", 1 / 8),
        ("everything", "kaggle_eighth_mixed", "seed", "seeds of training and the split", 1 / 7),
    ],
)
def test_words_and_overlap_of_repeats(of, split, unit, units, overlap):
    config = {"data.name": "folder", "data.split": split, "data.folds": 5, "sweep": {"seeds_of": of}}
    assert (varied.unit(config), varied.units(config)) == (unit, units)
    assert statistics.fold_overlap(config) == pytest.approx(overlap)
    assert bool(varied.caution(config)) == (of != "all")
    if of in ("split", "everything"):  # other faces, which have no image in common
        assert statistics.fold_overlap({**config, "data.name": "synthetic"}) == 0
