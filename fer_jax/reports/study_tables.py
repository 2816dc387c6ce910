"""Published figures beside ours as tables: a row a figure, classes by metrics, spreads of runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from fer_jax.analysis.metrics import CLASS_METRICS
from fer_jax.reports.tables import PAGE, PAPER, Column, Table

# Columns that only some studies have.
SOMETIMES = ("without copies", "network alone", "our own best")
_DIGITS, _CLASS_DIGITS = 4, 3
_SPREAD = ("published_low", "published_high", "published_variance")


def class_metric(metric: str) -> tuple[str, str, str] | None:
    """Returns split, quantity and class of 'test_recall_happy'; None for one of all classes."""
    front = "binary_" if metric.startswith("binary_") else ""
    split, _, quantity = metric.removeprefix(front).partition("_")
    kind, _, name = quantity.partition("_")
    return (front + split, kind, name) if kind in CLASS_METRICS and name else None


def table(rows: pd.DataFrame, title: str = "") -> Table:
    """Returns the main table of a study: a row a published value of all classes, with ours beside.

    Args:
        rows: of study.csv, read back or as `studies.table.to_frame` makes them.
        title: of the study.
    """
    found = [row for _, row in rows.iterrows() if class_metric(str(row["metric"])) is None]
    columns = [
        Column("experiment", [str(row["experiment"]) for row in found], style="text"),
        Column("metric", [str(row["metric"]) for row in found], style="text"),
        *_page_columns(found),
        *_paper_columns(found),
    ]
    return Table("study", title, columns, rows)


def more_tables(rows: pd.DataFrame) -> list[Table]:
    """Returns a table of classes for each experiment and split, and those of spreads."""
    if not len(rows):
        return []
    kinds = rows["metric"].map(lambda metric: (class_metric(str(metric)) or ("", "", ""))[0])
    of_class = rows[kinds != ""]
    found = [
        _class_table(str(experiment), str(split), own)
        for (experiment, split), own in of_class.groupby(["experiment", kinds[kinds != ""]], sort=False)
    ]
    present = [name for name in _SPREAD if name in rows]
    spread = rows[rows[present].notna().any(axis=1)] if present else rows.iloc[:0]
    return found + [_spread_table(str(name), own) for name, own in spread.groupby("experiment", sort=False)]


def _class_table(experiment: str, split: str, rows: pd.DataFrame) -> Table:
    """Returns classes by metrics: published, ours (mean over trials) and the difference of each."""
    asked = [class_metric(str(metric)) or ("", "", "") for metric in rows["metric"]]
    kinds, classes = list(dict.fromkeys(kind for _, kind, _ in asked)), list(dict.fromkeys(name for *_, name in asked))
    by_key = {(kind, name): row for (_, kind, name), (_, row) in zip(asked, rows.iterrows(), strict=True)}
    columns = [Column("class", classes, style="text")]
    for kind in kinds:
        own = [by_key.get((kind, name)) for name in classes]
        columns += [
            Column(kind, [_cell(row, _published_alone) for row in own], "as printed"),
            Column("ours", [_cell(row, _ours_alone) for row in own], "mean over our trials"),
            Column("difference", [_cell(row, _difference) for row in own], "ours less published"),
        ]
    first = rows.iloc[0]
    weights = "last epoch" if first["compared"] == "last" else "chosen weights"
    about = ", ".join(filter(None, (_words(first.get("data")), _words(first.get("split")))))
    caption = (
        f"{experiment}, {split.replace('_', ' ')}, by class: {first['where'] or 'place not given'} beside ours, "
        f"{weights}, n = {int(first['n'])}{f' ({about})' if about else ''}. {_tally(rows)}"
    )
    return Table(f"study-classes-{split}", caption, columns, rows)


def _tally(rows: pd.DataFrame) -> str:
    """Returns how many figures agree with ours, as a sentence."""
    printed = rows[rows["published"].notna()]
    words = [_words(word) for word in printed["verdict"]]
    if not any(words):
        reasons = list(dict.fromkeys(_words(why) for why in printed["no_verdict_because"]))
        return f"No verdict: {'; '.join(filter(None, reasons))}."
    above, below = (sum(word.startswith(f"ours {side}") for word in words) for side in ("above", "below"))
    judged = sum(map(bool, words))
    none = f", {len(words) - judged} without a verdict" if judged < len(words) else ""
    return (
        f"Of {len(words)} figures {judged - above - below} agree, ours is above {above} and below {below}{none}; "
        "one in twenty differs by chance."
    )


def _spread_table(experiment: str, rows: pd.DataFrame) -> Table:
    """Returns mean, sd, variance, minimum and maximum over runs, published above ours."""
    metrics, whose, cells = [], [], []
    for _, row in rows.iterrows():
        weights = "last" if row["compared"] == "last" else "chosen"
        sd = row[f"{weights}_sd"]
        metrics += [str(row["metric"]), ""]
        whose += [f"published, {int(row['published_n'])} runs", f"ours, {int(row['n'])} trials"]
        names = ("published", "published_sd", "published_variance", "published_low", "published_high")
        cells.append([_short(row.get(name)) for name in names])
        own = (row[f"{weights}_mean"], sd, sd**2, row[f"{weights}_min"], row[f"{weights}_max"])
        cells.append([_number(value, 5) for value in own])
    heads = ("mean", "sd", "variance", "min", "max")
    columns = [Column("metric", metrics, style="text"), Column("of", whose, style="text")]
    columns += [Column(head, [row[place] for row in cells]) for place, head in enumerate(heads)]
    return Table("study-spreads", f"{experiment}: the spread over the runs, published and ours.", columns, rows)


def _cell(row: pd.Series | None, text: Callable[[pd.Series], str]) -> str:
    return "-" if row is None else text(row)


def _published_alone(row: pd.Series) -> str:
    return (_words(row.get("published_as")) or "-").partition(" (")[0]


def _ours_alone(row: pd.Series) -> str:
    return _number(_compared(row), _CLASS_DIGITS)


def _difference(row: pd.Series) -> str:
    value = _compared(row) - row["published"]
    return "-" if pd.isna(value) else f"{value:+.{_CLASS_DIGITS}f}"


def _compared(row: pd.Series) -> float:
    return float(row["last_mean" if row["compared"] == "last" else "chosen_mean"])


def _page_columns(rows: Sequence[pd.Series]) -> list[Column]:
    spread = "mean ± sd over seeds"
    return [
        Column("published", [_words(row.get("published_as")) or "–" for row in rows], "as printed", on=PAGE),
        Column("ours, chosen weights", [_value(row, "chosen") for row in rows], spread, on=PAGE),
        Column("ours, last epoch", [_value(row, "last") for row in rows], spread, on=PAGE),
        *_sometimes(rows, PAGE),
        Column("n", [str(int(row["n"])) for row in rows], "our done trials", on=PAGE),
        Column("verdict", [_conclusion(row) for row in rows], style="text", on=PAGE),
        Column("of", [_stands_on(row) for row in rows], "data set, split, images and epochs", "text", PAGE),
        Column("where", [_words(row["where"]) for row in rows], style="text", on=PAGE),
    ]


def _paper_columns(rows: Sequence[pd.Series]) -> list[Column]:
    cells = {
        "data set": [_words(row.get("data")) or "-" for row in rows],
        "split": [_split(row) for row in rows],
        "images": [_images(row) for row in rows],
        "classes": [_whole(row.get("classes")) for row in rows],
        "epochs": [_whole(row.get("epochs")) for row in rows],
        "n": [f"{int(row['n'])}" + (f" ({left})" if (left := _words(row.get("left_out"))) else "") for row in rows],
        "published": [(_words(row.get("published_as")) or "-").replace("±", "+-") for row in rows],
        "chosen weights": [_ours(row, "chosen") for row in rows],
        "last epoch": [_ours(row, "last") for row in rows],
    }
    found = [Column(heading, texts, style="text", on=PAPER) for heading, texts in cells.items()]
    conclusions = [_conclusion(row) for row in rows]
    return [*found, *_sometimes(rows, PAPER), Column("verdict", conclusions, style="text", on=PAPER)]


def _sometimes(rows: Sequence[pd.Series], on: str) -> list[Column]:
    """Returns the columns of SOMETIMES that some row has a value for."""
    form: Callable[[pd.Series, str], str] = _value if on == PAGE else _ours
    hints = (
        "accuracy on images without an exact copy among those trained on or chosen by",
        "accuracy of the networks that the heads are fitted on, on the same images",
        "at our best point of the sweep",
    )
    found = []
    for heading, name, hint in zip(SOMETIMES, ("clean", "network", "own_best"), hints, strict=True):
        if not any(not pd.isna(row.get(f"{name}_mean")) for row in rows):
            continue
        cells = [form(row, name) for row in rows]
        if name == "own_best":
            points = [_words(row.get("own_point")) for row in rows]
            cells = [f"{cell} at {point}" if point else cell for cell, point in zip(cells, points, strict=True)]
        found.append(Column(heading, cells, hint, "text" if on == PAPER or name == "own_best" else "num", on))
    return found


def _stands_on(row: pd.Series) -> str:
    counts = "" if (images := _images(row)) == "-" else f"{images} images"
    epochs = "" if pd.isna(row.get("epochs")) else f"{int(row['epochs'])} epochs"
    split = "" if (name := _split(row)) == "-" else name
    return ", ".join(filter(None, (_words(row.get("data")), split, counts, epochs))) or "–"


def _value(row: pd.Series, name: str) -> str:
    mean, sd = row.get(f"{name}_mean"), row.get(f"{name}_sd")
    return _number(mean, _DIGITS, "–") + ("" if pd.isna(sd) or pd.isna(mean) else f" ± {sd:.{_DIGITS}f}")


def _ours(row: pd.Series, name: str) -> str:
    mean, sd = row.get(f"{name}_mean"), row.get(f"{name}_sd")
    if pd.isna(mean):
        return "-"
    return f"{mean:.{_DIGITS}f} " + ("(one seed)" if row["n"] == 1 or pd.isna(sd) else f"+- {sd:.{_DIGITS}f}")


def _split(row: pd.Series) -> str:
    split = _words(row.get("split"))
    return ", ".join(filter(None, (f"{split}*" if split == "kaggle" else split or "-", _words(row.get("sampling")))))


def _images(row: pd.Series) -> str:
    counts = [row.get(f"{split}_images") for split in ("train", "validation", "test", "external")]
    return " / ".join(f"{int(count):,}" for count in counts if not pd.isna(count)) or "-"


def _whole(value: Any) -> str:
    return "-" if pd.isna(value) else str(int(value))


def _number(value: Any, digits: int, none: str = "-") -> str:
    return none if pd.isna(value) else f"{value:.{digits}f}"


def _short(value: Any) -> str:
    return "-" if pd.isna(value) else f"{value:.7f}".rstrip("0")


def _conclusion(row: pd.Series) -> str:
    """Returns the verdict and which of our values it is about, or why there is none."""
    if not (words := _words(row.get("verdict"))):
        return f"none: {_words(row['no_verdict_because'])}"
    choices = f"; {choices}" if (choices := _words(row.get("choices"))) else ""
    return f"{'last epoch' if row['compared'] == 'last' else 'chosen weights'} {words}{choices}"


def _words(text: object) -> str:
    return text if isinstance(text, str) else ""
