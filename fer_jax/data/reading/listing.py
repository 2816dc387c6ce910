"""A file that lists images with their labels: `data.labels`.

A csv, tsv or text file, a row an image: the image, its label and, where they are there, its split
and its group. Separators are found out: tab, semicolon, comma or spaces. Columns are found by the
words in a first row (`columns`), else by what they hold: names of pictures, words for splits, and
in the order label, group what is left.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from fer_jax.base.text import shown
from fer_jax.config import naming
from fer_jax.data import names
from fer_jax.data.reading import columns
from fer_jax.data.reading.image_files import SUFFIXES
from fer_jax.data.reading.problems import ROW, Problems
from fer_jax.errors import DataError

MAX_BYTES = 128 * 2**20  # of a list: a million rows of 128 characters
_SEPARATORS = ("\t", ";", ",")
_PROBED = 200  # rows that separator and columns are judged by
_ROLES = ("image", "label", "split", "group")
_VOTED = {*names.CLASSES, "contempt"}
_FEWEST_VOTES = 6  # columns of whole numbers: a list has no use for so many


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A row of a list.

    Attributes:
        row: its number; the first of the file is 1.
        image: what the list calls the image, '/' between folders.
        label: as the list spells it, whole numbers as '7'.
        usage: 0 train, 1 validation, 2 test, -1 none given.
        group: '' for none.
    """

    row: int
    image: str
    label: str
    usage: int = names.NO_USAGE
    group: str = ""


@dataclasses.dataclass(frozen=True)
class Listing:
    """What a list says.

    Attributes:
        entries: its rows in order, without those that cannot be read.
        has_split: whether a column tells splits.
        notes: sentences about what was taken for what.
    """

    entries: list[Entry]
    has_split: bool
    notes: list[str]


def parse(data: bytes, name: str, problems: Problems) -> Listing:
    """Returns what a list says.

    Args:
        data: the file.
        name: of the file, for messages.
        problems: takes the rows that cannot be read. Empty ones are none.

    Raises:
        DataError: it is no list of labels: too large, no text, votes for each expression, pixels,
            or its columns cannot be told apart.
    """
    lines = [(number, line) for number, line in enumerate(_text(data, name).splitlines(), 1) if line.strip()]
    if not lines:
        raise DataError(f"data.labels: {shown(name)} has no rows")
    split = _splitter([line for _, line in lines[:_PROBED]])
    rows = []
    for number, line in lines:
        try:
            rows.append((number, [cell.strip() for cell in split(line)]))
        except csv.Error as error:
            problems.add(ROW, f"{name} row {number}", str(error))
    if not rows:
        raise DataError(f"data.labels: {shown(name)}: none of its rows can be read")
    places, notes = _columns(rows, name)
    first = 1 if _is_header(rows[0][1]) else 0
    entries = []
    for number, cells in rows[first:]:
        try:
            entries.append(_entry(number, cells, places))
        except ValueError as error:
            problems.add(ROW, f"{name} row {number}", str(error))
    return Listing(entries, "split" in places, notes)


def _text(data: bytes, name: str) -> str:
    if len(data) > MAX_BYTES:
        raise DataError(f"data.labels: {shown(name)} is larger than {MAX_BYTES // 2**20} MiB")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):  # what spreadsheets call Unicode text
        return data.decode("utf-16", "replace")
    if b"\0" in data:
        raise DataError(f"data.labels: {shown(name)} is no text; a csv, tsv or txt lists images with their labels")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _splitter(lines: Sequence[str]) -> Callable[[str], list[str]]:
    """Returns what parts a line into cells: at the separator that parts most of these alike."""
    alike = {}
    for separator in _SEPARATORS:
        try:
            counts = [len(next(csv.reader([line], delimiter=separator))) for line in lines]
        except csv.Error:
            continue
        most = max(set(counts), key=counts.count)
        alike[separator] = counts.count(most) if most > 1 else 0
    best = max(alike, key=alike.__getitem__, default="")
    if best and 2 * alike[best] > len(lines):
        return lambda line: next(csv.reader([line], delimiter=best))
    counts = [len(line.split()) for line in lines]
    if len(set(counts)) == 1:
        return str.split
    return lambda line: line.rsplit(None, 1)  # spaces in the names of images


def _is_picture(cell: str) -> bool:
    return PurePosixPath(cell.replace("\\", "/")).suffix.lower() in SUFFIXES


def _is_header(cells: Sequence[str]) -> bool:
    found = columns.find(cells, (*_ROLES, "pixels"))
    voted = sum(names.canonical(cell) in _VOTED for cell in cells)
    return not any(map(_is_picture, cells)) and ("image" in found or len(found) > 1 or voted >= _FEWEST_VOTES)


def _columns(rows: list[tuple[int, list[str]]], name: str) -> tuple[dict[str, int], list[str]]:
    """Returns where the columns stand, by role, and a sentence about those that are not used."""
    header = rows[0][1]
    if not _is_header(header):
        return _guessed([cells for _, cells in rows[:_PROBED]], name), []
    found = columns.find(header, (*_ROLES, "pixels"))
    if "pixels" in found:
        raise DataError(f"data.labels: {shown(name)} holds pixels itself: name it as data.path")
    if "label" not in found and sum(names.canonical(cell) in _VOTED for cell in header) >= _FEWEST_VOTES:
        raise _votes(name)
    if missing := [role for role in ("image", "label") if role not in found]:
        given = ", ".join(shown(cell, 40) for cell in header[:6])
        raise DataError(
            f"data.labels: row 1 of {shown(name)} names no column {' and no '.join(missing)}; it has {given}"
        )
    taken = ", ".join(f"{role} from {shown(header[place], 40)!r}" for role, place in found.items())
    unused = [shown(cell, 40) for place, cell in enumerate(header) if place not in found.values() and cell]
    return found, [f"takes {taken}; not {', '.join(unused[:6])}"] if unused else []


def _guessed(rows: list[list[str]], name: str) -> dict[str, int]:
    width = max(map(len, rows))
    cells = [[row[place] if place < len(row) else "" for row in rows] for place in range(width)]
    whole = sum(all(cell.lstrip("-").isdigit() for cell in column if cell) for column in cells)
    if whole >= _FEWEST_VOTES:
        raise _votes(name)
    rest = list(range(width))
    image = max(rest, key=lambda place: (sum(map(_is_picture, cells[place])), -place))
    rest.remove(image)
    found = {"image": image}
    for place in rest:
        if all(names.folder_usage(cell) is not None for cell in cells[place]):
            found["split"] = place
    rest = [place for place in rest if place not in found.values()]
    if not 1 <= len(rest) <= 2:
        says = "one column" if width == 1 else f"{width} columns and no row that names them"
        raise DataError(f"data.labels: {shown(name)} has {says}; make row 1 such as image,label,split,group")
    return found | dict(zip(("label", "group"), rest, strict=False))


def _votes(name: str) -> DataError:
    return DataError(
        f"data.labels: {shown(name)} holds votes for each expression, not one label an image; "
        "write a list of image,label with the expression that most votes are for"
    )


def _entry(number: int, cells: list[str], places: dict[str, int]) -> Entry:
    """Returns a row; raises ValueError with what is wrong."""
    wanted = max(places["image"], places["label"])
    if len(cells) <= wanted:
        raise ValueError(f"has {len(cells)} of {wanted + 1} fields")
    found = {role: cells[place] if place < len(cells) else "" for role, place in places.items()}
    image, label = found["image"].replace("\\", "/"), naming.plain(found["label"])
    if not image or not label:
        raise ValueError(f"names no {'label' if image else 'image'}")
    usage: int | None = names.NO_USAGE
    if word := found.get("split", ""):
        usage = names.worded_usage(word)
        if usage is None:
            raise ValueError(f"split {shown(word, 40)!r} is none of train, validation, test")
    assert usage is not None
    return Entry(number, image, label, usage, found.get("group", ""))
