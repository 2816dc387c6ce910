"""From a run directory to report.html: what is written, when, and what is said where there is no
run.
"""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from reported_runs import SWEPT, changed, run_directory, table_rows, with_answers

import fer_jax
from fer_jax.config.values import default_config
from fer_jax.errors import FerJaxError, RunError
from fer_jax.figures import drawings, effects
from fer_jax.reports import by_class, pictures, run_report
from fer_jax.reports.run_report import write_report
from fer_jax.store import RunDirectory


def test_writes_page_and_figures_and_leaves_nothing_else(tmp_path):
    path = run_directory(tmp_path / "a run & more")
    before = {p.name for p in path.iterdir()}
    page = write_report(path)
    assert page == path / "report.html"
    assert {p.name for p in path.iterdir()} == before | {"report.html", "figures", "tables"}
    html = page.read_text(encoding="utf-8")
    assert "<h1>a run &amp; more</h1>" in html
    figures = sorted(p.name for p in (path / "figures").iterdir())
    assert "learning_curves.png" in figures and "main_effects.png" in figures
    assert all((path / "figures" / name).read_bytes().startswith(b"\x89PNG") for name in figures)
    assert html.count("data:image/webp;base64,") == len(figures)
    assert "kernels a layer 16-32-32" in html and "12345e6782" in html


def test_works_before_anything_is_done_and_again_later(tmp_path):
    path = run_directory(tmp_path / "run", ("pending",) * 4, curves=False)
    assert "No result yet" in write_report(path).read_text()
    assert [figure.name for figure in (path / "figures").iterdir()] == ["class_distribution.png"]
    (path / "trials.csv").unlink()
    shutil.rmtree(path / ".sealed")
    assert "The run has no trials yet." in write_report(path).read_text()
    run_directory(path)
    assert "No result yet" not in write_report(path).read_text()


def test_the_configs_title_is_used(tmp_path):
    path = run_directory(tmp_path / "run", ("pending",) * 4, curves=False)
    record = json.loads((path / "config.json").read_text())
    record["config"]["report.title"] = "The grid of <oslo>"
    (path / "config.json").write_text(json.dumps(record))
    assert "<h1>The grid of &lt;oslo&gt;</h1>" in write_report(path).read_text()


def test_points_with_different_classes_or_losses_are_reported_part_by_part(tmp_path):
    def record_of(path, **changes):
        record = json.loads((path / "config.json").read_text())
        (path / "config.json").write_text(json.dumps(record | changes))
        return record

    losses = run_directory(tmp_path / "losses", ("done",) * 4)
    config_of = record_of(losses)["config"] | {"train.select": "val_loss"}
    record_of(losses, config=config_of, swept=["loss.focal_gamma", SWEPT[1]])
    directory = RunDirectory(losses)
    directory.write_trials(directory.read_trials().rename(columns={SWEPT[0]: "loss.focal_gamma"}))
    html = write_report(losses).read_text()
    assert "Points with different losses are not ranked against each other" in html and "Verdict: focal gamma" in html
    assert {"learning_curves-1.png", "learning_curves-2.png"} <= {file.name for file in (losses / "figures").iterdir()}
    record_of(losses, config=config_of | {"train.select": "val_accuracy"})
    html = write_report(losses).read_text()
    assert "Not ranked against each other" not in html and "so none is ranked by it" in html


def test_does_not_wait_for_the_lock_of_a_running_sweep(tmp_path):
    path = run_directory(tmp_path / "run", ("pending",) * 4, curves=False)
    with RunDirectory(path).lock():
        assert write_report(path).exists()


def test_runs_in_threads(tmp_path):
    paths = [run_directory(tmp_path / name / "run") for name in "ab"]
    with ThreadPoolExecutor(2) as pool:
        pages = list(pool.map(write_report, paths))
    figures = [[p.read_bytes() for p in sorted((path / "figures").iterdir())] for path in paths]
    assert len(pages) == 2 and figures[0] == figures[1] != []


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
        write_report(path)
    assert "\n" not in str(error.value) and "run" in str(error.value)
    assert isinstance(error.value, FerJaxError)


def test_without_stored_predictions_the_page_says_so(tmp_path, words_only):
    path = run_directory(tmp_path / "run")
    html = write_report(path).read_text()
    assert by_class.NOTHING_STORED in html and "mistakes-table" not in html
    html = write_report(with_answers(path)).read_text()
    assert by_class.NOTHING_STORED not in html
    assert table_rows(html, "mistakes-table")[1:] == [["2", "sad", "happy", "1.000", "0.000"]]


def test_answers_are_drawn_and_networks_asked_as_one(tmp_path, monkeypatch):
    monkeypatch.setattr(drawings, "of_sweep", lambda ranking: [])
    path = with_answers(run_directory(tmp_path / "run"), sure=1.0)
    html = write_report(path).read_text()
    assert {"confusion.png", "roc.png", "calibration.png", "class_distribution.png"} == {
        p.name for p in (path / "figures").iterdir()
    }
    heads, row = table_rows(html, "ensembles-table")
    found = dict(zip(heads, row, strict=True))
    # Of two networks one is sure of the right answer for picture 2 and one of the wrong one, less
    # so.
    assert found["ensemble"] == "2 networks of the 2 best points" and found["test accuracy"] == "1.0000"
    assert row[heads.index("test accuracy") + 1] == "0.9000 ± 0.1414"


def test_what_networks_look_at_is_drawn_once_they_are_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "METHODS", (("gradient", {}),))
    for drawn in ("of_sweep", "of_best_point"):
        monkeypatch.setattr(drawings, drawn, lambda *found: [])
    small = default_config()
    small.data.image_size, small.model.kernels, small.model.pairs, small.model.dense = 12, (4,), 1, (8,)
    small.data.train_size, small.data.validation_size, small.data.test_size = 64, 35, 35
    small.train.epochs, small.train.batch_size, small.sweep.repeats = 1, 32, 2
    fer_jax.run_sweep(small, tmp_path)
    html = (tmp_path / "report.html").read_text()
    assert (
        "by the gradient: the mean over 2 networks of the one configuration" in html and "No wrong answer" not in html
    )
    assert (tmp_path / "figures" / "saliency.png").exists() and (tmp_path / "figures" / "mistakes.png").exists()
    changed(tmp_path, report__saliency=False)
    assert "the mean over 2 networks" not in write_report(tmp_path).read_text()


def test_pictures_of_a_licensed_data_set_are_shown_only_where_asked_for(tmp_path, words_only):
    path = changed(
        with_answers(run_directory(tmp_path / "run")), data__name="fer2013", data__path=str(tmp_path / "nowhere")
    )
    assert pictures.WITHHELD in write_report(path).read_text()
    shown = write_report(path, show_images=True).read_text()
    assert pictures.WITHHELD not in shown and "The pictures cannot be shown:" in shown and "nowhere" in shown
    changed(path, report__show_images=True)
    assert "The pictures cannot be shown:" in write_report(path).read_text()


def test_other_pictures_than_those_of_the_run_are_not_shown(tmp_path, words_only):
    path = with_answers(run_directory(tmp_path / "run"))
    changed(path, data__train_size=10, data__validation_size=10, data__test_size=10, data__image_size=8)
    html = write_report(path).read_text()
    assert (
        "The pictures cannot be shown:" in html
        and "checksum" in html
        and not (path / "figures" / "mistakes.png").exists()
    )


def test_figures_for_print(tmp_path, monkeypatch):
    path = run_directory(tmp_path / "run", ("done",) * 4)
    monkeypatch.setattr(drawings, "of_sweep", lambda found: [effects.main_effects(found)])
    write_report(path, pdf=True)
    figures = {file.name for file in (path / "figures").iterdir()}
    assert {name.replace(".png", ".pdf") for name in figures if name.endswith(".png")} == {
        n for n in figures if n.endswith(".pdf")
    }
    first = (path / "figures" / "main_effects.pdf").read_bytes()
    write_report(path, pdf=True)
    assert (
        first.startswith(b"%PDF")
        and b"/CIDFontType2" in first
        and (path / "figures" / "main_effects.pdf").read_bytes() == first
    )


def test_a_run_of_a_study_has_its_published_figures(tmp_path, words_only):
    path = run_directory(tmp_path / "grid3d", ("done",) * 4)
    common = {
        "n": 2,
        "published_as": "0.60",
        "compared": "best",
        "where": "figure 8",
        "published_sd": None,
        "chosen_sd": 0.01,
        "last_mean": 0.5,
        "last_sd": None,
    }
    rows = [
        {"experiment": "the grid", "metric": "val_accuracy", "published": 0.6, "chosen_mean": 0.71,
         "run": "/elsewhere/grid3d", "verdict": "", "no_verdict_because": "other data", **common},
        {"experiment": "another", "metric": "val_accuracy", "published": 0.6, "chosen_mean": 0.71,
         "run": "/elsewhere/other", "verdict": "within", "no_verdict_because": "", **common},
    ]  # fmt: skip
    assert "Published figures" not in write_report(path).read_text()
    pd.DataFrame(rows).to_csv(tmp_path / "study.csv", index=False)
    found = table_rows(write_report(path).read_text(), "study-table")
    assert found[1:] == [
        ["the grid", "val_accuracy", "0.60", "0.7100 ± 0.0100", "0.5000", "2", "none: other data", "–", "figure 8"]
    ]
    (tmp_path / "study.csv").write_text("name,age\nme,3\n")
    assert "Published figures" not in write_report(path).read_text()


def test_the_report_passes_over_heads_whose_trees_have_no_split(monkeypatch):
    """The best point's trees never split, nor does one repeat of the second: its other repeat is
    drawn.
    """
    own = pd.DataFrame({"id": list("abcd"), "status": "done", "head.kind": "xgboost"})
    shares = {"a": None, "b": None, "c": None, "d": np.array([0.6, 0.4])}
    trial = SimpleNamespace(classes=("happy", "sad", "surprise"))
    monkeypatch.setattr(
        run_report,
        "FitResult",
        lambda of, row: SimpleNamespace(trial=trial, layer="flatten", importances=shares[row["id"]]),
    )
    run = SimpleNamespace(trial=lambda identity: None)

    def ranking(*ranked):
        trials = pd.DataFrame({"point": [0, 0, 1, 1]})
        return SimpleNamespace(
            ranked=pd.DataFrame(index=list(ranked)), trials=trials, describe=lambda point: f"point {point}"
        )

    drawing = run_report.head_importances(run, ranking(0, 1), own)
    assert drawing.caption.endswith("(one fit); half of it (dotted) comes from 1 of 2. Head: point 1.")
    assert run_report.head_importances(run, ranking(0), own) is None


def test_notes_are_part_of_the_page_as_plain_text(words_only, tmp_path):
    path = run_directory(tmp_path / "run", ("pending",) * 4, curves=False)
    assert 'id="notes"' not in write_report(path).read_text()
    (path / "notes.md").write_text("# Seen\n<script>alert(1)</script> & 笑\n", encoding="utf-8")
    html = write_report(path).read_text(encoding="utf-8")
    assert "# Seen\n&lt;script&gt;alert(1)&lt;/script&gt; &amp; 笑" in html and "<textarea" not in html
    (path / "notes.md").write_bytes(b"x" * 1_000_000)
    assert "shorten it" in write_report(path).read_text(encoding="utf-8")
