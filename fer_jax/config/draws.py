"""Texts that stand for values: what `sweep.draw` draws from, and lists that are spaced evenly.

A draw is 'log 1e-5 1e-1', 'uniform 0 .5', 'int 16 128' or 'choice adam sgd'; a spaced list says how
many values as well, 'log 1e-5 1e-1 5'. What lies between the ends is rounded, so that tables stay
readable.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fer_jax.config.field import Field, FieldError
from fer_jax.config.fields import MAX_SETTINGS

SCALES = ("log", "uniform", "int")
WORDS = (*SCALES, "choice")
_EXAMPLES = {"log": "log 1e-5 1e-1", "uniform": "uniform 0 .5", "int": "int 16 128", "choice": "choice adam sgd"}
_LARGEST_WHOLE = 2**53  # up to which a float is every whole number
_DIGITS = 4  # of a value between the ends, where its range needs no more
# Words, where brackets and quotes hold together what has spaces inside.
_WORD = re.compile(r"(?:\([^()]*\)|\[[^\[\]]*\]|'[^']*'|\"[^\"]*\"|\S)+")


@dataclass(frozen=True)
class Scale:
    """A range of numbers and what is even in it.

    Attributes:
        word: 'log', where ratios are, or 'uniform' or 'int', where differences are.
        low, high: the ends, of the field's type; both belong to the range.
        field: whose values they are.
    """

    word: str
    low: Any
    high: Any
    field: Field

    @property
    def whole(self) -> bool:
        """Whether the values are whole numbers, which those of a float field may be too."""
        return self.word == "int" or self.field.type is int

    def at(self, places: np.ndarray, parts: int = 1) -> list[Any]:
        """Returns the value at each place.

        Every whole number of a range has the same share of places on an even scale; on a
        logarithmic one it has that of what rounds to it.

        Args:
            places: of shape (place,), in [0, 1).
            parts: into how many parts of equal size the range is divided; a value is rounded to
                about a thousandth of one, or to four significant digits if these say more.
        """
        if not self.whole:
            return [self._tidy(value, parts) for value in self._between(self.low, self.high, places)]
        if self.word == "log":
            found = np.rint(self._between(self.low - 0.5, self.high + 0.5, places))
        else:
            found = np.floor(self.low + places * (self.high - self.low + 1))
        return [self._inside(self.field.type(value)) for value in found.tolist()]

    def levels(self, count: int) -> tuple[Any, ...]:
        """Returns values spaced evenly from end to end, these included; equal ones are one.

        Values between whole ones are rounded, halves up.

        Args:
            count: how many, at least 2.
        """
        if self.whole and self.word != "log":
            # Between whole numbers all of it is exact.
            low, wide, gaps = int(self.low), int(self.high) - int(self.low), count - 1
            found = [self.field.type(low + (2 * part * wide + gaps) // (2 * gaps)) for part in range(count)]
            return tuple(dict.fromkeys(found))
        inner = self._between(self.low, self.high, np.arange(1, count - 1) / (count - 1))
        rounded = [
            self._inside(self.field.type(math.floor(value + 0.5))) if self.whole else self._tidy(value, count - 1)
            for value in inner
        ]
        return tuple(dict.fromkeys((self.low, *rounded, self.high)))

    def _between(self, low: float, high: float, places: np.ndarray) -> list[float]:
        """Returns what lies at these shares of the way from `low` to `high`."""
        if self.word == "log":
            return np.exp((1 - places) * math.log(low) + places * math.log(high)).tolist()
        return ((1 - places) * low + places * high).tolist()

    def _tidy(self, value: float, parts: int) -> float:
        largest = max(abs(self.low), abs(self.high))
        if self.word == "log":
            wide = math.log(self.high) - math.log(self.low)
        else:
            wide = self.high / largest - self.low / largest
        digits = _DIGITS - 1 + math.ceil(math.log10(max(parts / max(wide, 1e-16), 1)))
        value = self._inside(float(f"{value:.{min(max(digits, _DIGITS), 17) - 1}e}") + 0.0)
        # Between ends that float32 holds, only what is nearly 0 is not held.
        return 0.0 if self.field.is_single and abs(value) < np.finfo(np.float32).smallest_normal else value

    def _inside(self, value: Any) -> Any:
        return min(max(value, self.low), self.high)


@dataclass(frozen=True)
class Draw:
    """What one field is drawn from.

    Attributes:
        text: as it was given, with single spaces.
        scale: of numbers; None for a choice.
        choices: of the field's type; empty for a scale.
    """

    text: str
    scale: Scale | None = None
    choices: tuple[Any, ...] = ()

    def at(self, places: np.ndarray, parts: int = 1) -> list[Any]:
        """Returns the value at each place in [0, 1); the arguments are those of `Scale.at`."""
        if self.scale:
            return self.scale.at(places, parts)
        last = len(self.choices) - 1
        return [self.choices[min(int(place * len(self.choices)), last)] for place in places.tolist()]


def parse(field: Field, value: Any, where: str) -> Draw:
    """Reads what a field is drawn from.

    Args:
        field: may be swept.
        value: a text such as 'log 1e-5 1e-1'.
        where: what errors call it, such as 'sweep.draw.train.l2'.

    Raises:
        FieldError: it is no such text, or stands for values that the field may not have or float32
            not hold.
    """
    words = _words(value, where)
    text = " ".join(words)
    if words[0] == "choice":
        return Draw(text, choices=_choices(field, words[1:], where, text))
    if field.choices or field.type not in (int, float):
        wanted = " ".join(map(str, field.choices)) or "A B"
        raise FieldError([where], f"{where} = {text!r}: {field.name} is {field.wanted}; write 'choice {wanted}'")
    _check_word(words[0], WORDS, where, text)
    if len(words) == 4:
        raise FieldError([where], f"{where} = {text!r}: takes two ends; how many points are drawn is search.draws")
    scale = _scale(field, words, where, text, 3)
    for end in (scale.low, scale.high):
        field.check_held(end, where)
    return Draw(text, scale)


def spelled_out(field: Field, value: Any, where: str) -> Any:
    """Returns the values of a spaced list such as 'log 1e-5 1e-1 5'; anything else as it is.

    Only fields of numbers have such lists: for those of words, 'log' is a word.

    Raises:
        FieldError: the text begins as a spaced list and is none, or one of more than
            `MAX_SETTINGS` values.
    """
    if not isinstance(value, str) or field.type not in (int, float):
        return value
    words = value.strip(" '\"").split()
    if len(words) < 2 or not words[0].isalpha():
        return value
    text = " ".join(words)
    _check_word(words[0], SCALES, where, text, " 5")
    scale = _scale(field, words, where, text, 4)
    count = _number(words[3], True, where, text)
    if not 2 <= count <= MAX_SETTINGS:
        raise FieldError(
            [where], f"{where} = {text!r}: asks for {count:,} values: 2 are the fewest, {MAX_SETTINGS:,} the most"
        )
    found = scale.levels(count)
    if len(found) < count:
        raise FieldError(
            [where], f"{where} = {text!r}: of {count:,} values, rounded, only {len(found):,} differ; ask for fewer"
        )
    return found


def _words(value: Any, where: str) -> list[str]:
    words = _WORD.findall(value) if isinstance(value, str) else []
    if not words:
        examples = ", ".join(repr(text) for text in _EXAMPLES.values())
        raise FieldError([where], f"{where} = {value!r}: must be a text such as {examples}; or None for no draw")
    return words


def _check_word(word: str, known: tuple[str, ...], where: str, text: str, more: str = "") -> None:
    if word in known:
        return
    close = difflib.get_close_matches(word.lower(), known, 1, cutoff=0.4)
    near = close[0] if close else known[0]
    raise FieldError(
        [where],
        f"{where} = {text!r}: must begin with {_or(known)}; did you mean '{near}', as in '{_EXAMPLES[near]}{more}'?",
    )


def _scale(field: Field, words: list[str], where: str, text: str, length: int) -> Scale:
    """Returns the scale that the first three of `length` words say."""
    word = words[0]
    if len(words) != length:
        needs = "two ends" if length == 3 else "two ends and how many values"
        example = _EXAMPLES[word] + (" 5" if length == 4 else "")
        raise FieldError([where], f"{where} = {text!r}: {word} needs {needs}, as in '{example}'")
    whole = word == "int" or field.type is int
    low, high = (_number(end, whole, where, text) for end in words[1:3])
    if word == "log" and min(low, high) <= 0:
        raise FieldError([where], f"{where} = {text!r}: the ends of log must be above 0; uniform takes a 0")
    if low == high:
        raise FieldError([where], f"{where} = {text!r}: the ends are the same; set {field.name} itself")
    if low > high:
        swapped = " ".join([word, words[2], words[1], *words[3:]])
        raise FieldError([where], f"{where} = {text!r}: the ends are swapped; write '{swapped}'")
    return Scale(word, field.coerce(low, where), field.coerce(high, where), field)


def _number(word: str, whole: bool, where: str, text: str) -> Any:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (whole and abs(value) > _LARGEST_WHOLE):
        raise FieldError([where], f"{where} = {text!r}: {word!r} is no number")
    if whole and not value.is_integer():
        raise FieldError([where], f"{where} = {text!r}: {word} is no whole number")
    return int(value) if whole else value


def _choices(field: Field, words: Iterable[str], where: str, text: str) -> tuple[Any, ...]:
    found = []
    for word in words:
        quoted = field.type is str and len(word) > 1 and word[0] == word[-1] and word[0] in "'\""
        value = _read(field, word[1:-1] if quoted else word, where)
        field.check_held(value, where)
        if value in found:
            raise FieldError([where], f"{where} = {text!r}: names {word} twice")
        found.append(value)
    if len(found) < 2:
        raise FieldError(
            [where], f"{where} = {text!r}: choice needs two values or more; one alone is set as {field.name} itself"
        )
    return tuple(found)


def _read(field: Field, word: str, where: str) -> Any:
    """Returns the value of a word as on a command line, blaming `where`."""
    try:
        return field.parse(word)
    except FieldError as error:
        raise FieldError([where], str(error).replace(field.name, where, 1)) from None


def _or(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
