"""Halving on recorded curves, against halving as one would write it down."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from searched_runs import grid, halved

from fer_jax.analysis.ranking import rank_points
from fer_jax.search import history, replay
from fer_jax.search.rungs import Halving


def gather(run):
    return rank_points(run.record, run.trials, run.curves, "a run")


def test_a_late_bloomer_is_missed_by_hand():
    # Of six points three go on after one epoch, and the last, the best in the end, is none of them.
    scores = np.array([
        [0.5, 0.5, 0.5, 0.6], [0.4, 0.6, 0.6, 0.7], [0.3, 0.3, 0.3, 0.3],
        [0.2, 0.2, 0.2, 0.2], [0.1, 0.1, 0.1, 0.8], [0.0, 0.9, 0.9, 0.9],
    ])  # fmt: skip
    found = replay.replay(scores, Halving.of(6, 4, (1, 2)))
    assert found.stopped.tolist() == [4, 4, 2, 1, 1, 1]
    assert (found.chosen, found.best, found.place) == (1, 5, 3)
    assert found.regret == pytest.approx(0.2) and found.share == pytest.approx(13 / 24)
    everyone = replay.replay(scores, Halving.of(6, 4, (4, 2)))
    assert (everyone.chosen, everyone.regret, everyone.share, everyone.place) == (5, 0, 1, 1)


def test_points_without_a_score_come_last():
    scores = np.array([[0.1, 0.2], [np.nan, np.nan], [0.3, np.nan], [0.2, 0.1]])
    found = replay.replay(scores, Halving.of(4, 2, (1, 2)))
    assert found.stopped.tolist() == [1, 1, 2, 2] and (found.chosen, found.best) == (3, 0)
    assert replay.replay(np.full((3, 2), np.nan), Halving.of(3, 2, (1, 2))) is None
    assert replay.replay(np.array([[0.1, 0.2], [0.3, np.nan]]), Halving.of(2, 2, (1, 2))) is None


@given(st.integers(2, 30), st.integers(2, 20), st.integers(1, 3), st.integers(2, 4), st.integers(0, 9))
def test_costs_and_regrets_are_those_of_the_numbers(points, epochs, first, factor, seed):
    scores = np.maximum.accumulate(np.random.default_rng(seed).random((points, epochs)), axis=1)
    search = Halving.of(points, epochs, (min(first, epochs), factor))
    found = replay.replay(scores, search)
    assert found.stopped.sum() == search.passes()
    assert found.stopped[found.chosen] == epochs and found.regret >= 0
    assert (found.place == 1) == (found.regret == 0)
    assert found.best_score == scores[:, -1].max()


def test_a_full_grid_tells_what_a_halved_run_finds():
    run = grid(repeats=2)
    found = replay.of_full_grid(gather(run))
    other = history.of_ranking(gather(halved(run, *history.usual_rungs(12))))
    np.testing.assert_array_equal(
        np.where(other.left < 0, 12, np.array(other.halving.epochs)[other.left]), found.stopped
    )
    assert found.stopped.sum() * 2 == other.trained


@pytest.mark.parametrize("spoil", ["halved", "running", "without curves", "one epoch", "one point"])
def test_what_is_no_full_grid_tells_nothing(spoil):
    run = grid(epochs=1 if spoil == "one epoch" else 12)
    if spoil == "halved":
        run = halved(run, 1, 3)
    elif spoil == "running":
        run.trials.loc[3, "status"] = "running"
    elif spoil == "without curves":
        run.curves = run.curves[run.curves["id"] != run.trials["id"][3]]
    elif spoil == "one point":
        run.trials = run.trials.iloc[:1]
    assert replay.of_full_grid(gather(run)) is None


def test_a_point_that_diverged_is_part_of_a_full_grid():
    run = grid()
    run.trials.loc[3, ["status", "diverged_epoch", "epochs"]] = ["diverged", 1, 1]
    run.curves = run.curves[(run.curves["id"] != run.trials["id"][3]) | (run.curves["epoch"] <= 1)]
    found = replay.of_full_grid(gather(run))
    assert found.stopped[3] == 1 and len(found.stopped) == 15


def test_means_that_differ_by_rounding_are_no_regret():
    search = Halving.of(3, 3, (1, 3))
    scores = np.array([[0.3, 0.3, 0.8], [0.2, 0.2, 0.8 + 1e-16], [0.1, 0.1, 0.8 + 2e-16]])
    found = replay.replay(scores, search)
    assert (found.chosen, found.best, found.place, found.regret) == (0, 0, 1, 0.0)
    scores[2, 2] = 0.81
    found = replay.replay(scores, search)
    assert (found.chosen, found.best, found.place) == (0, 2, 2)
