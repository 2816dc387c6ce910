"""Views of pictures whose pixels say where they come from."""

import numpy as np
import pytest

from fer_jax.errors import RunError
from fer_jax.models import test_time


def numbered(side, n=2):
    """Images whose pixel at (row, column) is 16 * row + column; the second is brighter by one."""
    rows, columns = np.mgrid[:side, :side]
    return np.stack([16 * rows + columns + number for number in range(n)]).astype(np.uint8)[..., None]


def test_flip_is_the_picture_and_its_mirror_image():
    images = numbered(6)
    plain, mirrored = test_time.views("flip", images, 6, 1)
    np.testing.assert_array_equal(plain, images)
    np.testing.assert_array_equal(mirrored[:, 2, :, 0], images[:, 2, ::-1, 0])


def test_ten_crops_are_corners_and_centre_and_their_mirror_images():
    images = numbered(10)
    found = list(test_time.views("ten_crop", images, 8, 1))
    assert len(found) == 10 and all(view.shape == (2, 8, 8, 1) for view in found)
    firsts = [int(view[0, 0, 0, 0]) for view in found[::2]]
    assert firsts == [0, 2, 16 * 2, 16 * 2 + 2, 16 + 1]
    assert found[-2][1, 0, 0, 0] == 16 + 1 + 1
    for plain, mirrored in zip(found[::2], found[1::2], strict=True):
        np.testing.assert_array_equal(mirrored, np.flip(plain, axis=2))


def test_pictures_of_the_networks_size_are_enlarged_by_an_eighth_of_the_result():
    assert [test_time.enlarged(size) for size in (224, 48, 24, 2)] == [256, 55, 27, 3]
    rows = np.repeat(np.linspace(0, 255, 48)[:, None], 48, axis=1)
    top, *_, centre, _ = list(test_time.views("ten_crop", rows, 48, 1))
    # A gradient stays one, 48 of 55 pixels of it: off the border, where the filter is cut off.
    slope = 255 / 47 * 48 / 55
    np.testing.assert_allclose(np.diff(centre[0, 3:-3, 20, 0]), slope, rtol=0.03)
    assert top[0, :, :, 0].mean() < centre[0, :, :, 0].mean() == pytest.approx(127.5, abs=slope)
    np.testing.assert_array_equal(
        next(test_time.views("ten_crop", np.full((3, 8, 8), 77), 8, 3)), np.full((3, 8, 8, 3), 77.0)
    )


def test_grey_serves_colour_and_one_picture_serves_alone():
    assert [view.shape for view in test_time.views("flip", numbered(6)[0], 6, 3)] == [(1, 6, 6, 3)] * 2
    assert next(test_time.views("ten_crop", numbered(9)[0, ..., 0], 8, 1)).shape == (1, 8, 8, 1)


@pytest.mark.parametrize(
    "name, images, words",
    [
        ("five_crop", numbered(8), "tta = 'five_crop': must be 'flip' or 'ten_crop', or left out"),
        ("flip", numbered(9), "shape .n, 8, 8, 1.*; these have shape"),
        ("ten_crop", numbered(7), "shape .n, 8, 8, 1.*; these have shape"),
        ("ten_crop", np.zeros((2, 9, 8)), "these have shape"),
        ("ten_crop", 3, "these have shape"),
    ],
)
def test_what_has_no_views_is_one_line(name, images, words):
    with pytest.raises(RunError, match=words) as caught:
        test_time.views(name, images, 8, 1)
    assert "\n" not in str(caught.value)
