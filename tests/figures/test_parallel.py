"""Parallel coordinates, read back from the matplotlib artists."""

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
