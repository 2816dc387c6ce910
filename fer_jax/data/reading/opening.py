"""The one door to what a user names as data: which kind of container lies at a path."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from fer_jax.base.text import shown
from fer_jax.data.reading.archives import Tar, Zip
from fer_jax.data.reading.containers import Container, Folder, Table, explain_read
from fer_jax.errors import DataError


def open_container(path: str) -> Container:
    """Returns what lies at `path`; its contents say of which kind it is.

    Args:
        path: a folder, a zip, a tar (plain or .gz, .bz2, .xz) or a .csv file; '~' is understood.

    Raises:
        DataError: nothing is there, it cannot be read, or it is none of these.
    """
    if not path:
        raise DataError("data.path is empty: name a folder, a zip, a tar or a csv with --config.data.path=")
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
        return Zip(place)
    if Path(place).suffix.lower() == ".csv":
        return Table(place)
    if Tar.begins(head):
        return Tar(place)
    raise DataError(
        f"data.path: {shown(path)} is neither a folder, a zip, a tar (.tar, .tar.gz, .tar.bz2, .tar.xz) nor a .csv file"
    )
