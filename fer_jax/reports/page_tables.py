"""Tables that only a page has: the parts of a run, the trials left out, the config, the facts."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from markupsafe import Markup

from fer_jax.analysis import axes, statistics
from fer_jax.analysis.ranking import Ranking, metric_text
from fer_jax.reports import basis, copy_words, templates
from fer_jax.reports.columns import field_columns
from fer_jax.reports.html_tables import html
from fer_jax.reports.tables import Column, heading, number, whole


def parts(all_parts: Sequence[Ranking], names: Sequence[str]) -> Markup:
    """Returns the parts of a run that are ranked by themselves, with their best points, as HTML."""
    best = [part.best if len(part.ranked) else None for part in all_parts]
    pairs = list(zip(all_parts, best, strict=True))
    metric = all_parts[0].metric
    columns = [
        Column("part", names, "", "text"),
        Column(
            "data",
            [" and ".join(str(one.get("label", "unknown")) for one in p.data_sets) for p in all_parts],
            "",
            "text",
        ),
        Column("images", [" and ".join(basis.image_words(one) for one in p.data_sets) for p in all_parts], "", "text"),
        Column("points", [str(len(part.points)) for part in all_parts]),
        Column(
            "best point", ["–" if at is None else part.best_words for part, at in pairs], f"by mean {metric}", "text"
        ),
        Column(
            heading(metric),
            [
                "–" if at is None else metric_text(part, at, metric) + copy_words.beside(part, at, metric)
                for part, at in pairs
            ],
            f"mean {metric} of the best point",
        ),
        Column("majority share", [number(part.majority_share, 3) for part in all_parts], "of the validation split"),
    ]
    return html(columns, "overview", f"{len(all_parts)} parts, each ranked by itself")


def casualties(ranking: Ranking, suffix: str = "") -> Markup:
    """Returns the trials that diverged, failed or were pruned, when and why; '' for none."""
    rows = ranking.trials[ranking.trials["status"].isin(("diverged", "failed", "pruned"))]
    if not len(rows):
        return Markup()
    empty = pd.Series([None] * len(rows), index=rows.index)
    columns = [
        Column("id", list(rows["id"].astype(str)), "", "id"),
        Column("status", list(rows["status"]), "", "status"),
        *field_columns(ranking, rows),
    ]
    columns.append(Column("seed", [whole(v) for v in rows.get("seed", empty)]))
    columns.append(Column("diverged at epoch", [whole(v) for v in rows.get("diverged_epoch", empty)]))
    if rows.get("pruned_epoch", empty).notna().any():
        columns.append(Column("left after epoch", [whole(v) for v in rows["pruned_epoch"]]))
    if rows.get("error", empty).fillna("").ne("").any():
        columns.append(Column("error", ["" if pd.isna(v) else str(v) for v in rows["error"]], "", "text"))
    caption = f"Trials in no mean: {statistics.count_words(rows['status'].to_numpy())}"
    return html(columns, f"casualties{suffix}", caption, filterable=len(rows) > 12, rest="tables/trials.csv")


def settings(ranking: Ranking, defaults: dict[str, object], comments: dict[str, str]) -> Markup:
    """Returns the config: every field with its value, meaning, and whether it is set or swept."""
    config = {name: value for name, value in ranking.config.items() if name != "sweep"}
    notes = {
        name: "swept" if name in ranking.swept else _differs(value, defaults.get(name, value))
        for name, value in config.items()
    }
    order = sorted(config, key=lambda name: {"swept": 0, "set": 1}.get(notes[name], 2))
    values = [_levels(ranking.axes[n]) if notes[n] == "swept" else axes.value_text(config[n]) for n in order]
    columns = [
        Column("field", order, "", "id"),
        Column("value", values, "", "text"),
        Column("", [notes[n] for n in order], "swept, or set to other than its default", "text"),
        Column("meaning", [comments.get(n, "") for n in order], "", "text"),
    ]
    told = sum(bool(note) for note in notes.values())
    printed = f"Printed are the {told} fields that are swept or set to other than their defaults; config.json has all."
    return html(columns, "settings", "Every config field", filterable=True, rest="config.json", printed=printed)


def _levels(axis: axes.Axis, most: int = 12) -> str:
    """Returns all values of a swept field, or the ends of a long list."""
    if len(axis.texts) <= most:
        return ", ".join(axis.texts)
    return f"{len(axis.texts)} values, {axis.texts[0]} to {axis.texts[-1]}"


def _differs(value: object, default: object) -> str:
    return "" if statistics.hashable(value) == statistics.hashable(default) else "set"


def facts(ranking: Ranking) -> Markup:
    """Returns what the result stands on, as a definition list."""
    return templates.macro("facts", items=basis.facts(ranking))
