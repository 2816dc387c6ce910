"""Searches replayed on a toy grid whose passes and regrets are known by hand, and curves recorded
from a run.
"""

import numpy as np
import pandas as pd
import pytest

import fer_jax
from fer_jax.config.values import default_config
from fer_jax.launch.loop import run_sweep

# Points a (slow, best at the end), b (quick) and c (within half a point of a), two seeds, 4 epochs.
CURVES = {
    "a": ([0.1, 0.2, 0.3, 0.9], [0.1, 0.2, 0.3, 0.9], 0.80),
    "b": ([0.5, 0.6, 0.7, 0.8], [0.5, 0.6, 0.7, 0.896], 0.70),
    "c": ([0.2, 0.3, 0.85, 0.897], [0.2, 0.3, 0.85, 0.897], 0.81),
}


def toy():
    """The table of the toy grid, in the form of record_curves.py."""
    return pd.DataFrame(
        {
            "train.l2": "abc".index(point),
            "seed": seed,
            "epoch": epoch,
            "val_accuracy": np.float32(score),
            "val_loss": 1.0,
            "status": "done",
            "test_accuracy": test,
        }
        for point, (first, second, test) in CURVES.items()
        for seed, curve in enumerate((first, second))
        for epoch, score in enumerate(curve, 1)
    )


@pytest.fixture
def replay(scripts):
    return scripts("replay")


@pytest.fixture
def grid(replay):
    return replay.Grid.of(toy())


def test_a_grid_is_read_from_its_table(replay, grid):
    assert grid.truth == pytest.approx([0.9, 0.848, 0.897])
    assert grid.trained[:, :, -1].tolist() == [[4, 4]] * 3
    assert grid.test[:, 0] == pytest.approx([0.8, 0.7, 0.81])
    rows = toy()
    with pytest.raises(SystemExit, match="every seed"):
        replay.Grid.of(rows[(rows["train.l2"] != 1) | (rows["seed"] != 1)])


def test_the_best_so_far_counts_and_what_diverged_does_not(replay):
    rows = toy()
    one = (rows["train.l2"] == 1) & (rows["seed"] == 1)
    rows.loc[one, "val_accuracy"] = [0.5, 0.4, 0.3, 0.2]
    other = (rows["train.l2"] == 0) & (rows["seed"] == 0)
    rows.loc[other, "status"] = "diverged"
    early = (rows["train.l2"] == 2) & (rows["seed"] == 0)
    rows = rows[~(other & (rows["epoch"] > 2)) & ~(early & (rows["epoch"] > 3))]
    grid = replay.Grid.of(rows)
    assert grid.scores[1, 1] == pytest.approx([0.5] * 4)
    assert grid.scores[0, 0, :1] == pytest.approx([0.1]) and np.isnan(grid.scores[0, 0, 1:]).all()
    assert grid.scores[2, 0] == pytest.approx([0.2, 0.3, 0.85, 0.85])
    assert grid.trained[0, 0].tolist() == [1, 2, 2, 2] and grid.trained[2, 0].tolist() == [1, 2, 3, 3]
    assert grid.truth == pytest.approx([0.9, (0.8 + 0.5) / 2, (0.85 + 0.897) / 2])


@pytest.mark.parametrize(
    ("method", "passes", "point"),
    [
        (("First", 3), 24, 0),
        (("Constant", 1, 1), 2 * (3 * 1 + 3), 1),
        (("Constant", 3, 1), 2 * (3 * 3 + 1), 2),
        (("Constant", 1, 3), 24, 0),
        (("Rungs", 1, 2), 2 * (1 + 2 + 4), 1),  # a leaves after one epoch, c after two
        (("Rungs", 2, 2), 2 * (2 + 4 + 4), 2),  # a leaves after two
    ],
)
def test_choices_and_passes_by_hand(replay, grid, method, passes, point):
    name, *settings = method
    for view in replay.views(grid, orders=5, seeds=2):
        assert getattr(replay, name)(*settings)(view) == (point, passes)


def test_random_search_takes_the_best_of_the_first(replay, grid):
    for view in replay.views(grid, orders=8, seeds=2):
        first = list(view.points[:2])
        assert replay.First(2)(view) == (max(first, key=lambda point: grid.truth[point]), 16)


def test_orders_are_common_and_show_repeats_of_the_point_itself(replay, grid):
    alone, both = list(replay.views(grid, 6, 1)), list(replay.views(grid, 6, 2))
    assert len({tuple(view.points) for view in both}) > 1
    seen = set()
    for one, two in zip(alone, both, strict=True):
        assert (one.points == two.points).all() and (one.scores[:, 0] == two.scores[:, 0]).all()
        assert (two.curves[:, -1] == grid.truth[two.points]).all()
        assert (2 * one.passes == two.passes).all()
        seen.add(one.curves[list(one.points).index(1), -1])
    assert len(seen) == 2  # either repeat of b


def test_who_is_unlikely_leaves(replay):
    """Nine points that stay at chance, and one that learns."""
    epochs = np.arange(1, 21)
    curves = np.array([np.full(20, 0.2)] * 9 + [0.9 - 0.5 / epochs])
    scores, trained = curves[:, None], np.tile(epochs, (10, 1, 1))
    grid = replay.Grid(pd.DataFrame({"point": range(10)}), scores, trained, scores[:, :, -1])
    (view,) = replay.views(grid, 1, 1)
    point, passes = replay.Unlikely(0.05)(view)
    assert point == 9 and 20 + 9 * 3 <= passes < 20 + 9 * 15
    plain, less = replay.Rungs(8, 2)(view), replay.Rungs(8, 2, level=0.05)(view)
    assert plain == (9, 5 * 8 + 5 * 20) and less == (9, 9 * 8 + 20)


def test_a_race_pays_for_the_seeds_it_asked_for(replay):
    ends = np.array([[0.9, 0.91, 0.9, 0.91], [0.5, 0.512, 0.49, 0.5], [0.89, 0.92, 0.9, 0.9]])
    scores = np.repeat(ends[:, :, None], 3, axis=2)
    trained = np.tile(np.arange(1, 4), (3, 4, 1))
    view = replay.View(np.array([2, 0, 1]), scores, trained, 0)
    assert replay.Racing(1, 0.05)(view) == (2, 3 * (4 + 2 + 4))


def test_more_seeds_of_the_best_points_choose_by_all_of_them(replay):
    first = np.array([[0.5, 0.9], [0.6, 0.8], [0.7, 0.7], [0.1, 0.99]])  # after epochs 1 and 2, of one seed
    other = np.array([[0.5, 0.6], [0.6, 0.8], [0.7, 0.95], [0.1, 0.99]])  # of the other
    scores = np.stack([first, other], axis=1)
    trained = np.tile(np.arange(1, 3), (4, 2, 1))
    view = replay.View(np.array([3, 1, 0, 2]), scores, trained, 0)
    # One epoch of all, three go on: the best two of these at the end are the first two.
    assert replay.Constant(1, 3)(replay.View(view.points, scores[:, :1], trained[:, :1], 0)) == (3, 3 * 2 + 1)
    assert replay.Reseeded(replay.Constant(1, 3), 2)(view) == (1, 3 * 2 + 1 + 2 * 2)
    assert replay.Reseeded(replay.First(4), 9)(view) == (2, 4 * 2 + 4 * 2)


def test_regret_and_the_baseline_by_hand(scripts, replay, grid):
    search = scripts("search")
    row = search.measure(grid, [replay.Found(0, 24), replay.Found(1, 12), replay.Found(2, 20), replay.Found(2, 20)])
    assert row["passes"]["median"] == 20 and row["share_of_grid"] == pytest.approx(20 / 24, abs=1e-4)
    assert row["within_half_a_point"] == 0.75
    assert row["regret"]["mean"] == pytest.approx((0 + 5.2 + 0.3 + 0.3) / 4, abs=1e-3)
    assert row["regret"]["worst"] == pytest.approx(5.2, abs=1e-3)
    assert row["test_regret"]["mean"] == pytest.approx((0 + 10 - 1 - 1) / 4)


def test_the_command_says_where_the_baseline_is_as_good(run, tmp_path):
    toy().to_parquet(tmp_path / "toy.parquet")
    document = run("search", f"--curves={tmp_path / 'toy.parquet'}", "--orders=6", "--seeds=2", folder=tmp_path)
    rows = {(row["method"], row["seeds"]): row for row in document["rows"]}
    grid = document["grid"]
    assert (grid["points"], grid["seeds"], grid["epochs"], grid["passes"]) == (3, 2, 4, 24)
    assert grid["best"] == {"train.l2": 0} and grid["points_within_half_a_point"] == 2
    halving = rows["halving 1 x 2", 2]
    assert halving["passes"]["median"] == 14 and halving["within_half_a_point"] == 0
    assert halving["baseline"] == {"method": "1 epoch, best 1", "seeds": 2, "passes": 12}
    assert halving["against_baseline"] == "equal"
    full = rows["full grid", 2]
    assert full["regret"]["worst"] == 0 and full["share_of_grid"] == 1
    summary = {own["family"]: own for own in document["families"]}
    assert summary["full grid"]["nine_tenths"]["passes"] == 24
    assert summary["i-Epoch"]["nine_tenths"]["passes"] <= 20


def test_curves_are_recorded_from_a_run(scripts, tmp_path):
    config = default_config()
    config.data.image_size = 16
    config.data.train_size, config.data.validation_size, config.data.test_size = 70, 35, 35
    config.model.pairs, config.model.kernels, config.model.dense = 1, (4,), (8,)
    config.train.batch_size, config.train.epochs = 16, 2
    config.sweep.grid.train.learning_rate = (1e-3, 1e-2)
    config.sweep.repeats = 2
    run_sweep(config, tmp_path / "run")
    found = fer_jax.load_run(tmp_path / "run")
    path = tmp_path / "curves.parquet"
    recorder = scripts("record_curves")
    recorder.main([str(tmp_path / "run"), f"--out={path}"])
    rows = pd.read_parquet(path)
    assert len(rows) == 2 * 2 * 2 and rows["val_accuracy"].dtype == np.float32
    for _, trial in found.trials.iterrows():
        same = (rows["train.learning_rate"] == trial["train.learning_rate"]) & (rows["seed"] == trial["seed"])
        own, curve = rows[same], found.curves[found.curves["id"] == trial["id"]]
        assert own["epoch"].tolist() == [1, 2] and (own["status"] == "done").all()
        assert own["val_loss"].to_numpy() == pytest.approx(curve["val_loss"].to_numpy(), abs=1e-5)
        assert own["val_accuracy"].max() == pytest.approx(trial["val_accuracy"], abs=1e-5)
        assert own["test_accuracy"].to_numpy() == pytest.approx(trial["test_accuracy"], abs=1e-5)
    grid = scripts("replay").Grid.of(rows)
    assert grid.scores.shape == (2, 2, 2)
    assert grid.truth == pytest.approx(found.trials.groupby("train.learning_rate")["val_accuracy"].mean(), abs=1e-5)
    found.trials.loc[0, "status"] = "pending"
    with pytest.raises(SystemExit, match="1 of 4 trials are pending"):
        recorder.table(found)
    rate = found.trials.loc[0, "train.learning_rate"]
    expected = rows[rows["train.learning_rate"] != rate].reset_index(drop=True)
    pd.testing.assert_frame_equal(recorder.table(found, finished=True), expected)


def test_runs_with_other_seeds_come_into_one_table(scripts):
    recorder, whole = scripts("record_curves"), toy()
    parts = [whole[whole["seed"] == seed] for seed in (0, 1)]
    found = recorder.together(parts)
    assert len(found) == len(whole) and set(found["seed"]) == {0, 1}
    with pytest.raises(SystemExit, match="a trial is in two of the runs"):
        recorder.together([whole, parts[1]])
    with pytest.raises(SystemExit, match="other fields"):
        recorder.together([whole, whole.rename(columns={"train.l2": "train.l1"})])
