"""What labels of a source are called: by `data.names`, else by the one spelling used here."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping, Sequence

from fer_jax.base.text import shown
from fer_jax.config import naming
from fer_jax.data import names
from fer_jax.errors import DataError


class LabelNames:
    """The names of labels.

    Args:
        texts: `data.names`.
        fer: whether bare numbers mean FER-2013's classes where `texts` names none of them.

    Attributes:
        given: whether `texts` names anything, so that every label has to have a name.
        classes: the names in it, in the spelling used here.
    """

    def __init__(self, texts: Sequence[str], fer: bool = False):
        named: Mapping[str, str] = naming.label_names(texts)
        self.given = bool(named)
        self.classes = {names.canonical(name) for name in named.values()}
        numbers = naming.NUMBERINGS["fer2013"]
        if fer and not any(number in named for number in numbers):
            named = {**numbers, **named}
        self._named = {label: names.canonical(name) for label, name in named.items()}

    def named(self, label: str) -> str | None:
        """Returns the class that a label has been given the name of, else None."""
        return self._named.get(naming.key(label))

    def of(self, label: str) -> str:
        """Returns the class of a label: its name, else the label in the spelling used here."""
        return self.named(label) or names.canonical(label)

    def check(self, path: str, found: Iterable[str]) -> None:
        """Raises DataError where data.names leaves a class of some image without a name.

        Args:
            path: of the source, for the message.
            found: the class of every image.
        """
        if not self.given:
            return
        known = {*self.classes, *self._named.values()}
        unnamed = collections.Counter(label for label in found if label not in known)
        if unnamed:
            label, count = min(unnamed.items())
            images = "1 picture" if count == 1 else f"{count:,} pictures"
            raise DataError(
                f"data.names: has no name for label {shown(label, 40)!r} of {images} in {shown(path)}; "
                f"add '{shown(label, 40)}=...'"
            )
