"""What each field does, read back from the matplotlib artists."""

import numpy as np

from fer_jax.analysis.ranking import rank_points
from fer_jax.figures import effects, parallel, scale, style

TWO = {"train.learning_rate": (1e-4, 1e-3, 1e-2), "model.pool": ("max", "average")}


def gather(run):
    return rank_points(run.record, run.trials, run.curves, "a run")


def test_one_field_is_drawn_with_error_bars_on_a_log_axis(made):
    found = gather(made({"train.learning_rate": (1e-4, 1e-3, 1e-2)}, repeats=3, accidents=False))
    ax = effects.main_effects(found).figure.axes[0]
    assert ax.get_xlabel() == "learning rate η"
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["10⁻⁴", "10⁻³", "10⁻²"]
    line, _, bars = ax.containers[0].lines
    np.testing.assert_allclose(line.get_ydata(), found.points["val_accuracy_mean"])
    lengths = [segment[1, 1] - segment[0, 1] for segment in bars[0].get_segments()]
    np.testing.assert_allclose(lengths, 2 * found.points["val_accuracy_sd"])


def test_means_over_the_other_fields(made):
    found = gather(made(TWO, accidents=False))
    lines = {line.get_color(): line for line in effects.main_effects(found).figure.axes[0].lines}
    groups = found.points.groupby("train.learning_rate")["val_accuracy_mean"]
    np.testing.assert_allclose(lines[style.BLUE].get_ydata(), groups.mean())
    np.testing.assert_allclose(lines[style.VERMILLION].get_ydata(), groups.max())


def test_of_points_that_are_all_alike_none_is_called_the_best(made):
    run = made({**TWO, "train.l2": (1e-3, 1e-2)}, accidents=False)
    assert "is best" in effects.main_effects(gather(run)).finding
    run.trials["val_accuracy"] = 1 / 6
    found, count = gather(run), len(run.trials)
    said = f"All {count} points have mean validation accuracy 0.167."
    assert effects.main_effects(found).finding == parallel.draw(found).finding == said
    assert scale.over_points(found, "val_accuracy").finding(found) == said


def test_a_field_that_makes_no_difference_has_no_best_value(made):
    run = made(TWO, accidents=False)
    run.trials["val_accuracy"] = run.trials["train.learning_rate"].map({1e-4: 0.25, 1e-3: 0.75, 1e-2: 0.5})
    finding = effects.main_effects(gather(run)).finding
    assert "pool: makes no difference (0.500)" in finding and "learning rate: 1e-3 (0.750) is best" in finding
