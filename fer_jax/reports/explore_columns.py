"""The points and trials of a run as columns: what the tables of its page show, keyed by names.

The texts are those of `run_tables`, so that the page has one table and not two that may differ.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from fer_jax.analysis.ranking import METRIC_NAMES, Ranking
from fer_jax.reports import explore_so_far, run_tables
from fer_jax.reports.tables import Column, Table, heading

_NUMBER = re.compile(r"[+-]?\d+(?:\.(\d+))?")
# What few readers need at first; a click shows it.
_FOLDED = ("_sd", "_interval", "_range", "_loss")
_KEYS = {
    "± sd": "sd",
    "95 % interval": "interval",
    "min to max": "range",
    "against the best": "against_best",
    "over majority": "over_majority",
}


def tables(
    whole: Ranking, ranked: Sequence[Ranking], names: Sequence[str]
) -> tuple[dict[str, Any], dict[str, Any], list[int]]:
    """Returns points and trials, and the row among the points of each trial.

    Points stand by rank, part after part; trials in plan order.

    Args:
        whole: all points, for the levels of the fields.
        ranked: the parts that are ranked by themselves, or `whole` alone.
        names: of the parts; [] for one.
    """
    points, trials = _Columns(), _Columns()
    numbers: dict[tuple[int, int], int] = {}
    codes: list[int] = []
    for part, ranking in enumerate(ranked):
        rows = ranking.points.sort_values("rank", na_position="last", kind="stable")
        of_points = run_tables.points(ranking)
        of_points = dataclasses.replace(of_points, columns=[*of_points.columns, *explore_so_far.column(ranking, rows)])
        for point in rows.index:
            numbers[part, int(point)] = len(numbers)
        found = [numbers[part, int(point)] for point in ranking.trials["point"]]
        codes += found
        for made, table, frame in (
            (points, of_points, rows),
            (trials, run_tables.trials(explore_so_far.filled(ranking)), ranking.trials),
        ):
            levels = {field: whole.axes[field].index(frame[field]).tolist() for field in ranking.swept}
            made.add(_keyed(table, ranking.swept), levels, len(frame), names[part] if names else "")
    return points.document(whole.metric), trials.document(whole.metric), codes


class _Columns:
    """Columns to which the rows of part after part are added; a part may lack some of them."""

    def __init__(self) -> None:
        self.count = 0
        self.columns: dict[str, Column] = {}
        self.cells: dict[str, list[Any]] = {}
        self.fields: list[str] = []

    def add(self, keyed: Mapping[str, Column], levels: Mapping[str, list[int]], count: int, part: str) -> None:
        """Adds the rows of a part: texts by key, and of fields the numbers of their levels."""
        if part:
            keyed = {"part": Column("part", [part] * count, "ranked by itself", "text"), **keyed}
        self.fields = list(levels)
        for key, column in keyed.items():
            if key not in self.columns:
                self.columns[key] = column
                self.cells[key] = ["–"] * self.count
            self.cells[key] += levels.get(key, column.cells)
        self.count += count
        for cells in self.cells.values():
            cells += ["–"] * (self.count - len(cells))

    def document(self, metric: str) -> dict[str, Any]:
        """Returns the columns, those of numbers with their decimals."""
        found = []
        for key, column in self.columns.items():
            entry: dict[str, Any] = {"key": key, "label": column.heading, "hint": column.hint, "style": column.style}
            if key in self.fields:
                entry |= {"field": self.fields.index(key), "values": self.cells[key]}
            else:
                entry |= _packed(self.cells[key], column.style)
            if key.endswith(_FOLDED) and key.partition("_loss")[0] != metric.partition("_loss")[0]:
                entry["folded"] = not key.startswith(f"{metric}_sd")
            found.append(entry)
        return {"count": self.count, "columns": found}


def _keyed(table: Table, swept: Sequence[str]) -> dict[str, Column]:
    """Returns the page's columns of a table by the name that a filter knows them by."""
    metrics = {heading(name): name for name in (*METRIC_NAMES, *run_tables.METRICS)}
    metrics |= {f"last {words}": f"last_{name}" for words, name in metrics.items()}
    found: dict[str, Column] = {}
    last = ""
    for column in table.page:
        if column.hint in swept:
            key = column.hint
        elif column.heading in metrics:
            key = last = metrics[column.heading]
        elif column.heading in ("± sd", "95 % interval", "min to max"):
            key = f"{last}_{_KEYS[column.heading]}"
        else:
            key = _KEYS.get(column.heading, column.heading.replace(" ", "_"))
        found[key] = column
    return found


def _packed(cells: Sequence[str], style: str) -> dict[str, Any]:
    """Returns texts as numbers where all are numbers of the same decimals, else as they are.

    Few different texts are numbered.
    """
    known = [_NUMBER.fullmatch(cell) for cell in cells if cell != "–"]
    decimals = {len(match[1] or "") for match in known if match}
    if style == "num" and known and all(known) and len(decimals) == 1:
        digits = decimals.pop()
        numbers = [None if cell == "–" else float(cell) if digits else int(cell) for cell in cells]
        signed = any(cell.startswith("+") for cell in cells)
        return {"decimals": digits, "values": numbers, **({"signed": True} if signed else {})}
    words = list(dict.fromkeys(cells))
    if len(words) <= len(cells) // 3:
        places = {word: place for place, word in enumerate(words)}
        return {"words": words, "values": [places[cell] for cell in cells]}
    return {"values": list(cells)}
