"""What each source of chance does to one point: runs that differ in `sweep.seeds_of` alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from fer_jax.analysis import spread, statistics
from fer_jax.analysis.ranking import METRIC_NAMES, Ranking
from fer_jax.analysis.varied import seeds_of
from fer_jax.base.text import sentence
from fer_jax.config import fields
from fer_jax.config.repeats import SOURCES, WHOLE
from fer_jax.reports import templates
from fer_jax.reports.html_tables import html
from fer_jax.reports.page import Section
from fer_jax.reports.tables import Column, Table, heading, number, whole

# What runs may differ in besides: how many trials there are of a point.
_REPEATS = ("seeds_of", "repeats", "best", "best_repeats", "chosen")
_NOTE = (
    "The interval is that of the sd, chi-square. Where sources act by themselves, the squares of the single sds of "
    "training add up to that of all seeds of training, and to more where they interact; those leave the split as it is."
)


def tables(rankings: Sequence[Ranking]) -> list[Table]:
    """Returns a table for each set of runs that differ in nothing but what their repeats vary.

    It is of the point that is best in the first of them. Runs whose repeats vary the same are taken
    together.

    Args:
        rankings: of whole runs, or parts of them.
    """
    alike: dict[str, list[Ranking]] = {}
    for ranking in rankings:
        if len(ranking.ranked):
            alike.setdefault(_settings(ranking), []).append(ranking)
    several = [some for some in alike.values() if len({seeds_of(one.config) for one in some}) > 1]
    return [_table(some, f"spread-{place}") for place, some in enumerate(several, 1)]


def sections(found: Sequence[Table]) -> list[Section]:
    """Returns the section of a page with what `tables` found; [] where that is nothing."""
    if not found:
        return []
    content = Markup().join(
        templates.paragraphs(table.caption) + html(table.page, table.name, "What each seed does") for table in found
    )
    return [Section("spread", "Spread", "What the spread over repeats is made of", content)]


def _settings(ranking: Ranking) -> str:
    """Returns what two runs must have in common, as text."""
    config = ranking.config
    values = {name: config.get(name) for name, field in fields.FIELDS.items() if field.kind in fields.TRIAL_KINDS}
    sweep = {name: value for name, value in (config.get("sweep") or {}).items() if name not in _REPEATS}
    return json.dumps([values, sweep, ranking.data.get("checksum")], sort_keys=True, default=str)


def _of_point(ranking: Ranking, point: Mapping[str, Any]) -> pd.DataFrame:
    """Returns the trials of the point with these swept values."""
    rows = ranking.trials
    same = [all(statistics.hashable(row[name]) == value for name, value in point.items()) for _, row in rows.iterrows()]
    return rows[same]


def _table(rankings: Sequence[Ranking], name: str) -> Table:
    first = rankings[0]
    point = {field: statistics.hashable(first.points.loc[first.best, field]) for field in first.swept}
    trials: dict[str, pd.DataFrame] = {}
    for ranking in rankings:
        of, own = seeds_of(ranking.config), _of_point(ranking, point)
        joined = pd.concat([trials[of], own], ignore_index=True) if of in trials else own
        trials[of] = joined.drop_duplicates("id")
    metrics = list(dict.fromkeys((first.metric, *(("test_accuracy",) if first.has_test else ()))))
    found = {metric: spread.components(trials, metric) for metric in metrics}
    sources = found[metrics[0]]
    words = [f"{'all seeds' if one in WHOLE else 'seed'} {SOURCES[one] or 'of training'}" for one in sources["source"]]
    columns = [
        Column("repeats vary", words, "sweep.seeds_of", "text"),
        Column("n", [whole(n) for n in sources["n"]], "done trials"),
    ]
    for metric, rows in found.items():
        ends = zip(rows["low95"], rows["high95"], strict=True)
        columns += [
            Column(f"{heading(metric)}: mean", [number(mean) for mean in rows["mean"]]),
            Column("sd", [number(sd) for sd in rows["sd"]], f"sample standard deviation of {metric}"),
            Column(
                "95 % interval of the sd", ["–" if low != low else f"{low:.4f} to {high:.4f}" for low, high in ends]
            ),
        ]
    which = f"{first.describe(first.best)}, best by {METRIC_NAMES[first.metric]} in the run {first.title}"
    caption = f"{sentence(which)} {sentence(str(first.data.get('label', 'unknown data')))} {_NOTE}"
    frame = pd.concat([rows.assign(metric=metric) for metric, rows in found.items()], ignore_index=True)
    return Table(name, caption, columns, frame)
