"""How a source is to be understood: what a config says beyond the names in it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any


@dataclasses.dataclass(frozen=True)
class Wanted:
    """How images get their classes, splits and groups.

    Attributes:
        fer: whether it is FER-2013: seven classes, official usage by file name, tables. Else any
            class folders.
        labels: `data.labels`, a file that lists images with their labels; '' for none.
        pattern: `data.pattern`, what file names tell; '' for none.
        names: `data.names`, what labels are called.
        group: `data.group`, the rule by which names tell which images belong together.
    """

    fer: bool = False
    labels: str = ""
    pattern: str = ""
    names: tuple[str, ...] = ()
    group: str = ""

    @classmethod
    def from_block(cls, block: Any) -> Wanted:
        """Returns what `config.data` says, or anything with its fields as attributes."""
        return cls(block.name == "fer2013", block.labels, block.pattern, tuple(block.names), block.group)

    def key(self) -> str:
        """Returns a text that differs where images may get other classes, splits or groups.

        It is empty for what folders and tables say by themselves.
        """
        said = [self.labels, self.pattern, list(self.names), self.group]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest() if any(said) else ""
