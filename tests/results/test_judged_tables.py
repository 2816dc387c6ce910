"""Tables as readers believe them: sealed values first, else what the run's other files give."""

import shutil

import pandas as pd
import pytest

import fer_jax
from fer_jax.results import judged_tables
from fer_jax.store import RunDirectory


def judged(path):
    directory = RunDirectory(path)
    return judged_tables.read_trials(directory, directory.read_config())


def rewrite(path, change):
    """Changes the cells of trials.csv, as text, in a run of an earlier version."""
    shutil.rmtree(path / ".sealed", ignore_errors=True)
    table = pd.read_csv(path / "trials.csv", dtype=str, keep_default_na=False)
    change(table)
    table.to_csv(path / "trials.csv", index=False)


def test_an_edited_table_is_named_and_its_written_values_count(trained, capsys):
    truth = fer_jax.load_run(trained).trials
    table = pd.read_csv(trained / "trials.csv", dtype=str, keep_default_na=False)
    table.loc[1, "val_accuracy"] = "0.99"
    table.to_csv(trained / "trials.csv", index=False)
    before = (trained / "trials.csv").read_bytes()
    run = fer_jax.load_run(trained)
    pd.testing.assert_frame_equal(run.trials, truth)
    said = capsys.readouterr().err
    assert f"val_accuracy of {truth['id'][1]} is 0.99 for " in said and said.count("\n") == 1
    assert (trained / "trials.csv").read_bytes() == before, "a reader writes nothing"


def test_a_table_of_an_earlier_version_is_believed_where_its_files_agree(trained):
    truth, _ = judged(trained)
    rewrite(trained, lambda table: None)
    found, said = judged(trained)
    assert said == []
    pd.testing.assert_frame_equal(found[truth.columns], truth, check_dtype=False)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("val_accuracy", "0.25"),
        ("val_accuracy", ""),
        ("val_loss", "inf"),
        ("train_loss", "-1"),
        ("test_accuracy", "0.5"),
        ("test_f1", "7"),
        ("epochs", "900"),
        ("best_epoch", "0"),
        ("status", "finished"),
    ],
)
def test_a_wrong_cell_is_computed_again_from_curves_and_predictions(trained, column, value):
    truth, _ = judged(trained)
    rewrite(trained, lambda table: table.__setitem__(column, [value, *table[column][1:]]))
    found, said = judged(trained)
    assert len(said) == 1 and f"computed again from curves and predictions: {truth['id'][0]} (" in said[0]
    for name in (
        "status",
        "epochs",
        "best_epoch",
        "train_loss",
        "val_loss",
        "val_accuracy",
        "test_accuracy",
        "test_f1",
    ):
        assert found[name][0] == pytest.approx(truth[name][0], rel=1e-6) if name != "status" else "done", name


def test_settings_and_places_are_those_of_config_and_plan(trained):
    truth, _ = judged(trained)

    def swap(table):
        table["slot"] = ["1", "0", "3", "2"]
        table.loc[0, "train.learning_rate"] = "0.5"

    rewrite(trained, swap)
    found, said = judged(trained)
    for name in ("slot", "wave", "train.learning_rate"):
        assert found[name].tolist() == truth[name].tolist()
    assert len(said) == 1 and "other settings than config.json" in said[0] and "train.learning_rate was 0.5" in said[0]


def test_what_cannot_be_computed_again_counts_as_pending(trained):
    truth, _ = judged(trained)
    rewrite(trained, lambda table: table.__setitem__("last_test_loss", ["", "-1", "nan", table["last_test_loss"][3]]))
    found, said = judged(trained)
    last = truth["best_epoch"] == truth["epochs"]
    # At the last epoch the chosen weights are the last ones.
    expected = ["done" if last[row] or row == 3 else "pending" for row in range(4)]
    assert found["status"].tolist() == expected and "pending" in expected
    assert found.loc[found["status"] == "pending", "val_accuracy"].isna().all()
    assert any("not done, to be trained again by the same command" in line for line in said)


def test_a_cut_table_without_a_seal_gives_no_cut_value(trained):
    truth, _ = judged(trained)
    shutil.rmtree(trained / ".sealed")
    content = (trained / "trials.csv").read_bytes()
    (trained / "trials.csv").write_bytes(content[: content.index(truth["id"][1].encode()) + 90])
    found, said = judged(trained)
    assert found["id"].tolist() == truth["id"].tolist() and said
    done = found["status"] == "done"
    for name in ("val_accuracy", "test_accuracy", "last_val_loss"):
        assert found.loc[done, name].tolist() == pytest.approx(truth.loc[done, name].tolist())
