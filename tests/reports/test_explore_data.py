"""The document of the explored page: what it says is what the run says, small, and typable."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from explored import texts, typed
from reported_runs import run_directory, with_answers

from fer_jax.config import command_line, search_space
from fer_jax.config.values import to_json
from fer_jax.reports import explore, explore_commands, explore_curves, explore_data, run_tables, templates
from fer_jax.results import rankings
from fer_jax.results.run import load_run
from fer_jax.store import RunDirectory


def decoded(text, low, high):
    """The numbers of a curve; inf above its scale, NaN where there is none."""
    codes = [
        explore_curves.LETTERS.index(a) * 64 + explore_curves.LETTERS.index(b)
        for a, b in zip(text[::2], text[1::2], strict=True)
    ]
    special = {explore_curves.ABOVE: np.inf, explore_curves.MISSING: np.nan}
    return np.array([special.get(code, low + code / explore_curves.STEPS * (high - low)) for code in codes])


def test_its_tables_are_those_of_the_page(tmp_path):
    run = load_run(with_answers(run_directory(tmp_path / "run")))
    document = explore_data.document(run)
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    for name in ("points", "trials"):
        found = {entry["label"]: texts(document, entry) for entry in document[name]["columns"]}
        wanted = {column.heading: list(column.cells) for column in run_tables.make(run, name).page}
        assert found == wanted
    statuses = next(entry for entry in document["trials"]["columns"] if entry["key"] == "status")
    assert texts(document, statuses) == ["done", "done", "diverged", "pending"]
    # A trial is of the point whose values it has.
    fields = {entry["key"]: texts(document, entry) for entry in document["points"]["columns"] if "field" in entry}
    own = {entry["key"]: texts(document, entry) for entry in document["trials"]["columns"] if "field" in entry}
    for trial, point in enumerate(document["trials"]["point"]):
        assert all(own[name][trial] == fields[name][point] for name in fields)


def test_its_confusion_matrices_count_the_validation_pictures(tmp_path):
    run = load_run(with_answers(run_directory(tmp_path / "run")))
    document = explore_data.document(run)
    assert list(document["confusion"]["of"]) == ["12345e6781", "12345e6780"]  # the best point's first
    for id, (classes, counts) in document["confusion"]["of"].items():
        wanted = run.trial(id).confusion_matrix("validation")
        assert document["confusion"]["classes"][classes] == list(wanted.columns)
        assert counts == wanted.to_numpy().ravel().tolist()


def test_curves_are_as_fine_as_a_screen_and_say_what_is_left_out(made, monkeypatch):
    ranking = _ranking(made(grid={"train.learning_rate": (1e-4, 1e-3, 1e-1)}, epochs=100))
    ids = list(ranking.trials["id"])
    found, left_out = explore_curves.learning_curves(ranking, ids)
    epochs = found["epochs"]
    assert len(epochs) == explore_curves.MOST_EPOCHS and (epochs[0], epochs[-1]) == (1, 100)
    assert left_out[0] == f"Learning curves show {len(epochs)} of 100 epochs."
    for name, (low, high, _) in found["scales"].items():
        rows = ranking.curves[ranking.curves["id"] == ids[1]].set_index("epoch")[name].reindex(epochs)
        values, wanted = decoded(found["of"][ids[1]][name], low, high), rows.to_numpy()
        shown = np.isfinite(values)
        assert np.abs(values - wanted)[shown].max() <= (high - low) / 4000
        assert (wanted[~shown] > high).all()
    monkeypatch.setattr(explore_curves, "MOST_VALUES", 4 * explore_curves.FEWEST_EPOCHS * 2)
    fewer, said = explore_curves.learning_curves(ranking, [ids[1], ids[0], ids[2]])
    assert list(fewer["of"]) == [ids[1], ids[0]]
    assert "Learning curves are of 2 of 3 trials, those of the best points." in said


def test_a_learning_rate_that_changes_is_a_curve_of_its_logarithm(made):
    run = made(grid={"train.learning_rate": (1e-3, 1e-2)})
    own = run.curves["id"].map(run.trials.set_index("id")["train.learning_rate"]).astype(float)
    run.curves["learning_rate"] = own
    run.record["config"]["phases.lengths"] = [5, 7]
    ids = list(run.trials["id"])
    constant, _ = explore_curves.learning_curves(_ranking(run), ids)
    assert "learning_rate" not in constant["scales"] and constant["phases"] == [5]
    run.curves["learning_rate"] = own * 0.5 ** run.curves["epoch"]
    found, _ = explore_curves.learning_curves(_ranking(run), ids)
    low, high, above = found["scales"]["learning_rate"]
    values = decoded(found["of"][ids[1]]["learning_rate"], low, high)
    np.testing.assert_allclose(10**values, 1e-2 * 0.5 ** np.arange(1, 13), rtol=0.01)
    assert not above


def test_encoded_values_keep_gaps_and_lose_the_end():
    values = np.array([[0.0, np.nan, 1.0, 2.0], [0.5, np.nan, np.nan, np.nan]])
    texts_of = explore_curves.encoded(values, 0.0, 1.0)
    assert [len(text) for text in texts_of] == [8, 2]
    np.testing.assert_allclose(decoded(texts_of[0], 0, 1), [0, np.nan, 1, np.inf])
    np.testing.assert_allclose(decoded(texts_of[1], 0, 1), [0.5], atol=2e-4)


def test_a_simplified_line_stays_within_its_tolerance():
    x = np.linspace(0, 1, 2001)
    y = np.floor(x**0.3 * 40) / 40
    kept = explore_curves.simplified(x, y, 0.001)
    assert len(kept) < 200
    assert np.abs(np.interp(x, x[kept], y[kept]) - y).max() <= 0.001


SWEEPS = {
    "grid": {"sweep.grid.train.learning_rate": "(1e-3,1e-2)", "sweep.grid.model.kernels": "((8,8,8),(16,16,16))"},
    "each": {"sweep.each.train.l2": "(0.,1e-3)", "sweep.each.train.optimizer": "('adam','sgd')"},
    "zip": {"sweep.zip.train.batch_size": "(16,32)", "sweep.zip.train.l2": "(1e-3,1e-2)"},
    "points": {
        "sweep.points": "({'train.l2': 1e-3, 'train.optimizer': 'sgd', 'train.momentum': 0.9}, {'train.l2': 0.1},)"
    },
    "draw": {"sweep.draw.train.learning_rate": "log 1e-5 1e-1", "search.draws": "3", "search.kind": "sobol"},
    "repeats": {"sweep.grid.train.l2": "(1e-3,1e-2)", "sweep.repeats": "3"},
    "order": {"sweep.grid.train.l2": "(1e-3,)", "sweep.repeats": "3", "sweep.seeds_of": "order"},
    "split": {
        "sweep.grid.train.l2": "(1e-3,)", "sweep.repeats": "2", "sweep.seeds_of": "split",
        "data.split": "stratified_80_10_10",
    },
    "folds": {"sweep.grid.train.l2": "(1e-3,)", "sweep.repeats": "3", "data.split": "kfold"},
    "halving": {
        "sweep.grid.train.l2": "(1e-3,1e-2,.1)", "search.halving": "(1, 3)", "sweep.best": "1",
        "sweep.best_repeats": "3",
    },
}  # fmt: skip
CONFIG = "from fer_jax.config import default_config\n\n\ndef get_config(words=''):\n    return default_config()\n"


@pytest.mark.parametrize("sweep", SWEEPS.values(), ids=SWEEPS)
def test_the_command_of_a_trial_trains_that_trial_alone(tmp_path, sweep):
    file = tmp_path / "it's mine.py"
    file.write_text(CONFIG)
    document, ids, checksum = _document(tmp_path / "run", file, sweep)
    assert len(ids) > 1
    for number, id in enumerate(ids):
        _, *argv = shlex.split(typed(document, number))
        path, overrides, rest = command_line.split_argv(["python", *argv])
        assert rest == ["python", "-m", "fer_jax.sweep", f"--workdir=runs/run-{id}"]
        trials = search_space.expand(command_line.load(path, overrides, "typed").config)
        assert [trial.id(checksum) for trial in trials] == [id]


def test_a_run_begun_from_python_has_no_command(tmp_path):
    run = load_run(run_directory(tmp_path / "run"))
    run.record["command"] = ""
    assert explore_commands.template(run, list(run.trials["id"])) is None


def test_scripts_are_short_strict_and_write_data_as_text_only():
    names = [name for name in explore.ASSETS if name.endswith(".js")]
    for name in names:
        script = templates.asset(name)
        assert len(script.splitlines()) <= 400 and script.startswith('"use strict";\n'), name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", script), name
    here = (Path(explore.__file__).parent / "web").glob("explore_*.js")
    assert sorted(names) == sorted(path.name for path in here)


def _ranking(made):
    return rankings.rank_points(made.record, made.trials, made.curves, "made")


def _document(path, file, sweep):
    """The document of a run that a command would plan, its trials' ids and its data's checksum."""
    overrides = {"train.epochs": "4", **sweep}
    flags = [f"--config.{name}={value}" for name, value in overrides.items()]
    words = ["python", "-m", "fer_jax.sweep", f"--config={file}", *flags, "--workdir=elsewhere"]
    config = command_line.load(str(file), overrides, shlex.join(words)).config
    trials, checksum = search_space.expand(config), "ab" * 32
    data = {"checksum": checksum, "classes": ["happy", "sad"], "split": "official", "label": "faces"}
    record = {
        "config": to_json(config), "command": shlex.join(words), "data": data,
        "swept": list(search_space.swept(config)), "versions": {}, "devices": [],
    }  # fmt: skip
    rows = [
        {
            "id": trial.id(checksum), "status": "pending", **trial.point, "seed": trial.seed, "repeat": trial.repeat,
            "stack": "stack_0", "wave": "", "slot": None, "val_accuracy": None, "error": "",
        }
        for trial in trials
    ]  # fmt: skip
    directory = RunDirectory(path)
    directory.write_config(record)
    directory.write_trials(pd.DataFrame(rows))
    return explore_data.document(load_run(path)), [row["id"] for row in rows], checksum


def test_an_exploded_training_loss_leaves_the_validation_losses_their_room(made):
    run = made(grid={"train.learning_rate": (1e-4, 1e-3, 1e-2)}, accidents=False)
    best = rankings.rank_points(run.record, run.trials, run.curves, "made").best
    run.trials.loc[best, "train_loss"] = 1e5
    run.curves.loc[run.curves["id"] == run.trials.loc[best, "id"], "train_loss"] = 1e5
    found, left_out = explore_curves.learning_curves(_ranking(run), list(run.trials["id"]))
    assert max(high for _, high, _ in found["scales"].values()) < 3 and found["scales"]["train_loss"][2]
    assert "training loss above" in left_out[-1]


def test_parts_with_losses_of_their_own_are_not_cut_at_each_others(made):
    runs = [made(grid={"train.learning_rate": (1e-4, 1e-3)}, accidents=False) for _ in range(2)]
    runs[0].record["data"]["classes"] = ["happy", "sad"]
    few, many = map(_ranking, runs)
    found, _ = explore_curves.learning_curves(few, list(runs[0].trials["id"]), [few, many])
    assert found["scales"]["val_loss"][1] > many.curves["val_loss"].max()


def test_trials_that_still_train_show_how_far_they_have_come(tmp_path):
    path = run_directory(tmp_path / "run", ("done", "running", "running", "pending"))
    epochs = [
        {"id": f"12345e678{slot}", "epoch": epoch, "train_loss": 1, "train_accuracy": 0.5, "val_loss": 0.9,
         "val_accuracy": accuracy}
        for slot, accuracies in ((1, (0.5, 0.75, 0.625)), (2, (0.25, 0.25)))
        for epoch, accuracy in enumerate(accuracies, 1)
    ]  # fmt: skip
    RunDirectory(path).curves.write("stack_0-wave_0", 2, pd.DataFrame(epochs))
    document = explore_data.document(load_run(path))
    trials, points = (
        {entry["key"]: texts(document, entry) for entry in document[name]["columns"]} for name in ("trials", "points")
    )
    assert trials["status"] == ["done", "running", "running", "pending"]
    assert trials["epochs"] == ["2", "3", "2", "–"] and trials["best_epoch"] == ["2", "2", "1", "–"]
    assert trials["val_accuracy"] == ["0.8000", "0.7500", "0.2500", "–"]
    # Points are ranked by what stands alone; how far others have come is a metric of its own.
    assert points["val_accuracy"] == ["0.8000", "–", "–", "–"] and points["rank"] == ["1", "–", "–", "–"]
    assert points["so_far"] == ["0.8000", "0.7500", "0.2500", "–"]
    own = next(metric for metric in document["metrics"] if metric["name"] == "so_far")
    assert (own["low"], own["high"], own["label"]) == (0.25, 0.8, "validation accuracy so far")


def test_control_characters_of_names_are_shown_as_escapes(tmp_path):
    path = run_directory(tmp_path / "run")
    record = json.loads((path / "config.json").read_text())
    record["data"]["label"] = record["config"]["report.title"] = "esc\x1b[31mred\u202e"
    (path / "config.json").write_text(json.dumps(record))
    document = explore_data.document(load_run(path))
    assert "esc\\x1b[31mred\\u202e" in document["title"]
    written = templates.paragraphs("one\x1b[31m<b>\r\ntwo", "three")
    assert written.split() == ["<p>one\\x1b[31m&lt;b&gt;", "two</p><p>three</p>"]
