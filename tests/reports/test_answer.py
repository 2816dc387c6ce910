"""What a sweep ends with on a terminal: its answer at a glance, and the command to type next."""

import dataclasses

import pytest

from fer_jax.analysis.ranking import rank_points
from fer_jax.reports import answer
from tests.reports.test_verdict import RATES, answering

COMMAND = "python -m fer_jax.sweep --config=configs/grid3d.py '--config.train.epochs=12'"


def gather(run):
    return rank_points(run.record, run.trials, run.curves, "a run")


def following(*parts, has_failures=False):
    return answer.following(parts, "runs/a run", COMMAND, has_failures)


def learnt(run, accuracies=None):
    """The run, with networks that have learnt something."""
    count = len(run.trials)
    run.trials["val_accuracy"] = accuracies or [0.8 - 0.01 * number for number in range(count)]
    run.trials["test_accuracy"] = [0.7] * count
    return run


def test_the_answer_is_the_point_its_means_and_whom_it_cannot_be_told_from(made):
    found = gather(learnt(made(RATES, repeats=2, accidents=False), [0.80, 0.82, 0.79, 0.82, 0.30, 0.31]))
    rows = dict(answer.rows(found))
    assert answer.title(found) == "Best point of 3, by mean validation accuracy"
    assert rows["point"] == "learning rate 1e-4"
    assert rows["validation accuracy"].replace("\N{NO-BREAK SPACE}", " ") == "0.810 ± 0.014 (n = 2)"
    assert rows["test accuracy"].startswith("0.700 ± 0.000 (n")
    assert rows["ties"].startswith("cannot be told apart from ") and "learning rate 1e-3" in rows["ties"]
    assert "trials" not in rows and "beware" not in rows


def test_an_answer_that_shows_nothing_says_so(made):
    run = learnt(made(RATES))
    run.trials["val_accuracy"] = run.record["data"]["majority_share"]
    assert "nothing has been learnt" in dict(answer.rows(gather(run)))["beware"]
    dead, _ = answering(made(RATES), 0, 0, 0)
    assert "nothing has been learnt" in dict(answer.rows(dead))["beware"]
    kaggle = learnt(made(RATES, split="kaggle"))
    assert "chosen on the images" in dict(answer.rows(gather(kaggle)))["beware"]


def test_a_run_that_is_not_over_says_how_far_it_is_and_goes_on(made):
    none = gather(made(RATES, done=0))
    rows = dict(answer.rows(none))
    assert answer.title(none) == "No result yet" and rows["trials"].startswith("0 of 3 trials done; ")
    assert rows["point"] == "No trial is done yet, so there is no result to rank."
    assert following(none) == ("to go on where it stopped", COMMAND)
    some = gather(made(RATES, done=0.3))
    assert "1 of 3 trials done; " in dict(answer.rows(some))["trials"] and following(some)[1] == COMMAND


def test_what_failed_is_trained_again_first(made):
    found = gather(learnt(made(RATES)))
    flagged = f"{COMMAND.replace(chr(39), '')} --retry_failed"
    assert following(found, has_failures=True) == ("to train again what failed", flagged)


def test_networks_that_have_learnt_nothing_go_on_for_longer(made):
    run = made(RATES)
    run.trials["val_accuracy"] = run.record["data"]["majority_share"]
    run.record["config"]["train.epochs"] = 12
    why, command = following(gather(run))
    assert why == "to go on to 24 epochs"
    assert command == "python -m fer_jax.sweep --config=configs/grid3d.py --config.train.epochs=24 --extend"
    run.record["config"]["train.schedule"] = "cosine"  # whose trials cannot go on
    assert following(gather(run))[1].endswith(" --print_config")


@pytest.mark.parametrize(
    ("grid", "fields"),
    [(RATES, "--config.sweep.best=3 --config.sweep.best_repeats=5"), ({}, "--config.sweep.repeats=5")],
    ids=["points", "one point"],
)
def test_one_seed_is_followed_by_more(made, grid, fields):
    _, command = following(gather(learnt(made(grid))))
    assert command == f"{COMMAND.replace(chr(39), '')} {fields} --extend"


def test_an_answer_over_several_seeds_is_asked_about_a_picture(made):
    found = gather(learnt(made(RATES, repeats=2, accidents=False)))
    ask = ("to ask it about a picture", "python -m fer_jax.predict 'runs/a run' PICTURE.jpg")
    assert following(found) == ask
    assert following(found, found) == ask  # parts that are not ranked against each other
    one = gather(learnt(made(RATES)))
    config = {**one.record["config"], "sweep": {**one.record["config"].get("sweep", {}), "best": 2}}
    assert following(dataclasses.replace(one, record={**one.record, "config": config})) == ask
