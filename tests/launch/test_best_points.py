"""More seeds for the best points: chosen once, by validation, and never again."""

import pytest

import fer_jax
from fer_jax.config.values import from_json, to_json
from fer_jax.errors import ConfigError, RunError
from fer_jax.launch import best_points
from fer_jax.reports import run_report


@pytest.fixture(autouse=True)
def no_report(monkeypatch):
    monkeypatch.setattr(run_report, "write_report", lambda path: None)


@pytest.fixture
def dense(config):
    """Three points of a small dense network, two seeds each."""
    config.model.name, config.model.hidden, config.train.epochs = "mlp", (8,), 2
    config.sweep.grid.train.learning_rate, config.sweep.grid.model.hidden = (1e-3, 1e-2, 1e-1), ((8,),)
    return config


def repeats(run):
    return run.trials.groupby("train.learning_rate")["repeat"].apply(list).to_dict()


def test_the_best_points_get_more_seeds_and_the_choice_stays(dense, tmp_path):
    first = fer_jax.run_sweep(dense, tmp_path)
    ranked = first.summary.sort_values(["val_accuracy_mean", "val_loss_mean"], ascending=[False, True])
    chosen = ranked["train.learning_rate"].tolist()[:2]
    dense.sweep.best, dense.sweep.best_repeats = 1, 4
    with pytest.raises(RunError, match=r"sweep\.best was 0, is 1; add --extend to choose 1 point"):
        fer_jax.run_sweep(dense, tmp_path)
    run = fer_jax.run_sweep(dense, tmp_path, extend=True)
    assert repeats(run) == {rate: [0, 1, 2, 3] if rate == chosen[0] else [0, 1] for rate in (1e-3, 1e-2, 1e-1)}
    assert run.config.sweep.chosen == ({"model.hidden": (8,), "train.learning_rate": chosen[0]},)
    assert run.record["chosen"] == {"metric": "val_accuracy", "repeats": 2, "points": 3}
    kept = run.trials.set_index("id").loc[first.trials["id"]]
    assert (kept["val_accuracy"].to_numpy() == first.trials["val_accuracy"].to_numpy()).all()
    assert run.best_point()["train.learning_rate"] == chosen[0] and run.best_point()["n"] == 4
    new = run.trials[(run.trials["train.learning_rate"] == chosen[0]) & (run.trials["repeat"] > 1)]
    assert run.unbiased["n"].tolist() == [2]
    assert run.unbiased["val_accuracy_mean"][0] == pytest.approx(new["val_accuracy"].mean())

    # However the new seeds came out, the same command and a wider one stand by the choice.
    assert len(fer_jax.run_sweep(dense, tmp_path).trials) == 8
    dense.sweep.best = 2
    wider = fer_jax.run_sweep(dense, tmp_path, extend=True)
    assert [point["train.learning_rate"] for point in wider.config.sweep.chosen] == chosen
    dense.sweep.best = 1
    with pytest.raises(RunError, match=r"holds another sweep .*sweep\.best was 2, is 1"):
        fer_jax.run_sweep(dense, tmp_path, extend=True)


def test_one_command_does_both_stages_and_goes_on_after_a_stop(dense, tmp_path, stop_after):
    dense.sweep.best, dense.sweep.best_repeats = 1, 3
    stop_after(1)
    with pytest.raises(KeyboardInterrupt):
        fer_jax.run_sweep(dense, tmp_path)
    assert fer_jax.load_run(tmp_path).config.sweep.chosen == () and "chosen" not in fer_jax.load_run(tmp_path).record
    stop_after(0)
    run = fer_jax.run_sweep(dense, tmp_path)
    assert sorted(map(len, repeats(run).values())) == [2, 2, 3] and (run.trials["status"] == "done").all()
    log = (tmp_path / "log.txt").read_text()
    assert "every point first; then 1 more seed of each of the 1 best point by val_accuracy: 1 trial" in log


def test_a_stop_in_the_last_epoch_of_the_first_stage_trains_no_more_seeds(dense, tmp_path, stop_after):
    dense.sweep.best, dense.sweep.best_repeats = 1, 3
    dense.stack.engine = "vmap"  # all points in one wave of two epochs
    stop_after(2)
    with pytest.raises(KeyboardInterrupt):
        fer_jax.run_sweep(dense, tmp_path)
    run = fer_jax.load_run(tmp_path)
    assert len(run.trials) == 6 and (run.trials["status"] == "done").all() and "chosen" not in run.record
    assert (
        "stopped before more seeds of the best points; the same command goes on from there"
        in (tmp_path / "log.txt").read_text()
    )
    stop_after(0)
    assert len(fer_jax.run_sweep(dense, tmp_path).trials) == 7


def test_a_choice_that_cannot_be_made_is_refused_before_training(dense, tmp_path):
    dense.sweep.best, dense.sweep.best_repeats = 4, 5
    with pytest.raises(ConfigError, match=r"sweep\.best = 4: the sweep has 3 points"):
        fer_jax.run_sweep(dense, tmp_path)
    dense.sweep.best, dense.sweep.best_repeats = 2, 2
    with pytest.raises(ConfigError, match=r"sweep\.best_repeats = 2: must be more than sweep\.repeats = 2"):
        fer_jax.run_sweep(dense, tmp_path)
    dense.sweep.best = 0
    with pytest.raises(ConfigError, match="counts only with sweep.best above 0"):
        fer_jax.run_sweep(dense, tmp_path)
    dense.sweep.best, dense.sweep.best_repeats = 2, 3
    dense.sweep.grid.loss.focal_gamma, dense.train.select = (0.0, 2.0), "val_loss"
    with pytest.raises(ConfigError, match=r"differ in loss\.focal_gamma are not ranked against each other by val_loss"):
        fer_jax.run_sweep(dense, tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_choice_is_part_of_the_record_and_of_nothing_else(dense):
    dense.sweep.best, dense.sweep.best_repeats = 1, 3
    dense.sweep.chosen = ({"model.hidden": (8,), "train.learning_rate": 1e-2},)
    again = from_json(to_json(dense))
    assert (again.sweep.best, again.sweep.best_repeats, again.sweep.chosen) == (1, 3, dense.sweep.chosen)
    assert best_points.describe(again) == ""
    dense.sweep.best = dense.sweep.best_repeats = 0
    assert "chosen" not in to_json(dense)["sweep"]
