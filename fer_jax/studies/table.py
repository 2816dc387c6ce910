"""The table of a study, for the terminal, Markdown, CSV and the reports of its runs."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import pandas as pd

from fer_jax.analysis.against_published import Verdict
from fer_jax.base.text import aligned
from fer_jax.reports import study_tables, text_tables
from fer_jax.reports.tables import Column, rows_of
from fer_jax.studies.rows import Matrix, Row
from fer_jax.studies.values import read_metric

SELECTED = "selected on the images it reports"
_SPLITS = ("train", "validation", "test", "external")


def to_text(title: str, rows: Sequence[Row], width: int | None = None) -> str:
    """Returns the tables in aligned columns, with the title above and the legend below.

    Args:
        title: of the study.
        rows: of the table.
        width: of a terminal, in which rows that are longer become some lines each; None for a line
            a row, however long.
    """
    frame = to_frame(rows)
    columns = study_tables.table(frame, title).paper
    cells = rows_of(columns)
    lines = aligned([[column.heading for column in columns], *cells])
    if width and max(map(len, lines)) > width:
        names = [column.heading for column in columns]
        lines = [line for row in cells for line in _folded(dict(zip(names, row, strict=True)), width)]
    found = [title, "", *lines, ""]
    for table in study_tables.more_tables(frame):
        found += [*textwrap.wrap(table.caption, width or 10_000), "", *_fitted(table.paper, width), ""]
    legend = [part for line in _legend(rows) for part in (textwrap.wrap(line, width) if width else [line])]
    return "\n".join([*found, *legend])


def _fitted(columns: Sequence[Column], width: int | None) -> list[str]:
    """Returns a table as lines; where it is too wide, its groups of three columns in turn."""
    lines = aligned([[column.heading for column in columns], *rows_of(columns)], "lr")
    if not width or max(map(len, lines)) <= width or len(columns) < 5:
        return lines
    found = []
    for first in range(1, len(columns), 3):
        chosen = [columns[0], *columns[first : first + 3]]
        found += [*aligned([[column.heading for column in chosen], *rows_of(chosen)], "lr"), ""]
    return found[:-1]


def _folded(row: Mapping[str, str], width: int) -> list[str]:
    """Returns a row as lines: its name, and below what it is of, both values and the verdict."""
    counts = f"{row['images']} images, {row['classes']} classes, {row['epochs']} epochs"
    images = "" if row["images"] == "-" else counts
    about = ", ".join(filter(None, [row["data set"], row["split"], images, f"n = {row['n']}"]))
    shown = ("published", "chosen weights", "last epoch", *study_tables.SOMETIMES)
    figures = "; ".join(f"{name} {row[name]}" for name in shown if name in row)
    below = [about, figures, row["verdict"]] if row["data set"] != "-" else [figures, row["verdict"]]
    return [
        *textwrap.wrap(f"{row['experiment']}: {row['metric']}", width),
        *(line for text in below for line in textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="    ")),
        "",
    ]


def to_markdown(title: str, rows: Sequence[Row]) -> str:
    """Returns the tables as a Markdown page, with the places of publication and the notes below."""
    frame = to_frame(rows)
    lines = text_tables.markdown_lines(study_tables.table(frame, title).paper)
    for table in study_tables.more_tables(frame):
        lines += ["", f"{table.caption}", "", *text_tables.markdown_lines(table.paper)]
    places = dict.fromkeys(
        (row.experiment, row.published.metric if not read_metric(row.published.metric).of_class else "figures by class",
         row.published.where or "place not given")
        for row in rows
    )  # fmt: skip
    notes = [f"- {experiment}, {metric}: {where}" for experiment, metric, where in places]
    notes += [
        f"- {name}: {note}" for name, note in dict.fromkeys((row.experiment, row.note) for row in rows if row.note)
    ]
    return "\n".join([f"# {title}", "", *lines, "", *_legend(rows), "", "Published where, and notes:", "", *notes, ""])


def to_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Returns the table as numbers, a row a published value, with every word.

    Means stand on all trials or none, sample deviations on two or more.
    """
    return pd.DataFrame([_record(row) for row in rows])


def _record(row: Row) -> dict[str, object]:
    verdict, printed = row.verdict or Verdict(""), row.published
    return {
        "experiment": row.experiment,
        "metric": printed.metric,
        "data": row.data,
        "split": row.split,
        "sampling": row.sampling,
        **{f"{split}_images": row.images.get(split) for split in _SPLITS},
        "label": SELECTED if row.split == "kaggle" else "",
        "classes": row.classes or None,
        "epochs": row.epochs or None,
        "n": row.n,
        "left_out": row.left_out,
        "published": printed.value,
        "published_as": printed.text,
        "published_sd": printed.sd,
        "published_n": printed.n,
        "published_low": printed.low,
        "published_high": printed.high,
        "published_variance": printed.variance,
        "where": printed.where,
        **_sample("chosen", row.chosen),
        **_sample("last", row.last),
        "compared": printed.weights,
        **_sample("clean", row.clean),
        **_sample("network", row.network),
        **_sample("own_best", row.own_best),
        "own_point": row.own_point,
        "verdict": verdict.words,
        "interval_low": verdict.low,
        "interval_high": verdict.high,
        "p": verdict.p,
        "choices": row.choices,
        "no_verdict_because": ", ".join(row.why_none),
        "run": row.run,
        "note": row.note,
    }


def _sample(name: str, values: Sequence[float]) -> dict[str, float]:
    """Returns mean, sample deviation, minimum and maximum of one value a trial."""
    series = pd.Series(values, dtype=float)
    # A mean over fewer trials than n says would mislead: one without the value empties it.
    return {
        f"{name}_mean": float(series.mean(skipna=False)),
        f"{name}_sd": float(series.std(ddof=1, skipna=False)),
        f"{name}_min": float(series.min(skipna=False)),
        f"{name}_max": float(series.max(skipna=False)),
    }


def to_document(matrices: Sequence[Matrix]) -> dict[str, object]:
    """Returns confusion matrices as a JSON-ready document, which reports of runs are drawn from."""
    return {
        "matrices": [
            {
                "experiment": one.experiment,
                "split": one.published.split,
                "classes": list(one.published.classes),
                "published": [list(map(float, row)) for row in one.published.counts],
                "ours": one.ours.tolist(),
                "where": one.published.where,
                "weights": one.published.weights,
                "note": one.published.note,
                "n": one.n,
                "data": one.data,
                "run": one.run,
            }
            for one in matrices
        ]
    }


def _legend(rows: Sequence[Row]) -> list[str]:
    lines = [
        "Images: train / validation / test. n: our trials that ended; published and ours: mean +- sample sd over runs. "
        "Chosen weights: of the epoch that was best on the validation split. A verdict needs the same data set, split, "
        "classes, epochs and settings; one that finds a difference finds it for all that rounds to the published "
        "figure."
    ]
    if any(row.choices for row in rows):
        lines.append(
            "Where a paper leaves something out, the verdict is on the spread over our choices of it: from the lowest "
            "to the highest of the intervals that each of them predicts; named is what was varied and what was not."
        )
    if any(row.clean for row in rows):
        lines.append("Without copies: accuracy on images without an exact copy among those trained on or chosen by.")
    if any(row.split == "kaggle" for row in rows):
        lines.append(f"* {SELECTED}: all that is not training validates")
    return lines
