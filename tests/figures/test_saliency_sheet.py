"""The sheet of maps: its colours pixel by pixel, and that averaged maps show no face."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from fer_jax.figures import samples, style
from fer_jax.figures.saliency_sheet import CAP, FADED, Seen, saliency_sheet, sheet_by_class

BLUE, VERMILLION, EMPTY = (np.array(to_rgb(colour)) for colour in (style.BLUE, style.VERMILLION, style.EMPTY))


def tiles(drawing):
    """Row -> (columns, S, S, 3) of what is drawn."""
    shown = [ax for ax in drawing.figure.axes if ax.images]
    rows = {}
    for ax in shown:
        rows.setdefault(ax.get_subplotspec().rowspan.start, []).append(np.asarray(ax.images[0].get_array()))
    return [np.stack(row) for row in rows.values()]


def texts(drawing):
    return [text.get_text() for text in drawing.figure.legends[0].get_texts()]


def test_colours_over_a_picture_are_mixed_by_the_size_of_the_map():
    image = np.array([[[0, 255], [102, 51]]], np.uint8)
    values = np.array([[[4.0, -2.0], [0.0, 8.0]]])
    drawing = saliency_sheet(image, {"occlusion": values}, ["happy"])
    picture, (found,) = tiles(drawing)
    np.testing.assert_allclose(picture[0, ..., 0], image[0] / 255)
    limit = np.percentile(np.abs(values), CAP)
    ground = 1 - FADED * (1 - image[0] / 255)
    for place, colour in {(0, 0): VERMILLION, (0, 1): BLUE, (1, 0): BLUE, (1, 1): VERMILLION}.items():
        share = min(abs(values[0][place]) / limit, 1)
        np.testing.assert_allclose(found[place], ground[place] * (1 - share) + colour * share)
    assert texts(drawing) == ["for the class", "against it"]
    assert drawing.caption.startswith(
        "Vermillion: what raises the class's logit, blue: what lowers it. Full colour at the 99th percentile, "
    )


def test_class_means_are_drawn_alone_on_white():
    values = np.zeros((2, 8, 8))
    values[0, 2, 3] = 1
    values[1] = np.nan
    drawing = saliency_sheet(None, {"gradient": values}, ["angry", "disgust\nno picture"], caption="Class means.")
    ((angry, disgust),) = tiles(drawing)
    np.testing.assert_allclose(angry[2, 3], VERMILLION)
    rest = np.ones((8, 8), bool)
    rest[2, 3] = False
    assert (angry[rest] == 1).all() and (disgust == EMPTY).all()
    assert texts(drawing) == ["more"]
    assert drawing.caption == (
        "Class means. Vermillion: what decides the class's logit. Full colour at the 99th percentile, "
        "each map has its own scale."
    )


def test_a_row_without_a_sign_beside_one_with_is_explained():
    drawing = saliency_sheet(None, {"gradient": np.ones((1, 2, 2)), "occlusion": -np.ones((1, 2, 2))}, ["a"])
    assert texts(drawing) == ["for the class; in maps without a sign: more", "against it"]
    assert "; in maps without a sign vermillion is what decides it either way. Full" in drawing.caption


def test_one_scale_shows_which_map_is_the_stronger():
    values = np.ones((2, 4, 4)) * np.array([1.0, 4.0])[:, None, None]
    own, shared = (tiles(saliency_sheet(None, {"x": values}, ["a", "b"], one_scale=flag))[0] for flag in (False, True))
    np.testing.assert_allclose(own[0], own[1])
    np.testing.assert_allclose(shared[1, 0, 0], VERMILLION)
    np.testing.assert_allclose(shared[0, 0, 0], 0.75 + 0.25 * VERMILLION)


def test_colours_of_a_picture_give_way_to_those_of_the_map():
    image = np.zeros((1, 2, 2, 3), np.uint8)
    image[..., 0] = 255
    picture, (found,) = tiles(saliency_sheet(image, {"x": np.zeros((1, 2, 2))}, ["a"]))
    np.testing.assert_allclose(picture[0], 0.299)
    np.testing.assert_allclose(found, 1 - FADED * (1 - 0.299))


def test_the_same_sheet_is_the_same_picture():
    values = np.random.default_rng(0).normal(size=(3, 6, 6))
    first, second = (style.png(saliency_sheet(None, {"a": values, "b": -values}, list("xyz")).figure) for _ in range(2))
    assert first == second and first.startswith(b"\x89PNG")


def test_averages_stand_alone_below_pictures():
    values = np.zeros((1, 4, 4))
    values[0, 1, 2] = 1
    drawing = saliency_sheet(
        np.full((1, 4, 4), 50, np.uint8), {"gradient": values, "class mean": values}, ["a"], alone=["class mean"]
    )
    _, (over,), (alone,) = tiles(drawing)
    np.testing.assert_allclose(over[0, 0], 1 - FADED * (1 - 50 / 255))
    np.testing.assert_allclose(alone[0, 0], 1)
    np.testing.assert_allclose(alone[1, 2], VERMILLION)


@pytest.mark.parametrize(
    "images, maps, titles, message",
    [
        (None, {}, ["a"], "at least one row of maps, not 1 and 0"),
        (None, {"x": np.zeros((13, 2, 2))}, list("abcdefghijklm"), "1 to 12 columns"),
        (None, {"x": np.zeros((2, 2, 2))}, ["a"], "maps 'x' must have shape [(]1, S, S[)], not [(]2, 2, 2[)]"),
        (
            np.zeros((1, 3, 3)),
            {"x": np.zeros((1, 2, 2))},
            ["a"],
            "images [(]1, 3, 3[)] are not those of the maps 'x' [(]1, 2, 2[)]",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(images, maps, titles, message):
    with pytest.raises(ValueError, match=message):
        saliency_sheet(images, maps, titles)


def test_what_the_maps_are_worth_stands_above_them_and_in_the_caption():
    maps = {"gradient": np.ones((2, 8, 8))}
    warning = "this network is dead: it answers “happy” to every validation picture"
    drawing = saliency_sheet(None, maps, ["happy", "sad"], caption="Means.", warning=warning)
    sentence = "This network is dead: it answers “happy” to every validation picture."
    assert drawing.figure.get_suptitle() == sentence and drawing.caption.startswith(f"Means. {sentence} Vermillion")
    assert saliency_sheet(None, maps, ["happy", "sad"]).figure.get_suptitle() == ""
    many = saliency_sheet(None, maps, ["happy", "sad"], warning=warning * 4).figure
    assert many.get_suptitle().count("\n") == 2 and many.get_figheight() > drawing.figure.get_figheight()


def test_a_sheet_by_class_has_each_picture_beside_its_map_under_what_was_answered():
    images = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.full((1, 4, 4, 1), 80, np.uint8)
    maps = np.zeros((3, 4, 4))
    maps[:, 0, 0], maps[2, 3, 3] = 1, -1
    seen = [Seen("happy", "true happy", True), Seen("happy", "true sad", False), Seen("sad", "true sad", True)]
    drawing = sheet_by_class(images, {"gradient": maps}, seen, caption="Three.")
    (ax,) = drawing.figure.axes
    drawn = [np.asarray(one.get_array()) for one in ax.images]
    assert len(drawn) == 6
    for place, (picture, map_of_it) in enumerate(zip(drawn[::2], drawn[1::2], strict=True)):
        np.testing.assert_allclose(picture[..., 0], 80 * place / 255)
        np.testing.assert_allclose(map_of_it[0, 0], VERMILLION)
        np.testing.assert_allclose(map_of_it[3, 3], BLUE if place == 2 else 1 - FADED * (1 - 80 * place / 255))
    # Beside each other, and a line a class.
    lefts = np.array([one.get_extent()[0] for one in ax.images])
    tops = np.array([one.get_extent()[3] for one in ax.images])
    assert (np.diff(lefts[:4]) > 0.9).all() and lefts[4] == lefts[0] and len(set(tops)) == 2
    assert [text.get_text() for text in ax.texts if text.get_rotation()] == ["happy", "sad"]
    assert [text.get_color() for text in ax.texts if text.get_text() == "true sad"] == [style.WINE, style.INK]
    assert drawing.caption.startswith("Three. Vermillion: what raises the class's logit, blue: what lowers it.")


def test_samples_show_their_pixels_below_the_name_of_their_class():
    rng = np.random.default_rng(0)
    images = {name: rng.integers(0, 256, (n, 6, 6, 3), np.uint8) for name, n in (("angry", 5), ("sad", 2), ("fear", 5))}
    (ax,) = samples.draw(images).figure.axes
    assert [text.get_text() for text in ax.texts if text.get_text()] == ["angry", "sad", "fear"]
    drawn = [np.asarray(one.get_array()) for one in ax.images]
    np.testing.assert_allclose(np.stack(drawn) * 255, np.concatenate(list(images.values())))
