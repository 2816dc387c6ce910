"""What may go on in a run directory, and what is refused."""

import pandas as pd
import pytest

import fer_jax
from fer_jax.errors import RunError
from fer_jax.launch import resume
from fer_jax.reports import run_report


@pytest.fixture(autouse=True)
def no_report(monkeypatch):
    monkeypatch.setattr(run_report, "write_report", lambda path: None)


def known(**config):
    return resume.Known(
        frozenset("ab"), {"train.l2": 0.1, "sweep": {"repeats": 2, "chosen": []}, **config}, frozenset("x")
    )


def check(trials, config, extend=False, checksums="x"):
    resume.check("run", known(), dict.fromkeys(trials), {**known().config, **config}, frozenset(checksums), extend)


def test_the_same_trials_go_on_and_new_ones_with_extend():
    check("ab", {"report.title": "a run field"})
    check("abc", {}, extend=True)
    with pytest.raises(RunError, match="run holds 2 of this sweep's 3 trials: .*; add --extend to train the other 1"):
        check("abc", {"sweep": {"repeats": 3, "chosen": []}})


def test_a_lost_trial_is_refused_with_what_differs():
    with pytest.raises(RunError, match=r"1 of its 2 trials are not in this one\): train\.l2 was 0\.1, is 0\.5; choose"):
        check("a", {"train.l2": 0.5}, extend=True)
    with pytest.raises(RunError, match=r"\): the data have other checksums; choose another --workdir"):
        check("a", {}, checksums="y")
    with pytest.raises(RunError, match="its trials were made by another version of the program"):
        check("a", {"sweep": {"repeats": 2, "chosen": [{"train.l2": 0.1}]}})


def test_another_sweep_is_refused_field_by_field_and_more_repeats_need_extend(config, tmp_path):
    fer_jax.run_sweep(config, tmp_path)
    before = fer_jax.load_run(tmp_path).trials
    config.train.l2 = 0.5
    with pytest.raises(RunError, match=r"another sweep.*train\.l2 was 0\.0001, is 0\.5.*another --workdir"):
        fer_jax.run_sweep(config, tmp_path)
    config.train.l2 = 1e-4
    config.sweep.repeats = 3
    with pytest.raises(RunError, match=r"4 of this sweep's 6 trials: sweep\.repeats was 2, is 3; add --extend"):
        fer_jax.run_sweep(config, tmp_path)
    config.report.title = "run fields may change"
    extended = fer_jax.run_sweep(config, tmp_path, extend=True)
    assert len(extended.trials) == 6 and (extended.summary["n"] == 3).all()
    kept = extended.trials.set_index("id").loc[before["id"]].reset_index()
    pd.testing.assert_frame_equal(kept, before, check_exact=True)
