"""Parallel coordinates, read back from the matplotlib artists."""

import numpy as np
import pytest

from fer_jax.analysis.ranking import rank_points
from fer_jax.figures import parallel, scale


def gather(run):
    return rank_points(run.record, run.trials, run.curves, "a run")


def test_every_point_is_a_line_through_its_values_to_its_mean(oslo):
    found = gather(oslo)
    drawing = parallel.draw(found)
    lines = [path[:, 1] for drawn in drawing.figure.axes[0].collections[:2] for path in drawn.get_segments()]
    assert len(lines) == len(found.ranked) and all(len(line) == 4 for line in lines)
    best = lines[-1]
    colours = scale.over_points(found, "val_accuracy")
    assert best[-1] == pytest.approx(float(colours.norm(found.ranked["val_accuracy_mean"].iloc[0])))
    levels = found.axes["train.learning_rate"].levels
    place = levels.index(found.ranked["train.learning_rate"].iloc[0]) / (len(levels) - 1)
    assert min(abs(best[:3] - place)) < 0.05
    assert "the best 5 are bold" in drawing.caption and drawing.finding.startswith("The best 5 points have ")


def test_of_many_points_the_best_and_a_share_of_the_others_are_drawn(made):
    rates = [float(f"{10**power:.4g}") for power in np.linspace(-5, -2, 100)]
    grid = {"train.batch_size": [8, 32, 128], "train.learning_rate": rates, "train.l2": [1e-5, 1e-3]}
    found = gather(made(grid, accidents=False))
    drawing = parallel.draw(found)
    ends = [path[-1, 1] for drawn in drawing.figure.axes[0].collections[:2] for path in drawn.get_segments()][::-1]
    values = scale.over_points(found, "val_accuracy").norm(found.ranked["val_accuracy_mean"].to_numpy())
    assert len(found.ranked) == 600 and len(ends) == 500
    assert sorted(ends[:5]) == pytest.approx(sorted(values[:5])) and min(ends) == pytest.approx(values.min())
    assert ends == pytest.approx(sorted(ends, reverse=True))
    assert "the best 100 of 600 points and 400 of the others, evenly by rank" in drawing.caption
