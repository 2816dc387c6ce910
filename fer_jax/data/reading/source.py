"""Reading a data set from wherever it lies: the first start prepares it in the user's cache, later
ones map arrays.

Light to import; what preparation needs (Pillow, TFDS, Grain) is imported when something has to be
prepared.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from fer_jax.base import cache, console
from fer_jax.base.cache import Damaged, Place
from fer_jax.base.text import shown
from fer_jax.data.reading import arrays
from fer_jax.data.reading.containers import Origin, open_origin
from fer_jax.data.reading.problems import Faults
from fer_jax.errors import DataError

_RECORDS = "records"
_NOTE = "records.json"


@dataclasses.dataclass(frozen=True)
class Source:
    """All pictures of a data set, before splits and chosen classes.

    Attributes:
        images: uint8, shape (n, size, size, channels), mapped from the cache and read-only. Sorted
            by usage, label and the pixels of the undecoded size, so that the same pictures from a
            folder, an archive or a table give the same arrays.
        labels: int32, shape (n,), indices into `classes`.
        usage: int8, shape (n,): 0 train, 1 validation, 2 test, -1 none given.
        classes: alphabetical names in one spelling (`names.canonical`); all seven for FER-2013.
        provenance: JSON values: source, kind, checksums, counts, ignored and skipped items, size,
            channels.
    """

    images: np.ndarray
    labels: np.ndarray
    usage: np.ndarray
    classes: tuple[str, ...]
    provenance: dict[str, Any]


def read(path: str, image_size: int, channels: int, on_error: str, fer: bool) -> Source:
    """Reads a data set, preparing it if this state of it is not in the cache yet.

    Args:
        path: folder, zip, tar or csv; see `layout` for what may be in it, `pictures` for what is
            done to a picture.
        image_size: height and width wanted, pixels.
        channels: 1 (grey) or 3 (RGB).
        on_error: 'fatal', or 'skip' to leave broken items out; they are counted in the provenance
            either way.
        fer: whether it is FER-2013: seven classes, official usage by file name, tables. Else any
            class folders.

    Raises:
        DataError: the source is missing or broken as a whole, has broken items that may not be
            skipped, or the cache cannot be written.
    """
    origin = open_origin(path)
    if origin.kind == "csv" and not fer:
        raise DataError(f"data.path: {shown(path)} is a table of FER-2013: --config.data.name=fer2013 reads it")
    place = Place(origin.path, origin.fingerprint(), "fer2013" if fer else "folders")
    size = (image_size, image_size, channels)
    try:
        source = _load(place, size)
    except Damaged:
        source = None
    if source is None:
        with place.lock():
            source = _load_or_prepare(place, path, origin, size, on_error, fer)
    faults = _faults(source.provenance)
    faults.check(path, on_error)
    if len(faults):
        console.say(f"left out: {faults.describe(path)}")
    return source


def file_names(path: str, fer: bool) -> list[str]:
    """What a source that was read calls its pictures, in the order of `Source.images`: a member's
    name, or 'row 17'.

    Raises:
        DataError: the source has changed since it was read, or what was prepared from it is
            damaged.
    """
    from fer_jax.data.reading import records

    origin = open_origin(path)
    place = Place(origin.path, origin.fingerprint(), "fer2013" if fer else "folders")
    try:
        return list(records.read(place.entry / _RECORDS, lambda record: record.file))
    except Damaged as error:
        raise DataError(f"{shown(path)}: the names of its pictures cannot be read ({error}); start again") from error


def _load(place: Place, size: tuple[int, int, int]) -> Source | None:
    """What the cache holds, None if it holds nothing. Raises Damaged."""
    folder = place.entry / _arrays_name(size)
    if not folder.is_dir():
        return None
    found, note = arrays.load(folder)
    about = note["about"]
    provenance = {**about["provenance"], "image_size": size[0], "channels": size[2], "arrays_sha256": note["sha256"]}
    return Source(found["images"], found["labels"], found["usage"], tuple(about["classes"]), provenance)


def _arrays_name(size: tuple[int, int, int]) -> str:
    return "x".join(map(str, size))


def _faults(provenance: dict[str, Any]) -> Faults:
    return Faults.from_json(provenance["skipped"])


def _load_or_prepare(
    place: Place, path: str, origin: Origin, size: tuple[int, int, int], on_error: str, fer: bool
) -> Source:
    """With the lock held: what another process has prepared meanwhile, or what is prepared now."""
    try:
        if source := _load(place, size):
            return source
    except Damaged as error:
        console.say(f"the cached copy of {shown(path)} is damaged ({error}); building it again")
    try:
        about = _about(place)
        if about is not None:
            _faults(about["provenance"]).check(path, on_error)
            console.say(f"preparing {shown(path)} at {size[0]} x {size[1]} pixels")
            _write_arrays(place, about, size)
    except Damaged as error:
        console.say(f"the cached copy of {shown(path)} is damaged ({error}); building it again")
        about = None
    try:
        if about is None:
            _write_arrays(place, _write_records(place, path, origin, on_error, fer), size)
        source = _load(place, size)
    except Damaged as error:
        raise DataError(f"the data cache {place.home} does not keep what is written to it: {error}") from error
    assert source is not None  # it was written just now
    return source


def _about(place: Place) -> dict[str, Any] | None:
    """Classes, splits and provenance of the prepared records, None if there are none. Raises
    Damaged.
    """
    if not (place.entry / _RECORDS).is_dir():
        return None
    return cache.read_note(place.entry / _RECORDS / _NOTE)


def _write_records(place: Place, path: str, origin: Origin, on_error: str, fer: bool) -> dict[str, Any]:
    """Reads the whole source into an ArrayRecord data set."""
    from fer_jax.data.reading import collect

    with cache.explain_write(place.home), place.scratch() as spool:
        gathered = collect.gather(origin, fer, spool)
        gathered.faults.check(path, on_error)
        if open_origin(path).fingerprint() != place.fingerprint:
            raise DataError(f"{shown(path)}: changed while it was read; start again when it is complete")
        about = {"classes": gathered.classes, "count": len(gathered.items), "provenance": gathered.provenance}
        with place.new(_RECORDS) as folder:
            from fer_jax.data.reading import records

            records.write(gathered, folder, fer)
            cache.write_note(folder / _NOTE, about)
    return about


def _write_arrays(place: Place, about: dict[str, Any], size: tuple[int, int, int]) -> None:
    """Decodes the stored pictures to arrays of one size. Raises Damaged if the records are."""
    with place.new(_arrays_name(size)) as folder, cache.explain_write(place.home):
        pictures = _decoded(place, about["count"], size)
        arrays.write(folder, pictures, (about["count"], *size), about)


def _decoded(place: Place, count: int, size: tuple[int, int, int]) -> Iterator[tuple[np.ndarray, int, int]]:
    from fer_jax.data.reading import pictures, records

    def decode(record: records.Record) -> tuple[np.ndarray, int, int]:
        image = pictures.decode(record.image)
        if pictures.digest(image) != record.digest:
            raise ValueError("a picture's checksum differs")
        return pictures.fit(image, size[0], size[2]), record.label, record.usage

    with console.bar("resizing", count) as advance:
        for decoded in records.read(place.entry / _RECORDS, decode):
            advance()
            yield decoded
