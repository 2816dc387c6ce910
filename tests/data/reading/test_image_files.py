"""Decoding and fitting images of any kind."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from fer_jax.data.reading import image_files
from fer_jax.data.reading.problems import Unusable


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def fit(data: bytes, size: int, channels: int) -> np.ndarray:
    return image_files.fit(image_files.decode(data), size, channels)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def test_a_grey_image_of_the_size_wanted_is_passed_on_byte_for_byte(make) -> None:
    data = make.jpeg(3)
    assert np.array_equal(fit(data, 48, 1)[..., 0], make.pixels(data))
    assert np.array_equal(fit(data, 48, 3), np.repeat(fit(data, 48, 1), 3, axis=2))


def test_colour_becomes_grey_by_itu_r_601() -> None:
    rgb = noise(9, 9, 3)
    wanted = rgb.astype(float) @ [0.299, 0.587, 0.114]
    assert np.abs(fit(encoded(Image.fromarray(rgb)), 9, 1)[..., 0] - wanted).max() <= 1
    assert np.array_equal(fit(encoded(Image.fromarray(rgb)), 9, 3), rgb)


def test_sixteen_bits_are_scaled_to_eight() -> None:
    wide = np.array([[0, 257, 32896], [65535, 128, 129], [40000, 1, 65000]], np.uint16)
    for form in ("PNG", "TIFF"):
        assert np.array_equal(fit(encoded(Image.fromarray(wide), form), 3, 1)[..., 0], np.round(wide / 257))


def test_transparency_lies_over_white() -> None:
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[:, 4:, 3] = 255
    found = fit(encoded(Image.fromarray(rgba)), 8, 1)[..., 0]
    assert (found[:, :4] == 255).all() and (found[:, 4:] == 0).all()
    grey_alpha = Image.fromarray(rgba).convert("LA")
    assert np.array_equal(fit(encoded(grey_alpha), 8, 1)[..., 0], found)
    assert image_files.decode(encoded(grey_alpha)).mode == "L"


@pytest.mark.parametrize("mode", ["P", "1", "CMYK", "YCbCr"])
def test_other_modes_are_converted(mode: str) -> None:
    rgb = Image.new("RGB", (10, 10), (255, 0, 0))
    rgb.paste((255, 255, 255), (0, 0, 5, 10))
    form = {"P": "PNG", "1": "PNG", "CMYK": "JPEG", "YCbCr": "JPEG"}[mode]
    found = fit(encoded(rgb.convert(mode), form), 10, 3)
    assert found.shape == (10, 10, 3) and found.dtype == np.uint8
    assert found[:, :3].min() > 240


def test_a_palette_with_a_transparent_colour() -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([10, 20, 30, 200, 0, 0])
    image.putpixel((0, 0), 0)
    found = fit(encoded(image, transparency=0), 4, 3)
    assert found[0, 0].tolist() == [255, 255, 255] and found[1, 1].tolist() == [200, 0, 0]


def test_exif_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    image = Image.fromarray(noise(16, 16))
    found = fit(encoded(image, "PNG", exif=exif), 16, 1)[..., 0]
    assert np.array_equal(found, np.rot90(np.asarray(image), -1))


def test_the_centred_square_is_kept() -> None:
    wide = np.zeros((10, 30), np.uint8)
    wide[:, 10:20] = 200
    for array in (wide, wide.T):
        assert (fit(encoded(Image.fromarray(array)), 10, 1) == 200).all()


def test_shrinking_does_not_alias() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (96, 48))
    found = fit(encoded(Image.fromarray(stripes)), 24, 1)
    assert np.abs(found.astype(int)[2:-2, 2:-2] - 127).max() <= 2


def test_digest_depends_on_pixels_only(make) -> None:
    image = image_files.decode(make.jpeg(1))
    for form in ("PNG", "BMP", "TIFF"):
        assert image_files.digest(image_files.decode(encoded(image, form))) == image_files.digest(image)
    assert image_files.digest(image_files.decode(make.jpeg(2))) != image_files.digest(image)
    assert image_files.digest(Image.new("L", (2, 8))) != image_files.digest(Image.new("L", (4, 4)))


def test_rows_of_grey_survive_encoding() -> None:
    image = image_files.from_grey(noise(48, 48).tobytes(), 48, 48)
    assert np.array_equal(np.asarray(image_files.decode(image_files.encode(image))), noise(48, 48))


def huge_png(width: int, height: int) -> bytes:
    """A PNG whose header claims a size; there are no pixels behind it."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(10_000, 10_000), (8_001, 8_000), (60_000, 60_000)])
def test_the_size_is_checked_before_decoding(width: int, height: int) -> None:
    with pytest.raises(Unusable, match="megapixels"):
        image_files.decode(huge_png(width, height))


def test_files_above_the_byte_limit_are_refused(monkeypatch: pytest.MonkeyPatch, make) -> None:
    monkeypatch.setattr(image_files, "MAX_BYTES", 100)
    with pytest.raises(Unusable, match="larger than"):
        image_files.decode(make.jpeg(0))


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\xff\xd8\xff", b"not a picture", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_what_is_no_image_says_so(data: bytes) -> None:
    with pytest.raises(Unusable) as caught:
        image_files.decode(data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM"])
def test_damaged_files_never_raise_anything_else(form: str, make) -> None:
    whole = encoded(Image.open(io.BytesIO(make.jpeg(5))), form)
    rng = np.random.default_rng(0)
    for _ in range(60):
        broken = bytearray(whole)
        for at in rng.integers(0, len(broken), 3):
            broken[at] = rng.integers(256)
        for data in (bytes(broken), bytes(broken[: rng.integers(1, len(broken))])):
            try:
                assert image_files.decode(data).mode in ("L", "RGB")
            except Unusable as error:
                assert "\n" not in str(error) and str(error)


def test_cut_off_files_are_unusable(make) -> None:
    with pytest.raises(Unusable):
        image_files.decode(make.jpeg(0)[:-300])


def test_floating_point_and_wide_pixels_are_refused() -> None:
    with pytest.raises(Unusable, match="floating-point"):
        image_files.decode(encoded(Image.new("F", (4, 4)), "TIFF"))
    with pytest.raises(Unusable, match="32 bits"):
        image_files.decode(encoded(Image.new("I", (4, 4), 70_000), "TIFF"))
