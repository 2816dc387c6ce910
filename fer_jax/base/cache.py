"""The user's cache of prepared data sets: where it lies, and why an entry is whole or not there.

    <root>/data/<name>-<hash of the absolute path>/     one source
        lock                                            held while something is written
        <hash of names, sizes and times>/               one state of it; older ones are deleted
            records/                                    the TFDS data set, names, whole images
            48x48x1/                                    arrays of one size
        tmp-*                                           being written, or left by a kill

The root is $FER_JAX_CACHE, else where platformdirs has the user's caches, on Linux
$XDG_CACHE_HOME/fer_jax or ~/.cache/fer_jax. What lies there is believed: a folder that belongs to
another user is refused, unless FER_JAX_CACHE names it. A folder appears under its name by one
rename, after all in it is written. The next writer deletes what a kill left.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import platformdirs

from fer_jax.base import console
from fer_jax.base.text import shown
from fer_jax.errors import DataError

FORMAT = 1  # of everything below a source's folder; another number, another place

_TEMPORARY = "tmp-"
_said: set[str] = set()  # why there is no cache


def root() -> Path:
    """Returns the cache folder; it need not exist.

    Raises:
        DataError: the user has no home folder, or the folder is another user's, and FER_JAX_CACHE
            names none.
    """
    chosen = os.environ.get("FER_JAX_CACHE")
    try:
        found = Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("fer_jax", appauthor=False)
    except RuntimeError:
        found = Path("~")  # which earlier versions of platformdirs leave as it is
    if str(found).startswith("~"):
        raise DataError("there is no home folder to keep a cache in: name a folder with FER_JAX_CACHE=")
    if not chosen:
        _check_owner(found)
    return found.absolute()


def _check_owner(folder: Path) -> None:
    """Raises DataError for a folder, or a link to one, that another user may have filled."""
    try:
        owners = {folder.lstat().st_uid, folder.stat().st_uid}
    except OSError:
        return  # not there, or not to be looked at: whoever writes learns why
    if owners != {os.geteuid()}:
        raise DataError(
            f"the cache {shown(str(folder))} belongs to another user: name one of your own with FER_JAX_CACHE=, "
            "or this one if you trust whoever writes there"
        )


def optional(name: str) -> Path | None:
    """Returns a folder of the cache for what a run can do without, made if need be.

    Where there is no cache, or it cannot be written, it is None, and a line has said why, once.
    """
    try:
        folder = root() / name
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK | os.X_OK):
            return folder
        reason = f"{shown(str(folder))}: Permission denied; choose another with FER_JAX_CACHE="
    except OSError as error:
        reason = f"{shown(str(folder))}: {error.strerror}; choose another with FER_JAX_CACHE="
    except DataError as error:
        reason = str(error)
    if reason.partition(": ")[2] not in _said:
        _said.add(reason.partition(": ")[2])
        console.say(f"going on without a cache, so that each start compiles anew ({reason})")
    return None


@contextlib.contextmanager
def explain_write(path: Path, verb: str = "write") -> Iterator[None]:
    """Turns an OSError raised inside into one line about the cache; `verb` is 'write' or 'read'."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(
            f"cannot {verb} the data cache {shown(str(path))}: {reason}; "
            f"{'make room or ' if verb == 'write' else ''}choose another with FER_JAX_CACHE="
        ) from error


class Damaged(Exception):
    """The error for a damaged file in the cache; its text says which file and what is wrong."""


def write_note(path: Path, content: Any) -> None:
    """Writes JSON values with their checksum."""
    text = json.dumps(content, sort_keys=True)
    note = {"sha256": _sha256(text), "content": content}
    path.write_text(json.dumps(note, sort_keys=True, indent=1), encoding="ascii")


def read_note(path: Path) -> Any:
    """Reads what `write_note` wrote. Raises Damaged."""
    try:
        note = json.loads(path.read_text(encoding="ascii"))
        if note["sha256"] != _sha256(json.dumps(note["content"], sort_keys=True)):
            raise Damaged(f"{path.name}: its checksum differs")
        return note["content"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Damaged(f"{path.name}: {str(error).splitlines()[0]}") from error


class Place:
    """The place in the cache for one state of one source.

    Args:
        source: absolute path of the source.
        fingerprint: of its state; see `containers.Container.fingerprint`.
        kind: how it is read; another way, another place.

    Attributes:
        home: folder of the source.
        entry: folder of this state.
    """

    def __init__(self, source: str, fingerprint: str, kind: str):
        slug = re.sub(r"[^A-Za-z0-9._-]", "_", os.path.basename(source))[:40].strip(".") or "data"
        self.source = source
        self.fingerprint = fingerprint
        self.home = root() / "data" / f"{slug}-{_short(source, kind, str(FORMAT))}"
        self.entry = self.home / _short(fingerprint)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Lets one process at a time write, and says so if it has to wait. It clears away what
        killed writers left.
        """
        with explain_write(self.home):
            self.home.mkdir(parents=True, exist_ok=True)
            handle = open(self.home / "lock", "a")  # noqa: SIM115  (closed below, which also frees the lock)
        with handle:
            alone = self._take(handle.fileno())
            if alone:
                self._clear()
            yield

    def _take(self, handle: int) -> bool:
        """Returns whether the lock is held. On a file system without locks, renames still keep
        entries whole.
        """
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.say(f"another process is preparing {shown(self.source)}; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL):
                return False
            raise
        return True

    def _clear(self) -> None:
        for found in self.home.iterdir():
            # Nobody can ask for older states again. Who has their arrays mapped keeps them.
            if found.is_dir() and found != self.entry:
                shutil.rmtree(found, ignore_errors=True)

    @contextlib.contextmanager
    def new(self, name: str) -> Iterator[Path]:
        """Gives a temporary folder that becomes `entry / name`, replacing what is there.

        It becomes so when the block ends without an error.

        Raises:
            DataError: the cache cannot be written.
        """
        with explain_write(self.home):
            temporary = self.home / f"{_TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}"
            temporary.mkdir()  # with the user's own permissions, unlike tempfile.mkdtemp: a cache may be shared
        try:
            yield temporary
            with explain_write(self.home):
                self.entry.mkdir(exist_ok=True)
                if (self.entry / name).exists():
                    os.rename(self.entry / name, temporary / "replaced")
                os.rename(temporary, self.entry / name)
                shutil.rmtree(self.entry / name / "replaced", ignore_errors=True)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    @contextlib.contextmanager
    def scratch(self) -> Iterator[IO[bytes]]:
        """Gives an unnamed file that is gone when the block ends or the process is killed."""
        with explain_write(self.home):
            file = tempfile.TemporaryFile(dir=self.home)  # noqa: SIM115  (closed below)
        with file:
            yield file


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _short(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]
