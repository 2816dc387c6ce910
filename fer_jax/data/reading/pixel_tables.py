"""FER-2013 as a table: `fer2013.csv` and `icml_face_data.csv`, a row an image.

The columns emotion, pixels and Usage are found by name, whatever their order, case and surrounding
spaces. Rows are numbered as an
editor does: the header is row 1. Lines are parsed one by one, so that a stray quotation mark spoils
one row and not the rest of the file.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from fer_jax.base.text import shown
from fer_jax.data import names
from fer_jax.data.reading.problems import LABEL, ROW, Problems, Unusable
from fer_jax.errors import DataError

SIDE = 48  # height and width of every image of the table
COLUMNS = ("emotion", "pixels", "usage")
MAX_ROW_BYTES = 64 * 1024  # a whole row takes at most 9.3 KB

_PIXELS = SIDE * SIDE
_ALLOWED = b"0123456789 "


class UnknownLabel(Unusable):
    """The error for a row whose emotion is no integer from 0 to 6."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One image of the table.

    Attributes:
        number: of the line; the header is 1.
        label: class name.
        usage: 0 train, 1 validation (PublicTest), 2 test (PrivateTest).
        pixels: 48 x 48 grey values, row by row.
    """

    number: int
    label: str
    usage: int
    pixels: bytes


def rows(lines: Iterable[bytes], name: str, problems: Problems) -> Iterator[Row]:
    """Yields the usable rows of a table.

    Args:
        lines: of the file, cut after MAX_ROW_BYTES + 1 bytes.
        name: of the table, for messages.
        problems: takes the rows that cannot be used. Empty lines are none.

    Raises:
        DataError: there is no header with the three columns.
    """
    numbered = enumerate(lines, start=1)
    _, header = next(numbered, (1, b""))
    columns = _columns(header, name)
    for number, line in numbered:
        if not line.strip():
            continue
        try:
            yield parse_row(number, line, columns)
        except UnknownLabel as error:
            problems.add(LABEL, f"row {number}", str(error))
        except Unusable as error:
            problems.add(ROW, f"row {number}", str(error))


def _columns(header: bytes, name: str) -> dict[str, int]:
    try:
        fields = _fields(header.removeprefix(b"\xef\xbb\xbf"))
    except Unusable as error:
        raise DataError(f"{shown(name)}: row 1 is no header ({error})") from error
    found = {field.strip().lower(): at for at, field in enumerate(fields)}
    missing = [column for column in COLUMNS if column not in found]
    if missing:
        given = ", ".join(shown(field.strip(), 40) for field in fields[:6]) or "nothing"
        raise DataError(f"{shown(name)}: row 1 names no column {' and no '.join(missing)}; it has {given}")
    return {column: found[column] for column in COLUMNS}


def _fields(line: bytes) -> list[str]:
    try:
        return next(csv.reader([line.decode("utf-8", "replace").rstrip("\r\n")]), [])
    except csv.Error as error:
        raise Unusable(str(error)) from error


def parse_row(number: int, line: bytes, columns: Mapping[str, int]) -> Row:
    """Returns one line of the table as a Row.

    Args:
        number: of the line.
        line: its bytes.
        columns: where emotion, pixels and usage stand.

    Raises:
        Unusable: a field is missing, or out of its range; UnknownLabel if it is the emotion.
    """
    if len(line) > MAX_ROW_BYTES:
        raise Unusable(f"is longer than {MAX_ROW_BYTES // 1024} KiB")
    fields = _fields(line)
    if len(fields) <= max(columns.values()):
        raise Unusable(f"has {len(fields)} of {max(columns.values()) + 1} fields")
    emotion, pixels, word = (fields[columns[column]] for column in COLUMNS)
    label = parse_emotion(emotion)
    usage = names.table_usage(word)
    if usage is None:
        raise Unusable(f"usage {shown(word.strip(), 40)!r} is none of Training, PublicTest, PrivateTest")
    return Row(number, label, usage, parse_pixels(pixels))


def parse_emotion(text: str) -> str:
    """Returns the class name that an integer of the emotion column means; raises UnknownLabel."""
    digits = text.strip()
    if len(digits) == 1 and digits in "0123456":
        return names.CSV_ORDER[int(digits)]
    raise UnknownLabel(f"emotion {shown(digits, 40)!r} is no integer from 0 to {len(names.CSV_ORDER) - 1}")


def parse_pixels(text: str) -> bytes:
    """Returns grey values, parsed from decimal integers with spaces between them.

    Args:
        text: 2,304 integers from 0 to 255.

    Returns:
        2,304 bytes.

    Raises:
        Unusable: there are fewer or more, or one is no integer or out of range.
    """
    raw = text.encode("ascii", "replace")
    if raw.translate(None, _ALLOWED):
        bad = (pair for pair in enumerate(text.split(" "), 1) if not (pair[1].isascii() and pair[1].isdigit()))
        at, token = next(pair for pair in bad if pair[1])
        raise Unusable(f"pixel {at} is {shown(token, 20)!r}, not an integer from 0 to 255")
    values = np.fromstring(raw, np.int64, sep=" ") if raw.strip() else np.zeros(0, np.int64)
    if len(values) != _PIXELS:
        raise Unusable(f"has {len(values):,} pixels, not {_PIXELS:,}")
    if values.max() > 255 or values.min() < 0:
        at = int(np.flatnonzero((values > 255) | (values < 0))[0])
        raise Unusable(f"pixel {at + 1} is {text.split()[at][:20]}, not an integer from 0 to 255")
    return values.astype(np.uint8).tobytes()
