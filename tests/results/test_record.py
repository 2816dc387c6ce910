"""A small run written by hand, read back: its tables, the values in them, and what is no run."""

import shutil

import numpy as np
import pytest

from fer_jax.errors import ConfigError, RunError
from fer_jax.results.run import load_run
from fer_jax.store import RunDirectory

SIZE, DENSE = 12, ((8,), (8, 6))


def test_tables_have_the_types_of_their_fields(run):
    assert run.trials["model.dense"].tolist() == [(8,)] * 4 + [(8, 6)] * 4
    assert run.trials["train.learning_rate"].tolist() == [1e-3, 1e-3, 0.01, 0.01] * 2
    assert run.config.sweep.grid.model.dense == DENSE and run.config.data.image_size == SIZE
    assert run.swept == ("model.dense", "train.learning_rate")
    assert run.plan["stacks"][0]["name"] == "stack_0" and len(run.curves) == 6
    assert run.summary["n"].tolist() == [2, 1, 1, 0]
    assert run.summary["left_out"].tolist() == ["", "1 diverged", "1 failed", "2 pending"]
    assert run.summary["val_accuracy_mean"][1] == pytest.approx(0.6)
    assert "4 done, 1 diverged, 1 failed, 2 pending; synthetic faces, official split" in repr(run)


def test_a_run_loads_however_far_it_has_got(path, tmp_path, small):
    directory = RunDirectory(tmp_path)
    directory.write_config(RunDirectory(path).read_config())
    run = load_run(tmp_path)
    assert run.trials.empty and run.summary.empty and run.curves.empty and run.select(learning_rate=0.01) == []
    assert "no trials yet" in repr(run)
    for ask, words in (
        (run.best_point, "has no trials yet$"),
        (run.best, "has no trials yet$"),
        (lambda: run.plan, "it has no plan.json$"),
        (lambda: run.trial("0"), "no trial '0' in .*; there are none$"),
    ):
        with pytest.raises(RunError, match=words):
            ask()
    directory.write_trials(small.trials().assign(status="running", val_accuracy=None, val_loss=None))
    run = load_run(tmp_path)
    for choose in (run.best_point, run.best):
        with pytest.raises(RunError, match=r"no trial in .* is done with a val_accuracy \(8 running\)$"):
            choose()
    with pytest.raises(RunError, match="trial 000e6789abc of .* is running: it has no weights yet$"):
        run.trial("000").predict(small.draw(1))


def test_what_is_no_run_says_so(tmp_path):
    with pytest.raises(RunError, match="no run at .*: it has no config.json$"):
        load_run(tmp_path / "nothing")
    RunDirectory(tmp_path).write_config({"config": {}})
    with pytest.raises(RunError, match="has no 'data': it was not written by this program$"):
        load_run(tmp_path)
    RunDirectory(tmp_path).write_config({"config": {"train.lerning_rate": 1.0}, "data": {}, "swept": []})
    with pytest.raises(ConfigError, match="train.lerning_rate"):
        load_run(tmp_path)


def test_a_table_without_its_columns_is_named(path, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(path, copy)
    (copy / "trials.csv").write_text("garbage\n")
    shutil.rmtree(copy / ".sealed")
    with pytest.raises(RunError, match="trials.csv is damaged .it has no column 'id'."):
        load_run(copy)


@pytest.mark.parametrize(
    "wanted, words",
    [
        ({"learning_rat": 1}, "no field 'learning_rat'; did you mean learning_rate\\?$"),
        ({"train__learning_rat": 1}, "no field 'train__learning_rat'; did you mean train__learning_rate\\?$"),
        ({"statu": "done"}, "no field 'statu'; did you mean status\\?$"),
        ({"Sed": 1}, "no field 'Sed'; did you mean seed\\?$"),
        ({"name": "cnn"}, "'name' is ambiguous: write data__name or model__name$"),
        ({"learning_rate": -1}, "^train.learning_rate = -1.0: must be .*"),
        ({"learning_rate": "fast"}, "^train.learning_rate = 'fast': must be .*"),
    ],
)
def test_select_names_what_it_cannot_use(run, wanted, words):
    with pytest.raises(RunError, match=words) as caught:
        run.select(**wanted)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"test_labels": np.array([0, 3], np.int32), "test_leaked": np.zeros(2, bool)}, "test_labels"),
        ({"test_labels": np.array([0, -1], np.int32), "test_leaked": np.zeros(2, bool)}, "test_labels"),
        ({"test_labels": np.array([0.0, 1.0]), "test_leaked": np.zeros(2, bool)}, "test_labels"),
        ({"test_labels": np.zeros(2, np.int32), "test_leaked": np.zeros(3, bool)}, "test_leaked"),
        ({"test_leaked": np.zeros(2, bool)}, "test_leaked"),
    ],
)
def test_labels_that_no_class_has_are_damage(path, tmp_path, arrays, said):
    shutil.copytree(path, tmp_path / "run")
    found = load_run(tmp_path / "run")
    checksum = found.record["data"]["checksum"]
    found.directory.predictions.write_targets(checksum, arrays)
    with pytest.raises(RunError, match=f"^{tmp_path / 'run' / 'predictions'}: {said} of the data {checksum[:10]}"):
        found.targets(checksum)


def test_a_swept_field_without_a_column_is_damage(path, tmp_path):
    shutil.copytree(path, tmp_path / "run")
    directory = RunDirectory(tmp_path / "run")
    directory.write_config({**directory.read_config(), "swept": ["train.l2"]})
    with pytest.raises(RunError, match="trials.csv has no column 'train.l2'"):
        load_run(tmp_path / "run")


def test_a_config_that_is_not_understood_names_its_file(path, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(path, copy)
    file = copy / "config.json"
    file.write_text(file.read_text().replace("train.precision", "train.pbecision"))
    with pytest.raises(ConfigError, match=f"^{file}: no field train.pbecision; did you mean train.precision"):
        load_run(copy)


def test_what_is_no_name_of_a_metric_is_one_line(run):
    with pytest.raises(RunError, match="^no metric 3 in .*; did you mean val_"):
        run.best_point(3)
