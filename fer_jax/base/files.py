"""Files of a run directory: atomic writes, the lock, and one-line errors where a disk refuses."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fer_jax.errors import RunError

TEMPORARY_SUFFIX = ".tmp"
_ADVICE = {
    errno.ENOSPC: "free some space and start the same command again",
    errno.EDQUOT: "your quota is used up: free some space and start the same command again",
    errno.EACCES: "change its permissions or choose another {flag}",
    errno.EPERM: "change its permissions or choose another {flag}",
    errno.EROFS: "choose a {flag} that can be written",
    errno.ENOTDIR: "a file is in the way: remove it or choose another {flag}",
    errno.EEXIST: "a file is in the way: remove it or choose another {flag}",
}
_held: set[int] = set()


def write_error(path: Path, error: BaseException, flag: str = "--workdir") -> RunError:
    """Returns the one-line error to show when `path` cannot be written, whatever was raised.

    `flag` is the flag with which the user names another path.
    """
    code = getattr(error, "errno", None)
    # tensorstore raises ValueErrors that quote the whole chain of files, and the system's error
    # number at the end.
    if quoted := re.search(r"os_error_code='(\d+)'", str(error)):
        code = int(quoted[1])
    reason = os.strerror(code) if code else (str(error).strip().splitlines() or [type(error).__name__])[0]
    advice = _ADVICE.get(code or 0, "mend that and start the same command again").format(flag=flag)
    return RunError(f"cannot write {path}: {reason}; {advice}")


@contextlib.contextmanager
def explain_write(path: Path, flag: str = "--workdir") -> Iterator[None]:
    """Turns an OSError raised inside into a one-line RunError about `path`. `flag` is the way to
    another path.
    """
    try:
        yield
    except OSError as error:
        raise write_error(path, error, flag) from error


def write_bytes(path: Path, data: bytes, flag: str = "--workdir") -> None:
    """Replaces the file at `path` by `data`; its folder is made if needed.

    The data go to a temporary file beside it, which is flushed to disk and renamed: at any moment,
    and after any kill, the name holds the old or the new content in full. Raises RunError, which
    names `flag` as the way to another place, when the disk refuses.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
    with explain_write(path, flag):
        make_folder(path.parent)
        try:
            # A file that is there under this name, or a link, is another's: it is never written to.
            temporary.unlink(missing_ok=True)
            with open(temporary, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def open_own(path: Path, flags: int) -> int:
    """Returns a descriptor of a file that is written to in place, made if need be.

    Raises:
        RunError: it is a link, no regular file, or has a second name, under which another file
            would be written to.
        OSError: the disk refuses.
    """
    try:
        # Without O_NONBLOCK, to open a pipe would wait for its other end.
        descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO):
            raise
        raise RunError(f"{path} is a link or a pipe, and is not written to: remove it") from None
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        os.close(descriptor)
        what = "has a second name (a hard link)" if stat.S_ISREG(found.st_mode) else "is no file"
        raise RunError(f"{path} {what}, and is not written to: copy it elsewhere and remove it")
    return descriptor


def sync_folder(folder: Path) -> None:
    """Flushes a folder's own entries, so that a rename inside it survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Flushes every file and folder below a folder, and the folder itself, to disk."""
    for place, _, names in os.walk(folder):
        for name in names:
            sync_folder(Path(place, name))
        sync_folder(Path(place))


def make_folder(folder: Path) -> None:
    """Makes a folder and those it lies in, so that they survive a power cut.

    One that is there already stays as it is. Raises OSError where the disk refuses.
    """
    missing = [folder]
    while not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    for new in reversed(missing if not folder.is_dir() else []):
        new.mkdir(exist_ok=True)
        sync_folder(new.parent)


def remove_temporary_files(folder: Path) -> None:
    """Deletes what writers that were killed left in `folder` (not in the folders below it)."""
    for path in folder.glob(f".*{TEMPORARY_SUFFIX}"):
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock file `path` for this process. Raises RunError if another one holds it.

    The kernel drops the lock (flock) when its holder ends, in whatever way, so a lock file left
    behind blocks nobody.
    """
    with explain_write(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = open_own(path, os.O_RDWR)
        _held.add(descriptor)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(descriptor)
            raise RunError(f"{path.parent} is in use by {holder}; wait for it, or choose another --workdir") from None
        except OSError as error:
            raise RunError(f"cannot lock {path}: {error.strerror}; choose a --workdir on another disk") from error
        record = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
        with explain_write(path):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(record).encode(), 0)
        yield
    finally:
        if descriptor in _held:
            _held.discard(descriptor)
            os.close(descriptor)


def _holder(descriptor: int) -> str:
    try:
        record = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {record['pid']} on {record['host']} since {record['since']}"
    except (ValueError, KeyError, TypeError):
        return "another process"


def lock_holder(path: Path) -> dict[str, Any] | None:
    """Returns who holds the lock file `path`, without touching the lock; None where nobody does.

    Of a process of this machine it is known whether it holds the lock; of another machine's, which
    writes over a network, the file only says who took it last.

    Returns:
        'pid', 'host' and 'since' as `locked` wrote them.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        record = json.loads(os.pread(descriptor, 4096, 0))
        pid, host, since = int(record["pid"]), str(record["host"]), str(record["since"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    finally:
        os.close(descriptor)
    is_held = host != socket.gethostname() or _holds_a_lock(pid)
    return {"pid": pid, "host": host, "since": since} if is_held else None


def _holds_a_lock(pid: int) -> bool:
    """Returns whether a process of this machine is there and holds a lock of this kind."""
    try:
        # To try the lock would be to hold it for a moment, in which a sweep may want to start.
        locks = Path("/proc/locks").read_text().splitlines()
    except OSError:
        with contextlib.suppress(OverflowError, PermissionError, ProcessLookupError):
            os.kill(pid, 0)
            return pid > 0
        return False
    return any(words[1:2] == ["FLOCK"] and words[4:5] == [str(pid)] for words in map(str.split, locks))


def _forget_locks() -> None:
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


# A lock belongs to an open file, which a forked worker inherits: it would outlive a killed parent
# if the child kept it.
os.register_at_fork(after_in_child=_forget_locks)
