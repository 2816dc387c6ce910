"""Maps averaged by hand; rank correlations against SciPy."""

import numpy as np
import pytest
from scipy import stats

from fer_jax.saliency import maps
from fer_jax.saliency.maps import ClassSaliency, RepeatedSaliency, Saliency


def saliency(values, method="occlusion"):
    values = np.asarray(values, np.float32)
    return Saliency(method, {}, values, np.zeros(len(values), np.int64), ("a", "b"), np.zeros(len(values), np.float32))


def test_shares_add_up_to_one_whatever_the_sign_and_an_empty_map_stays_empty():
    found = maps.shares(np.array([[[1.0, -3.0], [0.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]]))
    np.testing.assert_allclose(found, [[[1 / 8, -3 / 8], [0, 1 / 2]], [[0, 0], [0, 0]]])


def test_colours_become_one_number_as_the_papers_have_it():
    values = np.array([[[[1.0, -3.0, 2.0]]]])
    assert saliency(values, "gradient").maps == saliency(values, "smoothgrad").maps == [[[3.0]]]
    assert saliency(values, "integrated_gradients").maps == [[[0.0]]]


def test_repeats_weigh_the_same_however_large_their_logits_are():
    quiet, loud = np.array([[[[1.0], [3.0]]]]), 1000 * np.array([[[[1.0], [1.0]]]])
    found = RepeatedSaliency((saliency(quiet), saliency(loud)), ("x", "y"))
    np.testing.assert_allclose(found.mean, [[[3 / 8, 5 / 8]]])
    np.testing.assert_allclose(found.sd, [[[np.sqrt(2) / 8] * 2]])  # two values 1/4 apart, divisor n - 1


def test_one_repeat_has_no_spread_and_no_agreement():
    found = RepeatedSaliency((saliency(np.ones((2, 3, 3, 1))),), ("x",))
    np.testing.assert_allclose(found.mean, np.full((2, 3, 3), 1 / 9), rtol=1e-6)
    assert np.isnan(found.sd).all() and np.isnan(found.agreement).all() and found.agreement.shape == (2,)


def test_rank_correlation_is_scipys_ties_included():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 5, (2, 4, 6, 6)).astype(float)
    expected = [stats.spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(maps.rank_correlation(first, second), expected, atol=1e-12)
    np.testing.assert_allclose(maps.rank_correlation(first, -2 * first), -1)
    second[1] = 7
    assert np.isnan(maps.rank_correlation(first, second)).tolist() == [False, True, False, False]


def test_agreement_is_the_mean_over_pairs_of_repeats():
    values = np.random.default_rng(1).normal(size=(3, 2, 4, 4, 1))
    found = RepeatedSaliency(tuple(saliency(one) for one in values), ("x", "y", "z"))
    expected = [
        np.mean(
            [stats.spearmanr(values[a, n].ravel(), values[b, n].ravel()).statistic for a, b in ((0, 1), (0, 2), (1, 2))]
        )
        for n in range(2)
    ]
    np.testing.assert_allclose(found.agreement, expected, atol=1e-6)


def test_classes_over_repeats():
    def of(mean):
        return ClassSaliency("gradient", {}, ("a", "b"), "test", np.array([4, 0]), mean, np.ones_like(mean))

    one, other = of(np.array([[[1.0]], [[np.nan]]])), of(np.array([[[2.0]], [[np.nan]]]))
    found = maps.over_repeats([one, other], "1 diverged")
    np.testing.assert_allclose(found.mean, [[[1.5]], [[np.nan]]])
    np.testing.assert_allclose(found.sd, [[[np.sqrt(0.5)]], [[np.nan]]])
    assert (found.repeats, found.left_out, found.n.tolist()) == (2, "1 diverged", [4, 0])
    # The spread over pictures is not one over repeats.
    assert np.isnan(maps.over_repeats([one], "").sd).all()


def test_only_integrated_gradients_are_complete():
    with pytest.raises(ValueError, match="^completeness is a property of integrated_gradients, not of occlusion$"):
        saliency(np.ones((1, 2, 2, 1))).completeness()
