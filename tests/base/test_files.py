"""Files of a run: old or new after any kill, one holder a lock, one line where a disk refuses."""

import errno
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fer_jax.base import files
from fer_jax.errors import RunError


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "file"
    files.write_bytes(path, b"old")
    files.write_bytes(path, b"new and longer")
    assert path.read_bytes() == b"new and longer"
    assert os.listdir(path.parent) == ["file"]


def test_a_refused_write_keeps_the_old_content_and_leaves_nothing(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "file"
    files.write_bytes(path, b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(RunError, match="^cannot write .*file: No space left on device; free some space"):
        files.write_bytes(path, b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EROFS, ""), "Read-only file system; choose a --to that can be written"),
        (OSError(errno.EACCES, ""), "Permission denied; change its permissions or choose another --to"),
        (
            ValueError("writing [os_error_code='28'] in a chain"),
            "No space left on device; free some space",
        ),
        (ValueError("first line\nsecond"), "first line; mend that and start the same command again"),
        (KeyError(), "KeyError; mend that"),
    ],
)
def test_what_a_disk_refuses_is_one_line_with_advice(error: Exception, words: str) -> None:
    text = str(files.write_error(Path("/there"), error, flag="--to"))
    assert text.startswith(f"cannot write /there: {words}") and "\n" not in text


def test_only_what_killed_writers_left_is_removed(tmp_path: Path) -> None:
    for name in ("kept", ".hidden", f"kept{files.TEMPORARY_SUFFIX}", f".left.17{files.TEMPORARY_SUFFIX}"):
        (tmp_path / name).touch()
    files.remove_temporary_files(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".hidden", "kept", f"kept{files.TEMPORARY_SUFFIX}"]


def test_a_lock_has_one_holder_who_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run" / "lock"
    code = f"from pathlib import Path; from fer_jax.base import files\nwith files.locked(Path({str(path)!r})): pass"
    with files.locked(path):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 1 and f"is in use by process {os.getpid()} on " in done.stderr
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_fork_does_not_keep_the_lock_of_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = (
        "import os, sys, time\nfrom pathlib import Path\nfrom fer_jax.base import files\n"
        f"with files.locked(Path({str(path)!r})):\n"
        "    if not os.fork():\n        os.close(1); time.sleep(5); os._exit(0)\n"
        "    print('held', flush=True); os._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=False, stdout=subprocess.PIPE, timeout=20)
    assert done.stdout == b"held\n"
    with files.locked(path):
        assert path.exists()


@pytest.mark.parametrize("make", [os.symlink, os.link])
def test_a_temporary_name_that_is_taken_is_not_written_through(tmp_path: Path, make) -> None:
    victim, path = tmp_path / "victim", tmp_path / "file"
    victim.write_text("precious")
    make(victim, tmp_path / f".file.{os.getpid()}{files.TEMPORARY_SUFFIX}")
    files.write_bytes(path, b"new")
    assert victim.read_text() == "precious" and path.read_bytes() == b"new"
    assert sorted(os.listdir(tmp_path)) == ["file", "victim"]


def test_a_file_that_is_written_in_place_has_one_name_and_is_a_file(tmp_path: Path) -> None:
    victim, path = tmp_path / "victim", tmp_path / "log.txt"
    victim.write_text("precious")
    os.close(files.open_own(path, os.O_WRONLY))
    assert path.is_file()
    for make, said in (
        (lambda: path.symlink_to(victim), "is a link or a pipe"),
        (lambda: path.hardlink_to(victim), "has a second name"),
        (lambda: os.mkfifo(path), "is a link or a pipe|is no file"),
    ):
        path.unlink()
        make()
        with pytest.raises(RunError, match=f"^{path} ({said}).*remove it$"):
            files.open_own(path, os.O_WRONLY | os.O_APPEND)
        with pytest.raises(RunError, match=f"^{path} ({said}).*remove it$"), files.locked(path):
            pass
    assert victim.read_text() == "precious"


def test_who_holds_a_lock_is_told_without_taking_it(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    assert files.lock_holder(path) is None
    with files.locked(path):
        holder = files.lock_holder(path)
        assert holder is not None and (holder["pid"], holder["host"]) == (os.getpid(), socket.gethostname())
    assert files.lock_holder(path) is None  # the file stays
    path.write_text(json.dumps({"pid": 1, "host": "another", "since": "2025-01-01T00:00:00+0000"}))
    assert files.lock_holder(path) == {"pid": 1, "host": "another", "since": "2025-01-01T00:00:00+0000"}
    for text in ("", "[]", "{}", '{"pid": "x", "host": "", "since": ""}', "\0"):
        path.write_text(text)
        assert files.lock_holder(path) is None
    path.unlink()
    path.symlink_to("/etc/passwd")
    assert files.lock_holder(path) is None
