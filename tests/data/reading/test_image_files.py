"""Decoding and fitting images of any kind."""

import io
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, features

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


def png(width: int, height: int, bits: int, colours: int, pixels: bytes) -> bytes:
    """A PNG by its header and compressed pixels, whether they fit each other or not."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(10_000, 10_000), (8_001, 8_000), (60_000, 60_000)])
def test_the_size_is_checked_before_decoding(width: int, height: int) -> None:
    with pytest.raises(Unusable, match="megapixels"):
        image_files.decode(png(width, height, 8, 0, zlib.compress(b"")))


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


def test_one_face_in_every_coding_is_the_same_picture(make) -> None:
    grey = Image.fromarray(make.pixels(make.jpeg(4)))
    pixels = np.asarray(grey).astype(np.uint16)
    assert pixels.max() > 230  # as in any picture with something bright in it
    rgb = grey.convert("RGB")
    files = {
        "16 bits": encoded(Image.fromarray(pixels * 257)),
        "8 of 16 bits": encoded(Image.fromarray(pixels)),
        "12 of 16 bits": encoded(Image.fromarray(pixels * 16), "TIFF"),
        "32 bits": encoded(Image.fromarray(pixels.astype(np.int32)), "TIFF"),
        "floating point to 1": encoded(Image.fromarray((pixels / 255).astype(np.float32)), "TIFF"),
        "floating point to 255": encoded(Image.fromarray(pixels.astype(np.float32)), "TIFF"),
        "LAB": encoded(rgb.convert("LAB"), "TIFF"),
        "JPEG 2000": encoded(rgb, "JPEG2000"),
        "WebP": encoded(rgb, "WEBP", lossless=True),
        "CMYK": encoded(rgb.convert("CMYK"), "JPEG", quality=97),
    }
    for coding, data in files.items():
        found = fit(data, 48, 1)[..., 0].astype(float)
        assert np.abs(found - pixels).max() <= 4, coding


def test_avif_is_read_where_pillow_has_it(make) -> None:
    if not features.check("avif"):
        pytest.skip("Pillow has no AVIF")
    grey = make.pixels(make.jpeg(4))
    data = encoded(Image.fromarray(grey).convert("RGB"), "AVIF", quality=95)
    assert np.abs(fit(data, 48, 1)[..., 0].astype(float) - grey).mean() < 3


HEIC = b"\0\0\0\x18ftypheic" + b"\0" * 64  # by its first bytes


def test_heic_without_its_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(Unusable, match=r"^is HEIC: the package pillow_heif .* pip install 'fer_jax\[heic\]'$"):
        image_files.decode(HEIC)


def test_heic_is_read_by_its_package(make) -> None:
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    grey = make.pixels(make.jpeg(4))
    assert (
        np.abs(fit(encoded(Image.fromarray(grey), "HEIF", quality=95), 48, 1)[..., 0].astype(float) - grey).mean() < 3
    )
    with pytest.raises(Unusable, match="no picture of a known format"):
        image_files.decode(HEIC)


def test_a_header_that_says_what_is_white_is_believed() -> None:
    dark = np.array([[0, 100], [200, 300]], ">u2")
    found = fit(b"P5\n2 2\n4095\n" + dark.tobytes(), 2, 1)[..., 0]
    assert found.tolist() == np.rint(dark / 4095 * 255).tolist()


def test_wide_colours_that_would_be_black_are_refused() -> None:
    def colours(value: int) -> bytes:
        rows = b"".join(b"\0" + struct.pack(">6H", *[value] * 6) for _ in range(2))
        return png(2, 2, 16, 2, zlib.compress(rows))

    with pytest.raises(Unusable, match="colours of 16 bits that use the lower 12 only"):
        image_files.decode(colours(4000))
    assert fit(colours(0xC8FF), 2, 1).ravel().tolist() == [0xC8] * 4


def test_wide_pixels_can_be_had_as_they_are() -> None:
    wide = np.array([[0, 300], [200, 4000]], np.uint16)
    found = image_files.decode(encoded(Image.fromarray(wide)), wide=True)
    assert np.array_equal(np.asarray(found), wide)


def test_only_an_image_that_is_not_square_has_a_thumb() -> None:
    assert image_files.thumb(Image.new("L", (9, 9))) is None
    halves = np.repeat([[10, 200]], 60, axis=0).repeat((20, 20), axis=1).astype(np.uint8)
    thumb = image_files.thumb(Image.fromarray(halves))
    assert thumb.shape == (image_files.WHOLE_SIDE,) * 2 and thumb.dtype == np.uint8
    assert (thumb[:, :12] == 10).all() and (thumb[:, -12:] == 200).all()


def test_wide_pixels_beyond_16_bits_are_refused() -> None:
    with pytest.raises(Unusable, match="32 bits"):
        image_files.decode(encoded(Image.new("I", (4, 4), 70_000), "TIFF"))
