"""Heat maps, read back from the matplotlib artists."""

import itertools

import numpy as np
from matplotlib.image import AxesImage

from fer_jax.analysis.ranking import rank_points
from fer_jax.figures import surfaces

TWO = {"train.learning_rate": (1e-4, 1e-3, 1e-2), "model.pool": ("max", "average")}


def gather(run):
    return rank_points(run.record, run.trials, run.curves, "a run")


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_heat_maps_are_a_panel_a_batch_size_with_the_best_cell_framed(oslo):
    found = gather(oslo)
    drawing = surfaces.heat_maps(found, "val_accuracy")
    panels = [ax for ax in drawing.figure.axes if any(isinstance(child, AxesImage) for child in ax.get_children())]
    assert [ax.get_title(loc="left") for ax in panels] == [f"batch size {b}" for b in (8, 16, 32, 64, 128)]
    assert len({image.norm.vmin for ax in panels for image in ax.images}) == 1
    shown = np.stack([ax.images[0].get_array().filled(np.nan) for ax in panels])
    table = found.points.set_index(found.swept)["val_accuracy_mean"]
    for batch, l2, rate in itertools.product(range(5), repeat=3):
        wanted = table[(8 * 2**batch, float(f"1e{rate - 5}"), float(f"1e{l2 - 5}"))]
        np.testing.assert_equal(shown[batch, l2, rate], wanted)
    frames = [(ax, patch) for ax in panels for patch in ax.patches if not patch.get_fill()]
    assert len(frames) == 1
    ax, frame = frames[0]
    place = round(frame.get_y() + 0.5), round(frame.get_x() + 0.5)
    assert ax.images[0].get_array()[place] == np.nanmax(shown)
    assert sum("NaN" in texts(ax) or "failed" in texts(ax) for ax in panels) > 0
    assert "majority share is 0.250" in drawing.caption


def test_cells_with_repeats_show_their_spread(made):
    found = gather(made(TWO, repeats=3, accidents=False))
    row = found.points.iloc[0]
    cell = f"{row['val_accuracy_mean']:.3f}\n±{row['val_accuracy_sd']:.3f}".replace("0.", ".")
    assert cell in texts(surfaces.heat_maps(found, "val_accuracy").figure.axes[0])
