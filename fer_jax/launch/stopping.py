"""Stopping a sweep from outside: by Ctrl-C or by the system."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any


@contextmanager
def requests(note: Callable[[str], None]) -> Iterator[Callable[[], bool]]:
    """Yields a function that says whether somebody has asked to stop.

    That is the user (Ctrl-C) or the system (SIGTERM). A second Ctrl-C stops at once. The first
    request is shown and given to `note`, for the log.
    """
    asked: list[int] = []

    def handle(number: int, frame: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        words = "stopping after this epoch or fit (once more: at once)"
        print(f"\n{words}", file=sys.stderr, flush=True)
        # A file refuses to be written while the signal found it being written.
        with suppress(RuntimeError):
            note(words)

    previous = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            previous[number] = signal.signal(number, handle)
    except ValueError:
        # Outside the main thread (a notebook server's worker, say) signals belong to somebody else.
        previous = {}
    try:
        yield lambda: bool(asked)
    finally:
        for number, old in previous.items():
            signal.signal(number, old)
