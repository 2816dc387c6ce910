"""Runs that go on for more epochs: the bits of an undisturbed longer run, or the reason why not."""

import shutil

import jax
import numpy as np
import pandas as pd
import pytest

import fer_jax
from fer_jax.config.values import to_json
from fer_jax.errors import RunError
from fer_jax.launch import longer, packing, planned, prepared, wave
from fer_jax.launch.trial_table import TrialTable
from fer_jax.store import RunDirectory
from fer_jax.store.curves import CurveFiles
from tests.shared.kills import killed_at

pytestmark = pytest.mark.usefixtures("shared_programs")


def tables(run):
    """Returns trials.csv without the names of waves, which are others, and the curves."""
    curves = run.curves.sort_values(["id", "epoch"], ignore_index=True)
    return run.trials.drop(columns=["wave", "slot"]), curves


def weights(run, identity):
    row = run.trials.set_index("id").loc[identity]
    return run.directory.load_trial(row["wave"], int(row["slot"]))


def assert_same(run, reference):
    """Asserts that tables, curves and weights are the same to the bit."""
    for one, other in zip(tables(run), tables(reference), strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    for identity in reference.trials["id"]:
        jax.tree.map(np.testing.assert_array_equal, weights(run, identity), weights(reference, identity))


def states(path):
    return sorted(f"{found.parent.name}/{found.name}" for found in path.glob("checkpoints/*/state-*"))


@pytest.fixture
def short(leaving):
    """Returns eight trials of 4 epochs in one vectorised wave.

    One point is ordinary, one diverges, one stops early after 2 epochs, one meets plateaus.
    """
    leaving.train.epochs = 4
    leaving.train.momentum = 0.9
    leaving.augment.flip = 0.5
    leaving.sweep.points = (
        {},
        {"train.learning_rate": 1e30},
        {"train.learning_rate": 3e-2, "train.stop_patience": 1, "train.stop_min_delta": 10.0},
        {"train.learning_rate": 2e-2, "train.plateau_patience": 1, "train.stop_patience": 6, "model.dropout": 0.0},
    )
    leaving.stack.width = 8
    return leaving


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """kept(config, name) is a run of a config, made once a name."""
    folder = tmp_path_factory.mktemp("runs")

    def make(config, name):
        path = folder / name
        return fer_jax.load_run(path) if path.exists() else fer_jax.run_sweep(config, path)

    return make


@pytest.fixture
def ended(short, kept, tmp_path):
    """Returns a copy of a run of `short`, whose config now asks for 8 epochs."""
    shutil.copytree(kept(short, "short").path, tmp_path / "run")
    short.train.epochs = 8
    return tmp_path / "run"


@pytest.mark.parametrize(("engine", "optimizer"), [("vmap", "sgd"), ("map", "adam")])
def test_a_run_that_goes_on_is_the_longer_run_to_the_bit(short, tmp_path, capsys, engine, optimizer):
    short.stack.engine, short.train.optimizer = engine, optimizer
    fer_jax.run_sweep(short, tmp_path / "run")
    assert states(tmp_path / "run") == ["stack_0-wave_0/state-000004"]
    short.train.epochs = 8
    whole = fer_jax.run_sweep(short, tmp_path / "whole")
    run = fer_jax.run_sweep(short, tmp_path / "run", extend=True)
    assert_same(run, whole)
    assert run.trials["status"].tolist() == ["done", "done", "diverged", "diverged"] + ["done"] * 4
    assert run.trials["epochs"].tolist() == [8, 8, 1, 1, 2, 2, *whole.trials["epochs"][6:]]
    assert whole.trials["epochs"][6:].min() > 4
    said = capsys.readouterr().err
    assert (
        "more epochs: 4 trials going on from epoch 4, 2 trials stopped early and left so, 2 trials diverged and left so"
    ) in said.splitlines()
    assert states(run.path) == ["stack_0-wave_1/state-000008"]
    assert {path.name for path in (run.path / "checkpoints").iterdir()} == {"stack_0-wave_1"}
    assert {path.name for path in (run.path / "predictions").glob("stack*.npy")} == {
        "stack_0-wave_1-test.npy",
        "stack_0-wave_1-validation.npy",
    }
    assert set(run.directory.curves.read()["id"]) == set(run.trials["id"])


def test_the_same_command_again_trains_nothing_and_the_old_one_is_refused(ended, short, kept, monkeypatch):
    whole = kept(short, "whole")
    fer_jax.run_sweep(short, ended, extend=True)
    monkeypatch.setattr(wave, "train", lambda *_: pytest.fail("a finished wave was trained again"))
    for extend in (True, False):
        assert_same(fer_jax.run_sweep(short, ended, extend=extend), whole)
    short.train.epochs = 4
    with pytest.raises(RunError, match=r"train\.epochs was 8, is 4: a run goes on with more epochs, never with fewer"):
        fer_jax.run_sweep(short, ended, extend=True)


def test_a_packed_wave_goes_on_in_the_programs_of_the_longer_run(ended, short, tmp_path, monkeypatch):
    """Half of its trials are over when it ends, which is where they would have been left out."""
    monkeypatch.setattr(packing, "EPOCHS", 4)
    monkeypatch.setattr(packing, "LEAST_SECONDS", 0)
    short.train.epochs = 6
    assert_same(fer_jax.run_sweep(short, ended, extend=True), fer_jax.run_sweep(short, tmp_path / "whole"))
    assert "4 of 8 slots go on after epoch 4" in (tmp_path / "whole" / "log.txt").read_text()


def test_more_repeats_and_epochs_at_once(ended, short, kept):
    whole = kept(short, "whole")
    short.sweep.repeats = 4
    run = fer_jax.run_sweep(short, ended, extend=True)
    trials, curves = (table[table["id"].isin(whole.trials["id"])].reset_index(drop=True) for table in tables(run))
    pd.testing.assert_frame_equal(trials, tables(whole)[0], check_exact=True)
    pd.testing.assert_frame_equal(curves, tables(whole)[1], check_exact=True)
    added = run.trials[~run.trials["id"].isin(whole.trials["id"])]
    assert len(added) == 8 and set(added["stack"]) == {"stack_1"} and added["epochs"].max() == 8


def test_trials_of_several_lengths_in_one_wave_go_on_from_where_each_ended(short, tmp_path, capsys):
    """Four kinds: 3 epochs that become 6, 5 that become 7, 4 that stay, and 3 that diverged."""
    rates = ({}, {"train.learning_rate": 2e-2}, {"train.learning_rate": 3e-2}, {"train.learning_rate": 1e30})
    short.sweep.points = [{"train.epochs": epochs, **rate} for epochs, rate in zip((3, 5, 4, 3), rates, strict=True)]
    fer_jax.run_sweep(short, tmp_path / "run")
    short.sweep.points = [{"train.epochs": epochs, **rate} for epochs, rate in zip((6, 7, 4, 6), rates, strict=True)]
    run = fer_jax.run_sweep(short, tmp_path / "run", extend=True)
    assert "more epochs: 4 trials going on from epoch 3 and 5, 2 trials diverged" in capsys.readouterr().err
    assert run.trials["epochs"].tolist() == [6, 6, 7, 7, 4, 4, 1, 1]
    assert_same(run, fer_jax.run_sweep(short, tmp_path / "whole"))


def test_a_stopped_run_goes_on_from_where_it_was(short, kept, tmp_path, stop_after):
    short.stack.width = 4
    stop_after(2)
    with pytest.raises(KeyboardInterrupt):
        fer_jax.run_sweep(short, tmp_path / "run")
    stop_after(0)
    short.train.epochs = 8
    run = fer_jax.run_sweep(short, tmp_path / "run", extend=True)
    said = "2 trials going on from epoch 3, 4 trials from the start, of which no epoch is stored, 2 trials diverged"
    assert said in (run.path / "log.txt").read_text()
    assert_same(run, fer_jax.run_sweep(short, tmp_path / "whole"))


def test_a_failed_wave_begins_anew(short, tmp_path, monkeypatch):
    short.stack.width, train = 4, wave.train

    def broken(job, *rest):
        if job.wave.name == "stack_0-wave_1":
            raise RuntimeError("INTERNAL: the device is gone")
        return train(job, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(wave, "train", broken)
        run = fer_jax.run_sweep(short, tmp_path / "run")
    assert states(run.path) == ["stack_0-wave_0/state-000004"] and (run.trials["status"][4:] == "failed").all()
    short.train.epochs = 8
    run = fer_jax.run_sweep(short, tmp_path / "run", extend=True, retry_failed=True)
    assert_same(run, fer_jax.run_sweep(short, tmp_path / "whole"))


@pytest.mark.parametrize(
    ("owner", "method", "call"),
    [
        (CurveFiles, "write", 1),
        (RunDirectory, "save_state", 1),
        (RunDirectory, "write_plan", 1),
        (RunDirectory, "write_config", 1),
        (RunDirectory, "write_trials", 1),
        (RunDirectory, "forget", 2),
    ],
)
def test_a_kill_while_a_run_is_handed_down_loses_nothing(ended, short, kept, monkeypatch, owner, method, call):
    """It leaves the shorter run or the longer one, whole, and the same command goes on."""
    before, whole = kept(short, "short"), kept(short, "whole")
    with killed_at(owner, method, call):
        fer_jax.run_sweep(short, ended, extend=True)
    found = fer_jax.load_run(ended)
    if set(found.trials["id"]) == set(before.trials["id"]):
        assert_same(found, before)
    else:
        assert set(found.trials["id"]) == set(whole.trials["id"]) == set(found.curves["id"])
        assert found.curves["epoch"].max() == 4 and not found.curves.duplicated(["id", "epoch"]).any()
    uncommitted = (owner, method, call) in [(CurveFiles, "write", 1), (RunDirectory, "save_state", 1)]
    if uncommitted or (method, call) == ("write_plan", 1):
        short.train.epochs = 4
        with monkeypatch.context() as patch:
            patch.setattr(wave, "train", lambda *_: pytest.fail("a finished wave was trained again"))
            assert_same(fer_jax.run_sweep(short, ended), before)
        assert states(ended) == ["stack_0-wave_0/state-000004"]
        short.train.epochs = 8
    assert_same(fer_jax.run_sweep(short, ended, extend=True), whole)
    assert states(ended) == ["stack_0-wave_1/state-000008"]


def test_without_extend_it_is_refused(ended, short):
    with pytest.raises(
        RunError,
        match=r"8 of this sweep's 8 trials after fewer epochs: train\.epochs was 4, is 8; add --extend to go on",
    ):
        fer_jax.run_sweep(short, ended)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (
            lambda run: shutil.rmtree(run / "checkpoints" / "stack_0-wave_0" / "state-000004"),
            r"stack_0-wave_0 left no state after the last epoch.*checkpoint\.keep_state was off.*another --workdir",
        ),
        (
            lambda run: (run / "checkpoints" / "stack_0-wave_0" / "state-000004" / "arrays.bin").unlink(),
            r"state-000004.*cannot go on without it; choose another --workdir",
        ),
        (
            lambda run: (run / "curves" / "stack_0-wave_0-000004.parquet").unlink(),
            r"curves lacks epochs of stack_0-wave_0, so that its trials cannot go on; choose another --workdir",
        ),
    ],
)
def test_what_is_missing_is_said_and_the_run_stays_as_it_was(ended, short, kept, damage, reason):
    damage(ended)
    before = tables(fer_jax.load_run(ended))
    with pytest.raises(RunError, match=reason) as caught:
        fer_jax.run_sweep(short, ended, extend=True)
    assert "\n" not in str(caught.value)
    for one, other in zip(tables(fer_jax.load_run(ended)), before, strict=True):
        pd.testing.assert_frame_equal(one, other)
    assert [path.name for path in (ended / "checkpoints").iterdir()] == ["stack_0-wave_0"]


def test_states_are_kept_where_they_serve_and_wanted(ended, short):
    assert states(ended) == ["stack_0-wave_0/state-000004"]
    short.train.epochs, short.checkpoint.keep_state = 4, False
    fer_jax.run_sweep(short, ended)
    assert states(ended) == []
    short.checkpoint.keep_state = True
    for schedule, served in (("step", True), ("cosine", False)):
        short.train.schedule = schedule
        ready = prepared.prepare(short)
        assert longer.keeps_state(ready, planned.plan_sweep(ready).stacks[0]) == served


def known_of(config):
    """Returns a config as `successors` knows the run of it: its trials' ids, and its config."""
    found = prepared.prepare(config)
    return set(found.trials), to_json(found.config)


def test_why_trials_cannot_go_on(config):
    config.train.schedule = "cosine"
    known = known_of(config)
    config.train.epochs = 9
    with pytest.raises(RunError, match=r"trials of 4 epochs, which cannot go on to 9 \(train\.schedule = cosine: the"):
        longer.successors("run", prepared.prepare(config), *known)
    config.train.schedule = "constant"
    config.phases.lengths = (2, 2)
    known = known_of(config)
    config.phases.lengths = (2, 7)
    with pytest.raises(
        RunError, match=r"trials of 4 epochs, which cannot go on to 9 \(phases\.lengths = \(2, 7\): the"
    ):
        longer.successors("run", prepared.prepare(config), *known)


def test_lengths_that_are_swept_go_on_where_it_is_clear_as_what(config):
    config.sweep.grid.train.epochs = (3, 5)
    known = known_of(config)
    config.sweep.grid.train.epochs = (5, 9)
    found = longer.successors("run", prepared.prepare(config), *known)
    assert len(found) == 4 and {one.before for one in found.values()} == {3}
    config.sweep.grid.train.epochs = (3, 5, 9)
    assert longer.successors("run", prepared.prepare(config), *known) == {}
    config.sweep.grid.train.epochs = (9,)
    with pytest.raises(RunError, match="its trials of 3 and 5 epochs would all go on as one of 9: give each another"):
        longer.successors("run", prepared.prepare(config), *known)
    config.sweep.grid.train.epochs = (5,)
    known = known_of(config)
    config.sweep.grid.train.epochs = (7, 9)
    with pytest.raises(RunError, match="its trials of 5 epochs could go on as trials of 7 or of 9: name one of them"):
        longer.successors("run", prepared.prepare(config), *known)
    config.sweep.grid.train.epochs, config.train.l2 = (9,), 0.5
    assert longer.successors("run", prepared.prepare(config), *known) == {}


def test_fits_are_done_again_on_the_longer_trials(ended, short):
    short.train.epochs, short.head.kind, short.head.layer = 4, "logistic", "dense_0"
    fer_jax.run_sweep(short, ended)
    short.train.epochs = 8
    whole = fer_jax.run_sweep(short, ended.with_name("whole"))
    run = fer_jax.run_sweep(short, ended, extend=True)
    for name in ("heads", "heads_summary", "summary"):
        columns = [column for column in getattr(whole, name) if "seconds" not in column]
        pd.testing.assert_frame_equal(getattr(run, name)[columns], getattr(whole, name)[columns], check_exact=True)
    for folder in ("features", "heads"):
        assert {one.name for one in (run.path / folder).iterdir()} == {
            one.name for one in (whole.path / folder).iterdir()
        }


def test_points_that_were_chosen_stay_chosen(config):
    config.sweep.repeats, config.sweep.best, config.sweep.best_repeats = 1, 1, 3
    config.sweep.chosen = ({"train.learning_rate": 1e-2},)
    known = known_of(config)
    config.train.epochs = 9
    ready = prepared.prepare(config)
    found = longer.successors("run", ready, *known)
    assert len(found) == 4 and {one.id for one in found.values()} == set(ready.trials)


def test_a_result_counts_in_the_wave_that_has_left_it(ended, short):
    """A trial that stays while others of its wave go on is entered again with the new wave."""
    short.train.epochs = 4
    ready, directory = prepared.prepare(short), RunDirectory(ended)
    plan = longer.Plan.from_json(directory.read_plan())
    assert not TrialTable(ready, plan, directory, False).has_pending(plan.stacks[0].waves[0])
    first = ready.trials[plan.trials[0]].values["train.epochs"]
    found = {trial: longer.Successor(trial, first) for trial in plan.trials[:1]}
    moved = longer.replaced_plan(plan, longer.parts(directory, plan, found, ready), found, ready)
    assert TrialTable(ready, moved, directory, False).has_pending(moved.stacks[0].waves[0])
