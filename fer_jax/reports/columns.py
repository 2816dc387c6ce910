"""Columns that several tables of a run share."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import pandas as pd

from fer_jax.analysis import axes, statistics
from fer_jax.analysis.points import p_text
from fer_jax.analysis.ranking import Ranking
from fer_jax.reports.tables import PAGE, PAPER, Column, heading, mean_cell, number, whole


def field_columns(ranking: Ranking, rows: pd.DataFrame) -> list[Column]:
    """Returns a column a swept field, of rows that hold their values."""
    names = axes.short_names(ranking.swept)
    return [
        Column(names[f], [ranking.axes[f].text(v) for v in rows[f]], f, "num" if ranking.axes[f].numeric else "text")
        for f in ranking.swept
    ]


def setting_column(ranking: Ranking, rows: pd.DataFrame) -> Column:
    """Returns a column with the fields of each row that differ from the config's own value."""
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


def point_columns(
    ranking: Ranking, rows: pd.DataFrame, metrics: Mapping[str, str], ranked: bool = True, brief: bool = False
) -> list[Column]:
    """Returns the columns of a table of points.

    Args:
        ranking: the points.
        rows: those of `ranking.points` to show, in order.
        metrics: name -> where it is shown: PAGE, PAPER or BOTH.
        ranked: whether the points are comparable; else there is no rank, and nothing beside the
            best.
        brief: leaves out what does not help to judge the best points.
    """
    columns = [Column("rank", [whole(v) for v in rows["rank"]], f"by mean {ranking.metric}")] if ranked else []
    columns += [*field_columns(ranking, rows), *counts(rows, "trials")]
    several = bool((rows["n"] > 1).any())
    for name, on in metrics.items():
        if on != PAPER:
            hint = f"mean {name} at the epoch validation chose"
            columns.append(Column(heading(name), [number(v) for v in rows[f"{name}_mean"]], hint, on=PAGE))
        folded = brief and (name.endswith("_clean") or name == "val_loss" != ranking.metric)
        if on != PAPER and several and not folded:
            hint = f"sample standard deviation of {name}"
            columns.append(Column("± sd", [number(v) for v in rows[f"{name}_sd"]], hint, on=PAGE))
        if on != PAPER and several and name == ranking.metric:
            columns += [_interval_column(rows, name), *([] if brief else [_range_column(rows, name)])]
        if on != PAGE:
            columns.append(mean_column(rows, name))
    if ranked and len(ranking.ranked) > 1 and (several or not ranking.why_untested):
        how = "McNemar on the validation pictures" if not ranking.why_untested else f"paired t over the {ranking.units}"
        hint = f"{how}, p by Holm over all points; 'tied': cannot be told apart at 5 %"
        columns.append(Column("against the best", _against_best(ranking, rows), hint, "text", PAGE))
    share = ranking.majority_share
    if share is not None and "val_accuracy" in metrics:
        gain = [number(v - share, 3) for v in rows["val_accuracy_mean"]]
        signed = [g if g.startswith("-") or g == "–" else f"+{g}" for g in gain]
        columns.append(Column("over majority", signed, "mean val. accuracy minus the majority share", on=PAGE))
    return columns


def gain_columns(rows: pd.DataFrame, split: str) -> list[Column]:
    """Returns the accuracy of heads on a split and their gain over the networks, for a page.

    Where images have copies in an earlier split, the same without them follows.
    """
    what = "accuracy minus that of the same trial's network on the same images and weights, mean"
    several, columns = bool((rows["n"] > 1).any()), []
    for accuracy, without in ((f"{split}_accuracy", ""), (f"{split}_accuracy_clean", " without copies")):
        gain = f"{accuracy}_gain"
        if f"{accuracy}_mean" not in rows or rows[f"{accuracy}_mean"].isna().all():
            continue
        # Metrics of float32 differ from exact shares by less than an image.
        gains = [f"{round(v, 4) + 0.0:+.4f}" if v == v else "–" for v in rows[f"{gain}_mean"]]
        columns.append(Column(heading(accuracy), [number(v) for v in rows[f"{accuracy}_mean"]], "mean", on=PAGE))
        if several:
            cells = [number(v) for v in rows[f"{accuracy}_sd"]]
            columns.append(Column("± sd", cells, f"sample standard deviation{without}", on=PAGE))
        columns.append(Column(f"gain{without}", gains, what, on=PAGE))
        if several:
            interval = _interval_column(rows, gain)
            hint = "Student's interval of the paired difference"
            columns.append(dataclasses.replace(interval, heading=f"95 % of gain{without}", hint=hint))
    return columns


def mean_column(rows: pd.DataFrame, metric: str, on: str = PAPER) -> Column:
    """Returns mean and standard deviation of a metric over the n trials, rounded to the spread."""
    cells = [mean_cell(*of) for of in zip(rows[f"{metric}_mean"], rows[f"{metric}_sd"], rows["n"], strict=True)]
    return Column(heading(metric), cells, on=on)


def _interval_column(rows: pd.DataFrame, metric: str) -> Column:
    bounds = zip(rows[f"{metric}_low95"], rows[f"{metric}_high95"], strict=True)
    cells = ["–" if math.isnan(low) else f"{low:.3f} to {high:.3f}" for low, high in bounds]
    return Column("95 % interval", cells, "Student's interval of the mean", on=PAGE)


def _range_column(rows: pd.DataFrame, metric: str) -> Column:
    ends = zip(rows[f"{metric}_min"], rows[f"{metric}_max"], rows["n"], strict=True)
    cells = [f"{low:.3f} to {high:.3f}" if n > 1 else "–" for low, high, n in ends]
    return Column("min to max", cells, "smallest and largest over the repeats", on=PAGE)


def counts(rows: pd.DataFrame, of: str = "trials") -> list[Column]:
    """Returns how many trials (or fits) the means stand on, and who is left out where some are."""
    columns = [Column("n", [whole(value) for value in rows["n"]], f"done {of}, which the means stand on")]
    if rows["left_out"].ne("").any():
        columns.append(Column("left out", list(rows["left_out"]), f"{of} that are in no mean", "text"))
    return columns


def _against_best(ranking: Ranking, rows: pd.DataFrame) -> list[str]:
    """Returns whether each point can be told apart from the best one, in words."""
    found, together, best = ranking.against_best.set_index("point"), set(ranking.together), ranking.best
    texts = []
    for point in rows.index:
        if point == best or point not in found.index:
            texts.append("–")
            continue
        p, tied = float(found.loc[point, "p_holm"]), bool(found.loc[point, "tied"])
        words = "best together" if point in together else "tied" if tied else "differs"
        texts.append(f"{words}, {p_text(p)}" if math.isfinite(p) else words)
    return texts
