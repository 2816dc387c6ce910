"""Tables of pixels such as `fer2013.csv` and `icml_face_data.csv`: a row an image.

The columns emotion, pixels and Usage are found by name, whatever their order, case and surrounding
spaces; usage may be missing. Cells are parted by commas, semicolons or tabs. Rows are numbered as
an editor does: the header is row 1. Lines are parsed one by one, so that a stray quotation mark
spoils one row and not the rest of the file.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

import numpy as np

from fer_jax.base.text import shown
from fer_jax.config import naming
from fer_jax.data import names
from fer_jax.data.reading import columns as headers
from fer_jax.data.reading.image_files import SUFFIXES
from fer_jax.data.reading.label_names import LabelNames
from fer_jax.data.reading.problems import LABEL, ROW, Problems, Unusable
from fer_jax.errors import DataError

SIDE = 48  # height and width of every image of the table
_COLUMNS = {"emotion": "label", "pixels": "pixels", "usage": "split"}  # and their roles
_SEPARATORS = (",", ";", "\t")
MAX_ROW_BYTES = 64 * 1024  # a whole row takes at most 9.3 KB

_PIXELS = SIDE * SIDE
_ALLOWED = b"0123456789 "


class UnknownLabel(Unusable):
    """The error for a row whose emotion is neither a known number nor the name of a class."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One image of the table.

    Attributes:
        number: of the line; the header is 1.
        label: class name.
        usage: 0 train, 1 validation (PublicTest), 2 test (PrivateTest), -1 none given.
        pixels: 48 x 48 grey values, row by row.
    """

    number: int
    label: str
    usage: int
    pixels: bytes


@dataclasses.dataclass(frozen=True)
class Form:
    """How a table is written and what its labels are called.

    Attributes:
        columns: where emotion, pixels and, if there is one, usage stand.
        separator: between cells.
        called: what labels are called; by themselves 0 to 6 are FER-2013's classes.
        fer: whether its seven classes, and those that `called` adds, are the only ones.
    """

    columns: Mapping[str, int]
    separator: str = ","
    called: LabelNames = LabelNames((), fer=True)
    fer: bool = True


def rows(
    lines: Iterable[bytes], name: str, problems: Problems, labels: tuple[str, ...] = (), fer: bool = True
) -> Iterator[Row]:
    """Yields the usable rows of a table.

    Args:
        lines: of the file, cut after MAX_ROW_BYTES + 1 bytes.
        name: of the table, for messages.
        problems: takes the rows that cannot be used. Empty lines are none.
        labels: `data.names`.
        fer: whether FER-2013's classes and those that `labels` names are the only ones.

    Raises:
        DataError: there is no header with the columns emotion and pixels.
    """
    numbered = enumerate(lines, start=1)
    _, header = next(numbered, (1, b""))
    separator, columns = _columns(header, name)
    form = Form(columns, separator, LabelNames(labels, fer=True), fer)
    for number, line in numbered:
        if not line.strip():
            continue
        try:
            yield parse_row(number, line, form)
        except UnknownLabel as error:
            problems.add(LABEL, f"row {number}", str(error))
        except Unusable as error:
            problems.add(ROW, f"row {number}", str(error))


def _columns(header: bytes, name: str) -> tuple[str, dict[str, int]]:
    """Returns the separator and where the columns stand. Raises DataError."""
    line = header.removeprefix(b"\xef\xbb\xbf")
    found: dict[str, int] = {}
    try:
        for separator in _SEPARATORS:
            fields = _fields(line, separator)
            by_role = headers.find(fields, tuple(_COLUMNS.values()))
            found = {column: by_role[role] for column, role in _COLUMNS.items() if role in by_role}
            if "emotion" in found and "pixels" in found:
                return separator, found
            _check_no_list(fields, by_role, name)
        fields = _fields(line, ",")
    except Unusable as error:
        raise DataError(f"{shown(name)}: row 1 is no header ({error})") from error
    by_role = headers.find(fields, tuple(_COLUMNS.values()))
    missing = [column for column in ("emotion", "pixels") if _COLUMNS[column] not in by_role]
    given = ", ".join(shown(field.strip(), 40) for field in fields[:6]) or "nothing"
    raise DataError(f"{shown(name)}: row 1 names no column {' and no '.join(missing)}; it has {given}")


def _check_no_list(fields: list[str], found: Mapping[str, int], name: str) -> None:
    """Raises DataError where a table lists images instead of holding their pixels."""
    named = any(PurePosixPath(word).suffix.lower() in SUFFIXES for field in fields for word in field.split())
    listed = "label" in found and "pixels" not in found and "image" in headers.find(fields, ("image",))
    if named or listed:
        raise DataError(
            f"data.path: {shown(name)} lists pictures with their labels: name it as --config.data.labels=, "
            "and the folder or archive of the pictures as --config.data.path="
        )


def _fields(line: bytes, separator: str) -> list[str]:
    try:
        return next(csv.reader([line.decode("utf-8", "replace").rstrip("\r\n")], delimiter=separator), [])
    except csv.Error as error:
        raise Unusable(str(error)) from error


def parse_row(number: int, line: bytes, form: Form) -> Row:
    """Returns one line of the table as a Row.

    Args:
        number: of the line.
        line: its bytes.
        form: how the table is written.

    Raises:
        Unusable: a field is missing, or out of its range; UnknownLabel if it is the emotion.
    """
    if len(line) > MAX_ROW_BYTES:
        raise Unusable(f"is longer than {MAX_ROW_BYTES // 1024} KiB")
    fields = _fields(line, form.separator)
    if len(fields) <= max(form.columns.values()):
        raise Unusable(f"has {len(fields)} of {max(form.columns.values()) + 1} fields")
    found = {column: fields[place] for column, place in form.columns.items()}
    label = _class(found["emotion"], form)
    usage: int | None = names.NO_USAGE
    if "usage" in found:
        usage = names.folder_usage(found["usage"].strip())
        if usage is None:
            said = shown(found["usage"].strip(), 40)
            raise Unusable(f"usage {said!r} is none of Training, PublicTest, PrivateTest, train, validation, test")
    assert usage is not None
    return Row(number, label, usage, parse_pixels(found["pixels"]))


def _class(text: str, form: Form) -> str:
    """Returns the class that an emotion means: 3, 3.0 or a name; raises UnknownLabel."""
    label = naming.plain(text)
    if named := form.called.named(label):
        return named
    name = names.canonical(label)
    number = name.lstrip("+-").replace(".", "").isdigit()
    if name in {*names.CLASSES, *form.called.classes} or (name and not form.fer and not number):
        return name
    numbers = "" if form.called.given else f" is no integer from 0 to {len(names.CSV_ORDER) - 1} and"
    raise UnknownLabel(f"emotion {shown(text.strip(), 40)!r}{numbers} names no class; data.names can name it")


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
