"""The section of a report with what a paper published beside ours: tables, and figures of both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from markupsafe import Markup

from fer_jax.figures import beside_published, style
from fer_jax.reports import page, study_tables, templates
from fer_jax.reports.html_tables import html
from fer_jax.reports.page import Section
from fer_jax.store import bounds

STUDY_TABLE, STUDY_MATRICES = "study.csv", "study.json"
NEEDED = (
    "experiment",
    "metric",
    "published",
    "published_as",
    "where",
    "chosen_mean",
    "last_mean",
    "compared",
    "n",
    "verdict",
    "no_verdict_because",
    "run",
)
_MATRIX = ("experiment", "split", "classes", "published", "ours", "where", "n", "data", "run")


class Beside(NamedTuple):
    """What lies beside runs of a study.

    Attributes:
        rows: of study.csv.
        matrices: of study.json, which `studies.table.to_document` makes.
    """

    rows: pd.DataFrame
    matrices: Sequence[dict[str, Any]] = ()


def beside(run_path: Path) -> Beside:
    """Returns what a study's table says of a run whose folder lies beside it; nothing elsewhere.

    There are no rows of another table, and none without a figure of the paper or of ours.
    """
    path = run_path.resolve()
    return Beside(_rows(path.parent / STUDY_TABLE, path.name), _matrices(path.parent / STUDY_MATRICES, path.name))


def _rows(path: Path, run: str) -> pd.DataFrame:
    try:
        # Beside a run that somebody has sent may lie anything, a pipe that is never written to too.
        if not path.is_file():
            return pd.DataFrame()
        bounds.check_table(path)
        table = pd.read_csv(path, dtype={"published_as": str})  # '0.60' as it was printed
    except (OSError, ValueError):
        return pd.DataFrame()  # no study, or a table of something else
    if not set(NEEDED) <= set(table.columns):
        return table.iloc[:0]
    own = np.array([isinstance(name, str) and PurePath(name).name == run for name in table["run"]], dtype=bool)
    return table[own].reset_index(drop=True)


def _matrices(path: Path, run: str) -> list[dict[str, Any]]:
    try:
        if not path.is_file():
            return []
        found = bounds.read_json(path).get("matrices")
    except (OSError, ValueError):
        return []
    return [one for one in found if _is_matrix(one) and PurePath(one["run"]).name == run] if found else []


def _is_matrix(one: Any) -> bool:
    """Returns whether an item of study.json is a matrix that can be drawn."""
    if not isinstance(one, dict) or not set(_MATRIX) <= set(one) or not isinstance(one["run"], str):
        return False
    count = len(one["classes"]) if isinstance(one["classes"], list) else 0
    try:
        shapes = {np.asarray(one[name], dtype=float).shape for name in ("published", "ours")}
    except (TypeError, ValueError):
        return False
    return shapes == {(count, count)} and count > 0


def sections(found: Beside) -> list[Section]:
    """Returns the sections of a study, which stand first on a page; none without rows.

    Their figures are numbered A1, A2 and so on, so that those of the run keep their numbers.
    """
    if not len(found.rows):
        return []
    note = (
        "What the paper published beside what we found, from the table of the study; study.md explains its words and "
        "says what must be known of each experiment."
    )
    content = templates.paragraphs(note)
    content += html(study_tables.table(found.rows).columns, "study-table", "Published figures and ours")
    for number, table in enumerate(study_tables.more_tables(found.rows), 1):
        content += templates.paragraphs(table.caption)
        content += html(table.columns, f"{table.name}-{number}", table.caption)
    drawn = drawings(found)
    content += Markup().join(
        page.figure(f"A{number}", drawing, style.webp(drawing.figure)) for number, drawing in enumerate(drawn, 1)
    )
    return [Section("study", "Published", "Published figures", content)]


def drawings(found: Beside) -> list[style.Drawing]:
    """Returns the figures of a study: all experiments on one scale, and its confusion matrices."""
    drawn = [*beside_published.experiments(found.rows)]
    return drawn + [beside_published.matrices(one) for one in found.matrices]
