"""The program that puts a paper's figures beside ours: oslo's study at smoke scale, and a small
study of our own.
"""

import contextlib
import dataclasses
import io
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn import metrics

import fer_jax
from fer_jax import study
from fer_jax.config import search_space
from fer_jax.config.values import default_config
from fer_jax.data import faces
from fer_jax.data.faces import FREQUENCIES
from fer_jax.data.names import CLASSES
from fer_jax.errors import ConfigError
from fer_jax.reports import study_section
from fer_jax.studies import rows as study_rows
from fer_jax.studies import sweeps
from fer_jax.studies.paper import Conditions, Experiment, Published
from fer_jax.studies.table import to_frame

ROOT = Path(__file__).parents[1]
STUDIES = sorted((ROOT / "sweeps").glob("*.py"))
OSLO = str(ROOT / "sweeps" / "oslo.py")
HUST = str(ROOT / "sweeps" / "hust.py")
VERDICT = re.compile("within what|ours above|ours below|no difference")

CONFIG = """
from fer_jax.config.fields import default_config, variants

def get_config(words=""):
    chosen = variants(words, ("smoke", "full"))
    config = default_config()
    config.data.image_size, config.data.train_size, config.data.validation_size, config.data.test_size = 16, 70, 40, 40
    config.model.pairs, config.model.kernels, config.model.dense, config.model.dropout = 1, (4,), (8,), 0.0
    config.train.batch_size, config.train.epochs = 35, 3
    config.sweep.each.train.learning_rate = (1e-3, 1e-2)
    config.sweep.repeats = 3
    return config
"""
STUDY = """
from fer_jax.data.names import CLASSES
from fer_jax.studies.paper import Conditions, Experiment, Published, Study

SAME = Conditions("synthetic", "official", CLASSES, epochs=3)
PUBLISHED = (
    Published("val_accuracy", 0.2, weights="best"),
    Published("val_accuracy", 0.9, sd=0.01, n=5),
    Published("test_auc", 0.5),
    Published("binary_test_accuracy", 0.7),
    Published("test_precision", 0.1),
)
STUDY = Study("tiny", "A tiny paper", (
    Experiment("slow", "configs/tiny.py", PUBLISHED, SAME, point={"train.learning_rate": 1e-3}, positive=("Happiness", "surprise")),
    Experiment("fast", "configs/tiny.py", (), SAME, point={"train.learning_rate": 1e-2}, smoke=True),
))
"""


def run(*arguments):
    """Exit status, stdout and stderr of the program."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = study.main(["study", *(str(argument) for argument in arguments)])
    return status, out.getvalue(), err.getvalue()


def conclusion(row):
    """The last cell of a row of the table."""
    return study_section.table(to_frame([row])).paper[-1].cells[0]


def stamps(folder):
    return {file: file.stat().st_mtime_ns for file in sorted(folder.rglob("*")) if file.parent != folder}


@pytest.fixture(scope="module")
def oslo(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("oslo")
    status, out, err = run(f"--study={OSLO}", "--scale=smoke", f"--workdir={workdir}")
    assert status == 0, err
    return workdir, out


def test_oslo_at_smoke_scale_runs_every_kind_of_experiment(oslo):
    workdir, out = oslo
    table = pd.read_csv(workdir / "study.csv")
    asked = [one for one in sweeps.read_study(OSLO).experiments if one.smoke]
    assert table["experiment"].tolist() == [one.name for one in asked for _ in one.published or (None,)]
    assert {Path(path).name.split("-")[0] for path in table["run"]} == {"grid3d", "oslo", "oslo_ablations", "xgboost"}
    assert table["data"].eq("synthetic faces").all() and table["classes"].eq(7).all() and table["epochs"].eq(2).all()
    headed = table["experiment"].str.startswith("XGBoost")
    assert headed.sum() == 3 and table["chosen_mean"].notna().all()
    assert table["last_mean"].notna().eq(~headed).all()  # heads are fitted on the chosen weights only
    runs = [fer_jax.load_run(path) for path in table["run"].unique()]
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
    assert all(f"<h3>{Path(path).name}</h3>" in html for path in table["run"].unique())


def test_rows_of_heads_are_those_of_heads_csv(oslo):
    read = sweeps.read_study(OSLO)
    rows = {row.experiment: row for row in study_rows.gather(read, OSLO, oslo[0], "smoke")}
    run_of_heads = fer_jax.load_run(rows["XGBoost fed by flatten"].run)
    for name, layer, depth in (("XGBoost fed by flatten", "flatten", 6), ("XGBoost, depth 4", "dense_0", 4)):
        row, table = rows[name], run_of_heads.heads
        meant = {"head.layer": layer, "head.max_depth": depth, "head.eta": 0.3, "head.rounds": 10, "head.gamma": 0.0}
        meant |= {
            "head.subsample": 1.0,
            "head.colsample_bytree": 1.0,
            "head.min_child_weight": 1.0,
            "head.reg_lambda": 1.0,
        }
        fits = table[(table[list(meant)] == pd.Series(meant)).all(axis=1)]
        assert row.n == 2 and row.against == "best" and row.chosen == tuple(fits["val_accuracy"])
        assert "no val_accuracy in the run" not in row.why_none
        # At smoke scale the sweep boosts for fewer rounds than the experiment means.
        assert row.why_none[0].endswith("has instead: head.rounds = 10 (not 50)")


def test_a_head_that_nobody_published_shows_ours(oslo):
    read = sweeps.read_study(OSLO)
    rows = [
        row
        for row in study_rows.gather(read, OSLO, oslo[0], "smoke")
        if row.experiment.startswith("XGBoost, subsample")
    ]
    assert len(rows) == 3 and all(len(row.chosen) == 2 and row.against == "best" for row in rows)
    assert all(
        "no figure published" in row.why_none and "no val_accuracy in the run" not in row.why_none for row in rows
    )


def test_the_same_command_again_trains_nothing(oslo):
    workdir, out = oslo
    before = stamps(workdir)
    status, again, err = run(f"--study={OSLO}", "--scale=smoke", f"--workdir={workdir}")
    assert status == 0 and err == "" and "sweep 1" not in again and again.splitlines()[-9:] == out.splitlines()[-9:]
    assert stamps(workdir) == before
    status, only, _ = run(f"--study={OSLO}", "--scale=smoke", f"--workdir={workdir}", "--table", "--only=dropout: 0.3")
    assert status == 0 and "dropout: 0.3" in only and "final network" not in only
    assert stamps(workdir) == before


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    root = tmp_path_factory.mktemp("tiny")
    for name, text in (("configs", CONFIG), ("sweeps", STUDY)):
        (root / name).mkdir()
        (root / name / "tiny.py").write_text(text)
    file = str(root / "sweeps" / "tiny.py")
    status, out, err = run(f"--study={file}", "--scale=full", f"--workdir={root / 'work'}")
    assert status == 0, err
    return file, root / "work", out


def gather(tiny, change=lambda one: one, **conditions):
    file, workdir, _ = tiny
    read = sweeps.read_study(file)
    experiments = [
        change(dataclasses.replace(one, conditions=dataclasses.replace(one.conditions, **conditions)))
        for one in read.experiments
    ]
    return study_rows.gather(dataclasses.replace(read, experiments=tuple(experiments)), file, workdir, "full")


def test_a_verdict_where_all_conditions_are_the_papers(tiny):
    rows = gather(tiny)
    assert [row.experiment for row in rows] == ["slow"] * 5 + ["fast"]
    assert all(row.n == 3 and row.split == "official" and row.epochs == 3 for row in rows)
    single, mean, *computed, drawn = rows
    assert conclusion(single).startswith("chosen weights ") and single.verdict.low < single.verdict.high
    assert conclusion(mean).startswith("last epoch ours below, Welch p") and mean.verdict.p < 0.05
    assert all(row.verdict for row in computed)
    assert drawn.verdict is None and conclusion(drawn) == "none: no figure published" and drawn.metric == "val_accuracy"
    assert VERDICT.search(tiny[2]) and (tiny[1] / "study.md").exists()


def test_figures_are_those_of_the_networks(tiny):
    rows = gather(tiny)
    trials = fer_jax.load_run(rows[0].run).select(learning_rate=1e-3)
    assert rows[0].chosen == tuple(trial.row["val_accuracy"] for trial in trials)
    assert rows[0].last == tuple(trial.row["last_val_accuracy"] for trial in trials)
    test = trials[0].dataset().test
    for number, trial in enumerate(trials):
        for weights, field in (("best", "chosen"), ("last", "last")):
            found = trial.predict(test.images, weights=weights).astype(float)
            area = np.mean([metrics.roc_auc_score(test.labels == k, found[:, k]) for k in set(test.labels)])
            positive = found[:, [CLASSES.index("happy"), CLASSES.index("surprise")]].sum(axis=1) >= 0.5
            truth = np.isin(test.labels, (CLASSES.index("happy"), CLASSES.index("surprise")))
            assert getattr(rows[2], field)[number] == pytest.approx(area)
            assert getattr(rows[3], field)[number] == pytest.approx(np.mean(positive == truth))
    assert rows[2].last[0] != rows[2].last[1]


@pytest.mark.parametrize(
    ("conditions", "reason"),
    [
        ({"data": "fer2013"}, "other data"),
        ({"split": "kaggle"}, "other split: official, published kaggle"),
        ({"exact": False}, "the paper's split cannot be had"),
        ({"classes": ("Happiness", "sad")}, "other classes"),
        ({"epochs": 50}, "other epochs: 3, published 50"),
        ({"epochs": None}, "epochs unpublished"),
    ],
)
def test_no_verdict_where_a_condition_differs(tiny, conditions, reason):
    rows = gather(tiny, **conditions)[:5]
    assert all(row.verdict is None and row.why_none == (reason,) for row in rows)
    assert not any(VERDICT.search(conclusion(row)) for row in rows)


def test_no_verdict_where_a_setting_is_not_the_papers(tiny):
    file, workdir, _ = tiny
    experiment = sweeps.read_study(file).experiments[0]
    trial = fer_jax.load_run(gather(tiny)[0].run).select(learning_rate=1e-3)[0]
    paper = sweeps.paper_values(experiment, file)
    assert study_rows._changed(paper, trial, {}) == []
    assert study_rows._changed({**paper, "train.l2": 0.0, "train.epochs": 9}, trial, {}) == ["train.l2"]


def test_figures_of_a_class_are_those_of_its_pictures(tiny):
    published = (Published("test_recall_happy", 0.5), Published("test_f1_sad", 0.5), Published("test_recall_joy", 0.5))
    recall, f1, unknown = gather(
        tiny, lambda one: dataclasses.replace(one, published=published) if one.name == "slow" else one
    )[:3]
    trials = fer_jax.load_run(recall.run).select(learning_rate=1e-3)
    test = trials[0].dataset().test
    for number, trial in enumerate(trials):
        answers = trial.predict(test.images, weights="last").argmax(axis=1)
        expected = metrics.classification_report(
            test.labels, answers, labels=range(7), target_names=CLASSES, output_dict=True, zero_division=0
        )
        assert recall.last[number] == pytest.approx(expected["happy"]["recall"]) and f1.last[number] == pytest.approx(
            expected["sad"]["f1-score"]
        )
    assert "no test_recall_joy in the run" in unknown.why_none


def test_an_external_figure_is_of_the_data_that_are_named(tiny, tmp_path):
    file, workdir, _ = tiny
    for number, (image, label) in enumerate(zip(*faces.draw("test", 30, seed=3, size=20)[:2], strict=True)):
        folder = tmp_path / "there" / f"{CLASSES[label].upper()}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(folder / f"{number}.png")
    read = sweeps.read_study(file)
    published = (Published("external_accuracy", 0.5), Published("external_recall_happy", 0.5))
    slow = dataclasses.replace(read.experiments[0], published=published, external="other people's pictures")
    only = dataclasses.replace(read, experiments=(slow,))
    accuracy, recall = study_rows.gather(only, file, workdir, "full", str(tmp_path / "there"))
    trials = fer_jax.load_run(accuracy.run).select(learning_rate=1e-3)
    for number, trial in enumerate(trials):
        found = trial.evaluate_on(str(tmp_path / "there"), weights="last", copies=False)
        assert accuracy.last[number] == pytest.approx(found.accuracy)
        assert recall.last[number] == pytest.approx(found.report.loc["happy", "recall"])
    (nothing, _) = study_rows.gather(only, file, workdir, "full")
    assert (
        nothing.verdict is None
        and "no external data set: name other people's pictures with --external" in nothing.why_none
    )


def test_the_epochs_of_all_phases_count():
    config = default_config()
    config.phases.lengths = (3, 4)
    assert study_rows._epochs(SimpleNamespace(config=config)) == 7


def test_a_metric_that_cannot_be_had_is_said_so(tiny):
    one_class = gather(tiny, lambda one: dataclasses.replace(one, positive=()))[3]
    assert one_class.verdict is None and "no class is positive" in one_class.why_none[0]
    with pytest.raises(
        ConfigError, match="metric 'val_acc': must be 'train_', 'val_', 'test_' or 'external_' before accuracy"
    ):
        gather(tiny, lambda one: dataclasses.replace(one, published=(Published("val_acc", 0.5),)))


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


def test_equal_repeats_get_no_verdict(tiny, monkeypatch):
    monkeypatch.setattr(study_rows, "_values", lambda trials, *rest: (0.25,) * len(trials))
    rows = gather(tiny)
    assert all(row.verdict is None and row.why_none == ("the repeats do not differ",) for row in rows[:5])
    assert conclusion(rows[0]) == "none: the repeats do not differ"


def test_a_verdict_knows_how_a_figure_was_rounded(tiny):
    def printed(value, digits):
        published = (Published("val_accuracy", value, digits=digits),)
        row = gather(tiny, lambda one: dataclasses.replace(one, published=published) if one.name == "slow" else one)[0]
        return row.verdict.words

    assert printed(3.0, 2).startswith("ours below") and printed(3.0, -1).startswith("within")


def test_rows_show_images_split_and_the_share_that_was_used(tiny):
    row = gather(tiny)[0]
    assert row.images == {"train": 70, "validation": 40, "test": 40} and row.sampling == ""
    assert "70 / 40 / 40" in tiny[2]
    config = default_config()
    config.data.fraction = 0.5
    label = "FER-2013, stratified_80_10_10 split, every split undersampled"
    trial = SimpleNamespace(config=config, data={"label": label})
    assert study_rows._sampling(trial) == "every split undersampled, a share of 0.5"


def test_a_row_of_another_point_says_which(oslo):
    read = sweeps.read_study(OSLO)
    rows = {row.experiment: row for row in study_rows.gather(read, OSLO, oslo[0], "smoke")}
    words = "another point, which the sweep at this scale has instead: train.learning_rate = 0.001 (not 1e-05) and train.batch_size = 16 (not 128)"
    assert rows["3-D grid: best accuracy"].why_none[:2] == (words, "other data")
    assert not any("another point" in reason for reason in rows["final network"].why_none)


def test_interrupted_before_the_end(tiny, tmp_path, monkeypatch):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(fer_jax, "run_sweep", stop)
    status, out, _ = run(f"--study={tiny[0]}", "--scale=full", f"--workdir={tmp_path / 'work'}")
    assert status == 130 and "A tiny paper" not in out
    status, out, _ = run(f"--study={tiny[0]}", "--scale=full", f"--workdir={tmp_path / 'work'}", "--table")
    assert status == 0 and out.count("none: not run") == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no study: add --study=FILE"),
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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "no STUDY of type fer_jax.studies.paper.Study"),
        ("import nowhere", "line 1: ModuleNotFoundError"),
        ("def broken(:", "line 1"),
        (STUDY.replace('"fast"', '"slow"'), "two experiments are called 'slow'"),
    ],
)
def test_a_broken_study_file_is_one_line(text, message, tmp_path):
    (tmp_path / "broken.py").write_text(text)
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        sweeps.read_study(str(tmp_path / "broken.py"))
    assert str(tmp_path / "broken.py") in str(caught.value) and "\n" not in str(caught.value)


def test_a_point_that_the_sweep_lacks_is_an_error_at_full_scale():
    config = default_config()
    config.sweep.each.train.l2 = (0.0, 1e-3)
    lacking = Experiment(
        "odd", "configs/x.py", (), Conditions("synthetic", "official", CLASSES), point={"train.l2": 0.5}
    )
    with pytest.raises(ConfigError, match="experiment 'odd': no point is train.l2 = 0.5 in the sweep of configs/x.py"):
        sweeps.find_point(lacking, config, "full")
    assert sweeps.find_point(lacking, config, "smoke")["train.l2"] == 0.0
    with pytest.raises(ConfigError, match="experiment 'odd': 2 points are all of them"):
        sweeps.find_point(dataclasses.replace(lacking, point={}), config, "smoke")


def test_smoke_keeps_its_size_and_equal_sweeps_are_one(tmp_path):
    at = Conditions("fer2013", "kaggle", CLASSES)

    def make(name, **overrides):
        return Experiment(name, "configs/oslo.py", (), at, overrides=overrides)

    experiments = (make("a"), make("b", **{"train.epochs": 300}), make("c", **{"train.l2": 0.1, "train.epochs": 300}))
    smoke = sweeps.sweeps(experiments, OSLO, "smoke")
    assert [len(one.experiments) for one in smoke] == [2, 1] and smoke[0].folder == "oslo-smoke"
    loaded = sweeps.load(smoke[1], {}, tmp_path, "smoke")
    assert loaded.config.train.epochs == 2 and loaded.config.train.l2 == 0.1
    full = sweeps.sweeps(experiments, OSLO, "full")
    assert len({one.folder for one in full}) == 3 and all(one.folder.startswith("oslo-full") for one in full)


@pytest.mark.parametrize(("missing", "reasons"), [(0, []), (7, ["other data: 35,880 images, FER-2013 has 35,887"])])
def test_fer2013_must_be_whole(missing, reasons):
    config = default_config()
    config.data.name, config.data.path = "fer2013", "fer.zip"
    counts = dict(zip(CLASSES, FREQUENCIES, strict=True))
    counts["happy"] -= missing
    record = {"data": {"classes": list(CLASSES), "counts": {"train": counts}}}
    trial = SimpleNamespace(
        config=config, classes=CLASSES, data=record["data"], run=SimpleNamespace(record=record, swept=())
    )
    assert study_rows._data_reasons(Conditions("fer2013", "kaggle", CLASSES), trial) == reasons
    config.data.fraction = 0.5
    assert study_rows._data_reasons(Conditions("fer2013", "kaggle", CLASSES), trial) == ["other data: a share of 0.5"]


@pytest.mark.parametrize("file", STUDIES, ids=lambda path: path.stem)
@pytest.mark.parametrize("scale", ["", "smoke", "full"])
def test_every_shipped_study_loads(file, scale, tmp_path):
    read = sweeps.read_study(str(file))
    assert read.name == file.stem
    overrides = {"data.path": "fer2013.zip"} if scale == "full" else {}
    needed = sweeps.sweeps(sweeps.choose(read, (), scale), str(file), scale)
    loaded = [sweeps.load(one, overrides, tmp_path, scale) for one in needed]
    if scale == "smoke":
        assert sum(len({trial.shape_key() for trial in search_space.expand(one.config)}) for one in loaded) <= 6
    for one in read.experiments:
        sweeps.paper_values(one, str(file))
        assert all(study_rows.split_metric(published.metric) for published in one.published)


def test_every_column_is_explained_in_the_row(oslo):
    heads = [column.heading for column in study_section.table(to_frame([])).paper]
    assert len(heads) == 12 and all(name in oslo[1] for name in heads)
