"""Arrays of images and labels as NumPy keeps them: an npz, or npy files beside each other.

Which array is which follows from its name: X, images, data, ... hold images, y, labels, targets,
... labels, and a word in it tells the split (X_train, test_labels). Where no name tells, the only
array that can be images and the only one that can be their labels are taken.

Arrays are read a few hundred rows at a time, so that a header that lies asks for no memory.
Nothing is ever unpickled.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import re
import zipfile
from collections.abc import Iterator
from typing import IO

import numpy as np

from fer_jax.base.arrays import read_header
from fer_jax.base.text import shown
from fer_jax.data import names
from fer_jax.data.reading import image_files
from fer_jax.data.reading.containers import DAMAGE
from fer_jax.data.reading.single_files import ArrayFile
from fer_jax.errors import DataError

_ROWS = 256  # images read at a time
_MAX_LABEL_BYTES = 2**30
_MAX_IMAGES = 20_000_000
_ROLES = {
    "image": ("x", "images", "image", "imgs", "img", "data", "faces", "pixels", "pictures", "arr_0"),
    "label": ("y", "labels", "label", "targets", "target", "emotions", "emotion", "classes", "arr_1"),
    "usage": ("usage", "split", "splits"),
    "group": ("groups", "group", "subjects", "subject", "persons", "person"),
}
_RANGES = ((0, 1), (-1, 1), (0, 255))  # of floats


@dataclasses.dataclass(frozen=True)
class Stored:
    """One array in a file.

    Attributes:
        name: of the array.
        file: path of the file, and the member of an npz, else ''.
        shape, dtype: as its header says.
    """

    name: str
    file: tuple[str, str]
    shape: tuple[int, ...]
    dtype: np.dtype


@dataclasses.dataclass(frozen=True)
class Part:
    """Images of one split with their labels.

    Attributes:
        images: where they are.
        labels: a text for each, whole numbers as '7'.
        usage: of each, 0 train, 1 validation, 2 test, -1 none given.
        groups: of each, '' for none.
    """

    images: Stored
    labels: list[str]
    usage: list[int]
    groups: list[str]


class ImageArrays:
    """The images that a file of arrays holds.

    Args:
        container: the file.

    Attributes:
        parts: images with labels, a part a split.
        notes: sentences about what was taken for what.

    Raises:
        DataError: it holds no images with labels, they do not fit, or it is damaged.
    """

    def __init__(self, container: ArrayFile):
        self._path, self._kind = container.path, container.kind
        stored = self._stored(container)
        self.parts = [self._part(roles, split) for split, roles in sorted(self._assigned(stored).items())]
        self._low, self._high = self._range()
        black, white = self._ends()
        self.notes = [
            f"{shown(container.path)}: {part.images.name} {part.images.shape} of {part.images.dtype}"
            for part in self.parts
        ]
        if self.parts[0].images.dtype != np.uint8:
            said = f"values from {self._low:g} to {self._high:g} are taken as {black:g} black to {white:g} white"
            self.notes.append(f"{shown(container.path)}: {said}")

    def __len__(self) -> int:
        return sum(len(part.labels) for part in self.parts)

    def rows(self) -> Iterator[tuple[str, np.ndarray, str, int, str]]:
        """Yields name, pixels (uint8, (h, w) or (h, w, 3)), label, usage and group of every one."""
        black, white = self._ends()
        for part in self.parts:
            at = 0
            for chunk in self._chunks(part.images):
                if part.images.dtype != np.uint8:
                    scaled = (chunk.astype(np.float64) - black) * (255 / (white - black))
                    chunk = np.floor(scaled.clip(0, 255) + 0.5).astype(np.uint8)
                for image in chunk:
                    name = f"{part.images.name}[{at}]"
                    yield name, image, part.labels[at], part.usage[at], part.groups[at]
                    at += 1

    def _stored(self, container: ArrayFile) -> list[Stored]:
        found = []
        for path in container.files():
            with self._explained(), open(path, "rb") as file:
                if container.kind == "npy":
                    found.append(self._header(file, path.stem, (str(path), "")))
                    continue
                with zipfile.ZipFile(file) as archive:
                    for info in archive.infolist():
                        if info.filename.endswith(".npy"):
                            with archive.open(info) as member:
                                name = info.filename.removesuffix(".npy")
                                found.append(self._header(member, name, (str(path), info.filename)))
        return self._beside(found) if container.kind == "npy" else found

    def _beside(self, found: list[Stored]) -> list[Stored]:
        """Returns the npy file that was named, as images, and those that go with it."""
        named, *rest = found
        role, split = _meaning(named.name)
        if role != "image":
            named = dataclasses.replace(named, name="X" if split is None else f"X_{names.USAGES[split]}")
        wanted = [one for one in rest if (_meaning(one.name)[1] is None) == (split is None)]
        return [named, *(one for one in wanted if split is not None or _meaning(one.name)[0] != "image")]

    def _header(self, file: IO[bytes], name: str, where: tuple[str, str]) -> Stored:
        shape, by_column, dtype = read_header(file)
        what = f"{shown(self._path)}: array {shown(name, 60)}"
        if dtype.hasobject or dtype.kind == "V":
            raise DataError(
                f"{what} holds Python objects, which could run any program and are never loaded; "
                "save it as numbers or texts"
            )
        if by_column and len(shape) > 1:
            raise DataError(f"{what} is stored column by column; save np.ascontiguousarray of it")
        return Stored(name, where, shape, dtype)

    def _assigned(self, stored: list[Stored]) -> dict[int, dict[str, Stored]]:
        """Returns arrays by usage and role."""
        found: dict[int, dict[str, Stored]] = {}
        for one in stored:
            role, split = _meaning(one.name)
            if role is None:
                continue
            roles = found.setdefault(names.NO_USAGE if split is None else split, {})
            if role in roles:
                raise DataError(f"{shown(self._path)}: both {roles[role].name} and {one.name} may be the {role}s")
            roles[role] = one
        found = {split: roles for split, roles in found.items() if "image" in roles}
        if not found:
            images = [one for one in stored if len(one.shape) >= 3 and one.dtype.kind in "uifb"]
            labels = [one for one in stored if images and one.shape == images[0].shape[:1]]
            if len(images) == len(labels) == 1:
                found = {names.NO_USAGE: {"image": images[0], "label": labels[0]}}
        if not found or any("label" not in roles for roles in found.values()):
            where = ", in files beside it" if self._kind == "npy" else ""
            has = ", ".join(f"{shown(one.name, 40)} {one.shape}" for one in stored[:6]) or "nothing"
            raise DataError(
                f"{shown(self._path)}: needs images X and their labels y (or X_train, y_train, ...){where}; has {has}"
            )
        return found

    def _part(self, roles: dict[str, Stored], usage: int) -> Part:
        images = self._as_images(roles["image"])
        count = images.shape[0]
        for one in roles.values():
            if one.shape[:1] != (count,):
                raise DataError(
                    f"{shown(self._path)}: {images.name} holds {count:,} images, but {one.name} has shape {one.shape}"
                )
        if count > _MAX_IMAGES:
            raise DataError(
                f"{shown(self._path)}: {images.name} holds {count:,} images; at most {_MAX_IMAGES:,} are read"
            )
        labels = self._texts(roles["label"])
        usages = [usage] * count
        if "usage" in roles:
            words = self._texts(roles["usage"])
            known = {word: names.folder_usage(word) for word in set(words)}
            if wrong := [word for word, told in known.items() if told is None]:
                raise DataError(
                    f"{shown(self._path)}: {roles['usage'].name} holds {shown(wrong[0], 40)!r}, "
                    "none of train, validation, test"
                )
            usages = [known[word] for word in words]  # type: ignore[misc]
        return Part(images, labels, usages, self._texts(roles["group"]) if "group" in roles else [""] * count)

    def _as_images(self, one: Stored) -> Stored:
        """Returns an array of images; raises DataError where its shape is none of theirs."""
        what = f"{shown(self._path)}: {shown(one.name, 60)} {one.shape} of {one.dtype}"
        if one.dtype.kind not in "uifb":
            raise DataError(f"{what} holds no numbers; images are uint8 or float of shape (n, h, w) or (n, h, w, 3)")
        if _image_shape(one.shape) is None or 0 in one.shape:
            raise DataError(f"{what}: images have shape (n, h, w), (n, h, w, 1 or 3), (n, 1 or 3, h, w) or (n, h * h)")
        if math.prod(one.shape[1:]) > 3 * image_files.MAX_PIXELS:
            raise DataError(f"{what}: at most {image_files.MAX_PIXELS // 10**6} megapixels an image are read")
        return one

    def _chunks(self, one: Stored) -> Iterator[np.ndarray]:
        """Yields some images at a time, (k, h, w) or (k, h, w, 3), of the array's own dtype."""
        shape = _image_shape(one.shape)
        assert shape is not None
        for rows in self._raw(one, max(1, min(_ROWS, 2**26 // max(1, math.prod(one.shape[1:]))))):
            images = rows.reshape(len(rows), *shape)
            if len(shape) == 3 and shape[-1] not in (1, 3):
                images = images.transpose(0, 2, 3, 1)
            yield images[..., 0] if images.ndim == 4 and images.shape[-1] == 1 else images

    def _raw(self, one: Stored, count: int) -> Iterator[np.ndarray]:
        """Yields `count` rows of an array at a time."""
        width = math.prod(one.shape[1:]) * one.dtype.itemsize
        with self._explained(), open(one.file[0], "rb") as whole, contextlib.ExitStack() as open_ones:
            file: IO[bytes] = whole
            if one.file[1]:
                file = open_ones.enter_context(open_ones.enter_context(zipfile.ZipFile(whole)).open(one.file[1]))
            read_header(file)
            for start in range(0, one.shape[0], count):
                rows = min(count, one.shape[0] - start)
                data = file.read(rows * width)
                if len(data) != rows * width:
                    raise EOFError(f"{one.name} ends after {start + len(data) // max(1, width):,} rows")
                yield np.frombuffer(data, one.dtype).reshape(rows, *one.shape[1:])

    def _texts(self, one: Stored) -> list[str]:
        """Returns labels, splits or groups as texts: whole numbers, texts, or one 1 a row."""
        what = f"{shown(self._path)}: {shown(one.name, 60)}"
        if math.prod(one.shape) * one.dtype.itemsize > _MAX_LABEL_BYTES:
            raise DataError(f"{what} of {one.dtype} takes more than {_MAX_LABEL_BYTES // 2**30} GiB")
        array = np.concatenate(list(self._raw(one, _ROWS * _ROWS)) or [np.empty(one.shape, one.dtype)])
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if array.ndim == 2 and _one_hot(array):
            return list(map(str, array.argmax(axis=1).tolist()))
        if array.ndim != 1:
            raise DataError(f"{what} has shape {one.shape}; it must be one for each image, or one 1 in each row")
        if array.dtype.kind == "S":
            return [text.decode("utf-8", "replace").strip() for text in array.tolist()]
        if array.dtype.kind == "U":
            return [text.strip() for text in array.tolist()]
        if array.dtype.kind not in "uifb" or not (np.isfinite(array) & (array == np.floor(array))).all():
            raise DataError(f"{what} of {one.dtype} holds neither whole numbers nor texts")
        return [str(int(number)) for number in array.tolist()]

    def _range(self) -> tuple[float, float]:
        low, high = math.inf, -math.inf
        for part in self.parts:
            if part.images.dtype == np.uint8:
                low, high = min(low, 0), max(high, 255)
                continue
            for chunk in self._chunks(part.images):
                if chunk.dtype.kind == "f" and not np.isfinite(chunk).all():
                    raise DataError(f"{shown(self._path)}: {part.images.name} holds values that are no numbers (NaN)")
                low, high = min(low, float(chunk.min())), max(high, float(chunk.max()))
        return low, high

    def _ends(self) -> tuple[float, float]:
        """Returns which values are black and white, judged over all images."""
        kinds = {part.images.dtype.kind for part in self.parts}
        ranges: tuple[tuple[float, float], ...] = _RANGES
        if kinds == {"b"}:
            ranges = ((0, 1),)
        elif "f" not in kinds:
            ranges = ((0, 255), (0, 4095), (0, 65535))
        for black, white in ranges:
            if black <= self._low and self._high <= white:
                return black, white
        known = ", ".join(f"{low} to {high}" for low, high in ranges)
        raise DataError(
            f"{shown(self._path)}: the images hold values from {self._low:g} to {self._high:g}, none of {known}; "
            "save them as uint8, 0 black to 255 white"
        )

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (*DAMAGE, RuntimeError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise DataError(f"{shown(self._path)}: cannot be read ({shown(reason, 160)})") from error


def _one_hot(array: np.ndarray) -> bool:
    bits = array.dtype.kind in "uifb" and bool(((array == 0) | (array == 1)).all())
    return bits and bool((array.sum(axis=1) == 1).all())


def _meaning(name: str) -> tuple[str | None, int | None]:
    """Returns the role that an array's name tells, and the usage; None for what it does not."""
    lowered = name.rpartition("/")[2].lower()
    lowered = re.sub(r"^([xy])(train|test|val|valid|validation)$", r"\1_\2", lowered)
    words = lowered.split("_")
    usages = [names.folder_usage(word) for word in words]
    told = [usage for usage in usages if usage is not None]
    rest = "_".join(word for word, usage in zip(words, usages, strict=True) if usage is None)
    role = next((role for role, known in _ROLES.items() if rest in known), None)
    return role, told[0] if told else None


def _image_shape(shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """Returns the shape of one image of an array: (h, w), (h, w, c) or (c, h, w)."""
    if len(shape) == 3:
        return shape[1:]
    if len(shape) == 4 and (shape[3] in (1, 3) or shape[1] in (1, 3)):
        return shape[1:]
    if len(shape) == 2 and (side := math.isqrt(shape[1])) > 1 and side * side == shape[1]:
        return side, side
    return None
