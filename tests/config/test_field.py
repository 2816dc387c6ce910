"""One field: what its values may be, and how text becomes one."""

import math

import numpy as np
import pytest
from small_configs import message

from fer_jax.config import fields
from fer_jax.config.field import Field, FieldError
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
    for end, is_open, inward in ((field.low, field.low_open, 1), (field.high, field.high_open, -1)):
        if end is None or field.choices:
            continue
        if field.item_type is int:
            inside, beyond = end + inward, end - inward
        else:
            inside, beyond = (math.nextafter(end, side * math.inf) for side in (inward, -inward))
        for value in (beyond, end) if is_open else (beyond,):
            with pytest.raises(FieldError):
                field.coerce(field.item_type(value))
        field.coerce(field.item_type(inside if is_open else end))


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


SINGLE = [name for name, field in fields.FIELDS.items() if field.is_single]


def test_every_traced_number_and_those_of_boosting_are_single():
    traced = [name for name, field in fields.FIELDS.items() if field.kind == "traced" and field.item_type is float]
    boosted = ("eta", "reg_lambda", "gamma", "subsample", "colsample_bytree", "min_child_weight")
    assert set(SINGLE) == {*traced, *(f"head.{name}" for name in boosted)}


@pytest.mark.parametrize(
    ("name", "value", "became", "nearest"),
    [
        ("train.learning_rate", 1e39, "infinite", "3.4028235e+38"),
        ("train.learning_rate", 1e-320, "0", "1.1754944e-38"),
        ("train.beta2", 0.9999999999999999, "1, which is out of range,", "0.99999994"),
        ("train.beta1", 0.99999999, "1, which is out of range,", "0.99999994"),
        ("model.dropout", 0.99999999, "1, which is out of range,", "0.99999994"),
        ("train.l2", 1e-320, "0", "0.0"),
        ("train.l2", 1.1e-38, "0", "1.1754944e-38"),  # XLA takes what lies below 2^-126 for 0
        ("train.clip_norm", 1e300, "infinite", "3.4028235e+38"),
        ("train.block_rates", (1.0, 1e39), "infinite", "3.4028235e+38"),
        ("phases.rates", (1e-3, 1e-50), "0", "1.1754944e-38"),
        ("head.eta", 1e-38, "0", "1.1754944e-38"),
        ("head.reg_lambda", 1e39, "infinite", "3.4028235e+38"),
    ],
)
def test_a_number_that_float32_cannot_hold_is_named_with_the_nearest_that_it_can(name, value, became, nearest):
    field = fields.FIELDS[name]
    given = value[-1] if isinstance(value, tuple) else value
    assert message(field.check_held, field.coerce(value)) == (
        f"{name} = {given}: becomes {became} in float32; the nearest that can be held is {nearest}"
    )
    field.check_held(field.coerce(float(nearest)))


@pytest.mark.parametrize("name", SINGLE)
def test_what_every_single_field_holds_stays_in_its_range(name):
    """In 1,000 numbers from all over its range, those that pass are in range as float32 too."""
    field, rng = fields.FIELDS[name], np.random.default_rng(0)
    high = field.high or 1e60
    drawn = np.concatenate(
        [10.0 ** rng.uniform(-60, math.log10(high), 500), high * (1 - 10.0 ** rng.uniform(-18, 0, 500))]
    )
    held = 0
    for value in drawn.tolist():
        try:
            value = field.coerce(value)
            field.check_held(value)
        except FieldError:
            continue
        held += 1
        (found,) = np.atleast_1d(field.held(value))
        assert np.isfinite(found) and (found == 0) == (value in (0, (0.0,)))
        field.coerce(float(found))
    assert held > 100


def test_a_seed_beyond_int32_is_refused_and_so_is_a_traced_count():
    assert "at most 2,147,483,647" in message(fields.FIELDS["train.seed"].coerce, 2**40)
    assert "at least 0" in message(fields.FIELDS["train.seed"].coerce, -1)
    mine = Field("train.mine", 1, "traced", "a field of one's own without bounds")
    assert message(mine.check_held, 2**40) == (
        "train.mine = 1099511627776: does not fit into int32; the nearest that does is 2147483647"
    )
    mine.check_held(2**31 - 1)
