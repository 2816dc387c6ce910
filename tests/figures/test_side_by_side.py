"""Several runs in one figure: bars, strokes and curves against their tables."""

import numpy as np
import pytest
from scipy import stats

from fer_jax.analysis.ranking import rank_points
from fer_jax.analysis.run_entry import Entry
from fer_jax.figures import side_by_side, style

RATES = {"train.learning_rate": (1e-4, 1e-3)}


@pytest.fixture
def entries(made):
    found = []
    for name, repeats, seed in (("three", 3, 0), ("one", 1, 1)):
        run = made(RATES, repeats=repeats, accidents=False, seed=seed)
        found.append(Entry(name, rank_points(run.record, run.trials, run.curves, name), run.record["config"]))
    return found


def test_bars_are_students_interval_and_strokes_the_seeds(entries):
    ax = side_by_side.best_points(entries).figure.axes[0]
    done = entries[0].done["val_accuracy"].to_numpy()
    low, high = stats.t.interval(0.95, len(done) - 1, done.mean(), stats.sem(done))
    (bar,) = [box.lines[2][0].get_segments()[0] for box in ax.containers if box.lines[0].get_ydata() == [-0.14]]
    np.testing.assert_allclose(bar[:, 0], [low, high])
    strokes = [line.get_xdata() for line in ax.lines if line.get_marker() == "|" and len(line.get_xdata()) == 3]
    assert any(np.array_equal(one, done) for one in strokes)
    # One seed has no interval.
    assert [len(box.lines[2]) for box in ax.containers if box.lines[0].get_ydata() == [0.86]] == [0]


def test_curves_are_means_over_the_best_points_repeats(entries):
    drawing = side_by_side.curves(entries)
    line = drawing.figure.axes[0].lines[0]
    ours = entries[0].ranking.curves
    wanted = ours[ours["id"].isin(entries[0].done["id"])].groupby("epoch")["val_accuracy"].mean()
    np.testing.assert_allclose(line.get_ydata(), wanted)
    assert [text.get_text() for text in drawing.figure.legends[0].get_texts()] == ["three", "one"]


def test_many_runs_with_hostile_names_can_be_drawn(entries):
    many = [Entry(rf"${number}\never" + "x" * 60, entries[0].ranking, {}) for number in range(20)]
    drawing = side_by_side.curves(many)
    assert f"The best {side_by_side.MOST_LINES} of 20 runs" in drawing.caption
    assert style.png(drawing.figure) and style.png(side_by_side.best_points(many).figure)
