"""The section of a report about ensembles: repeats of the best point, and the best points."""

from __future__ import annotations

import math
from typing import Any

from markupsafe import Markup

from fer_jax.analysis.ranking import METRIC_NAMES, Ranking
from fer_jax.base import console
from fer_jax.base.text import counted
from fer_jax.errors import DamagedError, RunError
from fer_jax.reports import templates
from fer_jax.reports.html_tables import html
from fer_jax.reports.page import Section
from fer_jax.reports.tables import Column, number
from fer_jax.reports.tables import heading as column_heading
from fer_jax.results.ensemble import Ensemble
from fer_jax.results.run import Run

TOPS = (1, 5)  # points whose done trials are members
MOST_MEMBERS = 64
_METRICS = {
    "accuracy": ("accuracy", "of the mean probabilities"),
    "f1": ("macro F1", "of the mean probabilities"),
    "auc": ("AUC", "area under the ROC curve, mean over the classes"),
    "log_loss": ("log loss", "mean of -ln p(label), nats"),
    "ece": ("calibration error", "mean gap between confidence and accuracy"),
}


def sections(run: Run, ranking: Ranking, suffix: str = "") -> list[Section]:
    """Returns one section with the ensembles that there are.

    There is none where no predictions are stored, or only one network is there.
    """
    rows = [row for row in (_row(run, ranking, top) for top in TOPS if top == 1 or len(ranking.leading) > 1) if row]
    if not rows:
        return []
    name = METRIC_NAMES.get(ranking.metric, ranking.metric)
    note = (
        f"Members are chosen by mean {name} on validation, and their probabilities averaged. "
        "Beside each: the mean of its own members, each asked alone."
    )
    return [
        Section(
            "ensembles",
            "Ensembles",
            "Ensembles: networks asked as one",
            templates.paragraphs(note) + _table(rows, suffix),
        )
    ]


def _row(run: Run, ranking: Ranking, top: int) -> dict[str, Any] | None:
    points = ranking.leading[:top]
    trials = ranking.trials[ranking.trials["point"].isin(points) & (ranking.trials["status"] == "done")]
    if not 1 < len(trials) <= MOST_MEMBERS:
        return None
    which = "the best point" if len(ranking.together) == 1 else "the point shown"
    label = (
        f"{len(trials)} repeats of {which}"
        if len(points) == 1
        else f"{counted(len(trials), 'network')} of the {len(points)} best points"
    )
    if dead := int(trials["id"].isin(ranking.dead).sum()):
        label += f", {dead} of them dead"
    try:
        return Ensemble(tuple(run.trial(id) for id in trials["id"]), label).row()
    except DamagedError as error:
        console.say_once(str(error))
        return None
    except RunError:
        return None  # no predictions are stored, or not of the same images


def _table(rows: list[dict[str, Any]], suffix: str) -> Markup:
    columns = [Column("ensemble", [row["label"] for row in rows], "", "text")]
    for split, word in (("val", "val."), ("test", "test")):
        if not any(f"{split}_accuracy" in row for row in rows):
            continue
        for metric, (heading, hint) in _METRICS.items():
            columns.append(Column(f"{word} {heading}", [number(row.get(f"{split}_{metric}")) for row in rows], hint))
            clean = f"{split}_accuracy_clean"
            if metric == "accuracy" and any(clean in row for row in rows):
                cells = [number(row.get(clean)) for row in rows]
                columns.append(Column(column_heading(clean), cells, "accuracy on the pictures without a copy"))
            if metric == "accuracy":
                columns.append(
                    Column(
                        "members'", [_members(row, split) for row in rows], "mean ± sd of the members' own accuracies"
                    )
                )
    return html(columns, f"ensembles-table{suffix}", "Ensembles")


def _members(row: dict[str, Any], split: str) -> str:
    if f"{split}_accuracy" not in row:
        return ""
    mean, sd = row[f"{split}_accuracy_members_mean"], row[f"{split}_accuracy_members_sd"]
    return f"{mean:.4f}" + (f" ± {sd:.4f}" if math.isfinite(sd) else "")
