"""What a pickle of plain data says, without unpickling it: no class is looked up, nothing in the
file is ever called.

The opcodes are taken apart by the standard library's `pickletools`; the few that plain data needs
are followed here. Arrays are known by the names NumPy gives to their makers, and made by
`numpy.frombuffer` from the bytes beside them.
"""

from __future__ import annotations

import dataclasses
import pickletools
from typing import Any

import numpy as np

_MAKE_ARRAY = ("numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct")
_ARRAY, _DTYPE = "numpy ndarray", "numpy dtype"
_ENCODE = "_codecs encode"  # by which Python 3 writes bytes for Python 2
_KNOWN = (*_MAKE_ARRAY, _ARRAY, _DTYPE, _ENCODE)

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_VALUES = ("SHORT_BINSTRING", "BINSTRING", "BINUNICODE", "BININT", "BININT1", "BININT2")
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
# Opcodes that a method of _Reader follows.
_STEPS = (
    "MARK", "EMPTY_LIST", "EMPTY_DICT", "EMPTY_TUPLE", "TUPLE", "APPEND", "APPENDS", "SETITEM", "SETITEMS", "REDUCE", "BUILD",
)  # fmt: skip


class Refused(Exception):
    """What a pickle holds that is no plain data, or how it is damaged; in a few words, without the
    file's name.
    """


@dataclasses.dataclass(frozen=True)
class _Name:
    text: str


@dataclasses.dataclass
class _Dtype:
    code: str


@dataclasses.dataclass
class _Array:
    state: Any = None


def read(data: bytes) -> Any:
    """The value a pickle of protocol 2 holds.

    Args:
        data: the whole file.

    Returns:
        None, a bool, int, str, list, tuple, dict with texts as keys, or uint8 array. Byte strings
        come as str, one character (0 to 255) a byte.

    Raises:
        Refused: the pickle names anything else (a class, a function), or is cut off or damaged.
    """
    try:
        return _Reader().read(data)
    except Refused:
        raise
    except Exception as error:  # whatever a damaged pickle makes pickletools or the stack run into
        reason = (str(error).splitlines() or [""])[0][:160]
        raise Refused(f"is damaged or cut off ({reason or type(error).__name__})") from error


class _Reader:
    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.outer: list[list[Any]] = []  # the stacks below each open mark
        self.memo: dict[Any, Any] = {}

    def read(self, data: bytes) -> Any:
        for opcode, argument, position in pickletools.genops(data):
            name = opcode.name
            if name == "GLOBAL":
                if argument not in _KNOWN:
                    raise Refused(f"names {str(argument).replace(' ', '.')[:80]!r}, which is no plain data")
                self.stack.append(_Name(argument))
            elif name in _VALUES:
                self.stack.append(argument)
            elif name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name])
            elif name in _TUPLES:
                items = [self.stack.pop() for _ in range(_TUPLES[name])]
                self.stack.append(tuple(reversed(items)))
            elif name in ("BINPUT", "LONG_BINPUT"):
                self.memo[argument] = self.stack[-1]
            elif name in ("BINGET", "LONG_BINGET"):
                self.stack.append(self.memo[argument])
            elif name in _STEPS:
                getattr(self, f"_{name.lower()}")()
            elif name == "PROTO" and argument != 2:
                raise Refused(f"has pickle protocol {argument}, not 2")
            elif name not in ("PROTO", "STOP"):
                raise Refused(f"uses {name} at byte {position}, which plain data of protocol 2 does not")
        if len(self.stack) != 1 or self.outer:
            raise Refused("is damaged (values are left over)")
        return _finish(self.stack[0])

    def _mark(self) -> None:
        self.outer.append(self.stack)
        self.stack = []

    def _since_mark(self) -> list[Any]:
        found, self.stack = self.stack, self.outer.pop()
        return found

    def _empty_list(self) -> None:
        self.stack.append([])

    def _empty_dict(self) -> None:
        self.stack.append({})

    def _empty_tuple(self) -> None:
        self.stack.append(())

    def _tuple(self) -> None:
        values = self._since_mark()
        self.stack.append(tuple(values))

    def _append(self) -> None:
        value = self.stack.pop()
        self._top(list).append(value)

    def _appends(self) -> None:
        values = self._since_mark()
        self._top(list).extend(values)

    def _setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key, value])

    def _setitems(self) -> None:
        self._set(self._since_mark())

    def _set(self, flat: list[Any]) -> None:
        target = self._top(dict)
        for key, value in zip(flat[::2], flat[1::2], strict=True):
            # Hashing a tuple that holds itself many times over takes for ever.
            if not isinstance(key, str):
                raise Refused("has a dict with keys that are no text")
            target[key] = value

    def _top(self, kind: type) -> Any:
        if not isinstance(self.stack[-1], kind):
            raise Refused(f"is damaged (adds to what is no {kind.__name__})")
        return self.stack[-1]

    def _reduce(self) -> None:
        arguments, maker = self.stack.pop(), self.stack.pop()
        if not isinstance(maker, _Name) or not isinstance(arguments, tuple):
            raise Refused("calls what is no maker of plain data")
        if maker.text in _MAKE_ARRAY and arguments[0] == _Name(_ARRAY):
            self.stack.append(_Array())
        elif maker.text == _DTYPE and isinstance(arguments[0], str):
            self.stack.append(_Dtype(arguments[0]))
        elif maker.text == _ENCODE and isinstance(arguments[0], str) and arguments[1:] == ("latin1",):
            self.stack.append(arguments[0])
        else:
            raise Refused(f"calls {maker.text.replace(' ', '.')} in a way that makes no plain data")

    def _build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, _Array):
            target.state = state
        elif not isinstance(target, _Dtype):
            raise Refused("sets the state of what is no array")


def _finish(value: Any) -> Any:
    """The value with NumPy arrays in it, if it is one or a dict of them; deeper ones are refused by
    whoever looks there.
    """
    if isinstance(value, _Array):
        return _array(value)
    if isinstance(value, dict):
        return {key: _array(item) if isinstance(item, _Array) else item for key, item in value.items()}
    return value


def _array(found: _Array) -> np.ndarray:
    _, shape, dtype, by_columns, data = found.state
    if not isinstance(dtype, _Dtype) or dtype.code not in ("u1", "|u1"):
        raise Refused("has an array that is not uint8")
    pixels = np.frombuffer(data.encode("latin-1"), np.uint8)
    return pixels.reshape(shape, order="F" if by_columns else "C")
