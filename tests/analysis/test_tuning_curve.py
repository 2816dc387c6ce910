"""Tuning curves, against every way to pick k points and against bands of known samples."""

import itertools
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from searched_runs import grid, halved

from fer_jax.analysis import cdf_bands, tuning_curve
from fer_jax.analysis.ranking import rank_points


def gather(run):
    return rank_points(run.record, run.trials, run.curves, "a run")


@given(st.lists(st.sampled_from([0.1, 0.25, 0.5, 0.7, 0.71]), min_size=1, max_size=8), st.booleans())
def test_expected_and_median_over_every_way_to_pick(scores, loss):
    table = tuning_curve.of_scores(np.array(scores), "val_loss" if loss else "val_accuracy")
    assert table["points"].tolist() == list(range(1, len(scores) + 1))
    for k in range(1, len(scores) + 1):
        best = [(min if loss else max)(picked) for picked in itertools.combinations(scores, k)]
        row = table.loc[k - 1]
        assert row["expected"] == pytest.approx(statistics.mean(best), abs=1e-12)
        assert row["median"] == (statistics.median_high if loss else statistics.median_low)(best)


def test_the_band_is_the_quantiles_of_bands_of_the_distribution():
    scores = np.random.default_rng(3).random(40)
    table = tuning_curve.of_scores(scores)
    lower, upper = cdf_bands.band(40)
    ascending = np.sort(scores)
    for k in (1, 2, 5, 8, 20, 40):
        row, wanted = table.loc[k - 1], 0.5 ** (1 / k)
        # The share of draws that are no better than y is at most upper[j] from the j-th draw on.
        low = min([0.0] * int(upper[0] >= wanted) + [ascending[j - 1] for j in range(1, 41) if upper[j] >= wanted])
        high = min([1.0] + [ascending[j - 1] for j in range(1, 41) if lower[j] >= wanted])
        assert (row["low95"], row["high95"]) == (low, high)
        assert row["low95"] <= row["median"] <= row["high95"]
    bounded = table["points"][table["bounded"]].max()
    assert table["high95"][bounded - 1] < 1 == table["high95"][bounded] and 0 < bounded < 40


def test_losses_are_mirrored():
    scores = np.random.default_rng(4).random(30)
    gains, losses = tuning_curve.of_scores(scores, "objective"), tuning_curve.of_scores(-scores, "val_loss")
    for one, other in (("expected", "expected"), ("median", "median"), ("high95", "low95")):
        kept = gains["bounded"].to_numpy()
        np.testing.assert_allclose(gains[one][kept], -losses[other][kept])
    assert np.isnan(gains["high95"].iloc[-1]) and losses["low95"].iloc[-1] == 0


def test_many_points_are_thinned_out():
    table = tuning_curve.of_scores(np.linspace(0, 1, 2000))
    assert len(table) < 520 and table["points"].iloc[[0, -1]].tolist() == [1, 2000]
    # Of n equally spaced scores the expected largest of k is k (n + 1) / (k + 1) - 1 steps up.
    k = table["points"].to_numpy()
    np.testing.assert_allclose(table["expected"], (k * 2001 / (k + 1) - 1) / 1999, rtol=1e-8)


def test_points_that_diverged_count_as_the_worst_and_failed_ones_not():
    run = grid()
    run.trials.loc[0, ["status", "val_accuracy"]] = ["diverged", np.nan]
    run.trials.loc[1, ["status", "val_accuracy"]] = ["failed", np.nan]
    found = tuning_curve.of_ranking(gather(run))
    assert len(found.scores) == 14 and (found.lost, found.unknown) == (1, 1)
    rest = run.trials["val_accuracy"].dropna()
    assert found.table["expected"][0] == pytest.approx((rest.sum() + rest.min()) / 14)


def test_reasons_why_there_is_none():
    assert "left at a rung" in tuning_curve.of_ranking(gather(halved(grid(), 1, 3)))
    run = grid()
    run.trials["val_accuracy"] = 0.25
    assert tuning_curve.of_ranking(gather(run)) == "all points have the same score"
    assert tuning_curve.of_ranking(gather(grid(done=0.2))) == "fewer than 5 points have a result"
