"""From the bytes of an image file to uint8 pixels of the size and colour asked for.

An image is decoded once to upright 8-bit grey or RGB (`decode`): 16 bits a channel are scaled to
8, EXIF orientation is applied, transparency is laid over white, palettes, CMYK and the like become
RGB, of several frames the first counts. `fit` then makes it grey (ITU-R 601: .299 R + .587 G + .114
B) or RGB (grey is copied), cuts the largest centred square out of it, so that faces keep their
proportions, and resizes that with Pillow's Lanczos filter, whose support widens when shrinking. An
image that has the colour and size asked for is passed on byte for byte.
"""

from __future__ import annotations

import hashlib
import io
import warnings
import zlib

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from fer_jax.data.reading.problems import Unusable

SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm")
)
MAX_PIXELS = 64_000_000  # width times height; decoded, that is up to 256 MB
MAX_BYTES = 64 * 2**20  # of one encoded image

# Formats with a decoder in Pillow itself: nothing here starts another program.
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
_ORIENTATION = 0x0112


def decode(data: bytes) -> Image.Image:
    """Returns the image in a file.

    Args:
        data: the whole file.

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
            return _decode(data)
    except (Unusable, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise Unusable(f"has more than {MAX_PIXELS // 10**6} megapixels") from error
    except UnidentifiedImageError as error:
        raise Unusable("is no picture of a known format") from error
    except Exception as error:  # whatever a broken file makes a parser run into: struct.error, IndexError, ...
        raise Unusable(_first_line(error)) from error


def _decode(data: bytes) -> Image.Image:
    image: Image.Image = Image.open(io.BytesIO(data), formats=_FORMATS)
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise Unusable(f"has {width} x {height} pixels; at most {MAX_PIXELS // 10**6} megapixels are read")
    image.load()
    if _orientation(image) != 1:
        image = ImageOps.exif_transpose(image)
    return _to_8_bits(image)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # broken metadata says nothing about the pixels, which are fine
        return 1


def _to_8_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey; some formats give 32-bit integers instead
        wide = np.asarray(image)
        if wide.min() < 0 or wide.max() > 65535:
            raise Unusable("has 32 bits a pixel; save it with 8 or 16")
        return Image.fromarray(((wide.astype(np.uint32) + 128) // 257).astype(np.uint8))
    if image.mode == "F":
        raise Unusable("has floating-point pixels of unknown range; save it with 8 or 16 bits")
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
