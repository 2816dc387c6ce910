"""Tables as HTML: text in, escaped, with the few attributes that sorting and filtering in the page
need.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from html import escape

import pandas as pd

from fer_jax.analysis import axes, statistics
from fer_jax.analysis.ranking import Ranking, metric_text
from fer_jax.reports import verdict

# More swept fields than this are shown as what differs from the config, in one column.
MOST_FIELDS = 3
_METRICS = (
    "val_accuracy",
    "val_loss",
    "train_accuracy",
    "train_loss",
    "test_accuracy",
    "test_accuracy_clean",
    "test_loss",
    "test_f1",
)
_HEADINGS = {
    "val_accuracy": "val. accuracy",
    "val_loss": "val. loss",
    "train_accuracy": "train accuracy",
    "train_loss": "train loss",
    "test_accuracy": "test accuracy",
    "test_accuracy_clean": "without leaks",
    "test_loss": "test loss",
    "test_f1": "test macro F1",
}


@dataclasses.dataclass(frozen=True)
class Column:
    """One column: heading, the texts of its cells, what it means (a tooltip), and a style (num,
    text, id or status).
    """

    heading: str
    cells: Sequence[str]
    hint: str = ""
    style: str = "num"


def html(
    columns: Sequence[Column], name: str, caption: str, sortable: bool = True, filterable: bool = False, first: int = 0
) -> str:
    """A table as HTML.

    Args:
        name: id of the element.
        filterable: whether a text box above it hides the rows that do not match.
        first: number of leading rows to set off as the best.
    """
    heads = "".join(_head(column, sortable) for column in columns)
    rows = []
    for place, cells in enumerate(zip(*(column.cells for column in columns), strict=True)):
        inside = "".join(
            f'<td class="{c.style}">{_cell(c.style, text)}</td>' for c, text in zip(columns, cells, strict=True)
        )
        rows.append(f'<tr class="best">{inside}</tr>' if place < first else f"<tr>{inside}</tr>")
    box = ""
    if filterable:
        box = (
            '<div class="tools"><input type="search" placeholder="Filter rows: words that must all occur" '
            f'aria-label="Filter {escape(caption)}" data-for="{name}">'
            f'<span class="count" aria-live="polite">{len(rows)} rows</span></div>'
        )
    return (
        f'{box}<div class="scroll{" tall" if filterable else ""}" tabindex="0">'
        f'<table id="{name}"{" data-sortable" if sortable else ""}><caption>{escape(caption)}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>\n" + "\n".join(rows) + "\n</tbody></table></div>"
    )


def _head(column: Column, sortable: bool) -> str:
    hint = f' title="{escape(column.hint)}"' if column.hint else ""
    text = f'<button type="button">{escape(column.heading)}</button>' if sortable else escape(column.heading)
    # Room enough that a long name is not broken at every tenth letter.
    long = " long" if column.style == "text" and max(map(len, column.cells), default=0) > 14 else ""
    return f'<th scope="col" class="{column.style}{long}"{hint}>{text}</th>'


def _cell(style: str, text: str) -> str:
    return f'<span class="pill {escape(text)}">{escape(text)}</span>' if style == "status" and text else escape(text)


def number(value: object, decimals: int = 4) -> str:
    """A figure for a table: fixed decimals, a dash for none, exponents for what exploded."""
    if value is None or pd.isna(value):
        return "–"
    x = float(value)  # type: ignore[arg-type]
    if not math.isfinite(x):
        return "∞" if x > 0 else "−∞"
    return f"{x:.{decimals}f}" if abs(x) < 1000 else axes.value_text(float(f"{x:.3g}"))


def heading(metric: str) -> str:
    """A metric at the head of a column: 'val. accuracy' for val_accuracy."""
    words = {"val": "val.", "f1": "F1", "auc": "AUC", "ece": "ECE"}
    return _HEADINGS.get(metric) or " ".join(words.get(word, word) for word in metric.split("_"))


def whole(value: object) -> str:
    return "–" if value is None or pd.isna(value) else str(int(value))  # type: ignore[call-overload]


def field_columns(ranking: Ranking, rows: pd.DataFrame) -> list[Column]:
    """A column a swept field."""
    names = axes.short_names(ranking.swept)
    return [
        Column(names[f], [ranking.axes[f].text(v) for v in rows[f]], f, "num" if ranking.axes[f].numeric else "text")
        for f in ranking.swept
    ]


def _known(ranking: Ranking, rows: pd.DataFrame, suffix: str = "") -> list[str]:
    """Metrics to show: all that any row has, the test split last."""
    return [m for m in _METRICS if f"{m}{suffix}" in rows and rows[f"{m}{suffix}"].notna().any()]


def parts(all_parts: Sequence[Ranking], names: Sequence[str]) -> str:
    """The parts of a run whose points are not ranked against each other, with the best point of
    each.
    """
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
        Column(
            "images", [" and ".join(verdict.image_words(one) for one in p.data_sets) for p in all_parts], "", "text"
        ),
        Column("points", [str(len(part.points)) for part in all_parts]),
        Column(
            "best point", ["–" if at is None else part.describe(at) for part, at in pairs], f"by mean {metric}", "text"
        ),
        Column(
            _HEADINGS.get(metric, metric),
            ["–" if at is None else metric_text(part, at, metric) for part, at in pairs],
            f"mean {metric} of the best point",
        ),
        Column("majority share", [number(part.majority_share, 3) for part in all_parts], "of the validation split"),
    ]
    return html(columns, "overview", f"{len(all_parts)} parts, each ranked by itself", sortable=False)


def best_points(ranking: Ranking, suffix: str = "", most: int = 10) -> str:
    """The best points with what they stand on, by rank; `suffix` tells the tables of several parts
    of a run apart.
    """
    rows = ranking.ranked.head(most)
    caption = f"The best {len(rows)} points"
    return html(_point_columns(ranking, rows, brief=True), f"best{suffix}", caption, sortable=False, first=1)


def all_points(ranking: Ranking, suffix: str = "") -> str:
    """Every point, those without a result last."""
    rows = ranking.points.sort_values("rank", na_position="last", kind="stable")
    caption, first = f"All {len(rows)} points", int(rows["rank"].eq(1).any())
    return html(_point_columns(ranking, rows), f"points{suffix}", caption, filterable=True, first=first)


def _point_columns(ranking: Ranking, rows: pd.DataFrame, brief: bool = False) -> list[Column]:
    """Columns of a table of points; `brief` leaves out what does not help to judge the best."""
    columns = [
        Column("rank", [whole(v) for v in rows["rank"]], f"by mean {ranking.metric}"),
        *field_columns(ranking, rows),
    ]
    columns.append(Column("n", [whole(v) for v in rows["n"]], "done trials, which the means stand on"))
    if rows["left_out"].ne("").any():
        columns.append(Column("left out", list(rows["left_out"]), "trials that are in no mean", "text"))
    spread = bool((rows["n"] > 1).any())
    metrics = _known(ranking, rows, "_mean")
    if brief:
        metrics = [
            m
            for m in metrics
            if m in {ranking.metric, "val_accuracy", "val_loss", "test_accuracy", "test_accuracy_clean"}
        ]
    for metric in metrics:
        hint = f"mean {metric} at the epoch validation chose"
        columns.append(Column(_HEADINGS[metric], [number(v) for v in rows[f"{metric}_mean"]], hint))
        if spread and not (brief and metric == "val_loss" != ranking.metric):
            columns.append(
                Column("± sd", [number(v) for v in rows[f"{metric}_sd"]], f"sample standard deviation of {metric}")
            )
        if spread and metric == ranking.metric:
            columns += _range(rows, metric)[: 1 if brief else 2]
    if spread and len(ranking.ranked) > 1:
        hint = "paired t over the seeds, p by Holm over all points; 'tied': cannot be told apart at 5 %"
        columns.append(Column("against the best", _against_best(ranking, rows), hint, "text"))
    share = ranking.majority_share
    if share is not None and "val_accuracy" in metrics:
        gain = [number(v - share, 3) for v in rows["val_accuracy_mean"]]
        signed = [g if g.startswith("-") or g == "–" else f"+{g}" for g in gain]
        columns.append(Column("over majority", signed, "mean val. accuracy minus the majority share"))
    return columns


def _against_best(ranking: Ranking, rows: pd.DataFrame) -> list[str]:
    """Whether each point can be told apart from the best one."""
    found = ranking.against_best.set_index("point")
    best, texts = ranking.best, []
    for point in rows.index:
        if point == best or point not in found.index:
            texts.append("–")
            continue
        p, tied = float(found.loc[point, "p_holm"]), bool(found.loc[point, "tied"])
        texts.append(("tied" if tied else "differs") + (f", p = {p:.3f}" if math.isfinite(p) else ""))
    return texts


def heads(ranking: Ranking, suffix: str = "") -> str:
    """Every head setting, each against its own trials' networks, those without a result last."""
    rows = ranking.points.sort_values("rank", na_position="last", kind="stable")
    columns = [Column("rank", [whole(v) for v in rows["rank"]], f"by mean {ranking.metric}")]
    columns += field_columns(ranking, rows) if len(ranking.swept) <= MOST_FIELDS else [setting_column(ranking, rows)]
    columns.append(Column("n", [whole(v) for v in rows["n"]], "done fits, which the means stand on"))
    if rows["left_out"].ne("").any():
        columns.append(Column("left out", list(rows["left_out"]), "fits that are in no mean", "text"))
    spread = bool((rows["n"] > 1).any())
    for split, name in (("val", "val."), ("test", "test")):
        if f"{split}_accuracy_gain_mean" not in rows or rows[f"{split}_accuracy_gain_mean"].isna().all():
            continue
        columns.append(Column(f"{name} accuracy", [number(v) for v in rows[f"{split}_accuracy_mean"]], "mean"))
        if spread:
            columns.append(
                Column("± sd", [number(v) for v in rows[f"{split}_accuracy_sd"]], "sample standard deviation")
            )
        # Figures of float32 differ from exact shares by less than a picture.
        gains = [f"{round(v, 4) + 0.0:+.4f}" if v == v else "–" for v in rows[f"{split}_accuracy_gain_mean"]]
        columns.append(
            Column("gain", gains, "accuracy minus that of the same trial's network on the same images, mean")
        )
        if spread:
            ends = _range(rows, f"{split}_accuracy_gain")[0]
            columns.append(
                dataclasses.replace(ends, heading="95 % of gain", hint="Student's interval of the paired difference")
            )
    columns.append(Column("seconds", [number(v, 1) for v in rows["seconds_mean"]], "to fit one head on its threads"))
    caption = f"All {len(rows)} head settings"
    return html(columns, f"heads-table{suffix}", caption, filterable=True, first=int(rows["rank"].eq(1).any()))


def setting_column(ranking: Ranking, rows: pd.DataFrame) -> Column:
    """What each row has that the config itself has not: many fields varied one at a time, in one
    column.
    """
    names = axes.short_names(ranking.swept)
    cells = []
    for _, row in rows.iterrows():
        other = [
            f
            for f in ranking.swept
            if statistics.hashable(row[f]) not in (None, statistics.hashable(ranking.config.get(f)))
        ]
        cells.append(", ".join(f"{names[f]} {ranking.axes[f].text(row[f])}" for f in other) or "as configured")
    return Column("setting", cells, "fields that differ from the config's own value", "text")


def _range(rows: pd.DataFrame, metric: str) -> list[Column]:
    """Interval and range over the repeats, for the metric that chooses."""
    bounds = list(zip(rows[f"{metric}_low95"], rows[f"{metric}_high95"], strict=True))
    ends = list(zip(rows[f"{metric}_min"], rows[f"{metric}_max"], rows["n"], strict=True))
    return [
        Column(
            "95 % interval",
            ["–" if math.isnan(a) else f"{a:.3f} to {b:.3f}" for a, b in bounds],
            "Student's interval of the mean",
        ),
        Column(
            "min to max",
            [f"{a:.3f} to {b:.3f}" if n > 1 else "–" for a, b, n in ends],
            "smallest and largest over the repeats",
        ),
    ]


def trials(ranking: Ranking, suffix: str = "") -> str:
    """Every trial, in plan order: at the epoch that validation chose, and at the last one."""
    rows = ranking.trials
    columns = [
        Column("id", list(rows["id"].astype(str)), "identifies the trial: run.trial(id)", "id"),
        Column("status", list(rows["status"]), "", "status"),
    ]
    columns += field_columns(ranking, rows)
    for name, heading in (("seed", "seed"), ("epochs", "epochs"), ("best_epoch", "best epoch")):
        if name in rows:
            columns.append(Column(heading, [whole(v) for v in rows[name]]))
    columns += [
        Column(_HEADINGS[m], [number(v) for v in rows[m]], f"{m} at the epoch validation chose")
        for m in _known(ranking, rows)
    ]
    for metric in ("val_accuracy", "val_loss", "test_accuracy"):
        last = f"last_{metric}"
        if last in rows and rows[last].notna().any():
            columns.append(
                Column(f"last {_HEADINGS[metric]}", [number(v) for v in rows[last]], f"{metric} at the last epoch")
            )
    return html(columns, f"trials{suffix}", f"All {len(rows)} trials", filterable=True)


def casualties(ranking: Ranking, suffix: str = "") -> str:
    """The trials that diverged, failed or were pruned, each with when and why; empty if there are
    none.
    """
    rows = ranking.trials[ranking.trials["status"].isin(("diverged", "failed", "pruned"))]
    if not len(rows):
        return ""
    empty = pd.Series([None] * len(rows), index=rows.index)
    columns = [
        Column("id", list(rows["id"].astype(str)), "", "id"),
        Column("status", list(rows["status"]), "", "status"),
        *field_columns(ranking, rows),
    ]
    columns.append(Column("seed", [whole(v) for v in rows.get("seed", empty)]))
    columns.append(Column("diverged at epoch", [whole(v) for v in rows.get("diverged_epoch", empty)]))
    if rows.get("error", empty).fillna("").ne("").any():
        columns.append(Column("error", ["" if pd.isna(v) else str(v) for v in rows["error"]], "", "text"))
    caption = f"Trials in no mean: {statistics.count_words(rows['status'].to_numpy())}"
    return html(columns, f"casualties{suffix}", caption, filterable=len(rows) > 12)


def settings(ranking: Ranking, defaults: dict[str, object], comments: dict[str, str]) -> str:
    """The config: every field with its value, what it means, and whether it is swept or differs
    from its default.
    """
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
    return html(columns, "settings", "Every config field", filterable=True)


def _levels(axis: axes.Axis, most: int = 12) -> str:
    """All values of a swept field, or the ends of a long list."""
    if len(axis.texts) <= most:
        return ", ".join(axis.texts)
    return f"{len(axis.texts)} values, {axis.texts[0]} to {axis.texts[-1]}"


def _differs(value: object, default: object) -> str:
    return "" if statistics.hashable(value) == statistics.hashable(default) else "set"


def facts(ranking: Ranking) -> str:
    """What the result stands on, as a definition list."""
    items = []
    for name, text in verdict.facts(ranking):
        value = f"<code>{escape(text)}</code>" if name == "Command" else escape(text)
        items.append(f"<div{' class=wide' if name == 'Command' else ''}><dt>{escape(name)}</dt><dd>{value}</dd></div>")
    return f"<dl>{''.join(items)}</dl>"
