"""The table of a study, for the terminal, Markdown and CSV."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Mapping, Sequence

import pandas as pd

from fer_jax.analysis.against_published import Verdict
from fer_jax.base.text import aligned
from fer_jax.reports import study_section, text_tables
from fer_jax.reports.tables import Table, rows_of

SELECTED = "selected on the images it reports"


@dataclasses.dataclass(frozen=True)
class Row:
    """A published value beside ours; the fields about our run are empty where there is no run.

    Attributes:
        experiment, metric: names, as in the study.
        published, published_sd, published_n, where: as printed; NaN where nothing was.
        published_digits: decimals of `published` as printed.
        data, split: data set and `data.split` of our run.
        sampling: what was left out of the split or repeated in it, such as 'every split
            undersampled'; empty if nothing.
        images: images by split, in the order train, validation, test.
        classes, epochs: of our run; 0 without one.
        n: our done trials.
        left_out: our others, such as '1 diverged'.
        chosen, last: the value of each done trial at the weights validation chose and at the last
            epoch's.
        against: 'best' or 'last', whichever of the two the verdict is about.
        verdict: None where there can be none.
        why_none: reasons why not.
        run: folder of our run.
        note: what a reader must know of the experiment.
    """

    experiment: str
    metric: str
    published: float
    published_sd: float | None
    published_n: int
    where: str
    data: str = ""
    split: str = ""
    sampling: str = ""
    images: Mapping[str, int] = dataclasses.field(default_factory=dict)
    classes: int = 0
    epochs: int = 0
    n: int = 0
    left_out: str = ""
    chosen: tuple[float, ...] = ()
    last: tuple[float, ...] = ()
    against: str = "last"
    verdict: Verdict | None = None
    why_none: tuple[str, ...] = ()
    run: str = ""
    note: str = ""
    published_digits: int = 4


def to_text(title: str, rows: Sequence[Row], width: int | None = None) -> str:
    """Returns the table in aligned columns, with its title above and its legend below.

    Args:
        title: of the study.
        rows: of the table.
        width: of a terminal, in which rows that are longer become some lines each; None for a line
            a row, however long.
    """
    columns = _table(title, rows).paper
    cells = rows_of(columns)
    lines = aligned([[column.heading for column in columns], *cells])
    if width and max(map(len, lines)) > width:
        names = [column.heading for column in columns]
        lines = [line for row in cells for line in _folded(dict(zip(names, row, strict=True)), width)]
    return "\n".join([title, "", *lines, "", *_legend(rows)])


def _folded(row: Mapping[str, str], width: int) -> list[str]:
    """Returns a row as lines: its name, and below what it is of, both values and the verdict."""
    counts = f"{row['images']} images, {row['classes']} classes, {row['epochs']} epochs"
    images = "" if row["images"] == "-" else counts
    about = ", ".join(filter(None, [row["data set"], row["split"], images, f"n = {row['n']}"]))
    figures = "; ".join(f"{name} {row[name]}" for name in ("published", "chosen weights", "last epoch"))
    below = [about, figures, row["verdict"]] if row["data set"] != "-" else [figures, row["verdict"]]
    return [
        *textwrap.wrap(f"{row['experiment']}: {row['metric']}", width),
        *(line for text in below for line in textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="    ")),
        "",
    ]


def to_markdown(title: str, rows: Sequence[Row]) -> str:
    """Returns the table as a Markdown page, with the places of publication and the notes below."""
    lines = text_tables.markdown_lines(_table(title, rows).paper)
    notes = [f"- {row.experiment}, {row.metric}: {row.where or 'place not given'}" for row in rows]
    notes += [
        f"- {name}: {note}" for name, note in dict.fromkeys((row.experiment, row.note) for row in rows if row.note)
    ]
    return "\n".join([f"# {title}", "", *lines, "", *_legend(rows), "", "Published where, and notes:", "", *notes, ""])


def _table(title: str, rows: Sequence[Row]) -> Table:
    return study_section.table(to_frame(rows), title, [row.published_digits for row in rows])


def to_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Returns the table as numbers, a row a published value, with every word.

    Means stand on all trials or none, sample deviations on two or more.
    """
    return pd.DataFrame([_record(row) for row in rows])


def _record(row: Row) -> dict[str, object]:
    means = {}
    for name, values in (("chosen", row.chosen), ("last", row.last)):
        means[f"{name}_mean"], means[f"{name}_sd"] = _mean_and_sd(values)
    verdict = row.verdict or Verdict("")
    return {
        "experiment": row.experiment,
        "metric": row.metric,
        "data": row.data,
        "split": row.split,
        "sampling": row.sampling,
        **{f"{split}_images": row.images.get(split) for split in ("train", "validation", "test")},
        "label": SELECTED if row.split == "kaggle" else "",
        "classes": row.classes or None,
        "epochs": row.epochs or None,
        "n": row.n,
        "left_out": row.left_out,
        "published": row.published,
        "published_sd": row.published_sd,
        "published_n": row.published_n,
        "where": row.where,
        **means,
        "compared": row.against,
        "verdict": verdict.words,
        "interval_low": verdict.low,
        "interval_high": verdict.high,
        "p": verdict.p,
        "no_verdict_because": ", ".join(row.why_none),
        "run": row.run,
        "note": row.note,
    }


def _mean_and_sd(values: Sequence[float]) -> tuple[float, float]:
    series = pd.Series(values, dtype=float)
    # A mean over fewer trials than n says would mislead: one without the value empties it.
    return float(series.mean(skipna=False)), float(series.std(ddof=1, skipna=False))


def _legend(rows: Sequence[Row]) -> list[str]:
    lines = [
        "Images: train / validation / test. n: our trials that ended; published and ours: mean +- sample sd over runs. "
        "Chosen weights: of the epoch that was best on the validation split. A verdict needs the same data set, split, "
        "classes, epochs and settings; one that finds a difference finds it for all that rounds to the published "
        "figure."
    ]
    if any(row.split == "kaggle" for row in rows):
        lines.append(f"* {SELECTED}: all that is not training validates")
    return lines
