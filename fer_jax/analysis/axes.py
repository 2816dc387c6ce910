"""How a swept field becomes an axis or a column: its name, its order, its scale, its texts.

Every figure and table asks here, so that a value reads the same wherever it appears.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from fer_jax.analysis.statistics import hashable

# Name, and unit or symbol, where the last word of the dotted name does not say enough. A field not
# listed still works.
_NAMES = {
    "data.fraction": ("fraction of the data", ""),
    "data.image_size": ("image size", "(pixels)"),
    "data.label_noise": ("label noise", "(share)"),
    "loss.focal_gamma": ("focal gamma", "γ"),
    "model.dense": ("dense layers", "(units)"),
    "model.dropout": ("dropout", "(share)"),
    "model.hidden": ("hidden layers", "(units)"),
    "model.kernel_size": ("kernel size", "(pixels)"),
    "model.kernels": ("kernels a layer", ""),
    "model.pairs": ("conv-pool pairs", ""),
    "model.pool_size": ("pool size", "(pixels)"),
    "train.batch_size": ("batch size", "(images)"),
    "train.beta1": ("beta 1", "β₁"),
    "train.beta2": ("beta 2", "β₂"),
    "train.l2": ("L2 penalty", "λ"),
    "train.learning_rate": ("learning rate", "η"),
}
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_DRAWN = {"log": "log", "uniform": "linear", "int": "linear"}  # the first word of a draw
_LONGEST_MARK = 22
_FEW = 20


def short_name(field: str) -> str:
    """Returns a field for columns and sentences, without unit or symbol: 'batch size'."""
    return _NAMES.get(field, (field.rsplit(".", 1)[-1].replace("_", " "), ""))[0]


def long_name(field: str) -> str:
    """Returns a field for the axis of a figure, with unit or symbol: 'batch size (images)'."""
    return f"{short_name(field)} {_NAMES.get(field, ('', ''))[1]}".strip()


def short_names(fields: Sequence[str]) -> dict[str, str]:
    """Returns field -> `short_name`; those that would read alike keep their block's name."""
    plain = [short_name(field) for field in fields]
    return {
        field: field.replace(".", " ").replace("_", " ") if plain.count(name) > 1 else name
        for field, name in zip(fields, plain, strict=True)
    }


def value_text(value: Any) -> str:
    """Returns one value, short and typable: 0.001, 1e-5, 64, same, 32-64-64 for a tuple.

    An empty cell is a dash.
    """
    value = hashable(value)
    if value is None:
        return "–"
    if isinstance(value, tuple):
        return "-".join(value_text(item) for item in value) or "none"
    if isinstance(value, float):
        return _scientific(value) if 0 < value < 1e-3 else _plain_exponent(f"{value:.6g}")
    return str(value)


def _scientific(value: float, most: int = 6) -> str:
    """Returns a positive number as 1e-3 or 2.5e-4."""
    digits, _, power = f"{value:.{most - 1}e}".partition("e")
    return f"{float(digits):.{most}g}e{int(power)}"


def _plain_exponent(text: str) -> str:
    digits, e, power = text.partition("e")
    return f"{digits}e{int(power)}" if e else text


def figure_text(text: str) -> str:
    """Returns a value as print sets it: 10⁻⁵ for 1e-5, 3×10⁻⁴ for 3e-4; long texts are cut."""
    digits, e, power = text.partition("e")
    if e and _is_number(text):
        raised = "10" + power.translate(_SUPERSCRIPTS)
        return raised if digits == "1" else f"{digits}×{raised}"
    short = text if len(text) <= _LONGEST_MARK else text[: _LONGEST_MARK - 1] + "…"
    return short.replace("$", r"\$")  # matplotlib would read a formula


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@dataclasses.dataclass(frozen=True)
class Axis:
    """The axis of a swept field: its levels in order, its scale and its texts.

    Attributes:
        field: dotted name.
        kind: linear, log (positions are log10) or ordinal (categories, or a zero among decades:
            evenly spaced).
        levels: distinct values; ascending for numbers, else in order of appearance.
        texts: the levels for tables and sentences (1e-5).
        marks: the levels for figures (10⁻⁵).
    """

    field: str
    kind: str
    levels: tuple[Any, ...]
    texts: tuple[str, ...]
    marks: tuple[str, ...]

    @property
    def numeric(self) -> bool:
        """Whether the values are numbers (also where they are spaced evenly)."""
        return bool(self.levels) and all(_is_real(level) for level in self.levels)

    @property
    def label(self) -> str:
        """The name of the axis, with unit or symbol."""
        return long_name(self.field)

    @property
    def span(self) -> float:
        """The decades between the smallest and the largest positive level; 0 for categories."""
        positive = [level for level in self.levels if _is_real(level) and level > 0]
        return math.log10(max(positive) / min(positive)) if positive else 0.0

    def index(self, values: Iterable[Any]) -> np.ndarray:
        """Returns the number of each value's level, int64."""
        return np.array([self._places[hashable(value)] for value in values], dtype=np.int64)

    @functools.cached_property
    def _places(self) -> dict[Any, int]:
        # Made once: a random search has as many levels as points, and is asked for each cell.
        return {level: i for i, level in enumerate(self.levels)}

    def position(self, values: Iterable[Any]) -> np.ndarray:
        """Returns the coordinate of each value, float64.

        An empty cell, which only an ordinal axis can have, has its own place.
        """
        if self.kind == "ordinal":
            return self.index(values).astype(np.float64)
        numbers = np.array([float(value) for value in values], dtype=np.float64)
        return np.log10(numbers) if self.kind == "log" else numbers

    def text(self, value: Any) -> str:
        """Returns the text of a level for tables and sentences."""
        return self.texts[int(self.index([value])[0])]

    def mark(self, value: Any) -> str:
        """Returns the text of a level for the axis of a figure."""
        return self.marks[int(self.index([value])[0])]

    def ticks(self, room: float = 60) -> tuple[np.ndarray, list[str]]:
        """Returns coordinates and texts for an axis about `room` characters long.

        These are the levels themselves while they fit beside each other, else round numbers;
        categories are never left out.
        """
        places = self.position(self.levels)
        if self.kind == "ordinal" and not self.numeric:
            return places, list(self.marks)
        keep = _apart(places, self.marks, room)
        if self.kind == "ordinal" or len(keep) == len(places):
            return places[keep], [self.marks[i] for i in keep]
        low, high = float(places.min()), float(places.max())
        if self.kind == "linear":
            round_numbers = np.asarray(MaxNLocator(max(2, int(room / 7))).tick_values(low, high))
            places = round_numbers[(round_numbers >= low) & (round_numbers <= high)]
            return places, [figure_text(value_text(round(float(t), 12))) for t in places]
        places = np.arange(math.ceil(low - 0.1), math.floor(high + 0.1) + 1, dtype=np.float64)
        if len(places) < 2:
            return self.position(self.levels)[keep], [self.marks[i] for i in keep]
        texts = ["10" + str(int(t)).translate(_SUPERSCRIPTS) for t in places]
        keep = _apart(places, texts, room)
        return places[keep], [texts[i] for i in keep]


def text_width(text: str) -> float:
    """Returns the room a text needs under an axis, in characters, with the gap to its neighbour.

    Raised digits are narrow.
    """
    return 1.5 + sum(0.6 if c in "⁻⁰¹²³⁴⁵⁶⁷⁸⁹" else 1.0 for c in text)


def _apart(places: np.ndarray, texts: Sequence[str], room: float) -> list[int]:
    """Returns which ascending places can bear their text without touching the one before."""
    scale = room / (float(places[-1] - places[0]) or 1.0)
    keep = [0]
    for i in range(1, len(places)):
        needed = (text_width(texts[i]) + text_width(texts[keep[-1]])) / 2
        if (places[i] - places[keep[-1]]) * scale >= needed:
            keep.append(i)
    return keep


def axis(field: str, values: pd.Series | Sequence[Any], draw: str = "") -> Axis:
    """Returns the axis of a field from the values it takes over all points.

    Numbers are logarithmic when they were chosen by factors rather than steps; whatever is not a
    number is ordinal, as are decades with a zero among them.

    Args:
        field: dotted name.
        values: of all points.
        draw: what the field was drawn from, such as 'log 1e-5 1e-1'; '' where it was not. It says
            by what its numbers were chosen, of which few random ones tell little.
    """
    levels: list[Any] = list(dict.fromkeys(hashable(value) for value in values))
    kind = "ordinal"
    if levels and all(_is_real(level) for level in levels):
        levels.sort()
        told = _DRAWN.get(draw.split(" ")[0])
        guess = not told or (told == "log" and levels[0] <= 0)
        kind = _scale(np.array(levels, dtype=np.float64)) if guess else str(told)
    texts = [value_text(level) for level in levels]
    # 1e-5 beside 0.001 would be hard to compare, and so would an axis in 1e-3 beside one in 0.001.
    powers = any("e" in text for text in texts if _is_number(text)) or (kind == "log" and _decades(levels))
    if powers:
        positive = [_is_real(level) and level > 0 for level in levels]
        texts = [_scientific(v) if p else text for v, p, text in zip(levels, positive, texts, strict=True)]
    marks = [_rounded(level, text, powers) for level, text in zip(levels, texts, strict=True)]
    if len(set(marks)) < len(levels) <= _FEW:
        marks = texts  # rounded, two levels of a grid would read alike
    marks = [figure_text(text) for text in marks]
    return Axis(field, kind, tuple(levels), tuple(texts), tuple(marks))


def _rounded(level: Any, text: str, powers: bool) -> str:
    """Returns three digits of a number that was drawn at random rather than written by somebody."""
    if not isinstance(level, float) or not level > 0 or len(text) < 7:
        return text
    return _scientific(level, 3) if powers else f"{level:.3g}"


def _is_real(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _decades(levels: Sequence[float]) -> bool:
    """Returns whether all are powers of ten and one is small enough to be written as such."""
    exponents = np.log10(np.array(levels, dtype=np.float64))
    return bool(exponents.min() < -2.5 and np.allclose(exponents, np.round(exponents), rtol=0, atol=1e-9))


def _scale(levels: np.ndarray) -> str:
    """Returns 'linear', 'log' or 'ordinal' for ascending distinct numbers."""
    positive = levels[levels > 0]
    if len(positive) == len(levels):
        return "log" if _by_factors(levels) else "linear"
    decades = levels[0] == 0 and len(positive) > 1 and positive[-1] / positive[0] >= 9.99
    return "ordinal" if decades and _by_factors(positive) else "linear"


def _by_factors(levels: np.ndarray) -> bool:
    """Returns whether positive numbers grow by factors.

    They do where their median is nearer the geometric than the arithmetic middle.
    """
    low, high, middle = levels[0], levels[-1], float(np.median(levels))
    if len(levels) < 3:
        return bool(high / low >= 9.99)
    from_geometric, from_arithmetic = math.log(middle / math.sqrt(low * high)), math.log(2 * middle / (low + high))
    return bool(high / low >= 4 and abs(from_geometric) < abs(from_arithmetic))
