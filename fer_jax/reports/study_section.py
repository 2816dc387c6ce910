"""The table of a study, and the section of a report with the rows that are about its run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pandas as pd

from fer_jax.reports import templates
from fer_jax.reports.html_tables import html
from fer_jax.reports.page import Section
from fer_jax.reports.tables import PAGE, PAPER, Column, Table
from fer_jax.store import bounds

STUDY_TABLE = "study.csv"
_DIGITS = 4
NEEDED = (
    "experiment",
    "metric",
    "published",
    "where",
    "chosen_mean",
    "last_mean",
    "n",
    "verdict",
    "no_verdict_because",
    "run",
)


def rows_of(table: pd.DataFrame, run: str) -> pd.DataFrame:
    """Returns the rows of study.csv about a run of this name that a paper printed a value for.

    There are none of another table.
    """
    if not set(NEEDED) <= set(table.columns):
        return table.iloc[:0]
    own = np.array([isinstance(path, str) and PurePath(path).name == run for path in table["run"]], dtype=bool)
    return table[own & table["published"].notna()].reset_index(drop=True)


def rows_beside(run_path: Path) -> pd.DataFrame:
    """Returns `rows_of` for a run whose folder lies beside a study's table; no rows elsewhere."""
    path = run_path.resolve()
    try:
        # Beside a run that somebody has sent may lie anything, a pipe that is never written to too.
        if not (path.parent / STUDY_TABLE).is_file():
            return pd.DataFrame()
        bounds.check_table(path.parent / STUDY_TABLE)
        return rows_of(pd.read_csv(path.parent / STUDY_TABLE), path.name)
    except (OSError, ValueError):
        return pd.DataFrame()  # no study, or a table of something else


def sections(rows: pd.DataFrame) -> list[Section]:
    """Returns one section with the published values beside ours, for rows as `rows_of` gives them.

    There is none for no rows.
    """
    if not len(rows):
        return []
    note = "What the paper published beside what we found, from the table of the study; study.md explains its words."
    shown = html(table(rows).columns, "study-table", "Published figures and ours")
    return [Section("study", "Published", "Published figures", templates.paragraphs(note) + shown)]


def table(rows: pd.DataFrame, title: str = "", digits: Sequence[int] = ()) -> Table:
    """Returns the table of a study: a row a published value, with ours beside it.

    Args:
        rows: of study.csv, read back or as `studies.table.to_frame` makes them.
        title: of the study.
        digits: decimals each value was published with; four where left out.
    """
    found = [row for _, row in rows.iterrows()]
    decimals = digits or [_DIGITS] * len(found)
    columns = [
        Column("experiment", [str(row["experiment"]) for row in found], style="text"),
        Column("metric", [str(row["metric"]) for row in found], style="text"),
        *_page_columns(found),
        *_paper_columns(found, decimals),
    ]
    return Table("study", title, columns, rows)


def _page_columns(rows: Sequence[pd.Series]) -> list[Column]:
    spread = "mean ± sd over seeds"
    verdicts = [_words(row["verdict"]) or f"none: {_words(row['no_verdict_because'])}" for row in rows]
    return [
        Column(
            "published", [_value(row, "published", "published_sd", "{:.4g}") for row in rows], "as printed", on=PAGE
        ),
        Column("where", [_words(row["where"]) for row in rows], style="text", on=PAGE),
        Column("n", [str(int(row["n"])) for row in rows], "our done trials", on=PAGE),
        Column("ours, chosen weights", [_value(row, "chosen_mean", "chosen_sd") for row in rows], spread, on=PAGE),
        Column("ours, last epoch", [_value(row, "last_mean", "last_sd") for row in rows], spread, on=PAGE),
        Column("verdict", verdicts, style="text", on=PAGE),
    ]


def _paper_columns(rows: Sequence[pd.Series], digits: Sequence[int]) -> list[Column]:
    cells = {
        "data set": [_words(row.get("data")) or "-" for row in rows],
        "split": [_split(row) for row in rows],
        "images": [_images(row) for row in rows],
        "classes": [_whole(row.get("classes")) for row in rows],
        "epochs": [_whole(row.get("epochs")) for row in rows],
        "n": [f"{int(row['n'])}" + (f" ({left})" if (left := _words(row.get("left_out"))) else "") for row in rows],
        "published": [_published(row, decimals) for row, decimals in zip(rows, digits, strict=True)],
        "chosen weights": [_ours(row, "chosen") for row in rows],
        "last epoch": [_ours(row, "last") for row in rows],
        "verdict": [_conclusion(row) for row in rows],
    }
    return [Column(heading, texts, style="text", on=PAPER) for heading, texts in cells.items()]


def _value(row: pd.Series, mean: str, sd: str, form: str = "{:.4f}") -> str:
    value, spread = row[mean], row.get(sd)
    if pd.isna(value):
        return "–"
    known = spread is not None and not pd.isna(spread)
    return form.format(float(value)) + (f" ± {form.format(float(spread))}" if known else "")


def _split(row: pd.Series) -> str:
    split = _words(row.get("split"))
    return ", ".join(filter(None, (f"{split}*" if split == "kaggle" else split or "-", _words(row.get("sampling")))))


def _images(row: pd.Series) -> str:
    counts = [row.get(f"{split}_images") for split in ("train", "validation", "test")]
    return " / ".join(f"{int(count):,}" for count in counts if not pd.isna(count)) or "-"


def _whole(value: Any) -> str:
    return "-" if pd.isna(value) else str(int(value))


def _published(row: pd.Series, digits: int) -> str:
    text = "-" if pd.isna(row["published"]) else f"{row['published']:.{digits}f}"
    text += "" if pd.isna(row.get("published_sd")) else f" +- {row['published_sd']:.{_DIGITS}f}"
    return text + (f" ({int(row['published_n'])} runs)" if row.get("published_n", 1) > 1 else "")


def _ours(row: pd.Series, weights: str) -> str:
    mean, sd = row[f"{weights}_mean"], row.get(f"{weights}_sd")
    if pd.isna(mean):
        return "-"
    return f"{mean:.{_DIGITS}f} " + ("(one seed)" if row["n"] == 1 else f"+- {sd:.{_DIGITS}f}")


def _conclusion(row: pd.Series) -> str:
    """Returns the verdict and which of our values it is about, or why there is none."""
    if not (words := _words(row.get("verdict"))):
        return f"none: {_words(row['no_verdict_because'])}"
    return f"{'last epoch' if row['compared'] == 'last' else 'chosen weights'} {words}"


def _words(text: object) -> str:
    return text if isinstance(text, str) else ""
