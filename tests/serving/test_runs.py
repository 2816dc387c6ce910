"""Which runs are found, how far they have come, and what is kept of them."""

from __future__ import annotations

import io
import json
import re
import shutil
import threading
from types import SimpleNamespace

import pytest
from reported_runs import run_directory

from fer_jax.errors import RunError
from fer_jax.launch.progress import Progress
from fer_jax.serving import kept, runs
from fer_jax.serving.kept import InBackground, Kept
from fer_jax.serving.runs import Runs
from fer_jax.store import RunDirectory

PENDING = ("pending",) * 4


def state(path):
    return runs.state(path, runs.tables(path))


def test_runs_keep_their_keys_as_others_come_and_go(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "_EVERY", 0.0)
    run_directory(tmp_path / "a-b", PENDING, False)
    run_directory(tmp_path / "1" / "2" / "3", PENDING, False)
    run_directory(tmp_path / "1" / "2" / "too" / "deep", PENDING, False)
    run_directory(tmp_path / ".hidden", PENDING, False)
    found = Runs([tmp_path])
    assert {key: one.name for key, one in found.all().items()} == {"1-2-3": "1/2/3", "a-b": "a-b"}
    # A name that is written alike gets another key, though it comes first.
    run_directory(tmp_path / "a b", PENDING, False)
    assert [(key, one.name) for key, one in found.all().items()][1:] == [("a-b-2", "a b"), ("a-b", "a-b")]
    shutil.rmtree(tmp_path / "a-b")
    run_directory(tmp_path / "a:b", PENDING, False)
    assert list(found.all()) == ["1-2-3", "a-b-2", "a-b-3"]


def test_a_run_is_running_while_its_lock_is_held(tmp_path):
    path = run_directory(tmp_path / "run", ("done", "diverged", "running", "pending"))
    assert state(path).words == "interrupted, 2 of 4 trials over: 1 done, 1 diverged"
    with RunDirectory(path).lock():
        assert state(path).words == "live, 2 of 4 trials over: 1 done, 1 diverged"
        # Looking does not take it.
        with pytest.raises(RunError, match="in use"), RunDirectory(path).lock():
            pass
    assert state(path).word == "interrupted"
    run_directory(path, ("done", "done", "diverged", "failed"))
    record = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(record | {"finished": "2025-01-01T00:05:00+00:00"}))
    assert state(path).words == "run finished: 2 done, 1 diverged, 1 failed"


def test_the_words_of_a_running_run_say_which_epoch_is_reached(tmp_path):
    path = run_directory(tmp_path / "run", PENDING, False)
    directory = RunDirectory(path)
    directory.write_plan({"stacks": [{"name": "stack_0"}, {"name": "stack_1"}], "hardware": "cpu"})
    before = runs.changed(path)
    with directory.open_log() as log, directory.lock():
        with Progress(log, io.StringIO()) as progress, progress.waiting("planning"):
            assert state(path).words == "live, 0 of 4 trials done"
        progress.flops_left = 100.0
        with progress.wave("stack_1-wave_0 (4 trials)", 400, 0, 100.0, epochs=40) as follower:
            follower.epoch(1, 10, 0.5)
        said = re.fullmatch(
            r"live, 0 of 4 trials done, stack 2 of 2 at epoch 1 of 40, about (.*) left", state(path).words
        )
        assert said and runs.changed(path) >= before
    assert state(path).words == "interrupted, 0 of 4 trials done"


def test_a_run_of_another_machine_is_running_as_its_files_say(tmp_path):
    path = run_directory(tmp_path / "run", PENDING, False)
    (path / ".lock").write_text(json.dumps({"pid": 1, "host": "node-7", "since": "2025-01-01T00:00:00+0000"}))
    assert state(path).words == "live on node-7, 0 of 4 trials done"
    record = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(record | {"finished": "2025-01-01T00:05:00+00:00"}))
    assert state(path).word == "interrupted"


def test_versions_change_with_what_they_are_of(tmp_path):
    path = run_directory(tmp_path / "run")
    told = (runs.figures_version, runs.data_version, runs.notes_version)
    first = [version(path) for version in told]
    RunDirectory(path).write_notes("seen")
    second = [version(path) for version in told]
    assert [a == b for a, b in zip(first, second, strict=True)] == [True, True, False]
    curves = RunDirectory(path).curves.read_whole()[0]
    RunDirectory(path).curves.write("stack_0-wave_1", 1, curves.assign(epoch=3))
    assert [version(path) == old for version, old in zip(told, second, strict=True)] == [True, False, True]


def test_what_is_kept_is_made_again_once_it_changed_and_a_pause_is_over(monkeypatch):
    monkeypatch.setattr(kept, "time", SimpleNamespace(monotonic=lambda: 0.0))
    made = []

    def make():
        made.append(len(made))
        return made[-1]

    at_once, later = Kept(2, 0.0), Kept(2, 1e6)
    assert [at_once.get("key", version, make) for version in "aabb"] == [0, 0, 1, 1]
    assert [later.get("key", version, make) for version in "ab"] == [2, 2] and later.offered("key", "b") == "a"
    for key in ("other", "third"):
        later.get(key, "a", make)
    assert later.offered("key", "b") == "b" and later.get("key", "b", make) == 5
    with pytest.raises(ZeroDivisionError):
        at_once.get("key", "c", lambda: 1 // 0)
    assert at_once.get("key", "b", make) == 1


def test_nobody_waits_for_what_is_made_in_the_background():
    ready = threading.Event()
    values = InBackground(Kept(2, 0.0), 0.05)
    assert values.get("key", "a", lambda: ready.wait() and "made") is None
    ready.set()
    while (found := values.get("key", "a", lambda: "made twice")) is None:
        pass
    assert found == "made"
    with pytest.raises(ZeroDivisionError):
        InBackground(Kept(2, 0.0), 60.0).get("key", "a", lambda: 1 // 0)
