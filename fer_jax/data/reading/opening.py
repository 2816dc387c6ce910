"""The one door to what a user names as data: which kind of container lies at a path."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from fer_jax.base.text import shown
from fer_jax.data.reading import single_files
from fer_jax.data.reading.archives import Tar, Zip
from fer_jax.data.reading.containers import Container, Folder, Table, explain_read
from fer_jax.data.reading.single_files import ArrayFile, CompressedTable, Parquet
from fer_jax.errors import DataError

_TABLES = (".csv", ".tsv", ".txt")


def open_container(path: str) -> Container:
    """Returns what lies at `path`; its contents say of which kind it is.

    Args:
        path: a folder, a zip, a tar (plain or .gz, .bz2, .xz), a table (.csv, .tsv or .txt, also
            compressed, or parquet) or arrays (.npz, .npy); '~' is understood.

    Raises:
        DataError: nothing is there, it cannot be read, or it is none of these.
    """
    if not path:
        raise DataError("data.path is empty: name a folder, a zip, a tar, a table or arrays with --config.data.path=")
    place = os.path.abspath(os.path.expanduser(path))
    try:
        state = os.stat(place)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"data.path: cannot find {shown(path)}: {reason}") from error
    if stat.S_ISDIR(state.st_mode):
        return Folder(place)
    if not stat.S_ISREG(state.st_mode):
        raise DataError(f"data.path: {shown(path)} is neither a file nor a folder")
    if not state.st_size:
        raise DataError(f"data.path: {shown(path)} is an empty file")
    with explain_read(place), open(place, "rb") as file:
        head = file.read(512)
    if head.startswith(b"PK"):
        return ArrayFile(place, "npz") if _first_member(head).endswith(".npy") else Zip(place)
    if head.startswith(b"\x93NUMPY"):
        return ArrayFile(place, "npy")
    if head.startswith(b"PAR1"):
        return Parquet(place)
    if Path(place).suffix.lower() in _TABLES:
        return Table(place)
    unpacked = single_files.decompressed(place, head, 512)
    if unpacked is not None and not Tar.begins(unpacked) and _table_name(place, unpacked):
        return CompressedTable(place)
    if Tar.begins(head):
        return Tar(place)
    raise DataError(f"data.path: {shown(path)} {_what_else(head)}")


def _first_member(head: bytes) -> str:
    """Returns the name of the first member of a zip that begins so."""
    length = int.from_bytes(head[26:28], "little")
    return head[30 : 30 + length].decode("utf-8", "replace")


def _table_name(place: str, unpacked: bytes) -> bool:
    """Returns whether a compressed file is a table, by its name or the words it begins with."""
    inner = Path(place).stem.lower()
    return inner.endswith(tuple(_TABLES)) or b"pixels" in unpacked.lower().partition(b"\n")[0]


def _what_else(head: bytes) -> str:
    """Returns what to do with a file that cannot be read, after its name."""
    if head.startswith((b"Rar!", b"7z\xbc\xaf\x27\x1c")):
        return f"is a {'RAR' if head.startswith(b'Rar!') else '7z'} archive: unpack it and name the folder"
    if head[:1] == b"\x80" and 2 <= head[1] <= 5:
        return "is a pickle, which could run any program and is never loaded: save arrays with np.savez(path, X=X, y=y)"
    return (
        "is neither a folder, a zip, a tar (.tar, .tar.gz, .tar.bz2, .tar.xz), a table (.csv, .tsv, .parquet) "
        "nor arrays (.npz, .npy)"
    )
