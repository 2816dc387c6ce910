"""What a person sees on stderr while a data set is prepared, and whose process this is."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator

_programs = 0


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


def say(text: str) -> None:
    """Prints a line on stderr that says it is of fer_jax."""
    print(f"fer_jax: {text}", file=sys.stderr, flush=True)


@functools.cache
def say_once(text: str) -> None:
    """Prints a line as `say` does, but the same line once in a process only."""
    say(text)


@contextlib.contextmanager
def bar(title: str, total: int | None) -> Iterator[Callable[[], object]]:
    """Shows a bar while the context lasts, in a terminal only.

    Args:
        title: one word, in front of the bar.
        total: number of pictures, if it is known.

    Yields:
        A function to call once for each picture that is done.
    """
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from tqdm import tqdm

    with tqdm(total=total, desc=title, unit=" pictures", file=sys.stderr, leave=False) as shown:
        yield shown.update
