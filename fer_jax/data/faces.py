"""Built-in data: faces drawn from ellipses and strokes, in FER-2013's classes and proportions.

Nobody's photograph is needed to run, test or demonstrate the program. A face has an identity
(proportions, skin, hair), an expression (brows, eyes, nose, mouth: table `EXPRESSIONS`, at a
strength of its own), a pose (place, distance, roll, yaw, pitch), light and sensor noise, all drawn
at random; the answer is in the shape of a few small features, not at any fixed pixel, which is what
defeats a linear classifier.

Every random number is a hash of (seed, split, image, purpose), so image i is the same however
many are drawn, and only +, -, *, / and square roots touch the pixels, so they are the same bytes on
every machine.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from fer_jax.data.names import CLASSES

FREQUENCIES = (4953, 547, 5121, 8989, 6198, 6077, 4002)  # of CLASSES in FER-2013's 35,887 images

# How far faces differ: the range, or the largest deviation either way. Lengths are in half
# images. Chosen so that oslo's network, 12 epochs on 2,000 images of 24 pixels, ends above .9
# and logistic regression on pixels below .65: place and pose spoil what a linear model can use,
# while strong expressions lift the network off its plateau early.
STRENGTH, FAINT = 1.25, 0.75  # of an expression, 1 as in the table: the strongest, and how much less the faintest is
JITTER = 0.8  # of every muscle, in units of _JITTER
ZOOM, ZOOM_RANGE = 1.35, 0.2
SHIFT, ROLL, YAW, PITCH = 0.33, 0.12, 0.3, 0.3
SKIN, BACKGROUND = (0.4, 0.7), (0.0, 0.4)
LIGHT, EXPOSURE = 0.5, (0.7, 1.1)
NOISE = (0.01, 0.06)


class Muscles(NamedTuple):
    """What moves in a face. Lengths are in the head's coordinates, see `_Canvas`; y points down.

    Attributes:
        brow: height of the brows above rest.
        slope: inner ends of the brows down (+) or up (-).
        eye: opening, 1 at rest.
        curve: corners of the mouth up (+) or down (-).
        opening: half height of the mouth.
        width: half width of the mouth.
        teeth: how much of the teeth shows, 0 to 1.
        wrinkle: nose wrinkled and cheeks raised, 0 to 1.
    """

    brow: np.ndarray
    slope: np.ndarray
    eye: np.ndarray
    curve: np.ndarray
    opening: np.ndarray
    width: np.ndarray
    teeth: np.ndarray
    wrinkle: np.ndarray


# In the order of Muscles.
EXPRESSIONS = {
    #            brow  slope   eye  curve  open  width teeth wrinkle
    "angry":    (-.07,  .15,  .65,  -.06,  .02,  .20,   .0,   .3),
    "disgust":  (-.03,  .07,  .35,  -.12,  .09,  .22,   .9,   1.),
    "fear":     ( .07, -.08, 1.60,  -.03,  .09,  .32,   .8,   .0),
    "happy":    ( .02,  .00,  .60,   .19,  .09,  .36,   1.,   .2),
    "neutral":  ( .00,  .00, 1.00,   .00,  .015, .25,   .0,   .0),
    "sad":      ( .03, -.14,  .60,  -.17,  .015, .24,   .0,   .0),
    "surprise": ( .14,  .01, 1.70,   .00,  .22,  .18,   .0,   .0),
}  # fmt: skip
_JITTER = (0.02, 0.03, 0.2, 0.03, 0.006, 0.02, 0.1, 0.1)

_CHUNK_PIXELS = 1 << 17  # images are drawn in groups of about this many pixels: the work fits the processor's cache
_SPLITS = {"train": 1, "validation": 2, "test": 3}

# 64 bits; SplitMix64's increment; the multiplier of Java's LXM generators. Other odd numbers would
# do as well.
_WORD = 0xFFFFFFFFFFFFFFFF
_GOLDEN = 0x9E3779B97F4A7C15
_STRIDE = 0xD1342543DE82EF95


def draw(
    split: str, count: int, seed: int = 0, size: int = 24, channels: int = 1, classes: tuple[str, ...] = CLASSES,
    label_noise: float = 0.02,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Draws one split of built-in faces.

    Args:
        split: train, validation or test; each has its own people.
        count: number of images, at least 1. Image i does not depend on it.
        seed: any integer; other seeds, other people.
        size: height and width in pixels, 8 to 512. Image i shows the same face at every size.
        channels: 1 for grey, 3 for red, green and blue.
        classes: which of `CLASSES`, in the order their labels get.
        label_noise: share of labels replaced by another class, chosen evenly, in [0, 1).

    Returns:
        Images, uint8 (count, size, size, channels), and labels, int32 (count,). Class frequencies
        follow FER-2013's, restricted to `classes`; before label noise any stretch of images is
        off by a few at most.
    """
    keys = _image_keys(seed, _SPLITS[split], count)
    truth = drawn_classes(split, count, seed, classes)
    expressions = np.array([EXPRESSIONS[name] for name in classes], dtype=np.float32)
    images = np.empty((count, size, size, channels), np.uint8)
    group = max(1, _CHUNK_PIXELS // (size * size))
    for first in range(0, count, group):
        part = slice(first, first + group)
        images[part] = _render(_Draws(keys[part]), expressions[truth[part]], size, channels)

    draws = _Draws(keys, purpose=1 << 20)
    wrong = draws.uniform(0, 1) < label_noise
    steps_on = 1 + (draws.uniform(0, 1) * (len(classes) - 1)).astype(np.int64)
    return images, np.where(wrong, (truth + steps_on) % len(classes), truth).astype(np.int32)


def drawn_classes(split: str, count: int, seed: int = 0, classes: tuple[str, ...] = CLASSES) -> np.ndarray:
    """Returns which class each face of `draw` shows, its label before noise, int64 (count,)."""
    shares = np.array([FREQUENCIES[CLASSES.index(name)] for name in classes], dtype=np.float64)
    # A golden-ratio sequence instead of a coin: every prefix has nearly the right proportions.
    start = float(_Draws(_image_keys(seed ^ 0x5EED, _SPLITS[split], 1)).uniform(0, 1)[0])
    steps = np.arange(count, dtype=np.float64) * 0.6180339887498949 + start
    truth = np.searchsorted(np.cumsum(shares) / shares.sum(), steps - np.floor(steps), side="right")
    return np.minimum(truth, len(classes) - 1)


@dataclasses.dataclass
class _Canvas:
    """A group of images being painted.

    Attributes:
        x, y: where pixel centres lie on the head before it turns, float32 (n, size, size); a head
            is about 1.3 by 1.7.
        pixel: width of a pixel in those coordinates, float32 (n, 1, 1).
        image: brightness 0 to 1, float32 (channels, n, size, size).
    """

    x: np.ndarray
    y: np.ndarray
    pixel: np.ndarray
    image: np.ndarray

    def cover(self, inside: np.ndarray) -> np.ndarray:
        """Returns the share of each pixel that a shape covers. `inside` is the signed distance
        (positive inside) of the pixel's centre to the edge.
        """
        return np.clip(inside / self.pixel + np.float32(0.5), 0, 1)

    def ellipse(
        self, x: np.ndarray, y: np.ndarray, width: np.ndarray | float, height: np.ndarray | float
    ) -> np.ndarray:
        """Returns the coverage of an ellipse, given by half axes, around the origin of x and y."""
        u, v = x / width, y / height
        return self.cover((1 - np.sqrt(u * u + v * v)) * np.minimum(width, height, dtype=np.float32))

    def stroke(self, distance: np.ndarray, half_width: np.ndarray | float, inside: np.ndarray) -> np.ndarray:
        """Returns the coverage of a line by distance to its middle, cut off where `inside` < 0."""
        thin = np.minimum(1, 2 * half_width / self.pixel)
        return self.cover(half_width - np.abs(distance)) * self.cover(inside) * thin

    def paint(self, cover: np.ndarray, shade: np.ndarray, opacity: float | np.ndarray = 1.0) -> None:
        """Lays a shade, float32 (n, channels), over the covered share of every pixel."""
        cover = cover * np.float32(opacity)
        for plane, grey in zip(self.image, shade.T, strict=True):
            plane += cover * (_column(grey) - plane)


class _Paints(NamedTuple):
    """Shades of one group of images, each float32 (n, channels)."""

    skin: np.ndarray
    hair: np.ndarray
    dark: np.ndarray
    white: np.ndarray


def _column(values: np.ndarray) -> np.ndarray:
    return values[:, None, None]


def _tint(draws: _Draws, brightness: np.ndarray, red: float, blue: float, channels: int) -> np.ndarray:
    """Returns a paint of the given brightness, float32 (n, channels). Its grey value (ITU-R 601) is
    the brightness itself.
    """
    warmth = draws.uniform(0.5, 1.2)
    if channels == 1:
        return brightness[:, None]
    r, b = 1 + np.float32(red) * warmth, 1 + np.float32(blue) * warmth
    g = (1 - np.float32(0.299) * r - np.float32(0.114) * b) / np.float32(0.587)
    return np.stack([brightness * r, brightness * g, brightness * b], axis=1)


def _muscles(draws: _Draws, expressions: np.ndarray) -> Muscles:
    """Returns the expression each face wears, each value (n, 1, 1). It is its class's, at a
    strength of its own, with jitter.
    """
    square = draws.uniform(0, 1)
    square = square * square
    strength = np.float32(STRENGTH) - np.float32(FAINT) * square * square  # faint expressions are rare
    values = []
    for rest, width, muscle in zip(EXPRESSIONS["neutral"], _JITTER, expressions.T, strict=True):
        values.append(_column(rest + strength * (muscle - np.float32(rest)) + draws.bell(width * JITTER)))
    return Muscles(*values)


def _render(draws: _Draws, expressions: np.ndarray, size: int, channels: int) -> np.ndarray:
    """Returns uint8 images (n, size, size, channels) of faces; expressions are float32 (n, 8)."""
    zoom = _column(np.float32(ZOOM) + draws.bell(ZOOM_RANGE))
    # The tangent of half the angle gives sine and cosine without trigonometry, whose last bit
    # differs between machines.
    half = _column(draws.bell(ROLL))
    cosine, sine = (1 - half * half) / (1 + half * half), 2 * half / (1 + half * half)
    grid = (np.arange(size, dtype=np.float32) + np.float32(0.5)) * np.float32(2 / size) - 1
    x0 = (grid[None, None, :] - _column(draws.bell(SHIFT))) / zoom
    y0 = (grid[None, :, None] - _column(draws.bell(SHIFT))) / zoom
    x, y = cosine * x0 + sine * y0, cosine * y0 - sine * x0

    skin = draws.uniform(*SKIN)
    paints = _Paints(
        skin=_tint(draws, skin, 0.2, -0.25, channels),
        hair=_tint(draws, skin * draws.uniform(0.1, 0.8), 0.15, -0.2, channels),
        dark=_tint(draws, skin * draws.uniform(0.05, 0.2), 0.15, -0.1, channels),
        white=_tint(draws, np.full_like(skin, 0.95), 0, 0, channels),
    )
    background = _tint(draws, draws.uniform(*BACKGROUND), 0.1, 0.1, channels)
    image = np.empty((channels, len(expressions), size, size), np.float32)
    image[:] = background.T[:, :, None, None]
    canvas = _Canvas(x, y, np.float32(2 / size) / zoom, image)

    _paint_head(canvas, draws, paints)
    yaw, pitch = _column(draws.bell(YAW)), _column(draws.bell(PITCH))
    # A turned head moves its features sideways and narrows the side that turns away.
    u = x - yaw * np.float32(0.5)
    u = u * (1 + yaw * u)
    v = y - pitch * np.float32(0.4)
    muscles = _muscles(draws, expressions)
    _paint_nose(canvas, draws, paints, u, v, muscles)
    _paint_eyes(canvas, draws, paints, u, v, muscles)
    _paint_mouth(canvas, draws, paints, u, v, muscles)
    _expose(image, draws, grid)
    pixels = (np.clip(image, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    return np.moveaxis(pixels, 0, -1)


def _paint_head(canvas: _Canvas, draws: _Draws, paints: _Paints) -> None:
    x, y = canvas.x, canvas.y
    width, height = _column(draws.uniform(0.64, 0.74)), _column(draws.uniform(0.80, 0.90))
    neck = canvas.cover(width * np.float32(0.6) - np.abs(x)) * canvas.cover(y - np.float32(0.4))
    canvas.paint(neck, paints.skin * np.float32(0.7))
    length = _column(draws.uniform(-0.5, 0.5))
    mane = canvas.ellipse(x, y + np.float32(0.12), width * np.float32(1.14), height * np.float32(1.06))
    canvas.paint(mane * canvas.cover(length - y), paints.hair)
    fringe = _column(draws.uniform(-0.76, -0.56)) + _column(draws.bell(0.2)) * x
    canvas.paint(canvas.ellipse(x, y, width, height) * canvas.cover(y - fringe), paints.skin)


def _paint_eyes(
    canvas: _Canvas, draws: _Draws, paints: _Paints, u: np.ndarray, v: np.ndarray, muscles: Muscles
) -> None:
    """Paints whites, irises, upper lids and brows. Brows that are drawn together get furrows
    between them.
    """
    v = v + np.float32(0.14) + _column(draws.bell(0.03))
    apart = _column(draws.uniform(0.27, 0.33))
    width = _column(draws.uniform(0.15, 0.18))
    s = np.abs(u) - apart  # both eyes at once: negative towards the nose
    lid = np.maximum(np.float32(0.015), np.float32(0.085) * muscles.eye) * (1 - (s / width) * (s / width))
    white = canvas.cover(np.minimum(lid - np.abs(v), width - np.abs(s)))
    canvas.paint(white, paints.white)
    gaze = _column(draws.bell(0.06))
    iris = canvas.ellipse(u - np.where(u > 0, apart, -apart) - gaze, v, 0.075, 0.075)
    canvas.paint(iris * white, paints.dark)
    canvas.paint(canvas.stroke(v + lid, 0.022, width * np.float32(1.1) - np.abs(s)), paints.dark)

    thick = _column(draws.uniform(0.035, 0.055))
    t = s / np.float32(0.22)
    line = v + np.float32(0.24) + muscles.brow + muscles.slope * t - np.float32(0.03) * t * t
    canvas.paint(canvas.stroke(line, thick, np.float32(0.22) - np.abs(s)), paints.dark)
    between = np.float32(0.09) - np.abs(v + np.float32(0.1))
    furrow = canvas.stroke(np.abs(u) - np.float32(0.06), 0.015, between)
    canvas.paint(furrow, paints.dark, np.clip(muscles.slope * 6, 0, np.float32(0.7)))


def _paint_nose(
    canvas: _Canvas, draws: _Draws, paints: _Paints, u: np.ndarray, v: np.ndarray, muscles: Muscles
) -> None:
    """Paints bridge and nostrils; wrinkles and folds beside them as far as the face makes any."""
    v = v - np.float32(0.17) - _column(draws.bell(0.04))
    side = np.abs(u) - np.float32(0.05) - v * np.float32(0.12)
    canvas.paint(canvas.stroke(side, 0.012, np.float32(0.14) - np.abs(v + np.float32(0.16))), paints.dark, 0.3)
    canvas.paint(canvas.ellipse(u, v, 0.09, 0.03), paints.dark, 0.5)
    wrinkle = np.clip(muscles.wrinkle, 0, 1)
    for level in (0.30, 0.20, 0.10):
        line = v + np.float32(level) + np.abs(u) * np.float32(0.6)
        canvas.paint(canvas.stroke(line, 0.02, np.float32(0.12) - np.abs(u)), paints.dark, wrinkle * np.float32(0.7))
    fold = np.abs(u) - np.float32(0.18) - v * np.float32(0.6)
    cheek = canvas.stroke(fold, 0.02, np.float32(0.13) - np.abs(v - np.float32(0.1)))
    canvas.paint(cheek, paints.dark, wrinkle * np.float32(0.7))


def _paint_mouth(
    canvas: _Canvas, draws: _Draws, paints: _Paints, u: np.ndarray, v: np.ndarray, muscles: Muscles
) -> None:
    """Paints the lips, the dark between them, and the upper teeth."""
    width = muscles.width * (1 + _column(draws.bell(0.1)))
    t = np.clip(u / width, -1, 1)
    skew = _column(draws.bell(0.03))
    middle = v - np.float32(0.46) - muscles.curve * (np.float32(0.45) - t * t) - skew * t - _column(draws.bell(0.03))
    gap = np.maximum(np.float32(0.008), muscles.opening) * (1 - t * t)
    inside = np.minimum(gap - np.abs(middle), width - np.abs(u))
    canvas.paint(canvas.cover(inside + _column(draws.uniform(0.03, 0.045))), paints.dark)
    mouth = canvas.cover(inside)
    canvas.paint(mouth, paints.dark * np.float32(0.5))
    teeth = mouth * canvas.cover(gap * np.float32(0.4) - middle)
    canvas.paint(teeth, paints.white, np.clip(muscles.teeth, 0, 1))


def _expose(image: np.ndarray, draws: _Draws, grid: np.ndarray) -> None:
    """Puts light from one side, exposure and sensor noise on the image."""
    size = len(grid)
    across = _column(draws.bell(LIGHT)) * grid[None, None, :] + _column(draws.bell(LIGHT)) * grid[None, :, None]
    gain, offset = _column(draws.uniform(*EXPOSURE)) * (1 + across), _column(draws.bell(0.1))
    sd = _column(draws.uniform(*NOISE))
    for plane in image:
        plane *= gain
        plane += offset + draws.noise(size * size).reshape(plane.shape) * sd


def _image_keys(seed: int, stream: int, count: int) -> np.ndarray:
    """Returns a key an image, uint64 (count,); key i depends on seed, stream and i only."""
    root = _mix(np.array([seed & _WORD], np.uint64)) ^ _mix(np.array([stream], np.uint64))
    return _mix(root + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_GOLDEN))


class _Draws:
    """Random numbers of a group of n images, as hashes of the images' keys.

    Every call has another purpose and so gives other numbers. Only integer arithmetic and exact
    float32 products are used, so they are the same on every machine.

    Args:
        keys: uint64, shape (n,), see `_image_keys`.
        purpose: number of the first purpose, for independent numbers from the same keys.
    """

    def __init__(self, keys: np.ndarray, purpose: int = 0):
        self.keys = keys
        self._purpose = purpose

    def uniform(self, low: float, high: float) -> np.ndarray:
        """Returns numbers evenly between low and high; float32, shape (n,)."""
        unit = (self._next() >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)
        return np.float32(low) + np.float32(high - low) * unit

    def bell(self, width: float) -> np.ndarray:
        """Returns triangular numbers around 0, at most `width` away; float32, shape (n,)."""
        return self.uniform(-width / 2, width / 2) + self.uniform(-width / 2, width / 2)

    def noise(self, count: int) -> np.ndarray:
        """Returns nearly normal numbers with mean 0 and sd 1, float32 (n, count). Each is the sum
        of four 16-bit numbers.
        """
        words = self._next()[:, None] + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
        quarters = _mix(words).astype("<u8", copy=False).view("<u2").reshape(len(self.keys), count, 4)
        total = quarters[..., 0].astype(np.float32)
        for i in (1, 2, 3):
            total += quarters[..., i]
        return (total - np.float32(131070)) * np.float32(1 / 37837.0)

    def _next(self) -> np.ndarray:
        self._purpose += 1
        return _mix(self.keys + np.uint64(self._purpose * _STRIDE & _WORD))


def _mix(words: np.ndarray) -> np.ndarray:
    """Returns the words through SplitMix64's finaliser (Steele, Lea and Flood 2014). It is a
    bijection of uint64 whose output bits look independent.
    """
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
