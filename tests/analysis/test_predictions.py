"""Means and spreads over repeats, as text."""

import numpy as np

from fer_jax.analysis.predictions import mean_and_spread


def test_means_and_spreads_as_text():
    assert mean_and_spread(np.array([0.5, 0.7])) == "0.600 ± 0.141"
    assert mean_and_spread(np.array([0.5])) == "0.500" and mean_and_spread(np.array([np.nan, 1])) == "–"
