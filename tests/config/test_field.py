"""One field: what its values may be, and how text becomes one."""

import math

import numpy as np
import pytest
from small_configs import message

from fer_jax.config import fields
from fer_jax.config.field import FieldError
from fer_jax.config.values import (
    default_config,
    flatten,
    put,
    sweep_tree,
    validate,
)


@pytest.mark.parametrize(
    ("name", "value", "canonical"),
    [
        ("train.learning_rate", 1, 1.0),
        ("train.learning_rate", np.float32(0.5), 0.5),
        ("train.l2", -0.0, 0.0),
        ("train.epochs", np.int64(7), 7),
        ("model.kernels", [8, 16, 16], (8, 16, 16)),
        ("model.kernels", 32, (32,)),
        ("model.dense", (), ()),
        ("model.batch_norm", np.True_, True),
        ("data.classes", ["happy", "sad"], ("happy", "sad")),
        ("data.fraction", 1, 1.0),
        ("data.image_size", 8, 8),
        ("data.label_noise", 0.05, 0.05),
    ],
)
def test_values_become_the_fields_own_type(name, value, canonical):
    given_value = fields.FIELDS[name].coerce(value)
    assert given_value == canonical
    assert type(given_value) is type(canonical)
    assert repr(given_value) == repr(canonical)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("train.learning_rate", 0.0, "above 0"),
        ("train.l2", -1e-9, "at least 0"),
        ("train.l2", math.nan, "finite"),
        ("train.l2", math.inf, "finite"),
        ("train.l2", 10**400, "finite"),
        ("train.l2", "1e-3", "a number"),
        ("train.l2", True, "a number"),
        ("train.l2", None, "a number"),
        ("train.momentum", 1.0, "below 1"),
        ("model.dropout", 1.0, "below 1"),
        ("data.fraction", 0.0, "above 0"),
        ("data.fraction", 1.01, "at most 1"),
        ("data.label_noise", 0.051, "at most 0.05"),
        ("data.image_size", 7, "at least 8"),
        ("data.image_size", 513, "at most 512"),
        ("data.channels", 2, "1 or 3"),
        ("train.epochs", 2.0, "a whole number"),
        ("train.epochs", True, "a whole number"),
        ("train.epochs", 0, "at least 1"),
        ("train.optimizer", "adma", "did you mean adam?"),
        ("model.batch_norm", 1, "true or false"),
        ("model.kernels", (8, 0, 8), "at least 1"),
        ("model.kernels", (8, 8.5, 8), "a whole number"),
        ("data.classes", (1, 2), "a word"),
        ("stack.engine", "gpu", "auto or map or vmap"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_wanted(name, value, wanted):
    text = message(fields.FIELDS[name].coerce, value)
    assert text.startswith(f"{name} = ")
    assert wanted in text


@pytest.mark.parametrize("name", [name for name, field in fields.FIELDS.items() if field.item_type in (int, float)])
def test_ends_of_a_range_are_open_or_closed_as_declared(name):
    field = fields.FIELDS[name]
    step = 1 if field.item_type is int else 1e-12
    for end, is_open, inward in ((field.low, field.low_open, step), (field.high, field.high_open, -step)):
        if end is None or field.choices:
            continue
        outside = (end - inward, end) if is_open else (end - inward,)
        for value in outside:
            with pytest.raises(FieldError):
                field.coerce(field.item_type(value))
        field.coerce(field.item_type(end + inward if is_open else end))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("train.l2", "1e-3", 1e-3),
        ("train.l2", "0", 0.0),
        ("train.epochs", "12", 12),
        ("model.batch_norm", "true", True),
        ("model.batch_norm", "False", False),
        ("model.kernels", "(8,16,16)", (8, 16, 16)),
        ("model.kernels", "[8, 16, 16]", (8, 16, 16)),
        ("model.kernels", "8,16,16", (8, 16, 16)),
        ("model.kernels", "32", (32,)),
        ("model.dense", "()", ()),
        ("data.classes", "happy,sad", ("happy", "sad")),
        ("data.classes", "('happy', 'sad')", ("happy", "sad")),
        ("data.path", "a b/(1,2).zip", "a b/(1,2).zip"),
        ("data.path", "1e-3", "1e-3"),
        ("report.title", "[draft]", "[draft]"),
    ],
)
def test_text_is_read_as_the_fields_type(name, text, value):
    assert fields.FIELDS[name].parse(text) == value


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("train.l2", "(0.,1e-3)", (0.0, 1e-3)),
        ("train.l2", "[0.,1e-3]", (0.0, 1e-3)),
        ("train.l2", "0,1e-3", (0.0, 1e-3)),
        ("train.l2", "1e-3", (1e-3,)),
        ("train.l2", "None", None),
        ("train.optimizer", "adam,sgd", ("adam", "sgd")),
        ("train.optimizer", "(adam, sgd)", ("adam", "sgd")),
        ("train.optimizer", "('adam',)", ("adam",)),
        ("train.optimizer", "sgd", ("sgd",)),
        ("model.batch_norm", "true,false", (True, False)),
        ("model.batch_norm", "(True, False)", (True, False)),
        ("model.kernels", "((32,64,64),(16,))", ((32, 64, 64), (16,))),
        ("model.dense", "((),(64,))", ((), (64,))),
        ("data.classes", "(('happy','sad'),())", (("happy", "sad"), ())),
    ],
)
def test_text_is_read_as_a_list_to_sweep(name, text, values):
    assert fields.FIELDS[name].parse_list(text, f"sweep.grid.{name}") == values


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("train.l2", (), "empty"),
        ("train.l2", (0.0, math.nan), "finite"),
        ("train.l2", (0.0, "x"), "a number"),
        ("train.l2", {0.0, 1.0}, "a list of values"),
        ("train.l2", {"a": 1}, "a list of values"),
        ("train.l2", ((0.0, 1.0),), "a number"),
        ("model.kernels", (16, 32), "a list of tuples"),
        ("model.kernels", 16, "a list of values"),
        ("train.batch_size", (8, 16.0), "a whole number"),
    ],
)
def test_a_wrong_list_is_named_with_its_tree(name, value, wanted):
    config = default_config()
    put(config, f"sweep.grid.{name}", value)
    text = message(validate, config)
    assert text.startswith(f"sweep.grid.{name} ")
    assert wanted in text


def test_lists_may_be_arrays_ranges_or_single_values():
    config = default_config()
    config.sweep.grid.train.learning_rate = np.logspace(-3, -1, 3)
    config.sweep.grid.train.batch_size = range(8, 11)
    config.sweep.grid.train.l2 = 1
    assert sweep_tree(config, "grid") == {
        "train.batch_size": (8, 9, 10),
        "train.learning_rate": pytest.approx((1e-3, 1e-2, 1e-1)),
        "train.l2": (1.0,),
    }


@pytest.mark.parametrize(
    ("values", "met"),
    [
        ({}, False),
        ({"train.schedule": "cosine"}, True),
        ({"train.schedule": "step"}, False),
        ({"train.plateau_patience": 1}, True),
        ({"train.schedule": "cosine", "train.plateau_patience": 1}, True),
    ],
)
def test_a_field_with_several_needs_has_effect_where_one_is_met(values, met):
    floor = fields.FIELDS["train.learning_rate_floor"]
    assert floor.has_effect({**flatten(default_config()), **values}) is met
    assert floor.needed == "train.schedule = cosine or train.plateau_patience above 0"
