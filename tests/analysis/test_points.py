"""Points against each other: seed by seed, over the seeds both have, and the best beside all
others.
"""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from fer_jax.analysis import points, significance, statistics
from fer_jax.analysis.answers import Answers
from fer_jax.analysis.ranking import rank_points
from fer_jax.reports import verdict

SWEPT = ["train.l2"]


def trials_of(values, statuses=None):
    """A row a point and seed from an array (points, seeds)."""
    rows = [
        {
            "id": f"{point}-{seed}",
            "status": "done",
            "train.l2": float(point),
            "seed": seed,
            "repeat": seed,
            "val_accuracy": value,
        }
        for point, row in enumerate(values)
        for seed, value in enumerate(row)
        if np.isfinite(value)
    ]
    return pd.DataFrame(rows)


def noisy(n_points, seeds, spread=0.01):
    """Points of falling skill; what a seed does to all of them alike is larger than what tells them
    apart.
    """
    rng = np.random.default_rng(n_points)
    return (
        0.7
        - 0.02 * np.arange(n_points)[:, None]
        + rng.normal(0, 0.03, seeds)
        + rng.normal(0, spread, (n_points, seeds))
    )


def test_two_points_agree_with_scipy():
    a, b = noisy(2, 7)
    found = points.compare("val_accuracy", ("a", "b"), (dict(enumerate(a)), dict(enumerate(b))))
    assert found.paired.p == pytest.approx(scipy.stats.ttest_rel(a, b).pvalue) and found.told_apart
    assert found.welch == pytest.approx(scipy.stats.ttest_ind(a, b, equal_var=False).pvalue) and found.welch > 0.05
    assert found.wilcoxon == pytest.approx(scipy.stats.wilcoxon(a - b).pvalue)
    assert "Over 7 seeds in common" in found.words and "a is better" in found.words and "McNemar" not in found.words
    lower = points.compare("val_loss", ("a", "b"), (dict(enumerate(a)), dict(enumerate(b))))
    assert "b is better" in lower.words


def test_only_common_seeds_are_paired():
    found = points.compare(
        "val_accuracy", ("a", "b"), ({0: 0.5, 1: 0.6, 2: 0.9}, {1: 0.5, 2: 0.7, 5: 0.1, 6: float("nan")})
    )
    assert (found.n_a, found.n_b, found.paired.pairs) == (3, 3, 2) and found.paired.mean == pytest.approx(0.15)
    assert np.isnan(found.wilcoxon) and "Wilcoxon" not in str(found)


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ({0: 0.5}, {0: 0.4}, "One seed in common, difference +0.1000: nothing can be told apart"),
        ({0: 0.5}, {1: 0.4}, "no done seed in common"),
        ({0: 0.5, 1: 0.6}, {0: 0.4, 1: 0.5}, "In all 2 seeds in common the difference is +0.1000: there is no spread"),
    ],
)
def test_what_cannot_be_said_is_not(a, b, words):
    found = points.compare("val_accuracy", ("a", "b"), (a, b))
    assert words in found.words and not found.told_apart


def test_folds_get_the_corrected_test_alone():
    a, b = noisy(2, 7)
    sides = (dict(enumerate(a)), dict(enumerate(b)))
    found = points.compare("val_accuracy", ("a", "b"), sides, overlap=1 / 6, unit="fold", units="folds")
    assert found.paired == significance.paired_t(a - b, overlap=1 / 6) and found.unit == "fold"
    assert np.isnan([found.welch, found.wilcoxon]).all() and "corrected for overlapping folds" in found.words


def test_best_beside_all_others():
    values = noisy(4, 5)
    ranked = [0, *(1 + np.argsort(-values[1:].mean(axis=1)))]
    table = points.against_best(trials_of(values), SWEPT, "val_accuracy", ranked)
    assert table["point"].tolist() == ranked
    p = [scipy.stats.ttest_rel(values[0], row).pvalue for row in values[1:]]
    by_point = table.set_index("point")
    np.testing.assert_allclose(by_point.loc[[1, 2, 3], "p"], p)
    np.testing.assert_allclose(by_point.loc[[1, 2, 3], "p_holm"], significance.holm(p))
    assert by_point["tied"].to_dict() == {0: True, **{i + 1: q > 0.05 for i, q in enumerate(significance.holm(p))}}
    assert not by_point["tied"][3]
    low, high = statistics.interval(values[2].mean(), scipy.stats.sem(values[2]), 5)
    assert tuple(by_point.loc[2, ["low95", "high95"]]) == pytest.approx((low, high))
    assert by_point.loc[2, "difference"] == pytest.approx(values[2].mean() - values[0].mean())


def test_points_of_unequal_seeds_and_without_done_trials():
    values = noisy(4, 6)
    values[1, 3:] = values[2, 1:] = np.nan
    trials = trials_of(values)
    trials.loc[trials["train.l2"] == 3, "status"] = "diverged"
    table = points.against_best(trials, SWEPT, "val_accuracy", [0, 1, 2]).set_index("point")
    assert sorted(table.index) == [0, 1, 2] and table["pairs"].to_dict() == {0: 6, 1: 3, 2: 1}
    assert np.isnan(table.loc[2, "p"]) and table.loc[2, "tied"] and table.loc[1, "p"] == table.loc[1, "p_holm"]
    among = points.against_best(trials, SWEPT, "val_accuracy", [0, 2], among=np.array([True, False, True, True]))
    assert among["point"].tolist() == [0, 2]


def test_one_seed_without_predictions_tells_nothing_apart():
    table = points.against_best(trials_of(noisy(3, 1)), SWEPT, "val_accuracy", [0, 1, 2])
    assert table["tied"].all() and table["test"].eq("").all() and "only_best" not in table


def one_network_each(right, images="these"):
    """Trials of one seed and what each answers to ten pictures of class 1: rightly where True."""
    right = np.array(right, bool)
    found = {
        f"{point}-0": Answers(row.astype(int), np.ones(row.size, int), ("no", "yes"), images)
        for point, row in enumerate(right)
    }
    return trials_of(right.mean(axis=1, keepdims=True)), found


def test_one_seed_is_compared_picture_by_picture():
    """Against 9 of 10 right, by hand: 9 wrong where it is right has mid-p 1 / 2^9, twice as tied to
    Holm; 1 and 2 right alone mid-p 2 (1 + 3) / 8 - 3 / 8 = 5 / 8.
    """
    trials, found = one_network_each([[1] * 9 + [0], [0] * 10, [0] * 2 + [1] * 8])
    table = points.against_best(trials, SWEPT, "val_accuracy", [0, 2, 1], answers=found).set_index("point")
    assert table["only_best"].to_dict() == {0: 0, 2: 2, 1: 9} and table["only_point"].to_dict() == {0: 0, 2: 1, 1: 0}
    assert np.isnan(table.loc[0, "p"]) and table.loc[[1, 2], "p"].tolist() == pytest.approx([1 / 2**9, 5 / 8])
    assert table.loc[[1, 2], "p_holm"].tolist() == pytest.approx([2 / 2**9, 5 / 8])
    assert table["tied"].to_dict() == {0: True, 2: True, 1: False} and table["pictures"].eq(10).all()
    assert table["test"].to_dict() == {0: "", 2: points.MCNEMAR, 1: points.MCNEMAR}
    assert table["difference"].to_dict() == pytest.approx({0: 0, 2: -0.1, 1: -0.9})


def test_other_pictures_and_lost_predictions_are_not_compared():
    trials, found = one_network_each([[1] * 9 + [0], [0] * 10, [0] * 10, [0] * 10])
    found["1-0"] = one_network_each([[0] * 10], images="those")[1]["0-0"]
    del found["2-0"]
    table = points.against_best(trials, SWEPT, "val_accuracy", [0, 1, 2, 3], answers=found).set_index("point")
    assert table["tied"].to_dict() == {0: True, 1: True, 2: True, 3: False}
    assert table.loc[3, "p_holm"] == table.loc[3, "p"] == pytest.approx(1 / 2**9)
    del found["0-0"]
    assert points.against_best(trials, SWEPT, "val_accuracy", [0, 1, 2, 3], answers=found)["tied"].all()


def test_single_networks_are_not_compared_by_losses_or_beside_repeats():
    trials, found = one_network_each([[1] * 9 + [0], [0] * 10])
    assert points.why_untested(trials, SWEPT, "val_accuracy", found) == ""
    assert "val_loss" in points.why_untested(trials, SWEPT, "val_loss", found)
    assert "no predictions" in points.why_untested(trials, SWEPT, "val_accuracy", {})
    repeated = pd.concat([trials, trials.assign(seed=1, id=["0-1", "1-1"])], ignore_index=True)
    assert "seed by seed" in points.why_untested(repeated, SWEPT, "val_accuracy", found)
    assert "only_best" not in points.against_best(repeated, SWEPT, "val_accuracy", [0, 1], answers=found)


RATES = {"train.learning_rate": (1e-4, 1e-3, 1e-2)}


def test_the_verdict_names_the_ties(made):
    run = made(RATES, repeats=3, accidents=False)
    run.trials["val_accuracy"] = [0.50, 0.52, 0.53, 0.51, 0.50, 0.53, 0.10, 0.13, 0.11]
    found = rank_points(run.record, run.trials, run.curves, "a run")
    assert found.against_best["tied"].tolist() == [True, True, False]
    text = " ".join(verdict.sentences(found))
    assert (
        "cannot be told apart from 1 of 2 other points (paired t over seeds, 5 %, Holm): learning rate 1e-4" not in text
    )
    assert "cannot be told apart from 1 of 2 other points (paired t over seeds, 5 %, Holm): learning rate 1e-3." in text


def test_chosen_points_rank_first_and_are_summed_up_over_the_other_seeds(made):
    """A point of two lucky seeds does not overtake one that got four."""
    run = made(RATES, repeats=4, accidents=False)
    run.trials["val_accuracy"] = [0.50, 0.52, 0.90, 0.92, 0.60, 0.61, 0.41, 0.42, 0.55, 0.53, 0.3, 0.3]
    run.trials = run.trials[(run.trials["repeat"] < 2) | (run.trials["train.learning_rate"] == 1e-3)].reset_index(
        drop=True
    )
    run.record["config"]["sweep"] = {"best": 1, "best_repeats": 4, "chosen": [{"train.learning_rate": 1e-3}]}
    run.record["chosen"] = {"metric": "val_accuracy", "repeats": 2, "points": 3}
    found = rank_points(run.record, run.trials, run.curves, "a run")
    assert found.ranked["train.learning_rate"].tolist() == [1e-3, 1e-2, 1e-4]
    new = statistics.unbiased(run.trials, ["train.learning_rate"], run.record)
    assert new["n"].tolist() == [2] and new["val_accuracy_mean"][0] == pytest.approx(0.415)
    text = " ".join(verdict.sentences(found))
    assert "Its first 2 seeds chose it among 3 points" in text and "0.415 ± 0.007" in text
    run.record["chosen"]["repeats"] = 1
    text = " ".join(verdict.sentences(rank_points(run.record, run.trials, run.curves, "a run")))
    assert "Its first seed chose it among 3 points, which flatters it" in text
    assert "2 to 4 seeds a point" in found.scope
    del run.record["config"]["sweep"], run.record["chosen"]
    assert not len(statistics.unbiased(run.trials, ["train.learning_rate"], run.record))


def test_a_thousand_points_take_no_time(made):
    values = np.random.default_rng(0).normal(0.6, 0.02, (1000, 5))
    trials = trials_of(values)
    table = points.against_best(trials, SWEPT, "val_accuracy", np.argsort(-values.mean(axis=1)))
    assert len(table) == 1000 and (table["p_holm"].dropna() >= table["p"].dropna()).all()
