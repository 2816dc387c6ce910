"""Tables of several runs: what each stands on, their best points, where their configs differ."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from fer_jax.analysis import axes, metrics, statistics
from fer_jax.analysis.predictions import mean_and_spread
from fer_jax.analysis.run_entry import Entry
from fer_jax.analysis.varied import seeds_of
from fer_jax.base.text import counted
from fer_jax.config.repeats import SOURCES
from fer_jax.reports import basis
from fer_jax.reports.html_tables import html
from fer_jax.reports.tables import Column, number, whole
from fer_jax.reports.tables import heading as column_heading

_ALWAYS = ("val_accuracy", "val_accuracy_clean", "val_loss", "test_accuracy", "test_accuracy_clean")
# Of the best point, beside the accuracies, where stored answers gave them.
_MORE = {
    "val_f1": "val. macro F1",
    "test_f1": "test macro F1",
    "test_auc": "test AUC",
    "test_ece": "test calibration error",
}


def overview(entries: Sequence[Entry], group_of: Sequence[int]) -> Markup:
    """Returns every run with what it stands on, as HTML."""
    facts = [dict(basis.facts(entry.ranking)) for entry in entries]
    columns = [Column("run", [entry.name for entry in entries], "", "text")]
    if len(set(group_of)) > 1:
        columns.append(
            Column(
                "ranked in", [f"group {number_of}" if number_of else "no result" for number_of in group_of], "", "text"
            )
        )
    columns += [
        Column("data", [str(entry.ranking.data.get("label", "unknown")) for entry in entries], "", "text"),
        Column("images", [basis.image_words(entry.ranking.data) for entry in entries], "", "text"),
        Column(
            "swept",
            [", ".join(axes.short_names(entry.ranking.swept).values()) or "nothing" for entry in entries],
            "",
            "text",
        ),
        Column("points", [str(len(entry.ranking.points)) for entry in entries]),
        Column(
            "trials",
            [statistics.count_words(entry.ranking.trials["status"].to_numpy()) for entry in entries],
            "",
            "text",
        ),
        *_varied(entries),
        Column("hardware", [fact.get("Hardware", "unknown") for fact in facts], "", "text"),
        Column("time", [fact.get("Time", "unknown") for fact in facts], "", "text"),
    ]
    return html(columns, "runs", counted(len(entries), "run"), filterable=len(entries) > 12)


def _varied(entries: Sequence[Entry]) -> list[Column]:
    """Returns a column that says what repeats vary; none where it is everything in all runs."""
    found = [SOURCES.get(seeds_of(entry.ranking.config), "").removeprefix("of ") for entry in entries]
    return [Column("repeats vary", [one or "all" for one in found], "sweep.seeds_of", "text")] if any(found) else []


def best_points(entries: Sequence[Entry], suffix: str = "") -> Markup:
    """Returns the best points of runs that may be ranked against each other, in order."""
    metric = entries[0].ranking.metric
    columns = [
        Column("rank", [whole(place) for place in range(1, len(entries) + 1)], f"by mean {metric}"),
        Column("run", [entry.name for entry in entries], "", "text"),
        Column(
            "best point",
            [entry.ranking.best_words for entry in entries],
            f"of the run, by mean {metric}",
            "text",
        ),
        Column(
            "of points", [str(len(entry.ranking.ranked)) for entry in entries], "the best of more points is luckier"
        ),
        Column("n", [str(len(entry.done)) for entry in entries], "done trials, which the means stand on"),
    ]
    for name, heading in (
        *((name, column_heading(name)) for name in _ALWAYS),
        *_MORE.items(),
    ):
        found = [_values(entry, name) for entry in entries]
        if any(len(values) for values in found):
            columns.append(Column(heading, [mean_and_spread(values) for values in found], f"mean ± sd of {name}"))
        if name == metric:
            ends = [entry.interval(metric) for entry in entries]
            cells = ["–" if math.isnan(low) else f"{low:.3f} to {high:.3f}" for low, high in ends]
            columns.append(Column("95 % interval", cells, "Student's interval of the mean"))
    columns.append(
        Column(
            "majority share", [number(entry.ranking.majority_share, 3) for entry in entries], "of the validation split"
        )
    )
    return html(columns, f"ranking{suffix}", f"Best points of {counted(len(entries), 'run')}", first=1)


def _values(entry: Entry, metric: str) -> np.ndarray:
    """Returns a metric of the best point's done trials; empty where the run lacks a value."""
    values = entry.done[metric].to_numpy(dtype=float) if metric in entry.done else np.empty(0)
    return values if np.isfinite(values).all() else np.empty(0)


def by_class(entries: Sequence[Entry], suffix: str = "") -> Markup:
    """Returns F1 of every class at the best points, a column a run.

    '' where fewer than two runs kept their answers on one split.
    """
    known = [(entry, entry.predictions) for entry in entries if entry.predictions is not None]
    splits = {predictions.split for _, predictions in known}
    if len(known) < 2 or len(splits) > 1:
        return Markup()
    classes = known[0][1].classes
    columns = [Column("class", [*classes, "macro mean"], "", "text")]
    for entry, predictions in known:
        of_class = metrics.by_class(metrics.confusion(predictions.probabilities, predictions.labels))
        cells = [*(mean_and_spread(values) for values in of_class.f1.T), mean_and_spread(of_class.macro(of_class.f1))]
        columns.append(Column(entry.name, cells, f"F1 on the {predictions.split} pictures, mean ± sd over the repeats"))
    return html(columns, f"classes-of-runs{suffix}", f"F1 of every class, {splits.pop()} pictures", last=1)


def differences(entries: Sequence[Entry]) -> Markup:
    """Returns the config fields in which the best points differ, a column a run; '' if in none."""
    names = [
        name
        for name in dict.fromkeys(name for entry in entries for name in entry.config)
        if name not in ("sweep", "report.title")
    ]
    differ = [name for name in names if len({statistics.hashable(entry.config.get(name)) for entry in entries}) > 1]
    if not differ:
        return Markup()
    columns = [Column("field", differ, "", "id")]
    columns += [
        Column(entry.name, [axes.value_text(entry.config.get(name)) for name in differ], "at its best point", "text")
        for entry in entries
    ]
    return html(columns, "differences", f"{len(differ)} fields differ")
