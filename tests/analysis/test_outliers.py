"""Scores worked out by hand, and thresholds that the right share of scores lie below."""

import math

import numpy as np
import pytest

from fer_jax.analysis import outliers
from fer_jax.errors import RunError

LOGITS = np.array([[math.log(2), math.log(3), math.log(5)], [0.0, 0.0, 0.0], [-1.0, 4.0, 1000.0]], np.float32)


def test_energy_is_the_log_of_summed_exponentials():
    np.testing.assert_allclose(outliers.score("energy", LOGITS), [math.log(10), math.log(3), 1000], rtol=1e-6)


def test_max_logit_is_the_largest():
    np.testing.assert_allclose(outliers.score("max_logit", LOGITS[None]), [[math.log(5), 0, 1000]], rtol=1e-6)


def test_both_hear_how_loud_the_logits_are_which_probabilities_do_not():
    louder = LOGITS[:1] + 3
    for kind in outliers.SCORES:
        np.testing.assert_allclose(outliers.score(kind, louder), outliers.score(kind, LOGITS[:1]) + 3, rtol=1e-6)


def test_one_in_twenty_lies_below_the_threshold():
    scores = np.random.default_rng(0).normal(size=2000)
    assert np.mean(scores < outliers.threshold(scores)) == 0.05
    assert outliers.threshold(np.arange(101.0)) == 5


def test_another_score_is_one_line():
    with pytest.raises(RunError, match="^score = 'entropy': must be 'energy' or 'max_logit'$"):
        outliers.score("entropy", LOGITS)
