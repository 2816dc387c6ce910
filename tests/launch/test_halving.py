"""Waves that do not fit into memory: halved, from the last checkpoint, and a kill loses nothing."""

import contextlib
import copy
import dataclasses
import itertools

import jax
import pandas as pd
import pytest

import fer_jax
from fer_jax.launch import compiling, halving, packing, planned, prepared, stopping
from fer_jax.plan import Plan, Wave
from fer_jax.store import RunDirectory
from fer_jax.store.curves import CurveFiles
from tests.shared.kills import killed_at

pytestmark = pytest.mark.usefixtures("shared_programs")

EXHAUSTED = "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1234 bytes."


@pytest.fixture(autouse=True)
def nothing_known_of_this_hardware(tmp_path_factory, monkeypatch):
    """What did not fit is remembered in the cache, and other tests are not to obey."""
    monkeypatch.setenv("FER_JAX_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def memory_for(monkeypatch):
    """memory_for(slots, epoch): programs of more slots find no memory from their n-th epoch on.

    None takes that back.
    """
    compile_program = compiling.compile_program

    def arrange(slots, epoch=1):
        def limited(prepared, stack, width):
            program = compile_program(prepared, stack, width)
            if slots is None or width <= slots:
                return program
            count = itertools.count(1)

            def run(name, *arguments, phase=0):
                if name == "epoch" and next(count) >= epoch:
                    raise jax.errors.JaxRuntimeError(EXHAUSTED)
                return program.run(name, *arguments, phase=phase)

            exhausted = copy.copy(program)
            exhausted.run = run
            return exhausted

        monkeypatch.setattr(compiling, "compile_program", limited)

    return arrange


@pytest.fixture
def narrow(leaving):
    """Returns the same eight trials in two waves of four."""
    leaving.stack.width = 4
    return leaving


@pytest.fixture
def whole(leaving, tmp_path_factory):
    """Returns the run without any lack of memory, made once."""
    return fer_jax.run_sweep(leaving, tmp_path_factory.getbasetemp() / "whole")


def results(run):
    trials = run.trials.drop(columns=["stack", "wave", "slot"])
    return trials, run.curves.sort_values(["id", "epoch"], ignore_index=True)


def assert_same(run, reference):
    for one, other in zip(results(run), results(reference), strict=True):
        pd.testing.assert_frame_equal(one, other, rtol=1e-4, atol=1e-6)


def wave_names(run):
    return [wave["name"] for stack in run.plan["stacks"] for wave in stack["waves"]]


def files(run):
    """Returns the names of the waves that have curves, and of those that have checkpoints."""
    curves = {path.name.rsplit("-", 1)[0] for path in (run.path / "curves").iterdir()}
    return sorted(curves), sorted(path.name for path in (run.path / "checkpoints").iterdir())


def test_what_counts_as_out_of_memory():
    assert halving.is_out_of_memory(MemoryError())
    assert halving.is_out_of_memory(jax.errors.JaxRuntimeError(EXHAUSTED))
    assert halving.is_out_of_memory(jax.errors.JaxRuntimeError("INTERNAL: Out of memory allocating 8 bytes."))
    assert not halving.is_out_of_memory(jax.errors.JaxRuntimeError("INTERNAL: the device is gone"))
    assert not halving.is_out_of_memory(ValueError(EXHAUSTED))


def test_a_plan_of_before_waves_had_widths_is_read_and_halves_come_back(leaving, tmp_path):
    run = fer_jax.run_sweep(leaving, tmp_path)
    for stack in run.plan["stacks"]:
        for wave in stack["waves"]:
            del wave["width"]
    plan = Plan.from_json(run.plan)
    (stack,) = plan.stacks
    assert stack.width_of(stack.waves[0]) == stack.width == 8
    halves = halving.halves(stack, stack.waves[0])
    assert halves == (
        Wave("stack_0-wave_0a", stack.trials[:4], 4),
        Wave("stack_0-wave_0b", stack.trials[4:], 4),
    )
    halved = halving.replaced(plan, {"stack_0-wave_0": halves})
    assert Plan.from_json(halved.to_json()) == halved and halved.trials == plan.trials
    nested = halving.halves(halved.stacks[0], halves[1])
    assert [wave.name for wave in nested] == ["stack_0-wave_0ba", "stack_0-wave_0bb"] and nested[0].width == 2
    on_four = dataclasses.replace(stack, devices=4)
    assert [wave.width for wave in halving.halves(on_four, stack.waves[0])] == [4, 4]
    assert halving.halves(dataclasses.replace(stack, devices=8), stack.waves[0]) == ()
    almost_empty = dataclasses.replace(stack.waves[0], trials=stack.trials[:1])
    assert [wave.trials for wave in halving.halves(stack, almost_empty)] == [stack.trials[:1]]


@pytest.mark.parametrize("engine", ["vmap", "map"])
def test_halves_go_on_from_the_last_checkpoint(leaving, tmp_path, whole, memory_for, capsys, engine):
    leaving.stack.engine = engine
    memory_for(4, epoch=8)
    run = fer_jax.run_sweep(leaving, tmp_path / "run")
    assert (
        "stack_0-wave_0 did not fit: halved to 4 trials, going on from epoch 6" in capsys.readouterr().err.splitlines()
    )
    assert "JaxRuntimeError: RESOURCE_EXHAUSTED" in (run.path / "log.txt").read_text()
    assert_same(run, whole)
    assert wave_names(run) == ["stack_0-wave_0a", "stack_0-wave_0b"] and files(run) == (
        wave_names(run),
        wave_names(run),
    )
    assert run.trials["wave"].tolist() == ["stack_0-wave_0a"] * 4 + ["stack_0-wave_0b"] * 4
    assert run.trials["slot"].tolist() == [0, 1, 2, 3] * 2
    for identity in run.trials["id"][run.trials["status"] == "done"]:
        trial = run.trial(identity)
        counts = trial.confusion_matrix("test").to_numpy()
        assert counts.trace() / counts.sum() == pytest.approx(float(trial.row["test_accuracy"]))


def test_a_stop_while_a_wave_is_halved_trains_no_epoch_more(leaving, tmp_path, whole, memory_for, monkeypatch):
    hand_down, asked = halving.hand_down, []

    def ask(*arguments):
        asked.append(True)
        return hand_down(*arguments)

    @contextlib.contextmanager
    def requests(note):
        yield lambda: bool(asked)

    memory_for(4, epoch=8)
    with monkeypatch.context() as patch:
        patch.setattr(halving, "hand_down", ask)
        patch.setattr(stopping, "requests", requests)
        with pytest.raises(KeyboardInterrupt):
            fer_jax.run_sweep(leaving, tmp_path / "run")
    stopped = fer_jax.load_run(tmp_path / "run")
    assert (
        "stopped before stack_0-wave_0a; the same command goes on from there" in (stopped.path / "log.txt").read_text()
    )
    assert stopped.curves["epoch"].max() == 6 and (stopped.trials["status"] == "pending").all()
    memory_for(None)
    assert_same(fer_jax.run_sweep(leaving, tmp_path / "run"), whole)


def test_halves_are_halved_again_and_so_are_the_waves_that_wait(narrow, tmp_path, whole, memory_for, capsys):
    memory_for(1)
    run = fer_jax.run_sweep(narrow, tmp_path / "run")
    assert_same(run, whole)
    assert wave_names(run) == [f"stack_0-wave_{number}{a}{b}" for number in "01" for a in "ab" for b in "ab"]
    said = [line for line in capsys.readouterr().err.splitlines() if "did not fit" in line]
    assert said == [
        "stack_0-wave_0 did not fit: halved to 2 trials, starting again",
        "stack_0-wave_0a did not fit: halved to 1 trial, starting again",
    ]


def test_later_sweeps_begin_with_waves_of_the_width_that_fitted(leaving, tmp_path, whole, memory_for, capsys):
    memory_for(4)
    fer_jax.run_sweep(leaving, tmp_path / "first")
    assert "did not fit" in capsys.readouterr().err
    run = fer_jax.run_sweep(leaving, tmp_path / "second")
    assert "did not fit" not in capsys.readouterr().err
    assert wave_names(run) == ["stack_0-wave_0", "stack_0-wave_1"]
    assert_same(run, whole)
    leaving.stack.width = 8  # the user's word overrules what is remembered
    assert [stack.width for stack in planned.plan_sweep(prepared.prepare(leaving)).stacks] == [8]


def test_a_program_that_cannot_be_compiled_for_want_of_memory_is_tried_at_half_the_width(narrow, tmp_path, monkeypatch):
    compile_program = compiling.compile_program

    def limited(prepared, stack, width):
        if width > 2:
            raise jax.errors.JaxRuntimeError(EXHAUSTED)
        return compile_program(prepared, stack, width)

    monkeypatch.setattr(compiling, "compile_program", limited)
    run = fer_jax.run_sweep(narrow, tmp_path)
    assert len(wave_names(run)) == 4 and set(run.trials["status"]) == {"done", "diverged"}


def test_nothing_of_the_wave_that_did_not_fit_is_in_memory_when_its_halves_begin(
    leaving, tmp_path, memory_for, monkeypatch
):
    memory_for(4, epoch=5)
    hand_down, kernel = halving.hand_down, (8, 256, 8)  # of the hidden layer, in all slots

    def look(*arguments):
        assert not [array for array in jax.live_arrays() if array.shape == kernel]
        looked.append(True)
        return hand_down(*arguments)

    looked = []
    monkeypatch.setattr(halving, "hand_down", look)
    fer_jax.run_sweep(leaving, tmp_path)
    assert looked


def test_one_trial_that_does_not_fit_fails_and_the_user_is_told_what_to_do(narrow, tmp_path, memory_for, capsys):
    memory_for(0)
    run = fer_jax.run_sweep(narrow, tmp_path)
    assert (run.trials["status"] == "failed").all() and len(wave_names(run)) == 8
    assert f"stack_0-wave_0aa failed: JaxRuntimeError: {EXHAUSTED}; {halving.ADVICE}" in capsys.readouterr().err
    assert run.trials["error"].str.endswith(halving.ADVICE).all()
    memory_for(None)
    again = fer_jax.run_sweep(narrow, tmp_path, retry_failed=True)
    assert set(again.trials["status"]) == {"done", "diverged"} and len(wave_names(again)) == 8


@pytest.mark.parametrize(
    ("owner", "method", "call"),
    [
        (CurveFiles, "write", 4),
        (RunDirectory, "save_state", 4),
        (RunDirectory, "write_plan", 2),
        (RunDirectory, "forget", 3),
        (RunDirectory, "write_trials", 3),
    ],
)
def test_a_kill_while_a_wave_is_halved_loses_nothing(leaving, tmp_path, whole, memory_for, owner, method, call):
    """The kill comes at one of five places, with memory afterwards or not.

    These are in the second half's curves or state, before the plan, before and after the old wave
    is deleted.
    """
    memory_for(4, epoch=8)
    with killed_at(owner, method, call):
        fer_jax.run_sweep(leaving, tmp_path / "run")
    interrupted = fer_jax.load_run(tmp_path / "run").curves
    assert interrupted["epoch"].max() >= 6 and not interrupted.duplicated(["id", "epoch"]).any()
    memory_for(8 if method in ("write", "write_plan") else 4)
    run = fer_jax.run_sweep(leaving, tmp_path / "run")
    assert_same(run, whole)
    assert files(run) == (wave_names(run), wave_names(run))


def test_a_packed_wave_is_halved_with_its_packing(leaving, tmp_path, memory_for, monkeypatch):
    monkeypatch.setattr(packing, "EPOCHS", 2)
    monkeypatch.setattr(packing, "LEAST_SECONDS", 0)
    reference = fer_jax.run_sweep(leaving, tmp_path / "reference")
    memory_for(
        1, epoch=4
    )  # 8 slots for epochs 1 and 2, 4 for 3 and 4, 2 from epoch 5 on, in which epoch 8 finds no memory
    run = fer_jax.run_sweep(leaving, tmp_path / "run")
    log = (run.path / "log.txt").read_text()
    assert "stack_0-wave_0 did not fit: halved to 4 trials, going on from epoch 6" in log
    assert_same(run, reference)
