"""What a person sees on stderr while a data set is prepared, and whose process this is."""

from __future__ import annotations

import contextlib
import functools
import sys
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from fer_jax.base.text import printable

EVERY = 5.0  # seconds between lines that say how far something is

_programs = 0
_said: set[str] | None = None  # lines of the innermost `each_once`


@contextlib.contextmanager
def program() -> Iterator[None]:
    """Says, while the context lasts, that this process is one of our programs."""
    global _programs
    _programs += 1
    try:
        yield
    finally:
        _programs -= 1


def is_program() -> bool:
    """Returns whether this process is one of our programs, not a notebook or a user's script.

    Nobody else then minds if it ends.
    """
    return _programs > 0


def show(text: str, file: TextIO | None = None) -> None:
    """Prints lines on stdout, or into a file, with nothing in them that a terminal would obey."""
    print(printable(text, lines=True), file=file, flush=True)


def say(text: str) -> None:
    """Prints a line on stderr that says it is of fer_jax."""
    if _said is not None:
        if text in _said:
            return
        _said.add(text)
    show(f"fer_jax: {text}", sys.stderr)


@contextlib.contextmanager
def each_once() -> Iterator[None]:
    """Lets `say` print a line once only while the context lasts, however often it is said."""
    global _said
    outer, _said = _said, set()
    try:
        yield
    finally:
        _said = outer


@functools.cache
def say_once(text: str) -> None:
    """Prints a line as `say` does, but the same line once in a process only."""
    say(text)


@contextlib.contextmanager
def bar(title: str, total: int | None, unit: str = "pictures") -> Iterator[Callable[[], object]]:
    """Shows how far a count is while the context lasts.

    In a terminal that is a bar, else a line every EVERY seconds.

    Args:
        title: one word, in front.
        total: how many there will be, if it is known.
        unit: what is counted.

    Yields:
        A function to call once for each that is done.
    """
    if not sys.stderr.isatty():
        yield _Lines(title, total, unit)
        return
    from tqdm import tqdm

    with tqdm(total=total, desc=title, unit=f" {unit}", file=sys.stderr, leave=False) as shown:
        yield shown.update


class _Lines:
    """A count that says how far it is, every EVERY seconds."""

    def __init__(self, title: str, total: int | None, unit: str):
        self._words = (title, unit if total is None else f"of {total:,} {unit}")
        self._done = 0
        self._next = time.monotonic() + EVERY

    def __call__(self) -> None:
        self._done += 1
        if time.monotonic() >= self._next:
            title, of = self._words
            say(f"{title}: {self._done:,} {of}")
            self._next = time.monotonic() + EVERY
