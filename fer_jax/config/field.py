"""One config field: its kind, type, range and meaning, and the check of its values."""

from __future__ import annotations

import ast
import difflib
import math
import numbers
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from absl import flags

from fer_jax.errors import ConfigError

Type: TypeAlias = type  # inside Field the name `type` is a property
Kind = Literal["shape", "traced", "head", "run", "sweep"]

_BOOLEAN = flags.BooleanParser()
# The largest float32; and the smallest that XLA and XGBoost do not take for 0 or refuse.
_LARGEST, _SMALLEST = np.finfo(np.float32).max, np.finfo(np.float32).smallest_normal
_INT32 = np.iinfo(np.int32)


class FieldError(ConfigError):
    """A ConfigError that knows which fields it is about.

    So a loader can say where their values came from.

    Attributes:
        names: dotted names of the fields involved, the one to blame first.
    """

    def __init__(self, names: Sequence[str], message: str) -> None:
        super().__init__(" ".join(message.split()))
        self.names = tuple(names)


class UnknownField(FieldError, AttributeError, KeyError):
    """A name that is no field, read or set on a config.

    It is what Python expects of a missing attribute and of a missing key, so that `hasattr`, `copy`
    and `config.get(name, default)` work.

    Attributes:
        key: the name without its block.
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__([name], message)
        self.key = name.rpartition(".")[2]

    __str__ = Exception.__str__  # that of KeyError quotes the message


@dataclass(frozen=True)
class Need:
    """A condition on another field, without which a field changes nothing.

    Attributes:
        name: dotted name of the other field.
        values: the values of it that will do; not read where `above` or `longer` is given.
        above: a number that it must exceed.
        longer: number of items that it must have more of, for a tuple.
    """

    name: str
    values: tuple[Any, ...] = ()
    above: float | None = None
    longer: int | None = None

    def met(self, values: Mapping[str, Any]) -> bool:
        """Returns whether the other field, among these dotted names -> values, is as needed."""
        value = values[self.name]
        if self.longer is not None:
            return len(value) > self.longer
        return value in self.values if self.above is None else value > self.above

    def __str__(self) -> str:
        """Returns words: `train.optimizer = sgd or nesterov`, `train.stop_patience above 0`."""
        if self.longer is not None:
            return f"{self.name} of more than {self.longer} items" if self.longer else f"{self.name} set"
        if self.above is not None:
            return f"{self.name} above {self.above:,}"
        return f"{self.name} = {' or '.join(str(value) for value in self.values)}"


@dataclass(frozen=True)
class Field:
    """The declaration of one config field.

    Attributes:
        name: dotted name, such as `train.l2`.
        default: value when nothing else is said; its type is the field's type (bool, int, float,
            str or tuple).
        kind: what a change of the field costs. `shape`: another compiled program; `traced`:
            nothing; `head`: no training; `run`: not part of a trial's identity; `sweep`: says how
            trials are made.
        comment: meaning and unit, one line.
        low, high: bounds of a number (of each item, for a tuple); None means unbounded.
        low_open, high_open: whether the bound itself is excluded.
        choices: the only values allowed, when given.
        item: type of a tuple's items; needed where the default is an empty tuple.
        needs: conditions on other fields, such as Need("train.optimizer", ("sgd",)): where none of
            them is met, this field changes nothing. Empty where it always may.
        neutral: value of a traced field at which its block of computation changes nothing, so that
            it is compiled in only where some trial has another; None if there is no such block.
        never_swept: why the field may not be swept although its kind could be; empty when it may.
        single: whether a number of another kind than traced is computed with in float32 too.
    """

    name: str
    default: Any
    kind: Kind
    comment: str
    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False
    choices: tuple[Any, ...] = ()
    item: Type | None = None
    needs: tuple[Need, ...] = ()
    neutral: Any = None
    never_swept: str = ""
    single: bool = False

    @property
    def type(self) -> Type:
        """The type of the default, which every value is converted to."""
        return type(self.default)

    @property
    def item_type(self) -> Type:
        """The type of the items of a tuple field; the field's own type otherwise."""
        if self.type is not tuple:
            return self.type
        return self.item or type(self.default[0])

    @property
    def needed(self) -> str:
        """The text of `needs`, `train.schedule = cosine or ...`; empty where there are none."""
        return " or ".join(str(need) for need in self.needs)

    def has_effect(self, values: Mapping[str, Any]) -> bool:
        """Returns whether the field can change a trial that has these values, by dotted name."""
        return not self.needs or any(need.met(values) for need in self.needs)

    def is_unset(self, value: Any) -> bool:
        """Returns whether `value` asks for nothing.

        It does where it is the default, or leaves this field's block of computation out.
        """
        return value == self.default or (self.neutral is not None and value == self.neutral)

    @property
    def wanted(self) -> str:
        """The type and range of a value in words, as in 'a whole number, at least 1'."""
        words = {bool: "true or false", int: "a whole number", float: "a number", str: "a word", dict: "a dict"}
        one = words[self.item_type]
        if self.choices:
            one = " or ".join(str(choice) for choice in self.choices)
        ends = []
        if self.low is not None:
            ends.append(f"{'above' if self.low_open else 'at least'} {self.low:,}")
        if self.high is not None:
            ends.append(f"{'below' if self.high_open else 'at most'} {self.high:,}")
        text = f"{one}, {' and '.join(ends)}" if ends else one
        return f"a tuple, each item {text}" if self.type is tuple else text

    @property
    def allowed(self) -> str:
        """The values allowed: `adam | sgd`, `[0, 1)`, `> 0`; empty where the type says it all."""
        if self.choices:
            return " | ".join(str(choice) for choice in self.choices)
        if self.low is None or self.high is None:
            ends = ((self.low, ">" if self.low_open else ">="), (self.high, "<" if self.high_open else "<="))
            return " ".join(f"{sign} {end:,}" for end, sign in ends if end is not None)
        return f"{'(' if self.low_open else '['}{self.low:,}, {self.high:,}{')' if self.high_open else ']'}"

    def coerce(self, value: Any, where: str = "") -> Any:
        """Returns `value` as the field's own type.

        1 becomes 1.0 for a float; a list or a single item becomes a tuple.

        Args:
            value: what was given.
            where: name to use in an error when it is not the field's own, such as
                `sweep.grid.train.l2`.

        Raises:
            FieldError: the type, range or choice is wrong.
        """
        where = where or self.name
        if self.type is not tuple:
            return self._coerce_one(value, where)
        items = _as_tuple(value)
        return tuple(self._coerce_one(item, where) for item in ((value,) if items is None else items))

    def coerce_list(self, value: Any, where: str) -> tuple[Any, ...]:
        """Returns the values of a sweep over this field as a tuple, a single value as one of one.

        A list for a tuple field must hold tuples, because (16, 32) could mean one value or two.

        Raises:
            FieldError: the list is empty, or one of its values is wrong.
        """
        values = _as_tuple(value)
        if values is None:
            if isinstance(value, (Mapping, set, frozenset)) or self.type is tuple:
                raise FieldError([where], f"{where} = {_show(value)}: must be a list of values{self._example()}")
            values = (value,)
        if not values:
            raise FieldError([where], f"{where} is an empty list: give at least one value, or None for no sweep")
        if self.type is tuple and any(_as_tuple(one) is None for one in values):
            raise FieldError([where], f"{where} = {_show(value)}: must be a list of tuples{self._example()}")
        return tuple(self.coerce(one, where) for one in values)

    @property
    def is_single(self) -> bool:
        """Whether values, or the items of a tuple, are float32 where they are computed with."""
        return self.item_type is float and (self.single or self.kind == "traced")

    def held(self, value: Any) -> Any:
        """Returns what a value of the field's type is in the computation: rounded to float32."""
        if not self.is_single:
            return value
        with np.errstate(over="ignore"):
            return tuple(map(np.float32, value)) if self.type is tuple else np.float32(value)

    def check_held(self, value: Any, where: str = "") -> None:
        """Checks that a value of the field's type is in range in the computation too.

        It is asked of what is going to train, not of what is read from the record of a run.

        Args:
            value: as `coerce` returns it.
            where: as for `coerce`.

        Raises:
            FieldError: it, or one of its items, becomes infinite, 0 or an excluded bound in
                float32, or does not fit into int32. The error names the nearest that does.
        """
        where = where or self.name
        for item in value if self.type is tuple else (value,):
            if self.is_single:
                self._check_single(item, where)
            elif self.kind == "traced" and self.item_type is int and not _INT32.min <= item <= _INT32.max:
                nearest = min(max(item, _INT32.min), _INT32.max)
                raise FieldError(
                    [where], f"{where} = {item}: does not fit into int32; the nearest that does is {nearest}"
                )

    def _check_single(self, value: float, where: str) -> None:
        with np.errstate(over="ignore"):
            found = np.float32(value)
        if not np.isfinite(found):
            became, nearest = "infinite", np.copysign(_LARGEST, found)
        elif value and abs(found) < _SMALLEST:
            zero = self._in_range(0.0) and abs(value) < _SMALLEST / 2
            became, nearest = "0", np.float32(0) if zero else np.copysign(_SMALLEST, np.float32(value))
        elif float(found) in (self.low, self.high) and not self._in_range(float(found)):
            inward = math.copysign(math.inf, value - float(found))
            became, nearest = f"{found:g}, which is out of range,", np.nextafter(found, np.float32(inward))
        else:
            return
        raise FieldError(
            [where], f"{where} = {value}: becomes {became} in float32; the nearest that can be held is {nearest!s}"
        )

    def parse(self, text: str) -> Any:
        """Reads a value as it stands on a command line; see `coerce` for what it may raise."""
        if self.type is str:
            return self.coerce(text)
        return self.coerce(_literal(text))

    def parse_list(self, text: str, where: str) -> tuple[Any, ...] | None:
        """Reads the values of a sweep as they stand on a command line; None for `None`.

        They are written `(0.,1e-3)`, `[0.,1e-3]`, `0.,1e-3` or `1e-3`.
        """
        value = _literal(text)
        return None if value is None else self.coerce_list(value, where)

    def _example(self) -> str:
        if self.type is not tuple:
            return ""
        return f", such as ({self.default!r},)" if self.default else ", such as (('a', 'b'),)"

    def _coerce_one(self, value: Any, where: str) -> Any:
        kind = self.item_type
        ok = {
            bool: isinstance(value, bool) or type(value).__name__ == "bool",  # NumPy's bool is no Python bool
            int: isinstance(value, numbers.Integral) and not isinstance(value, bool),
            float: isinstance(value, numbers.Real) and not isinstance(value, bool),
            str: isinstance(value, str),
            dict: isinstance(value, Mapping),
        }[kind]
        if not ok:
            raise FieldError([where], f"{where} = {_show(value)}: must be {self.wanted}")
        try:
            value = kind(value)
        except OverflowError:  # a whole number no float can hold
            value = math.inf
        if kind is float:
            if not math.isfinite(value):
                raise FieldError([where], f"{where} = {value}: must be a finite number")
            value += 0.0  # -0.0 and 0.0 are one value and must have one identity
        if self.choices and value not in self.choices:
            close = difflib.get_close_matches(str(value), [str(choice) for choice in self.choices], 1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise FieldError([where], f"{where} = {_show(value)}: must be {self.wanted}{hint}")
        if not self._in_range(value):
            raise FieldError([where], f"{where} = {_show(value)}: must be {self.wanted}")
        return value

    def _in_range(self, value: Any) -> bool:
        if self.low is not None and (value < self.low or (self.low_open and value == self.low)):
            return False
        return self.high is None or value < self.high or (value == self.high and not self.high_open)


def _as_tuple(value: Any) -> tuple[Any, ...] | None:
    """Returns the items of a list, tuple, range or array; None for any other value."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    return tuple(value) if isinstance(value, (list, tuple, range)) else None


def _literal(text: str) -> Any:
    """Reads a Python literal; where `text` is none, its comma-separated words or the one word."""
    text = text.strip()
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        pass
    inner = text[1:-1] if text[:1] + text[-1:] in ("()", "[]") else text
    if "," in inner:
        return tuple(_word(word) for word in inner.rstrip(", ").split(","))
    return _word(inner) if inner == text else (_word(inner),)


def _word(text: str) -> Any:
    text = text.strip()
    if text.lower() in ("true", "false"):
        return _BOOLEAN.parse(text)
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def _show(value: Any) -> str:
    return reprlib.repr(value)


def in_words(names: Iterable[str]) -> str:
    """Returns the names as `a, b and c`."""
    *head, last = names
    return f"{', '.join(head)} and {last}" if head else last
