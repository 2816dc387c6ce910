"""A figure as a file."""

import io

import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from PIL import Image

from fer_jax.analysis.ranking import rank_points
from fer_jax.figures import drawings, effects, style

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


def test_a_picture_for_a_page_is_a_smaller_webp_without_the_foot(made):
    drawing = effects.main_effects(gather(made(TWO)))
    found = style.pictures(drawing.figure, "Faces, one seed. " * 20)
    with Image.open(io.BytesIO(found.png)) as alone, Image.open(io.BytesIO(found.webp)) as shown:
        assert shown.format == "WEBP" and shown.width == alone.width and shown.height < alone.height
        assert alone.crop((0, shown.height, *alone.size)).getextrema()[0][0] < 128
    assert len(found.webp) < len(found.png) / 2
    assert style.pictures(drawing.figure, "Faces, one seed. " * 20) == found


def test_lines_and_texts_have_contrast_on_white(oslo):
    assert style.contrast("#ffffff", "#000000") == pytest.approx(21)
    assert all(style.contrast(colour) >= 3 for colour in (*style.CYCLE, style.GREY))
    assert all(style.contrast(colour) >= 4.5 for colour in (style.INK, style.MUTED))
    for drawing in drawings.of_sweep(gather(oslo)):
        for ax in drawing.figure.axes:
            drawn = [line.get_color() for line in ax.lines]
            drawn += [colour for one in ax.collections if type(one) is LineCollection for colour in one.get_colors()]
            for colour in {to_hex(one) for one in drawn} - {"#ffffff"}:  # white parts the cells of a heat map
                assert style.contrast(colour) >= 3, (drawing.name, colour)


def test_control_characters_are_drawn_as_escapes():
    made = style.figure(3)
    ax = made.subplots()
    style.ticks(ax.xaxis, [0, 1], ["esc\x1b[31m", "two\nlines"])
    style.title(ax, "a\x07b")
    drawing = style.Drawing("one", "One", "One", "", made)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["esc\\x1b[31m", "two\nlines"]
    assert ax.get_title(loc="left") == "a\\x07b"
    assert style.png(drawing.figure)
