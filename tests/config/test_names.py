"""From a wrong name to the right one, and from a name to its field."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_configs import message

from fer_jax.config.names import nearest, unknown
from fer_jax.config.values import (
    default_config,
    put,
    validate,
)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("train.learnin_rate", "train.learning_rate"),
        ("learning_rate", "train.learning_rate"),
        ("optimizer.learning_rate", "train.learning_rate"),
        ("train.l3", "train.l2"),
        ("learningrate", "train.learning_rate"),
        ("loss.gamma", "loss.focal_gamma"),
        ("sweep.grid.train.batchsize", "sweep.grid.train.batch_size"),
        ("sweep.repeat", "sweep.repeats"),
        ("train.lr", "train.learning_rate"),
        ("optimizer.lr", "train.learning_rate"),
        ("sweep.grid.train.lr", "sweep.grid.train.learning_rate"),
        ("bs", "train.batch_size"),
    ],
)
def test_nearest_name(wrong, right):
    assert nearest(wrong) == right


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("trian", "no block trian; did you mean train?"),
        ("sweep.gird", "no block sweep.gird; did you mean sweep.grid?"),
        ("sweep.grid.modle", "no block sweep.grid.modle; did you mean sweep.grid.model?"),
        ("trian.lr", "no field trian.lr; did you mean train.learning_rate?"),
        ("lr", "no field lr; did you mean train.learning_rate?"),
        ("epoch", "no field epoch; did you mean train.epochs?"),
        ("train.l3", "no field train.l3; did you mean train.l2?"),
    ],
)
def test_a_name_near_a_block_is_answered_with_the_block(wrong, said):
    assert unknown(wrong) == said


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=30))
def test_nearest_always_names_something(name):
    assert nearest(name).split(".")[0] in default_config()


@pytest.mark.parametrize(
    ("name", "why"),
    [("train.seed", "sweep.repeats"), ("data.seed", "one split")],
)
@pytest.mark.parametrize("tree", ["grid", "each", "zip"])
def test_seeds_are_not_swept(tree, name, why):
    config = default_config()
    put(config, f"sweep.{tree}.{name}", (0, 1))
    text = message(validate, config)
    assert text.startswith(f"sweep.{tree}.{name}: {name} cannot be swept")
    assert why in text
