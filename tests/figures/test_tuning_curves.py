"""Tuning curves, read back from the matplotlib artists."""

import numpy as np
import pytest
from searched_runs import grid, halved

from fer_jax.analysis import tuning_curve
from fer_jax.analysis.ranking import rank_points
from fer_jax.figures import tuning_curves


def gather(run):
    return rank_points(run.record, run.trials, run.curves, "a run")


@pytest.mark.parametrize("metric", ["val_accuracy", "val_loss"])
def test_lines_and_bands_are_the_numbers(metric):
    ranking = gather(grid(train__select=metric))
    table = tuning_curve.of_ranking(ranking).table
    ax = tuning_curves.draw(ranking).figure.axes[0]
    median, expected = ax.lines
    np.testing.assert_allclose(median.get_ydata(), table["median"])
    np.testing.assert_allclose(expected.get_ydata(), table["expected"])
    closed, rest = (group.get_paths()[0].vertices for group in ax.collections)
    bounded = table[table["bounded"]]
    assert closed[:, 0].max() == bounded["points"].max() + 1 == rest[:, 0].min()
    column = "high95" if metric == "val_accuracy" else "low95"
    at_last = closed[closed[:, 0] == closed[:, 0].max(), 1]
    assert bounded[column].iloc[-1] in at_last
    low, high = ax.get_ylim()
    assert rest[:, 1].max() == high if metric == "val_accuracy" else rest[:, 1].min() == low


def test_exploded_losses_are_cut_off():
    run = grid(train__select="val_loss")
    run.trials.loc[0, "val_loss"] = 1e6
    drawing = tuning_curves.draw(gather(run))
    assert drawing.figure.axes[0].get_ylim()[1] < 10 and "are cut off" in drawing.caption


def test_a_search_whose_points_left_has_none():
    assert tuning_curves.draw(gather(halved(grid(), 1, 3))) is None
