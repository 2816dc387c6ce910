"""How swept values are laid out and written."""

import numpy as np
import pytest

from fer_jax.analysis import axes


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ((1e-5, 1e-4, 1e-3, 1e-2, 1e-1), "log"),
        ((8, 16, 32, 64, 128), "log"),
        ((1e-4, 1e-1), "log"),
        ((0.0, 0.2, 0.4, 0.6), "linear"),
        ((1, 2, 3, 4, 5, 6), "linear"),
        ((16, 32), "linear"),
        ((0.0, 1e-5, 1e-3, 1e-1), "ordinal"),
        (("max", "average"), "ordinal"),
        (((32, 64, 64), (16, 32, 32)), "ordinal"),
        ((True, False), "ordinal"),
        ((7,), "linear"),
    ],
)
def test_values_that_span_decades_are_logarithmic_and_others_are_not(values, kind):
    axis = axes.axis("train.l2", values)
    assert axis.kind == kind
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        assert list(axis.levels) == sorted(values)
        assert list(axis.position(axis.levels)) == sorted(axis.position(axis.levels))


def test_what_numbers_were_drawn_by_decides_over_what_they_look_like():
    few = [1.1e-4, 2.2e-3, 4.6e-3, 1.05e-2, 1.38e-2]
    assert axes.axis("train.learning_rate", few).kind == "linear"
    assert axes.axis("train.learning_rate", few, "log 1e-4 3e-2").kind == "log"
    many = [0.01, 0.02, 0.05, 0.1, 0.45]
    assert axes.axis("model.dropout", many).kind == "log"
    assert axes.axis("model.dropout", many, "uniform 0 .5").kind == "linear"
    assert axes.axis("train.l2", [0.0, 1e-5, 1e-3], "log 1e-5 1e-1").kind == "ordinal"  # a 0 was listed beside it
    assert axes.axis("train.batch_size", [8, 16, 32, 64], "choice 8 16 32 64").kind == "log"
    assert axes.axis("train.optimizer", ["adam", "sgd"], "choice adam sgd").kind == "ordinal"


def test_levels_keep_their_texts_apart_and_typable():
    axis = axes.axis("train.learning_rate", [1e-3, 1e-5, 1e-4, 1e-3])
    assert axis.texts == ("1e-5", "1e-4", "1e-3") and axis.marks == ("10⁻⁵", "10⁻⁴", "10⁻³")
    assert axis.text(1e-4) == "1e-4" and axis.label == "learning rate η"
    assert axes.axis("model.kernels", [(32, 64), [16, 32]]).texts == ("32-64", "16-32")
    assert axes.axis("train.learning_rate", [1e-3, 1e-1]).texts == ("1e-3", "1e-1")
    assert axes.axis("model.dropout", [0.0, 0.25, 0.5]).texts == ("0", "0.25", "0.5")


@pytest.mark.parametrize("levels", [np.linspace(0, 1, 101), np.logspace(-6, 2, 200), np.arange(30), np.array([3.0])])
def test_ticks_stay_within_the_axis_and_apart(levels):
    axis = axes.axis("train.l2", levels.tolist())
    places, texts = axis.ticks(room=40)
    ends = axis.position(axis.levels)[[0, -1]]
    margin = 0.11 * max(1.0, float(ends[1] - ends[0]))
    assert len(places) == len(texts) <= 20
    assert (np.diff(places) > 0).all() and ends[0] - margin <= places[0] and places[-1] <= ends[1] + margin


def test_fields_that_read_alike_keep_their_block():
    assert axes.short_names(["model.size", "data.size"]) == {"model.size": "model size", "data.size": "data size"}
    assert axes.short_names(["train.l2", "model.some_thing"]) == {
        "train.l2": "L2 penalty",
        "model.some_thing": "some thing",
    }
