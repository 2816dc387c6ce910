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


def test_other_draws_are_refused_by_what_draws_them():
    draw = {"repeats": 2, "draw": {"train.l2": "uniform 0 1"}}
    before = {"sweep": draw, "search.kind": "sobol", "search.draws": 2, "search.seed": 0, "search.brackets": 1}

    def start(trials, extend=False, **changes):
        config = {**before, **{f"search.{name}": value for name, value in changes.items()}}
        old = {**before, "search.kind": config["search.kind"]} if changes.get("kind") == "latin" else before
        resume.check("run", known(**old), dict.fromkeys(trials), {**known().config, **config}, frozenset("x"), extend)

    start("abc", draws=3, extend=True)
    with pytest.raises(RunError, match="2 of this sweep's 3 trials: search.draws was 2, is 3; add --extend to train"):
        start("abc", draws=3)
    with pytest.raises(RunError, match=r"2 of its 2 trials are not in this one\): search.seed was 0, is 1; choose"):
        start("cd", seed=1, extend=True)
    latin = r"search.draws was 2, is 3 \(of search.kind = latin more draws are others; random, sobol and halton keep"
    with pytest.raises(RunError, match=latin):
        start("cde", kind="latin", draws=3, extend=True)
    with pytest.raises(RunError, match="draw.train.l2 was uniform 0 1, is not set"):
        config = {**known(**before).config, "sweep": {"repeats": 2}}
        resume.check("run", known(**before), dict.fromkeys("cd"), config, frozenset("x"), True)


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
