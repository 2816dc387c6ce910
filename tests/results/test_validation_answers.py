"""What done trials answered, from the files of their waves."""

import numpy as np
import pandas as pd
import pytest
from reported_runs import run_directory, table_rows, with_answers

from fer_jax.reports.run_report import write_report
from fer_jax.results.run import load_run
from fer_jax.store.predictions import PredictionFiles


@pytest.fixture
def path(tmp_path):
    return with_answers(run_directory(tmp_path / "run", ("done", "done", "diverged", "done")))


def test_answers_of_done_trials_are_read_from_a_file_that_is_opened_once(path, monkeypatch):
    opened = []
    read = PredictionFiles.read
    monkeypatch.setattr(PredictionFiles, "read", lambda self, *of: opened.append(of) or read(self, *of))
    run = load_run(path)
    found = run.validation_answers
    assert list(found) == ["12345e6780", "12345e6781", "12345e6783"] and len(opened) == 1
    assert found["12345e6780"].given.tolist() == [0, 1, 1, 0, 1] == found["12345e6780"].labels.tolist()
    assert found["12345e6781"].given.tolist() == [0, 1, 0, 0, 1] and found["12345e6781"].classes == ("happy", "sad")
    assert len({one.images for one in found.values()}) == 1


def test_the_best_is_told_apart_by_them(path):
    """Slot 1 is wrong about one picture of five: mid-p of 0 and 1 is 2 / 2 - 1 / 2."""
    table = load_run(path).indistinguishable().set_index("point")
    assert table.index.tolist() == [3, 1, 0] and table.loc[1, ["only_best", "only_point"]].tolist() == [1, 0]
    assert table.loc[1, "p"] == pytest.approx(0.5) and table.loc[0, "p"] == 1 and table["tied"].all()
    assert table["best_together"].tolist() == [True, False, False]


def test_lost_and_infinite_predictions_are_absent(path):
    kept = load_run(path).directory.predictions
    logits = kept.read("stack_0-wave_0", "validation", [0, 1, 2, 3])
    logits[1, 0] = np.nan
    kept.write("stack_0-wave_0", "validation", logits)
    assert list(load_run(path).validation_answers) == ["12345e6780", "12345e6783"]
    kept.forget("stack_0-wave_0")
    assert load_run(path).validation_answers == {}
    assert load_run(path).indistinguishable()["tied"].all()


def test_points_alike_give_an_ensemble_that_says_so(path):
    assert load_run(path).ensemble().label == "1 network of the best point by val_accuracy"
    run = load_run(path)
    run.trials["val_accuracy"] = 0.5
    assert run.ensemble().label == "1 network of the first of 3 equally good best points by val_accuracy"
    assert len(run.indistinguishable()) == 3 and run.indistinguishable()["best_together"].all()


def test_a_dead_network_is_known_from_its_stored_answers(path):
    run = load_run(path)
    assert run.trial("12345e6780").dead is None
    kept = run.directory.predictions
    logits = kept.read("stack_0-wave_0", "validation", [0, 1, 2, 3])
    logits[0] = (0.0, 1.0)
    kept.write("stack_0-wave_0", "validation", logits)
    found = load_run(path).trial("12345e6780").dead
    assert found is not None and found.answer == "sad"
    kept.forget("stack_0-wave_0")
    assert load_run(path).trial("12345e6780").dead is None


def test_tables_and_page_hold_the_comparison_of_one_seed(path):
    """Slot 1 is the only one that is wrong about a picture."""
    text = write_report(path).read_text()
    assert "Its network cannot be told apart from those of any of the 2 other points by their answers to the 5" in text
    assert [row[-2] for row in table_rows(text, "best")[1:]] == ["–", "tied, p = 1.000", "tied, p = 1.000"]
    table = pd.read_csv(path / "tables" / "comparisons.csv", keep_default_na=False)
    assert table["test"].tolist() == ["", "McNemar", "McNemar"] and table["only_best"].tolist() == [0, 1, 0]
    assert "only the best is right" in (path / "tables" / "comparisons.md").read_text()
