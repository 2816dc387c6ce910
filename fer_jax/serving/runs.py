"""Which runs are served, under which names, and how far each has come."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import stat
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from fer_jax.analysis import statistics
from fer_jax.store import RunDirectory

DEPTH = 3  # folders below a named one in which runs are looked for
_MOST_FOLDERS = 20_000
_EVERY = 3.0  # seconds between two looks through the folders
# A run has one of them; a config.json of another program has none beside it.
_BESIDE = (".lock", "trials.csv", "plan.json")
# What a page is made of, and what its data are made of besides.
_FIGURES = ("config.json", "plan.json", "trials.csv", ".sealed/trials.json", "heads.csv", ".sealed/heads.json")


class ServedRun(NamedTuple):
    """A run that is served: its name in addresses, its name for people, its directory."""

    key: str
    name: str
    path: Path


class Tables(NamedTuple):
    """What the files of a run say of how far it has come.

    Attributes:
        is_closed: whether the last start of the sweep came to an end, be it an interruption.
        ended: trials that are done, diverged, failed or pruned.
        total: all its trials.
    """

    is_closed: bool
    ended: int
    total: int


class State(NamedTuple):
    """How far a run has come.

    Attributes:
        word: 'running', 'finished' or 'interrupted'.
        host: the machine it runs on, where that is another one; else ''.
        ended, total: as of `Tables`.
    """

    word: str
    host: str
    ended: int
    total: int

    @property
    def words(self) -> str:
        """The state in a few words."""
        of_all = f"{self.ended:,} of {self.total:,} trials done" if self.total else "no trials yet"
        if self.word == "running":
            return f"live on {self.host}, {of_all}" if self.host else f"live, {of_all}"
        return "run finished" if self.word == "finished" else f"interrupted, {of_all}"


class Runs:
    """The runs in some places, found again as they come and go.

    Args:
        places: run directories, and folders in which runs lie or will lie.
    """

    def __init__(self, places: Sequence[Path]):
        self._places = list(places)
        self._keys: dict[Path, str] = {}
        self._lock = threading.Lock()
        self._found: dict[str, ServedRun] = {}
        self._due = 0.0

    def all(self) -> dict[str, ServedRun]:
        """Returns the runs that are there, by their keys, in the order of their places and names.

        A key stays that of its directory as long as this object lives.
        """
        with self._lock:
            if time.monotonic() >= self._due:
                found = [self._named(name, path) for place in self._places for name, path in self._look(place)]
                self._found = {one.key: one for one in found}
                self._due = time.monotonic() + _EVERY
            return self._found

    def _look(self, place: Path) -> Iterator[tuple[str, Path]]:
        own = place.resolve().name
        if (place / "config.json").is_file():
            yield own, place
            return
        for path in _below(place):
            name = path.relative_to(place).as_posix()
            yield name if len(self._places) == 1 else f"{own}/{name}", path

    def _named(self, name: str, path: Path) -> ServedRun:
        if path not in self._keys:
            plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:80] or "run"
            taken = set(self._keys.values())
            self._keys[path] = next(key for key in _numbered(plain) if key not in taken)
        return ServedRun(self._keys[path], name, path)


def _numbered(name: str) -> Iterator[str]:
    yield name
    for number in range(2, 1_000_000):
        yield f"{name}-{number}"


def _below(place: Path) -> Iterator[Path]:
    """Yields the runs in a folder, in the order of their names; no link is followed."""
    waiting, looked_at = [(place, 0)], 0
    while waiting and looked_at < _MOST_FOLDERS:
        folder, depth = waiting.pop()
        looked_at += 1
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            continue
        files = {entry.name for entry in found if entry.is_file(follow_symlinks=False)}
        if depth and "config.json" in files and files.intersection(_BESIDE):
            yield folder
        elif depth < DEPTH:
            folders = [one for one in found if one.is_dir(follow_symlinks=False) and not one.name.startswith(".")]
            waiting += [(folder / one.name, depth + 1) for one in reversed(folders)]


def figures_version(path: Path) -> str:
    """Returns what changes as soon as the tables of a run do."""
    return _version(path, _FIGURES)


def data_version(path: Path) -> str:
    """Returns what changes as soon as the tables, curves or predictions of a run do."""
    names = list(_FIGURES)
    for folder in ("curves", "predictions"):
        try:
            names += sorted(f"{folder}/{name}" for name in os.listdir(path / folder) if not name.startswith("."))
        except OSError:
            continue
    return _version(path, names)


def notes_version(path: Path) -> str:
    """Returns what changes as soon as the notes of a run do."""
    return _version(path, ["notes.md"])


def changed(path: Path) -> float:
    """Returns when the tables or curves of a run last changed, seconds since 1970; 0 if unknown."""
    return max((found.st_mtime for name in (*_FIGURES, "curves") if (found := _stat(path / name))), default=0.0)


def tables(path: Path) -> Tables:
    """Returns what the files of a run say of how far it has come.

    Raises:
        RunError: there is no run, or one of its files is damaged.
    """
    directory = RunDirectory(path)
    record = directory.read_config()
    statuses = directory.read_trials()["status"].tolist() if directory.has_table("trials.csv") else []
    ended = sum(status not in statistics.UNFINISHED for status in statuses)
    return Tables(bool(record.get("finished")), ended, len(statuses))


def state(path: Path, found: Tables) -> State:
    """Returns how far a run has come, without taking its lock; `found` is of `tables`."""
    holder = RunDirectory(path).holder()
    host = ""
    if holder and holder["host"] != socket.gethostname():
        # Nothing tells from here whether that process still lives.
        holder, host = (None, "") if found.is_closed else (holder, str(holder["host"]))
    complete = 0 < found.total == found.ended and found.is_closed
    word = "running" if holder else "finished" if complete else "interrupted"
    return State(word, host, found.ended, found.total)


def _version(path: Path, names: Iterable[str]) -> str:
    told = [
        f"{name} {found.st_mtime_ns} {found.st_size} {found.st_ino}"
        for name in names
        if (found := _stat(path / name)) and stat.S_ISREG(found.st_mode)
    ]
    return hashlib.sha256("\n".join(told).encode(errors="surrogateescape")).hexdigest()[:16]


def _stat(path: Path) -> os.stat_result | None:
    try:
        return os.stat(path, follow_symlinks=False)
    except OSError:
        return None
