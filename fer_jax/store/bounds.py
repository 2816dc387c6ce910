"""How large and how deep a file of a run may be, looked at before memory is taken for it.

A file may claim more than it holds: an array of 10^12 rows in a hundred bytes, a column that
repeats one long text a million times. Each function here raises a ValueError of one line where a
file claims what no run of this program comes to; who calls it adds which file it is and what to do.
"""

from __future__ import annotations

import json
import math
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from fer_jax.base import arrays
from fer_jax.base.text import in_bytes, shown

MOST_JSON_BYTES = 1 << 26
MOST_JSON_DEPTH = 64
MOST_NOTES_BYTES = 1 << 18
MOST_TABLE_BYTES = 1 << 29
MOST_HEADER_BYTES = 1 << 20
MOST_COLUMNS = 10_000
MOST_FILE_BYTES = 1 << 31  # of what is read whole: a head, labels, a part of the curves
# A kernel of zeros need not be on disk; nothing else of a checkpoint takes more than is stored.
UNSTORED_BYTES = 1 << 26
COPIES = 16  # of the weights in one checkpoint: best, last and what the optimiser remembers


def read_whole(path: Path, most: int = MOST_FILE_BYTES) -> bytes:
    """Returns the bytes of a file; ValueError where it has more than `most`."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            _refuse(f"{in_bytes(size)}, more than the {in_bytes(most)} that it may have")
        return file.read(most)


def read_json(path: Path) -> dict[str, Any]:
    """Returns the document that a JSON file holds.

    Raises:
        ValueError: it is too large, nested too deep, no JSON, no object, or has a number that is
            infinite or none.
        OSError: it is not there, or cannot be read.
    """
    try:
        document = json.loads(read_whole(path, MOST_JSON_BYTES), parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError) as error:
        _refuse("nested too deep" if isinstance(error, RecursionError) else str(error))
    if not isinstance(document, dict):
        _refuse(f"it holds no object but {shown(repr(document), 40)}")
    level: list[Any] = [document]
    for _ in range(MOST_JSON_DEPTH):
        level = [
            part
            for outer in level
            for part in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(part, (dict, list))
        ]
        if not level:
            return document
    _refuse(f"nested deeper than {MOST_JSON_DEPTH} levels")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{shown(text, 40)} is no finite number")
    return value


def check_table(path: Path) -> None:
    """Raises ValueError for a CSV file that is too large or whose first line is."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > MOST_TABLE_BYTES:
            _refuse(f"{in_bytes(size)}, more than the {in_bytes(MOST_TABLE_BYTES)} that it may have")
        header = file.readline(MOST_HEADER_BYTES)
    if len(header) == MOST_HEADER_BYTES or header.count(b",") >= MOST_COLUMNS:
        _refuse(f"more than {MOST_COLUMNS:,} columns")


def check_curves(path: Path) -> None:
    """Raises ValueError for a part of the curves that would take more memory than curves ever do.

    Its columns are numbers but for `id`, short texts that may be repeated in few bytes.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    size = path.stat().st_size
    if size > MOST_FILE_BYTES:
        _refuse(f"{in_bytes(size)}, more than the {in_bytes(MOST_FILE_BYTES)} that it may have")
    with pq.ParquetFile(path, read_dictionary=["id"]) as file:
        schema, groups = file.schema_arrow, [file.metadata.row_group(number) for number in range(file.num_row_groups)]
        rows = max(file.metadata.num_rows, sum(group.num_rows for group in groups))
        claimed = max(8 * rows * len(schema), sum(group.total_byte_size for group in groups))
        if claimed > MOST_FILE_BYTES or min((rows, *(group.num_rows for group in groups))) < 0:
            _refuse(f"it claims {rows:,} rows of {len(schema):,} columns")
        numeric = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_null)
        for field in schema:
            if field.name != "id" and not any(is_kind(field.type) for is_kind in numeric):
                _refuse(f"its column {shown(field.name, 40)} holds no numbers")
        if "id" in schema.names:
            for chunk in file.read(["id"]).column("id").chunks:
                texts = chunk.dictionary if pa.types.is_dictionary(chunk.type) else chunk
                if any(len(text.as_py() or "") > 64 for text in texts):
                    _refuse("an id of it has more than 64 characters")


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Returns the arrays of a .npz file as `numpy.savez` writes it, uncompressed.

    Raises:
        ValueError: it is no such file, or an array of it claims more than the file holds, is
            compressed, or holds objects.
    """
    size = path.stat().st_size
    check_zip(path)
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                with archive.open(member) as file:
                    _check_array_header(path, file, member.file_size)
        found = arrays.read_npz(path)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, SyntaxError, RecursionError) as error:
        _refuse(str(error) or type(error).__name__)
    if sum(array.nbytes for array in found.values()) > size:
        _refuse("it claims more than it holds")
    return found


def _check_array_header(path: Path, file: Any, size: int) -> None:
    """Raises ValueError where the header of a .npy file claims other than what follows it."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, kind = read(file)
    claimed = math.prod(shape) * kind.itemsize
    if kind.hasobject or min(shape, default=0) < 0 or claimed > size:
        _refuse(f"an array of it claims {' x '.join(f'{axis:,}' for axis in shape)} of {kind}")


def check_zip(path: Path) -> None:
    """Raises ValueError for a zip file that would grow when it is read.

    What this program writes into zip files is stored as it is.
    """
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        _refuse(str(error))
    packed = any(member.compress_type != zipfile.ZIP_STORED for member in members)
    if packed or sum(member.file_size for member in members) > min(size, MOST_FILE_BYTES):
        _refuse("its parts would take more room than the file")


def check_arrays(path: Path, shapes: Mapping[str, tuple[tuple[int, ...], int]]) -> None:
    """Raises ValueError where the arrays of a checkpoint claim more bytes than there are on disk.

    Args:
        path: the checkpoint's folder.
        shapes: an array's name -> (its shape, or that of the part to read; bytes of one number).
    """
    stored = sum(os.lstat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(path) for name in names)
    total = 0
    for name, (shape, itemsize) in shapes.items():
        claimed = math.prod(shape) * itemsize
        total += claimed
        if claimed > stored + UNSTORED_BYTES or total > COPIES * (stored + UNSTORED_BYTES):
            said = " x ".join(f"{axis:,}" for axis in shape)
            _refuse(f"{shown(name, 80)} claims {said}, and {in_bytes(stored)} are stored")


def _refuse(reason: str) -> NoReturn:
    raise ValueError(shown((reason.splitlines() or ["unreadable"])[0])) from None
