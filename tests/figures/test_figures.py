"""Which figures a sweep gets, and what they show: read back from the matplotlib artists."""

import io
import itertools

import numpy as np
import pytest
from matplotlib.image import AxesImage
from PIL import Image

from fer_jax.analysis.ranking import rank_points
from fer_jax.figures import curves, drawings, effects, parallel, scale, scatter, style, surfaces

TWO = {"train.learning_rate": (1e-4, 1e-3, 1e-2), "model.pool": ("max", "average")}


def gather(run):
    return rank_points(run.record, run.trials, run.curves, "a run")


def texts(ax):
    return [text.get_text() for text in ax.texts]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"repeats": 3}, "learning_curves"),
        ({"grid": {"train.l2": (0.0, 1e-4, 1e-2)}, "repeats": 3}, "learning_curves main_effects"),
        ({"grid": {"model.kernels": ((8,), (8, 16))}}, "learning_curves main_effects"),
        ({"grid": TWO}, "learning_curves surface_val_accuracy surface_val_loss main_effects"),
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


def test_scatter_shows_every_point_over_three_named_axes(oslo):
    drawing = scatter.scatter_3d(gather(oslo))
    spaces = [ax for ax in drawing.figure.axes if ax.name == "3d"]
    assert [ax.get_title(loc="left") for ax in spaces] == ["Validation accuracy", "Validation loss (nats)"]
    for ax in spaces:
        names = ax.get_xlabel(), ax.get_ylabel(), ax.get_zlabel()
        assert names == ("learning rate η", "L2 penalty λ", "batch size (images)")
        assert sum(len(cloud._offsets3d[0]) for cloud in ax.collections) == 125 + 1  # and the ring
        assert [tick.get_text() for tick in ax.get_zticklabels()] == ["8", "16", "32", "64", "128"]
    assert "Published, other data" in drawing.caption


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


def test_a_figure_is_a_print_quality_png(made):
    drawing = effects.main_effects(gather(made(TWO)))
    png = style.png(drawing.figure)
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG" and image.width == style.WIDTH * 200
        assert image.info["dpi"][0] == pytest.approx(200, abs=0.1)
        assert len(image.resize((200, 80)).getcolors(20000) or []) > 20
    assert style.png(drawing.figure) == png


def test_many_points_and_nothing_but_nan_can_be_drawn(made):
    run = made({"train.l2": tuple(np.logspace(-6, 0, 60)), "train.learning_rate": (1e-3, 1e-2)}, accidents=False)
    assert len(drawings.of_sweep(gather(run))) == 2
    run = made(TWO, accidents=False)
    run.curves[["train_loss", "val_loss"]] = np.nan
    run.trials[["val_loss", "train_loss"]] = np.nan
    assert {d.name for d in drawings.of_sweep(gather(run))} == {
        "learning_curves",
        "surface_val_accuracy",
        "main_effects",
    }


def test_every_point_is_a_line_through_its_values_to_its_mean(oslo):
    found = gather(oslo)
    drawing = parallel.draw(found)
    lines = [line.get_ydata() for line in drawing.figure.axes[0].lines]
    assert len(lines) == len(found.ranked) and all(len(line) == 4 for line in lines)
    best = lines[-1]
    colours = scale.over_points(found, "val_accuracy")
    assert best[-1] == pytest.approx(float(colours.norm(found.ranked["val_accuracy_mean"].iloc[0])))
    levels = found.axes["train.learning_rate"].levels
    place = levels.index(found.ranked["train.learning_rate"].iloc[0]) / (len(levels) - 1)
    assert min(abs(best[:3] - place)) < 0.05
    assert "the best 5 are bold" in drawing.caption
