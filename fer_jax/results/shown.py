"""What a notebook shows of a run, a trial and an ensemble: a heading and a small table, as HTML.

Colours are those of the page around it, so that light and dark notebooks can both be read. Nothing
here is computed anew: what has no stored answers is shown without them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd

from fer_jax.analysis import axes, statistics
from fer_jax.analysis.ranking import METRIC_NAMES, mean_text
from fer_jax.base.text import counted, printable

if TYPE_CHECKING:
    from fer_jax.results.record import RunRecord

MOST_ROWS = 5
_LINE = "1px solid rgba(128, 128, 128, 0.35)"
_CELL = f"padding:2px 12px 2px 0;border-bottom:{_LINE};white-space:nowrap;background:none"
_TABLE = "border-collapse:collapse;margin:4px 0 0 0"
_NOTE = "opacity:0.75"


def of_run(run: RunRecord, metric: str, best: Sequence[Any], groups: int) -> str:
    """Returns a run as HTML: where it is, how far it is, its data and its best points.

    Args:
        run: its record.
        metric: by which points are ranked.
        best: labels of the best points in `run.summary`, best first.
        groups: how many groups of points there are that are not ranked against each other; of more
            than one, `best` holds the best of each.
    """
    statuses = statistics.count_words(run.trials["status"].to_numpy()) or "no trials yet"
    data = str(run.record["data"].get("label", "unknown data"))
    notes = [f"{statuses}; {counted(len(run.summary) if len(run.trials) else 0, 'point')}; {data}"]
    if groups > 1:
        notes.append(f"the best of each of {groups} groups of points, which {metric} does not rank against each other")
    elif len(run.trials) and len(run.summary) > len(best) > 0:
        notes.append(f"the {counted(len(best), 'best point')} by {METRIC_NAMES.get(metric, metric)}")
    return _block(f"Run {run.path}", notes, _points(run, metric, best))


def of_trial(run: RunRecord, row: pd.Series, warning: str = "") -> str:
    """Returns a trial as HTML: its settings, epochs, and what it scored.

    Args:
        run: that it belongs to.
        row: its row of `run.trials`.
        warning: a sentence about its network, or ''.
    """
    cells = dict(zip(_names(run), _values(run, row), strict=True))
    if "seed" in row:
        cells["seed"] = str(row["seed"])
    if pd.notna(row.get("epochs")):
        cells["epochs"] = f"{row['epochs']}" + (
            f", best {row['best_epoch']}" if pd.notna(row.get("best_epoch")) else ""
        )
    accuracies = [f"{part}_accuracy{what}" for part in ("val", "test") for what in ("", "_clean")]
    for name in (*accuracies[:2], "val_loss", *accuracies[2:], "test_loss"):
        if pd.notna(row.get(name)):
            cells[METRIC_NAMES[name]] = f"{float(row[name]):.3f}"
    notes = [f"{row['status']}; of {run.path}", warning, str(row.get("error") or "")]
    return _block(f"Trial {row['id']}", notes, _table(list(cells), [list(cells.values())]))


def of_ensemble(label: str, members: Sequence[pd.Series], scores: Mapping[str, Any], warning: str) -> str:
    """Returns an ensemble as HTML: what its mean scores, and its members.

    Args:
        label: what it is made of.
        members: their rows of `run.trials`.
        scores: as `Ensemble.row` gives them; {} where no answers are stored.
        warning: a sentence about its members, or ''.
    """
    names = {"val": "validation accuracy", "test": "test accuracy"}
    rows = []
    for part in names:
        if f"{part}_accuracy" in scores:
            single = mean_text(
                scores[f"{part}_accuracy_members_mean"], scores[f"{part}_accuracy_members_sd"], len(members)
            )
            rows.append([names[part], f"{scores[f'{part}_accuracy']:.3f}", single])
    table = _table(["", "their mean answer", "one by one"], rows) if rows else ""
    shown = [
        [str(row["id"]), *(f"{float(row[f'{part}_accuracy']):.3f}" if pd.notna(row.get(f"{part}_accuracy")) else "–"
                           for part in names)]
        for row in members[: 2 * MOST_ROWS]
    ]  # fmt: skip
    table += _table(["trial", *names.values()], shown)
    more = len(members) - len(shown)
    return _block(f"Ensemble of {label}", [warning, f"and {counted(more, 'more member')}" if more > 0 else ""], table)


def _points(run: RunRecord, metric: str, best: Sequence[Any]) -> str:
    if not len(best):
        return ""
    partner = metric.replace("val_", "test_")
    metrics = [
        name
        for name in dict.fromkeys((metric, f"{metric}_clean", partner, f"{partner}_clean"))
        if f"{name}_mean" in run.summary and (name in (metric, partner) or run.summary[f"{name}_mean"].notna().any())
    ]
    rows = []
    for label in best:
        row = run.summary.loc[label]
        means = [mean_text(float(row[f"{name}_mean"]), float(row[f"{name}_sd"]), int(row["n"])) for name in metrics]
        rows.append([*_values(run, row), *means, *([row["left_out"]] if _left_out(run, best) else [])])
    left = ["left out"] if _left_out(run, best) else []
    return _table([*_names(run), *(METRIC_NAMES.get(name, name) for name in metrics), *left], rows)


def _left_out(run: RunRecord, best: Sequence[Any]) -> bool:
    return bool(run.summary.loc[list(best), "left_out"].ne("").any())


def _names(run: RunRecord) -> list[str]:
    """Returns the names of the swept fields, as short as they tell them apart."""
    return list(axes.short_names(list(run.swept)).values())


def _values(run: RunRecord, row: pd.Series) -> list[str]:
    return [run.axes[name].text(row[name]) for name in run.swept]


def _block(heading: str, notes: Iterable[str], table: str) -> str:
    lines = "".join(f'<div style="{_NOTE}">{_escaped(note)}</div>' for note in notes if note)
    return f'<div><div style="font-weight:bold">{_escaped(heading)}</div>{lines}{table}</div>'


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    sides = ["right" if all(map(_is_number, column)) else "left" for column in zip(*rows, strict=True)]
    lines = "".join(_line("td", row, sides) for row in rows)
    table = f'<table style="{_TABLE}"><thead>{_line("th", headings, sides)}</thead><tbody>{lines}</tbody></table>'
    return f'<div style="overflow-x:auto">{table}</div>'


def _is_number(text: str) -> bool:
    """Returns whether a cell is a number, or begins with one, such as '0.873 (n = 3)'."""
    try:
        float(text.partition(" ")[0])
    except ValueError:
        return text == "–"
    return True


def _line(tag: str, texts: Sequence[str], sides: Sequence[str]) -> str:
    cells = "".join(
        f'<{tag} style="text-align:{side};{_CELL}">{_escaped(text)}</{tag}>'
        for text, side in zip(texts, sides, strict=True)
    )
    return f'<tr style="background:none">{cells}</tr>'


def _escaped(text: str) -> str:
    """Returns a text as HTML; control characters, which some pages obey, are visible escapes."""
    return escape(printable(text))
