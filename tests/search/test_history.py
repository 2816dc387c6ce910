"""What a halved run's tables say of who left when, against halving as one would write it down."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from searched_runs import best_until, grid, halved

from fer_jax.analysis.ranking import rank_points
from fer_jax.search import history, replay
from fer_jax.search.rungs import Halving


def gather(run):
    return rank_points(run.record, run.trials, run.curves, "a run")


def with_brackets(points, epochs, halving, brackets, scores):
    """The status and epochs of points, one trial each, by `Halving` and a table of scores."""
    search = Halving.of(points, epochs, halving, brackets)
    left, here = np.full(points, -1), np.zeros(points, bool)
    for rung, end in enumerate(search.epochs):
        here |= search.brackets == rung
        leaves = search.leaving(rung, scores[:, end - 1], here)
        left[leaves], here = rung, here & ~leaves
    return search, left


@pytest.mark.parametrize(("repeats", "select"), [(1, "val_accuracy"), (3, "val_accuracy")])
def test_who_left_when(repeats, select):
    run = halved(grid(repeats), 1, 3)
    found = history.of_ranking(gather(run))
    assert found.halving.epochs == (1, 3, 12)
    assert {n: found.halving.epochs[r] for n, r in enumerate(found.left) if r >= 0} == run.left
    assert set(found.why[found.left >= 0]) == {"pruned"} and set(found.why[found.left < 0]) == {""}
    for point, ids in enumerate(run.groups):
        for rung, end in enumerate(found.halving.epochs):
            reached = run.left.get(point, 12) >= end
            wanted = best_until(run, ids, end) if reached else np.nan
            assert found.scores[point, rung] == pytest.approx(wanted, nan_ok=True)
    one, two, three = found.stretches()
    assert [(s.trained, s.went_on) for s in (one, two, three)] == [(15, 5), (5, 2), (2, None)]
    assert [s.passes for s in (one, two, three)] == [15 * repeats, 10 * repeats, 18 * repeats]
    assert found.trained == 43 * repeats and found.full == 180 * repeats
    kept = [best_until(run, ids, 1) for point, ids in enumerate(run.groups) if run.left.get(point) != 1]
    gone = [best_until(run, ids, 1) for point, ids in enumerate(run.groups) if run.left.get(point) == 1]
    assert (one.worst_kept, one.best_left) == pytest.approx((min(kept), max(gone)))
    assert np.isnan([three.worst_kept, three.best_left]).all()


def with_later_seeds(run, repeats):
    """The run with one more trial, with better curves, of each point that is done."""
    per_point = np.arange(len(run.trials)) % repeats
    trials = run.trials.assign(repeat=per_point)
    last = trials[(trials["status"] == "done") & (per_point == repeats - 1)]
    more = last.assign(id="more" + last["id"], seed=repeats, repeat=repeats)
    curves = run.curves[run.curves["id"].isin(last["id"])]
    curves = curves.assign(id="more" + curves["id"], val_accuracy=1.0)
    record = {**run.record, "config": {**run.record["config"], "sweep": {"repeats": repeats}}}
    both = [pd.concat(pair).reset_index(drop=True) for pair in ((trials, more), (run.curves, curves))]
    return SimpleNamespace(record=record, trials=both[0], curves=both[1])


@pytest.mark.parametrize("repeats", [1, 2])
def test_later_seeds_of_the_best_points_decided_nothing_at_a_rung(repeats):
    run = halved(grid(repeats), 1, 3)
    alone, found = (history.of_ranking(gather(each)) for each in (run, with_later_seeds(run, repeats)))
    assert np.array_equal(found.scores, alone.scores, equal_nan=True)
    assert found.left.tolist() == alone.left.tolist()
    assert (found.trained, found.full) == (alone.trained, alone.full)
    assert [s.passes for s in found.stretches()] == [s.passes for s in alone.stretches()]
    run = with_later_seeds(grid(repeats), repeats)  # of every point, here
    would = replay.of_full_grid(gather(run))
    assert would.best_score < 1 and would.regret == replay.of_full_grid(gather(grid(repeats))).regret


def test_brackets_are_compared_by_themselves():
    run = grid()
    scores = history.best_so_far(gather(run), 12)
    search, left = with_brackets(15, 12, (1, 3), 2, scores)
    run.record["config"] |= {"search.halving": [1, 3], "search.brackets": 2}
    for point, rung in enumerate(left):
        if rung >= 0:
            run.trials.loc[point, ["status", "epochs"]] = ["pruned", search.epochs[rung]]
            run.curves = run.curves[
                (run.curves["id"] != run.trials["id"][point]) | (run.curves["epoch"] <= search.epochs[rung])
            ]
    found = history.of_ranking(gather(run))
    np.testing.assert_array_equal(found.left, left)
    stretches = list(found.stretches())
    assert [(s.bracket, s.rung) for s in stretches] == [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2)]
    assert sum(s.passes for s in stretches) == found.trained == search.passes()
    for one, after in zip(stretches, stretches[1:], strict=False):
        assert one.bracket != after.bracket or one.went_on == after.trained
        assert one.went_on is None or one.worst_kept >= one.best_left


def test_a_run_under_way_says_no_more_than_is_decided():
    run = halved(grid(), 1, 3)
    waiting = run.trials["epochs"] > 1
    run.trials.loc[waiting, ["status", "epochs"]] = ["paused", 1]
    run.trials.loc[~waiting, "status"] = "paused"
    run.curves = run.curves[run.curves["epoch"] <= 1]
    (only,) = history.of_ranking(gather(run)).stretches()
    assert (only.trained, only.went_on, only.passes) == (15, None, 15) and np.isnan(only.worst_kept)
    run.trials.loc[~waiting, "status"] = "pruned"
    run.trials.loc[waiting, "status"] = "running"
    first, second = history.of_ranking(gather(run)).stretches()
    assert (first.went_on, second.trained, second.went_on, second.passes) == (5, 5, None, 0)


def test_trials_that_diverge_leave_the_mean_and_points_of_them_the_race():
    run = grid(repeats=2)
    run.record["config"]["search.halving"] = [4, 3]
    run.trials.loc[[0, 2, 3], ["status", "diverged_epoch", "epochs"]] = ["diverged", 3, 3]
    gone = run.trials["id"][[0, 2, 3]]
    run.curves = run.curves[~run.curves["id"].isin(gone) | (run.curves["epoch"] <= 3)]
    scores = history.best_so_far(gather(run), 12)
    own = run.curves.set_index(["id", "epoch"])["val_accuracy"]
    first, second = run.trials["id"][[0, 1]]
    assert scores[0, 1] == pytest.approx((own[first][:2].max() + own[second][:2].max()) / 2)
    assert scores[0, 2] == pytest.approx(own[second][:3].max()) and np.isnan(scores[1, 2:]).all()
    found = history.of_ranking(gather(run))
    assert (found.left[1], found.why[1]) == (0, "diverged") and found.left[0] == history.STAYS


def test_losses_are_better_low_and_stopped_trials_keep_their_best():
    run = grid(train__select="val_loss")
    run.curves = run.curves[(run.curves["id"] != run.trials["id"][0]) | (run.curves["epoch"] <= 5)]
    run.trials.loc[0, "epochs"] = 5
    scores = history.best_so_far(gather(run), 12)
    own = run.curves.set_index("id")["val_loss"]
    assert scores[0, 11] == pytest.approx(-own[run.trials["id"][0]].min())
    assert scores[4, 2] == pytest.approx(-own[run.trials["id"][4]].iloc[:3].min())


def test_a_point_whose_trials_stopped_early_leaves_at_the_rung_that_dropped_it():
    run = halved(grid(), 1, 3)
    point = next(number for number, end in run.left.items() if end == 3)
    run.trials.loc[point, ["epochs", "pruned_epoch"]] = [1, 3]
    run.curves = run.curves[(run.curves["id"] != run.trials["id"][point]) | (run.curves["epoch"] <= 1)]
    found = history.of_ranking(gather(run))
    assert {n: found.halving.epochs[r] for n, r in enumerate(found.left) if r >= 0} == run.left
    assert found.scores[point, 1] == found.scores[point, 0] and np.isnan(found.scores[point, 2])
    assert [(s.trained, s.went_on) for s in found.stretches()] == [(15, 5), (5, 2), (2, None)]


def test_without_halving_or_one_length_there_is_no_history():
    assert history.of_ranking(gather(grid())) is None
    run = grid()
    run.record["config"]["search.halving"] = [1, 3]
    run.record["swept"].append("train.epochs")
    run.trials["train.epochs"] = [6, 12, 12] * 5
    assert history.one_length(gather(run)) is None and history.of_ranking(gather(run)) is None


def test_rank_correlations_are_scipys_over_points_with_both():
    rng = np.random.default_rng(0)
    scores = rng.random((20, 3))
    scores[12:, 1] = scores[4:, 2] = np.nan
    found = history.rank_correlations(scores, (2, 6, 18)).set_index(["epochs", "later_epochs"])
    assert found["n"].tolist() == [12, 4, 4] and found["of"].tolist() == [20, 20, 12]
    assert found.loc[(2, 6), "spearman"] == pytest.approx(stats.spearmanr(scores[:12, 0], scores[:12, 1])[0])
    assert found.loc[(6, 18), "spearman"] == pytest.approx(stats.spearmanr(scores[:4, 1], scores[:4, 2])[0])
    scores[2:, 2] = np.nan
    scores[:, 1] = 0.5
    assert history.rank_correlations(scores, (2, 6, 18))["spearman"].isna().all()


@pytest.mark.parametrize(("epochs", "ends"), [(50, (4, 12, 50)), (12, (1, 3, 12)), (3, (1, 3)), (1, (1,))])
def test_usual_rungs(epochs, ends):
    assert history.usual_ladder(epochs) == ends


@pytest.mark.parametrize("halving", [[], [3], [1, 1], [13, 2], [0, 2], [1, 2, 3]])
def test_rungs_that_make_no_sense_are_none(halving):
    run = halved(grid(), 1, 3)
    run.record["config"]["search.halving"] = halving
    assert history.of_ranking(gather(run)) is None


def test_more_brackets_than_rungs_are_as_many_as_rungs():
    run = halved(grid(), 1, 3)
    run.record["config"]["search.brackets"] = 9
    assert history.of_ranking(gather(run)).halving.brackets.max() == 2
