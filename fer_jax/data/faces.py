"""Built-in data: faces drawn from ellipses and strokes, with the seven expressions of FER-2013 in its proportions.

Nobody's photograph is needed to run, test or demonstrate the program. A face has an identity (proportions, skin, hair), an expression
(brows, eyes, mouth, as table `EXPRESSIONS` says, with a strength and jitter), a pose (roll, yaw, pitch, distance), light and
sensor noise, all drawn at random; the answer is in the shape of a few small features, not at any fixed pixel.

Every random number is a hash of (seed, split, picture, purpose), so that picture i is the same however many are drawn, and only
+, -, *, / and square roots touch the pixels, so that they are the same bytes on every machine.
"""

from __future__ import annotations

import dataclasses

import numpy as np

CLASSES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
# FER-2013's 35,887 pictures, per class.
FREQUENCIES = (4953, 547, 5121, 8989, 6198, 6077, 4002)

# What each expression does to a resting face. Units: a half picture is 1, y points down.
#   brow: height of the brows above rest;  slope: inner ends down (+) or up (-);  eye: opening, 1 at rest;
#   curve: corners of the mouth up (+) or down (-);  open: half height of the mouth;  width: half width of the mouth;
#   teeth: how much of the teeth shows, 0 to 1;  wrinkle: nose wrinkled and cheeks raised, 0 to 1.
EXPRESSIONS = {
    #            brow  slope   eye  curve   open  width teeth wrinkle
    "angry":    (-.05,  .11,  .70,  -.06,  .015,  .20,   .0,   .3),
    "disgust":  (-.03,  .05,  .45,  -.10,  .060,  .19,   .7,   1.),
    "fear":     ( .06, -.06, 1.60,  -.04,  .065,  .27,   .5,   .0),
    "happy":    ( .01,  .00,  .65,   .15,  .060,  .31,   1.,   .2),
    "neutral":  ( .00,  .00, 1.00,   .00,  .012,  .23,   .0,   .0),
    "sad":      ( .02, -.11,  .70,  -.12,  .012,  .21,   .0,   .0),
    "surprise": ( .11,  .01, 1.70,   .00,  .160,  .16,   .0,   .0),
}  # fmt: skip
_REST = EXPRESSIONS["neutral"]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_CHUNK_PIXELS = 1 << 17  # pictures are drawn in groups of about this many pixels: the work fits the processor's cache
_SPLITS = {"train": 1, "validation": 2, "test": 3}


def draw(
    split: str, count: int, seed: int = 0, size: int = 24, channels: int = 1, classes: tuple[str, ...] = CLASSES,
    label_noise: float = 0.02,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Draws one split of built-in faces.

    Args:
      split: train, validation or test; each has its own people.
      count: number of pictures, at least 1. Picture i does not depend on it.
      seed: any integer; other seeds, other people.
      size: height and width in pixels, 8 to 512. A picture shows the same face at every size.
      channels: 1 for grey, 3 for red, green and blue.
      classes: which of `CLASSES`, in the order their labels get.
      label_noise: share of labels replaced by another class, chosen evenly, in [0, 1).

    Returns:
      Pictures, uint8 (count, size, size, channels), and labels, int32 (count,). Class frequencies follow FER-2013's, restricted to `classes`; within
      any stretch of pictures they are off by a few at most.
    """
    keys = _keys(split, count, seed)
    shares = np.array([FREQUENCIES[CLASSES.index(name)] for name in classes], dtype=np.float64)
    # A golden-ratio sequence instead of a coin: every prefix has nearly the right proportions, so no rare class is ever missing.
    start = float(_Draws(_keys(split, 1, seed ^ 0x5EED)).uniform(0, 1)[0])
    steps = np.arange(count, dtype=np.float64) * 0.6180339887498949 + start
    truth = np.searchsorted(np.cumsum(shares) / shares.sum(), steps - np.floor(steps), side="right")
    truth = np.minimum(truth, len(classes) - 1)

    expressions = np.array([EXPRESSIONS[name] for name in classes], dtype=np.float32)
    images = np.empty((count, size, size, channels), np.uint8)
    group = max(1, _CHUNK_PIXELS // (size * size))
    for first in range(0, count, group):
        part = slice(first, first + group)
        images[part] = _render(_Draws(keys[part]), expressions[truth[part]], size, channels)

    draws = _Draws(keys ^ _GOLDEN)
    wrong = draws.uniform(0, 1) < label_noise
    other = (draws.uniform(0, 1) * (len(classes) - 1)).astype(np.int64) + 1 if len(classes) > 1 else 0
    return images, np.where(wrong, (truth + other) % len(classes), truth).astype(np.int32)


def _mix(words: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser: a bijection of uint64 whose output bits look independent (Steele, Lea and Flood 2014)."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def _keys(split: str, count: int, seed: int) -> np.ndarray:
    """One uint64 a picture, from which all its random numbers follow; shape (count,)."""
    root = _mix(np.array([seed & 0xFFFFFFFFFFFFFFFF], np.uint64)) ^ _mix(np.array([_SPLITS[split]], np.uint64))
    return _mix(root + np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN)


class _Draws:
    """Random numbers of a group of pictures, each call for another purpose; values have shape (n,), float32."""

    def __init__(self, keys: np.ndarray):
        self.keys = keys
        self._purpose = 0

    def _next(self) -> np.ndarray:
        self._purpose += 1
        return _mix(self.keys + np.uint64(self._purpose) * np.uint64(0xD1342543DE82EF95))

    def uniform(self, low: float, high: float) -> np.ndarray:
        unit = (self._next() >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)
        return np.float32(low) + np.float32(high - low) * unit

    def bell(self, width: float) -> np.ndarray:
        """Around 0, at most `width` away, triangular: small values more often than large ones."""
        return self.uniform(-width / 2, width / 2) + self.uniform(-width / 2, width / 2)

    def noise(self, pixels: int) -> np.ndarray:
        """Close to normal with mean 0 and sd 1, shape (n, pixels): the sum of four 16-bit numbers."""
        words = self._next()[:, None] + np.arange(1, pixels + 1, dtype=np.uint64) * _GOLDEN
        quarters = _mix(words).view(np.uint16).reshape(len(self.keys), pixels, 4)
        total = quarters[..., 0].astype(np.float32)
        for i in (1, 2, 3):
            total += quarters[..., i]
        return (total - np.float32(131070)) * np.float32(1 / 37837.0)


@dataclasses.dataclass
class _Canvas:
    """A group of pictures being painted.

    Attributes:
      x, y: coordinates of pixel centres, float32 (n, size, size), turned with the head: -1 to 1 spans an upright picture.
      pixel: width of a pixel in those coordinates, float32 (n, 1, 1).
      image: brightness 0 to 1, float32 (n, size, size, channels).
    """

    x: np.ndarray
    y: np.ndarray
    pixel: np.ndarray
    image: np.ndarray

    def cover(self, inside: np.ndarray) -> np.ndarray:
        """Share of a pixel covered by a shape, from the signed distance (positive inside) of its centre to the edge."""
        return np.clip(inside / self.pixel + np.float32(0.5), 0, 1)

    def ellipse(self, x: np.ndarray, y: np.ndarray, width: np.ndarray, height: np.ndarray) -> np.ndarray:
        """Coverage of the ellipse with the given half axes around the origin of the coordinates x, y."""
        u, v = x / width, y / height
        return self.cover((1 - np.sqrt(u * u + v * v)) * np.minimum(width, height))

    def stroke(self, distance: np.ndarray, half_width: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Coverage of a line by distance to its middle, cut off where `inside` turns negative."""
        thin = np.minimum(1, 2 * half_width / self.pixel)
        return self.cover(half_width - np.abs(distance)) * self.cover(inside) * thin

    def paint(self, cover: np.ndarray, shade: np.ndarray, opacity: float | np.ndarray = 1.0) -> None:
        """Lays a shade, float32 (n, channels), over the covered share of every pixel."""
        cover = (cover * opacity)[..., None]
        self.image += cover * (shade[:, None, None, :] - self.image)


def _column(values: np.ndarray) -> np.ndarray:
    return values[:, None, None]


def _tint(draws: _Draws, brightness: np.ndarray, red: float, blue: float, channels: int) -> np.ndarray:
    """A paint of the given brightness, float32 (n, channels); its grey value (ITU-R 601) is the brightness itself."""
    warmth = draws.uniform(0.5, 1.2)
    if channels == 1:
        return brightness[:, None]
    r, b = 1 + red * warmth, 1 + blue * warmth
    g = (1 - np.float32(0.299) * r - np.float32(0.114) * b) / np.float32(0.587)
    return np.stack([brightness * r, brightness * g, brightness * b], axis=1)


def _muscles(draws: _Draws, expressions: np.ndarray) -> list[np.ndarray]:
    """The expression each face wears: its class's, at a strength of its own, with jitter; each (n, 1, 1)."""
    strength = draws.uniform(STRENGTH[0], 1.15)
    # Jitter a muscle, in the units of EXPRESSIONS.
    jitter = (0.02, 0.03, 0.2, 0.03, 0.006, 0.02, 0.1, 0.1)
    values = []
    for i, (rest, width) in enumerate(zip(_REST, jitter, strict=True)):
        rest = np.float32(rest)
        values.append(_column(rest + strength * (expressions[:, i] - rest) + draws.bell(width * JITTER)))
    return values


def _render(draws: _Draws, expressions: np.ndarray, size: int, channels: int) -> np.ndarray:
    """Pictures of n faces wearing `expressions`, float32 (n, 8); uint8 (n, size, size, channels)."""
    n = len(expressions)
    # Distance and place, then roll: the tangent of half the angle gives sine and cosine without trigonometry.
    zoom = _column(1 + draws.bell(ZOOM))
    half = _column(draws.bell(ROLL))
    cosine, sine = (1 - half * half) / (1 + half * half), 2 * half / (1 + half * half)
    grid = ((np.arange(size, dtype=np.float32) + np.float32(0.5)) * np.float32(2 / size) - 1)
    x0 = (grid[None, None, :] - _column(draws.bell(SHIFT))) / zoom
    y0 = (grid[None, :, None] - _column(draws.bell(SHIFT))) / zoom
    x, y = cosine * x0 + sine * y0, cosine * y0 - sine * x0

    back = _tint(draws, draws.uniform(0.05, 0.95), 0.1, 0.1, channels)
    image = np.empty((n, size, size, channels), np.float32)
    image[:] = back[:, None, None, :]
    canvas = _Canvas(x, y, np.float32(2 / size) / zoom, image)
    _draw_head(canvas, draws, expressions, channels)
    _expose(canvas, draws, grid, channels)
    return (np.clip(image, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def _draw_head(canvas: _Canvas, draws: _Draws, expressions: np.ndarray, channels: int) -> None:
    """Neck, hair, head, then features at the place where the turned head shows them."""
    x, y = canvas.x, canvas.y
    skin_grey = draws.uniform(0.42, 0.85)
    skin = _tint(draws, skin_grey, 0.2, -0.25, channels)
    hair = _tint(draws, skin_grey * draws.uniform(0.15, 0.95), 0.15, -0.2, channels)
    dark = _tint(draws, skin_grey * draws.uniform(0.2, 0.45), 0.15, -0.1, channels)
    width, height = _column(draws.uniform(0.58, 0.70)), _column(draws.uniform(0.78, 0.90))
    yaw, pitch = _column(draws.bell(YAW)), _column(draws.bell(PITCH))

    canvas.paint(canvas.cover(width * np.float32(0.6) - np.abs(x)) * canvas.cover(y - np.float32(0.4)), skin * np.float32(0.7))
    long = _column(draws.uniform(-0.5, 0.5))
    canvas.paint(canvas.ellipse(x, y + np.float32(0.12), width * np.float32(1.14), height * np.float32(1.06))
                 * canvas.cover(long - y), hair)  # fmt: skip
    head = canvas.ellipse(x, y, width, height)
    canvas.paint(head, skin)
    fringe = _column(draws.uniform(-0.72, -0.45)) + _column(draws.bell(0.3)) * x
    canvas.paint(head * canvas.cover(fringe - y), hair)

    # A turned head moves its features sideways and narrows the side that turns away.
    u = x - yaw * np.float32(0.5)
    u = u * (1 + yaw * u)
    v = y - pitch * np.float32(0.4)
    brow, slope, eye, curve, opening, mouth, teeth, wrinkle = _muscles(draws, expressions)
    _draw_eyes(canvas, draws, (u, v), (skin, hair, dark), (brow, slope, eye, wrinkle), channels)
    _draw_nose(canvas, draws, (u, v), (skin, dark), wrinkle)
    _draw_mouth(canvas, draws, (u, v), (skin, dark), (curve, opening, mouth, teeth), channels)


def _draw_eyes(canvas, draws, place, shades, muscles, channels):
    (u, v), (skin, hair, dark), (brow, slope, eye, wrinkle) = place, shades, muscles
    level = np.float32(-0.14) + _column(draws.bell(0.04))
    apart = _column(draws.uniform(0.25, 0.31))
    w = _column(draws.uniform(0.115, 0.145))
    s = np.abs(u) - apart  # both eyes at once: negative towards the nose
    h = np.maximum(np.float32(0.012), np.float32(0.062) * eye)
    arc = 1 - (s / w) * (s / w)
    white = canvas.cover(np.minimum(h * arc - np.abs(v - level), w - np.abs(s)))
    bright = _tint(draws, np.float32(0.92) * np.ones_like(dark[:, 0]), 0, 0, channels)
    canvas.paint(white, bright, 0.9)
    gaze = _column(draws.bell(0.06))
    iris = canvas.ellipse(u - np.where(u > 0, apart, -apart) - gaze, v - level, np.float32(0.062), np.float32(0.062))
    canvas.paint(iris * white, dark * np.float32(0.5))
    canvas.paint(canvas.stroke(v - level + h * arc, np.float32(0.018), w * np.float32(1.1) - np.abs(s)), dark, 0.9)

    thick = _column(draws.uniform(0.022, 0.042))
    t = s / np.float32(0.19)
    line = level - np.float32(0.19) - brow - slope * t + np.float32(0.03) * t * t
    canvas.paint(canvas.stroke(v - line, thick, np.float32(0.19) - np.abs(s)), np.minimum(dark, hair), 0.95)
    furrow = canvas.stroke(np.abs(u) - np.float32(0.06), np.float32(0.012), np.float32(0.08) - np.abs(v - level + np.float32(0.1)))
    canvas.paint(furrow, dark, np.clip(slope * 6, 0, 0.6))


def _draw_nose(canvas, draws, place, shades, wrinkle):
    (u, v), (skin, dark) = place, shades
    tip = np.float32(0.20) + _column(draws.bell(0.05))
    canvas.paint(canvas.stroke(np.abs(u) - np.float32(0.05) - (v - tip) * np.float32(0.12), np.float32(0.012),
                               np.float32(0.14) - np.abs(v - tip + np.float32(0.16))), dark, 0.3)  # fmt: skip
    canvas.paint(canvas.ellipse(u, v - tip, np.float32(0.09), np.float32(0.03)), dark, 0.55)
    for level in (-0.12, -0.05, 0.02):
        line = v - np.float32(level) + np.abs(u) * np.float32(0.5)
        canvas.paint(canvas.stroke(line, np.float32(0.014), np.float32(0.10) - np.abs(u)), dark, np.clip(wrinkle, 0, 1) * np.float32(0.6))
    fold = np.abs(u) - np.float32(0.16) - (v - np.float32(0.15)) * np.float32(0.6)
    canvas.paint(canvas.stroke(fold, np.float32(0.016), np.float32(0.12) - np.abs(v - np.float32(0.27))), dark, np.clip(wrinkle, 0, 1) * np.float32(0.6))


def _draw_mouth(canvas, draws, place, shades, muscles, channels):
    (u, v), (skin, dark), (curve, opening, width, teeth) = place, shades, muscles
    level = np.float32(0.43) + _column(draws.bell(0.04))
    width = np.maximum(np.float32(0.08), width * (1 + _column(draws.bell(0.1))))
    opening = np.maximum(np.float32(0.006), opening)
    t = np.clip(u / width, -1, 1)
    middle = level + curve * (np.float32(0.4) - t * t) + _column(draws.bell(0.03)) * t
    bow = opening * (1 - t * t)
    inside = np.minimum(bow - np.abs(v - middle), width - np.abs(u))
    lip = _column(draws.uniform(0.02, 0.035))
    canvas.paint(canvas.cover(inside + lip), skin * _tint(draws, np.float32(0.62) * np.ones_like(dark[:, 0]), 0.25, 0.0, channels))
    mouth = canvas.cover(inside)
    canvas.paint(mouth, dark * np.float32(0.5))
    bright = _tint(draws, np.float32(0.95) * np.ones_like(dark[:, 0]), 0, 0, channels)
    canvas.paint(mouth * canvas.cover(middle + bow * np.float32(0.2) - v), bright, np.clip(teeth, 0, 1))


def _expose(canvas, draws, grid, channels):
    image = canvas.image
    n, size = image.shape[:2]
    across = _column(draws.bell(LIGHT)) * grid[None, None, :] + _column(draws.bell(LIGHT)) * grid[None, :, None]
    gain = _column(draws.uniform(0.65, 1.1)) * (1 + across)
    image *= gain[..., None]
    image += _column(draws.bell(0.12))[..., None]
    sd = draws.uniform(*NOISE)[:, None]
    image += (draws.noise(size * size * channels) * sd).reshape(image.shape)
STRENGTH=(.6,1.15)
JITTER=1.
ZOOM=.15; ROLL=.15; SHIFT=.2; YAW=.5; PITCH=.4; LIGHT=.6; NOISE=(.01,.06)
