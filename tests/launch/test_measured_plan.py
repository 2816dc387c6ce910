"""A plan that is measured with the real clock, and the sweep that follows it."""

import pytest

import fer_jax
from fer_jax.launch import loop, prepared
from fer_jax.reports import run_report


def test_a_measured_plan_is_stored_and_trained_by(config, tmp_path, monkeypatch):
    monkeypatch.setenv("FER_JAX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(run_report, "write_report", lambda path: None)
    # Leaves micro-batches of 8 and whole batches to choose from.
    config.stack.engine, config.stack.devices = "map", 1
    lines = []

    def measured(prepared_, trials=None, first_stack=0, say=lines.append):
        return prepared.plan_sweep(prepared_, trials, first_stack, lines.append, threshold=0.0)

    monkeypatch.setattr(loop, "plan_sweep", measured)
    run = fer_jax.run_sweep(config, tmp_path / "run")
    assert (run.trials["status"] == "done").all()
    assert len(lines) == 2 and all("measuring engines for stack_0: map x1 device, " in line for line in lines)
    (stack,) = loop.Plan.from_json(loop.RunDirectory(tmp_path / "run").read_plan()).stacks
    assert stack.chosen_by == "measured" and stack.images_per_second > 0 and stack.micro_batch in (0, 8)
    assert stack.seconds == pytest.approx(stack.images / stack.images_per_second, abs=10)
    lines.clear()
    again = measured(prepared.prepare(config))
    assert again.stacks == (stack,) and not lines
