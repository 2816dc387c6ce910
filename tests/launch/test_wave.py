"""Waves whose states something has damaged: they end as if nothing had, and say what happened."""

import errno
import os

import pytest

import fer_jax
from fer_jax.errors import RunError
from fer_jax.store import bounds

pytestmark = pytest.mark.usefixtures("shared_programs")


@pytest.fixture
def broken_off(config, tmp_path, stop_after, capsys):
    """Returns a run that was stopped after its third epoch of four, a state at each."""
    stop_after(3)
    with pytest.raises(KeyboardInterrupt):
        fer_jax.run_sweep(config, tmp_path / "run")
    stop_after(0)
    capsys.readouterr()
    return tmp_path / "run"


def empty(state):
    (state / "arrays.bin").write_bytes(b"")


@pytest.mark.parametrize(
    ("damaged", "words"),
    [
        (1, "state-000003 is damaged and deleted; going on from epoch 2"),
        (
            2,
            "state-000003 is damaged and deleted; state-000002 is damaged and deleted; the wave starts anew, its "
            "curves too",
        ),
    ],
)
def test_a_wave_with_damaged_states_ends_as_without(config, tmp_path, broken_off, capsys, damaged, words):
    states = sorted(broken_off.glob("checkpoints/*/state-*"), reverse=True)
    assert [state.name for state in states] == ["state-000003", "state-000002"]
    for state in states[:damaged]:
        empty(state)
    resumed = fer_jax.run_sweep(config, broken_off)
    lines = capsys.readouterr().err.splitlines()
    assert lines.index(f"stack_0-wave_0: {words}") < lines.index("compiling stack_0 (1 of 1)")
    whole = fer_jax.run_sweep(config, tmp_path / "whole")
    assert resumed.trials.equals(whole.trials)
    order = ["id", "epoch"]
    assert (
        resumed.curves.sort_values(order)
        .reset_index(drop=True)
        .equals(whole.curves.sort_values(order).reset_index(drop=True))
    )
    assert [state.name for state in broken_off.glob("checkpoints/*/state-*")] == ["state-000004"]


def test_a_state_that_cannot_be_read_ends_the_start_in_a_line_and_stays(config, broken_off, capsys, monkeypatch):
    def refused(path):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    state = max(broken_off.glob("checkpoints/*/state-*"))
    monkeypatch.setattr(bounds, "read_json", refused)
    with pytest.raises(RunError, match="^cannot read .*: Input/output error"):
        fer_jax.run_sweep(config, broken_off)
    assert "compiling" not in capsys.readouterr().err and state.is_dir()


def test_a_report_leaves_out_damaged_curves_and_says_so(config, tmp_path, capsys):
    path = fer_jax.run_sweep(config, tmp_path / "run").path
    part = path / "curves" / "stack_0-wave_0-000002.parquet"
    part.write_bytes(part.read_bytes()[:-9])
    capsys.readouterr()
    run = fer_jax.load_run(path)
    assert run.curves["epoch"].unique().tolist() == [1, 3, 4]
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{part} is damaged" in line and line.endswith("until then they are left out")
