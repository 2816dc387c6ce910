"""The run directory under kills, full disks and concurrent readers."""

import json
import math
import os
import signal
import socket
import tempfile
import time

import jax
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_jax.errors import RunError
from fer_jax.results import judged_tables
from fer_jax.store import RunDirectory
from tests.store.conftest import abstract, curve_rows, example, kill, start


def snapshot(folder):
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(folder.rglob("*"))}


# Files


def test_sigkilled_writer_leaves_the_old_or_the_new_file(run):
    code = """
print("ready", flush=True)
n = 0
while True:
    n += 1
    run.write_text("report.html", str(n % 10) * 1_000_000)
    run.write_plan({"n": [n] * 20_000})
    run.write_trials(pd.DataFrame({"id": [f"{i:x}" for i in range(5000)], "status": str(n)}))
"""
    for delay in (0.0, 0.013, 0.12):
        process = start(code, run.path)
        while not run.has("trials.csv"):
            time.sleep(0.01)
        time.sleep(delay)
        kill(process)
        text = (run.path / "report.html").read_text()
        assert len(text) == 1_000_000 and len(set(text)) == 1
        plan = run.read_plan()["n"]
        assert len(plan) == 20_000 and len(set(plan)) == 1
        trials = run.read_trials()
        assert len(trials) == 5000 and trials["status"].nunique() == 1
        with run.lock():
            known = {"report.html", "plan.json", "trials.csv", ".lock", ".sealed"}
            assert {path.name for path in run.path.iterdir()} <= known
            assert {path.name for path in (run.path / ".sealed").iterdir()} == {"trials.json"}


def test_failed_write_keeps_the_old_file_and_says_why_in_one_line(run, monkeypatch):
    run.write_plan({"stacks": [1]})
    for code, words in (
        (28, "No space left on device; free some space"),
        (13, "Permission denied; change its permissions"),
    ):

        def refuse(descriptor, code=code):
            raise OSError(code, os.strerror(code))

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", refuse)
            with pytest.raises(RunError, match=words) as caught:
                run.write_plan({"stacks": [2]})
        assert "\n" not in str(caught.value) and "plan.json" in str(caught.value)
    assert run.read_plan() == {"stacks": [1]}
    assert [path.name for path in run.path.iterdir()] == ["plan.json"]


def test_every_writer_explains_a_folder_it_cannot_have(tmp_path):
    (tmp_path / "file").write_text("in the way")
    run = RunDirectory(tmp_path / "file" / "run")
    writers = (
        lambda: run.write_config({}),
        lambda: run.write_trials(pd.DataFrame({"id": ["a"]})),
        lambda: run.curves.write("w", 1, curve_rows(1, 1)),
        lambda: run.save_state("w", 1, {"x": np.zeros(2)}),
        lambda: run.save_final("w", {"x": np.zeros(2)}),
        lambda: run.open_log(),
        lambda: run.lock().__enter__(),
    )
    for write in writers:
        with pytest.raises(RunError, match="^cannot write .*: Not a directory; a file is in the way.*$"):
            write()


def test_tables_come_back_as_they_were_written(run):
    trials = pd.DataFrame(
        {
            "id": ["12345e6789", "0000000000", "1234567890"],
            "status": ["done", "diverged", "pending"],
            "model.kernels": [(16, 32), (16,), (8, 8)],
            "model.batch_norm": [True, False, True],
            "train.l2": [0.1 + 0.2, 1e-300, 5.0],
            "seed": [0, 1, 2],
            "epochs": [3, 2, None],
            "diverged_epoch": [None, 2, None],
            "wave": ["stack_0-wave_0", "", None],
            "val_loss": [np.float32(0.1), math.inf, None],
            "error": ["", 'said "no", twice\nin two lines', None],
        }
    )
    run.write_trials(trials)
    read = run.read_trials()
    assert read["id"].tolist() == trials["id"].tolist()
    assert read["train.l2"].tolist() == trials["train.l2"].tolist()
    assert read["model.kernels"].tolist() == ["(16, 32)", "(16,)", "(8, 8)"]
    assert read["model.batch_norm"].tolist() == [True, False, True]
    assert read["epochs"].tolist() == [3, 2, pd.NA] and read["epochs"].dtype == "Int64"
    assert read["wave"].tolist() == ["stack_0-wave_0", "", ""] and read["error"][1] == trials["error"][1]
    assert np.float32(read["val_loss"][0]) == np.float32(0.1) and read["val_loss"][1] == math.inf
    assert "3.0" not in (run.path / "trials.csv").read_text()
    before = (run.path / "trials.csv").read_bytes()
    run.write_trials(read)
    assert (run.path / "trials.csv").read_bytes() == before


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.floats(allow_nan=False), min_size=1, max_size=20),
    st.lists(st.none() | st.integers(0, 2**53), max_size=20),
)
def test_numbers_survive_any_number_of_rewrites(numbers, counts):
    size = max(len(numbers), len(counts))
    counts, numbers = counts + [None] * (size - len(counts)), numbers + [None] * (size - len(numbers))
    with tempfile.TemporaryDirectory() as folder:
        run = RunDirectory(folder)
        frame = pd.DataFrame(
            {"id": [f"{i:x}" for i in range(size)], "epochs": pd.array(counts, "Int64"), "val_loss": numbers}
        )
        run.write_trials(frame)
        once = run.read_trials()
        text = (run.path / "trials.csv").read_bytes()
        run.write_trials(once)
        assert (run.path / "trials.csv").read_bytes() == text
        assert once["epochs"].tolist() == frame["epochs"].tolist()
        assert once["val_loss"].astype(float).fillna(-1).tolist() == frame["val_loss"].astype(float).fillna(-1).tolist()


def test_missing_and_damaged_files_are_named(run):
    with pytest.raises(RunError, match="^no run at .*: it has no config.json$"):
        run.read_config()
    for name, read in (
        ("plan.json", run.read_plan),
        ("trials.csv", run.read_trials),
        ("heads.csv", lambda: judged_tables.read_heads(run)),
    ):
        run.write_text(name, "{" if name.endswith("json") else "")
        with pytest.raises(
            RunError,
            match=f"^.*{name} is damaged .*; (restore it or start a new --workdir|delete it, and the same command .*)$",
        ):
            read()


def test_log_lines_are_on_disk_at_once_and_appended(run):
    for line in ("first", "second"):
        log = run.open_log()
        log.write(f"{line}\n")
        assert (run.path / "log.txt").read_text().endswith(f"{line}\n")
        log.close()
    assert (run.path / "log.txt").read_text() == "first\nsecond\n"


# Lock

HOLD = """
import time
with run.lock():
    print("held", flush=True)
    time.sleep(60)
"""


def test_second_process_learns_who_holds_the_run_and_a_dead_one_holds_nothing(run):
    process = start(HOLD, run.path)
    with (
        pytest.raises(RunError, match=f"in use by process {process.pid} on {socket.gethostname()} since ") as caught,
        run.lock(),
    ):
        pass
    assert "\n" not in str(caught.value)
    kill(process)
    with run.lock():
        assert json.loads((run.path / ".lock").read_text())["pid"] == os.getpid()
        with pytest.raises(RunError, match=f"in use by process {os.getpid()} "), RunDirectory(run.path).lock():
            pass
    with run.lock():
        pass


def test_a_forked_worker_that_outlives_its_parent_holds_nothing(run):
    code = """
import time
with run.lock():
    if os.fork() == 0:
        print(os.getpid(), flush=True)
    time.sleep(60)
"""
    process = start(code, run.path)
    child = int(process.first_line)
    try:
        kill(process)
        os.kill(child, 0)  # the worker lives
        with run.lock():
            assert json.loads((run.path / ".lock").read_text())["pid"] == os.getpid()
    finally:
        os.kill(child, signal.SIGKILL)


def test_lock_is_released_and_saves_are_finished_when_the_body_fails(run):
    with pytest.raises(ZeroDivisionError), run.lock():
        run.save_state("w", 1, {"x": np.zeros(3)})
        raise ZeroDivisionError
    assert RunDirectory(run.path).latest_state("w") == 1
    with run.lock():
        pass


# Reading


def test_reading_writes_nothing(run):
    run.write_trials(pd.DataFrame({"id": ["a"]}))
    run.curves.write("w", 1, curve_rows(1, 2))
    run.save_state("w", 2, example())
    run.save_final("w", example())
    before = snapshot(run.path)
    reader = RunDirectory(run.path)
    reader.read_trials(), reader.curves.read(), reader.latest_state("w")
    reader.restore_state("w", abstract(example())), reader.load_trial("w", 0)
    assert snapshot(run.path) == before
    RunDirectory(run.path / "nothing").curves.read()
    assert not (run.path / "nothing").exists()


# Resuming


def test_resume_after_a_kill_between_any_two_writes(run):
    """A wave with checkpoints at 2 and 4 is killed after each write; `resume` finds its place."""

    def state(epoch):
        run.save_state("stack_0-wave_0", epoch, {"x": np.full(2, epoch)})
        run.wait()

    unfinished = run.path / "checkpoints" / "stack_0-wave_0" / "state-000004.orbax-checkpoint-tmp"
    steps = (
        (lambda: None, 0),
        (lambda: run.curves.write("stack_0-wave_0", 1, curve_rows(1, 2)), 0),
        (lambda: (run.curves.write("stack_0-wave_0", 1, curve_rows(1, 2)), state(2)), 2),
        (lambda: run.curves.write("stack_0-wave_0", 3, curve_rows(3, 4)), 2),
        (lambda: (run.curves.write("stack_0-wave_0", 3, curve_rows(3, 4)), unfinished.mkdir()), 2),
        (lambda: (run.curves.write("stack_0-wave_0", 3, curve_rows(3, 4)), state(4)), 4),
        (lambda: run.save_final("stack_0-wave_0", {"x": np.zeros(2)}), 4),
    )
    for write, epoch in steps:
        write()
        after = RunDirectory(run.path)
        with after.lock():
            assert after.resume("stack_0-wave_0") == epoch
            assert not unfinished.exists()
            assert after.curves.read("stack_0-wave_0")["epoch"].tolist() == curve_rows(1, epoch)["epoch"].tolist()
            if epoch:
                assert after.restore_state("stack_0-wave_0", {"x": np.zeros(2, int)})["x"].tolist() == [epoch, epoch]


def test_waves_that_have_been_replaced_are_forgotten_and_nothing_else(run, tmp_path):
    whole, halves = "stack_0-wave_0", ("stack_0-wave_0a", "stack_0-wave_0b")
    for wave in (whole, "stack_10-wave_0", halves[0]):
        run.curves.write(wave, 1, curve_rows(1, 2))
        run.save_state(wave, 2, {"x": np.zeros(2)})
    run.save_final(whole, {"x": np.zeros(2)})
    run.curves.write(halves[1], 1, curve_rows(1, 1))
    # Until then rows that are there twice count once.
    assert len(run.curves.read()) == len(curve_rows(1, 2))
    assert run.forget_others(halves) == [whole, "stack_10-wave_0"]
    left = sorted(path.name for path in (run.path / "curves").iterdir())
    assert left == [f"{wave}-000001.parquet" for wave in halves]
    assert [path.name for path in (run.path / "checkpoints").iterdir()] == [halves[0]]
    assert run.latest_state(halves[0]) == 2
    run.forget(halves[0])
    run.forget(halves[0])
    assert run.resume(halves[0]) == 0 and run.curves.read(halves[0]).empty
    assert run.forget_others(halves) == []


def test_nothing_of_anybody_elses_is_deleted(run, tmp_path):
    run.curves.write("mine-too", 1, curve_rows(1, 1))
    folder, elsewhere = run.path / "checkpoints", tmp_path / "elsewhere"
    for place in (folder / "my_backup", folder / "stack_0-wave_0.bak", elsewhere):
        for name in ("state-000001", "state-000002", "final-000001.deleted"):
            (place / name).mkdir(parents=True)
    (folder / "my_disk").symlink_to(elsewhere)
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    with run.lock():
        assert run.forget_others(()) == []
    assert set(before) <= {str(path) for path in tmp_path.rglob("*")}


@pytest.mark.parametrize("name", ["checkpoints", "checkpoints/stack_0-wave_7", "log.txt", ".lock", "curves", "figures"])
def test_through_a_link_nothing_is_deleted_or_written(run, tmp_path, name):
    scratch = tmp_path / "scratch"
    (scratch / "stack_0-wave_7" / "state-000001").mkdir(parents=True)
    (run.path / name).parent.mkdir(parents=True)
    (run.path / name).symlink_to(scratch)
    assert run.forget_others(()) == []
    before = snapshot(scratch)
    for use in (run.lock().__enter__, run.read_config, run.read_trials):
        with pytest.raises(RunError, match=f"^{run.path / name} is a link, .* let the whole run directory be a link$"):
            use()
    assert snapshot(scratch) == before


def test_the_run_directory_itself_may_be_a_link(run, tmp_path):
    run.write_plan({"stacks": []})
    (tmp_path / "runs").symlink_to(run.path)
    linked = RunDirectory(tmp_path / "runs")
    with linked.lock():
        linked.write_text("report.html", "here")
    assert (run.path / "report.html").read_text() == "here" and linked.read_plan() == {"stacks": []}


def test_leftovers_of_killed_writers_are_removed_under_the_lock(run):
    for epoch in (1, 2):
        run.save_state("stack_0-wave_0", epoch, {"x": np.full(2, epoch)})
    run.save_final("stack_0-wave_1", {"x": np.zeros(2)})
    run.save_state("stack_0-wave_0", 3, {"x": np.full(2, 3)})
    run.wait()
    folder = run.path / "checkpoints"
    # As a kill leaves it between the newest state and the end of the oldest.
    (folder / "stack_0-wave_0/state-000001/state").mkdir(parents=True)
    for leftover in (
        "stack_0-wave_0/state-000005.written.orbax-checkpoint-tmp/state",
        "stack_0-wave_0/state-000005.written/state",
        "stack_0-wave_0/state-000000.deleted/state",
        "stack_0-wave_1/final-000002.orbax-checkpoint-tmp-9",
    ):
        (folder / leftover).mkdir(parents=True)
    (folder / "stack_0-wave_0/state-000002").rename(folder / "stack_0-wave_0/state-000004")
    (folder / "stack_0-wave_0/state-000000.deleted/file").write_text("half")
    (folder / "stack_0-wave_1/final-000001").rename(folder / "stack_0-wave_1/final-000007")
    run.curves.write("stack_0-wave_0", 1, curve_rows(1, 1))
    (run.path / "curves" / ".stack_0-wave_0-000002.parquet.77.tmp").write_text("half")
    with run.lock():
        left = sorted(str(path.relative_to(folder)) for path in folder.glob("*/*"))
        states = ["stack_0-wave_0/state-000003", "stack_0-wave_0/state-000004"]
        assert left == [*states, "stack_0-wave_1/final-000007"]
        assert [path.name for path in (run.path / "curves").iterdir()] == ["stack_0-wave_0-000001.parquet"]


def test_sigkilled_training_resumes_from_a_complete_and_consistent_checkpoint(run):
    code = """
with run.lock():
    epoch = run.resume("stack_0-wave_0")
    print(epoch, flush=True)
    while True:
        epoch += 1
        rows = [(name, epoch, 0., 0., 0., 0.) for name in "ab"]
        run.curves.write("stack_0-wave_0", epoch, pd.DataFrame(rows, columns=CURVE_COLUMNS))
        params, count = np.full((4, 300_000), epoch, np.float32), np.full(4, epoch)
        run.save_state("stack_0-wave_0", epoch, {"params": params, "count": count, "epoch": np.asarray(epoch)})
"""
    like = {"params": np.zeros((4, 300_000), np.float32), "count": np.zeros(4, int), "epoch": np.zeros((), int)}
    resumed = 0
    for delay in (0.03, 0.2):
        process = start(code, run.path)
        assert int(process.first_line) == resumed
        while (RunDirectory(run.path).latest_state("stack_0-wave_0") or 0) < resumed + 2:
            time.sleep(0.005)
        time.sleep(delay)
        kill(process)
        after = RunDirectory(run.path)
        with after.lock():
            resumed = after.resume("stack_0-wave_0")
            state = after.restore_state("stack_0-wave_0", like)
            assert (
                {int(leaf.min()) for leaf in jax.tree.leaves(state)}
                == {resumed}
                == {int(leaf.max()) for leaf in jax.tree.leaves(state)}
            )
            assert after.curves.read("stack_0-wave_0")["epoch"].tolist() == [
                epoch for epoch in range(1, resumed + 1) for _ in "ab"
            ]
            assert len(list((run.path / "checkpoints" / "stack_0-wave_0").iterdir())) == 2
