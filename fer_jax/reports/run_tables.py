"""The tables of a run for papers and spreadsheets: its points and how they compare with the best,
its trials and its heads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from fer_jax.analysis import fits
from fer_jax.analysis.ranking import Ranking, rank_points
from fer_jax.base.files import write_bytes
from fer_jax.base.text import did_you_mean
from fer_jax.errors import RunError
from fer_jax.reports.html_tables import MOST_FIELDS, Column, field_columns, heading, number, setting_column, whole
from fer_jax.reports.text_tables import Table, mean_text

if TYPE_CHECKING:
    from fer_jax.results.run import Run

# What a table shows where it is not told what to: figures of the weights that validation chose.
METRICS = ("val_accuracy", "val_loss", "test_accuracy", "test_accuracy_clean", "test_f1", "test_auc")
CLASS_METRICS = ("precision", "recall", "f1", "auc", "average_precision")
HEAD_METRICS = ("val_accuracy", "val_accuracy_gain", "test_accuracy", "test_accuracy_gain", "seconds")
FORMATS: dict[str, Callable[[Table], Any]] = {
    "frame": lambda table: table.frame,
    "csv": Table.to_csv,
    "markdown": Table.to_markdown,
    "latex": Table.to_latex,
}
_SUFFIXES = {"csv": "csv", "md": "markdown", "tex": "latex"}


def make(run: Run, name: str, metrics: Sequence[str] | None = None) -> Table:
    """One of the tables of a run.

    Args:
        name: one of NAMES.
        metrics: columns of trials.csv (of heads.csv) to show; None takes METRICS (HEAD_METRICS) as
            far as the run has them. For comparisons the one to compare by, which may not be of the
            test split; None takes train.select.

    Raises:
        RunError: no such table or metric, or nothing to put into it.
    """
    if name not in NAMES:
        raise RunError(f"no table {name!r}; {did_you_mean(name, NAMES)}")
    return NAMES[name](run, metrics)


def save(run: Run, folder: Path) -> list[Path]:
    """Writes every table of a run as .csv, .md and .tex; returns the files. Without heads, stored
    predictions or anything to compare, there is no table of that.

    Raises:
        RunError: the folder cannot be written.
    """
    written = []
    absent = {"heads"} if not len(run.heads) else set()
    absent |= set() if _comparable(run) else {"comparisons"}
    absent |= set() if len(run.class_metrics) else {"classes"}
    for name in [name for name in NAMES if name not in absent]:
        table = make(run, name)
        for suffix, kind in _SUFFIXES.items():
            path = folder / f"{name}.{suffix}"
            write_bytes(path, FORMATS[kind](table).encode())
            written.append(path)
    return written


def points(run: Run, metrics: Sequence[str] | None = None) -> Table:
    """A row a point: its values, n, who was left out, and each metric's mean and sample standard
    deviation over the n trials.
    """
    found = rank_points(run.record, run.trials, run.curves, run.path.resolve().name)
    rows, ranked = _ordered(run, found)
    columns = [Column("rank", [whole(value) for value in rows["rank"]])] if ranked else []
    columns += [*field_columns(found, rows), *_counts(rows)]
    columns += _means(rows, _chosen(metrics, METRICS, rows))
    caption = f"Points of {found.title}, {_figures(found)}, at the weights that validation chose; {found.scope}."
    return Table("points", caption, columns, _numbers(rows) if ranked else _numbers(rows).drop(columns="rank"))


def trials(run: Run, metrics: Sequence[str] | None = None) -> Table:
    """A row a trial, in plan order."""
    found = rank_points(run.record, run.trials, run.curves, run.path.resolve().name)
    rows = run.trials
    columns = [Column("trial", list(rows["id"]), style="id"), Column("status", list(rows["status"]), style="text")]
    columns += field_columns(found, rows)
    for name in ("seed", "epochs", "best_epoch"):
        if name in rows:
            columns.append(Column(name.replace("_", " "), [whole(value) for value in rows[name]]))
    for name in _chosen(metrics, METRICS, rows, ""):
        columns.append(Column(heading(name), [number(value) for value in rows[name]]))
    caption = f"Trials of {found.title}, at the weights that validation chose; {found.scope}."
    return Table("trials", caption, columns, rows)


def heads(run: Run, metrics: Sequence[str] | None = None) -> Table:
    """A row a point and head setting; a gain is the paired difference to the trial's own network on
    the same images.
    """
    if not len(run.heads):
        raise RunError(f"{run.path} has no heads: sweep with a head.kind, such as xgboost")
    found = fits.rank_heads(run.record, run.heads, run.path.resolve().name)
    rows = found.points.sort_values("rank", na_position="last", kind="stable")
    columns = [Column("rank", [whole(value) for value in rows["rank"]])]
    columns += field_columns(found, rows) if len(found.swept) <= MOST_FIELDS else [setting_column(found, rows)]
    columns += [*_counts(rows), *_means(rows, _chosen(metrics, HEAD_METRICS, rows))]
    caption = f"Heads of {found.title}, {_figures(found, 'fit')}; gain: accuracy minus that of the same trial's network; {found.scope}."
    return Table("heads", caption, columns, _numbers(rows))


def comparisons(run: Run, metrics: Sequence[str] | None = None) -> Table:
    """The best point and every other one beside it, seed by seed; see `Run.indistinguishable`."""
    if metrics is not None and len(metrics) != 1:
        raise RunError(f"comparisons are by one metric, not by {len(metrics)}: metrics=('val_accuracy',)")
    metric = metrics[0] if metrics else run.config.train.select
    rows = run.indistinguishable(metric)
    found = rank_points(run.record, run.trials, run.curves, run.path.resolve().name)
    units = "folds" if run.config.data.split == "kfold" else "seeds"
    columns = [*field_columns(found, rows), Column("n", [whole(value) for value in rows["n"]])]
    columns += [Column(heading(metric), [number(value) for value in rows["mean"]])]
    columns += [Column(f"common {units}", [whole(value) for value in rows["pairs"]])]
    columns += [
        Column("difference", ["–", *(f"{value:+.4f}" if value == value else "–" for value in rows["difference"][1:])])
    ]
    bounds = zip(rows["difference_low95"], rows["difference_high95"], strict=True)
    texts = [f"{low:+.4f} to {high:+.4f}" if low == low else "–" for low, high in bounds]
    columns += [Column("95 % interval", ["–", *texts[1:]])]
    columns += [Column("p", [_probability(value) for value in rows["p_holm"]])]
    caption = (
        f"Points of {found.title} beside the best by mean {metric}: paired differences over common {units}, Student's intervals, "
        f"p corrected by Holm over the table; {found.scope}."
    )
    return Table("comparisons", caption, columns, rows.drop(columns="point"))


def classes(run: Run, metrics: Sequence[str] | None = None) -> Table:
    """A row a point and class: precision, recall, F1, area under ROC and average precision on the
    test split, or on validation where there is none; mean and sample standard deviation over the n
    trials.
    """
    of_trials = run.class_metrics
    if not len(of_trials):
        raise RunError(f"{run.path} has no stored predictions, so nothing is known class by class")
    split = "test" if (of_trials["split"] == "test").any() else "validation"
    known = [name for name in CLASS_METRICS if metrics is None or name in metrics]
    if unknown := sorted(set(metrics or ()) - set(CLASS_METRICS)):
        raise RunError(f"no metric {unknown[0]!r} for this table; {did_you_mean(unknown[0], CLASS_METRICS)}")
    found = rank_points(run.record, run.trials, run.curves, run.path.resolve().name)
    # A mean over classes or folds of other pictures is of like things: a point's trials have one
    # class set.
    rows = of_trials[of_trials["split"] == split].merge(found.trials[["id", "point"]], on="id")
    groups = rows.groupby(["point", "class"], sort=False)[known]
    table = groups.mean().add_suffix("_mean").join(groups.std(ddof=1).add_suffix("_sd"))
    table["n"] = groups.size()
    table["support"] = rows.groupby(["point", "class"], sort=False)["support"].mean()
    ranks = found.points["rank"].reindex(table.index.get_level_values("point"))
    order = ranks.reset_index(drop=True).sort_values(na_position="last", kind="stable").index
    table = table.iloc[order].reset_index()
    table = table.join(found.points[found.swept], on="point")
    columns = [
        *field_columns(found, table),
        Column("class", list(table["class"]), style="text"),
        *_counts(table.assign(left_out="")),
    ]
    columns.append(Column("pictures", [number(value, 0) for value in table["support"]]))
    columns += _means(table, known)
    caption = f"Classes of {found.title} on the {split} split, {_figures(found)}, at the weights that validation chose; {found.scope}."
    return Table("classes", caption, columns, table.drop(columns="point"))


NAMES: dict[str, Callable[..., Table]] = {
    "points": points,
    "comparisons": comparisons,
    "classes": classes,
    "trials": trials,
    "heads": heads,
}


def _comparable(run: Run) -> bool:
    """Whether there are two points with done trials, repeats to judge by, and one metric that ranks
    them all.
    """
    n = run.summary["n"]
    metric = run.config.train.select
    return (
        bool((n > 0).sum() > 1 and n.max() > 1)
        and len(set(run.groups(run.trials, metric))) < 2
        and f"{metric}_mean" in run.summary
    )


def _probability(p: float) -> str:
    return "–" if p != p else "<0.001" if p < 0.001 else f"{p:.3f}"


def _numbers(rows: pd.DataFrame) -> pd.DataFrame:
    """Points as a table of numbers."""
    return rows.drop(columns="total").astype({"rank": "Int64"}).reset_index(drop=True)


def _ordered(run: Run, found: Ranking) -> tuple[pd.DataFrame, bool]:
    """The points, best first, if all of them are ranked against each other; else in the order of
    the sweep.
    """
    ranked = len(set(run.groups(run.trials, found.metric))) < 2
    return (found.points.sort_values("rank", na_position="last", kind="stable") if ranked else found.points), ranked


def _figures(found: Ranking, of: str = "trial") -> str:
    return f"mean ± sample standard deviation over n {of}s" if (found.points["n"] > 1).any() else f"one {of} each"


def _counts(rows: pd.DataFrame) -> list[Column]:
    columns = [Column("n", [whole(value) for value in rows["n"]])]
    if rows["left_out"].ne("").any():
        columns.append(Column("left out", list(rows["left_out"]), style="text"))
    return columns


def _means(rows: pd.DataFrame, metrics: Sequence[str]) -> list[Column]:
    return [
        Column(
            heading(name),
            [mean_text(*of) for of in zip(rows[f"{name}_mean"], rows[f"{name}_sd"], rows["n"], strict=True)],
        )
        for name in metrics
    ]


def _chosen(
    metrics: Sequence[str] | None, default: Sequence[str], rows: pd.DataFrame, suffix: str = "_mean"
) -> list[str]:
    """The metrics to show; of the default ones those that any row has."""
    if metrics is None:
        return [name for name in default if f"{name}{suffix}" in rows and rows[f"{name}{suffix}"].notna().any()]
    known = [column.removesuffix(suffix) for column in rows.columns if column.endswith(suffix)]
    for name in metrics:
        if name not in known:
            raise RunError(f"no metric {name!r} for this table; {did_you_mean(name, known)}")
    return list(metrics)
