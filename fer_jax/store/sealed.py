"""Tables that later starts believe, each beside a sealed copy that tells damage from what counts.

The sealed copy of `trials.csv` is `.sealed/trials.json`: the table's text, its SHA-256, and that of
the file it replaces. It is written first, so that after a kill between the two the file is the one
before, and the copy counts without a word. Any other file was damaged or edited.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
from pathlib import Path

from fer_jax.base.files import write_bytes
from fer_jax.base.text import counted
from fer_jax.store import bounds

FOLDER = ".sealed"
# Where an edited table goes when a sweep writes its own values back.
CHANGED = ".changed"
_NAMED = 3  # cells and rows that a message names
_ROUNDING = 1e-9  # relative: what fifteen digits of a spreadsheet make of a number


@dataclasses.dataclass(frozen=True)
class StoredTable:
    """A table of a run as it may be read.

    Attributes:
        content: CSV, UTF-8, as this program wrote it where `is_sealed`, else as it was found.
        is_sealed: whether every row is known to be what this program wrote.
        said: lines for people on how the file differs from what was written.
        is_file_whole: whether the file itself holds what was written.
    """

    content: bytes
    is_sealed: bool
    said: tuple[str, ...] = ()
    is_file_whole: bool = True


@dataclasses.dataclass(frozen=True)
class _Seal:
    content: bytes
    sha256: str
    before: str


def write(path: Path, content: bytes) -> None:
    """Writes a table after its sealed copy; RunError where the disk refuses.

    A file that another program has changed is kept as `trials.csv.changed`.
    """
    found, seal = _content(path), _seal(path)
    before = _known_by(found)
    if found is not None and isinstance(seal, _Seal) and before not in (seal.sha256, seal.before):
        write_bytes(path.with_name(path.name + CHANGED), found)
    record = {"sha256": _sha256(content), "before": before, "table": content.decode()}
    write_bytes(_seal_path(path), (json.dumps(record, indent=1) + "\n").encode())
    write_bytes(path, content)


def forget(path: Path) -> None:
    """Deletes a table and its sealed copy, if they are there; raises OSError."""
    # The other way round, a kill in between would leave a copy that counts.
    _seal_path(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def exists(path: Path) -> bool:
    """Returns whether a table is there, be it only as its sealed copy."""
    return path.is_file() or isinstance(_seal(path), _Seal)


def read(path: Path) -> StoredTable:
    """Returns what may be believed of a table.

    Raises:
        OSError: neither the file nor its sealed copy can be read.
    """
    seal = _seal(path)
    while True:
        if not isinstance(seal, _Seal):
            content = path.read_bytes()
            return StoredTable(content, False, (seal,) if seal else (), False)
        found = _content(path)
        if _known_by(found) in (seal.sha256, seal.before):
            return StoredTable(seal.content, True)
        # A run that is going on may have written both since the copy was read.
        again = _seal(path)
        if again == seal:
            break
        seal = again
    if found is None:
        line = f"{path} is gone: its sealed copy {_seal_path(path)} counts"
        return StoredTable(seal.content, True, (line,), False)
    words = _differences(seal.content, found)
    line = f"{path} is not as it was written: {words}; the written values count"
    return StoredTable(seal.content, True, (line,) if words else (), False)


def parse(content: bytes) -> tuple[list[str], list[list[str]]]:
    """Returns header and rows of CSV as this program or a spreadsheet writes it.

    A byte order mark, UTF-16, semicolons and tabs are understood; empty lines are left out.

    Raises:
        ValueError: it is no CSV.
    """
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = content.decode(encoding, errors="replace")
    first = text.partition("\n")[0]
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count)) if row]
    except csv.Error as error:
        raise ValueError(str(error)) from None
    if not rows:
        raise ValueError("it is empty")
    return [name.strip() for name in rows[0]], rows[1:]


def number(text: str) -> float | None:
    """Returns the number that a cell holds, also with a decimal comma; None for another text."""
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return None


def _differences(written: bytes, found: bytes) -> str:
    """Returns in words what differs, empty where only the looks do."""
    header, rows = parse(written)
    if written.startswith(found):
        kept = found.count(b"\n")
        if len(found) > len(written.rstrip(b"\n")) - 1:
            return ""
        return f"it is cut in line {kept + 1} of {len(rows) + 1}"
    try:
        found_header, found_rows = parse(found)
    except ValueError as error:
        return f"it cannot be understood ({error})"
    if header[0] not in found_header:
        return f"it has no column {header[0]!r}"
    place = found_header.index(header[0])
    by_id: dict[str, list[list[str]]] = {}
    for row in found_rows:
        by_id.setdefault(row[place].strip() if len(row) > place else "", []).append(row)
    ids = [row[0] for row in rows]
    parts = []
    if lacking := [name for name in header if name not in found_header]:
        parts.append(f"no column {some(lacking)}")
    if gone := [identity for identity in ids if identity not in by_id]:
        parts.append(f"{counted(len(gone), 'row')} gone ({some(gone)})")
    if strange := [identity for identity in by_id if identity not in set(ids)]:
        parts.append(f"{counted(len(strange), 'row')} of no known {header[0]} ({some(strange)})")
    if twice := [identity for identity in ids if len(by_id.get(identity, ())) > 1]:
        parts.append(f"{counted(len(twice), 'row')} doubled ({some(twice)})")
    parts += _changed_cells(header, rows, found_header, by_id)
    return ", ".join(parts)


def _changed_cells(
    header: list[str], rows: list[list[str]], found_header: list[str], by_id: dict[str, list[list[str]]]
) -> list[str]:
    """Returns in words which cells of known rows hold another value."""
    places = {name: found_header.index(name) for name in header if name in found_header}
    changed, rounded = [], 0
    for row in rows:
        for other in by_id.get(row[0], ()):
            for name, value in zip(header, row, strict=True):
                if name not in places:
                    continue
                cell = other[places[name]] if places[name] < len(other) else ""
                if _is_same(value, cell):
                    continue
                numbers = number(value), number(cell)
                if None not in numbers and abs(numbers[0] - numbers[1]) <= _ROUNDING * abs(numbers[0]):  # type: ignore[operator,arg-type]
                    rounded += 1
                else:
                    changed.append(f"{name} of {row[0]} is {cell or 'empty'} for {value or 'empty'}")
    parts = [some(changed, "; ")] if changed else []
    return parts + ([f"{counted(rounded, 'number')} rounded"] if rounded else [])


def _is_same(written: str, found: str) -> bool:
    """Returns whether two cells hold the same value, however it is written."""
    if written.strip() == found.strip():
        return True
    numbers = number(written), number(found)
    if None not in numbers:
        return numbers[0] == numbers[1]
    return written.casefold() == found.strip().casefold() in ("true", "false")


def some(words: list[str], between: str = ", ") -> str:
    """Returns the first few of several words, and how many more there are."""
    more = len(words) - _NAMED
    return between.join(words[:_NAMED]) + (f"{between}and {more} more" if more > 0 else "")


def _seal_path(path: Path) -> Path:
    return path.parent / FOLDER / f"{path.stem}.json"


def _seal(path: Path) -> _Seal | str:
    """Returns the sealed copy of a table; else a line on its damage, empty where there is none."""
    seal = _seal_path(path)
    try:
        record = bounds.read_json(seal)
        found = _Seal(record["table"].encode(), record["sha256"], record["before"])
        if found.sha256 == _sha256(found.content):
            return found
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return f"{seal} is damaged: {path.name} is judged by what else the run holds"


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _known_by(found: bytes | None) -> str:
    """Returns the SHA-256 of a file, empty where there is none."""
    return "" if found is None else _sha256(found)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
