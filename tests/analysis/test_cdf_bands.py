"""Bands of distribution functions, against SciPy's exact law, closed forms and draws."""

import numpy as np
import pytest
from scipy import stats

from fer_jax.analysis import cdf_bands


@pytest.mark.parametrize("n", [1, 2, 5, 30, 125])
@pytest.mark.parametrize("half", [0.05, 0.1, 0.2, 0.4, 0.7])
def test_coverage_of_bands_of_one_width_is_kolmogorovs(n, half):
    i = np.arange(1, n + 1)
    found = cdf_bands.coverage(np.clip(i / n - half, 0, 1), np.clip((i - 1) / n + half, 0, 1))
    assert found == pytest.approx(stats.kstwo.cdf(half, n), abs=1e-12)


def test_coverage_of_two_draws_by_hand():
    # The smaller in (.1, .5), the larger in (.4, .9): 2 times the area of x < y in that rectangle.
    area = 0.4 * 0.5 - 0.1**2 / 2
    assert cdf_bands.coverage(np.array([0.1, 0.4]), np.array([0.5, 0.9])) == pytest.approx(2 * area)
    assert cdf_bands.coverage(np.array([0.2, 0.2]), np.array([0.1, 0.9])) == 0


@pytest.mark.parametrize(("n", "content"), [(2, 0.5), (7, 0.9), (40, 0.99)])
def test_intervals_are_the_shortest_of_their_content(n, content):
    low, high = cdf_bands.highest_density(n, content)
    i = np.arange(1, n + 1)
    law = stats.beta(i, n + 1 - i)
    np.testing.assert_allclose(law.cdf(high) - law.cdf(low), content, rtol=1e-9)
    np.testing.assert_allclose(law.pdf(low)[1:-1], law.pdf(high)[1:-1], rtol=1e-6)
    assert low[0] == 0 and high[-1] == 1
    np.testing.assert_allclose(low, 1 - high[::-1], atol=1e-9)
    # Any other interval of the same content is longer.
    for below in np.linspace(0.001, 0.999, 7) * (1 - content):
        assert (law.ppf(below + content) - law.ppf(below) >= high - low - 1e-9).all()


@pytest.mark.parametrize(("n", "confidence"), [(1, 0.95), (2, 0.8), (20, 0.95), (125, 0.95), (300, 0.5)])
def test_bands_have_the_confidence_that_is_asked_for(n, confidence):
    low, high = cdf_bands.band(n, confidence)
    assert len(low) == len(high) == n + 1 and (low[0], high[-1]) == (0, 1)
    assert cdf_bands.coverage(low[1:], high[:-1]) == pytest.approx(confidence, abs=1e-6)
    assert (np.diff(low) >= 0).all() and (np.diff(high) >= 0).all()


def test_bands_hold_as_often_as_they_say_over_draws():
    low, high = cdf_bands.band(12, 0.9)
    draws = np.sort(np.random.default_rng(0).random((40_000, 12)), axis=1)
    held = ((draws >= low[1:]) & (draws <= high[:-1])).all(axis=1).mean()
    assert held == pytest.approx(0.9, abs=4 * np.sqrt(0.9 * 0.1 / 40_000))


def test_large_samples_have_the_inequalitys_bands():
    n = cdf_bands.MOST_EXACT + 1
    low, high = cdf_bands.band(n)
    half = np.sqrt(np.log(40) / (2 * n))
    assert low[n // 2] == pytest.approx((n // 2) / n - half) and high[-1] == 1 and low[0] == 0
    assert cdf_bands.coverage(low[1:], high[:-1]) >= 0.95
