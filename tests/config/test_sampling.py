"""Points that are drawn: ranges, marginals, first points of more, and grids by hand."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import qmc
from small_configs import message

from fer_jax.config.draws import parse
from fer_jax.config.fields import FIELDS
from fer_jax.config.sampling import drawn, places

TEXTS = {
    "train.learning_rate": "log 1e-5 1e-1",
    "train.l2": "uniform 0 .5",
    "train.batch_size": "int 8 128",
    "train.optimizer": "choice adam sgd lion",
}
KINDS = ("random", "sobol", "halton", "latin")


def draws(texts=None):
    return {name: parse(FIELDS[name], text, f"sweep.draw.{name}") for name, text in (texts or TEXTS).items()}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.sampled_from(KINDS),
    st.integers(1, 70),
    st.integers(0, 2**31 - 1),
    st.sets(st.sampled_from(list(TEXTS)), min_size=1),
)
def test_drawing_is_a_function_whose_values_lie_in_range(kind, number, seed, names):
    texts = {name: TEXTS[name] for name in TEXTS if name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        points = drawn(draws(texts), kind, number, seed)
        places.cache_clear()
        assert drawn(draws(texts), kind, number, seed) == points
    assert len(points) <= number and len({tuple(point.items()) for point in points}) == len(points)
    for point in points:
        assert tuple(point) == tuple(texts)
        assert all(type(value) is FIELDS[name].type for name, value in point.items())
        assert 1e-5 <= point.get("train.learning_rate", 1e-3) <= 1e-1
        assert 0 <= point.get("train.l2", 0) <= 0.5
        assert 8 <= point.get("train.batch_size", 8) <= 128
        assert point.get("train.optimizer", "adam") in ("adam", "sgd", "lion")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from(("random", "sobol", "halton")), st.integers(1, 60), st.integers(1, 60), st.integers(0, 100))
def test_the_first_of_more_draws_are_the_same_points(kind, number, more, seed):
    few, many = (drawn(draws(), kind, count, seed) for count in (number, number + more))
    assert many[: len(few)] == few
    whole = {"train.batch_size": "int 1 5"}  # of which many draws are equal
    few, many = (drawn(draws(whole), kind, count, seed) for count in (number, number + more))
    assert many[: len(few)] == few and len(many) <= 5


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(1, 400), st.integers(0, 1000))
def test_latin_has_every_part_of_every_range_once(number, seed):
    cube = places("latin", number, 3, seed)
    assert np.array_equal(np.sort(np.floor(cube * number), axis=0), np.arange(number)[:, None].repeat(3, axis=1))
    scales = {"train.learning_rate": "log 1e-5 1e-1", "train.l2": "uniform 0 .5"}
    points = drawn(draws(scales), "latin", number, seed)
    assert len(points) == number
    rates = np.sort(np.log([point["train.learning_rate"] for point in points]))
    decays = np.sort([point["train.l2"] for point in points])
    parts = np.arange(number + 1) / number
    for values, low, high in ((rates, np.log(1e-5), np.log(1e-1)), (decays, 0, 0.5)):
        ends = low + parts * (high - low)
        slack = 2e-3 * (high - low) / number  # what rounding may move
        assert np.all(values >= ends[:-1] - slack) and np.all(values <= ends[1:] + slack)


def test_latin_draws_each_whole_number_of_a_range_as_often():
    points = drawn(draws({"train.batch_size": "int 1 6", "train.l2": "uniform 0 1"}), "latin", 60, 3)
    assert [sum(point["train.batch_size"] == size for point in points) for size in range(1, 7)] == [10] * 6


@pytest.mark.parametrize("kind", ["sobol", "halton"])
def test_sequences_fill_the_space_more_evenly_than_independent_draws(kind):
    uneven = qmc.discrepancy(places("random", 64, 3, 0))
    assert qmc.discrepancy(places(kind, 64, 3, 0)) < uneven / 4


def test_a_scrambled_sobol_sequence_has_one_point_in_every_half_quarter_and_eighth():
    cube = places("sobol", 8, 4, 5)
    assert np.array_equal(np.sort(np.floor(cube * 8), axis=0), np.arange(8)[:, None].repeat(4, axis=1))


def test_seeds_and_kinds_draw_other_points():
    found = {drawn_key(kind, seed) for kind in KINDS for seed in (0, 1)}
    assert len(found) == 8


def drawn_key(kind, seed):
    return tuple(tuple(point.values()) for point in drawn(draws(), kind, 5, seed))


@pytest.mark.parametrize(
    ("kind", "cube"),
    [
        ("random", [(0.636961687, 0.269786714), (0.040973524, 0.016527636)]),
        ("sobol", [(0.409949589, 0.964120219), (0.721911659, 0.107524777)]),
        ("halton", [(0.707224836, 0.469079670), (0.207224836, 0.802413004)]),
        ("latin", [(0.028531224, 0.341831424), (0.638828706, 0.937198457)]),
    ],
)
def test_points_are_fixed_for_good(kind, cube):
    """Ids of stored trials hang on them: no other NumPy or SciPy may draw others unnoticed.

    SciPy 1.13 with NumPy 2.0 and 1.17 with 2.4 gave these.
    """
    np.testing.assert_allclose(places(kind, 2, 2, 0), cube, rtol=0, atol=1e-9)
    texts = {name: TEXTS[name] for name in ("train.learning_rate", "train.l2")}
    assert [tuple(point.values()) for point in drawn(draws(texts), kind, 2, 0)] == [
        (pytest.approx(10 ** (-5 + 4 * first), rel=1e-3), pytest.approx(second / 2, rel=1e-3)) for first, second in cube
    ]


def test_grids_by_hand():
    def grid(number, **texts):
        named = {name.replace("__", "."): text for name, text in texts.items()}
        return [tuple(point.values()) for point in drawn(draws(named), "grid", number, 7)]

    lines = {"train__learning_rate": "log 1e-5 1e-1", "train__l2": "uniform 0 .5"}
    assert grid(3, train__learning_rate="log 1e-5 1e-1") == [(1e-5,), (1e-3,), (1e-1,)]
    assert grid(8, **lines) == [(1e-5, 0.0), (1e-5, 0.5), (1e-1, 0.0), (1e-1, 0.5)]  # 2 x 2; 3 x 3 are too many
    assert grid(9, **lines) == [(rate, decay) for rate in (1e-5, 1e-3, 1e-1) for decay in (0.0, 0.25, 0.5)]
    assert len(grid(15, **lines)) == 9 and len(grid(16, **lines)) == 16
    assert grid(11, train__optimizer="choice adam sgd", train__l2="uniform 0 1") == [
        (word, decay) for word in ("adam", "sgd") for decay in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert grid(99, train__optimizer="choice adam sgd") == [("adam",), ("sgd",)]
    assert grid(10, train__batch_size="int 1 3") == [(1,), (2,), (3,)]  # ten levels, of which three differ


@pytest.mark.parametrize(
    ("number", "texts", "words"),
    [
        (1, {"train.l2": "uniform 0 1"}, "search.draws = 1: the smallest grid, 2 levels of train.l2, has 2 points"),
        (
            5,
            {"train.optimizer": "choice adam sgd", "train.learning_rate": "log 1e-5 1", "train.l2": "uniform 0 1"},
            "search.draws = 5: the smallest grid, 2 levels of train.learning_rate and train.l2 x every choice of "
            "train.optimizer, has 8 points; draw as many or set search.kind = random",
        ),
        (1, {"train.optimizer": "choice adam sgd"}, "the smallest grid, every choice of train.optimizer, has 2 points"),
    ],
)
def test_fewer_draws_than_the_smallest_grid_are_refused(number, texts, words):
    assert words in message(drawn, draws(texts), "grid", number, 0)


def test_nothing_is_drawn_from_nothing():
    assert drawn({}, "random", 8, 0) == ()
