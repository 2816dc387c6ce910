"""What can be ranked against each other: only what was measured on the same images."""

import re

import pytest

from fer_jax.analysis import comparable
from fer_jax.config.field import FieldError
from fer_jax.config.values import default_config


def set_grid(config, name, values):
    block, _, field = name.partition(".")
    config.sweep.grid[block][field] = values


def test_only_the_same_pictures_compare():
    data = {
        "classes": ["happy", "sad"],
        "held_out": {"validation": "12ab", "test": "34cd"},
        "counts": {"train": {"happy": 9}},
    }
    key = comparable.held_out(data)
    assert comparable.held_out({**data, "counts": {"train": {"happy": 90}}}) == key
    others = [
        {**data, "held_out": {"validation": "56ef", "test": "34cd"}}, {**data, "held_out": {"validation": "12ab"}},
        {**data, "classes": ["happy", "fear"]}, {**data, "merged": {"sad": ["fear"]}},
    ]  # fmt: skip
    assert key not in [comparable.held_out(other) for other in others]


@pytest.mark.parametrize(
    "field, values, metric, says",
    [
        (
            "data.split",
            ("official", "kaggle"),
            "val_accuracy",
            "search.race = (5, 0.1): points that differ in data.split",
        ),
        ("loss.focal_gamma", (0.0, 2.0), "val_loss", "differ in loss.focal_gamma are not ranked against each other by"),
        ("loss.focal_gamma", (0.0, 2.0), "val_accuracy", ""),
    ],
)
def test_a_sweep_is_ranked_only_where_the_metric_can(field, values, metric, says):
    config = default_config()
    config.train.select = metric
    set_grid(config, field, values)
    if not says:
        comparable.check_sweep(config, "search.race", "(5, 0.1)")
        return
    with pytest.raises(FieldError, match=re.escape(says)):
        comparable.check_sweep(config, "search.race", "(5, 0.1)")


def test_what_balances_the_training_pictures_alone_can_be_ranked():
    config = default_config()
    set_grid(config, "data.balance", ("none", "undersample"))
    config.data.balance_splits = "train"
    comparable.check_sweep(config, "search.halving", (4, 3))
    config.data.balance_splits = "all"
    with pytest.raises(FieldError, match="points that differ in data.balance are not ranked"):
        comparable.check_sweep(config, "search.halving", (4, 3))
