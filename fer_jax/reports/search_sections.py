"""What a report shows of a search: who left when, what it may have missed, fields, fewer points."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from fer_jax.analysis import importance, tuning_curve
from fer_jax.analysis.comparable import lower_is_better
from fer_jax.analysis.ranking import METRIC_NAMES, Ranking
from fer_jax.base.text import counted, sentence
from fer_jax.config.repeats import WHOLE
from fer_jax.figures import rungs, style
from fer_jax.reports import search_tables, templates
from fer_jax.reports.html_tables import html
from fer_jax.reports.page import Section
from fer_jax.reports.tables import Table, number
from fer_jax.search import history, replay

_MOST_EFFECTS = 15  # more rows of an analysis of variance stand in tables/ alone
_PAGE_LENGTHS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_MANY = 20  # 'what would twenty trials have found'


@dataclasses.dataclass(frozen=True)
class SearchParts:
    """What a report gets of a search.

    Attributes:
        drawings: figures that need more than a ranking.
        beside: what stands below a figure, as HTML, by the figure's name.
        sections: without a figure.
    """

    drawings: Sequence[style.Drawing]
    beside: dict[str, Markup]
    sections: Sequence[Section]


def of_ranking(ranking: Ranking, suffix: str = "", whole: bool = True) -> SearchParts:
    """Returns what there is to say about the search of a run, or of a part of it.

    Args:
        ranking: the run, or points of it that are ranked against each other.
        suffix: tells tables of several parts on a page apart.
        whole: whether these are all points of the run; brackets are drawn among all of them.
    """
    drawings, beside, sections = [], {}, []
    found = history.of_ranking(ranking) if whole else None
    if found is not None:
        words = _rungs(ranking, found, suffix)
        curves = history.best_so_far(ranking, found.halving.epochs[-1])
        drawing = rungs.draw(ranking, curves, found.halving.epochs, found.left)
        if drawing is None:
            sections.append(Section("rungs", "Halving rungs", "Halving: who left when", words))
        else:
            drawings, beside["rungs"] = [drawing], words
    beside["tuning_curve"] = _fewer_points(ranking, suffix)
    if len(ranking.ranked) > 1:
        sections.append(
            Section("fields", "Importance", "Hyperparameter importance: which fields matter", _fields(ranking, suffix))
        )
        if found is None and (would := _would_have_found(ranking, suffix)):
            sections.append(Section("halving", "Halving", "Halving: what it would have found", would))
    return SearchParts(drawings, beside, sections)


def spent(found: history.History) -> str:
    """Returns 'trained 1,368 of 6,250 epochs: 22 % of the full grid'."""
    return (
        f"trained {found.trained:,} of {found.full:,} epochs: {100 * found.trained / found.full:.0f} % of the full grid"
    )


def _rungs(ranking: Ranking, found: history.History, suffix: str) -> Markup:
    """Returns what the rungs of a run did, with its tables."""
    over = history.first_seeds(ranking).trials["status"].isin(["done", "pruned", "diverged", "failed"]).all()
    more = len(ranking.trials) - len(found.epochs)
    notes = [
        sentence(spent(found) + (", so far" if not over else "")),
        "What the points that left would have come to, and so what the search missed (its regret against the full "
        "grid), is not known: only a run without halving would tell.",
    ]
    if more:
        notes.append(f"Not counted: {counted(more, 'trial')} of later seeds, which decided nothing at a rung.")
    tables = [_shown(search_tables.rungs(ranking), f"rungs-table{suffix}")]
    tables.append(_shown(search_tables.left(ranking), f"left-table{suffix}", filterable=True))
    return templates.paragraphs(*notes) + Markup().join(tables) + _correlations(ranking, suffix)


def _correlations(ranking: Ranking, suffix: str) -> Markup:
    """Returns how alike rungs rank the points."""
    table = search_tables.rank_correlations(ranking)
    if isinstance(table, str):
        return templates.paragraphs(f"No rank correlation between rungs: {table}.")
    note = ""
    if (table.frame["n"] < table.frame["of"]).any():
        note = (
            "A later rung has survivors only. They were chosen for being alike at the earlier one, which makes the "
            "correlation over them lower than over all points (restriction of range)."
        )
    return _shown(table, f"correlations-table{suffix}") + templates.paragraphs(*([note] if note else []))


def _would_have_found(ranking: Ranking, suffix: str) -> Markup:
    """Returns what halving would have done with a full grid; '' where that cannot be told."""
    would = replay.of_full_grid(ranking)
    if would is None:
        return Markup()
    ends, name = would.halving.epochs, METRIC_NAMES.get(ranking.metric, ranking.metric)
    sizes = " and ".join(_listed(would.halving.sizes(), ends))
    sign = 1 if ranking.higher_is_better else -1
    total = int(would.stopped.sum())
    first = history.first_seeds(ranking).trials
    seeds = counted(int(first["point"].value_counts().max()), "seed")
    by = f" over the {seeds} that all points have" if len(first) < len(ranking.trials) else ""
    what = f"{ranking.describe(would.chosen)}, {name} {number(sign * would.score)}{by}"
    if would.place == 1:
        missed = "which no other point surpasses: it would have missed nothing"
    else:
        unit = (
            f"{would.regret:.4f} nats"
            if lower_is_better(ranking.metric)
            else f"{100 * would.regret:.2f} percentage points"
        )
        missed = (
            f"number {would.place} of {len(would.stopped):,}, {unit} behind the best "
            f"({ranking.describe(would.best)}, {number(sign * would.best_score)})"
        )
    notes = [
        f"Every point was trained to its end, so that the recorded curves tell what successive halving would have "
        f"done: with search.halving = {history.usual_rungs(ends[-1])} it would have trained {sizes}, "
        f"{total:,} of {len(would.stopped) * ends[-1]:,} epochs a repeat, {100 * would.share:.0f} %.",
        f"It would have found {what}, {missed}.",
    ]
    return templates.paragraphs(*notes) + _correlations(ranking, suffix)


def _listed(sizes: Sequence[int], ends: Sequence[int]) -> list[str]:
    words = [f"{counted(size, 'point')} to {end}" for size, end in zip(sizes, ends, strict=True)]
    words[0] += " epoch" if ends[0] == 1 else " epochs"
    return [", ".join(words[:-1]), words[-1]]


def _fields(ranking: Ranking, suffix: str) -> Markup:
    """Returns the analysis of variance, or why there is none."""
    found, table = importance.of_ranking(ranking), search_tables.fields(ranking)
    if isinstance(found, str) or isinstance(table, str):
        return templates.paragraphs(f"No analysis of variance: {found}.")
    name = METRIC_NAMES.get(ranking.metric, ranking.metric)
    notes = [
        f"The variance of {name} between the {len(ranking.points):,} points of the full grid, taken apart into what "
        "each field does by itself and what fields do only together (×); the shares add up to 100 %."
    ]
    if found.why_untested:
        notes.append(sentence(f"nothing is tested: {found.why_untested}"))
    else:
        blocks = ", after what a seed does to all points alike was taken out" if found.blocked else ""
        notes.append(
            f"F tests are against the spread over {found.repeats} repeats a point (standard deviation "
            f"{np.sqrt(found.error):.4f}, {found.error_df:,} degrees of freedom{blocks}), p by Holm over "
            f"{counted(len(found.effects), 'effect')}; they suppose that repeats spread as much at every point."
        )
    of = (ranking.config.get("sweep") or {}).get("seeds_of", "all")
    if of not in WHOLE and found.repeats > 1:
        notes.append(f"Repeats vary only what sweep.seeds_of = {of} says, and so does this spread.")
    if len(table.frame) > _MOST_EFFECTS:
        notes.append(f"The largest {_MOST_EFFECTS} of {len(table.frame)}; tables/fields.csv has all.")
        table = search_tables.only(table, np.arange(len(table.frame)) < _MOST_EFFECTS)
    return templates.paragraphs(*notes) + _shown(table, f"fields-table{suffix}")


def _fewer_points(ranking: Ranking, suffix: str) -> Markup:
    """Returns the words and the table below the tuning curve; '' where there is none."""
    found, table = tuning_curve.of_ranking(ranking), search_tables.fewer_points(ranking)
    if isinstance(found, str) or isinstance(table, str):
        return Markup()
    n, rows = len(found.scores), found.table.set_index("points")
    k = _MANY if n > _MANY else max(1, n // 2)
    row = rows.loc[k] if k in rows.index else rows.iloc[np.abs(rows.index - k).argmin()]
    notes = [
        f"The best of {row.name} of these {n:,} points, picked at random, has {row['expected']:.4f} in expectation and "
        f"{row['median']:.4f} in the median (exact: every way to pick them counts the same); all of them came to "
        f"{found.scores[-1]:.4f}.",
        "The band holds at all numbers of points together with 95 % confidence or more, whatever the scores' "
        "distribution, if the points are independent draws: it bounds the median of another search's best. "
        + _drawn(ranking),
    ]
    if found.last_bounded < n:
        notes.append(
            f"Beyond {counted(found.last_bounded, 'point')} it is open on the better side: {n:,} points do not tell "
            "how good rarer ones are."
        )
    if found.lost:
        notes.append(f"{counted(found.lost, 'point')} whose trials all diverged count as the worst of the others.")
    if found.unknown:
        notes.append(f"{counted(found.unknown, 'point')} without a result are left out.")
    keep = found.table["points"].isin([*_PAGE_LENGTHS, n]).to_numpy()
    return templates.paragraphs(*notes) + _shown(search_tables.only(table, keep), f"fewer-table{suffix}")


def _drawn(ranking: Ranking) -> str:
    """Returns whether a run's points are the independent draws that the band supposes, in words."""
    sweep, number = ranking.config.get("sweep") or {}, int(ranking.config.get("search.draws") or 0)
    kind = ranking.config.get("search.kind") if number else "grid"
    if kind == "grid":
        return "These were not drawn but laid out, so that it is about points picked from such a grid at random."
    if any(sweep.get(part) for part in ("points", "each", "grid", "zip")):
        return "Not all of these were drawn, so that it is about points picked at random from such as these."
    if kind != "random":
        return (
            f"These were drawn to fill the space evenly ({kind}), so that it is about as many that are drawn at random."
        )
    if len(ranking.points) < number:
        return (
            f"These are what differs among {number:,} draws, each once however often it was drawn, so that it is about "
            "points picked at random from such as these."
        )
    return "These points were drawn so."


def _shown(table: Table | str, name: str, filterable: bool = False) -> Markup:
    """Returns a table as HTML, or the reason why there is none as a paragraph."""
    if isinstance(table, str):
        return templates.paragraphs(sentence(table))
    long = filterable and len(table.frame) > 12
    return html(table.columns, name, table.caption, filterable=long, rest=f"tables/{table.name}.csv")
