"""Curves of a class against the rest, against scikit-learn's areas."""

import numpy as np
import pytest
from sklearn import metrics as reference

from fer_jax.analysis.predictions import Predictions, mean_and_spread
from fer_jax.figures import roc, style


def test_curves_enclose_the_areas_of_their_legend(predictions):
    drawing = roc.draw(predictions)
    left, right = drawing.figure.axes
    legend = [text.get_text() for text in left.get_legend().get_texts()]
    areas = [reference.roc_auc_score(predictions.labels == 0, one[:, 0]) for one in predictions.probabilities]
    assert legend[0] == f"angry  {mean_and_spread(np.array(areas))}" and legend[-1].startswith("mean of the classes")
    drawn = np.trapezoid(left.lines[0].get_ydata(), left.lines[0].get_xdata())
    assert drawn == pytest.approx(np.mean(areas), abs=0.01)
    precisions = [
        reference.average_precision_score(predictions.labels == 0, one[:, 0]) for one in predictions.probabilities
    ]
    assert np.mean(right.lines[0].get_ydata()) == pytest.approx(np.mean(precisions), abs=0.03)
    assert style.png(drawing.figure).startswith(b"\x89PNG")


def test_no_curve_where_no_class_has_a_rest():
    assert roc.draw(Predictions("", "test", ("a", "b"), np.full((1, 4, 2), 0.5), np.zeros(4, int))) is None
