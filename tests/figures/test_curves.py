"""Learning curves, read back from the matplotlib artists."""

import numpy as np
import pytest

from fer_jax.analysis.ranking import rank_points
from fer_jax.analysis.run_entry import Entry
from fer_jax.figures import curves, phases, side_by_side

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


def with_rates(run, rates):
    """The run with a learning rate for each epoch, the same in all trials."""
    run.curves["learning_rate"] = np.float32(rates)[run.curves["epoch"] - 1]
    return run


def test_a_learning_rate_that_changes_has_a_panel_with_a_line_a_trial(made):
    rates = 1e-2 * 0.5 ** np.arange(12)
    run = with_rates(made({"train.l2": (0.0, 1e-3)}, repeats=2), rates)
    drawing = curves.learning_curves(gather(run))
    ax = drawing.figure.axes[2]
    drawn = [line.get_ydata() for line in ax.lines]
    assert len(drawn) == 4 and ax.get_yscale() == "log" and ax.get_ylabel() == "learning rate"
    np.testing.assert_allclose(drawn, [rates] * 4, rtol=1e-6)
    assert "Learning rate: of each trial" in drawing.caption


@pytest.mark.parametrize("rates", [[1e-3] * 12, [np.nan] * 3 + [1e-3] * 9, [np.nan] * 12])
def test_a_constant_or_unknown_rate_has_none(made, rates):
    drawing = curves.learning_curves(gather(with_rates(made({}, repeats=2), rates)))
    assert len(drawing.figure.axes) == 2 and "earning rate" not in drawing.caption


def lines_of_phases(ax):
    words = {text.get_text(): text.xy[0] for text in ax.texts if text.get_text().startswith("phase")}
    assert {line.get_xdata()[0] for line in ax.lines if np.ptp(line.get_xdata()) == 0} >= set(words.values())
    return words


def test_phases_are_marked_where_they_begin(made):
    run = made({}, repeats=2)
    run.record["config"]["phases.lengths"] = [4, 5, 3]
    wanted = {"phase 2": 4.5, "phase 3": 9.5}
    found = gather(run)
    assert [lines_of_phases(ax) for ax in curves.learning_curves(found).figure.axes] == [wanted] * 2
    both = [Entry("one", found, {}), Entry("two", found, {})]
    assert [lines_of_phases(ax) for ax in side_by_side.curves(both).figure.axes] == [wanted] * 2
    other = [both[0], Entry("two", gather(made({}, repeats=2)), {})]
    assert [lines_of_phases(ax) for ax in side_by_side.curves(other).figure.axes] == [{}] * 2


def test_phases_of_swept_lengths_are_those_of_the_points_in_colour(made):
    found = gather(made(points=[{"phases.lengths": text} for text in ("(4, 8)", "(6, 6)")]))
    assert phases.ends(found) == () and phases.ends(found, [0]) == (4,) and phases.ends(found, [1]) == (6,)
