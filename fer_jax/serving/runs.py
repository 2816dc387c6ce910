"""Which runs are served, under which names, and how far each has come."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import stat
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from fer_jax.analysis import statistics
from fer_jax.launch import progress
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
        over: how many trials are done, diverged, failed or pruned, by these words.
        total: all its trials.
        stacks: where in the plan each is, such as '2 of 5', by its name.
    """

    is_closed: bool
    over: Mapping[str, int]
    total: int
    stacks: Mapping[str, str]

    @property
    def ended(self) -> int:
        """How many trials are over."""
        return sum(self.over.values())


class State(NamedTuple):
    """How far a run has come.

    Attributes:
        word: 'running', 'finished' or 'interrupted'.
        host: the machine it runs on, where that is another one; else ''.
        tables: what its files say.
        at: where its training is, in words; '' where it is not going on, or before the first epoch.
    """

    word: str
    host: str
    tables: Tables
    at: str = ""

    @property
    def words(self) -> str:
        """The state in a few words."""
        found = self.tables
        apart = statistics.count_words(list(Counter(found.over).elements())) if set(found.over) - {"done"} else ""
        if self.word == "finished":
            return f"run finished: {apart}" if apart else "run finished"
        of_all = "no trials yet"
        if found.total:
            of_all = f"{found.ended:,} of {found.total:,} trials " + (f"over: {apart}" if apart else "done")
        word = self.word if self.word != "running" else f"live on {self.host}" if self.host else "live"
        return ", ".join(filter(None, [word, of_all, self.at]))


class Runs:
    """The runs in some places, found again as they come and go.

    Args:
        places: run directories, and folders in which runs lie or will lie.

    Attributes:
        is_one: whether a run directory is all there is.
    """

    def __init__(self, places: Sequence[Path]):
        self._places = list(places)
        self.is_one = len(places) == 1 and _is_run(self._places[0])
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

    def has_been(self, key: str) -> bool:
        """Returns whether a run was found under a key since this object lives."""
        with self._lock:
            return key in self._keys.values()

    def _look(self, place: Path) -> Iterator[tuple[str, Path]]:
        own = place.resolve().name
        if _is_run(place):
            yield own, place
        elif not self.is_one:
            for path in _below(place):
                name = path.relative_to(place).as_posix()
                yield name if len(self._places) == 1 else f"{own}/{name}", path

    def _named(self, name: str, path: Path) -> ServedRun:
        if path not in self._keys:
            plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:80] or "run"
            taken = set(self._keys.values())
            self._keys[path] = next(key for key in _numbered(plain) if key not in taken)
        return ServedRun(self._keys[path], name, path)


def is_there(run: ServedRun) -> bool:
    """Returns whether a run is still in its directory."""
    return _is_run(run.path)


def _is_run(path: Path) -> bool:
    return (path / "config.json").is_file()


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
    """Returns when a run last changed or logged a line, seconds since 1970; 0 if unknown."""
    names = (*_FIGURES, "curves", "log.txt")
    return max((found.st_mtime for name in names if (found := _stat(path / name))), default=0.0)


def tables(path: Path) -> Tables:
    """Returns what the files of a run say of how far it has come.

    Raises:
        RunError: there is no run, or one of its files is damaged.
    """
    directory = RunDirectory(path)
    record = directory.read_config()
    statuses = directory.read_trials()["status"].tolist() if directory.has_table("trials.csv") else []
    over = Counter(status for status in statuses if status not in statistics.UNFINISHED)
    return Tables(bool(record.get("finished")), over, len(statuses), _stacks(directory))


def _stacks(directory: RunDirectory) -> dict[str, str]:
    if not directory.has("plan.json"):
        return {}
    stacks = directory.read_plan().get("stacks")
    names = [str(one["name"]) for one in stacks] if isinstance(stacks, list) and all(map(_is_named, stacks)) else []
    return {name: f"{number} of {len(names)}" for number, name in enumerate(names, 1)}


def _is_named(stack: object) -> bool:
    return isinstance(stack, dict) and "name" in stack


def state(path: Path, found: Tables) -> State:
    """Returns how far a run has come, without taking its lock; `found` is of `tables`."""
    holder = RunDirectory(path).holder()
    host = ""
    if holder and holder["host"] != socket.gethostname():
        # Nothing tells from here whether that process still lives.
        holder, host = (None, "") if found.is_closed else (holder, str(holder["host"]))
    complete = 0 < found.total == found.ended and found.is_closed
    word = "running" if holder else "finished" if complete else "interrupted"
    return State(word, host, found, _at(path, found) if word == "running" else "")


def _at(path: Path, found: Tables) -> str:
    """Returns where the training is, as its log says, in words."""
    reached = progress.last_reached(RunDirectory(path).end_of_log())
    if reached is None:
        return ""
    of = f" of {reached.epochs:,}" if reached.epochs else ""
    stack = found.stacks.get(reached.wave.partition("-")[0], "")
    place = f"stack {stack} at " if stack else ""
    return f"{place}epoch {reached.epoch:,}{of}, about {reached.left} left"


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
