"""A table as data, whatever it is shown as, and the texts of its cells."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import pandas as pd

from fer_jax.analysis import axes

# Where a column stands: on a page, which is wide and sorts, on paper (Markdown, LaTeX), or on both.
PAGE, PAPER, BOTH = "page", "paper", "both"
_MOST_DECIMALS = 4
_HEADINGS = {
    "val_accuracy": "val. accuracy",
    "val_loss": "val. loss",
    "train_accuracy": "train accuracy",
    "train_loss": "train loss",
    "test_accuracy": "test accuracy",
    "val_accuracy_clean": "val. without copies",
    "test_accuracy_clean": "test without copies",
    "test_loss": "test loss",
    "test_f1": "test macro F1",
    "val_accuracy_clean_gain": "val. gain without copies",
    "test_accuracy_clean_gain": "test gain without copies",
}


@dataclasses.dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        heading: its first line.
        cells: texts as people read them, a row each.
        hint: what it means, a tooltip on a page.
        style: num, text, id or status; numbers stand to the right.
        on: PAGE, PAPER or BOTH.
    """

    heading: str
    cells: Sequence[str]
    hint: str = ""
    style: str = "num"
    on: str = BOTH


@dataclasses.dataclass(frozen=True)
class Table:
    """One table, which HTML, CSV, Markdown and LaTeX render.

    Attributes:
        name: of its files, and of its label in LaTeX.
        caption: a sentence that says what the numbers are and what they stand on.
        columns: of every rendering, in order.
        frame: the same rows as numbers in full precision; may have more columns.
    """

    name: str
    caption: str
    columns: Sequence[Column]
    frame: pd.DataFrame

    @property
    def page(self) -> list[Column]:
        """The columns of a page."""
        return [column for column in self.columns if column.on != PAPER]

    @property
    def paper(self) -> list[Column]:
        """The columns of Markdown and LaTeX."""
        return [column for column in self.columns if column.on != PAGE]


def rows_of(columns: Sequence[Column]) -> list[tuple[str, ...]]:
    """Returns the cells of columns, a tuple a row."""
    return list(zip(*(column.cells for column in columns), strict=True))


def number(value: object, decimals: int = 4) -> str:
    """Returns a number with fixed decimals; a dash for none, an exponent for what exploded."""
    if value is None or pd.isna(value):
        return "–"
    x = float(value)  # type: ignore[arg-type]
    if not math.isfinite(x):
        return "∞" if x > 0 else "−∞"
    return f"{x:.{decimals}f}" if abs(x) < 1000 else axes.value_text(float(f"{x:.3g}"))


def whole(value: object) -> str:
    """Returns a whole number; a dash for none."""
    return "–" if value is None or pd.isna(value) else str(int(value))  # type: ignore[call-overload]


def heading(metric: str) -> str:
    """Returns a metric as the head of a column: 'val. accuracy' for val_accuracy."""
    words = {"val": "val.", "f1": "F1", "auc": "AUC", "ece": "ECE"}
    return _HEADINGS.get(metric) or " ".join(words.get(word, word) for word in metric.split("_"))


def mean_cell(mean: float, sd: float, n: int) -> str:
    """Returns '0.571 ± 0.012': a mean over n trials and their sample standard deviation.

    Digits that the spread makes meaningless are left out: the deviation keeps two where they are 10
    to 35, else one, and the mean as many decimals (Particle Data Group, Review of Particle Physics,
    section 'Rounding' of the introduction), but no more than four: repeats that agree further do so
    by chance. One trial gives four decimals and no deviation, none a dash.
    """
    if not n or pd.isna(mean):
        return "–"
    if n < 2 or pd.isna(sd) or not math.isfinite(sd) or not math.isfinite(mean):
        return number(mean)
    if sd < 5 * 10.0 ** -(_MOST_DECIMALS + 1):
        return f"{number(mean)} ± {f'<{10.0**-_MOST_DECIMALS:.{_MOST_DECIMALS}f}' if sd else '0'}"
    decimals = min(_decimals(sd), _MOST_DECIMALS)
    # The sum makes a minus zero a zero.
    return " ± ".join(f"{round(value, decimals) + 0.0:.{max(decimals, 0)}f}" for value in (mean, sd))


def _decimals(sd: float) -> int:
    """Returns the decimals of a positive standard deviation; negative where it is tens or more."""
    digits, power = f"{sd:.2e}".split("e")
    return (2 if round(float(digits) * 100) < 355 else 1) - 1 - int(power)
