"""Zip and tar archives as containers: read member by member in memory, and checked to be whole."""

from __future__ import annotations

import contextlib
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from typing import Literal, Self

from fer_jax.base.text import shown
from fer_jax.data.reading.containers import DAMAGE, Container, Member, bounded_lines
from fer_jax.data.reading.problems import Unusable
from fer_jax.errors import DataError

_DAMAGE = (*DAMAGE, tarfile.TarError)
_Mode = Literal["r:", "r:gz", "r:bz2", "r:xz"]
_COMPRESSED: dict[bytes, _Mode] = {b"\x1f\x8b": "r:gz", b"BZh": "r:bz2", b"\xfd7zXZ\0": "r:xz"}
# Bytes of a tar's extended header (a long name, a comment), of which tarfile would read any number
# into memory.
_MAX_HEADER = 2**20


@contextlib.contextmanager
def _explain(path: str) -> Iterator[None]:
    """Turns whatever the archive libraries raise into one line about the archive."""
    try:
        yield
    except _DAMAGE as error:
        raise DataError(f"{shown(path)}: the archive is damaged or cut off ({_reason(error)}); get it again") from error
    except RuntimeError as error:  # a way of packing that this build of zipfile does not know
        raise DataError(f"{shown(path)}: {_reason(error)}; unpack it and name the folder") from error


def _reason(error: Exception) -> str:
    return shown((str(error).strip().splitlines() or [type(error).__name__])[0], 160)


def _last_of_each(members: Iterable[Member]) -> list[Member]:
    # Unpacking would leave the last of several members with one name.
    return list({member.name: member for member in members}.values())


class Zip(Container):
    """A zip archive. Backslashes in names, which some Windows programs write, separate folders."""

    kind = "zip"

    def members(self) -> list[Member]:
        with _explain(self.path), zipfile.ZipFile(self.path) as archive:
            infos = archive.infolist()
        if any(info.flag_bits & 0x1 for info in infos):
            raise DataError(f"{shown(self.path)}: the zip is encrypted; unpack it and name the folder")
        return _last_of_each(self._member(info, position) for position, info in enumerate(infos))

    @staticmethod
    def _member(info: zipfile.ZipInfo, position: int) -> Member:
        name = info.filename.replace("\\", "/").removeprefix("./")
        if name.endswith("/"):
            return Member(name.rstrip("/") or "/", 0, "folder", position)
        unix_mode = info.external_attr >> 16
        return Member(name, info.file_size, "link" if stat.S_ISLNK(unix_mode) else "file", position)

    def read(self, members: Iterable[Member], limit: int) -> Iterator[tuple[Member, bytes | Unusable]]:
        with _explain(self.path), zipfile.ZipFile(self.path) as archive:
            infos = archive.infolist()
            for member in members:
                try:
                    with archive.open(infos[member.position]) as file:
                        data: bytes | Unusable = file.read(limit + 1)
                except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
                    data = Unusable(f"is damaged in the archive: {_reason(error)}")
                yield member, data

    def lines(self, member: Member, limit: int) -> Iterator[bytes]:
        with (
            _explain(self.path),
            zipfile.ZipFile(self.path) as archive,
            archive.open(archive.infolist()[member.position]) as file,
        ):
            yield from bounded_lines(file, limit)


class _StrictInfo(tarfile.TarInfo):
    """A tar header; where it is missing or broken, tarfile would see the end of the archive.

    Here that is an error.
    """

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # the regular end
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"{error}, {archive.offset:,} bytes into it") from error

    @classmethod
    def frombuf(cls, buffer: bytes | bytearray, encoding: str, errors: str) -> Self:
        info = super().frombuf(buffer, encoding, errors)
        extended = not info.isreg() and not info.isdir() and not info.issym() and not info.islnk() and not info.isdev()
        if extended and info.size > _MAX_HEADER:
            raise tarfile.ReadError("an extended header is too large")
        return info


class Tar(Container):
    """A tar archive, plain or compressed with gzip, bzip2 or xz."""

    kind = "tar"

    @staticmethod
    def begins(head: bytes) -> bool:
        """Returns whether a file that begins so (512 bytes) may be a tar, compressed or not."""
        return head[257:262] == b"ustar" or head.startswith(tuple(_COMPRESSED))

    @contextlib.contextmanager
    def _archive(self) -> Iterator[tarfile.TarFile]:
        with _explain(self.path), open(self.path, "rb") as file:
            head = file.read(8)
        mode: _Mode = next((mode for magic, mode in _COMPRESSED.items() if head.startswith(magic)), "r:")
        with _explain(self.path), tarfile.open(self.path, mode, tarinfo=_StrictInfo) as archive:
            yield archive

    def members(self) -> list[Member]:
        with self._archive() as archive:
            return _last_of_each(self._member(info, position) for position, info in enumerate(archive))

    @staticmethod
    def _member(info: tarfile.TarInfo, position: int) -> Member:
        name = info.name.removeprefix("./")
        if info.isdir():
            return Member(name, 0, "folder", position)
        if info.issym() or info.islnk():
            return Member(name, 0, "link", position)
        return Member(name, info.size, "file" if info.isreg() else "special", position)

    def read(self, members: Iterable[Member], limit: int) -> Iterator[tuple[Member, bytes | Unusable]]:
        wanted = {member.position: member for member in members}
        with self._archive() as archive:
            for position, info in enumerate(archive):
                if position in wanted:
                    file = archive.extractfile(info)
                    assert file is not None  # only regular files are wanted
                    yield wanted[position], file.read(limit + 1)

    def lines(self, member: Member, limit: int) -> Iterator[bytes]:
        with self._archive() as archive:
            for position, info in enumerate(archive):
                if position == member.position:
                    file = archive.extractfile(info)
                    assert file is not None
                    yield from bounded_lines(file, limit)
                    return
