"""What a pickle of plain data says. Nothing that the file names is looked up or called.

Python's own `pickle.Unpickler` reads the file, but a name in it gives one of a few makers of ours,
which keep what they are called with, or is refused. Before that, `pickletools` goes through the
opcodes: those that plain data does not need are refused, and so is what takes memory or time out of
proportion to the file.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Callable
from typing import Any

import numpy as np

MOST_OPCODES = 10**6  # a batch of CIFAR-10 has some 60,000
MOST_TUPLES = 1000  # an array has six; Python hashes those inside each other without a limit

_TEXTS = {"SHORT_BINSTRING", "BINSTRING", "BINUNICODE"}
_TUPLES = {"EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"}
_PUTS = {"BINPUT", "LONG_BINPUT"}
_GETS = {"BINGET", "LONG_BINGET"}
_NUMBERS = {"NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2"}
_LISTS = {"MARK", "EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM", "SETITEMS"}
_OPCODES = _TEXTS | _TUPLES | _PUTS | _GETS | _NUMBERS | _LISTS | {"PROTO", "GLOBAL", "REDUCE", "BUILD", "STOP"}


class Refused(Exception):
    """The error for a file that is no plain data; its text says why, without the file's name."""


def read(data: bytes) -> Any:
    """Returns the value that a pickle of protocol 2 holds.

    Args:
        data: the whole file.

    Returns:
        None, a bool, int, str, list, tuple, uint8 array, or dict of these with texts as keys. Byte
        strings come as str, one character (0 to 255) a byte. Arrays inside lists, tuples and inner
        dicts stay objects that hold nothing a caller could use.

    Raises:
        Refused: the pickle names anything else (a class, a function), is cut off or damaged, uses
            a value twice that is no text, or has above `MOST_OPCODES` opcodes or `MOST_TUPLES`
            tuples.
    """
    try:
        _check(data)
        return _finish(_Unpickler(io.BytesIO(data), encoding="latin-1").load(), len(data))
    except Refused:
        raise
    except Exception as error:  # whatever a damaged pickle makes the standard library run into
        reason = (str(error).splitlines() or [""])[0][:160]
        raise Refused(f"is damaged or cut off ({reason or type(error).__name__})") from error


def _check(data: bytes) -> None:
    tuples, last = 0, ""
    shared = set()  # places of the memo with a text or what a maker made
    for count, (opcode, argument, position) in enumerate(pickletools.genops(data)):
        name = opcode.name
        tuples += name in _TUPLES
        if name == "PROTO" and argument != 2:
            raise Refused(f"has pickle protocol {argument}, not 2")
        if name not in _OPCODES:
            raise Refused(f"uses {name} at byte {position}, which plain data of protocol 2 does not")
        # Unpickler's memo becomes as long as the largest place in it, used or not.
        if count > MOST_OPCODES or tuples > MOST_TUPLES or (name in _PUTS and int(argument or 0) > MOST_OPCODES):
            raise Refused(f"uses {name} at byte {position} more often than a batch of pictures needs")
        # Of thirty tuples that hold the one before twice, the last takes minutes to hash.
        if name in _GETS and argument not in shared:
            raise Refused(f"uses a value twice at byte {position} that is no text")
        if name not in _PUTS:
            last = name
        elif last in _TEXTS | {"GLOBAL", "REDUCE"}:
            shared.add(argument)
        else:
            shared.discard(argument)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> _Maker:
        full = f"{module}.{name}"
        if full not in _MAKERS:
            raise Refused(f"names {full[:80]!r}, which is no plain data")
        return _MAKERS[full]


class _Maker:
    """The stand-in for a class or function that the file names."""

    def __init__(self, name: str, make: Callable[..., Any]):
        self._name, self._make = name, make

    def __call__(self, *arguments: Any) -> Any:
        made = self._make(*arguments)
        if made is None:
            raise Refused(f"calls {self._name} in a way that makes no plain data")
        return made

    def __setstate__(self, state: Any) -> None:
        raise Refused("sets the state of what is no array")


class _Dtype:
    def __init__(self, code: str):
        self.code = code

    def __setstate__(self, state: Any) -> None:
        """Leaves out byte order and the like, which single bytes do not have."""


class _Array:
    shape: Any
    by_columns: Any
    data: Any

    def __setstate__(self, state: Any) -> None:
        _, self.shape, dtype, self.by_columns, self.data = state
        if not isinstance(dtype, _Dtype) or dtype.code not in ("u1", "|u1"):
            raise Refused("has an array that is not uint8")

    def made(self) -> np.ndarray:
        pixels = np.frombuffer(self.data.encode("latin-1"), np.uint8)
        return pixels.reshape(self.shape, order="F" if self.by_columns else "C")


def _array(kind: Any, *_: Any) -> _Array | None:
    return _Array() if kind is _MAKERS["numpy.ndarray"] else None


def _dtype(code: Any, *_: Any) -> _Dtype | None:
    return _Dtype(code) if isinstance(code, str) else None


def _text(text: Any, encoding: Any) -> str | None:
    return text if isinstance(text, str) and encoding == "latin1" else None


_CALLS: dict[str, Callable[..., Any]] = {
    "numpy.core.multiarray._reconstruct": _array,
    "numpy._core.multiarray._reconstruct": _array,
    "numpy.ndarray": lambda *_: None,  # is an argument of the one above
    "numpy.dtype": _dtype,
    "_codecs.encode": _text,  # by which Python 3 writes bytes for Python 2
}
_MAKERS = {name: _Maker(name, make) for name, make in _CALLS.items()}


def _finish(value: Any, size: int) -> Any:
    """Returns the value of a file of `size` bytes with its arrays made."""
    items = value if isinstance(value, dict) else {"": value}
    if not all(isinstance(key, str) for key in items):
        raise Refused("has a dict with keys that are no text")
    if sum(len(item.data) for item in items.values() if isinstance(item, _Array)) > size:
        raise Refused("uses the bytes of an array twice")
    made = {key: item.made() if isinstance(item, _Array) else item for key, item in items.items()}
    return made if isinstance(value, dict) else made[""]
