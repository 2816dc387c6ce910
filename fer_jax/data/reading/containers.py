"""What images come in: a folder, a zip, a tar or a single table, all seen as members with bytes.

Nothing is ever written to disk under a name that a source chose: members are read into memory, at
most `limit` bytes of each.
"""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import hashlib
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Literal

from fer_jax.base import console
from fer_jax.base.text import shown
from fer_jax.data.reading.problems import Unusable
from fer_jax.errors import DataError

_MAX_DEPTH = 100
# What a damaged file makes the readers of archives and arrays raise.
DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, struct.error)


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """One entry of a container.

    Attributes:
        name: path inside the container, '/' between its parts; else as the container spells it.
        size: bytes, uncompressed, as the container claims.
        kind: 'file', 'folder', 'link' (an archive's), 'special' (a pipe, socket or device)
            or 'hidden' (a folder's).
        position: where the container keeps it; only the container knows what that means.
    """

    name: str
    size: int
    kind: Literal["file", "folder", "link", "special", "hidden"]
    position: int = 0


class Container(abc.ABC):
    """A folder, archive or table whose members can be read.

    Attributes:
        path: absolute path, as text.
        kind: 'folder', 'zip', 'tar' or 'csv'.
    """

    kind: str

    def __init__(self, path: str):
        self.path = path

    @abc.abstractmethod
    def members(self) -> list[Member]:
        """Returns everything in the container; of members with one name, the last. Raises DataError
        if the container is damaged.
        """

    @abc.abstractmethod
    def read(self, members: Iterable[Member], limit: int) -> Iterator[tuple[Member, bytes | Unusable]]:
        """Yields the given members with their bytes, in the container's own order.

        Whoever gets more than `limit` bytes knows that the member is larger than that. A member
        that cannot be read comes with its reason instead; a container that is damaged as a whole
        raises DataError.
        """

    @abc.abstractmethod
    def lines(self, member: Member, limit: int) -> Iterator[bytes]:
        """Yields one member line by line; of a line above `limit` bytes, `limit` + 1. Raises
        DataError if that fails.
        """

    def fingerprint(self) -> str:
        """Returns a text that changes when the container does. Names, sizes and modification times
        enter, not contents, so that it is cheap.
        """
        with explain_read(self.path):
            state = os.stat(self.path)
        return _digest([f"{state.st_size} {state.st_mtime_ns}"])

    def checksum(self) -> str | None:
        """Returns a SHA-256 (hex) of the file, None for a folder."""
        with explain_read(self.path), open(self.path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


class Folder(Container):
    """A folder and all below it; links are followed.

    Hidden files and folders are listed and not looked into; pipes, sockets and devices are listed
    and never opened.
    """

    kind = "folder"

    def __init__(self, path: str):
        super().__init__(path)
        # Plain tuples: a folder of 36,000 images is listed at every start, to learn whether it
        # changed.
        self._found: list[tuple[str, int, int]] = []  # name (a folder's ends in '/'), bytes, time of change in ns
        self._special: list[str] = []
        self._hidden: list[str] = []
        try:
            with console.bar("listing", None, "files") as advance:
                self._scan(path, "", (), advance)
        except OSError as error:
            raise DataError(f"cannot list {shown(error.filename or path)}: {error.strerror}") from error

    def _scan(
        self, folder: str, prefix: str, above: tuple[tuple[int, int], ...], advance: Callable[[], object]
    ) -> None:
        state = os.stat(folder)
        if (state.st_dev, state.st_ino) in above:  # a link back to a folder that this one lies in
            return
        if len(above) > _MAX_DEPTH:
            raise DataError(f"{shown(self.path)}: folders lie more than {_MAX_DEPTH} deep in each other")
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            name = prefix + entry.name
            advance()
            if entry.name.startswith("."):
                self._hidden.append(name)
                continue
            if entry.is_dir():
                self._found.append((f"{name}/", 0, 0))
                self._scan(entry.path, f"{name}/", (*above, (state.st_dev, state.st_ino)), advance)
                continue
            try:
                of_file = entry.stat()
            except OSError:  # a link to nowhere: it is listed, and found unreadable if it is wanted
                of_file = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(of_file.st_mode) or stat.S_ISLNK(of_file.st_mode):
                self._found.append((name, of_file.st_size, of_file.st_mtime_ns))
            else:
                self._special.append(name)

    def members(self) -> list[Member]:
        return [
            *(
                Member(name[:-1], 0, "folder") if name.endswith("/") else Member(name, size, "file")
                for name, size, _ in self._found
            ),
            *(Member(name, 0, "special") for name in self._special),
            *(Member(name, 0, "hidden") for name in self._hidden),
        ]

    def read(self, members: Iterable[Member], limit: int) -> Iterator[tuple[Member, bytes | Unusable]]:
        for member in members:
            try:
                with open(os.path.join(self.path, member.name), "rb") as file:
                    yield member, file.read(limit + 1)
            except OSError as error:
                yield member, Unusable(f"cannot be read: {error.strerror}")

    def lines(self, member: Member, limit: int) -> Iterator[bytes]:
        path = os.path.join(self.path, member.name)
        with explain_read(path), open(path, "rb") as file:
            yield from bounded_lines(file, limit)

    def fingerprint(self) -> str:
        return _digest([repr(self._found), *self._special])

    def checksum(self) -> str | None:
        return None


class Table(Container):
    """A single file that is a table of pixels; its only member bears its name."""

    kind = "csv"

    def members(self) -> list[Member]:
        return [Member(os.path.basename(self.path), 0, "file")]

    def read(self, members: Iterable[Member], limit: int) -> Iterator[tuple[Member, bytes | Unusable]]:
        raise TypeError("a table is read line by line")

    def lines(self, member: Member, limit: int) -> Iterator[bytes]:
        with explain_read(self.path), open(self.path, "rb") as file:
            yield from bounded_lines(file, limit)


@contextlib.contextmanager
def explain_read(path: str) -> Iterator[None]:
    """Turns an OSError raised inside into one line about the file at `path`."""
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot read {shown(path)}: {error.strerror or error}") from error


def bounded_lines(file: IO[bytes], limit: int) -> Iterator[bytes]:
    """Yields the lines of a file, each cut after `limit` + 1 bytes.

    So a file without line ends cannot fill the memory.
    """
    while line := file.readline(limit + 1):
        yield line
        while len(line) > limit and not line.endswith(b"\n"):
            line = file.readline(limit + 1)


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
