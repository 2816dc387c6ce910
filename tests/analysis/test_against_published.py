"""Intervals and tests against SciPy and against numbers worked out by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from fer_jax.analysis import against_published

OURS = (0.56, 0.57, 0.58, 0.575, 0.565)


def test_prediction_interval_by_hand():
    # t(.975, 4) = 2.7764 in every table; sd .0079057, sqrt(1 + 1/5) = 1.0954: half a width of
    # .024044.
    low, high = against_published.prediction_interval(0.57, 0.0079057, 5)
    assert (low, high) == (pytest.approx(0.545956, abs=2e-6), pytest.approx(0.594044, abs=2e-6))


@pytest.mark.parametrize(("n", "runs", "level"), [(2, 1, 0.95), (5, 3, 0.9), (40, 1, 0.5)])
def test_prediction_interval_against_scipy(n, runs, level):
    low, high = against_published.prediction_interval(0.4, 0.03, n, runs, level)
    expected = stats.t(n - 1, loc=0.4, scale=0.03 * math.sqrt(1 / runs + 1 / n)).interval(level)
    np.testing.assert_allclose((low, high), expected, rtol=1e-12)


def test_prediction_interval_holds_its_share_of_further_runs():
    draws = np.random.default_rng(0).normal(0.6, 0.02, (4000, 6))
    inside = 0
    for *sample, further in draws:
        low, high = against_published.prediction_interval(np.mean(sample), np.std(sample, ddof=1), 5)
        inside += low <= further <= high
    assert inside / len(draws) == pytest.approx(0.95, abs=0.012)


def test_welch_against_the_test_on_the_samples_themselves():
    other = (0.55, 0.569, 0.58, 0.53, 0.54, 0.552)
    p = against_published.welch(np.mean(OURS), np.std(OURS, ddof=1), 5, np.mean(other), np.std(other, ddof=1), 6)
    assert p == pytest.approx(stats.ttest_ind(OURS, other, equal_var=False).pvalue, rel=1e-9)


def test_welch_without_spread_or_repeats():
    assert (
        against_published.welch(0.5, 0.0, 5, 0.5, 0.0, 5) == 1
        and against_published.welch(0.5, 0.0, 5, 0.6, 0.0, 5) == 0
    )
    assert math.isnan(against_published.welch(0.5, math.nan, 1, 0.5, 0.01, 5))
    assert math.isnan(against_published.welch(0.5, 0.01, 5, 0.5, math.nan, 1))
    assert 0 < against_published.welch(0.5, 0.0, 5, 0.51, 0.01, 5) < 1


@pytest.mark.parametrize(
    ("published", "words"),
    [
        (0.569, "within what our 5 seeds predict (0.546 to 0.594)"),
        (0.545, "ours above: our 5 seeds predict (0.546 to 0.594)"),
        (0.66, "ours below: our 5 seeds predict (0.546 to 0.594)"),
    ],
)
def test_a_single_published_run(published, words):
    verdict = against_published.compare(OURS, published)
    assert verdict.words == words and math.isnan(verdict.p) and verdict.low < verdict.high


@pytest.mark.parametrize(
    ("published", "words"),
    [(0.571, "no difference found, Welch p = "), (0.6, "ours below, Welch p "), (0.5, "ours above, Welch p < 0.001")],
)
def test_a_published_mean_of_five(published, words):
    verdict = against_published.compare(OURS, published, sd=0.0045, n=5)
    assert verdict.words.startswith(words) and math.isnan(verdict.low)
    reference = stats.ttest_ind_from_stats(
        np.mean(OURS), np.std(OURS, ddof=1), 5, published, 0.0045, 5, equal_var=False
    )
    assert verdict.p == pytest.approx(reference.pvalue, rel=1e-9)


def test_a_published_mean_without_spread_needs_a_narrower_interval_than_a_single_run():
    of_one, of_five = against_published.compare(OURS, 0.569), against_published.compare(OURS, 0.569, n=5)
    assert of_one.high - of_one.low == pytest.approx((of_five.high - of_five.low) * math.sqrt(1.2 / 0.4))


def test_too_few_or_equal_repeats():
    assert (
        against_published.compare((0.5,), 0.5).words == "one seed"
        and against_published.compare((), 0.5).words == "no seed"
    )
    for published, sd, n in ((0.1, None, 1), (0.2, None, 1), (0.2, 0.01, 5)):
        verdict = against_published.compare((0.1, 0.1, 0.1), published, sd, n)
        assert verdict.words == "the repeats do not differ" and math.isnan(verdict.p) and math.isnan(verdict.low)
    assert against_published.obstacle(OURS) == ""


@pytest.mark.parametrize(
    ("published", "rounding", "words"),
    [
        (0.54, 0.0, "ours above: our 5 seeds predict (0.546 to 0.594)"),
        (0.54, 0.005, "ours above: our 5 seeds predict (0.546 to 0.594)"),
        (0.542, 0.005, "within what our 5 seeds predict (0.546 to 0.594), given its rounding (-+ 0.005)"),
        (0.598, 0.005, "within what our 5 seeds predict (0.546 to 0.594), given its rounding (-+ 0.005)"),
        (0.6, 0.005, "ours below: our 5 seeds predict (0.546 to 0.594)"),
        (0.57, 0.005, "within what our 5 seeds predict (0.546 to 0.594)"),
    ],
)
def test_a_single_published_run_is_rounded(published, rounding, words):
    assert against_published.compare(OURS, published, rounding=rounding).words == words


def test_welch_holds_for_all_that_rounds_to_what_was_printed():
    exact, rounded = (against_published.compare(OURS, 0.58, 0.0045, 5, rounding).p for rounding in (0.0, 0.005))
    nearest = against_published.compare(OURS, 0.575, 0.0045, 5).p
    assert exact < 0.05 < rounded == pytest.approx(nearest)
    inside = against_published.compare(OURS, 0.571, 0.0045, 5, rounding=0.005)
    assert inside.p == pytest.approx(1) and inside.words.startswith("no difference found")
