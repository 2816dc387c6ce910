"""What takes long to make, kept until what it was made of has changed."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

Value = TypeVar("Value")
SHARE = 3.0  # of the time that making took, the least pause before it is made again


class Kept(Generic[Value]):
    """The newest values of a few keys; one is made at a time.

    Args:
        most: values to keep; those asked for longest ago go.
        pause: the least seconds before a value is made again; it is more where making took long.
    """

    def __init__(self, most: int, pause: float):
        self._most = most
        self._pause = pause
        self._making, self._lock = threading.Lock(), threading.Lock()
        self._found: OrderedDict[object, tuple[Value, str, float]] = OrderedDict()

    def get(self, key: object, version: str, make: Callable[[], Value]) -> Value:
        """Returns a value: of `version`, or of an earlier one where it was made a moment ago.

        Args:
            key: what the value is of.
            version: of what it is made of, as it is now.
            make: makes it; its errors are raised, and what was kept stays.
        """
        if (known := self._kept(key, version)) is not None:
            return known[0]
        with self._making:
            if (known := self._kept(key, version)) is not None:
                return known[0]
            began = time.monotonic()
            value = make()
            ended = time.monotonic()
            with self._lock:
                self._found[key] = value, version, ended + max(self._pause, SHARE * (ended - began))
                self._found.move_to_end(key)
                while len(self._found) > self._most:
                    self._found.popitem(last=False)
            return value

    def offered(self, key: object, version: str) -> str:
        """Returns the version of the value that `get` would give now."""
        known = self._kept(key, version)
        return version if known is None else known[1]

    def _kept(self, key: object, version: str) -> tuple[Value, str] | None:
        with self._lock:
            if key in self._found:
                value, made_of, due = self._found[key]
                self._found.move_to_end(key)
                if made_of == version or time.monotonic() < due:
                    return value, made_of
        return None


class InBackground(Generic[Value]):
    """Values of a `Kept` that are made in threads, so that nobody waits for long.

    Args:
        kept: where they are kept.
        patience: seconds to wait for a value that is being made.
    """

    def __init__(self, kept: Kept[Value], patience: float):
        self._kept = kept
        self._patience = patience
        self._lock = threading.Lock()
        self._going: dict[object, Future[Value]] = {}

    def get(self, key: object, version: str, make: Callable[[], Value]) -> Value | None:
        """Returns a value as `Kept.get` does; None while it is still being made.

        What `make` raises is raised here.
        """
        with self._lock:
            future = self._going.get(key)
            if future is None:
                future = self._going[key] = Future()
                # A daemon, so that Ctrl-C need not wait for it.
                threading.Thread(target=self._make, args=(future, key, version, make), daemon=True).start()
        try:
            return future.result(self._patience)
        except TimeoutError:
            if future.done():
                raise
            return None

    def _make(self, future: Future[Value], key: object, version: str, make: Callable[[], Value]) -> None:
        try:
            future.set_result(self._kept.get(key, version, make))
        except BaseException as error:
            future.set_exception(error)
        finally:
            with self._lock:
                del self._going[key]
