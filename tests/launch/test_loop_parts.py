"""Sweeps with fewer trials than devices, or odd ones: every batch in parts on several devices."""

import pandas as pd
import pytest

import fer_jax
from fer_jax.plan import candidates
from fer_jax.plan import stack as planned
from fer_jax.reports import run_report


@pytest.fixture(autouse=True)
def parts_pay(monkeypatch):
    """Also for networks as small as these, and for as little time; without a report."""
    monkeypatch.setattr(candidates, "LEAST_FLOPS_A_WEIGHT", 1)
    monkeypatch.setattr(planned, "WORTH_A_WAVE", 0.0)
    monkeypatch.setattr(run_report, "write_report", lambda path: None)


def results(run):
    trials = run.trials.drop(columns=["stack", "wave", "slot"])
    return trials, run.curves.sort_values(["id", "epoch"], ignore_index=True)


def assert_same(run, other, **tolerance):
    for one, reference in zip(results(run), results(other), strict=True):
        pd.testing.assert_frame_equal(one, reference, **tolerance)


@pytest.mark.parametrize("data", ["resident", "stream"])
def test_the_odd_trial_goes_on_alone_on_all_devices_and_resumes_bit_for_bit(config, tmp_path, stop_after, data):
    """Of five trials on four devices four run at once, then one on all four.

    The run is stopped in the second wave and resumed.
    """
    config.sweep.repeats, config.sweep.grid.train.learning_rate = 5, (1e-2,)
    config.model.dropout, config.augment.flip, config.stack.data = 0.3, 0.5, data
    run = fer_jax.run_sweep(config, tmp_path / "run")
    (stack,) = run.plan["stacks"]
    assert [(len(wave["trials"]), wave["width"] or stack["width"], wave["parts"]) for wave in stack["waves"]] == [
        (4, 4, 1),
        (1, 1, 4),
    ]
    assert (run.trials["status"] == "done").all()
    stop_after(6)
    with pytest.raises(KeyboardInterrupt):
        fer_jax.run_sweep(config, tmp_path / "cut")
    assert fer_jax.load_run(tmp_path / "cut").trials["status"].tolist() == ["done"] * 4 + ["pending"]
    stop_after(0)
    assert_same(fer_jax.run_sweep(config, tmp_path / "cut"), run, check_exact=True)
    config.stack.devices = 1
    alone = fer_jax.run_sweep(config, tmp_path / "alone")
    assert len(alone.plan["stacks"][0]["waves"]) == 1
    assert_same(run, alone, rtol=1e-3, atol=1e-5)
    trial = run.trial(run.trials["id"][4])
    test = trial.dataset().splits()["test"]
    assert (trial.predict(test.images).argmax(1) == test.labels).mean() == trial.row["test_accuracy"]


def test_a_trial_alone_and_three_trials_take_the_devices_they_can_use(config, tmp_path):
    config.sweep.grid.train.learning_rate = (1e-2,)
    for repeats, devices, parts in ((1, 4, 4), (2, 4, 2), (3, 3, 1)):
        config.sweep.repeats = repeats
        run = fer_jax.run_sweep(config, tmp_path / str(repeats))
        (stack,) = run.plan["stacks"]
        assert (stack["devices"], stack["waves"][0]["parts"], stack["width"]) == (devices, parts, repeats)
        assert (run.trials["status"] == "done").all()
    one, two, three = (fer_jax.load_run(tmp_path / str(repeats)).trials.set_index("id") for repeats in (1, 2, 3))
    for fewer in (one, two):
        columns = ["train_loss", "val_loss", "test_loss", "test_accuracy"]
        pd.testing.assert_frame_equal(fewer[columns], three.loc[fewer.index, columns], rtol=1e-3)
