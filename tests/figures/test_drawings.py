"""Which figures a sweep gets."""

import itertools

import numpy as np
import pytest

from fer_jax.analysis.ranking import rank_points
from fer_jax.figures import drawings

TWO = {"train.learning_rate": (1e-4, 1e-3, 1e-2), "model.pool": ("max", "average")}


def gather(run):
    return rank_points(run.record, run.trials, run.curves, "a run")


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"repeats": 3}, "learning_curves"),
        ({"grid": {"train.l2": (0.0, 1e-4, 1e-2)}, "repeats": 3}, "learning_curves main_effects"),
        ({"grid": {"model.kernels": ((8,), (8, 16))}}, "learning_curves main_effects"),
        ({"grid": TWO}, "learning_curves surface_val_accuracy surface_val_loss main_effects tuning_curve"),
        ({"grid": TWO, "done": 0}, ""),
        ({"grid": TWO, "done": 0.01}, "learning_curves surface_val_accuracy surface_val_loss"),
        (
            {"points": [{"train.l2": a, "train.learning_rate": b, "model.dropout": c} for a, b, c in (
                (1e-4, 1e-3, 0.4), (1e-4, 1e-2, 0.4), (1e-2, 1e-3, 0.4), (1e-4, 1e-3, 0.0))]},
            "learning_curves main_effects parallel",
        ),
    ],
)  # fmt: skip
def test_a_sweep_gets_the_figures_that_suit_it(made, options, names):
    assert [drawing.name for drawing in drawings.of_sweep(gather(made(**options)))] == names.split()


def test_oslos_grid_gets_all(oslo):
    found = gather(oslo)
    drawn = drawings.of_sweep(found)
    assert [d.name for d in drawn] == [
        "learning_curves", "surface_val_accuracy", "surface_val_loss", "scatter_3d", "main_effects", "parallel",
        "tuning_curve",
    ]  # fmt: skip
    for drawing in drawn:
        for ax in (ax for ax in drawing.figure.axes if ax.get_visible() and ax.get_label() != "<colorbar>"):
            outer = ax.get_subplotspec() is None or ax.get_subplotspec().is_last_row()
            assert not outer or ax.get_xlabel() or ax.get_ylabel(), drawing.name
    for drawing in drawn:
        assert_nothing_overlaps(drawing)


def assert_nothing_overlaps(drawing):
    """The texts of a figure's ticks, axis names and titles do not cover each other."""
    drawing.figure.canvas.draw()
    boxes = []
    for ax in drawing.figure.axes:
        if not ax.get_visible() or ax.name == "3d":
            continue
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
            shown = [text for tick in ticks for text in (tick.label1, tick.label2)]
            boxes += [t.get_window_extent() for t in (*shown, axis.label) if t.get_visible() and t.get_text()]
    boxes = [box for box in boxes if box.width > 1 and box.height > 1]
    for one, other in itertools.combinations(boxes, 2):
        shared = min(one.x1, other.x1) - max(one.x0, other.x0), min(one.y1, other.y1) - max(one.y0, other.y0)
        assert not (shared[0] > 2 and shared[1] > 2), f"{drawing.name}: {one} and {other}"


def test_many_points_and_nothing_but_nan_can_be_drawn(made):
    run = made({"train.l2": tuple(np.logspace(-6, 0, 60)), "train.learning_rate": (1e-3, 1e-2)}, accidents=False)
    assert len(drawings.of_sweep(gather(run))) == 3
    run = made(TWO, accidents=False)
    run.curves[["train_loss", "val_loss"]] = np.nan
    run.trials[["val_loss", "train_loss"]] = np.nan
    assert {d.name for d in drawings.of_sweep(gather(run))} == {
        "learning_curves",
        "surface_val_accuracy",
        "main_effects",
        "tuning_curve",
    }
