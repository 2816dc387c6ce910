"""Finished waves at a start: what is gone is said, and made again where that can be."""

import shutil

import numpy as np
import pytest

import fer_jax
from fer_jax.launch import loop, wave
from fer_jax.models import inference
from fer_jax.reports.run_report import write_report
from fer_jax.store import RunDirectory
from tests.reliability import damage_tables


def start(path, monkeypatch, capsys):
    """Starts the finished sweep again, which may train nothing; returns what it says."""
    monkeypatch.setattr(wave, "train", lambda *_: pytest.fail("a finished wave was trained again"))
    capsys.readouterr()
    loop.run_sweep(damage_tables.small_config(), path)
    return capsys.readouterr().err


def test_a_whole_run_asks_no_network(trained, monkeypatch, capsys):
    monkeypatch.setattr(inference, "logits", lambda *_: pytest.fail("a network was asked"))
    monkeypatch.setattr(RunDirectory, "load_trial", lambda *_: pytest.fail("weights were read"))
    said = start(trained, monkeypatch, capsys)
    assert "gone" not in said and "damaged" not in said


def test_predictions_and_summaries_are_made_again(trained, monkeypatch, capsys):
    metrics, (test, validation) = fer_jax.load_run(trained).metrics, sorted(trained.glob("predictions/*.npy"))
    before = np.load(test)
    test.unlink()
    validation.write_bytes(validation.read_bytes()[:-1] + b"\xff")
    (trained / "summary.csv").unlink()
    lines = []
    write_report(trained, say=lines.append)
    assert any("are damaged or gone; the same command makes them again" in line for line in lines)
    assert any("summary.csv is gone" in line for line in lines) and not test.exists()
    said = start(trained, monkeypatch, capsys)
    assert "were damaged or gone: the final weights of its 4 trials gave them again" in said
    assert "summary.csv was gone" in said and (trained / "summary.csv").is_file()
    np.testing.assert_allclose(np.load(test), before, atol=1e-4)
    again = fer_jax.load_run(trained).metrics
    assert again["accuracy"].tolist() == metrics["accuracy"].tolist()
    assert "gone" not in start(trained, monkeypatch, capsys)


def test_what_cannot_be_made_again_is_said_with_what_it_means(trained, monkeypatch, capsys):
    trials = fer_jax.load_run(trained).trials
    for folder in ("curves", "checkpoints", "predictions"):
        shutil.rmtree(trained / folder)
    said = start(trained, monkeypatch, capsys)
    for words in (
        "curves of stack_0-wave_0 are gone",
        "final weights of stack_0-wave_0 are gone: metrics and stored predictions stand, but predict, export, ",
        "stored predictions of stack_0-wave_0 are gone, and so are the weights that gave them",
    ):
        assert words in said
    assert fer_jax.load_run(trained).trials["val_accuracy"].tolist() == trials["val_accuracy"].tolist()


def test_an_edited_table_is_written_back_and_kept_aside(trained, monkeypatch, capsys):
    table = trained / "trials.csv"
    content = table.read_bytes()
    table.write_bytes(content[:500])
    said = start(trained, monkeypatch, capsys)
    assert "it is cut in line" in said and "is kept as trials.csv.changed" in said
    assert table.read_bytes() == content and (trained / "trials.csv.changed").read_bytes() == content[:500]


def test_one_damaged_file_leaves_the_metrics_of_others_alone(trained, capsys):
    metrics = fer_jax.load_run(trained).metrics
    path = next(trained.glob("predictions/*-test.npy"))
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    found = fer_jax.load_run(trained).metrics
    kept = metrics.drop(index=metrics.index[(metrics["split"] == "test")][-1]).reset_index(drop=True)
    assert found["accuracy"].tolist() == kept["accuracy"].tolist() and found["id"].tolist() == kept["id"].tolist()
    assert "slot 3 has another checksum" in capsys.readouterr().err
