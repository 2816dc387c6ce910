"""What was wrong with single items of a source: counted and named.

`data.on_error` says whether they end the program or are left out.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from fer_jax.base.text import shown
from fer_jax.errors import DataError

# One kind of problem: how one and how several of it are called.
IMAGE = ("unreadable picture", "unreadable pictures")
LABEL = ("item of an unknown class", "items of an unknown class")
STRAY = ("picture outside the class folders", "pictures outside the class folders")
ROW = ("broken row", "broken rows")
EMPTY = ("empty class folder", "empty class folders")
MISSING = ("listed picture that is not there", "listed pictures that are not there")
CONFLICT = ("picture listed with two labels, splits or groups", "pictures listed with two labels, splits or groups")
UNMATCHED = ("picture whose name data.pattern does not match", "pictures whose names data.pattern does not match")
REFUSED = ("refused member", "refused members")
NOT_READ = ("picture of a kind that is not read", "pictures of kinds that are not read")

_PLURALS = dict((IMAGE, LABEL, STRAY, ROW, EMPTY, REFUSED, NOT_READ, MISSING, CONFLICT, UNMATCHED))
_NAMED = 3  # items of one kind that a message names
_LISTED = 1000  # items of one kind that are kept by name; the others are only counted


class Unusable(Exception):
    """The error for an item that cannot be used; its text says why, without the item's name."""


@dataclasses.dataclass
class Problems:
    """Items of one source that cannot be used.

    Attributes:
        counts: number of items by kind (its singular).
        listed: the first items of every kind: {"kind", "item", "reason"}.
    """

    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    listed: list[dict[str, str]] = dataclasses.field(default_factory=list)

    def add(self, kind: tuple[str, str], item: str, reason: str) -> None:
        """Notes that `item` (a member's name, or 'row 17') cannot be used."""
        count = self.counts[kind[0]] = self.counts.get(kind[0], 0) + 1
        if count <= _LISTED:
            self.listed.append({"kind": kind[0], "item": shown(item), "reason": reason})

    def __len__(self) -> int:
        return sum(self.counts.values())

    def as_json(self) -> dict[str, Any]:
        """Returns {"count", "kinds", "items"}; `from_json` takes it back."""
        return {"count": len(self), "kinds": self.counts, "items": self.listed}

    @classmethod
    def from_json(cls, noted: dict[str, Any]) -> Problems:
        """Returns the problems that `as_json` gave."""
        return cls(dict(noted["kinds"]), list(noted["items"]))

    def counted(self) -> str:
        """Returns the kinds with their counts: '9 unreadable pictures, 1 broken row'."""
        return ", ".join(_counted(kind, count) for kind, count in self.counts.items())

    def describe(self, path: str) -> str:
        """Returns one line, kind after kind.

        '9 unreadable pictures in a.zip: train/happy/x.jpg (is empty), ... and 6 more' is an
        example.
        """
        parts = []
        for kind, count in self.counts.items():
            named = [f"{item['item']} ({item['reason']})" for item in self.listed if item["kind"] == kind][:_NAMED]
            rest = f" and {count - len(named):,} more" if count > len(named) else ""
            parts.append(f"{_counted(kind, count)} in {shown(path)}: {', '.join(named)}{rest}")
        return "; ".join(parts)

    def check(self, path: str, on_error: str) -> None:
        """Raises DataError if there are problems and `on_error` is not 'skip'."""
        if len(self) and on_error != "skip":
            those = "it" if len(self) == 1 else "them"
            raise DataError(f"{self.describe(path)}; --config.data.on_error=skip leaves {those} out")


def _counted(kind: str, count: int) -> str:
    # A kind that an earlier version noted has no plural here.
    return f"1 {kind}" if count == 1 else f"{count:,} {_PLURALS.get(kind, f'{kind}s')}"
