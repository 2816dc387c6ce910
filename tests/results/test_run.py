"""What a run finds best, in a small run written by hand."""

import re
from pathlib import Path

import pytest

from fer_jax.errors import FerJaxError, RunError
from fer_jax.results.run import load_run


def test_best_point_is_by_mean_and_says_who_was_left_out(run):
    best = run.best_point("val_accuracy")
    assert (best["train.learning_rate"], best["n"], best["left_out"]) == (0.01, 1, "1 diverged")
    assert run.best_point().equals(best)
    low = run.best_point("val_loss")
    assert low["val_loss_mean"] == pytest.approx(0.9) and low["model.dense"] == (8, 6)


def test_a_point_is_told_in_few_entries_beside_its_whole_row(run):
    best, row = run.best_point("val_loss"), run.best_row("val_loss")
    assert row.equals(run.summary.loc[best.name]) and best.equals(row[best.index]) and len(row) > 2 * len(best)
    assert list(best.index) == [
        *run.swept, "n", "left_out", "val_loss_mean", "val_loss_sd",
        "val_accuracy_mean", "val_accuracy_sd", "test_accuracy_mean", "test_accuracy_sd",
    ]  # fmt: skip
    assert run.compare(best, run.best_point("val_accuracy")).words


def test_equal_means_go_to_the_lower_loss_and_then_to_the_earlier_point(tmp_path, small):
    trials = small.trials().assign(status="done", val_accuracy=0.5, val_loss=[1, 1, 0.5, 0.5, 0.5, 0.5, 2, 2])
    assert load_run(small.write(tmp_path, trials)).best_point().name == 1


def test_best_is_one_done_trial(run):
    assert run.best().id == "010e6789abc"
    assert run.best("val_loss").id == "100e6789abc"


@pytest.mark.parametrize("choose", ["best", "best_point", "ensemble"])
def test_nothing_is_chosen_by_the_test_split_or_by_an_unknown_metric(run, choose):
    with pytest.raises(RunError, match="test_accuracy may not choose: choose by val_accuracy, then read"):
        getattr(run, choose)("test_accuracy")
    with pytest.raises(RunError, match="no metric 'val_acuracy' in .*; did you mean val_accuracy"):
        getattr(run, choose)("val_acuracy")
    with pytest.raises(RunError, match="no metric 'VAL_ACCURACY' in .*; did you mean val_accuracy\\?$"):
        getattr(run, choose)("VAL_ACCURACY")
    with pytest.raises(RunError, match="no metric 'test_acuracy' in .*; did you mean (?!.*test_)"):
        getattr(run, choose)("test_acuracy")
    with pytest.raises(RunError, match="no metric 'best_epoch' in .*; did you mean val_accuracy or val_loss\\?$"):
        getattr(run, choose)("best_epoch")


def test_a_choice_among_some_points(run):
    assert run.best_point(learning_rate=1e-3, dense=(8,))["n"] == 2
    assert run.best(learning_rate=1e-3, seed=5, dense=(8,)).id == "000e6789abc"
    with pytest.raises(RunError, match="seed = 5: a point has no seed, its trials have; run.select finds them"):
        run.best_point(seed=5)
    with pytest.raises(RunError, match=r"no trial in .* is done with a val_accuracy and learning_rate = 0.5 \("):
        run.best(learning_rate=0.5)


def test_using_a_run_never_writes_to_it(path, small):
    def files():
        return {file: (file.stat().st_mtime_ns, file.stat().st_size) for file in sorted(Path(path).rglob("*"))}

    before = files()
    run = load_run(path)
    run.best_point(), run.curves, run.plan
    run.trial("000").predict(small.draw(2))
    assert files() == before


def test_one_line_errors_are_all_of_one_kind(run):
    for ask in (lambda: run.trial("zz"), lambda: run.select(x=1), lambda: run.best("x"), lambda: run.trial("0")):
        with pytest.raises(FerJaxError) as caught:
            ask()
        assert re.fullmatch("[^\n]+", str(caught.value))
