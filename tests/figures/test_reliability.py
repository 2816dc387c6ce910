"""Which way a network errs about its own confidence."""

import numpy as np

from fer_jax.analysis.predictions import Predictions
from fer_jax.figures import reliability


def test_reliability_says_on_which_side_it_errs():
    sure = np.tile([[0.9, 0.1]], (10, 1))[None]
    labels = np.array([0] * 5 + [1] * 5)
    drawing = reliability.draw(Predictions("", "test", ("a", "b"), sure, labels))
    assert (
        "overconfident by 0.400" in drawing.caption
        and drawing.figure.axes[0].get_title(loc="left") == "Calibration error 0.400"
    )
    modest = reliability.draw(
        Predictions("", "test", ("a", "b"), np.tile([[0.6, 0.4]], (10, 1))[None], np.zeros(10, int))
    )
    assert "underconfident by 0.400" in modest.caption
