"""Reading a data set from wherever it lies, through a copy prepared in the user's cache.

The first start prepares the copy: encoded images as a TFDS data set, and beside it arrays of one
size. Later starts map the arrays.

Light to import; what preparation needs (Pillow, TFDS, Grain) is imported when something has to be
prepared.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from fer_jax.base import cache, console
from fer_jax.base.cache import Damaged, Place
from fer_jax.base.text import shown
from fer_jax.data.reading import arrays
from fer_jax.data.reading.containers import Container
from fer_jax.data.reading.opening import open_container
from fer_jax.data.reading.problems import Problems
from fer_jax.data.reading.wanted import Wanted
from fer_jax.errors import DataError

_RECORDS = "records"
_NOTE = "records.json"
_READING = "2"  # another where the same files are understood in another way: caches of before are read anew


@dataclasses.dataclass(frozen=True)
class Source:
    """All images of a data set, before splits and chosen classes.

    Attributes:
        images: uint8, shape (n, size, size, channels), mapped from the cache and read-only. Sorted
            by usage, label and the pixels of the undecoded size, so that the same images from a
            folder, an archive or a table give the same arrays.
        labels: int32, shape (n,), indices into `classes`.
        usage: int8, shape (n,): 0 train, 1 validation, 2 test, -1 none given.
        classes: alphabetical names in one spelling (`names.canonical`); all seven for FER-2013.
        provenance: JSON values: source, kind, checksums, counts, ignored and skipped items, size,
            channels.
        groups: what each image belongs to, such as a person or a sequence, '' where it stands for
            itself; None where no image belongs to anything.
    """

    images: np.ndarray
    labels: np.ndarray
    usage: np.ndarray
    classes: tuple[str, ...]
    provenance: dict[str, Any]
    groups: tuple[str, ...] | None = None


def read(path: str, image_size: int, channels: int, on_error: str, wanted: Wanted) -> Source:
    """Returns a data set, which is prepared if this state of it is not in the cache yet.

    Args:
        path: folder, zip, tar or csv; see `layout` for what may be in it, `image_files` for what is
            done to an image.
        image_size: height and width wanted, pixels.
        channels: 1 (grey) or 3 (RGB).
        on_error: 'fatal', or 'skip' to leave broken items out; they are counted in the provenance
            either way.
        wanted: how images get their classes, splits and groups.

    Raises:
        DataError: the source is missing or broken as a whole, has broken items that may not be
            skipped, or the cache cannot be written.
    """
    container = open_container(path)
    if container.kind == "csv" and not wanted.fer:
        raise DataError(f"data.path: {shown(path)} is a table of FER-2013: --config.data.name=fer2013 reads it")
    place = _place(container, wanted)
    size = (image_size, image_size, channels)
    try:
        with cache.explain_write(place.home, "read"):
            source = _load(place, size)
    except Damaged:
        source = None
    if source is None:
        with place.lock():
            source = _load_or_prepare(place, path, container, size, on_error, wanted)
    problems = _problems(source.provenance)
    problems.check(path, on_error)
    if len(problems):
        console.say(f"left out: {problems.describe(path)}")
    return source


def file_names(path: str, wanted: Wanted) -> list[str]:
    """Returns what a source that was read calls its images, in the order of `Source.images`.

    That is the name of a member such as 'train/happy/1.jpg', or 'row 17' of a table.

    Raises:
        DataError: the source has changed since it was read, or what was prepared from it is
            damaged.
    """
    from fer_jax.data.reading import records

    container = open_container(path)
    place = _place(container, wanted)
    try:
        with cache.explain_write(place.home, "read"):
            return list(records.read(place.entry / _RECORDS, lambda record: record.file))
    except Damaged as error:
        raise DataError(f"{shown(path)}: the names of its pictures cannot be read ({error}); start again") from error


def _place(container: Container, wanted: Wanted) -> Place:
    return Place(
        container.path, container.fingerprint() + wanted.key() + _READING, "fer2013" if wanted.fer else "folders"
    )


def _load(place: Place, size: tuple[int, int, int]) -> Source | None:
    """Returns what the cache holds, None if it holds nothing. Raises Damaged."""
    folder = place.entry / _arrays_name(size)
    if not folder.is_dir():
        return None
    found, note = arrays.load(folder)
    about = note["about"]
    provenance = {**about["provenance"], "image_size": size[0], "channels": size[2], "arrays_sha256": note["sha256"]}
    groups = tuple(about["groups"]) if "groups" in about else None
    return Source(found["images"], found["labels"], found["usage"], tuple(about["classes"]), provenance, groups)


def _arrays_name(size: tuple[int, int, int]) -> str:
    return "x".join(map(str, size))


def _problems(provenance: dict[str, Any]) -> Problems:
    return Problems.from_json(provenance["skipped"])


def _load_or_prepare(
    place: Place, path: str, container: Container, size: tuple[int, int, int], on_error: str, wanted: Wanted
) -> Source:
    """Returns what another process has prepared meanwhile, or prepares it; the lock is held."""
    try:
        if source := _load(place, size):
            return source
    except Damaged as error:
        console.say(f"the cached copy of {shown(path)} is damaged ({error}); building it again")
    try:
        about = _about(place)
        if about is not None:
            _problems(about["provenance"]).check(path, on_error)
            console.say(f"preparing {shown(path)} at {size[0]} x {size[1]} pixels")
            _write_arrays(place, about, size, _decoded(place, about["count"], size))
    except Damaged as error:
        console.say(f"the cached copy of {shown(path)} is damaged ({error}); building it again")
        about = None
    try:
        if about is None:
            _prepare(place, path, container, size, on_error, wanted)
        source = _load(place, size)
    except Damaged as error:
        raise DataError(f"the data cache {place.home} does not keep what is written to it: {error}") from error
    assert source is not None  # it was written just now
    return source


def _about(place: Place) -> dict[str, Any] | None:
    """Returns classes, count and provenance of the prepared records, None without any. Raises
    Damaged.
    """
    if not (place.entry / _RECORDS).is_dir():
        return None
    return cache.read_note(place.entry / _RECORDS / _NOTE)


def _prepare(
    place: Place, path: str, container: Container, size: tuple[int, int, int], on_error: str, wanted: Wanted
) -> None:
    """Reads the whole source into an ArrayRecord data set and, beside it, arrays of one size."""
    from fer_jax.data.reading import collect

    with cache.explain_write(place.home), place.scratch() as encoded, place.scratch() as pixels:
        collected = collect.collect(container, wanted, collect.Spool(encoded, pixels, size))
        collected.problems.check(path, on_error)
        if _place(open_container(path), wanted).fingerprint != place.fingerprint:
            raise DataError(f"{shown(path)}: changed while it was read; start again when it is complete")
        about = {"classes": collected.classes, "count": len(collected.items), "provenance": collected.provenance}
        if any(item.group for item in collected.items):
            about["groups"] = [item.group for item in collected.items]
        with place.new(_RECORDS) as folder:
            from fer_jax.data.reading import records

            records.write(collected, folder, wanted.fer)
            cache.write_note(folder / _NOTE, about)
        images = ((collected.spool.pixels(item.number), collected.label(item), item.usage) for item in collected.items)
        _write_arrays(place, about, size, images)


def _write_arrays(
    place: Place, about: dict[str, Any], size: tuple[int, int, int], images: Iterable[tuple[np.ndarray, int, int]]
) -> None:
    """Puts (image, label, usage) of every image into the cache as arrays of one size."""
    with place.new(_arrays_name(size)) as folder, cache.explain_write(place.home):
        arrays.write(folder, images, (about["count"], *size), about)


def _decoded(place: Place, count: int, size: tuple[int, int, int]) -> Iterator[tuple[np.ndarray, int, int]]:
    """Yields (image, label, usage) of every stored image. Raises Damaged if the records are."""
    from fer_jax.data.reading import image_files, records

    def decode(record: records.Record) -> tuple[np.ndarray, int, int]:
        image = image_files.decode(record.image)
        if image_files.digest(image) != record.digest:
            raise ValueError("a picture's checksum differs")
        return image_files.fit(image, size[0], size[2]), record.label, record.usage

    with console.bar("resizing", count) as advance:
        for decoded in records.read(place.entry / _RECORDS, decode):
            advance()
            yield decoded
