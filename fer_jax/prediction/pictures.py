"""Image files through an ensemble: found, decoded, cut to faces, fitted to networks, classified.

What cannot be read is named and passed over. What is white in an image of more than 8 bits a pixel
follows from that image alone, so that an answer depends on no other image asked about.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from PIL import Image
from scipy import special

from fer_jax.analysis import outliers
from fer_jax.base import console
from fer_jax.base.text import counted, shown
from fer_jax.data.reading import depths, image_files, layout
from fer_jax.data.reading.containers import Folder
from fer_jax.data.reading.problems import Unusable
from fer_jax.errors import DataError
from fer_jax.models import test_time
from fer_jax.prediction.face_finder import Box, face_finder
from fer_jax.results import ensemble as ensembles
from fer_jax.results.ensemble import Ensemble
from fer_jax.results.trial import TrialResult

AT_ONCE = 512  # images in memory, at the networks' size


@dataclasses.dataclass(frozen=True, eq=False)
class Answer:
    """What an ensemble says of an image or of a face in it.

    Attributes:
        picture: its path.
        box: left, top, right and bottom of the face, pixels of the upright image; None where the
            whole image was taken.
        probabilities: means over the members, float (K,), summing to 1.
        sd: their standard deviations over the members, (K,); NaN for a single member.
        score: how much it is like the training data; see `analysis.outliers`.
    """

    picture: str
    box: Box | None
    probabilities: np.ndarray
    sd: np.ndarray
    score: float


@dataclasses.dataclass(frozen=True)
class Failure:
    """An image without an answer, and why, in a few words that go on from its name: 'is empty'."""

    picture: str
    reason: str


@dataclasses.dataclass(frozen=True, eq=False)
class _Part:
    """An image or a face in it, uint8 (side, side, channels), in every form the networks need."""

    picture: str
    box: Box | None
    fitted: dict[tuple[int, int], np.ndarray]


def find_pictures(paths: Iterable[str]) -> list[str | Failure]:
    """Returns the files named, and those images in and below the folders named that are not hidden.

    A file that is named is taken whatever its name ends in; one in a folder if it ends as images
    do. Those of a folder are in the order of their names. A `Failure` is a folder that holds none,
    an image of a kind that is not read, and a pipe, socket or device. What is named twice, on its
    own and with its folder, is there once, and a line says so.
    """
    found: list[str | Failure] = []
    for path in map(os.path.expanduser, paths):
        if not os.path.isdir(path):
            found.append(path)
            continue
        try:
            members = Folder(path).members()
        except DataError as error:
            found.append(Failure(path, str(error)))
            continue
        pictures = [
            picture for one in members if (picture := _picture(os.path.join(path, one.name), one.kind)) is not None
        ]
        found.extend(pictures or [Failure(path, "holds no picture")])
    return _each_once(found)


def _each_once(found: Iterable[str | Failure]) -> list[str | Failure]:
    kept: dict[str, str | Failure] = {}
    twice: dict[str, str] = {}
    for one in found:
        named = one.picture if isinstance(one, Failure) else one
        place = os.path.abspath(named)
        if place in kept:
            twice.setdefault(place, named)
        else:
            kept[place] = one
    if twice:
        first = shown(next(iter(twice.values())))
        what = first if len(twice) == 1 else f"{counted(len(twice), 'picture')}, such as {first},"
        console.say(f"{what} named more than once: answered once")
    return list(kept.values())


def _picture(path: str, kind: str) -> str | Failure | None:
    """Returns what lies in a folder if it is an image, a `Failure` if it is one that is not read.

    Args:
        path: of it.
        kind: as in `containers.Member`.
    """
    suffix = os.path.splitext(path)[1].lower()
    if kind == "special":
        return Failure(path, "is a pipe, a socket or a device")
    if kind != "file":
        return None
    if suffix in image_files.SUFFIXES:
        return path
    return Failure(path, layout.not_read(suffix)) if suffix in layout.NOT_READ_SUFFIXES else None


def classify(
    ensemble: Ensemble,
    paths: Iterable[str | Failure],
    faces: bool = False,
    tta: str | None = None,
    score: str = "energy",
) -> Iterator[Answer | Failure]:
    """Yields what the ensemble says of images, in their order, AT_ONCE at a time.

    Args:
        ensemble: members may take images of different sizes and colours: each gets the image as its
            training data were made.
        paths: as `find_pictures` gives them; failures among them are passed on.
        faces: take the faces in an image, an answer each, the largest first, instead of the whole;
            an image without one fails.
        tta: test-time augmentation, see `models.test_time`.
        score: a name of `outliers.SCORES`; the score is always that of the image as it is.

    Raises:
        RunError: another `tta` or `score`, or members without weights.
        DataError: faces are asked for and OpenCV is missing.
    """
    test_time.check(tta)
    outliers.check(score)
    finder = face_finder() if faces else None
    sizes = {_size(member) for member in ensemble.members}
    if tta == "ten_crop":
        sizes |= {(test_time.enlarged(side), channels) for side, channels in sizes}
    return _answers(ensemble, _parts(paths, finder, sizes), tta, score)


def _size(member: TrialResult) -> tuple[int, int]:
    """Returns side and channels of the images that a network takes."""
    return member.config.data.image_size, member.config.data.channels


def _answers(
    ensemble: Ensemble, parts: Iterable[_Part | Failure], tta: str | None, score: str
) -> Iterator[Answer | Failure]:
    held: list[_Part | Failure] = []
    for part in parts:
        held.append(part)
        if len(held) == AT_ONCE:
            yield from _answer(ensemble, held, tta, score)
            held = []
    yield from _answer(ensemble, held, tta, score)


def _answer(ensemble: Ensemble, held: list[_Part | Failure], tta: str | None, kind: str) -> Iterator[Answer | Failure]:
    parts = [part for part in held if isinstance(part, _Part)]
    if not parts:
        yield from (part for part in held if isinstance(part, Failure))
        return
    probabilities, scores = [], []
    for member in ensemble.members:
        side, channels = _size(member)
        logits = member.image_logits(np.stack([part.fitted[side, channels] for part in parts]))
        scores.append(outliers.score(kind, logits))
        if tta:
            taken = (test_time.enlarged(side) if tta == "ten_crop" else side), channels
            probabilities.append(member.predict(np.stack([part.fitted[taken] for part in parts]), tta=tta))
        else:
            probabilities.append(special.softmax(logits.astype(np.float64), axis=-1))
    every = np.asarray(probabilities, np.float64)
    rows = zip(every.mean(axis=0), ensembles.spread(every), np.mean(scores, axis=0), strict=True)
    for part in held:
        if isinstance(part, Failure):
            yield part
        else:
            mean, sd, value = next(rows)
            yield Answer(part.picture, part.box, mean, sd, float(value))


def _parts(
    paths: Iterable[str | Failure], finder: Callable[[Image.Image], list[Box]] | None, sizes: set[tuple[int, int]]
) -> Iterator[_Part | Failure]:
    wide: list[depths.Depth] = []
    for path in paths:
        if isinstance(path, Failure):
            yield path
            continue
        try:
            image = image_files.decode(_read(path), wide=True)
            if depth := depths.of(image):
                wide.append(depth)
                image = depths.narrow(image, depth.white)
        except Unusable as error:
            yield Failure(path, str(error))
            continue
        boxes = finder(image) if finder else [None]
        if not boxes:
            yield Failure(path, "shows no face that was found")
        for box in boxes:
            face = image.crop(box) if box else image
            yield _Part(
                path, box, {(side, channels): image_files.fit(face, side, channels) for side, channels in sizes}
            )
    for line in depths.describe(depths.as_json(wide, [depth.white for depth in wide])):
        console.say(line)


def _read(path: str) -> bytes:
    """Returns the file, cut one byte above what is decoded; Unusable if it cannot be read."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise Unusable("is no file")  # opening a pipe would wait for ever
    try:
        with open(path, "rb") as file:
            return file.read(image_files.MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise Unusable(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
