"""The program that puts a paper's figures beside ours: oslo's study at smoke scale, and a small
study of our own.
"""

import math
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from small_studies import CONFIG, STUDY, run

import fer_jax
from fer_jax.reports import reported_sweep, study_tables
from fer_jax.studies import rows as study_rows
from fer_jax.studies import sweeps
from fer_jax.studies.table import to_frame

ROOT = Path(__file__).parents[1]
OSLO = str(ROOT / "sweeps" / "oslo.py")
HUST = str(ROOT / "sweeps" / "hust.py")
NO_SALIENCY = "--config.report.saliency=False"
VERDICT = re.compile("within what|ours above|ours below|no difference")


def gathered(study, workdir, scale="smoke"):
    found = [study_rows.gather(one, OSLO, workdir, scale) for one in sweeps.sweeps(study.experiments, OSLO, scale)]
    return [row for rows, _ in found for row in rows]


def stamps(folder):
    return {file: file.stat().st_mtime_ns for file in sorted(folder.rglob("*")) if file.parent != folder}


@pytest.fixture(scope="module")
def oslo(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("oslo")
    status, out, err = run(f"--study={OSLO}", "--scale=smoke", f"--workdir={workdir}", NO_SALIENCY)
    assert status == 0, err
    return workdir, out


def test_oslo_at_smoke_scale_runs_every_kind_of_experiment(oslo):
    workdir, out = oslo
    table = pd.read_csv(workdir / "study.csv")
    asked = [one for one in sweeps.read_study(OSLO).experiments if one.smoke]
    # A head has the gain over its network beside it, published or not.
    rows = {one.name: max(2 if one.name.startswith("XGBoost") else 1, len(one.published)) for one in asked}
    assert table["experiment"].tolist() == [one.name for one in asked for _ in range(rows[one.name])]
    assert {Path(path).name.split("-")[0] for path in table["run"].dropna()} == {
        "grid3d",
        "oslo",
        "oslo_ablations",
        "xgboost",
    }
    ran = table[table["data"].notna()]
    assert ran["data"].eq("synthetic faces").all() and ran["classes"].eq(7).all() and ran["epochs"].eq(2).all()
    headed = table["experiment"].str.startswith("XGBoost")
    lacking = table["no_verdict_because"].eq("the sweep at this scale lacks the point")
    assert (
        headed.sum() == 7
        and lacking.sum() == 1 == len(table) - len(ran)
        and table["last_mean"].notna().eq(~lacking).all()
    )
    # Heads are fitted on the last epoch's weights only.
    assert table["chosen_mean"].notna().eq(~headed & ~lacking).all()
    runs = [fer_jax.load_run(path) for path in table["run"].dropna().unique()]
    assert sum(len(one.plan["stacks"]) for one in runs) <= 6
    assert "final network" in out and "other data" in out


def test_built_in_faces_get_no_verdict(oslo):
    workdir, out = oslo
    table = pd.read_csv(workdir / "study.csv")
    assert table["verdict"].isna().all() and table["no_verdict_because"].notna().all()
    assert not VERDICT.search(out) and not VERDICT.search((workdir / "study.md").read_text())


def test_the_runs_of_a_study_stand_on_one_page_with_what_was_published(oslo):
    workdir, out = oslo
    html = (workdir / "report.html").read_text()
    table = pd.read_csv(workdir / "study.csv")
    assert f"report: {workdir / 'report.html'}" in out and 'id="study-table"' in html
    assert all(f"<h3>{Path(path).name}</h3>" in html for path in table["run"].dropna().unique())


def test_rows_of_heads_are_those_of_heads_csv(oslo):
    read = sweeps.read_study(OSLO)
    rows = {(row.experiment, row.published.metric): row for row in gathered(read, oslo[0])}
    run_of_heads = fer_jax.load_run(rows["XGBoost fed by flatten", "val_accuracy"].run)
    for name, layer, depth in (("XGBoost fed by flatten", "flatten", 6), ("XGBoost, depth 4", "dense_0", 4)):
        row, table = rows[name, "val_accuracy"], run_of_heads.heads
        meant = {"head.layer": layer, "head.max_depth": depth, "head.eta": 0.3, "head.rounds": 50, "head.gamma": 0.0}
        meant |= {
            "head.subsample": 1.0,
            "head.colsample_bytree": 1.0,
            "head.min_child_weight": 1.0,
            "head.reg_lambda": 1.0,
        }
        fits = table[(table[list(meant)] == pd.Series(meant)).all(axis=1)]
        assert row.n == 2 and row.published.weights == "last" and row.last == tuple(fits["val_accuracy"])
        assert all(math.isnan(value) for value in row.chosen)
        networks = run_of_heads.trials.set_index("id").loc[fits["id"], "last_val_accuracy"]
        assert row.network == tuple(networks)
        gains = [(head - own) / own for head, own in zip(fits["val_accuracy"], networks, strict=True)]
        assert rows[name, "val_relative_gain"].last == pytest.approx(gains)
        assert "no val_accuracy in the run" not in row.why_none


def test_a_head_that_nobody_published_shows_ours(oslo):
    read = sweeps.read_study(OSLO)
    rows = [row for row in gathered(read, oslo[0]) if row.experiment.startswith("XGBoost, subsample")]
    assert [row.published.metric for row in rows] == ["val_accuracy", "val_relative_gain"] * 3
    assert all(row.n == 0 for row in rows[4:])  # .9 is not in the sweep at this scale
    rows = rows[:4]
    assert all(len(row.last) == 2 and row.published.weights == "last" for row in rows)
    assert all(
        "no figure published" in row.why_none and not any("in the run" in reason for reason in row.why_none)
        for row in rows
    )


def test_the_same_command_again_trains_nothing(oslo):
    workdir, out = oslo
    before = stamps(workdir)
    status, again, err = run(f"--study={OSLO}", "--scale=smoke", f"--workdir={workdir}", NO_SALIENCY)
    assert status == 0 and err == "" and "sweep 1" not in again and again.splitlines()[-9:] == out.splitlines()[-9:]
    assert stamps(workdir) == before
    status, only, _ = run(f"--study={OSLO}", "--scale=smoke", f"--workdir={workdir}", "--table", "--only=dropout: 0.3")
    assert status == 0 and "dropout: 0.3" in only and "final network" not in only
    assert stamps(workdir) == before


def test_more_repeats_are_refused_without_extend_and_overrides_reach_every_sweep(tiny, tmp_path):
    file, workdir, _ = tiny
    status, _, err = run(f"--study={file}", "--scale=full", f"--workdir={workdir}", "--config.sweep.repeats=4")
    assert status == 2 and "add --extend" in err
    status, out, _ = run(
        f"--study={file}", "--scale=full", "--plan", f"--workdir={tmp_path / 'none'}", "--config.sweep.repeats=2"
    )
    assert status == 0 and out.startswith("tiny-full: 4 trials in 1 stack, ") and "    slow\n    fast\n1 sweep, " in out
    assert not (tmp_path / "none").exists()


def test_an_override_may_serve_only_some_of_the_sweeps(tmp_path):
    chosen = (f"--study={OSLO}", "--scale=smoke", "--plan", f"--workdir={tmp_path / 'none'}", "--config.train.l2=0.1")
    status, out, err = run(*chosen, "--only=3-D grid: best", "--only=final")
    assert status == 0, err
    notes = [line for line in out.splitlines() if line.startswith("note: ")]
    assert [note.partition(";")[0] for note in notes] == [
        "note: grid3d-smoke: train.l2 = 0.1 is never used: every trial has it from sweep.grid.train.l2"
    ]


def test_a_plan_names_what_a_config_sets_without_effect(tiny, tmp_path):
    chosen = (
        f"--study={tiny[0]}",
        "--scale=full",
        "--plan",
        f"--workdir={tmp_path / 'none'}",
        "--config.model.name=mlp",
    )
    status, out, err = run(*chosen)
    assert status == 0, err
    assert (
        "    note: set without effect: model.pairs and model.kernels (only with model.name = cnn); model.dense (only"
        in out
    )


def test_a_folder_of_another_sweep_is_found_before_the_first_trains(tiny, tmp_path):
    file, workdir, _ = tiny
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "configs").mkdir()
    for name in ("first", "tiny"):
        (tmp_path / "configs" / f"{name}.py").write_text(CONFIG)
    (tmp_path / "sweeps" / "two.py").write_text(STUDY.replace("configs/tiny.py", "configs/first.py", 1))
    shutil.copytree(workdir / "tiny-full", tmp_path / "work" / "tiny-full")
    arguments = (
        f"--study={tmp_path / 'sweeps' / 'two.py'}",
        "--scale=full",
        f"--workdir={tmp_path / 'work'}",
        "--config.train.l2=0",
    )
    status, out, err = run(*arguments)
    assert status == 2 and out == "" and len(err.splitlines()) == 1
    assert "tiny-full holds another sweep (6 of its 6 trials are not in this one): train.l2 was 0.0001, is 0.0" in err
    assert not (tmp_path / "work" / "first-full").exists()


def test_a_row_whose_point_is_not_in_the_sweep_shows_a_dash(oslo):
    rows = {row.experiment: row for row in gathered(sweeps.read_study(OSLO), oslo[0])}
    absent = rows["3-D grid: best accuracy"]
    assert absent.why_none == ("the sweep at this scale lacks the point",) and absent.chosen == absent.last == ()
    assert rows["final network"].chosen


def test_interrupted_before_the_end(tiny, tmp_path, monkeypatch):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(reported_sweep, "run_sweep", stop)
    status, out, _ = run(f"--study={tiny[0]}", "--scale=full", f"--workdir={tmp_path / 'work'}")
    assert status == 130 and "A tiny paper" not in out
    status, out, _ = run(f"--study={tiny[0]}", "--scale=full", f"--workdir={tmp_path / 'work'}", "--table")
    assert status == 0 and out.count("none: not run") == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no study: add --study=NAME"),
        (["--study=sweeps/osla.py"], "sweeps/osla.py: no such study file"),
        (
            [f"--study={OSLO}", "--only=final netwrok"],
            "no experiment 'final netwrok' in oslo; did you mean final network",
        ),
        ([f"--study={OSLO}", "--scale=tiny"], "--scale=tiny: must be smoke, full, or left out"),
        ([f"--study={OSLO}", "--only="], "--only is empty"),
        ([f"--study={OSLO}", "--only=final", "--only= "], "--only is empty"),
        (
            [f"--study={OSLO}", "--only=final", "--config.train.momentum=.9"],
            "command line: train.momentum = 0.9 has no effect",
        ),
        (
            [f"--study={OSLO}", "--only=3-D grid: best", "--config.train.l2=0.1"],
            "command line: train.l2 = 0.1 is never used",
        ),
        ([f"--study={OSLO}", "--scael=smoke"], "scael"),
        ([f"--study={OSLO}", "--scale=smoke", "--external=/nowhere/fer.zip"], "/nowhere/fer.zip"),
        ([f"--study={OSLO}", "--config=configs/oslo.py"], "unexpected argument --config"),
        ([f"--study={OSLO}", "stray"], "unexpected argument 'stray'"),
        (
            [f"--study={OSLO}", "--table", "--config.train.l2=0"],
            "--table reads the runs as they are and trains nothing: leave out --config.train.l2",
        ),
        (
            [f"--study={HUST}", "--scale=full", "--config.data.path=x.zip", "--config.augment.flip=0"],
            "; --config.augment.flip=0 sets what tells its experiments apart: leave it out",
        ),
        (
            [f"--study={HUST}", "--scale=smoke", "--config.augment.flip=0"],
            "2 points are data.normalize = minmax, augment.flip = 0.0, ",
        ),
        ([f"--study={OSLO}", "--scale=full"], "data.path is empty"),
        ([f"--study={OSLO}", "--scale=full", "--config.data.path=/nowhere/fer.zip"], "/nowhere/fer.zip"),
        ([f"--study={OSLO}", "--scale=smoke", "--config.train.epoch=3"], "did you mean train.epochs"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_directory(arguments, message, tmp_path):
    status, out, err = run(*arguments, f"--workdir={tmp_path / 'work'}")
    assert status == 2 and out == ""
    assert err.startswith("error: ") and message in err and len(err.splitlines()) == 1
    assert not (tmp_path / "work").exists()


def test_every_column_is_explained_in_the_row(oslo):
    heads = [column.heading for column in study_tables.table(to_frame([])).paper]
    assert len(heads) == 12 and all(name in oslo[1] for name in heads)
