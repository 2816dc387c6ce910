"""The most confident mistakes: which they are, and what is shown of them."""

import numpy as np

from fer_jax.analysis.predictions import Predictions
from fer_jax.figures import mistakes, style

CLASSES = ("angry", "happy", "sad")
LABELS = np.array([0, 1, 2, 0, 1])


def predictions():
    """Picture 1 is wrong by the mean but in one of two networks only, 2 in both, 4 in one only and
    right by the mean.
    """
    one = [[0.8, 0.1, 0.1], [0.9, 0.1, 0.0], [0.6, 0.3, 0.1], [0.5, 0.3, 0.2], [0.1, 0.9, 0.0]]
    two = [[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.8, 0.1, 0.1], [0.9, 0.1, 0.0], [0.6, 0.4, 0.0]]
    return Predictions("learning rate 1e-3", "test", CLASSES, np.array([one, two]), LABELS)


def test_the_surest_wrong_answers_of_the_mean_come_first():
    found = mistakes.worst(predictions())
    assert found["image"].tolist() == [2, 1]
    assert found["true"].tolist() == [2, 1] and found["answer"].tolist() == [0, 0]
    np.testing.assert_allclose(found["confidence"], [0.7, 0.6])
    np.testing.assert_allclose(found["given"], [0.1, 0.35])
    assert found["repeats_wrong"].tolist() == [2, 1]
    assert mistakes.worst(predictions(), most=1)["image"].tolist() == [2]


def test_a_figure_shows_every_picture_with_its_words():
    found = mistakes.worst(predictions())
    images = np.stack([np.full((6, 6, 1), 40 * number, np.uint8) for number in found["image"]])
    drawing = mistakes.draw(predictions(), found, images)
    shown = [ax for ax in drawing.figure.axes if ax.images]
    assert [ax.get_title() for ax in shown] == ["sad\nfor angry, 0.70\nno. 2", "happy\nfor angry, 0.60\nno. 1"]
    assert [int(ax.images[0].get_array()[0, 0]) for ax in shown] == [80, 40]
    assert "Test pictures (5), 2 seeds" in drawing.about and style.png(drawing.figure).startswith(b"\x89PNG")


def test_no_mistake_is_said():
    right = Predictions("x", "test", CLASSES, np.eye(3)[LABELS][None], LABELS)
    found = mistakes.worst(right)
    assert not len(found) and mistakes.sentences(found, CLASSES, 5) == "No wrong answer among 5 pictures."


def test_the_commonest_confusion_is_named():
    wrong = np.eye(3)[[1, 0, 2, 1, 1]][None]
    found = mistakes.worst(Predictions("x", "test", CLASSES, wrong, LABELS))
    assert (
        mistakes.sentences(found, CLASSES, 5)
        == "The 3 surest wrong answers on 5 pictures; 2 of them angry taken for happy."
    )
