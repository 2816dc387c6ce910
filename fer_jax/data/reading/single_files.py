"""Containers that are one file: compressed and parquet tables, arrays of NumPy's."""

from __future__ import annotations

import bz2
import contextlib
import csv
import gzip
import io
import lzma
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from fer_jax.base.text import shown
from fer_jax.data.reading.containers import Container, Member, Table, bounded_lines, explain_read
from fer_jax.data.reading.problems import Unusable
from fer_jax.errors import DataError

_COMPRESSED: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
_BATCH = 1000  # rows of a parquet file at a time
_MAX_GROUP = 8 * 2**30  # bytes of a parquet file's row group, which its columns may ask memory for


def decompressed(path: str, head: bytes, count: int) -> bytes | None:
    """Returns the first `count` bytes of what a file holds that begins with `head`; None where it
    is not compressed with gzip, bzip2 or xz, or damaged there.
    """
    opened = next((opener for magic, opener in _COMPRESSED.items() if head.startswith(magic)), None)
    if opened is None:
        return None
    try:
        with opened(path, "rb") as file:
            return file.read(count)
    except (OSError, EOFError, zlib.error, lzma.LZMAError):
        return None


class CompressedTable(Table):
    """A table compressed with gzip, bzip2 or xz."""

    def lines(self, member: Member, limit: int) -> Iterator[bytes]:
        with explain_read(self.path), open(self.path, "rb") as file:
            head = file.read(8)
        opened = next(opener for magic, opener in _COMPRESSED.items() if head.startswith(magic))
        try:
            with opened(self.path, "rb") as file:
                yield from bounded_lines(file, limit)
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise DataError(f"{shown(self.path)}: is damaged or cut off ({error}); get it again") from error


class Parquet(Table):
    """A table as a parquet file, seen as the lines of a csv."""

    kind = "parquet"

    def lines(self, member: Member, limit: int) -> Iterator[bytes]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        with explain_read(self.path), open(self.path, "rb") as file, self._explain(pa.ArrowException):
            table = pq.ParquetFile(file)
            groups = (table.metadata.row_group(at).total_byte_size for at in range(table.metadata.num_row_groups))
            if max(groups, default=0) > _MAX_GROUP:
                raise DataError(f"{shown(self.path)}: a row group takes more than {_MAX_GROUP // 2**30} GiB")
            columns = table.schema_arrow.names
            kept = [
                one.name for one in table.schema_arrow if pa.types.is_struct(one.type) or pa.types.is_binary(one.type)
            ]
            if kept:
                raise DataError(
                    f"{shown(self.path)}: column {shown(kept[0], 40)} keeps files of pictures, which are not read from "
                    "parquet; write them into class folders"
                )
            yield _line(columns)
            for batch in table.iter_batches(_BATCH):
                for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    yield _line(row)[: limit + 1]

    @contextlib.contextmanager
    def _explain(self, damage: type[Exception]) -> Iterator[None]:
        try:
            yield
        except (damage, ValueError, NotImplementedError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise DataError(f"{shown(self.path)}: the parquet file is damaged ({shown(reason, 160)})") from error


def _line(cells: Iterable[Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(map(_cell, cells))
    return text.getvalue().replace("\n", " ").encode("utf-8", "replace") + b"\n"


def _cell(value: Any) -> Any:
    if isinstance(value, list):  # pixels as numbers
        return " ".join(map(str, value[:65536]))
    if isinstance(value, (bytes, dict)):
        return f"({type(value).__name__})"
    return value


class ArrayFile(Container):
    """Arrays of NumPy's: an npz, or an npy with those that lie beside it.

    Args:
        path: absolute, of the file.
        kind: npz or npy.
    """

    def __init__(self, path: str, kind: str):
        super().__init__(path)
        self.kind = kind

    def files(self) -> list[Path]:
        """Returns the files: the one named, for an npy also the others of its folder."""
        path = Path(self.path)
        beside = sorted(path.parent.glob("*.npy")) if self.kind == "npy" else []
        return [path, *(one for one in beside if one != path)]

    def members(self) -> list[Member]:
        return [Member(os.path.basename(self.path), 0, "file")]

    def read(self, members: Iterable[Member], limit: int) -> Iterator[tuple[Member, bytes | Unusable]]:
        raise TypeError("arrays are read row by row")

    def lines(self, member: Member, limit: int) -> Iterator[bytes]:
        raise TypeError("arrays have no lines")

    def fingerprint(self) -> str:
        with explain_read(self.path):
            states = [(file.name, file.stat()) for file in self.files()]
        return "\n".join([super().fingerprint(), *(f"{name} {one.st_size} {one.st_mtime_ns}" for name, one in states)])
