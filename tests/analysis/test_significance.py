"""Tests of difference against scipy and published examples, and what they say where nothing can be
said.
"""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_jax.analysis import significance, statistics


@pytest.mark.parametrize("n", [2, 3, 5, 12])
def test_paired_t_is_scipys(n):
    a, b = np.random.default_rng(n).normal((0.61, 0.60), 0.01, (n, 2)).T
    found, wanted = significance.paired_t(a - b), scipy.stats.ttest_rel(a, b)
    assert found.pairs == n and found.mean == pytest.approx((a - b).mean()) and found.p == pytest.approx(wanted.pvalue)
    interval = wanted.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_rows_are_tested_each_over_the_pairs_it_has():
    rows = np.random.default_rng(1).normal(0.01, 0.02, (40, 6))
    rows[np.random.default_rng(2).random(rows.shape) < 0.3] = np.nan
    count, mean, half, p = significance.paired_t_rows(rows)
    for row, *got in zip(rows, count, mean, half, p, strict=True):
        alone = significance.paired_t(row[np.isfinite(row)])
        np.testing.assert_allclose([*got], [alone.pairs, alone.mean, alone.high - alone.mean, alone.p], rtol=1e-12)


def test_without_a_spread_there_is_nothing_to_judge_by():
    assert significance.paired_t(np.zeros(4)).p == 1
    assert np.isnan(significance.paired_t(np.full(4, 0.1)).p) and np.isnan(
        significance.paired_t(np.array([0.3, 0.3, 0.3]) - 0.2).p
    )
    alone = significance.paired_t(np.array([0.02, np.nan]))
    assert alone.pairs == 1 and alone.mean == 0.02 and np.isnan([alone.low, alone.high, alone.p]).all()
    assert significance.paired_t(np.array([np.nan])).pairs == 0


def test_the_same_number_of_pictures_is_no_spread_and_a_tie():
    """Accuracies of 359 pictures: their differences differ by rounding alone where they are as many
    pictures.
    """
    right = np.array([13, 120, 227, 41, 333, 137])
    equal = (right + 5) / 359 - right / 359
    assert len(set(equal)) > 1 and np.isnan(significance.paired_t(equal).p)
    more = np.array([5, 5, -5, 3, 5, 1])
    assert significance.wilcoxon((right + more) / 359 - right / 359) == scipy.stats.wilcoxon(more).pvalue


def test_folds_are_corrected_for_their_overlap():
    """Nadeau and Bengio's statistic written out for five folds: a quarter as many pictures validate
    as train.
    """
    differences = np.array([0.02, 0.01, 0.03, -0.01, 0.02])
    t = differences.mean() / np.sqrt((1 / 5 + 1 / 4) * differences.var(ddof=1))
    overlap = statistics.fold_overlap({"data.split": "kfold", "data.folds": 5})
    found = significance.paired_t(differences, overlap=overlap)
    assert found.p == pytest.approx(2 * scipy.stats.t.sf(t, 4))
    plain = significance.paired_t(differences)
    assert (found.high - found.low) / (plain.high - plain.low) == pytest.approx(1.5)  # sqrt((1/5 + 1/4) / (1/5))
    assert statistics.fold_overlap({"data.split": "official", "data.folds": 5}) == 0
    sem = differences.std(ddof=1) / np.sqrt(5)
    assert statistics.interval(differences.mean(), sem, 5, overlap=overlap) == pytest.approx((found.low, found.high))


def test_wilcoxon_only_where_it_could_find_something():
    differences = np.array([0.01, 0.02, 0.03, 0.04, 0.05, 0.06])
    assert np.isnan(significance.wilcoxon(differences[:5])) and 2 / 2**5 > 0.05
    assert significance.wilcoxon(differences) == pytest.approx(2 / 2**6)
    mixed = np.random.default_rng(0).normal(0.01, 0.02, 9)
    assert significance.wilcoxon(mixed) == scipy.stats.wilcoxon(mixed).pvalue
    assert significance.wilcoxon(np.zeros(6)) == 1


def answers(only_first, only_second, both=20, neither=10):
    """Labels, and answers of two classifiers that are right about so many of the pictures."""
    labels = np.zeros(only_first + only_second + both + neither, int)
    first, second = labels.copy(), labels.copy()
    first[only_first : only_first + only_second] = 1
    second[:only_first] = 2
    first[-neither:] = second[-neither:] = 1
    return labels, first, second


def test_mcnemar_is_the_mid_p_test_of_fagerland_lydersen_and_laake():
    """Their first example (airway hyper-responsiveness, 1 and 7 discordant): exact p = 0.070, mid-p
    = 0.039.
    """
    only_first, only_second, p = significance.mcnemar(*answers(1, 7))
    assert (only_first, only_second) == (1, 7) and round(p, 3) == 0.039
    exact = scipy.stats.binomtest(1, 8).pvalue
    assert round(exact, 3) == 0.070 and p == pytest.approx(exact - scipy.stats.binom.pmf(1, 8, 0.5))
    assert significance.mcnemar(*answers(7, 1)) == (7, 1, p)
    assert significance.mcnemar(*answers(4, 4))[2] == 1 and significance.mcnemar(*answers(0, 0))[2] == 1


def test_mcnemar_of_many_at_once_is_that_of_each():
    """By hand: of 1 and 7 mid-p = 2 (1 + 8) / 256 - 8 / 256 = 10 / 256; of 0 and 3, 1 / 8."""
    labels, one, other = answers(1, 7)
    right = one == labels
    others = np.stack([other == labels, right, right | False, ~right & False])
    others[2, np.flatnonzero(right)[:3]] = False
    only_one, only_other, p = significance.mcnemar_rows(right, others)
    assert only_one.tolist() == [1, 0, 3, right.sum()] and only_other.tolist() == [7, 0, 0, 0]
    assert p[:3] == pytest.approx([10 / 256, 1, 1 / 8])


def test_mcnemar_on_many_pictures_is_the_chi_square():
    assert significance.mcnemar(*answers(260, 320))[2] == pytest.approx(
        scipy.stats.chi2.sf((320 - 260) ** 2 / 580, 1), rel=0.02
    )


def test_holm_step_by_step():
    """0.01 x 4, 0.02 x 3, then 0.03 x 2 is no less than what came before, 0.04 x 1 neither."""
    assert significance.holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert significance.holm([0.7, 0.6]) == pytest.approx([1.0, 1.0]) and len(significance.holm([])) == 0
    with_gap = significance.holm([0.01, np.nan, 0.04])
    assert with_gap[[0, 2]] == pytest.approx([0.02, 0.04]) and np.isnan(with_gap[1])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_rejects_what_its_stepping_rule_rejects(p):
    """Holm's own rule: from the smallest on, reject while p(i) <= level / (m - i)."""
    level, wanted = 0.05, np.zeros(len(p), bool)
    for step, index in enumerate(np.argsort(p, kind="stable")):
        if p[index] * (len(p) - step) > level:
            break
        wanted[index] = True
    assert ((significance.holm(p) <= level) == wanted).all()


def test_bootstrap_is_scipys_and_repeats_itself():
    values = np.random.default_rng(4).normal(0.6, 0.02, 12)
    found = significance.bootstrap(values)
    rng = np.random.default_rng(0)
    wanted = scipy.stats.bootstrap((values,), np.mean, n_resamples=9999, confidence_level=0.95, method="BCa", rng=rng)
    assert found == pytest.approx((wanted.confidence_interval.low, wanted.confidence_interval.high))
    assert found == significance.bootstrap(values) != significance.bootstrap(values, seed=1)
    assert np.isnan(significance.bootstrap(values[:9])).all() and significance.bootstrap([0.5] * 10) == (0.5, 0.5)
