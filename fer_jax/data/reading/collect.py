"""One walk over a source: every usable picture with its class and usage, in one order for all kinds
of source.

Encoded pictures are kept as they are in an unnamed temporary file; the rows of a table become PNG.
Each picture is decoded once here, so that a broken one is known before anything is built from it.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
from collections.abc import Iterator
from typing import IO, Any

from fer_jax.base import console
from fer_jax.base.text import shown
from fer_jax.data import names
from fer_jax.data.reading import layout, pictures, pixel_tables
from fer_jax.data.reading import problems as kinds
from fer_jax.data.reading.containers import Member, Origin
from fer_jax.data.reading.problems import Faults, Unusable
from fer_jax.errors import DataError

_LISTED = 50  # ignored files that are kept by name


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Item:
    """A usable picture; items sort by usage, class and pixels.

    Attributes:
        usage: 0 train, 1 validation, 2 test, -1 none given.
        label: class name.
        digest: see `pictures.digest`.
        name: in the source: a member's name, or 'row 17'.
        start, size: where its file lies in the spool, bytes.
        mode: L or RGB, as it was decoded.
    """

    usage: int
    label: str
    digest: str
    name: str
    start: int
    size: int
    mode: str


@dataclasses.dataclass
class Gathered:
    """What a source held.

    Attributes:
        items: sorted, so that one order serves every kind of source.
        classes: alphabetical; all seven for FER-2013, even those without a picture.
        faults: what could not be used.
        provenance: JSON values: source, kind, checksum of the file and of its contents, counts,
            ignored and skipped items.
    """

    items: list[Item]
    classes: tuple[str, ...]
    faults: Faults
    provenance: dict[str, Any]
    spool: IO[bytes]

    @property
    def channels(self) -> int:
        """1 if all pictures are grey, else 3."""
        return 1 if all(item.mode == "L" for item in self.items) else 3

    def data(self, item: Item) -> bytes:
        """The encoded picture."""
        self.spool.seek(item.start)
        return self.spool.read(item.size)


def gather(origin: Origin, fer: bool, spool: IO[bytes]) -> Gathered:
    """Reads a source from end to end.

    Args:
        origin: the source.
        fer: whether it is FER-2013; see `layout.find`.
        spool: an empty file, open for reading and writing; takes the encoded pictures.

    Raises:
        DataError: the source is damaged as a whole, holds nothing to read, or nothing of it can be
            used. Single broken items are only noted, in `faults`.
    """
    faults = Faults()
    found = layout.find(origin.path, origin.members(), fer, faults)
    what = f"{len(found.pictures):,} pictures" if found.pictures else "a table"
    console.say(f"reading {shown(origin.path)} for the first time: {what}")
    if found.tables:
        items = list(_table_items(origin, found.tables[0], spool, faults))
    else:
        items = list(_picture_items(origin, found.pictures, spool, faults))
    if not items:
        what = f"nothing in it can be used: {faults.describe(origin.path)}" if len(faults) else "it has no rows"
        raise DataError(f"{shown(origin.path)}: {what}")
    items.sort()
    classes = names.CLASSES if fer else tuple(sorted({item.label for item in items}))
    provenance = {
        "source": shown(origin.path, 4096),
        "kind": origin.kind,
        "table": found.tables[0].name if found.tables else None,
        "sha256": origin.checksum(),
        "contents_sha256": _contents(items),
        "source_counts": _counts(items, classes),
        "ignored": {"count": len(found.ignored), "items": [shown(name) for name in found.ignored[:_LISTED]]},
        "skipped": faults.as_json(),
    }
    return Gathered(items, classes, faults, provenance, spool)


def _picture_items(origin: Origin, placed: list[layout.Placed], spool: IO[bytes], faults: Faults) -> Iterator[Item]:
    wanted: list[Member] = []
    places = {}
    for place in placed:
        if place.member.size > pictures.MAX_BYTES:
            reason = f"is larger than {pictures.MAX_BYTES // 2**20} MiB"
            faults.add(kinds.PICTURE, place.member.name, reason)
        else:
            wanted.append(place.member)
            places[place.member.name] = place
    start = 0
    with console.bar("reading", len(wanted)) as advance:
        for member, data in origin.read(wanted, pictures.MAX_BYTES):
            advance()
            try:
                if isinstance(data, Unusable):
                    raise data
                image = pictures.decode(data)
            except Unusable as error:
                faults.add(kinds.PICTURE, member.name, str(error))
                continue
            spool.write(data)
            place = places[member.name]
            yield Item(place.usage, place.label, pictures.digest(image), member.name, start, len(data), image.mode)
            start += len(data)


def _table_items(origin: Origin, table: Member, spool: IO[bytes], faults: Faults) -> Iterator[Item]:
    start = 0
    name = origin.path if origin.kind == "csv" else f"{origin.path}: {table.name}"
    with console.bar("reading", None) as advance:
        for row in pixel_tables.rows(origin.lines(table, pixel_tables.MAX_ROW_BYTES), name, faults):
            advance()
            image = pictures.from_grey(row.pixels, pixel_tables.SIDE, pixel_tables.SIDE)
            data = pictures.encode(image)
            spool.write(data)
            yield Item(row.usage, row.label, pictures.digest(image), f"row {row.number}", start, len(data), image.mode)
            start += len(data)


def _contents(items: list[Item]) -> str:
    """SHA-256 (hex) over usage, class and pixels of all pictures: the same whatever kind of source
    they came from.
    """
    lines = (f"{item.usage} {item.label} {item.digest}\n" for item in items)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _counts(items: list[Item], classes: tuple[str, ...]) -> dict[str, dict[str, int]]:
    found = collections.Counter((item.usage, item.label) for item in items)
    usages = sorted({item.usage for item in items})
    return {names.USAGES[usage]: {label: found[usage, label] for label in classes} for usage in usages}
