"""Built-in faces on an empty page, found where they were put."""

import sys

import numpy as np
import pytest
from PIL import Image

from fer_jax.data import faces
from fer_jax.errors import DataError
from fer_jax.prediction.face_finder import face_finder


@pytest.fixture(scope="module")
def page():
    """Grey, 1,600 x 900, with a face of 160 pixels and a larger one of 320."""
    drawn = faces.draw("train", 26, size=160)[0][:, :, :, 0]
    paper = Image.new("L", (1600, 900), 90)
    paper.paste(Image.fromarray(drawn[25]), (200, 120))
    paper.paste(Image.fromarray(drawn[7]).resize((320, 320)), (900, 400))
    return paper


def test_faces_are_found_largest_first_in_pixels_of_the_whole_picture(page):
    cv2 = pytest.importorskip("cv2")
    cv2.setNumThreads(1)
    found = face_finder()(page.convert("RGB"))
    assert len(found) == 2
    for (left, top, right, bottom), (x, y, side) in zip(found, ((900, 400, 320), (200, 120, 160)), strict=True):
        assert np.hypot((left + right) / 2 - x - side / 2, (top + bottom) / 2 - y - side / 2) < side / 5
        assert 0.5 * side < right - left < 1.3 * side and abs((right - left) - (bottom - top)) <= 2


def test_an_empty_page_has_no_faces():
    pytest.importorskip("cv2")
    assert face_finder()(Image.new("RGB", (300, 200), "white")) == []
    assert face_finder()(Image.new("L", (3000, 1))) == []


def test_without_opencv_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(DataError, match=r"^finding faces needs OpenCV: pip install 'fer_jax\[faces\]'$"):
        face_finder()


def test_an_opencv_without_the_model_is_named(monkeypatch):
    cv2 = pytest.importorskip("cv2")
    monkeypatch.delattr(cv2, "CascadeClassifier")
    with pytest.raises(DataError, match=r"^OpenCV \S+ comes without haarcascade_frontalface_default.xml: pip install"):
        face_finder()
