"""From a run directory to report.html: what is written, when, and what is said where there is no
run.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

import fer_jax
from fer_jax import report
from fer_jax.config.values import default_config, to_json
from fer_jax.errors import FerJaxError, RunError
from fer_jax.figures import effects
from fer_jax.reports import best_point, pictures
from fer_jax.store import RunDirectory

SWEPT = ["train.learning_rate", "model.kernels"]


def run_directory(path, statuses=("done", "done", "diverged", "pending"), curves=True):
    """A run of two learning rates by two tuples of kernels, as the store leaves it."""
    base = to_json(default_config())
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
    assert {p.name for p in path.iterdir()} == before | {"report.html", "figures", "tables"}
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


@pytest.fixture
def words_only(monkeypatch):
    """Reports without the figures of sweeps and answers, for tests of what else a page says."""
    monkeypatch.setattr(report.page, "drawings", lambda ranking: [])
    monkeypatch.setattr(report.report_answers, "drawings", lambda predictions: [])
    monkeypatch.setattr(report.distribution, "draw", lambda data: None)


def with_answers(path, sure=8.0):
    """The run at `path` with stored predictions: at the best point, slot 1, the picture of number 2
    is surely wrong, no other is.
    """
    record = json.loads((path / "config.json").read_text())
    predictions = RunDirectory(path).predictions
    labels = np.array([0, 1, 1, 0, 1], np.int32)
    logits = np.zeros((4, 5, 2), np.float32)
    logits[:, range(5), labels] = 2.0
    logits[1, 2] = (sure, 0.0)
    for split in ("validation", "test"):
        predictions.write("stack_0-wave_0", split, logits)
    kept = {
        f"{split}_{name}": values
        for split in ("validation", "test")
        for name, values in (("labels", labels), ("leaked", labels > 2))
    }
    predictions.write_targets(record["data"]["checksum"], kept)
    return path


def changed(path, held_out=None, **values):
    """The run at `path` with other config values, '__' for '.', or other held-out pictures."""
    record = json.loads((path / "config.json").read_text())
    record["data"] |= {"held_out": held_out} if held_out else {}
    record["config"] |= {name.replace("__", "."): value for name, value in values.items()}
    (path / "config.json").write_text(json.dumps(record))
    return path


def table_rows(html, name):
    """The cells of a table of the page, row by row, headings first."""
    content = re.search(rf'<table id="{name}".*?</table>', html, re.DOTALL)[0]
    return [
        [re.sub("<.*?>", "", cell) for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row)]
        for row in re.findall(r"<tr.*?</tr>", content)
    ]


def test_without_stored_predictions_the_page_says_so(tmp_path, words_only):
    path = run_directory(tmp_path / "run")
    html = report.write_report(path).read_text()
    assert best_point.NOTHING_STORED in html and "mistakes-table" not in html
    html = report.write_report(with_answers(path)).read_text()
    assert best_point.NOTHING_STORED not in html
    assert table_rows(html, "mistakes-table")[1:] == [["2", "sad", "happy", "1.000", "0.000"]]


def test_answers_are_drawn_and_networks_asked_as_one(tmp_path, monkeypatch):
    monkeypatch.setattr(report.page, "drawings", lambda ranking: [])
    path = with_answers(run_directory(tmp_path / "run"), sure=1.0)
    html = report.write_report(path).read_text()
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
    for drawn in (report.page, report.report_answers):
        monkeypatch.setattr(drawn, "drawings", lambda found: [])
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
    assert "the mean over 2 networks" not in report.write_report(tmp_path).read_text()


def test_pictures_of_a_licensed_data_set_are_shown_only_where_asked_for(tmp_path, words_only):
    path = changed(
        with_answers(run_directory(tmp_path / "run")), data__name="fer2013", data__path=str(tmp_path / "nowhere")
    )
    assert pictures.WITHHELD in report.write_report(path).read_text()
    shown = report.write_report(path, show_images=True).read_text()
    assert pictures.WITHHELD not in shown and "The pictures cannot be shown:" in shown and "nowhere" in shown
    changed(path, report__show_images=True)
    assert "The pictures cannot be shown:" in report.write_report(path).read_text()


def test_other_pictures_than_those_of_the_run_are_not_shown(tmp_path, words_only):
    path = with_answers(run_directory(tmp_path / "run"))
    changed(path, data__train_size=10, data__validation_size=10, data__test_size=10, data__image_size=8)
    html = report.write_report(path).read_text()
    assert (
        "The pictures cannot be shown:" in html
        and "checksum" in html
        and not (path / "figures" / "mistakes.png").exists()
    )


def test_figures_for_print(tmp_path, monkeypatch):
    path = run_directory(tmp_path / "run", ("done",) * 4)
    monkeypatch.setattr(report.page, "drawings", lambda found: [effects.main_effects(found)])
    assert report.main(["report", str(path), "--pdf"]) == 0
    figures = {file.name for file in (path / "figures").iterdir()}
    assert {name.replace(".png", ".pdf") for name in figures if name.endswith(".png")} == {
        n for n in figures if n.endswith(".pdf")
    }
    first = (path / "figures" / "main_effects.pdf").read_bytes()
    report.write_report(path, pdf=True)
    assert (
        first.startswith(b"%PDF")
        and b"/CIDFontType2" in first
        and (path / "figures" / "main_effects.pdf").read_bytes() == first
    )


def test_a_run_of_a_study_has_its_published_figures(tmp_path, words_only):
    path = run_directory(tmp_path / "grid3d", ("done",) * 4)
    common = {"n": 2, "where": "figure 8", "published_sd": None, "chosen_sd": 0.01, "last_mean": 0.5, "last_sd": None}
    rows = [
        {"experiment": "the grid", "metric": "val_accuracy", "published": 0.6, "chosen_mean": 0.71, "run": "/elsewhere/grid3d",
         "verdict": "", "no_verdict_because": "other data", **common},
        {"experiment": "another", "metric": "val_accuracy", "published": 0.6, "chosen_mean": 0.71, "run": "/elsewhere/other",
         "verdict": "within", "no_verdict_because": "", **common},
    ]  # fmt: skip
    assert "Published figures" not in report.write_report(path).read_text()
    pd.DataFrame(rows).to_csv(tmp_path / "study.csv", index=False)
    found = table_rows(report.write_report(path).read_text(), "study-table")
    assert found[1:] == [
        ["the grid", "val_accuracy", "0.6", "figure 8", "2", "0.7100 ± 0.0100", "0.5000", "none: other data"]
    ]
    (tmp_path / "study.csv").write_text("name,age\nme,3\n")
    assert "Published figures" not in report.write_report(path).read_text()


def test_runs_on_the_same_pictures_are_ranked_together_and_others_apart(tmp_path, capsys):
    good = with_answers(run_directory(tmp_path / "good", ("done",) * 4))
    poor = with_answers(
        changed(run_directory(tmp_path / "poor", ("done", "done", "pending", "pending")), train__optimizer="sgd")
    )
    other = changed(
        run_directory(tmp_path / "other", ("done",) * 4), {"validation": "12ab", "test": "34cd"}, data__seed=1
    )
    empty = run_directory(tmp_path / "empty", ("pending",) * 4, curves=False)
    out = tmp_path / "pages" / "all.html"
    assert report.main(["report", *map(str, (poor, good, other, empty)), "--compare", f"--out={out}"]) == 0
    assert capsys.readouterr().out.strip() == str(out) and not (good / "report.html").exists()
    html = out.read_text()
    assert [row[:2] for row in table_rows(html, "runs")[1:]] == [
        ["poor", "group 1"], ["good", "group 1"], ["other", "group 2"], ["empty", "no result"],
    ]  # fmt: skip
    heads, *rows = table_rows(html, "ranking-1")
    assert [row[:2] for row in rows] == [["1", "good"], ["2", "poor"]] and rows[0][
        heads.index("val. accuracy")
    ] == "0.830"
    assert [row[1] for row in table_rows(html, "ranking-2")[1:]] == ["other"]
    differences = {row[0]: row[1:] for row in table_rows(html, "differences")[1:]}
    assert differences["train.optimizer"] == ["sgd", "adam", "adam"] and "data.seed" in differences
    assert table_rows(html, "classes-of-runs-1")[0] == ["class", "good", "poor"]
    for page in (html, report.write_comparison([good], tmp_path / "one.html").read_text()):
        names = re.findall(r' id="(.*?)"', page)
        assert len(names) == len(set(names)) and not re.search(r"https?://", page)
        numbers = re.findall(r"<b>Figure (\d+)\.", page)
        assert numbers == [str(number) for number in range(1, len(numbers) + 1)]


def test_a_comparison_says_what_is_wrong_in_one_line(tmp_path, capsys):
    path = run_directory(tmp_path / "run")
    assert report.main(["report", str(path), str(tmp_path / "none"), "--compare", f"--out={tmp_path / 'x.html'}"]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and not (tmp_path / "x.html").exists()
    assert report.main(["report", str(path), "--out=x.html"]) == 2 and "add --compare" in capsys.readouterr().err


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
in_browser = pytest.mark.skipif(BROWSER is None, reason="needs Chromium")

QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars",
)  # fmt: skip
# What a reader does, and what the page is then; the answer is left where --dump-dom shows it.
ACTIONS = """
const rows = id => [...document.getElementById(id).tBodies[0].rows].filter(row => !row.hidden && getComputedStyle(row).display !== "none");
const column = (id, name) => [...document.getElementById(id).tHead.rows[0].cells].findIndex(cell => cell.textContent.trim() === name);
const cells = (id, name) => rows(id).map(row => row.cells[column(id, name)].textContent);
const click = (id, name) => document.getElementById(id).tHead.rows[0].cells[column(id, name)].firstElementChild.click();
const type = (id, text) => {
  const box = document.querySelector(`input[data-for="${id}"]`);
  box.value = text; box.dispatchEvent(new Event("input"));
  return box.nextElementSibling.textContent;
};
"""


def look(page, tmp_path, script, width=1200):
    """What `script`, an expression, is in a window of this width, as JSON gives it; JavaScript's
    errors are raised.
    """
    html = page.read_text(encoding="utf-8")
    answer = f"""<script>"use strict"; {ACTIONS}
      let outcome; try {{ outcome = {{value: {script}}}; }} catch (error) {{ outcome = {{error: String(error)}}; }}
      const left = document.createElement("pre"); left.id = "outcome"; left.textContent = JSON.stringify(outcome); document.body.append(left);
    </script>"""
    early = "<script>window.addEventListener('error', event => { document.documentElement.dataset.error = event.message; });</script>"
    copy = tmp_path / f"looked-at-{width}.html"
    copy.write_text(
        html.replace("<head>", f"<head>{early}", 1).replace("</body>", f"{answer}</body>"), encoding="utf-8"
    )
    profile = tmp_path / f"profile-{width}"
    command = [BROWSER, *QUIET, f"--user-data-dir={profile}", f"--window-size={width},900", "--dump-dom", copy.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert "data-error=" not in done.stdout
    outcome = json.loads(_unescaped(re.search(r'<pre id="outcome">(.*?)</pre>', done.stdout, re.DOTALL)[1]))
    assert "error" not in outcome, outcome
    return outcome["value"]


def _unescaped(text):
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


# The widest thing that does not fit the window, and pictures that did not load.
FITS = """({
  wide: document.documentElement.scrollWidth - window.innerWidth,
  broken: [...document.images].filter(image => !image.complete || !image.naturalWidth).length,
  images: document.images.length,
  asked: performance.getEntriesByType("resource").filter(entry => !entry.name.startsWith("data:")).length,
})"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return report.write_report(
        run_directory(tmp_path_factory.mktemp("page") / "run", ("done", "done", "done", "pending"))
    )


@in_browser
@pytest.mark.parametrize("width", [1200, 500])
def test_it_fits_the_window_and_asks_for_nothing(page, tmp_path, width):
    found = look(page, tmp_path, FITS, width)
    assert found["wide"] <= 0 and found["broken"] == found["asked"] == 0 and found["images"] >= 3


@in_browser
def test_it_sorts_by_a_click_and_filters_by_words(page, tmp_path):
    name = "val. accuracy"
    script = f"""(() => {{
      click("points", "{name}"); const down = cells("points", "{name}");
      click("points", "{name}"); const up = cells("points", "{name}");
      click("points", "kernels a layer"); const words = cells("points", "kernels a layer");
      const count = type("trials", "DONE 16-32"), ids = cells("trials", "id"), cleared = type("trials", "");
      return {{down, up, words, count, ids, cleared, all: rows("trials").length}};
    }})()"""
    assert look(page, tmp_path, script) == {
        # A first click shows the best first; what is no number comes last either way.
        "down": ["0.8200", "0.8100", "0.8000", "–"],
        "up": ["0.8000", "0.8100", "0.8200", "–"],
        "words": ["16-32-32", "16-32-32", "32-64-64", "32-64-64"],
        "count": "1 of 4 rows",
        "ids": ["12345e6781"],
        "cleared": "4 rows",
        "all": 4,
    }


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("both")
    return report.write_comparison([run_directory(folder / name) for name in ("first", "second")], folder / "both.html")


@in_browser
@pytest.mark.parametrize("width", [1200, 500])
def test_several_runs_side_by_side_fit_too(both, tmp_path, width):
    beside = "[...document.querySelectorAll('.beside > div')].map(block => block.getBoundingClientRect().top)"
    found = look(both, tmp_path, f"({{...{FITS}, tops: {beside}}})", width)
    assert found["wide"] <= 0 and found["broken"] == found["asked"] == 0 and found["images"] == 2
    # Beside each other on a desk, below each other on a telephone.
    assert len(found["tops"]) == 2 and (found["tops"][0] == found["tops"][1]) == (width > 1000)
