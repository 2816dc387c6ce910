"""Stopping a sweep from outside: by Ctrl-C or by the system."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any, NoReturn

from fer_jax.base import console
from fer_jax.config.program import STOPPED

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_WORDS = "stopping after this epoch or fit (once more: at once)"


@contextmanager
def requests(note: Callable[[str], None]) -> Iterator[Callable[[], bool]]:
    """Yields a function that says whether somebody has asked to stop.

    That is the user (Ctrl-C) or the system (SIGTERM). The first request is shown and given to
    `note`, for the log. A second one ends the process at once with status 130, whatever its threads
    are at, if it is one of our programs (`console.program`); elsewhere it raises KeyboardInterrupt.
    """
    asked: list[int] = []
    owned = console.is_program()

    def handle(number: int, frame: Any) -> None:
        if asked and owned:
            _end()
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        if not owned:
            _show()
        # A file refuses to be written while the signal found it being written.
        with suppress(RuntimeError):
            note(_WORDS)

    previous = {}
    try:
        for number in SIGNALS:
            previous[number] = signal.signal(number, handle)
    except ValueError:
        # Outside the main thread (a notebook server's worker, say) signals belong to somebody else.
        previous = {}
    try:
        with _watched() if previous and owned else nullcontext():
            yield lambda: bool(asked)
    finally:
        for number, old in previous.items():
            signal.signal(number, old)


@contextmanager
def _watched() -> Iterator[None]:
    """Answers the user at once, also while the main thread is in a C library.

    Python calls `handle` only between two steps of its own in the main thread, which an epoch of a
    large network or a compilation keeps from them for minutes; a socket hears of signals at once.
    The first is shown, the second ends the process.
    """
    receive, send = socket.socketpair()
    send.setblocking(False)

    def watch() -> None:
        number = 0
        with receive:
            while heard := receive.recv(64):
                new = sum(heard.count(each) for each in SIGNALS)
                if number + new > 1:
                    _end()
                if new:
                    number = 1
                    _show()

    threading.Thread(target=watch, name="signals", daemon=True).start()
    old = signal.set_wakeup_fd(send.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(old)
        send.close()


def _show() -> None:
    print(f"\n{_WORDS}", file=sys.stderr, flush=True)


def _end() -> NoReturn:
    """Ends the process without waiting for its threads.

    Files of a run appear by a rename and its log is written line by line, so that nothing of them
    waits to be written; the kernel frees the lock.
    """
    with suppress(OSError):
        os.write(2, b"\n" * os.isatty(2) + b"stopped at once; the same command goes on from there\n")
    os._exit(STOPPED)
