"""Rungs and brackets, against numbers by hand and a plain reference of successive halving."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_jax.search.rungs import Halving, assigned, ladder


@pytest.mark.parametrize(
    ("epochs", "first", "factor", "expected"),
    [
        (50, 4, 3, (4, 12, 50)),
        (81, 1, 3, (1, 3, 9, 27, 81)),
        (12, 1, 2, (1, 2, 4, 12)),
        (5, 3, 2, (5,)),
        (6, 3, 2, (3, 6)),
        (1, 1, 2, (1,)),
    ],
)
def test_rungs_grow_by_the_factor_and_end_with_the_training(epochs, first, factor, expected):
    assert ladder(epochs, first, factor) == expected


def test_oslos_grid_of_125_points_by_hand():
    search = Halving.of(125, 50, (4, 3))
    assert search.sizes() == [125, 42, 14]
    assert search.passes() == 125 * 4 + 42 * 8 + 14 * 38


def test_hyperbands_brackets_have_its_shares():
    # Table 1 of Hyperband (R = 81, factor 3) begins with 81, 34, 15, 8 and 5 points.
    found = np.bincount(assigned(143, 5, 5, 3, seed=0))
    assert found.tolist() == [81, 34, 15, 8, 5]
    assert (assigned(143, 5, 5, 3, seed=0) == assigned(143, 5, 5, 3, seed=0)).all()
    assert (assigned(143, 5, 5, 3, seed=0) != assigned(143, 5, 5, 3, seed=1)).any()


def replay(search, curves):
    """Returns the epochs after which each point leaves, by the class under test."""
    points = len(curves)
    left, here = np.zeros(points, int), np.zeros(points, bool)
    for rung, epochs in enumerate(search.epochs):
        here |= search.brackets == rung
        leaves = search.leaving(rung, curves[:, epochs - 1], here)
        left[leaves] = epochs
        here &= ~leaves
    left[here] = search.epochs[-1]
    return left


def plain(curves, first, factor, epochs):
    """Successive halving as one would write it down: sort, keep a share, go on."""
    alive, length, left = list(range(len(curves))), first, {}
    while length * factor <= epochs:
        ranked = sorted(alive, key=lambda point: (-curves[point][length - 1], point))
        kept = ranked[: math.ceil(len(alive) / factor)]
        left.update(dict.fromkeys(set(alive) - set(kept), length))
        alive, length = sorted(kept), length * factor
    left.update(dict.fromkeys(alive, epochs))
    return [left[point] for point in range(len(curves))]


@given(st.data(), st.integers(1, 30), st.integers(1, 20), st.integers(1, 5), st.integers(2, 4))
def test_it_decides_as_plain_successive_halving(data, points, epochs, first, factor):
    first = min(first, epochs)
    rows = st.lists(st.integers(0, 9), min_size=epochs, max_size=epochs)
    curves = np.array(data.draw(st.lists(rows, min_size=points, max_size=points)), float)
    search = Halving.of(points, epochs, (first, factor))
    assert replay(search, curves).tolist() == plain(curves, first, factor, epochs)
    sizes = np.bincount(np.searchsorted(search.epochs, replay(search, curves)), minlength=len(search.epochs))
    assert search.sizes() == sizes[::-1].cumsum()[::-1].tolist()
    assert search.passes() == replay(search, curves).sum()


@given(st.integers(1, 60), st.integers(1, 5), st.integers(0, 3))
def test_every_bracket_is_a_halving_of_its_own(points, brackets, seed):
    search = Halving.of(points, 81, (1, 3), brackets, seed)
    curves = np.random.default_rng(seed).random((points, 81))
    left = replay(search, curves)
    for bracket in range(brackets):
        members = search.brackets == bracket
        assert left[members].tolist() == plain(curves[members], 3**bracket, 3, 81)
    assert search.passes() == left.sum()


def test_diverged_points_leave_first_and_the_earlier_of_equals_stays():
    search = Halving.of(4, 4, (1, 2))
    scores = np.array([np.nan, 0.5, 0.5, 0.5])
    assert search.leaving(0, scores, np.ones(4, bool)).tolist() == [True, False, False, True]
    assert not search.leaving(len(search.epochs) - 1, scores, np.ones(4, bool)).any()


def test_means_that_differ_by_rounding_are_equal():
    search = Halving.of(2, 4, (1, 2))
    scores = np.array([0.1 + 0.2, 0.3])
    assert scores[0] != scores[1]
    assert search.leaving(0, scores, np.ones(2, bool)).tolist() == [False, True]
    assert search.leaving(0, scores[::-1], np.ones(2, bool)).tolist() == [False, True]
