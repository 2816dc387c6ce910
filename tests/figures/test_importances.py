"""What the trees look at, in words and bars, with the numbers counted by hand."""

import numpy as np
import pytest

from fer_jax.figures import importances

CLASSES = ("angry", "happy", "sad", "surprise")


def lines(drawing):
    """The curves of a drawing, without the dotted line at one half."""
    (ax,) = drawing.figure.axes
    return [line.get_ydata() for line in ax.lines if line.get_linestyle() == "-"]


@pytest.mark.parametrize(
    "shares, few",
    [
        ([0.1, 0.6, 0.2, 0.1], "1 of 4"),
        ([0.5, 0.0, 0.0, 0.5], "1 of 4"),
        ([0.4, 0.3, 0.2, 0.1], "2 of 4"),
        ([0.25] * 4, "2 of 4"),
        ([0.2] * 5, "3 of 5"),
        ([1.0], "1 of 1"),
    ],
    ids=str,
)
def test_half_of_the_gain_comes_from_as_many_features_as_add_up_to_it(shares, few):
    drawing = importances.draw([np.array(shares)], "flatten", CLASSES, "max depth 6")
    assert drawing.caption == (
        "Share of the loss saved by splits on the most useful features of flatten, a line a network (one fit); "
        f"half of it (dotted) comes from {few}. Head: max depth 6."
    )


def test_repeats_that_need_different_numbers_of_features_give_a_range():
    shares = [np.array([0.6, 0.2, 0.1, 0.1]), np.array([0.2, 0.3, 0.3, 0.2]), np.array([0.2, 0.2, 0.2, 0.4])]
    drawing = importances.draw(shares, "dense_0", CLASSES, "eta .1")
    assert (
        "features of dense_0, a line a network (3 repeats); half of it (dotted) comes from 1 to 2 of 4."
        in drawing.caption
    )


def test_hidden_features_are_sorted_and_added_up():
    shares = [np.array([0.1, 0.6, 0.3]), np.array([0.5, 0.1, 0.4])]
    found = lines(importances.draw(shares, "flatten", CLASSES, "x"))
    np.testing.assert_allclose(found, [[0.6, 0.9, 1.0], [0.5, 0.9, 1.0]])


@pytest.mark.parametrize("layer", ["output", "probabilities"])
def test_outputs_are_named_by_their_class_in_its_own_order(layer):
    shares = [np.array([0.1, 0.4, 0.3, 0.2]), np.array([0.3, 0.2, 0.1, 0.4])]
    drawing = importances.draw(shares, layer, CLASSES, "x")
    (ax,) = drawing.figure.axes
    bars = [patch.get_height() for patch in ax.patches]
    np.testing.assert_allclose(bars, [0.2, 0.3, 0.2, 0.3])
    assert [label.get_text() for label in ax.get_xticklabels()] == list(CLASSES)
    (whiskers,) = [
        segments for container in ax.containers for segments in getattr(container, "errorbar", [None, None, ()])[2]
    ]
    half = [(upper - lower) / 2 for (_, lower), (_, upper) in whiskers.get_segments()]
    np.testing.assert_allclose(half, np.full(4, 0.1 * 2**0.5))  # two values 0.2 apart, divisor n - 1
    assert (
        drawing.caption == "Share of the loss saved by splits on each class's output; mean ± sd of 2 repeats. Head: x."
    )


def test_one_fit_on_outputs_has_no_spread():
    drawing = importances.draw([np.array([0.1, 0.4, 0.3, 0.2])], "output", CLASSES, "x")
    assert drawing.caption == "Share of the loss saved by splits on each class's output; mean of one fit. Head: x."


def test_a_hidden_layer_as_wide_as_there_are_classes_is_not_named_by_them():
    drawing = importances.draw([np.array([0.1, 0.4, 0.3, 0.2])], "dense_0", CLASSES, "x")
    np.testing.assert_allclose(lines(drawing), [[0.4, 0.7, 0.9, 1.0]])
