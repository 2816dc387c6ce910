"""The tables of a search: its rungs, who left, what rungs agree on, fields, fewer points.

Each is built here and nowhere else; `run_tables.py` hands them out with all others.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from fer_jax.analysis import axes, importance, tuning_curve
from fer_jax.analysis.points import p_text
from fer_jax.analysis.ranking import METRIC_NAMES, Ranking
from fer_jax.reports.columns import field_columns
from fer_jax.reports.tables import PAGE, Column, Table, heading, number, whole
from fer_jax.search import history

_NO_RUNGS = "the run has no rungs: search.halving = () trains every point to its end"


def rungs(ranking: Ranking) -> Table | str:
    """Returns a table with a row a rung: who was trained, who went on, and what it took.

    A reason, a clause, where the run has no rungs.
    """
    found = history.of_ranking(ranking)
    if found is None:
        return _NO_RUNGS
    sign = 1 if ranking.higher_is_better else -1
    rows = pd.DataFrame([vars(stretch) for stretch in found.stretches()])
    rows = rows.assign(worst_kept=sign * rows["worst_kept"], best_left=sign * rows["best_left"])
    rows = rows.assign(bracket=rows["bracket"] + 1, rung=rows["rung"] + 1)
    rows = rows.astype({"went_on": "Int64"})
    name = heading(ranking.metric)
    columns = [
        *([Column("bracket", [whole(value) for value in rows["bracket"]])] if rows["bracket"].nunique() > 1 else []),
        Column("rung", [whole(value) for value in rows["rung"]]),
        Column("epochs", [whole(value) for value in rows["epochs"]], "after which it ends, from the beginning on"),
        Column("points trained", [whole(value) for value in rows["trained"]]),
        Column("went on", [whole(value) for value in rows["went_on"]]),
        Column("worst kept", [number(value) for value in rows["worst_kept"]], f"{name}, best so far, mean of repeats"),
        Column("best that left", [number(value) for value in rows["best_left"]], "the same of points that left here"),
        Column("passes", [f"{value:,}" for value in rows["passes"]], "epochs trained in it, over all trials"),
    ]
    caption = f"Rungs of {ranking.title}, points ranked by the best {ranking.metric} so far; {ranking.scope}."
    return Table("rungs", caption, columns, rows)


def left(ranking: Ranking) -> Table | str:
    """Returns a table with a row a point that left, in the order of leaving; a reason for none."""
    found = history.of_ranking(ranking)
    if found is None:
        return _NO_RUNGS
    gone = np.flatnonzero(found.left != history.STAYS)
    if not len(gone):
        return "no point has left yet"
    then = found.scores[gone, found.left[gone]]
    order = np.lexsort((gone, -np.nan_to_num(then, nan=-np.inf), found.left[gone]))
    gone, then = gone[order], then[order] * (1 if ranking.higher_is_better else -1)
    rows = ranking.points.loc[gone, ranking.swept].reset_index(drop=True)
    rows.insert(0, "rung", found.left[gone] + 1)
    rows.insert(1, "epochs", np.array(found.halving.epochs)[found.left[gone]])
    rows.insert(2, "why", found.why[gone])
    rows.insert(3, f"best_{ranking.metric}", then)
    columns = [
        Column("rung", [whole(value) for value in rows["rung"]]),
        Column("epochs", [whole(value) for value in rows["epochs"]]),
        *([Column("why", list(rows["why"]), style="status")] if set(found.why[gone]) != {"pruned"} else []),
        Column(heading(ranking.metric), [number(value) for value in then], "best so far then, mean of the repeats"),
        *field_columns(ranking, rows),
    ]
    caption = f"Points of {ranking.title} that left, with their best {ranking.metric} then; {ranking.scope}."
    return Table("left", caption, columns, rows)


def rank_correlations(ranking: Ranking) -> Table | str:
    """Returns a table with a row a pair of rungs: how alike they rank the points.

    Of a run without rungs they are those that halving would have had by itself. A reason, a clause,
    where nothing is recorded.
    """
    found = history.of_ranking(ranking)
    if found is not None:
        ends, scores = found.halving.epochs, found.scores
    else:
        length = history.one_length(ranking)
        if length is None or len(ranking.points) < 2:
            return "points of different lengths have no rungs in common" if length is None else "there is one point"
        ends = history.usual_ladder(length)
        scores = history.best_so_far(ranking, length)[:, np.array(ends) - 1]
    rows = history.rank_correlations(scores, ends)
    if not rows["spearman"].notna().any():
        return "no two rungs have three points with scores in common"
    survivors = bool((rows["n"] < rows["of"]).any())
    columns = [
        Column("after", [whole(value) for value in rows["epochs"]], "epochs of the earlier rung"),
        Column("and after", [whole(value) for value in rows["later_epochs"]], "epochs of the later rung"),
        Column("n", [whole(value) for value in rows["n"]], "points with a score at both"),
        Column("of", [whole(value) for value in rows["of"]], "points with a score at the earlier one"),
        Column("Spearman", [number(value, 3) for value in rows["spearman"]], "rank correlation"),
    ]
    only = ", of survivors only" if survivors else ""
    caption = f"Rank correlation of {ranking.title} between rungs, by {ranking.metric}{only}; {ranking.scope}."
    return Table("rank_correlations", caption, columns, rows)


def fields(ranking: Ranking) -> Table | str:
    """Returns the analysis of variance, a row an effect; a reason where there is none."""
    found = importance.of_ranking(ranking)
    if isinstance(found, str):
        return found
    names = axes.short_names(ranking.swept)
    words = [" × ".join(names[found.fields[k]] for k in of) for of in found.effects["fields"]]
    rows = found.effects.assign(fields=words).rename(columns={"fields": "effect"})
    tested = not found.why_untested
    columns = [
        Column("effect", words, "a field, or an interaction of several", "text"),
        Column("df", [whole(value) for value in rows["df"]], "degrees of freedom"),
        Column("sum of squares", [f"{value:.4g}" for value in rows["squares"]], "over all trials", on=PAGE),
        Column("share", [_percent(value) for value in rows["share"]], "of the variance between points"),
    ]
    if found.repeats > 1:
        hint = "the share that the seeds alone would be expected to give it"
        columns.append(Column("by chance", [_percent(value) for value in rows["chance"]], hint))
    if tested:
        ratios = [f"{value:,.0f}" if value >= 100 else f"{value:.2f}" for value in rows["f"]]
        columns.append(Column("F", ratios, f"with df and {found.error_df}"))
        texts = [p_text(p).removeprefix("p = ").removeprefix("p ") for p in rows["p_holm"]]
        columns.append(Column("p", texts, f"corrected by Holm over {len(rows)} effects"))
    name = METRIC_NAMES.get(ranking.metric, ranking.metric)
    how = f"F tests against the seeds ({found.error_df} degrees of freedom), Holm" if tested else "no tests"
    caption = f"Analysis of variance of the {name} of {ranking.title}, {how}; {ranking.scope}."
    return Table("fields", caption, columns, rows)


def fewer_points(ranking: Ranking) -> Table | str:
    """Returns the tuning curve as a table, a row a number of points; a reason for none."""
    found = tuning_curve.of_ranking(ranking)
    if isinstance(found, str):
        return found
    rows = found.table
    columns = [
        Column("points", [whole(value) for value in rows["points"]], "picked at random"),
        Column("expected best", [number(value) for value in rows["expected"]]),
        Column("median", [number(value) for value in rows["median"]], "of the best of them"),
        Column("95 % band", [_interval(*ends) for ends in zip(rows["low95"], rows["high95"], strict=True)]),
    ]
    caption = (
        f"Best {ranking.metric} of so many points of {ranking.title}, picked at random, with the simultaneous 95 % "
        f"band of its median; {ranking.scope}."
    )
    return Table("fewer_points", caption, columns, rows)


MAKERS: dict[str, Callable[[Ranking], Table | str]] = {
    "rungs": rungs,
    "left": left,
    "rank_correlations": rank_correlations,
    "fields": fields,
    "fewer_points": fewer_points,
}


def only(table: Table, keep: np.ndarray) -> Table:
    """Returns some rows of a table, bool (rows,)."""
    columns = [
        Column(
            column.heading,
            [cell for cell, kept in zip(column.cells, keep, strict=True) if kept],
            column.hint,
            column.style,
            column.on,
        )
        for column in table.columns
    ]
    return Table(table.name, table.caption, columns, table.frame[keep].reset_index(drop=True))


def _percent(share: float) -> str:
    return "–" if share != share else f"{100 * share:.1f} %"


def _interval(low: float, high: float) -> str:
    if low != low and high != high:
        return "–"
    return f"{'−∞' if low != low else number(low, 3)} to {'∞' if high != high else number(high, 3)}"
