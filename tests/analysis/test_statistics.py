"""Statistics over repeats against numpy, pandas and scipy; who enters a mean and who is named as
left out.
"""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_jax.analysis import statistics

STATUSES = ("done", "done", "done", "diverged", "failed", "pending")


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_means_and_spreads_agree_with_numpy_over_done_trials(data):
    size = data.draw(st.integers(1, 30))
    column = st.lists
    trials = pd.DataFrame(
        {
            "status": data.draw(column(st.sampled_from(STATUSES), min_size=size, max_size=size)),
            "train.l2": data.draw(column(st.sampled_from([0.0, 1e-5, 1e-3]), min_size=size, max_size=size)),
            "model.kernels": data.draw(column(st.sampled_from([(8,), (8, 16)]), min_size=size, max_size=size)),
            "val_loss": data.draw(column(st.floats(-1e6, 1e6), min_size=size, max_size=size)),
            "seed": range(size),
        }
    )
    table = statistics.summarise(trials, ["train.l2", "model.kernels"])
    assert not table.duplicated(["train.l2", "model.kernels"]).any()
    assert [name for name in table if "_" in name and name != "left_out"] == [
        f"val_loss_{name}" for name in statistics.STATISTICS
    ]
    for _, row in table.iterrows():
        same = (trials["train.l2"] == row["train.l2"]) & (trials["model.kernels"] == row["model.kernels"])
        values = trials.loc[same & (trials["status"] == "done"), "val_loss"].to_numpy()
        assert row["n"] == len(values)
        left_out = sum(int(part.split()[0]) for part in row["left_out"].split(", ") if part)
        assert left_out == same.sum() - len(values)
        got = [row[f"val_loss_{name}"] for name in statistics.STATISTICS]
        if not len(values):
            assert np.isnan(got).all()
            continue
        spread = [np.nan] * 3
        if len(values) > 1:
            spread = [values.std(ddof=1), values.var(ddof=1), scipy.stats.sem(values)]
        ends = [np.nan] * 2
        if len(values) > 1:
            half = scipy.stats.t.ppf(0.975, len(values) - 1) * spread[2]
            ends = [values.mean() - half, values.mean() + half]
        wanted = [values.mean(), spread[0], spread[1], values.min(), values.max(), spread[2], *ends]
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)


def test_one_trial_has_a_mean_but_no_spread():
    row = statistics.summarise(pd.DataFrame({"status": ["done"], "seed": [0], "val_accuracy": [0.7]}), []).iloc[0]
    assert row["n"] == 1 and row["val_accuracy_mean"] == row["val_accuracy_min"] == 0.7
    assert all(np.isnan(row[f"val_accuracy_{name}"]) for name in ("sd", "variance", "sem"))


def test_a_metric_missing_in_one_trial_has_no_mean_rather_than_one_of_another_n():
    trials = pd.DataFrame({"status": ["done"] * 2, "val_accuracy": [0.5, 0.7], "test_accuracy": [0.5, np.nan]})
    row = statistics.summarise(trials, []).iloc[0]
    assert row["n"] == 2 and row["val_accuracy_mean"] == pytest.approx(0.6) and np.isnan(row["test_accuracy_mean"])


def test_no_trial_at_all_gives_an_empty_table():
    table = statistics.summarise(pd.DataFrame(columns=["id", "status", "train.l2", "val_loss"]), ["train.l2"])
    assert len(table) == 0 and {"train.l2", "n", "left_out"} <= set(table)


@pytest.mark.parametrize("n", [2, 3, 5, 30])
def test_interval_is_students(n):
    sample = np.random.default_rng(n).normal(0.6, 0.02, n)
    sem = scipy.stats.sem(sample)
    wanted = scipy.stats.t.interval(0.95, n - 1, sample.mean(), sem)
    assert statistics.interval(sample.mean(), sem, n) == pytest.approx(wanted)


def test_no_interval_from_one_trial():
    assert np.isnan(statistics.interval(0.6, np.nan, 1)).all()


def test_share_error_is_the_binomial_one():
    assert statistics.share_error(0.3, 500) == pytest.approx(scipy.stats.binom(500, 0.3).std() / 500)


def test_statuses_are_counted_in_words():
    assert statistics.count_words(["failed", "diverged", "diverged", "done"]) == "1 done, 2 diverged, 1 failed"
    assert statistics.count_words([]) == ""
