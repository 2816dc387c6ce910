"""Sweeps with a search: who leaves when, what stays of them, and that kills change nothing."""

import copy
import itertools
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fer_jax
from fer_jax.config.field import FieldError
from fer_jax.errors import RunError
from fer_jax.launch import planned, prepared, rungs, wave
from fer_jax.reports import answer, run_report, verdict
from fer_jax.results import rankings
from fer_jax.search import history
from fer_jax.search import search as searching
from fer_jax.store import RunDirectory
from fer_jax.store.curves import CurveFiles
from tests.shared.kills import killed_at

pytestmark = pytest.mark.usefixtures("shared_programs")

LENGTH = 8


@pytest.fixture(params=["map", "vmap"])
def engine(request):
    return request.param


def made(make_config, engine="map", halving=(2, 2), **fields):
    """Returns a sweep of two stacks, ten points and two seeds, with a search."""
    config = make_config()
    config.model.name, config.model.hidden, config.model.dropout = "mlp", (8,), 0.3
    config.train.epochs, config.train.optimizer = LENGTH, "sgd"
    config.train.schedule = "cosine"  # which knows the full length
    config.stack.engine, config.checkpoint.every = engine, 3
    config.sweep.grid.train.learning_rate = (1e-3, 1e-2, 3e-2, 0.1, 1e30)
    config.sweep.grid.train.batch_size = (16, 32)
    config.search.halving = halving
    for name, value in fields.items():
        config.search[name] = value
    return config


@pytest.fixture(scope="session")
def full_runs(make_config, tmp_path_factory):
    """full_runs(engine): the run of all points to their ends, made once."""
    known = {}

    def train(engine, shared):
        if engine not in known:
            path = tmp_path_factory.mktemp("full") / "run"
            known[engine] = fer_jax.run_sweep(made(make_config, engine, ()), path)
        return known[engine]

    return train


def plain(full, points, epochs):
    """Successive halving on the curves of a full run, as one would write it down.

    Returns id -> the epochs after which its point leaves.
    """
    curves = full.curves.sort_values(["id", "epoch"])

    def score(ids, length):
        bests = []
        for identity in ids:
            values = curves.loc[(curves["id"] == identity) & (curves["epoch"] <= length), "val_accuracy"]
            if not values.isna().any():
                bests.append(values.max())
        return np.mean(bests) if bests else -math.inf

    alive, length, left = list(range(len(points))), 2, {}
    while length * 2 <= epochs:
        ranked = sorted(alive, key=lambda point: (-score(points[point], length), point))
        kept = sorted(ranked[: math.ceil(len(alive) / 2)])
        left.update(dict.fromkeys(set(alive) - set(kept), length))
        alive, length = kept, length * 2
    left.update(dict.fromkeys(alive, epochs))
    return {identity: left[point] for point, ids in enumerate(points) for identity in ids}


def points_of(run):
    names = ["train.learning_rate", "train.batch_size"]
    return [list(rows["id"]) for _, rows in run.trials.groupby(names, sort=False)]


def assert_halved(run, full, exact):
    """Holds a halved run against the full one, trial by trial up to where each left."""
    left = plain(full, points_of(full), LENGTH)
    found = run.trials.set_index("id")
    diverged = full.trials.set_index("id")["diverged_epoch"].notna()
    for identity, epochs in left.items():
        row = found.loc[identity]
        expected = "diverged" if diverged[identity] else "done" if epochs == LENGTH else "pruned"
        assert row["status"] == expected, identity
        if expected != "diverged":
            assert row["epochs"] == epochs
    merged = run.curves.merge(full.curves, on=["id", "epoch"], suffixes=("", "_full"))
    assert len(merged) == len(run.curves) == found["epochs"].sum()
    for name in ("train_loss", "val_loss", "val_accuracy"):
        np.testing.assert_allclose(merged[name], merged[f"{name}_full"], rtol=0 if exact else 1e-4)
    done, whole = found[found["status"] == "done"], full.trials.set_index("id")
    for name in ("val_accuracy", "test_accuracy", "test_loss", "last_test_loss", "val_auc"):
        expected = whole.loc[done.index, name].astype(float)
        np.testing.assert_allclose(done[name].astype(float), expected, rtol=1e-9 if exact else 1e-4, err_msg=name)


def test_a_halved_sweep_decides_and_trains_as_plain_halving_of_the_full_one(make_config, engine, full_runs, tmp_path):
    full = full_runs(engine, None)
    run = fer_jax.run_sweep(made(make_config, engine), tmp_path / "run")
    assert_halved(run, full, exact=engine == "map")
    pruned = run.trials[run.trials["status"] == "pruned"]
    assert len(pruned) >= 8
    for identity in pruned["id"]:
        trial = run.trial(identity)
        curve = run.curves[run.curves["id"] == identity]
        assert trial.row["val_accuracy"] == curve["val_accuracy"].max()
        labels, logits = trial.labels("test"), trial.logits("test")
        assert np.mean(logits.argmax(axis=1) == labels) == pytest.approx(trial.row["test_accuracy"])
        assert trial.predict(np.zeros((1, 16, 16), np.uint8)).shape == (1, 7)
    names = {wave["name"] for stack in run.plan["stacks"] for wave in stack["waves"]}
    assert {path.name for path in (run.path / "checkpoints").iterdir()} == names
    assert not list((run.path / "checkpoints").glob("*/state-*"))


def test_brackets_of_hyperband_each_halve_on_their_own(make_config, full_runs, tmp_path):
    full = full_runs("map", None)
    config = made(make_config, brackets=2)
    run = fer_jax.run_sweep(config, tmp_path / "run")
    search = prepared.prepare(config).search
    points, brackets = points_of(full), search.halving.brackets
    assert sorted(np.bincount(brackets)) == [4, 6]
    left = {}
    for bracket in (0, 1):
        own = [ids for point, ids in enumerate(points) if brackets[point] == bracket]
        part = plain(full, own, LENGTH)
        if bracket:  # begins with the second rung
            scores = {
                point: full.curves[full.curves["id"].isin(ids) & (full.curves["epoch"] <= 4)]
                .groupby("id")["val_accuracy"]
                .agg(lambda values: values.max() if values.notna().all() else np.nan)
                .mean()
                for point, ids in enumerate(own)
            }
            kept = sorted(scores, key=lambda point: (-np.nan_to_num(scores[point], nan=-1), point))[:2]
            part = {identity: LENGTH if point in kept else 4 for point, ids in enumerate(own) for identity in ids}
        left |= part
    trials = run.trials[run.trials["status"] != "diverged"]
    assert trials["epochs"].tolist() == [left[identity] for identity in trials["id"]]


# Twenty moments: (class, method, which call of it ends the start).
KILLS = [
    *((RunDirectory, "save_state", call) for call in (1, 2, 4, 6, 8)),
    *((RunDirectory, "load_state", call) for call in (1, 3)),
    *((RunDirectory, "write_plan", call) for call in (1, 2, 3)),
    *((RunDirectory, "write_trials", call) for call in (2, 5, 8)),
    *((RunDirectory, "forget", call) for call in (1, 3, 5)),
    *((RunDirectory, "save_final", call) for call in (1, 4)),
    *((CurveFiles, "write", call) for call in (2, 5)),
]


@pytest.fixture(scope="session")
def undisturbed(make_config, tmp_path_factory):
    return tmp_path_factory.mktemp("undisturbed") / "run"


@pytest.mark.parametrize(("owner", "method", "call"), KILLS)
def test_a_killed_search_decides_the_same(make_config, undisturbed, tmp_path, owner, method, call):
    config = made(make_config, brackets=2)
    if not undisturbed.exists():
        fer_jax.run_sweep(config, undisturbed)
    reference = fer_jax.load_run(undisturbed)
    with killed_at(owner, method, call):
        fer_jax.run_sweep(config, tmp_path / "run")
    run = fer_jax.run_sweep(config, tmp_path / "run")
    pd.testing.assert_frame_equal(run.trials, reference.trials)
    order = ["id", "epoch"]
    pd.testing.assert_frame_equal(
        run.curves.sort_values(order, ignore_index=True), reference.curves.sort_values(order, ignore_index=True)
    )
    assert run.plan["stacks"] == reference.plan["stacks"]
    assert sorted(path.name for path in (run.path / "checkpoints").iterdir()) == sorted(
        path.name for path in (undisturbed / "checkpoints").iterdir()
    )


def test_ctrl_c_at_a_rung_and_a_finished_search_started_again(make_config, tmp_path, stop_after, capsys):
    config = made(make_config)
    stop_after(2)
    with pytest.raises(KeyboardInterrupt):
        fer_jax.run_sweep(config, tmp_path / "run")
    stop_after(0)
    run = fer_jax.run_sweep(config, tmp_path / "run")
    before = {path: path.read_bytes() for path in (run.path / "checkpoints").rglob("*") if path.is_file()}
    capsys.readouterr()
    again = fer_jax.run_sweep(config, tmp_path / "run")
    assert "rung" not in capsys.readouterr().err.replace("rungs", "")
    pd.testing.assert_frame_equal(again.trials, run.trials)
    assert {path: path.read_bytes() for path in (run.path / "checkpoints").rglob("*") if path.is_file()} == before


def test_more_seeds_for_the_best_points_are_trained_to_their_end(make_config, tmp_path):
    config = made(make_config)
    config.sweep.repeats, config.sweep.best, config.sweep.best_repeats = 1, 2, 3
    run = fer_jax.run_sweep(config, tmp_path / "run")
    more = run.trials[run.trials["repeat"] > 0]
    assert len(more) == 4 and set(more["status"]) == {"done"} and set(more["epochs"]) == {LENGTH}
    chosen = run.record["config"]["sweep"]["chosen"]
    done = run.trials[run.trials["status"] == "done"]
    assert len(chosen) == 2 and len(done) == 3 + 4  # ten points: five, then three go on


def test_points_that_are_unlikely_to_come_to_the_best_leave_without_halving(make_config, tmp_path, monkeypatch):
    def behind(curves, end, level, ceiling):
        assert (end, level, ceiling) == (LENGTH, searching.UNLIKELY, 1.0)
        return curves[:, -1] < np.nanmax(curves[:, -1]) - 0.05

    monkeypatch.setattr(searching, "unlikely", behind)
    run = fer_jax.run_sweep(made(make_config, halving=(), stop="unlikely"), tmp_path / "run")
    counts = run.trials["status"].value_counts()
    assert counts["pruned"] and counts["done"]
    for _, row in run.trials[run.trials["status"] == "pruned"].iterrows():
        assert row["epochs"] in prepared.prepare(made(make_config, halving=(), stop="unlikely")).search.halving.epochs


def test_a_wave_that_fails_leaves_the_search_to_the_others(make_config, tmp_path, monkeypatch):
    config, train, calls = made(make_config), wave.train, itertools.count()

    def fails(*arguments):
        if next(calls) == 0:
            raise RuntimeError("no luck")
        return train(*arguments)

    monkeypatch.setattr(wave, "train", fails)
    run = fer_jax.run_sweep(config, tmp_path / "run")
    counts = run.trials["status"].value_counts()
    assert counts["failed"] == 10 and counts["done"] >= 2 and counts["pruned"] >= 2
    run = fer_jax.run_sweep(config, tmp_path / "run", retry_failed=True)
    assert "failed" not in set(run.trials["status"]) and (run.trials["status"] == "done").sum() >= 4


def test_what_failed_and_comes_late_is_held_against_all_that_were_there(make_config, tmp_path, monkeypatch):
    config, train, calls = made(make_config), wave.train, itertools.count()
    config.stack.width, config.stack.devices = 1, 1  # a wave a trial
    reference = fer_jax.run_sweep(config, tmp_path / "reference").trials.set_index("id")

    def fails(*arguments):
        if next(calls) < 3:  # both seeds of the first point, one of the second
            raise RuntimeError("no luck")
        return train(*arguments)

    monkeypatch.setattr(wave, "train", fails)
    fer_jax.run_sweep(config, tmp_path / "run")
    run = fer_jax.run_sweep(config, tmp_path / "run", retry_failed=True)
    trials = run.trials.set_index("id")
    assert (reference["status"].iloc[:2] == "pruned").all() and reference["epochs"].iloc[0] == 2
    assert trials["status"].iloc[:2].tolist() == ["pruned"] * 2 and trials["epochs"].iloc[:2].tolist() == [2, 2]
    for _, rows in trials.groupby(list(run.swept), sort=False):
        assert rows["status"].nunique() == 1  # a point stays together
    assert all(
        s.went_on is None or s.worst_kept >= s.best_left for s in history.of_ranking(rankings.whole(run)).stretches()
    )


@pytest.mark.parametrize(
    ("halving", "fields", "words"),
    [
        ((9, 2), {}, r"search.halving = \(9, 2\): a first rung of 9 epochs is longer than train.epochs = 8"),
        ((2, 1), {}, r"a factor of 1 lets no point leave; 2 is the least"),
        ((2, 5), {}, "5 times 2 epochs are more than train.epochs = 8, so that no point would leave"),
        ((4,), {}, r"it takes the epochs of the first rung and the factor, such as \(4, 3\)"),
        ((2, 2), {"brackets": 4}, r"search.brackets = 4: .* makes 3 rungs of 8 epochs, and no more brackets"),
        ((), {"brackets": 2}, "search.brackets = 2: brackets are of search.halving; set that too"),
        ((2, 2), {"data.split": "kfold"}, "data.split is kfold: folds are for points that have been chosen"),
        ((2, 2), {"phases.lengths": (4, 4)}, "phases.lengths is set: phases have no rungs"),
        ((), {"stop": "unlikely", "phases.lengths": (4, 4)}, "search.stop = unlikely: phases.lengths is set"),
        ((2, 2), {"sweep.grid.train.epochs": (4, 8)}, "train.epochs is swept: points of other lengths have no rungs"),
        ((2, 2), {"sweep.grid.data.fraction": (0.5, 1.0)}, "points that differ in data.fraction are not ranked"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused_in_a_line(make_config, halving, fields, words):
    config = made(make_config, halving=halving)
    for name, value in fields.items():
        *blocks, last = (name if "." in name else f"search.{name}").split(".")
        block = config
        for part in blocks:
            block = block[part]
        block[last] = value
    with pytest.raises(FieldError, match=words) as caught:
        prepared.prepare(config)
    assert "\n" not in str(caught.value)


def test_a_run_keeps_the_search_it_began_with(make_config, tmp_path):
    config = made(make_config)
    config.sweep.grid.train.learning_rate = (1e-2, 1e-1)
    fer_jax.run_sweep(config, tmp_path / "run")
    other = copy.deepcopy(config)
    other.search.halving = (2, 4)
    with pytest.raises(RunError, match=r"search.halving was \(2, 2\), is \(2, 4\); choose another --workdir"):
        fer_jax.run_sweep(other, tmp_path / "run")
    other = copy.deepcopy(config)
    other.sweep.grid.train.learning_rate = (1e-2, 1e-1, 1.0)
    with pytest.raises(RunError, match="holds a search, .*: 4 trials of 12 are new"):
        fer_jax.run_sweep(other, tmp_path / "run", extend=True)
    other = copy.deepcopy(config)
    other.search.halving = ()
    with pytest.raises(RunError, match=r"search.halving was \(2, 2\), is not set"):
        fer_jax.run_sweep(other, tmp_path / "run")


def test_a_table_without_its_seal_gets_the_rows_of_those_that_left_back(make_config, tmp_path):
    run = fer_jax.run_sweep(made(make_config), tmp_path / "run")
    before = run.trials
    for seal in (run.path / ".sealed").glob("*"):
        seal.unlink()
    lines = (run.path / "trials.csv").read_text().splitlines(keepends=True)
    where = next(number for number, line in enumerate(lines) if ",pruned," in line)
    lines[where] = lines[where].replace(",pruned,", ",done,")
    lines[where + 1] = lines[where + 1][:40] + "\n"
    (run.path / "trials.csv").write_text("".join(lines))
    after = fer_jax.load_run(run.path).trials
    assert after["status"].tolist() == before["status"].tolist()
    np.testing.assert_allclose(after["val_accuracy"].astype(float), before["val_accuracy"].astype(float))
    assert after["epochs"].tolist() == before["epochs"].tolist()


def test_what_stopped_early_keeps_the_rung_that_dropped_it_in_tables_and_words(make_config, tmp_path):
    config = made(make_config)
    config.train.stop_patience, config.train.stop_min_delta = 1, 10.0  # all stop after two epochs
    config.sweep.grid.train.learning_rate = (1e-3, 1e-2, 3e-2)
    run = fer_jax.run_sweep(config, tmp_path / "run")
    assert set(run.trials["epochs"]) == {2}
    assert sorted(run.trials["pruned_epoch"].dropna()) == [2] * 6 + [4] * 2
    ranking = rankings.whole(run)
    assert [(s.trained, s.went_on) for s in history.of_ranking(ranking).stretches()] == [(6, 3), (3, 2), (2, None)]
    for seal in (run.path / ".sealed").glob("*"):
        seal.unlink()
    text = (run.path / "trials.csv").read_text()
    (run.path / "trials.csv").write_text(text.replace("pruned_epoch", "other"))
    assert fer_jax.load_run(run.path).trials["pruned_epoch"].tolist() == run.trials["pruned_epoch"].tolist()
    words = " ".join([answer.title(ranking), *verdict.closing(ranking)])
    assert words.startswith("2 of 2 points trained to the end are best together")
    assert "The search: 4 of 6 points left (3 after epoch 2, 1 after epoch 4) and have no rank" in words
    assert "It trained 24 epochs, where all trials to their end would be 96." in words


def test_fewer_points_at_the_end_than_are_to_be_chosen(make_config, tmp_path, monkeypatch, capsys):
    config = made(make_config)
    config.sweep.repeats, config.sweep.best, config.sweep.best_repeats = 1, 4, 2
    with pytest.raises(FieldError, match=r"sweep.best = 4: search.halving = \(2, 2\) trains 3 of 10 points to the end"):
        prepared.prepare(config)
    config.sweep.best, config.search.stop = 3, "unlikely"
    monkeypatch.setattr(searching, "unlikely", lambda curves, *which: curves[:, -1] < np.nanmax(curves[:, -1]))
    run = fer_jax.run_sweep(config, tmp_path / "run")
    assert len(run.record["config"]["sweep"]["chosen"]) < 3
    said = capsys.readouterr().err
    assert "sweep.best = 3: only 1 point came to the end, and gets more seeds" in said
    assert "stack_2-wave_0 (1 trial): 1 " in said  # in no rung


def test_the_plan_says_what_a_search_saves(make_config):
    ready = prepared.prepare(made(make_config))
    plan = planned.plan_sweep(ready, measures=False)
    lines = searching.describe(ready.search, 100.0, 2)
    assert lines[0] == "3 rungs: 20 trials to epoch 2, then 10 trials to epoch 4, then 6 trials to epoch 8"
    assert lines[1].startswith("84 of 160 epochs of all points (52%), about 52 s of 1 min 40 s")
    first = rungs.with_first_rung(plan, ready.search, lambda *which: planned.cut_again(ready, *which))
    assert {wave.until for stack in first.stacks for wave in stack.waves} == {2}
    ready = prepared.prepare(made(make_config, brackets=3))
    first = rungs.with_first_rung(plan, ready.search, lambda *which: planned.cut_again(ready, *which))
    waves = [wave for stack in first.stacks for wave in stack.waves]
    assert {wave.until for wave in waves} == {0, 2, 4}
    assert sorted(trial for wave in waves for trial in wave.trials) == sorted(ready.trials)
    assert all(len(wave.trials) <= wave.width for wave in waves)


def test_the_report_of_a_halved_sweep_can_be_drawn(make_config, tmp_path, monkeypatch):
    monkeypatch.undo()
    run = fer_jax.run_sweep(made(make_config), tmp_path / "run")
    run_report.write_report(run.path)
    assert "pruned" in (Path(run.path) / "report.html").read_text()
