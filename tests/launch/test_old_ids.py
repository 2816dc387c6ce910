"""Runs of before ids were kept from looking like numbers: they open, go on and grow as ever."""

import dataclasses
import re

import pytest

import fer_jax
from fer_jax.config import search_space
from fer_jax.launch.prepared import prepare
from fer_jax.reports import run_report
from fer_jax.results.row_checks import TrialFiles

LIKE_A_NUMBER = re.compile(r"\d+([de]\d+)?")


def old_spelling(patch):
    patch.setattr(search_space, "_NUMBER", re.compile("no id"))


def looks_like_a_number(identity):
    return LIKE_A_NUMBER.fullmatch(identity) is not None


@pytest.fixture
def config(make_config):
    """Two seeds of a network, and a fit of each; an id of each kind once looked like a number."""
    config = make_config()
    config.model.name, config.model.hidden, config.train.epochs = "mlp", (8,), 2
    config.head.kind, config.head.layer = "logistic", "dense_0"
    config.sweep.grid.train.learning_rate = None
    ready = prepare(config)
    first, fit = next((trial, fit) for _, (_, fit) in ready.fits.items() for trial in [fit.trial])
    with pytest.MonkeyPatch.context() as patch:
        old_spelling(patch)
        for number in range(2000):
            config.train.l2 = round(1e-6 * number, 6)
            trial = dataclasses.replace(first, values={**first.values, "train.l2": config.train.l2})
            if looks_like_a_number(identity := ready.identity(trial)):
                break
        for number in range(2000):
            config.head.C = 1 + number / 1000
            if looks_like_a_number(dataclasses.replace(fit, head={**fit.head, "head.C": config.head.C}).id(identity)):
                return config
    raise AssertionError("one id in fifty looks like a number")


def test_more_points_beside_an_old_run_leave_its_ids(config):
    with pytest.MonkeyPatch.context() as patch:
        old_spelling(patch)
        before = prepare(config)
    config.sweep.repeats = 3
    after = prepare(config, {*before.trials, *before.fits})
    assert set(before.trials) < set(after.trials) and set(before.fits) < set(after.fits)
    assert not any(map(looks_like_a_number, {*after.trials, *after.fits} - {*before.trials, *before.fits}))


def test_an_old_run_with_such_ids_goes_on_and_grows(config, tmp_path, monkeypatch):
    monkeypatch.setattr(run_report, "write_report", lambda path: None)
    with pytest.MonkeyPatch.context() as patch:
        old_spelling(patch)
        before = fer_jax.run_sweep(config, tmp_path)
    tables = {name: (tmp_path / name).read_bytes() for name in ("trials.csv", "heads.csv", "plan.json")}
    trial = next(id for id in before.trials["id"] if looks_like_a_number(id))
    fit = next(id for id in before.heads["fit"] if looks_like_a_number(id))

    again = fer_jax.run_sweep(config, tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in tables} == tables
    assert "2 of 2 trials were trained before; waves left: 0" in (tmp_path / "log.txt").read_text()
    assert again.trial(trial)._is_trained_on(again.record["data"]["checksum"])
    assert len(again.trial(trial).curves) == 2 and again.trial(trial).logits("validation").shape[1] == 7
    assert again.trial(trial).head().id == fit
    places = {id: ("", "", 0) for id in again.trials["id"]}
    assert list(TrialFiles(again.directory, again.record, places, {}).trials) == list(again.trials["id"])

    config.train.epochs, config.sweep.repeats = 3, 3
    grown = fer_jax.run_sweep(config, tmp_path, extend=True)
    assert len(grown.trials) == 3 and (grown.trials["status"] == "done").all() and (grown.trials["epochs"] == 3).all()
    assert "more epochs: 2 trials going on from epoch 2" in (tmp_path / "log.txt").read_text()
    assert not any(map(looks_like_a_number, [*grown.trials["id"], *grown.heads["fit"]]))


def test_a_new_run_has_no_id_that_looks_like_a_number(config):
    ready = prepare(config)
    assert not any(map(looks_like_a_number, [*ready.trials, *ready.fits]))
