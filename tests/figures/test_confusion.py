"""Confusion matrices as drawn, against scikit-learn's."""

import dataclasses

import numpy as np
from sklearn import metrics as reference

from fer_jax.figures import confusion, style


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
    assert ("3 seeds of learning rate 1e-3" if predictions.repeats == 3 else "one seed of") in drawing.about
    assert style.png(drawing.figure).startswith(b"\x89PNG")


def test_validation_is_drawn_beside_test(predictions):
    other = dataclasses.replace(
        predictions,
        split="validation",
        probabilities=predictions.probabilities[:, :50][:, ::-1],
        labels=predictions.labels[:50][::-1],
    )
    drawing = confusion.draw(predictions, other)
    axes = drawing.figure.axes
    assert [ax.get_title(loc="left") for ax in axes] == [
        "validation: pictures",
        "test: pictures",
        "validation: share of the true class",
        "test: share of the true class",
    ]
    for column, of in enumerate((other, predictions)):
        answers = of.probabilities.argmax(-1)
        shares = np.mean([reference.confusion_matrix(of.labels, one, normalize="true") for one in answers], axis=0)
        assert texts(axes[2 + column]) == [f"{value:.2f}" for value in shares.ravel()]
    assert "Validation (50 pictures)" in drawing.caption and " On validation: Found most often" in drawing.finding
    alone = confusion.draw(other)
    assert len(alone.figure.axes) == 2 and "no answers on a test split are there" in alone.caption
