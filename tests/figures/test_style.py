"""A figure as a file."""

import io

import pytest
from PIL import Image

from fer_jax.analysis.ranking import rank_points
from fer_jax.figures import effects, style

TWO = {"train.learning_rate": (1e-4, 1e-3, 1e-2), "model.pool": ("max", "average")}


def gather(run):
    return rank_points(run.record, run.trials, run.curves, "a run")


def test_a_figure_is_a_print_quality_png(made):
    drawing = effects.main_effects(gather(made(TWO)))
    png = style.png(drawing.figure)
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG" and image.width == style.WIDTH * 200
        assert image.info["dpi"][0] == pytest.approx(200, abs=0.1)
        assert len(image.resize((200, 80)).getcolors(20000) or []) > 20
    assert style.png(drawing.figure) == png
