"""Races over seeds: against a plain reference with SciPy, and that they hold their error."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps
from scipy import stats

from fer_jax.errors import RunError
from fer_jax.search.racing import EMPTY, ENDED, TIED, TOLD_APART, Look, Race


def reference(scores, first, most, error):
    """Returns (seeds, leader, {left: p}) of each look, where nothing is missing."""
    points = set(range(len(scores)))
    looks = range(max(first, 2), most + 1)
    level = error / len(looks) / (len(scores) - 1)
    found = []
    for seeds in looks:
        leader = max(points, key=lambda point: scores[point, :seeds].mean())
        p = {
            point: stats.ttest_rel(scores[leader, :seeds], scores[point, :seeds], alternative="greater").pvalue
            for point in points - {leader}
        }
        left = {point: each for point, each in p.items() if each <= level}
        points -= set(left)
        found.append((seeds, leader, left))
        if len(points) == 1:
            break
    return found


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("first", [1, 3])
def test_a_race_is_that_of_a_plain_reference(seed, first):
    draws = np.random.default_rng(seed)
    scores = 0.8 + 0.02 * draws.standard_normal((12, 1)) + 0.005 * draws.standard_normal((12, 9))
    race = Race(12, first, 9, 0.05).after(scores)
    expected = reference(scores, first, 9, 0.05)
    assert [(look.seeds, look.leader) for look in race.looks] == [look[:2] for look in expected]
    for look, (*_, left) in zip(race.looks, expected, strict=True):
        assert dict(look.left) == pytest.approx(left)
    assert race.outcome == (TOLD_APART if len(race.racing) == 1 else ENDED)
    assert sum(len(look.left) for look in race.looks) > 3


def test_the_level_by_hand():
    assert Race(5, 1, 10, 0.05).level == pytest.approx(0.05 / (9 * 4))  # looks at 2 to 10 seeds
    assert Race(21, 4, 10, 0.1).level == pytest.approx(0.1 / (7 * 20))
    assert Race(2, 3, 4, 0.5).level == 0.25


@pytest.mark.parametrize("spread", [(0.0,) * 6, (0.3,) * 5 + (0.0,), (0.3, 0.3, 0.2, 0.2, 0.1, 0.0)])
def test_a_race_throws_the_best_out_no_more_often_than_its_error(spread):
    """500 races of six points of which the first, or each, is the best; seeds are shared."""
    draws, error, lost = np.random.default_rng(5), 0.2, 0
    for _ in range(500):
        noise = draws.standard_normal((6, 8)) + draws.standard_normal(8)
        race = Race(6, 1, 8, error).after(noise - np.array(spread)[:, None] + max(spread))
        lost += spread.index(min(spread)) not in race.racing
    assert lost <= stats.binom.ppf(0.999, 500, error)


def test_points_that_are_clearly_worse_leave_early_and_are_told_apart():
    draws, seeds, decided = np.random.default_rng(6), 0, 0
    for _ in range(500):
        means = np.array([0.0, *(-10.0,) * 9])
        race = Race(10, 1, 10, 0.05).after(means[:, None] + draws.standard_normal((10, 10)))
        decided += race.outcome == TOLD_APART and race.racing == (0,)
        seeds += race.looks[-1].seeds
    assert decided == 500
    assert seeds / 500 < 7 and seeds / 500 > 2


@given(
    nps.arrays(np.float64, (5, 7), elements=st.sampled_from([0.1, 0.2, 0.25, 0.4, math.nan, -math.inf])),
    st.integers(1, 3),
    st.integers(2, 7),
)
def test_looks_made_with_fewer_seeds_are_those_made_with_all(scores, first, stop):
    """A race that waits for seeds and goes on decides as one that has had them all along."""
    known = scores.copy()
    known[:, stop:] = math.nan
    half = Race(5, first, 7, 0.3).after(known)
    whole = half.after(scores)
    assert repr(whole) == repr(Race(5, first, 7, 0.3).after(scores))  # a NaN is not equal to itself
    assert whole.racing
    if not whole.outcome:
        assert np.isnan(scores[list(whole.racing), : whole.next_look]).any()
    record = {**whole.to_record(), "points": [{}] * 5}
    assert repr(Race.from_record(record)) == repr(whole)


def test_what_was_decided_stays_whatever_the_scores_say_later():
    scores = np.array([[0.9, 0.91, 0.9, 0.92], [0.1, 0.13, 0.1, 0.13], [0.9, 0.89, 0.91, 0.90]])
    race = Race(3, 1, 4, 0.5).after(scores[:, :3])
    assert race.racing == (0, 2)
    other = scores[[1, 0, 2]]
    assert race.after(other).looks[:2] == race.looks


def test_a_point_leaves_by_a_seed_without_a_result_unless_all_lack_it():
    lost = -math.inf
    scores = np.array([[0.5, lost, 0.5, 0.6], [0.4, lost, 0.7, 0.5], [lost, 0.9, 0.9, 0.9], [0.6, lost, lost, 0.4]])
    race = Race(4, 1, 4, 0.05).after(scores)
    assert [(look.seeds, [point for point, _ in look.left]) for look in race.looks] == [(2, [2]), (3, [3]), (4, [])]
    assert all(math.isnan(p) for look in race.looks for _, p in look.left)
    # Over seeds 1, 3 and 4, which both have, the means are 1.6 / 3 each.
    assert race.looks[2].leader == 0 and race.racing == (0, 1) and race.outcome == TIED


def test_how_a_race_ends():
    equal = np.tile([0.5, 0.6, 0.7], (3, 1))
    tied = Race(3, 1, 3, 0.05).after(equal)
    assert tied.outcome == TIED and tied.racing == (0, 1, 2)
    # One difference in every seed has no spread to judge by: nobody leaves, and nobody is tied.
    shifted = Race(2, 1, 3, 0.05).after(np.array([[0.5, 0.75, 0.25], [0.25, 0.5, 0.0]]))
    assert shifted.outcome == ENDED and shifted.racing == (0, 1)
    assert Race(2, 2, 3, 0.05).after(np.full((2, 2), math.nan)) == Race(2, 2, 3, 0.05)
    assert Race(2, 2, 3, 0.05).outcome == "" and Race(2, 2, 3, 0.05).next_look == 2
    assert Race(2, 1, 3, 0.05).next_look == 2
    assert Race(1, 1, 3, 0.05).outcome == TOLD_APART and Race(0, 1, 3, 0.05).outcome == EMPTY


@pytest.mark.parametrize(
    "change",
    [
        {"looks": [{"seeds": 2, "leader": 9, "left": [], "tied": False}]},
        {"looks": [{"seeds": 2, "leader": 0, "left": [[0, 0.1], [1, 0.1]], "tied": False}]},
        {"looks": [{}]},
        {"looks": 3},
        {"first": 9},
        {"points": None},
    ],
)
def test_a_record_that_is_none_is_refused_in_a_line(change):
    record = {**Race(2, 1, 4, 0.05, (Look(2, 1, ((0, 0.001),), False),)).to_record(), "points": [{}, {}]}
    assert Race.from_record(record).racing == (1,)
    with pytest.raises(RunError, match=r"its race is not as this program writes it \(.*\); restore it"):
        Race.from_record({**record, **change})
