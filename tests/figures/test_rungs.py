"""The curves of a search, read back from the matplotlib artists."""

import numpy as np
import pytest
from searched_runs import grid, halved

from fer_jax.analysis.ranking import rank_points
from fer_jax.figures import rungs
from fer_jax.search import history


def drawn(run, epochs=12):
    ranking = rank_points(run.record, run.trials, run.curves, "a run")
    found = history.of_ranking(ranking)
    scores = history.best_so_far(ranking, epochs)
    return rungs.draw(ranking, scores, found.halving.epochs, found.left), scores, found


@pytest.mark.parametrize("metric", ["val_accuracy", "val_loss"])
def test_every_point_ends_at_its_rung(metric):
    run = halved(grid(2), 1, 3)
    run.record["config"]["train.select"] = metric
    drawing, scores, found = drawn(run)
    ax = drawing.figure.axes[0]
    sign = 1 if metric == "val_accuracy" else -1
    dots = sorted((x, y) for line in ax.lines if line.get_marker() == "o" for x, y in line.get_xydata())
    gone = np.flatnonzero(found.left >= 0)
    ends = np.array(found.halving.epochs)[found.left[gone]]
    wanted = sorted(zip(ends, sign * scores[gone, ends - 1], strict=True))
    np.testing.assert_allclose(dots, wanted)
    lines = [path.vertices for group in ax.collections for path in group.get_paths()]
    assert sorted(len(line) for line in lines) == [1] * 10 + [3] * 3 + [12]  # the best is drawn in front
    (best,) = [line for line in ax.lines if len(line.get_xdata()) == 12]
    np.testing.assert_allclose(best.get_ydata(), sign * scores[int(np.nanargmax(scores[:, -1]))])
    words = [text.get_text() for legend in drawing.figure.legends for text in legend.get_texts()]
    assert words[:3] == ["left after 1 epoch: 10 points", "left after 3 epochs: 3 points", "not left: 1 other point"]
    assert words[3].startswith("best: learning rate ")


def test_without_curves_there_is_nothing_to_draw():
    run = halved(grid(), 1, 3)
    run.curves = run.curves.iloc[:0]
    assert drawn(run)[0] is None
