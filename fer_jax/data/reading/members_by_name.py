"""Members of a source found by what a list calls them."""

from __future__ import annotations

import collections
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath

from fer_jax.data.reading.containers import Member
from fer_jax.data.reading.image_files import SUFFIXES

# What releases append to the names that their lists give: RAF-DB's train_00001_aligned.jpg.
_APPENDED = re.compile(r"_aligned$")


class Ambiguous(Exception):
    """The error for a name that several members could be meant by; its text names two."""


class MembersByName:
    """Members by path, else by their own name.

    A path counts before a name. Where several members, or several images of the list, have one
    name, the folders above decide: the member that shares most of them, and one at least. Upper and
    lower case count only where they tell members apart; 'a' means 'a.png', and 'a.jpg' RAF-DB's
    'a_aligned.jpg'.

    Args:
        members: the images of a source.
        listed: all that the list calls images.
    """

    def __init__(self, members: Sequence[Member], listed: Iterable[str]):
        self._paths = {_path(member.name): member for member in members}
        self._listed = collections.Counter(_base(name) for name in set(map(_path, listed)))
        self._by_key = []
        for key in _KEYS:
            found: dict[str, list[Member]] = collections.defaultdict(list)
            for member in members:
                folder, base = _last(_path(member.name), key)
                found[base].append(member)
                if folder:
                    found[f"{folder}/{base}"].append(member)
            self._by_key.append((key, found))

    def find(self, name: str) -> Member | None:
        """Returns the member that a name of the list means, None without any; raises Ambiguous."""
        path = _path(name)
        if path in self._paths:
            return self._paths[path]
        for key, found in self._by_key:
            folder, base = _last(path, key)
            if candidates := found.get(base):
                if len(candidates) == 1 and self._listed[_base(path)] == 1:
                    return candidates[0]
                return _choose(path, candidates, found.get(f"{folder}/{base}", []))
        return None


def _choose(path: str, candidates: list[Member], near: list[Member]) -> Member | None:
    """Returns which of the candidates is meant by a path; `near` are those that share its last
    folder.
    """
    shared = {member.name: _shared(path, _path(member.name)) for member in near}
    best = [member for member in near if shared[member.name] == max(shared.values())] or candidates
    if len(best) > 1:
        raise Ambiguous(f"may be {best[0].name} or {best[1].name}")
    return best[0] if near else None


def _last(path: str, key: Callable[[str], str]) -> tuple[str, str]:
    """Returns a path's last folder ('' for none) and its key."""
    *_, folder, base = ("", "", *path.split("/"))
    return folder.lower(), key(base)


def _path(name: str) -> str:
    return "/".join(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))


def _base(path: str) -> str:
    return path.rpartition("/")[2]


def _stem(base: str) -> str:
    lowered = base.lower()
    path = PurePosixPath(lowered)
    return _APPENDED.sub("", path.stem if path.suffix in SUFFIXES else lowered)


_KEYS: tuple[Callable[[str], str], ...] = (str, str.lower, _stem)


def _shared(one: str, other: str) -> int:
    """Returns how many folders, from the last on, two paths share."""
    count = 0
    for left, right in zip(one.lower().split("/")[-2::-1], other.lower().split("/")[-2::-1], strict=False):
        if left != right:
            break
        count += 1
    return count
