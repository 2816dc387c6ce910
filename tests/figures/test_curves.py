"""Learning curves, read back from the matplotlib artists."""

import numpy as np

from fer_jax.analysis.ranking import rank_points
from fer_jax.figures import curves

TWO = {"train.learning_rate": (1e-4, 1e-3, 1e-2), "model.pool": ("max", "average")}


def gather(run):
    return rank_points(run.record, run.trials, run.curves, "a run")


def test_bands_are_one_sd_over_the_repeats(made):
    found = gather(made({}, repeats=4))
    ax = curves.learning_curves(found).figure.axes[0]
    grid = found.curves.pivot(index="id", columns="epoch", values="val_accuracy")
    (band,) = (c for c in ax.collections if hasattr(c, "get_facecolor") and len(c.get_facecolor()))
    path = band.get_paths()[0].vertices
    for epoch in grid:
        ends = path[path[:, 0] == epoch, 1]
        wanted = grid[epoch].mean() + np.array([-1, 1]) * grid[epoch].std(ddof=1)
        np.testing.assert_allclose([ends.min(), ends.max()], wanted, rtol=1e-6)


def test_exploded_losses_do_not_flatten_the_curves(made):
    run = made(TWO, accidents=False)
    run.curves.loc[run.curves["id"] == run.trials["id"].iloc[-1], "val_loss"] = [10.0**k for k in range(12)]
    drawing = curves.learning_curves(gather(run))
    assert drawing.figure.axes[1].get_ylim()[1] < 3 and "are cut off" in drawing.caption
