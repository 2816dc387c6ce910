"""Races over seeds: looks are recorded, and no start decides otherwise or trains a trial again."""

import json
import math

import numpy as np
import pytest

import fer_jax
from fer_jax.config import search_space
from fer_jax.config.values import from_json, to_json
from fer_jax.errors import ConfigError, RunError
from fer_jax.launch import more_seeds, race
from fer_jax.reports import run_report, verdict
from fer_jax.results import rankings
from fer_jax.search.racing import Race
from fer_jax.store import RunDirectory
from tests.shared.kills import killed_at

pytestmark = pytest.mark.usefixtures("shared_programs")

RATES = (1e-5, 1e-3, 1e-2)


def racing(make_config):
    """Three points of a small dense network, of which one is slow to learn."""
    config = make_config()
    config.model.name, config.model.hidden, config.train.epochs = "mlp", (8,), 2
    config.train.select, config.sweep.repeats, config.search.race = "val_loss", 1, (4, 0.5)
    config.sweep.grid.train.learning_rate = RATES
    return config


@pytest.fixture
def raced(make_config):
    return racing(make_config)


@pytest.fixture(scope="module")
def reference(make_config, tmp_path_factory):
    """A run of `racing` that nothing interrupted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_report, "write_report", lambda path: None)
        return fer_jax.run_sweep(racing(make_config), tmp_path_factory.mktemp("race"))


def seeds(run):
    return run.trials.groupby("train.learning_rate")["repeat"].apply(list).to_dict()


def outcome(run):
    """What must not depend on when a run was interrupted."""
    results = run.trials.set_index("id")[["status", "repeat", "val_loss", "val_accuracy", "test_accuracy"]]
    return run.record["race"], to_json(run.config)["sweep"], results.sort_index().to_dict()


def test_points_that_left_get_no_more_seeds_and_the_winner_is_the_best(reference):
    record, held = reference.record["race"], Race.from_record(reference.record["race"])
    table = reference.trials.pivot(index="train.learning_rate", columns="repeat", values="val_loss")
    assert table.index.tolist() == [point["train.learning_rate"] for point in record["points"]] == list(RATES)
    assert repr(Race(3, 1, 4, 0.5).after(-table.to_numpy())) == repr(held)
    left = {RATES[point]: look.seeds for look in held.looks for point, _ in look.left}
    assert left and held.outcome == record["outcome"] != ""
    last = held.looks[-1].seeds
    assert seeds(reference) == {rate: list(range(left.get(rate, last))) for rate in RATES}
    assert (record["metric"], record["most"], record["error"], record["of"]) == ("val_loss", 4, 0.5, 3)
    remain = [one["point"]["train.learning_rate"] for one in reference.config.sweep.raced if one["racing"]]
    assert remain == [RATES[point] for point in held.racing]
    best = reference.best_point()
    assert best["train.learning_rate"] in remain and best["n"] == last
    assert best["train.learning_rate"] == RATES[held.looks[-1].leader]
    # Whatever lucky mean a point has that left, it does not go before the winner.
    lucky = reference.summary.copy()
    lucky.loc[lucky["train.learning_rate"].isin(left), "val_loss_mean"] = 0.0
    part = rankings.parts(reference)[0]
    assert part.order("val_loss")[0] == part.best and set(part.leading) == set(held.racing)


def test_what_the_race_came_to_is_said(reference):
    (part,) = rankings.parts(reference)
    text = " ".join(verdict.sentences(part))
    held = Race.from_record(reference.record["race"])
    assert f"{len(held.racing)} of 3 points remain after 4 seeds, not told apart at error .5: " in text
    trials = len(reference.trials)
    assert f"It took {trials} trials of its 3 points, where 4 seeds of each would be 12." in text and trials < 12
    assert "Holm" not in text
    log = (reference.path / "log.txt").read_text()
    assert "every point first; then up to 3 more seeds of points not told apart from the best (at most 9 trials)" in log
    assert "the race: 3 points in it, 2 seeds each, up to 2 more may follow" in log


def test_a_second_start_changes_nothing_and_another_rule_is_refused(reference, raced):
    path = reference.path
    before = {name: (path / name).read_bytes() for name in ("trials.csv", "plan.json", "summary.csv")}
    again = fer_jax.run_sweep(raced, path)
    assert {name: (path / name).read_bytes() for name in before} == before and outcome(again) == outcome(reference)
    raced.search.race = (4, 0.1)
    with pytest.raises(
        RunError, match=r"search\.race was \(4, 0\.5\), is \(4, 0\.1\); add --extend to race by the new rule"
    ):
        fer_jax.run_sweep(raced, path)
    raced.search.race = ()
    with pytest.raises(RunError, match=r"search\.race was \(4, 0\.5\), is not set, .*; set it again"):
        fer_jax.run_sweep(raced, path, extend=True)
    assert outcome(fer_jax.load_run(path)) == outcome(reference)


def test_a_race_ends_once_the_best_is_told_apart_and_more_epochs_make_another(raced, tmp_path):
    raced.sweep.grid.train.learning_rate, raced.search.race = (1e-5, 1e-2), (6, 0.5)
    run = fer_jax.run_sweep(raced, tmp_path)
    held = Race.from_record(run.record["race"])
    assert held.outcome == "told apart" and held.racing == (1,) and held.looks[-1].seeds < 6
    assert all(len(repeats) == held.looks[-1].seeds for repeats in seeds(run).values())
    (part,) = rankings.parts(run)
    said = f"told apart from all others at error .5 after {held.looks[-1].seeds} seeds"
    assert f"The race: {said}." in verdict.closing(part)
    raced.train.epochs = 3
    longer = fer_jax.run_sweep(raced, tmp_path, extend=True)
    assert (longer.trials["epochs"] == 3).all() and len(longer.trials) >= len(run.trials)
    assert longer.record["race"]["epochs"] == 3
    losses = longer.trials.pivot(index="train.learning_rate", columns="repeat", values="val_loss").to_numpy()
    assert repr(Race(2, 1, 6, 0.5).after(-losses)) == repr(Race.from_record(longer.record["race"]))


def test_killed_at_any_moment_the_same_command_comes_to_the_same(reference, raced, tmp_path):
    moments = [
        ("write_plan", 2),  # the round of second seeds is recorded and not planned
        ("write_plan", 2),  # that of third seeds
        ("write_trials", 2),  # in it
        ("write_config", 3),  # before the next is recorded
        ("write_summary", 2),  # at its end
        ("write_config", 3),  # before the end of the race is
    ]
    for method, call in moments:
        with killed_at(RunDirectory, method, call):
            fer_jax.run_sweep(raced, tmp_path)
    assert outcome(fer_jax.run_sweep(raced, tmp_path)) == outcome(reference)
    with open(tmp_path / "plan.json") as file:
        planned = [trial for stack in json.load(file)["stacks"] for wave in stack["waves"] for trial in wave["trials"]]
    assert len(planned) == len(set(planned)) == len(reference.trials)


def test_a_stop_between_two_stages_is_heard_and_the_race_goes_on(reference, raced, tmp_path, stop_after):
    raced.stack.engine = "vmap"  # all points in one wave of two epochs
    stop_after(2)
    with pytest.raises(KeyboardInterrupt):
        fer_jax.run_sweep(raced, tmp_path)
    run = fer_jax.load_run(tmp_path)
    assert len(run.trials) == 3 and (run.trials["status"] == "done").all() and "race" not in run.record
    assert "stopped before the next look of the race; the same command goes on" in (tmp_path / "log.txt").read_text()
    stop_after(3)  # in the second round
    with pytest.raises(KeyboardInterrupt):
        fer_jax.run_sweep(raced, tmp_path)
    run = fer_jax.load_run(tmp_path)
    assert run.record["race"]["outcome"] == "" and len(run.record["race"]["looks"]) <= 1
    assert any("The race is not over: 3 of 3 points" in text for text in verdict.sentences(rankings.parts(run)[0]))
    stop_after(0)
    assert seeds(fer_jax.run_sweep(raced, tmp_path)) == seeds(reference)


def test_more_points_and_another_error_make_another_race_on_the_seeds_there_are(reference, raced, tmp_path):
    fer_jax.run_sweep(raced, tmp_path)
    raced.sweep.grid.train.learning_rate, raced.search.race = (1e-5, 1e-4, 1e-3, 1e-2), (3, 0.5)
    run = fer_jax.run_sweep(raced, tmp_path, extend=True)
    held = Race.from_record(run.record["race"])
    assert held.points == run.record["race"]["of"] == 4 and held.most == 3 and held.outcome
    assert held.level == pytest.approx(0.5 / (2 * 3))
    old = reference.trials.set_index("id")["val_loss"]
    kept = run.trials.set_index("id").loc[old.index, "val_loss"]
    np.testing.assert_array_equal(kept, old)
    had = {rate: len(repeats) for rate, repeats in seeds(reference).items()}
    assert all(len(repeats) >= had.get(rate, 1) for rate, repeats in seeds(run).items())
    table = run.trials.pivot(index="train.learning_rate", columns="repeat", values="val_loss").to_numpy()[:, :3]
    assert repr(Race(4, 1, 3, 0.5).after(-table)) == repr(held)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"search.race": (1, 0.05)},
            r"search\.race = \(1, 0\.05\): the most seeds must be more than sweep\.repeats = 1",
        ),
        ({"search.race": (10,)}, r"must be \(most seeds, error\), .* such as \(10, \.05\)"),
        ({"search.race": (2.5, 0.05)}, r"must be \(most seeds, error\), a whole number"),
        ({"search.race": (10, 0.6)}, r"a probability of at most \.5"),
        ({"sweep.best": 1, "sweep.best_repeats": 3}, r"sweep\.best = 1 both say which points get more seeds"),
        ({"data.split": "kfold", "data.folds": 5}, r"folds share training pictures"),
        ({"sweep.grid.train.learning_rate": (1e-3,)}, r"the sweep has one point, which races against nothing"),
        ({"sweep.grid.loss.focal_gamma": (0.0, 2.0)}, r"differ in loss\.focal_gamma are not ranked against each other"),
        ({"train.seed": 2**31 - 3}, r"train\.seed = 2147483645 .* makes seeds up to"),
    ],
)
def test_a_race_that_cannot_be_run_is_refused_before_training(raced, tmp_path, change, message):
    raced.update_from_flattened_dict(change)
    with pytest.raises(ConfigError, match=message) as caught:
        fer_jax.run_sweep(raced, tmp_path)
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_the_seeds_of_a_race_are_part_of_the_record_and_of_nothing_else(raced):
    point = {"train.learning_rate": 1e-3}
    raced.sweep.raced = ({"point": point, "repeats": 3, "racing": True},)
    again = from_json(to_json(raced))
    assert again.sweep.raced == raced.sweep.raced and "raced" in to_json(again)["sweep"]
    trials = search_space.expand(again)
    assert [trial.repeat for trial in trials if dict(trial.point) == point] == [0, 1, 2] and len(trials) == 5
    assert more_seeds.describe(again) == ""
    assert race.describe_round(again) == "the race: 1 point in it, 3 seeds each, up to 1 more may follow"
    again.search.race = ()
    with pytest.raises(ConfigError, match=r"search\.race is not set, and sweep\.raced has points"):
        search_space.expand(again)
    for wrong in ({"point": point}, {"point": point, "repeats": 10**9, "racing": True}, {"train.l2": 0.1}):
        raced.sweep.raced = (wrong,)
        with pytest.raises(ConfigError, match=r"sweep\.raced\[0\] is filled in by the program"):
            to_json(raced)
    raced.sweep.raced = ()
    assert "raced" not in to_json(raced)["sweep"]
    raced.search.halving, raced.train.epochs = (1, 3), 3
    assert more_seeds.describe(raced).endswith("(at most 3 trials)")  # one of three points comes to the last rung


def test_only_points_with_results_race_and_a_lost_trial_is_no_score(raced, reference):
    trials = reference.trials.copy()
    points = race._points(raced)
    trials.loc[trials["train.learning_rate"] == 1e-5, "status"] = "pruned"
    trials.loc[(trials["train.learning_rate"] == 1e-3) & (trials["repeat"] == 1), "status"] = "diverged"
    found = race._scores(trials, ["train.learning_rate"], points, raced)
    assert found.shape == (3, 4) and found[1, 1] == -math.inf and (found[0, :1] == -math.inf).all()
    part, begun = race._begun(raced, found)
    assert part == [1, 2] and begun.points == 2
    done = trials[(trials["train.learning_rate"] == 1e-2)].sort_values("repeat")
    np.testing.assert_array_equal(found[2, : len(done)], -done["val_loss"])
