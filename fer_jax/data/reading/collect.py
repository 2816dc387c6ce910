"""One walk over a source: every usable image with its class and usage, in one order.

The order is the same for all kinds of source, and known at the end of the walk only. Each image is
decoded once, here; its file (a PNG for the row of a table) and its pixels at the size asked for
wait in a spool until then.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import itertools
import math
import os.path
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, Any

import numpy as np
from PIL import Image

from fer_jax.base import console
from fer_jax.base.text import shown
from fer_jax.data import names
from fer_jax.data.reading import array_files, depths, image_files, layout, pixel_tables, placing
from fer_jax.data.reading.containers import Container, Member, Table
from fer_jax.data.reading.depths import Depth
from fer_jax.data.reading.label_names import LabelNames
from fer_jax.data.reading.problems import IMAGE, LABEL, Problems, Unusable
from fer_jax.data.reading.single_files import ArrayFile
from fer_jax.data.reading.wanted import Wanted
from fer_jax.errors import DataError

_LISTED = 50  # ignored files that are kept by name
# Lines, and bytes of each, by which a file is told that lists labels.
_LIST_LINES, _LIST_LINE = 1000, 1000


class Spool:
    """Images on their way from a source to the cache, numbered from 0 as they come.

    Args:
        encoded: an empty file, open for reading and writing; takes the images' files.
        pixels: another one; takes their pixels.
        size: (height, width, channels) of the pixels; height and width are equal.
    """

    def __init__(self, encoded: IO[bytes], pixels: IO[bytes], size: tuple[int, int, int]):
        self._encoded = encoded
        self._pixels = pixels
        self._size = size
        self._ends = [0]  # of each image's file in `encoded`, bytes
        self._pixel_ends = [0]  # of each image's pixels in `pixels`; those of a thumb come after

    def add(self, data: bytes, image: Image.Image) -> int:
        """Keeps an image and returns its number.

        Args:
            data: its file.
            image: what `image_files.decode` makes of it.
        """
        self._encoded.write(data)
        fitted, thumb = image_files.fit(image, self._size[0], self._size[2]), image_files.thumb(image)
        self._pixels.write(fitted.tobytes())
        if thumb is not None:
            self._pixels.write(thumb.tobytes())
        self._ends.append(self._ends[-1] + len(data))
        self._pixel_ends.append(self._pixel_ends[-1] + fitted.size + (0 if thumb is None else thumb.size))
        return len(self._ends) - 2

    def encoded(self, number: int) -> bytes:
        """Returns the file of an image."""
        start, end = self._ends[number : number + 2]
        self._encoded.seek(start)
        return self._encoded.read(end - start)

    def pixels(self, number: int) -> np.ndarray:
        """Returns the pixels of an image, uint8 of shape `size`."""
        count = math.prod(self._size)
        self._pixels.seek(self._pixel_ends[number])
        return np.frombuffer(self._pixels.read(count), np.uint8).reshape(self._size)

    def oblong(self, number: int) -> bool:
        """Returns whether an image is not square, so that it has a thumb."""
        return self._pixel_ends[number + 1] - self._pixel_ends[number] > math.prod(self._size)

    def thumb(self, number: int) -> np.ndarray:
        """Returns `image_files.thumb` of an image that is not square."""
        side = image_files.WHOLE_SIDE
        self._pixels.seek(self._pixel_ends[number] + math.prod(self._size))
        return np.frombuffer(self._pixels.read(side * side), np.uint8).reshape(side, side)


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Item:
    """A usable image; items sort by usage, class and pixels.

    Attributes:
        usage: 0 train, 1 validation, 2 test, -1 none given.
        label: class name.
        digest: see `image_files.digest`.
        name: in the source: a member's name, or 'row 17'.
        number: in the spool.
        mode: L or RGB, as it was decoded.
        group: what it belongs to; '' where it stands for itself.
    """

    usage: int
    label: str
    digest: str
    name: str
    number: int
    mode: str
    group: str = ""


@dataclasses.dataclass(frozen=True)
class Collected:
    """The images that a source held.

    Attributes:
        items: sorted, so that one order serves every kind of source.
        classes: alphabetical; all seven for FER-2013, even those without an image.
        problems: what could not be used.
        provenance: JSON values: source, kind, checksum of the file and of its contents, counts,
            ignored and skipped items; with images of more than 8 bits a pixel also "wide", see
            `depths.as_json`.
        spool: holds the images by the items' numbers.
    """

    items: list[Item]
    classes: tuple[str, ...]
    problems: Problems
    provenance: dict[str, Any]
    spool: Spool

    @property
    def channels(self) -> int:
        """1 if all images are grey, else 3."""
        return 1 if all(item.mode == "L" for item in self.items) else 3

    def label(self, item: Item) -> int:
        """Returns the index of an item's class in `classes`."""
        return self.classes.index(item.label)


def collect(container: Container, wanted: Wanted, spool: Spool) -> Collected:
    """Reads a source from end to end.

    Args:
        container: the source.
        wanted: how images get their classes, splits and groups.
        spool: an empty one; takes the images.

    Raises:
        DataError: the source is damaged as a whole, holds nothing to read, or nothing of it can be
            used. Single broken items are only noted, in `problems`.
    """
    problems = Problems()
    found = placing.place(container, wanted, problems)
    what = f"{len(found.images):,} pictures" if found.images else "a table" if found.tables else "arrays"
    console.say(f"reading {shown(container.path)} for the first time: {what}")
    _check_lists(container, found)
    held: list[tuple[str, Depth]] = []
    if isinstance(container, ArrayFile):
        items = list(_array_items(container, wanted, found, spool, problems))
    elif found.tables:
        items = list(_table_items(container, found.tables[0], wanted, spool, problems))
        for other in found.tables[1:]:
            _check_same(container, found.tables[0], other, items, wanted)
            found.notes.append(f"{shown(container.path)}: {other.name} holds the same as {found.tables[0].name}")
    else:
        items = list(_image_items(container, found.images, spool, problems, held))
    taken = depths.whites([depth for _, depth in held])
    if held:
        items += _wide_items(container, found.images, spool, held, taken)
    if not items:
        what = f"nothing in it can be used: {problems.describe(container.path)}" if len(problems) else "it has no rows"
        raise DataError(f"{shown(container.path)}: {what}")
    items.sort()
    classes = tuple(sorted({item.label for item in items}.union(names.CLASSES if wanted.fer else ())))
    provenance: dict[str, Any] = {
        "source": shown(container.path, 4096),
        "kind": container.kind,
        "table": found.tables[0].name if found.tables else None,
        "sha256": container.checksum(),
        "contents_sha256": _contents(items),
        "source_counts": _counts(items, classes),
        "ignored": {"count": len(found.ignored), "items": [shown(name) for name in found.ignored[:_LISTED]]},
        "unlisted": {"count": len(found.unlisted), "items": [shown(name) for name in found.unlisted[:_LISTED]]},
        "hidden": found.hidden,
        "skipped": problems.as_json(),
    }
    if held:
        provenance["wide"] = depths.as_json([depth for _, depth in held], taken)
    if found.notes:
        provenance["notes"] = found.notes
    return Collected(items, classes, problems, provenance, spool)


def _check_lists(container: Container, found: layout.Layout) -> None:
    """Raises DataError where a file lists the images under labels that no class folder has.

    Files are looked into only where no class folder is named after an expression or a number.
    """
    if found.sure or not found.images:
        return
    classes = {place.label for place in found.images}
    stems = {PurePosixPath(place.member.name).stem.lower() for place in found.images}
    for member in found.lists:
        lines = itertools.islice(container.lines(member, _LIST_LINE), _LIST_LINES)
        text = b"\n".join(line[:_LIST_LINE] for line in lines).decode("utf-8", "replace").lower()
        cells = {cell.strip("\"' ") for cell in re.split(r"[,;\t\n\r]| +", text)}
        listed = {PurePosixPath(cell.replace("\\", "/")).stem for cell in cells}
        if listed & stems and not {names.canonical(cell) for cell in cells} & classes:
            raise DataError(
                f"{shown(container.path)}: {shown(member.name)} lists the pictures under other labels than "
                f"{shown(min(classes), 40)}: --config.data.labels={shown(member.name)} takes those; if the folders "
                "are the classes, take that file away"
            )


def _image_items(
    container: Container, placed: list[layout.Placed], spool: Spool, problems: Problems, held: list[tuple[str, Depth]]
) -> Iterator[Item]:
    """Yields every usable image but those of more than 8 bits a pixel, which it adds to `held`."""
    wanted: list[Member] = []
    places = {}
    for place in placed:
        if place.member.size > image_files.MAX_BYTES:
            reason = f"is larger than {image_files.MAX_BYTES // 2**20} MiB"
            problems.add(IMAGE, place.member.name, reason)
        else:
            wanted.append(place.member)
            places[place.member.name] = place
    with console.bar("reading", len(wanted)) as advance:
        for member, data in container.read(wanted, image_files.MAX_BYTES):
            advance()
            try:
                if isinstance(data, Unusable):
                    raise data
                image = image_files.decode(data, wide=True)
                depth = None if image.mode in ("L", "RGB") else depths.of(image)
            except Unusable as error:
                problems.add(IMAGE, member.name, str(error))
                continue
            if depth is not None:
                held.append((member.name, depth))
                continue
            yield _item(places[member.name], image, data, spool)


def _wide_items(
    container: Container, placed: list[layout.Placed], spool: Spool, held: list[tuple[str, Depth]], taken: list[int]
) -> Iterator[Item]:
    """Yields the images of more than 8 bits a pixel, which are read once more."""
    whites = {name: white for (name, _), white in zip(held, taken, strict=True)}
    places = {place.member.name: place for place in placed if place.member.name in whites}
    for member, data in container.read([place.member for place in places.values()], image_files.MAX_BYTES):
        if isinstance(data, Unusable):
            raise DataError(f"{shown(container.path)}: changed while it was read; start again when it is complete")
        image = depths.narrow(image_files.decode(data, wide=True), whites[member.name])
        # What is kept is the 8-bit image, so that nothing needs to know again what is white in it.
        yield _item(places[member.name], image, image_files.encode(image), spool)


def _item(place: layout.Placed, image: Image.Image, data: bytes, spool: Spool) -> Item:
    digest, number = image_files.digest(image), spool.add(data, image)
    return Item(place.usage, place.label, digest, place.member.name, number, image.mode, place.group)


def _table_items(
    container: Container, table: Member, wanted: Wanted, spool: Spool, problems: Problems
) -> Iterator[Item]:
    with console.bar("reading", None) as advance:
        for row in _rows(container, table, wanted, problems):
            advance()
            image = image_files.from_grey(row.pixels, pixel_tables.SIDE, pixel_tables.SIDE)
            digest, number = image_files.digest(image), spool.add(image_files.encode(image), image)
            yield Item(row.usage, row.label, digest, f"row {row.number}", number, image.mode)


def _rows(container: Container, table: Member, wanted: Wanted, problems: Problems) -> Iterator[pixel_tables.Row]:
    name = container.path if isinstance(container, Table) else f"{container.path}: {table.name}"
    lines = container.lines(table, pixel_tables.MAX_ROW_BYTES)
    return pixel_tables.rows(lines, name, problems, wanted.names, wanted.fer)


def _check_same(container: Container, table: Member, other: Member, items: list[Item], wanted: Wanted) -> None:
    """Raises DataError where another table holds other images than those that were read."""
    unread = collections.Counter((item.usage, item.label, item.digest) for item in items)
    for row in _rows(container, other, wanted, Problems()):
        image = image_files.from_grey(row.pixels, pixel_tables.SIDE, pixel_tables.SIDE)
        unread.subtract([(row.usage, row.label, image_files.digest(image))])
    if any(unread.values()):
        where = "name it" if container.kind == "folder" else "unpack it and name the file"
        raise DataError(
            f"{shown(container.path)}: holds several data sets ({table.name} and {other.name}, which differ); "
            f"{where} as data.path, such as {shown(os.path.join(container.path, table.name))}"
        )


def _array_items(
    container: ArrayFile, wanted: Wanted, found: layout.Layout, spool: Spool, problems: Problems
) -> Iterator[Item]:
    stored = array_files.ImageArrays(container)
    called = LabelNames(wanted.names, wanted.fer)
    classes = {*names.CLASSES, *called.classes}
    labels = {label: called.of(label) for part in stored.parts for label in part.labels}
    called.check(container.path, (labels[label] for part in stored.parts for label in part.labels))
    found.notes += stored.notes
    with console.bar("reading", len(stored)) as advance:
        for name, pixels, label, usage, group in stored.rows():
            advance()
            if wanted.fer and labels[label] not in classes:
                problems.add(LABEL, name, f"{shown(label, 40)!r} is none of {', '.join(sorted(classes))}")
                continue
            image = Image.fromarray(np.ascontiguousarray(pixels))
            digest, number = image_files.digest(image), spool.add(image_files.encode(image), image)
            yield Item(usage, labels[label], digest, name, number, image.mode, group)


def _contents(items: list[Item]) -> str:
    """Returns a SHA-256 (hex) over usage, class and pixels of all images. It is the same whatever
    kind of source they came from.
    """
    lines = (f"{item.usage} {item.label} {item.digest}\n" for item in items)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _counts(items: list[Item], classes: tuple[str, ...]) -> dict[str, dict[str, int]]:
    found = collections.Counter((item.usage, item.label) for item in items)
    usages = sorted({item.usage for item in items})
    return {names.USAGES[usage]: {label: found[usage, label] for label in classes} for usage in usages}
