"""How a swept field becomes an axis or a column: its name for people, its order, whether it is logarithmic, and its texts.

Every figure and table asks here, so that a value reads the same wherever it appears.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from fer_jax.analysis.statistics import hashable

# Name, and unit or symbol, where the last word of the dotted name does not say enough. A field not listed still works.
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
_LONGEST_MARK = 22
_MOST_TICKS = 10


def short_name(field: str) -> str:
    """A field for columns and sentences, without unit or symbol: 'batch size'."""
    return _NAMES.get(field, (field.rsplit(".", 1)[-1].replace("_", " "), ""))[0]


def long_name(field: str) -> str:
    """A field for the axis of a figure, with its unit or symbol: 'batch size (images)'."""
    return f"{short_name(field)} {_NAMES.get(field, ('', ''))[1]}".strip()


def short_names(fields: Sequence[str]) -> dict[str, str]:
    """`short_name` of several fields; those that would read alike keep their block's name."""
    plain = [short_name(field) for field in fields]
    return {
        field: field.replace(".", " ").replace("_", " ") if plain.count(name) > 1 else name
        for field, name in zip(fields, plain, strict=True)
    }


def value_text(value: Any) -> str:
    """One value, short and typable: 0.001, 1e-5, 64, '32, 64, 64', same; an empty cell is a dash."""
    value = hashable(value)
    if value is None:
        return "–"
    if isinstance(value, tuple):
        return ", ".join(value_text(item) for item in value)
    if isinstance(value, float):
        return _plain_exponent(f"{value:.6g}")
    text = str(value)
    return text[1:-1].rstrip(",") if text.startswith("(") and text.endswith(")") else text


def _plain_exponent(text: str) -> str:
    digits, e, power = text.partition("e")
    return f"{digits}e{int(power)}" if e else text


def figure_text(text: str) -> str:
    """The same value as print sets it: 1e-5 becomes 10⁻⁵, 3e-4 becomes 3×10⁻⁴; long texts are cut."""
    digits, e, power = text.partition("e")
    if e and _is_number(text):
        raised = "10" + power.translate(_SUPERSCRIPTS)
        return raised if digits == "1" else f"{digits}×{raised}"
    return text if len(text) <= _LONGEST_MARK else text[: _LONGEST_MARK - 1] + "…"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@dataclasses.dataclass(frozen=True)
class Axis:
    """A swept field, laid out.

    Attributes:
      field: dotted name.
      kind: linear, log (positions are log10) or ordinal (categories, or a zero among decades: evenly spaced).
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
        return long_name(self.field)

    @property
    def span(self) -> float:
        """Decades between the smallest and the largest positive level; 0 for categories."""
        positive = [level for level in self.levels if _is_real(level) and level > 0]
        return math.log10(max(positive) / min(positive)) if positive else 0.0

    def index(self, values: Iterable[Any]) -> np.ndarray:
        """Number of each value's level, int64."""
        places = {level: i for i, level in enumerate(self.levels)}
        return np.array([places[hashable(value)] for value in values], dtype=np.int64)

    def position(self, values: Iterable[Any]) -> np.ndarray:
        """Coordinate of each value, float64; an empty cell (only possible on an ordinal axis) has its own place."""
        if self.kind == "ordinal":
            return self.index(values).astype(np.float64)
        numbers = np.array([float(value) for value in values], dtype=np.float64)
        return np.log10(numbers) if self.kind == "log" else numbers

    def text(self, value: Any) -> str:
        return self.texts[int(self.index([value])[0])]

    def mark(self, value: Any) -> str:
        return self.marks[int(self.index([value])[0])]

    def ticks(self) -> tuple[np.ndarray, list[str]]:
        """Coordinates and texts that fit beside each other: the levels themselves while they are few, else round numbers."""
        places = self.position(self.levels)
        if self.kind == "ordinal" or len(self.levels) <= _MOST_TICKS:
            keep = _apart(places, 0.07 if self.kind == "ordinal" else 0.05)
            return places[keep], [self.marks[i] for i in keep]
        low, high = float(places.min()), float(places.max())
        if self.kind == "linear":
            places = np.array([t for t in MaxNLocator(6).tick_values(low, high) if low <= t <= high])
            return places, [figure_text(value_text(round(float(t), 12))) for t in places]
        places = np.arange(math.floor(low), math.ceil(high) + 1, dtype=np.float64)
        return places, ["10" + str(int(t)).translate(_SUPERSCRIPTS) for t in places]


def _apart(places: np.ndarray, share: float) -> list[int]:
    """Which ascending places to label so that neighbours are at least this share of the whole apart."""
    least, keep = share * float(places[-1] - places[0]), [0]
    for i in range(1, len(places)):
        if places[i] - places[keep[-1]] >= least:
            keep.append(i)
    return keep


def axis(field: str, values: pd.Series | Sequence[Any]) -> Axis:
    """Lays out a field from the values it takes over all points.

    Numbers are logarithmic when they span a decade or more, or grow by a constant factor, and are not evenly spaced;
    anything else that is not a number is ordinal, as are decades with a zero among them.
    """
    levels = list(dict.fromkeys(hashable(value) for value in values))
    kind = "ordinal"
    if levels and all(_is_real(level) for level in levels):
        levels.sort()
        kind = _scale(np.array(levels, dtype=np.float64))
    texts = [value_text(level) for level in levels]
    if all("e" in text or _decade(level) for text, level in zip(texts, levels, strict=True)) and any("e" in t for t in texts):
        texts = [f"1e{round(math.log10(level))}" if _decade(level) else t for t, level in zip(texts, levels, strict=True)]
    return Axis(field, kind, tuple(levels), tuple(texts), tuple(figure_text(text) for text in texts))


def _is_real(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _decade(value: Any) -> bool:
    return _is_real(value) and value > 0 and abs(math.log10(value) - round(math.log10(value))) < 1e-9


def _scale(levels: np.ndarray) -> str:
    """linear, log or ordinal for ascending distinct numbers."""
    if len(levels) < 2:
        return "linear"
    steps = np.diff(levels)
    even = len(levels) > 2 and np.allclose(steps, steps[0], rtol=1e-6, atol=0)
    positive = levels[levels > 0]
    decades = len(positive) > 1 and positive[-1] / positive[0] >= 9.99
    if len(positive) < len(levels):
        return "ordinal" if decades and not even and levels[0] == 0 else "linear"
    ratios = levels[1:] / levels[:-1]
    geometric = len(levels) > 2 and np.allclose(ratios, ratios[0], rtol=1e-6)
    return "log" if (decades or geometric) and not even else "linear"
