"""Texts that stand for values: ranges that are drawn from, spaced lists, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_configs import message

from fer_jax.config import fields
from fer_jax.config.draws import MAX_SETTINGS, parse, spelled_out
from fer_jax.config.field import Field
from fer_jax.config.fields import FIELDS

PLACES = np.append(np.linspace(0, 1, 200, endpoint=False), np.nextafter(1, 0))
HELD = (float(np.finfo(np.float32).smallest_normal), float(np.finfo(np.float32).max))
ENDS = {
    # Field -> ends that it may have with each word.
    "train.l2": {"uniform": st.floats(0, 1e30), "log": st.floats(HELD[0] * 1.01, 1e30), "int": st.integers(0, 10**6)},
    "train.learning_rate": {"log": st.floats(1e-30, 10), "uniform": st.floats(1e-30, 10)},
    "train.batch_size": {word: st.integers(1, 65536) for word in ("uniform", "log", "int")},
    "head.max_depth": {"int": st.integers(0, 64), "uniform": st.integers(0, 64)},
    "train.warmup": {"int": st.integers(0, 50)},
    "model.dropout": {"uniform": st.floats(0, 0.99)},
}


@st.composite
def ranges(draw):
    """A field, a word and two ends in order, of which float32 holds both."""
    name = draw(st.sampled_from(list(ENDS)))
    word = draw(st.sampled_from(list(ENDS[name])))
    low, high = sorted(draw(st.tuples(*[ENDS[name][word]] * 2).filter(lambda ends: ends[0] != ends[1])))
    if low and low < HELD[0] or (word == "uniform" and 0 < high < HELD[0]):
        low, high = (0, 1) if name == "train.l2" and word == "uniform" else (0.25, 0.75)
    return name, word, low, high


@settings(max_examples=200, deadline=None, derandomize=True)
@given(ranges(), st.sampled_from((1, 7, 1000)))
def test_what_is_drawn_lies_in_the_range_has_the_fields_type_and_is_held(found, parts):
    name, word, low, high = found
    field = FIELDS[name]
    draw = parse(field, f"  {word}  {low!r} {high!r} ", f"sweep.draw.{name}")
    assert draw.text == f"{word} {low!r} {high!r}"
    values = draw.at(PLACES, parts)
    assert len(values) == len(PLACES)
    for value in values:
        assert type(value) is field.type and low <= value <= high
        assert field.coerce(value) == value
        field.check_held(value)
        assert word != "int" or value == int(value)
    assert all(left <= right for left, right in zip(values, values[1:], strict=False))  # as the places


@settings(max_examples=150, deadline=None, derandomize=True)
@given(ranges(), st.integers(2, 40))
def test_a_spaced_list_goes_from_end_to_end_in_even_steps(found, count):
    name, word, low, high = found
    field, where = FIELDS[name], f"sweep.grid.{name}"
    whole = field.type is int or word == "int"
    text = f"{word} {low!r} {high!r} {count}"
    steps = np.linspace(math.log(low), math.log(high), count) if word == "log" else np.linspace(low, high, count)
    exact = np.exp(steps) if word == "log" else steps
    if whole and len(set(np.floor(exact + 0.5))) < count - 1:  # the last digit decides on a half
        assert "only" in message(spelled_out, field, text, where)
        return
    if whole and np.min(np.diff(exact)) < 1 + 1e-9:
        return
    values = spelled_out(field, text, where)
    assert len(values) == count and (values[0], values[-1]) == (low, high)
    assert all(type(value) is field.type for value in values)
    largest_step = np.max(np.diff(exact))
    if word == "log":
        np.testing.assert_allclose(values, exact, rtol=2e-3, atol=0.51 if whole else 0)
    else:
        np.testing.assert_allclose(values, exact, rtol=0, atol=0.5 + 1e-9 if whole else largest_step * 2e-3 + HELD[0])


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("train.learning_rate", "log 1e-5 1e-1 5", (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)),
        ("train.learning_rate", "log 1e-4 1e-1 4", (1e-4, 1e-3, 1e-2, 1e-1)),
        ("train.learning_rate", "log .001 .01 3", (0.001, 0.003162, 0.01)),  # the root of 10 is 3.16228
        ("train.l2", "uniform 0 .5 6", (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)),
        ("train.l2", "uniform 0 1 4", (0.0, 0.3333, 0.6667, 1.0)),
        ("train.l2", "uniform .123456789 .987654321 2", (0.123456789, 0.987654321)),  # ends stay as they are
        ("train.l2", "uniform 1 1.0001 3", (1.0, 1.00005, 1.0001)),  # as many digits as it takes
        ("train.batch_size", "int 16 128 8", (16, 32, 48, 64, 80, 96, 112, 128)),
        ("train.batch_size", "uniform 1 4 3", (1, 3, 4)),  # 2.5: halves go up
        ("train.batch_size", "log 8 128 5", (8, 16, 32, 64, 128)),
        ("train.batch_size", "log 10 1e3 4", (10, 46, 215, 1000)),  # 46.4 and 215.4
        ("train.warmup", "int 0 4 3", (0.0, 2.0, 4.0)),
        ("train.l2", "  'log 1e-5   1e-1 5' ", (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)),
    ],
)
def test_spaced_lists_by_hand(name, text, values):
    found = spelled_out(FIELDS[name], text, f"sweep.grid.{name}")
    assert found == values and [type(value) for value in found] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model.init", "log 1e-5 1e-1 5"),
        ("data.name", "log"),
        ("model.dense", "int 1 3 3"),
        ("model.batch_norm", "int 0 1 2"),
        ("train.l2", "log"),
        ("train.l2", "1e-3,1e-2"),
        ("train.l2", "1e-3, 1e-2"),
        ("train.l2", None),
        ("train.l2", (0.0, 1.0)),
        ("train.l2", 0.5),
    ],
)
def test_what_is_no_spaced_list_stays_as_it_is(name, value):
    assert spelled_out(FIELDS[name], value, "sweep.grid") is value


def test_shares_of_whole_numbers():
    even = parse(FIELDS["train.batch_size"], "int 3 6", "draw").at(np.arange(400) / 400)
    assert [even.count(value) for value in (3, 4, 5, 6)] == [100] * 4
    assert parse(FIELDS["train.batch_size"], "uniform 3 6", "draw").at(np.arange(400) / 400) == even
    # On a logarithmic scale what rounds to k has the share ln((k + .5) / (k - .5)).
    drawn = parse(FIELDS["train.batch_size"], "log 1 8", "draw").at(np.arange(10_000) / 10_000)
    for value in range(1, 9):
        share = math.log((value + 0.5) / (value - 0.5)) / math.log(8.5 / 0.5)
        assert drawn.count(value) == pytest.approx(10_000 * share, abs=2)


def test_numbers_between_the_ends_are_short():
    values = parse(FIELDS["train.learning_rate"], "log 1e-5 1e-1", "draw").at(PLACES)
    assert all(value == float(f"{value:.3e}") for value in values)
    assert len(set(values)) == len(PLACES)
    narrow = parse(FIELDS["model.dropout"], "uniform .4 .4001", "draw").at(PLACES)
    assert len(set(narrow)) > 150 and all(value == float(f"{value:.6e}") for value in narrow)


def test_what_float32_takes_for_0_is_drawn_as_0():
    assert parse(FIELDS["train.l2"], "uniform 0 2e-38", "draw").at(np.array([0.25, 0.75])) == [0.0, 1.5e-38]


@pytest.mark.parametrize(
    ("name", "text", "choices"),
    [
        ("train.optimizer", "choice adam sgd", ("adam", "sgd")),
        ("train.batch_size", "choice 8 32 128", (8, 32, 128)),
        ("train.l2", "choice 0 1e-4", (0.0, 1e-4)),
        ("model.batch_norm", "choice true False", (True, False)),
        ("model.dense", "choice () (64, 7) [32]", ((), (64, 7), (32,))),
        ("model.init", "choice he_normal 'runs/my run:abc'", ("he_normal", "runs/my run:abc")),
        ("data.classes", "choice (happy,sad) ('angry', 'fear')", (("happy", "sad"), ("angry", "fear"))),
    ],
)
def test_choices(name, text, choices):
    draw = parse(FIELDS[name], text, "draw")
    assert draw.choices == choices
    drawn = draw.at(np.arange(60) / 60)
    assert [drawn.count(choice) for choice in choices] == [60 // len(choices)] * len(choices)
    assert draw.at(np.array([np.nextafter(1, 0)])) == [choices[-1]]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.sampled_from(["train.l2", "train.batch_size", "train.optimizer", "model.dense", "model.init"]),
    st.one_of(
        st.text(max_size=30),
        st.lists(
            st.sampled_from(
                ["log", "uniform", "int", "choice", "1", "0", "-3", "1e400", "nan", ".5", "adam", "(8,)", "("]
            )
        ).map(" ".join),
        st.none(),
        st.integers(),
        st.tuples(st.just("log"), st.floats(), st.floats()),
    ),
)
def test_any_text_is_read_or_refused_in_a_line_that_names_the_field(name, value):
    try:
        draw = parse(FIELDS[name], value, "sweep.draw.here")
    except fields.ConfigError as error:
        assert "sweep.draw.here" in str(error) and "\n" not in str(error)
        assert error.names[0] == "sweep.draw.here"
    else:
        assert parse(FIELDS[name], draw.text, "again") == draw
        assert all(FIELDS[name].coerce(one) == one for one in draw.at(PLACES))
    try:
        spelled_out(FIELDS[name], value, "sweep.grid.here")
    except fields.ConfigError as error:
        assert "sweep.grid.here" in str(error) and "\n" not in str(error)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("train.l2", "log 1e-1 1e-5", "draw = 'log 1e-1 1e-5': the ends are swapped; write 'log 1e-5 1e-1'"),
        ("train.l2", "log 0 1", "draw = 'log 0 1': the ends of log must be above 0; uniform takes a 0"),
        ("train.l2", "log -1 1", "draw = 'log -1 1': the ends of log must be above 0; uniform takes a 0"),
        ("train.l2", "uniform -1 1", "draw = -1.0: must be a number, at least 0"),
        ("model.dropout", "uniform 0 1", "draw = 1.0: must be a number, at least 0 and below 1"),
        ("train.batch_size", "int 0 8", "draw = 0: must be a whole number, at least 1 and at most 65,536"),
        ("train.l2", "unifrom 0 1", "log, uniform, int or choice; did you mean 'uniform', as in 'uniform 0 .5'?"),
        ("train.l2", "LOG 1 2", "begin with log, uniform, int or choice; did you mean 'log', as in 'log 1e-5 1e-1'?"),
        ("train.l2", "1e-5 1e-1", "draw = '1e-5 1e-1': must begin with log, uniform, int or choice"),
        ("train.l2", "log 1e-5", "draw = 'log 1e-5': log needs two ends, as in 'log 1e-5 1e-1'"),
        ("train.l2", "log 1e-5 1 5", "'log 1e-5 1 5': takes two ends; how many points are drawn is search.draws"),
        ("train.l2", "log 1e-5 one", "draw = 'log 1e-5 one': 'one' is no number"),
        ("train.l2", "uniform 0 inf", "draw = 'uniform 0 inf': 'inf' is no number"),
        ("train.l2", "uniform 1 1.0", "draw = 'uniform 1 1.0': the ends are the same; set train.l2 itself"),
        ("train.l2", "int 0 .5", "draw = 'int 0 .5': .5 is no whole number"),
        ("train.batch_size", "log 1.5 8", "draw = 'log 1.5 8': 1.5 is no whole number"),
        ("train.l2", "log 1e-50 1", "draw = 1e-50: becomes 0 in float32"),
        ("train.l2", "uniform 0 1e39", "draw = 1e+39: becomes infinite in float32"),
        ("train.optimizer", "choice adam sdg", "draw = 'sdg': must be adam or adamw or sgd or nesterov or rmsprop or "
                                               "lion (did you mean sgd?)"),
        ("train.l2", "choice 0 x", "draw = 'x': must be a number, at least 0"),
        ("train.l2", "choice 0 1e-50", "draw = 1e-50: becomes 0 in float32"),
        ("train.l2", "choice 0 -0.0", "draw = 'choice 0 -0.0': names -0.0 twice"),
        ("train.l2", "choice 1e-3", "draw = 'choice 1e-3': choice needs two values or more; "
                                    "one alone is set as train.l2 itself"),
        ("data.channels", "int 1 3", "draw = 'int 1 3': data.channels is 1 or 3; write 'choice 1 3'"),
        ("model.init", "log 1 2", "draw = 'log 1 2': model.init is a word; write 'choice A B'"),
        ("model.dense", "int 1 9", "draw = 'int 1 9': model.dense is a tuple"),
        ("train.l2", 0.5, "draw = 0.5: must be a text such as 'log 1e-5 1e-1', 'uniform 0 .5', 'int 16 128', "),
        ("train.l2", "", "draw = '': must be a text such as"),
    ],
)  # fmt: skip
def test_draws_that_are_refused(name, text, words):
    assert words in message(parse, FIELDS[name], text, "draw")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("train.l2", "lgo 1e-5 1 5", "grid = 'lgo 1e-5 1 5': must begin with log, uniform or int; did you mean 'log', "
                                     "as in 'log 1e-5 1e-1 5'?"),
        ("train.l2", "log 1e-5 1", "grid = 'log 1e-5 1': log needs two ends and how many values, as in 'log 1e-5"),
        ("train.l2", "log 1 1e-5 5", "grid = 'log 1 1e-5 5': the ends are swapped; write 'log 1e-5 1 5'"),
        ("train.l2", "log 0 1 5", "grid = 'log 0 1 5': the ends of log must be above 0; uniform takes a 0"),
        ("train.l2", "uniform -1 1 5", "grid = -1.0: must be a number, at least 0"),
        ("train.l2", "uniform 0 1 1", "grid = 'uniform 0 1 1': asks for 1 values: 2 are the fewest, 100,000 the most"),
        ("train.l2", "uniform 0 1 2.5", "grid = 'uniform 0 1 2.5': 2.5 is no whole number"),
        ("train.l2", "uniform 0 1 100001", "grid = 'uniform 0 1 100001': asks for 100,001 values"),
        ("train.l2", "uniform 0 1 1e15", "grid = 'uniform 0 1 1e15': asks for 1,000,000,000,000,000 values"),
        ("train.batch_size", "int 1 3 4", "grid = 'int 1 3 4': of 4 values, rounded, only 3 differ; ask for fewer"),
        ("train.batch_size", "log 1 4 5", "grid = 'log 1 4 5': of 5 values, rounded, only 4 differ; ask for fewer"),
    ],
)  # fmt: skip
def test_spaced_lists_that_are_refused(name, text, words):
    assert words in message(spelled_out, FIELDS[name], text, "grid")
    assert MAX_SETTINGS == 100_000


def test_a_field_of_ones_own_may_have_any_range():
    field = Field("loss.new", 0.0, "shape", "any number")
    assert spelled_out(field, "uniform -1 1 5", "grid") == (-1.0, -0.5, 0.0, 0.5, 1.0)
    wide = parse(field, "uniform -1.5e308 1.5e308", "draw").at(np.array([0.0, 0.5, 0.75]))
    assert wide == [-1.5e308, 0.0, 7.5e307]
    narrow = parse(field, "log 1e-300 1e300", "draw").at(np.array([0.0, 0.5]))
    assert narrow == [1e-300, 1.0]
