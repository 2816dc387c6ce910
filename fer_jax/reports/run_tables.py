"""The tables of a run, each built here and nowhere else, for pages, papers and spreadsheets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fer_jax.analysis import fits
from fer_jax.analysis.ranking import Ranking
from fer_jax.base.files import write_bytes
from fer_jax.base.text import did_you_mean
from fer_jax.errors import RunError
from fer_jax.reports import search_tables, text_tables
from fer_jax.reports.columns import counts, field_columns, gain_columns, mean_column, point_columns, setting_column
from fer_jax.reports.tables import BOTH, PAGE, PAPER, Column, Table, heading, number, whole
from fer_jax.results import rankings
from fer_jax.results.record import RunRecord
from fer_jax.results.run import Run

# What a table shows where it is not told what to, and where: metrics at the weights that validation
# chose, the test split last.
METRICS = {
    "val_accuracy": BOTH,
    "val_accuracy_clean": BOTH,
    "val_loss": BOTH,
    "train_accuracy": PAGE,
    "train_loss": PAGE,
    "test_accuracy": BOTH,
    "test_accuracy_clean": BOTH,
    "test_loss": PAGE,
    "test_f1": BOTH,
    "test_auc": PAPER,
}
CLASS_METRICS = ("precision", "recall", "f1", "auc", "average_precision")
HEAD_METRICS = (
    *(f"{split}_accuracy{what}" for split in ("val", "test") for what in ("", "_clean", "_gain", "_clean_gain")),
    "seconds",
)
FORMATS: dict[str, Callable[[Table], Any]] = {
    "frame": lambda table: table.frame,
    "csv": text_tables.csv,
    "markdown": text_tables.markdown,
    "latex": text_tables.latex,
}
_SUFFIXES = {"csv": "csv", "md": "markdown", "tex": "latex"}
# More swept fields than this are shown as what differs from the config, in one column.
_MOST_FIELDS = 3


def make(run: Run, name: str, metrics: Sequence[str] | None = None, ranking: Ranking | None = None) -> Table:
    """Returns one of the tables of a run.

    Args:
        run: the run.
        name: one of NAMES.
        metrics: columns of trials.csv (of heads.csv) to show; None takes METRICS (HEAD_METRICS) as
            far as the run has them. For comparisons the one to compare by, which may not be of the
            test split; None takes train.select.
        ranking: `rankings.whole` of the run, where it is known already.

    Raises:
        RunError: no such table or metric, or nothing to put into it.
    """
    if name not in NAMES:
        raise RunError(f"no table {name!r}; {did_you_mean(name, NAMES)}")
    return NAMES[name](run, ranking or rankings.whole(run), metrics)


def save(run: Run, folder: Path) -> list[Path]:
    """Writes every table of a run as .csv, .md and .tex, and returns the files.

    Without heads, stored predictions or anything to compare, there is no table of that.

    Raises:
        RunError: the folder cannot be written.
    """
    written = []
    ranking = rankings.whole(run)
    absent = {"heads"} if not len(run.heads) else set()
    absent |= set() if _comparable(run, ranking) else {"comparisons"}
    absent |= set() if len(run.class_metrics) else {"classes"}
    alike = _one_group(run, ranking.metric)
    absent |= {name for name, of in search_tables.MAKERS.items() if not alike or isinstance(of(ranking), str)}
    for name in [name for name in NAMES if name not in absent]:
        table = make(run, name, None, ranking)
        for suffix, kind in _SUFFIXES.items():
            path = folder / f"{name}.{suffix}"
            write_bytes(path, FORMATS[kind](table).encode(errors="backslashreplace"))
            written.append(path)
    return written


def points(ranking: Ranking, metrics: Sequence[str] | None = None, ranked: bool = True) -> Table:
    """Returns a table with a row a point: its values, n, who was left out, and its metrics.

    On paper a metric is its mean and sample standard deviation over the n trials; a page has an
    interval and a range as well, and whether the point can be told apart from the best.

    Args:
        ranking: the points.
        metrics: as for `make`.
        ranked: whether the points are comparable; else they have no rank and stay in the sweep's
            order.
    """
    rows = _by_rank(ranking) if ranked else ranking.points
    columns = point_columns(ranking, rows, _shown(metrics, METRICS, rows), ranked)
    caption = f"Points of {ranking.title}, {_spread(ranking)}, at the weights that validation chose; {ranking.scope}."
    return Table("points", caption, columns, _numbers(rows) if ranked else _numbers(rows).drop(columns="rank"))


def best_points(ranking: Ranking, most: int = 10) -> Table:
    """Returns `points` of the best alone, on a page without what does not help to judge them."""
    rows = ranking.ranked.head(most)
    brief = {ranking.metric, "val_accuracy", "val_accuracy_clean", "val_loss", "test_accuracy", "test_accuracy_clean"}
    metrics = {name: on for name, on in _shown(None, METRICS, rows).items() if name in brief}
    columns = point_columns(ranking, rows, metrics, brief=True)
    return Table("best", f"The best {len(rows)} points", columns, _numbers(rows))


def trials(ranking: Ranking, metrics: Sequence[str] | None = None) -> Table:
    """Returns a table with a row a trial, in plan order, at the epoch that validation chose.

    A page has the last epoch as well.

    Args:
        ranking: whose trials.
        metrics: as for `make`.
    """
    rows = ranking.trials
    ids = list(rows["id"].astype(str))
    columns = [
        Column("id", ids, "identifies the trial: run.trial(id)", "id", PAGE),
        Column("trial", ids, style="id", on=PAPER),
        Column("status", list(rows["status"]), style="status"),
        *field_columns(ranking, rows),
    ]
    if ranking.dead:
        answers = [ranking.dead[id].answer if id in ranking.dead else "" for id in ids]
        columns.append(Column("dead", answers, "the one answer that a dead network gives", "text", PAGE))
    for name in ("seed", "epochs", "best_epoch"):
        if name in rows:
            columns.append(Column(name.replace("_", " "), [whole(value) for value in rows[name]]))
    for name, on in _shown(metrics, METRICS, rows, "").items():
        hint = f"{name} at the epoch validation chose"
        columns.append(Column(heading(name), [number(value) for value in rows[name]], hint, on=on))
    for name in ("val_accuracy", "val_accuracy_clean", "val_loss", "test_accuracy", "test_accuracy_clean"):
        if (last := f"last_{name}") in rows and rows[last].notna().any():
            cells = [number(value) for value in rows[last]]
            columns.append(Column(f"last {heading(name)}", cells, f"{name} at the last epoch", on=PAGE))
    caption = f"Trials of {ranking.title}, at the weights that validation chose; {ranking.scope}."
    return Table("trials", caption, columns, rows.drop(columns="point"))


def heads(ranking: Ranking, metrics: Sequence[str] | None = None) -> Table:
    """Returns a table with a row a point and head setting, those without a result last.

    A gain is the paired difference to the trial's own network on the same images and weights.

    Args:
        ranking: of the fits, see `fits.rank_heads`.
        metrics: as for `make`.
    """
    rows = _by_rank(ranking)
    columns = [Column("rank", [whole(value) for value in rows["rank"]], f"by mean {ranking.metric}")]
    few = len(ranking.swept) <= _MOST_FIELDS
    columns += field_columns(ranking, rows) if few else [setting_column(ranking, rows)]
    columns += counts(rows, "fits")
    for split in ("val", "test"):
        if f"{split}_accuracy_gain_mean" in rows and rows[f"{split}_accuracy_gain_mean"].notna().any():
            columns += gain_columns(rows, split)
    columns.append(
        Column(
            "seconds", [number(value, 1) for value in rows["seconds_mean"]], "to fit one head on its threads", on=PAGE
        )
    )
    columns += [mean_column(rows, name) for name in _shown(metrics, dict.fromkeys(HEAD_METRICS, PAPER), rows)]
    caption = (
        f"Heads of {ranking.title}, {_spread(ranking, 'fit')}; gain: accuracy minus that of the same trial's network "
        f"at the same weights; {ranking.scope}."
    )
    return Table("heads", caption, columns, _numbers(rows))


def comparisons(run: Run, ranking: Ranking, metrics: Sequence[str] | None = None) -> Table:
    """Returns the best point and every other one beside it; see `Run.indistinguishable`."""
    if metrics is not None and len(metrics) != 1:
        raise RunError(f"comparisons are by one metric, not by {len(metrics)}: metrics=('val_accuracy',)")
    metric = metrics[0] if metrics else run.config.train.select
    rows = run.indistinguishable(metric)
    by_image, clean = "only_best" in rows, f"{metric}_clean"
    if f"{clean}_mean" in ranking.points and ranking.points[f"{clean}_mean"].notna().any():
        rows[clean] = list(ranking.points.loc[rows["point"], f"{clean}_mean"])
    units = f"{ranking.unit}s"
    bounds = zip(rows["difference_low95"], rows["difference_high95"], strict=True)
    intervals = [f"{low:+.4f} to {high:+.4f}" if low == low else "–" for low, high in bounds]
    columns = [
        *field_columns(ranking, rows),
        Column("n", [whole(value) for value in rows["n"]]),
        Column(heading(metric), [number(value) for value in rows["mean"]]),
        *([Column(heading(clean), [number(value) for value in rows[clean]])] if clean in rows else []),
        *([] if by_image else [Column(f"common {units}", [whole(value) for value in rows["pairs"]])]),
        Column("difference", ["–", *(f"{value:+.4f}" if value == value else "–" for value in rows["difference"][1:])]),
    ]
    if by_image:
        for name, words in (("only_point", "only it is right"), ("only_best", "only the best is right")):
            columns.append(Column(words, ["–", *(number(value, 0) for value in rows[name][1:])]))
        how = (
            "one network each, validation pictures that only one of the two gets right, McNemar's test (mid-p), "
            "p corrected by Holm over the table"
        )
    else:
        columns.append(Column("95 % interval", ["–", *intervals[1:]]))
        how = f"paired differences over common {units}, Student's intervals, p corrected by Holm over the table"
    columns.append(Column("p", [_probability(value) for value in rows["p_holm"]]))
    caption = f"Points of {ranking.title} beside the best by mean {metric}: {how}; {ranking.scope}."
    return Table("comparisons", caption, columns, rows.drop(columns="point"))


def classes(run: Run, ranking: Ranking, metrics: Sequence[str] | None = None) -> Table:
    """Returns a table with a row a point and class: means and deviations of CLASS_METRICS.

    They are of the test split, or of validation where there is none.

    Raises:
        RunError: no stored predictions, or a metric that is none of CLASS_METRICS.
    """
    of_trials = run.class_metrics
    if not len(of_trials):
        raise RunError(f"{run.path} has no stored predictions, so nothing is known class by class")
    split = "test" if (of_trials["split"] == "test").any() else "validation"
    known = [name for name in CLASS_METRICS if metrics is None or name in metrics]
    if unknown := sorted(set(metrics or ()) - set(CLASS_METRICS)):
        raise RunError(f"no metric {unknown[0]!r} for this table; {did_you_mean(unknown[0], CLASS_METRICS)}")
    # A mean over classes or folds of other images is of like things: a point's trials have one
    # class set.
    rows = of_trials[of_trials["split"] == split].merge(ranking.trials[["id", "point"]], on="id")
    groups = rows.groupby(["point", "class"], sort=False)[known]
    table = groups.mean().add_suffix("_mean").join(groups.std(ddof=1).add_suffix("_sd"))
    table["n"] = groups.size()
    table["support"] = rows.groupby(["point", "class"], sort=False)["support"].mean()
    ranks = ranking.points["rank"].reindex(table.index.get_level_values("point"))
    order = ranks.reset_index(drop=True).sort_values(na_position="last", kind="stable").index
    table = table.iloc[order].reset_index()
    table = table.join(ranking.points[ranking.swept], on="point")
    columns = [
        *field_columns(ranking, table),
        Column("class", list(table["class"]), style="text"),
        *counts(table.assign(left_out="")),
        Column("pictures", [number(value, 0) for value in table["support"]]),
        *(mean_column(table, name, BOTH) for name in known),
    ]
    caption = (
        f"Classes of {ranking.title} on the {split} split, {_spread(ranking)}, at the weights that validation chose; "
        f"{ranking.scope}."
    )
    return Table("classes", caption, columns, table.drop(columns="point"))


def _heads_of(run: Run, ranking: Ranking, metrics: Sequence[str] | None) -> Table:
    if not len(run.heads):
        raise RunError(f"{run.path} has no heads: sweep with a head.kind, such as xgboost")
    return heads(fits.rank_heads(run.record, run.heads, run.path.resolve().name), metrics)


def _of_search(name: str) -> Callable[[Run, Ranking, Sequence[str] | None], Table]:
    def made(run: Run, ranking: Ranking, metrics: Sequence[str] | None) -> Table:
        if metrics is not None:
            raise RunError(f"the table {name!r} is of {ranking.metric} alone: leave metrics out")
        alike = _one_group(run, ranking.metric)
        found = search_tables.MAKERS[name](ranking) if alike else "its points are not ranked against each other"
        if isinstance(found, str):
            raise RunError(f"{run.path} has no table {name!r}: {found}")
        return found

    return made


NAMES: dict[str, Callable[[Run, Ranking, Sequence[str] | None], Table]] = {
    "points": lambda run, ranking, metrics: points(ranking, metrics, _one_group(run, ranking.metric)),
    "comparisons": comparisons,
    "classes": classes,
    "trials": lambda run, ranking, metrics: trials(ranking, metrics),
    "heads": _heads_of,
    **{name: _of_search(name) for name in search_tables.MAKERS},
}


def _one_group(run: Run, metric: str) -> bool:
    """Returns whether a metric ranks all points of a run against each other."""
    return len(set(run.groups(run.trials, metric))) < 2


def _comparable(run: Run, ranking: Ranking) -> bool:
    """Returns whether one metric ranks all points, and two have results that can be compared.

    They can seed by seed, or image by image.
    """
    n = run.summary["n"]
    metric = run.config.train.select
    tested = n.max() > 1 or not ranking.why_untested
    return bool((n > 0).sum() > 1 and tested) and _one_group(run, metric) and f"{metric}_mean" in run.summary


def _by_rank(ranking: Ranking) -> pd.DataFrame:
    return ranking.points.sort_values("rank", na_position="last", kind="stable")


def _probability(p: float) -> str:
    return "–" if p != p else "<0.001" if p < 0.001 else f"{p:.3f}"


def _numbers(rows: pd.DataFrame) -> pd.DataFrame:
    """Returns points as a table of numbers."""
    return rows.drop(columns="total").astype({"rank": "Int64"}).reset_index(drop=True)


def _spread(ranking: Ranking, of: str = "trial") -> str:
    several = (ranking.points["n"] > 1).any()
    return f"mean ± sample standard deviation over n {of}s" if several else f"one {of} each"


def _shown(
    metrics: Sequence[str] | None, default: Mapping[str, str], rows: pd.DataFrame, suffix: str = "_mean"
) -> dict[str, str]:
    """Returns metric -> where it is shown: what was asked for, else the default as far as known."""
    if metrics is None:
        return {
            name: on
            for name, on in default.items()
            if f"{name}{suffix}" in rows and rows[f"{name}{suffix}"].notna().any()
        }
    known = [column.removesuffix(suffix) for column in rows.columns if column.endswith(suffix)]
    for name in metrics:
        if name not in known:
            raise RunError(f"no metric {name!r} for this table; {did_you_mean(name, known)}")
    return dict.fromkeys(metrics, BOTH)


def table(run: Run, name: str = "points", format: str = "frame", metrics: Sequence[str] | None = None) -> Any:
    """Returns a table of a run for a paper or a spreadsheet.

    Args:
        run: the run.
        name: 'points', 'comparisons', 'classes', 'trials' or 'heads'; of a search 'rungs', 'left',
            'rank_correlations', 'fields' (analysis of variance) or 'fewer_points' (tuning curve).
        format: 'frame' (pandas, full precision), or a text: 'csv' (the same), 'markdown' or 'latex'
            (rounded to the spread).
        metrics: columns of trials.csv to show, such as ('val_accuracy', 'last_test_accuracy'); None
            takes the usual ones. For comparisons the one to compare by.

    Raises:
        RunError: no run, no such table, format or metric, or nothing to put into it.
    """
    if not isinstance(run, RunRecord):
        raise RunError(f"table takes a run, not a {type(run).__name__}: fer_jax.load_run(path) gives one")
    if format not in FORMATS:
        raise RunError(f"format = {format!r}: must be one of {', '.join(FORMATS)}")
    return FORMATS[format](make(run, name, metrics))
