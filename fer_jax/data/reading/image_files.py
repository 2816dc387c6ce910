"""From the bytes of an image file to uint8 pixels of the size and colour asked for.

An image is decoded once to upright 8-bit grey or RGB (`decode`): EXIF orientation is applied,
transparency is laid over white, palettes, CMYK and the like become RGB, of several frames the first
counts. Wider pixels are scaled to 8 bits by what is white in them (`depths`). `fit` then makes it
grey (ITU-R 601: .299 R + .587 G + .114 B) or RGB (grey is copied), cuts the largest centred square
out of it, so that faces keep their proportions, and resizes that with Pillow's Lanczos filter,
whose support widens when shrinking. An image that has the colour and size asked for is passed on
byte for byte.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import io
import warnings
import zlib

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from fer_jax.base.optional import need
from fer_jax.data.reading import depths
from fer_jax.data.reading.problems import Unusable
from fer_jax.errors import FerJaxError

SUFFIXES = frozenset((
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm",
    ".avif", ".jp2", ".j2k", ".heic", ".heif", ".hif",
))  # fmt: skip
MAX_PIXELS = 64_000_000  # width times height; decoded, that is up to 256 MB
MAX_BYTES = 64 * 2**20  # of one encoded image
WHOLE_SIDE = 32  # of `thumb`, pixels

# Formats with a decoder in Pillow itself: nothing here starts another program.
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000")
_HEIF = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))  # after 'ftyp'
_ORIENTATION = 0x0112


def decode(data: bytes, wide: bool = False) -> Image.Image:
    """Returns the image in a file.

    Args:
        data: the whole file.
        wide: whether an image of more than 8 bits a pixel is returned as it is, for `depths` to
            judge. If not, what is white in it follows from this image alone.

    Returns:
        An upright image of mode L or RGB, in its own size.

    Raises:
        Unusable: it is no image, damaged, of a kind that has no sensible 8-bit form, or above
            MAX_BYTES or MAX_PIXELS; the latter is read from the header, before any pixel is
            decoded.
    """
    if not data:
        raise Unusable("is empty")
    if len(data) > MAX_BYTES:
        raise Unusable(f"is larger than {MAX_BYTES // 2**20} MiB")
    try:
        with warnings.catch_warnings():
            # Our limit replaces Pillow's; its other remarks (odd EXIF, truncated profiles) are not
            # for a user.
            warnings.simplefilter("ignore")
            return _decode(data, wide)
    except (Unusable, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise Unusable(f"has more than {MAX_PIXELS // 10**6} megapixels") from error
    except UnidentifiedImageError as error:
        raise Unusable("is no picture of a known format") from error
    except Exception as error:  # whatever a broken file makes a parser run into: struct.error, IndexError, ...
        raise Unusable(_first_line(error)) from error


def _decode(data: bytes, wide: bool) -> Image.Image:
    image, form = _open(data)
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise Unusable(f"has {width} x {height} pixels; at most {MAX_PIXELS // 10**6} megapixels are read")
    # Pillow takes the upper 8 of 16 bits a colour; its tiles say so until they are loaded.
    halved = form in ("PNG", "TIFF") and image.mode != "L" and any(";16" in str(tile) for tile in image.tile)  # type: ignore[attr-defined]
    image.load()
    if _orientation(image) != 1:
        image = ImageOps.exif_transpose(image)
    if depth := depths.of(image):
        if form == "PPM" and image.mode == "I":  # its header says what is white: Pillow has scaled it to 16 bits
            return depths.narrow(image, 65535)
        return image if wide else depths.narrow(image, depth.white)
    if halved and np.asarray(image.convert("RGB")).max() < 16:
        raise Unusable("has colours of 16 bits that use the lower 12 only, and would be black; save it with 8 bits")
    return _to_8_bits(image)


def _open(data: bytes) -> tuple[Image.Image, str | None]:
    """Returns the image in a file, not decoded yet, and Pillow's name of its format."""
    try:
        image: Image.Image = Image.open(io.BytesIO(data), formats=_formats())
    except UnidentifiedImageError:
        if data[4:8] != b"ftyp" or data[8:12] not in _HEIF:
            raise
        try:
            need("pillow_heif", "heic").register_heif_opener()
        except FerJaxError as error:
            raise Unusable(f"is HEIC: {error}") from None
        image = Image.open(io.BytesIO(data), formats=("HEIF",))
    return image, image.format


@functools.cache
def _formats() -> tuple[str, ...]:
    """Returns the formats that are read. Pillow before 11.3 has no AVIF."""
    return (*_FORMATS, "AVIF") if importlib.util.find_spec("PIL.AvifImagePlugin") else _FORMATS


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # broken metadata says nothing about the pixels, which are fine
        return 1


def _to_8_bits(image: Image.Image) -> Image.Image:
    mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    if image.mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in image.info:
        clear = image.convert("RGBA")
        paper = Image.new("RGBA", clear.size, "white")
        return Image.alpha_composite(paper, clear).convert(mode)
    return image.convert(mode)


def fit(image: Image.Image, image_size: int, channels: int) -> np.ndarray:
    """Returns the image as the networks see it.

    Args:
        image: a result of `decode`.
        image_size: height and width of the result, pixels.
        channels: 1 (grey) or 3 (RGB).

    Returns:
        uint8, shape (image_size, image_size, channels).
    """
    image = image.convert("L" if channels == 1 else "RGB")
    width, height = image.size
    if (width, height) != (image_size, image_size):
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        box = (left, top, left + side, top + side)
        image = image.resize((image_size, image_size), Image.Resampling.LANCZOS, box)
    return np.asarray(image).reshape(image_size, image_size, channels)


def thumb(image: Image.Image) -> np.ndarray | None:
    """Returns the whole of an image that is not square, squeezed into `WHOLE_SIDE` pixels a side.

    What `fit` cuts off is in it, so that a copy that was stretched can be found.

    Args:
        image: a result of `decode`.

    Returns:
        uint8, shape (WHOLE_SIDE, WHOLE_SIDE), grey; None for a square image.
    """
    if image.width == image.height:
        return None
    return np.asarray(image.convert("L").resize((WHOLE_SIDE, WHOLE_SIDE), Image.Resampling.BILINEAR))


def digest(image: Image.Image) -> str:
    """Returns a SHA-256 (hex) of a decoded image's mode, size and pixels. It is the same for every
    file that decodes to them.
    """
    head = f"{image.mode} {image.width} {image.height}\n".encode()
    return hashlib.sha256(head + image.tobytes()).hexdigest()


def from_grey(pixels: bytes, width: int, height: int) -> Image.Image:
    """Returns 8-bit grey pixels, given row by row, as `decode` would return them."""
    return Image.frombytes("L", (width, height), pixels)


def encode(image: Image.Image) -> bytes:
    """Returns a lossless PNG; `decode` gives the same image back."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _first_line(error: Exception) -> str:
    if isinstance(error, (zlib.error, EOFError)):
        return "is damaged or cut off"
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__
