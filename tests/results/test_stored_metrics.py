"""Figures of what networks answer: the numbers that are drawn, by hand and by scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as reference

from fer_jax.analysis.predictions import Predictions, mean_and_spread
from fer_jax.figures import confusion, distribution, reliability, roc, style
from fer_jax.reports import best_point

CLASSES = ("angry", "happy", "sad")


@pytest.fixture(params=[1, 3])
def predictions(request):
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 3, 60)
    powers = np.exp(rng.normal(size=(request.param, 60, 3)) + 1.5 * np.eye(3)[labels])
    return Predictions("learning rate 1e-3", "test", CLASSES, powers / powers.sum(-1, keepdims=True), labels)


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_matrices_show_means_over_the_repeats_and_shares_of_each_row(predictions):
    drawing = confusion.draw(predictions)
    left, right = drawing.figure.axes
    answers = predictions.probabilities.argmax(-1)
    wanted = np.mean([reference.confusion_matrix(predictions.labels, one) for one in answers], axis=0)
    shares = np.mean([reference.confusion_matrix(predictions.labels, one, normalize="true") for one in answers], axis=0)
    form = "{:.0f}" if predictions.repeats == 1 else "{:.1f}"
    assert texts(left) == [form.format(value) for value in wanted.ravel()]
    assert texts(right) == [f"{value:.2f}" for value in shares.ravel()]
    assert ("3 seeds of learning rate 1e-3" if predictions.repeats == 3 else "one seed of") in drawing.caption
    assert style.png(drawing.figure).startswith(b"\x89PNG")


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


def test_class_table_has_a_row_a_class_and_the_means_of_scikit_learn(predictions):
    html = best_point.class_table(predictions)
    report = [
        reference.classification_report(
            predictions.labels, one.argmax(-1), target_names=CLASSES, output_dict=True, zero_division=0
        )
        for one in predictions.probabilities
    ]
    for row in ("angry", "macro avg", "weighted avg"):
        for name in ("precision", "recall", "f1-score"):
            assert f">{mean_and_spread(np.array([each[row][name] for each in report]))}<" in html
    assert html.count("<tr") == 1 + 3 + 2


def test_class_distribution_draws_shares_and_names_pictures():
    counts = {"train": {"happy": 30, "sad": 10}, "test": {"happy": 5, "sad": 5}}
    drawing = distribution.draw({"classes": ["happy", "sad"], "counts": counts})
    heights = [[bar.get_height() for bar in container] for container in drawing.figure.axes[0].containers]
    assert heights == [[0.75, 0.25], [0.5, 0.5]] and texts(drawing.figure.axes[0]) == ["30", "10", "5", "5"]
    assert distribution.draw({}) is None


def test_means_and_spreads_as_text():
    assert mean_and_spread(np.array([0.5, 0.7])) == "0.600 ± 0.141"
    assert mean_and_spread(np.array([0.5])) == "0.500" and mean_and_spread(np.array([np.nan, 1])) == "–"
