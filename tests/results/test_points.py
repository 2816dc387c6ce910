"""Points that are ranked against each other, and those that are not."""

import pandas as pd
import pytest

from fer_jax.config import search_space
from fer_jax.config.values import put, to_json
from fer_jax.errors import RunError
from fer_jax.results.run import load_run
from fer_jax.store import RunDirectory

CLASSES = ("angry", "happy", "sad")


def write_swept(small, path, swept, values, **columns):
    """A run that sweeps one field, a done trial a value."""
    config = small.config()
    config.sweep.grid.train.learning_rate = config.sweep.grid.model.dense = None
    put(config, f"sweep.grid.{swept}", values)
    config.sweep.repeats, config.model.dense = 1, (8,)
    datasets = {3: small.dataset().checksum, 2: "2" * 64}
    rows = []
    for slot, trial in enumerate(search_space.expand(config)):
        row = {"id": trial.id(datasets[len(trial.values["data.classes"]) or 3]), "status": "done", **trial.point}
        row |= {"seed": trial.seed, "repeat": 0, "wave": "stack_0-wave_0", "slot": slot}
        rows.append(row | {name: column[slot] for name, column in columns.items()})
    directory = RunDirectory(small.write(path, pd.DataFrame(rows)))
    record = directory.read_config() | {"config": to_json(config), "swept": [swept]}
    if swept == "data.classes":
        record["other_data"] = [{"classes": ["angry", "sad"], "checksum": datasets[2], "label": "two"}]
    directory.write_config(record)
    return load_run(path)


def test_points_with_different_classes_are_not_ranked_against_each_other(tmp_path, small):
    run = write_swept(
        small, tmp_path, "data.classes", ((), ("angry", "sad")), val_accuracy=[0.5, 0.8], val_loss=[1.0, 0.5]
    )
    for choose in ("best", "best_point", "ensemble"):
        with pytest.raises(RunError) as caught:
            getattr(run, choose)()
        message = str(caught.value)
        assert (
            "points with different classes (data.classes swept) are not ranked against each other by val_accuracy"
            in message
        )
        assert f"run.{choose}('val_accuracy', data__classes=())" in message and "\n" not in message
    assert run.ensemble("val_accuracy", data__classes=()).members[0].id == run.trials["id"][0]
    assert (
        run.best_point(data__classes=()).name == 0
        and run.best("val_loss", classes=("angry", "sad")).row["val_loss"] == 0.5
    )
    assert [data.get("label") for data in run.data_sets(run.trials)] == ["synthetic faces, official split", "two"]


def test_the_same_classes_named_in_full_are_ranked(tmp_path, small):
    run = write_swept(small, tmp_path, "data.classes", ((), CLASSES), val_accuracy=[0.5, 0.8], val_loss=[1.0, 0.5])
    assert run.best_point().name == 1


def test_losses_of_another_kind_are_not_ranked_and_break_no_tie(tmp_path, small):
    run = write_swept(
        small, tmp_path / "a", "loss.focal_gamma", (0.0, 2.0), val_accuracy=[0.5, 0.5], val_loss=[1.0, 0.2]
    )
    assert run.best_point().name == 0 and run.best().row["val_loss"] == 1.0
    with pytest.raises(
        RunError, match=r"different losses \(loss.focal_gamma swept\) are not ranked .* loss__focal_gamma=0.0\)"
    ):
        run.best_point("val_loss")
    assert run.best_point("val_loss", focal_gamma=2).name == 1
    # Class weights enter the training loss only.
    run = write_swept(
        small,
        tmp_path / "b",
        "loss.class_weight",
        (0.0, 1.0),
        val_loss=[1.0, 0.2],
        val_accuracy=[0.5, 0.5],
        train_loss=[2, 1],
    )
    assert run.best_point("val_loss").name == run.best_point().name == 1
    with pytest.raises(RunError, match="different losses .loss.class_weight swept."):
        run.best("train_loss")


def test_two_points_are_compared_seed_by_seed(run):
    found = run.compare({"model.dense": (8,), "train.learning_rate": 1e-3}, 1, "val_accuracy")
    assert found.a == "dense layers 8, learning rate 1e-3" and found.b == "dense layers 8, learning rate 1e-2"
    assert (found.n_a, found.n_b, found.mean_a, found.mean_b) == (2, 1, pytest.approx(0.505), pytest.approx(0.6))
    by_row = run.compare(run.summary.loc[0], run.summary.loc[1], "val_accuracy")
    assert (by_row.a, by_row.b, by_row.mean_a, by_row.mean_b) == (found.a, found.b, found.mean_a, found.mean_b)


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ((0, 0), "a point cannot be compared with itself: both are dense"),
        ((0, 9), "no point 9; give a row of run.summary, its number, or a dict of swept values$"),
        (({"train.learning_rate": 0.01}, 0), "2 points have train.learning_rate = 0.01: name the values of one;"),
        ((0, 3), "no trial of dense .* is done$"),
    ],
)
def test_what_cannot_be_compared_is_one_line(run, points, words):
    with pytest.raises(RunError, match=words) as caught:
        run.compare(*points, "val_accuracy")
    assert "\n" not in str(caught.value)


def test_intervals_are_empty_where_seeds_are_few(run):
    found = run.intervals("val_accuracy")
    assert found["n"].tolist() == [2, 1, 1, 0] and found["bootstrap_low95"].isna().all()
    # Student's quantile for one degree of freedom is 12.706; the two seeds lie .01 apart.
    assert found["val_accuracy_high95"][0] == pytest.approx(0.505 + 12.706 * 0.005, abs=1e-4)
    assert found["val_accuracy_low95"][1:].isna().all()
