"""From a run directory to report.html: what is written, when, and what is said where there is no run."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from fer_jax import config, report
from fer_jax.errors import FerJaxError, RunError
from fer_jax.store import RunDirectory

SWEPT = ["train.learning_rate", "model.kernels"]


def run_directory(path, statuses=("done", "done", "diverged", "pending"), curves=True):
    """A run of two learning rates by two tuples of kernels, as the store leaves it."""
    base = config.to_json(config.default_config())
    record = {
        "config": base,
        "command": "python -m fer_jax.sweep --config=configs/oslo.py",
        "versions": {"jax": "0.10.2"},
        "devices": ["cpu:0 cpu"],
        "data": {
            "checksum": "ab" * 32, "classes": ["happy", "sad"], "split": "official", "majority_share": 0.6,
            "counts": {name: {"happy": 60, "sad": 40} for name in ("train", "validation", "test")},
            "label": "synthetic faces, official split",
        },
        "swept": SWEPT, "started": "2025-01-01T00:00:00+00:00", "finished": None, "seconds": None,
    }  # fmt: skip
    directory = RunDirectory(path)
    directory.write_config(record)
    rows, epochs = [], []
    points = [(rate, kernels) for rate in (1e-3, 1e-2) for kernels in ((32, 64, 64), (16, 32, 32))]
    for slot, ((rate, kernels), status) in enumerate(zip(points, statuses, strict=True)):
        row = {"id": f"12345e678{slot}", "status": status, SWEPT[0]: rate, SWEPT[1]: kernels, "seed": 0, "repeat": 0}
        row |= {"stack": "stack_0", "wave": "stack_0-wave_0", "slot": slot}
        done = status == "done"
        row |= {"epochs": 2 if done else None, "best_epoch": 2 if done else None}
        row["diverged_epoch"] = 1 if status == "diverged" else None
        for name in ("train", "val", "test"):
            row |= {f"{name}_loss": 0.5 if done else None, f"{name}_accuracy": 0.8 + slot / 100 if done else None}
        rows.append(row | {"error": ""})
        curve = {"train_loss": 0.6, "train_accuracy": 0.7, "val_loss": 0.6, "val_accuracy": 0.7}
        epochs += [{"id": row["id"], "epoch": epoch, **curve} for epoch in (1, 2) if done]
    directory.write_trials(pd.DataFrame(rows))
    if curves:
        directory.write_curves("stack_0-wave_0", 1, pd.DataFrame(epochs))
    return path


def test_writes_page_and_figures_and_leaves_nothing_else(tmp_path):
    path = run_directory(tmp_path / "a run & more")
    before = {p.name for p in path.iterdir()}
    page = report.write_report(path)
    assert page == path / "report.html"
    assert {p.name for p in path.iterdir()} == before | {"report.html", "figures"}
    html = page.read_text(encoding="utf-8")
    assert "<h1>a run &amp; more</h1>" in html
    figures = sorted(p.name for p in (path / "figures").iterdir())
    assert "learning_curves.png" in figures and "main_effects.png" in figures
    assert all((path / "figures" / name).read_bytes().startswith(b"\x89PNG") for name in figures)
    assert html.count("data:image/png;base64,") == len(figures)
    assert "kernels a layer 16-32-32" in html and "12345e6782" in html


def test_works_before_anything_is_done_and_again_later(tmp_path):
    path = run_directory(tmp_path / "run", ("pending",) * 4, curves=False)
    assert "No result yet" in report.write_report(path).read_text()
    assert [figure.name for figure in (path / "figures").iterdir()] == ["class_distribution.png"]
    (path / "trials.csv").unlink()
    assert "The run has no trials yet." in report.write_report(path).read_text()
    run_directory(path)
    assert "No result yet" not in report.write_report(path).read_text()


def test_the_configs_title_is_used(tmp_path):
    path = run_directory(tmp_path / "run", ("pending",) * 4, curves=False)
    record = json.loads((path / "config.json").read_text())
    record["config"]["report.title"] = "The grid of <oslo>"
    (path / "config.json").write_text(json.dumps(record))
    assert "<h1>The grid of &lt;oslo&gt;</h1>" in report.write_report(path).read_text()


def test_points_with_different_classes_or_losses_are_reported_part_by_part(tmp_path):
    def record_of(path, **changes):
        record = json.loads((path / "config.json").read_text())
        (path / "config.json").write_text(json.dumps(record | changes))
        return record

    losses = run_directory(tmp_path / "losses", ("done",) * 4)
    config_of = record_of(losses)["config"] | {"train.select": "val_loss"}
    record_of(losses, config=config_of, swept=["loss.focal_gamma", SWEPT[1]])
    text = (losses / "trials.csv").read_text()
    (losses / "trials.csv").write_text(text.replace(SWEPT[0], "loss.focal_gamma"))
    html = report.write_report(losses).read_text()
    assert "Points with different losses are not ranked against each other" in html and "Verdict: focal gamma" in html
    assert {"learning_curves-1.png", "learning_curves-2.png"} <= {file.name for file in (losses / "figures").iterdir()}
    record_of(losses, config=config_of | {"train.select": "val_accuracy"})
    html = report.write_report(losses).read_text()
    assert "Not ranked against each other" not in html and "so none is ranked by it" in html


def test_does_not_wait_for_the_lock_of_a_running_sweep(tmp_path):
    path = run_directory(tmp_path / "run", ("pending",) * 4, curves=False)
    with RunDirectory(path).lock():
        assert report.write_report(path).exists()


def test_runs_in_threads(tmp_path):
    paths = [run_directory(tmp_path / name) for name in "ab"]
    with ThreadPoolExecutor(2) as pool:
        pages = list(pool.map(report.write_report, paths))
    figures = [[p.read_bytes() for p in sorted((path / "figures").iterdir())] for path in paths]
    assert len(pages) == 2 and figures[0] == figures[1] != []


def test_main_writes_each_run_and_goes_on_after_a_wrong_one(tmp_path, capsys):
    good = [run_directory(tmp_path / name, ("failed",) * 4, curves=False) for name in ("one", "two")]
    status = report.main(["report", str(good[0]), str(tmp_path / "none"), str(good[1])])
    out, err = capsys.readouterr()
    assert status == 2
    assert out.split() == [str(path / "report.html") for path in good]
    assert err.startswith("error: ") and err.count("\n") == 1 and "none" in err
    assert report.main(["report", str(good[0])]) == 0


@pytest.mark.parametrize("spoil", ["missing", "file", "empty", "broken", "foreign"])
def test_what_is_no_run_is_said_in_one_line(tmp_path, spoil):
    path = tmp_path / "run"
    if spoil == "file":
        path.write_text("hello")
    elif spoil != "missing":
        path.mkdir()
        contents = {"broken": "{", "foreign": '{"a": 1}'}
        if spoil in contents:
            (path / "config.json").write_text(contents[spoil])
    with pytest.raises(RunError) as error:
        report.write_report(path)
    assert "\n" not in str(error.value) and "run" in str(error.value)
    assert isinstance(error.value, FerJaxError)


def test_usage(capsys):
    assert report.main(["report"]) == 2
    assert report.USAGE in capsys.readouterr().err
    assert report.main(["report", "--help"]) == 0
    assert report.USAGE in capsys.readouterr().out


def test_program(tmp_path):
    path = run_directory(tmp_path / "run", ("pending",) * 4, curves=False)
    done = subprocess.run(
        [sys.executable, "-m", "fer_jax.report", str(path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, str(path / "report.html"), "")
