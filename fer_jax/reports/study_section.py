"""The rows of a study's table that are about one run, for its report: what a paper published and
what the run came to.
"""

from __future__ import annotations

from pathlib import Path, PurePath

import numpy as np
import pandas as pd

from fer_jax.reports.html_tables import Column, html
from fer_jax.reports.page import Section

STUDY_TABLE = "study.csv"
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
    """The rows of study.csv whose run lies in a folder of this name and that a paper printed a
    figure for; none of another table.
    """
    if not set(NEEDED) <= set(table.columns):
        return table.iloc[:0]
    own = np.array([isinstance(path, str) and PurePath(path).name == run for path in table["run"]], dtype=bool)
    return table[own & table["published"].notna()].reset_index(drop=True)


def rows_beside(run_path: Path) -> pd.DataFrame:
    """Returns `rows_of` for a run whose folder lies beside a study's table; no rows elsewhere."""
    path = run_path.resolve()
    try:
        return rows_of(pd.read_csv(path.parent / STUDY_TABLE), path.name)
    except (OSError, ValueError):
        return pd.DataFrame()  # no study, or a table of something else


def sections(rows: pd.DataFrame) -> list[Section]:
    """One section with the published figures beside ours; none for no rows. `rows` as `rows_of`
    gives them.
    """
    if not len(rows):
        return []
    note = "What the paper published beside what we found, from the table of the study; study.md explains its words."
    return [Section("study", "Published", "Published figures", f"<p>{note}</p>{_table(rows)}")]


def _table(rows: pd.DataFrame) -> str:
    columns = [
        Column("experiment", list(rows["experiment"].astype(str)), "", "text"),
        Column("metric", list(rows["metric"].astype(str)), "", "text"),
        Column("published", [_figure(row, "published") for _, row in rows.iterrows()], "as printed"),
        Column("where", [_words(one) for one in rows["where"]], "", "text"),
        Column("n", [str(int(n)) for n in rows["n"]], "our done trials"),
        Column(
            "ours, chosen weights",
            [_figure(row, "chosen_mean", "chosen_sd") for _, row in rows.iterrows()],
            "mean ± sd over seeds",
        ),
        Column(
            "ours, last epoch",
            [_figure(row, "last_mean", "last_sd") for _, row in rows.iterrows()],
            "mean ± sd over seeds",
        ),
        Column(
            "verdict",
            [_words(row["verdict"]) or f"none: {_words(row['no_verdict_because'])}" for _, row in rows.iterrows()],
            "",
            "text",
        ),
    ]
    return html(columns, "study-table", "Published figures and ours")


def _figure(row: pd.Series, mean: str, sd: str = "published_sd") -> str:
    value, spread = row[mean], row.get(sd)
    if pd.isna(value):
        return "–"
    form = "{:.4g}" if mean == "published" else "{:.4f}"
    known = spread is not None and not pd.isna(spread)
    return form.format(float(value)) + (f" ± {form.format(float(spread))}" if known else "")


def _words(text: object) -> str:
    return text if isinstance(text, str) else ""
