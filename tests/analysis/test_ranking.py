"""Which points lead and what a result stands on: validation ranks, tests never do."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from fer_jax.analysis.ranking import best_first, rank_points


def trials(**columns):
    frame = pd.DataFrame(columns)
    return frame.assign(id=[f"{i:010x}" for i in range(len(frame))], seed=0)


def ranked(frame, metric="val_accuracy"):
    record = {"config": {"train.select": metric}, "swept": ["x"], "data": {}}
    return list(rank_points(record, frame, pd.DataFrame(), "run").ranked["x"])


def test_points_rank_by_the_mean_of_validation_and_never_by_test():
    frame = trials(
        x=[1, 1, 2, 2],
        status="done",
        val_accuracy=[0.5, 0.7, 0.65, 0.65],
        val_loss=1.0,
        test_accuracy=[0.9, 0.9, 0.1, 0.1],
    )
    assert ranked(frame) == [2, 1]


def test_losses_rank_low_and_ties_go_to_loss_then_to_the_earlier_point():
    frame = trials(x=[1, 2, 3], status="done", val_accuracy=[0.6, 0.6, 0.6], val_loss=[2.0, 1.0, 1.0])
    assert ranked(frame) == [2, 3, 1]
    assert ranked(frame.assign(val_loss=[2.0, 3.0, 1.0]), "val_loss") == [3, 1, 2]


def test_losses_of_another_kind_break_no_tie(made):
    run = made({"loss.focal_gamma": (0.0, 2.0)}, accidents=False)
    run.trials["val_accuracy"], run.trials["val_loss"] = 0.5, [1.0, 0.2]
    ranking = rank_points(run.record, run.trials, run.curves, "run")
    assert list(ranking.ranked["loss.focal_gamma"]) == [0.0, 2.0] and ranking.loss_fields == ("loss.focal_gamma",)
    run.trials = run.trials.rename(columns={"loss.focal_gamma": "loss.class_weight"})
    run.record["swept"] = ["loss.class_weight"]
    ranking = rank_points(run.record, run.trials, run.curves, "run")
    assert list(ranking.ranked["loss.class_weight"]) == [2.0, 0.0] and ranking.loss_fields == ()


def test_points_with_more_seeds_lead_whatever_the_others_come_to():
    frame = trials(x=[1, 2, 3], status="done", val_accuracy=[0.6, 0.7, 0.6], val_loss=[2.0, 1.0, 1.0])
    record = {"config": {"sweep": {"chosen": [{"x": 1}, {"x": 3}]}}, "swept": ["x"], "data": {}}
    found = rank_points(record, frame, pd.DataFrame(), "run")
    assert list(found.ranked["x"]) == [3, 1, 2] and found.order("val_loss") == [2, 0, 1]
    assert found.leading == [2, 0] and found.best == 2


def test_points_of_one_mean_are_best_together_over_seeds_too():
    """The same three accuracies in another order: their sums differ in the last digit."""
    accuracies = [0.1, 0.2, 0.3] + [0.3, 0.2, 0.1] + [0.2, 0.2, 0.1]
    assert sum(accuracies[:3]) != sum(accuracies[3:6])
    losses = [1.0] * 3 + [0.5] * 3 + [0.1] * 3
    frame = trials(x=[1] * 3 + [2] * 3 + [3] * 3, status="done", val_accuracy=accuracies, val_loss=losses)
    found = rank_points({"config": {}, "swept": ["x"], "data": {}}, frame, pd.DataFrame(), "run")
    assert found.together == [1, 0] and found.best == 1 and found.order("val_accuracy") == [1, 0, 2]
    assert found.why_first == "the one with the lowest validation loss" and found.best_words.endswith("equally good)")
    same = rank_points(found.record, frame.assign(val_loss=1.0), pd.DataFrame(), "run")
    assert same.together == [0, 1] and same.why_first == "the first in the sweep"
    chosen = {"config": {"sweep": {"chosen": [{"x": 1}]}}, "swept": ["x"], "data": {}}
    assert rank_points(chosen, frame, pd.DataFrame(), "run").together == [0]


def test_exploded_losses_stay_last():
    frame = trials(x=[1, 2, 3], val_loss=[np.inf, 3.0, 1e300])
    assert best_first(frame, "val_loss") == [1, 2, 0]


def test_single_trials_rank_by_the_same_rule():
    frame = trials(x=[1, 2, 3], val_accuracy=[0.6, 0.7, 0.6], val_loss=[2.0, 1.0, 1.0], val_ece=[0.3, 0.1, np.nan])
    assert best_first(frame, "val_accuracy") == [1, 2, 0] and best_first(frame, "val_ece") == [1, 0]
    assert best_first(frame, "val_auc") == []


def test_points_without_a_done_trial_have_no_rank():
    frame = trials(x=[1, 2], status=["diverged", "done"], val_accuracy=[0.9, 0.3], val_loss=[1.0, 1.0])
    assert ranked(frame) == [2]


def test_the_same_ranking_as_run_best_point(oslo):
    ranking = rank_points(oslo.record, oslo.trials, oslo.curves, "oslo")
    done = oslo.trials[oslo.trials["status"] == "done"]
    best = done.sort_values(["val_accuracy", "val_loss"], ascending=[False, True], kind="stable").iloc[0]
    top = ranking.ranked.iloc[0]
    assert all(top[field] == best[field] for field in ranking.swept)
    assert len(ranking.ranked) == len(done)


def test_scope_always_says_data_split_and_repeats(made):
    assert scope(made({"train.l2": (0.0, 1e-4)})) == "synthetic faces, official split, one seed"
    assert scope(made(repeats=5)) == "synthetic faces, official split, 5 seeds a point"
    assert scope(made(split="kaggle")).endswith("one seed, selected on the images it reports")


def scope(run):
    return rank_points(run.record, run.trials, run.curves, "run").scope


def test_several_data_sets_have_no_common_majority_share(made):
    run = made()
    other = {**run.record["data"], "majority_share": 0.5}
    ranking = rank_points({**run.record, "other_data": [other]}, run.trials, run.curves, "run")
    assert ranking.majority_share is None
    assert "and 1 other data set" in ranking.scope
    same = rank_points({**run.record, "other_data": [run.record["data"]]}, run.trials, run.curves, "run")
    assert same.majority_share == pytest.approx(0.25)


def test_majority_share_is_shown_only_where_it_does_not_squeeze_the_figure(made):
    run = made()
    ranking = rank_points(run.record, run.trials, run.curves, "run")
    assert ranking.share_within(0.25, 0.8) == pytest.approx(0.25)
    assert ranking.share_within(0.25 + 1e-9, 0.25 + 1e-9) == pytest.approx(0.25)
    assert ranking.share_within(0.75, 0.8) is None


def test_loss_ceiling_ignores_what_exploded(made):
    run = made()
    ranking = rank_points(run.record, run.trials, run.curves, "run")
    assert ranking.loss_ceiling(np.array([1.0, 1.2, 1e6, np.nan, np.inf])) == pytest.approx(1.15 * math.log(7))
    assert ranking.loss_ceiling(np.array([])) == pytest.approx(1.15 * math.log(7))
    assert ranking.loss_ceiling(np.array([4.0, 4.0, 5.0])) == pytest.approx(4.6)


def test_images_of_a_split(made):
    run = made()
    ranking = rank_points(run.record, run.trials, run.curves, "run")
    assert ranking.images("validation") == sum(run.record["data"]["counts"]["validation"].values())
    other = {"counts": {"validation": {"happy": 5}}}
    assert (
        rank_points({**run.record, "other_data": [other]}, run.trials, run.curves, "run").images("validation") is None
    )
    assert rank_points({"swept": []}, run.trials, run.curves, "run").images("validation") is None


def test_describe(made):
    run = made({"train.learning_rate": (1e-5, 1e-3), "model.kernels": ((16, 32), (32, 64))})
    ranking = rank_points(run.record, run.trials, run.curves, "run")
    assert ranking.describe(1) == "learning rate 1e-5, kernels a layer 32-64"
    assert ranking.describe(1, ["train.learning_rate"], marks=True) == "learning rate 10⁻⁵"
    alone = made()
    assert rank_points(alone.record, alone.trials, alone.curves, "run").describe(0) == "the one configuration"
