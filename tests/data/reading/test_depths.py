"""What is taken as white in images of more than 8 bits a pixel."""

import numpy as np
import pytest
from PIL import Image

from fer_jax.data.reading import depths
from fer_jax.data.reading.depths import Depth
from fer_jax.data.reading.problems import Unusable


def whole(*tops: float) -> list[Depth]:
    return [Depth("whole", top) for top in tops]


def floating(*tops: float) -> list[Depth]:
    return [Depth("floating-point", top) for top in tops]


@pytest.mark.parametrize(
    ("held", "wanted"),
    [
        (whole(65535, 30000, 9000), [65535] * 3),
        (whole(255, 240, 251), [255] * 3),
        (whole(4000, 3900, 1700, 200), [4095] * 4),  # dark, in a set of 12 bits
        (whole(65535, 50000, 60000, 255, 251), [65535] * 3 + [255] * 2),  # would be black throughout
        (whole(65535, 4080), [65535, 4095]),  # of several kinds
        (whole(65535, 65535, 65535, 4080), [65535] * 4),
        (floating(1.0, 0.3), [1, 1]),
        (floating(1.0004, 0.9), [1, 1]),  # a little beyond, as resizing leaves it
        (floating(254.9, 90.0, 0.0), [255, 255, 1]),
        (floating(0.8) + whole(255, 200), [1, 255, 255]),
        ([], []),
    ],
)
def test_white_is_judged_over_all_images(held: list[Depth], wanted: list[int]) -> None:
    assert depths.whites(held) == wanted


def test_pixels_become_shares_of_white() -> None:
    pixels = np.array([[0, 16, 2047], [2048, 4095, 5000]], np.uint16)
    found = np.asarray(depths.narrow(Image.fromarray(pixels), 4095))
    assert found.tolist() == [[0, 1, 127], [128, 255, 255]] and found.dtype == np.uint8
    every = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    assert np.array_equal(np.asarray(depths.narrow(Image.fromarray(every), 65535)), np.rint(every / 257))
    shares = Image.fromarray(np.array([[0, 0.5, 1.0]], np.float32))
    assert np.asarray(depths.narrow(shares, 1)).tolist() == [[0, 128, 255]]


def test_an_image_of_8_bits_has_no_depth() -> None:
    assert depths.of(Image.new("L", (2, 2))) is None and depths.of(Image.new("RGB", (2, 2))) is None
    assert depths.of(Image.new("I", (2, 2), 900)) == Depth("whole", 900)


@pytest.mark.parametrize("values", [[-1.0, 1.0], [0.0, np.nan], [0.0, np.inf], [0.0, 1e6]])
def test_numbers_without_a_known_white_are_refused(values: list[float]) -> None:
    with pytest.raises(Unusable, match="floating-point pixels, from .* where 0 to 65535 is known"):
        depths.of(Image.fromarray(np.array([values], np.float32)))


def test_a_line_says_what_was_taken() -> None:
    held = whole(4080, 4000, 200) + floating(0.98)
    noted = depths.as_json(held, depths.whites(held))
    assert depths.describe(noted) == [
        "1 picture of floating-point pixels, from 0 to 0.98: 1 is taken as white",
        "3 pictures of more than 8 bits a pixel, from 0 to 4,080: 4,095 is taken as white",
    ]
    assert not depths.describe(depths.as_json(whole(60000, 9000), [65535, 65535]))
