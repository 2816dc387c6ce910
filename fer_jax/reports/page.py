"""The report as one HTML page that needs nothing else, neither files nor a network."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from markupsafe import Markup

from fer_jax.analysis import statistics
from fer_jax.analysis.parts import part_names
from fer_jax.analysis.ranking import METRIC_NAMES, Ranking
from fer_jax.figures import style
from fer_jax.reports import page_tables, run_tables, search_words, templates, verdict
from fer_jax.reports.html_tables import html
from fer_jax.reports.tables import Table


class Section(NamedTuple):
    """A section of the page: its id, the words of its link, its heading, its HTML (as Markup)."""

    id: str
    short: str
    heading: str
    content: str


@dataclasses.dataclass(frozen=True)
class Part:
    """Trials that are ranked against each other, and what was made of them.

    Attributes:
        ranking: the trials.
        figures: drawings with their PNG, in reading order.
        sections: more of it, after the figures.
        beside: what stands below a figure, as HTML, by the figure's name.
    """

    ranking: Ranking
    figures: Sequence[tuple[style.Drawing, bytes]] = ()
    sections: Sequence[Section] = ()
    beside: Mapping[str, str] = dataclasses.field(default_factory=dict)


def render(
    ranking: Ranking,
    parts: Sequence[Part],
    fields: Mapping[str, tuple[object, str]],
    written: str,
    heads: Sequence[Part] = (),
    more: Sequence[Section] = (),
    *,
    explore: Section | None = None,
    assets: Sequence[str] = (),
    data: object = None,
) -> str:
    """Returns the page of a run.

    Args:
        ranking: the whole run.
        parts: the run as one part, or where not all points are ranked against each other, the parts
            within which they are.
        fields: dotted name of every config field -> (default, meaning).
        written: when, for the foot of the page.
        heads: the fits of the run as `fits.rank_heads` gives them, one a part; none without heads.
        more: other sections about the whole run, before its config.
        explore: the section that scripts fill, after the best points.
        assets, data: as of `assemble`.
    """
    sections = _sections(parts[0]) if len(parts) == 1 else _part_sections(parts)
    sections += _head_sections(heads, sum(len(part.figures) for part in parts) + 1)
    sections += more
    sections.append(Section("config", "Config", "Every config field", _config(ranking, fields)))
    if explore is not None:
        place = next((n for n, one in enumerate(sections, 1) if one.id in ("best-points", "parts")), 1)
        sections.insert(place, explore)
    counts = {status: f"{count} {status}" for status, count in ranking.statuses.items()}
    return assemble(ranking.title, ranking.scope, counts, sections, written, assets=assets, data=data)


def assemble(
    title: str,
    scope: str,
    chips: Mapping[str, str],
    sections: Sequence[Section],
    written: str,
    *,
    assets: Sequence[str] = (),
    data: object = None,
) -> str:
    """Returns a page around its sections.

    Args:
        title, scope: heading, and what is below it.
        chips: kind -> words of a small label below the heading.
        sections: in order, with ids of their own.
        written: when, for the foot of the page.
        assets: names of more files of web/, *.css and *.js, after the page's own and in order.
        data: a JSON-ready document for scripts, the text of the element `run-data`; None for none.

    Raises:
        ValueError: the document has a number that JSON has not, such as NaN.
    """
    names = ("page.css", "tables.js", *assets)
    return templates.render(
        "page.html",
        title=title,
        scope=scope,
        chips=chips,
        sections=[one._replace(content=Markup(one.content)) for one in sections],
        written=written,
        sheets=[templates.asset(name) for name in names if name.endswith(".css")],
        scripts=[templates.asset(name) for name in names if name.endswith(".js")],
        data=data,
    )


def written_now() -> str:
    """Returns when and by what a page is written, for its foot."""
    return f"Written by fer_jax on {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC."


def _sections(part: Part, suffix: str = "", first: int = 1) -> list[Section]:
    """Returns everything about one part; its figures are numbered from `first` on."""
    ranking = part.ranking
    found = [Section("verdict", "Verdict", "Verdict", _verdict(ranking))]
    if len(ranking.ranked):
        found.append(Section("best-points", "Best", "Best points", _best(ranking, suffix)))
    return [*found, *_figures(part, first), *part.sections, *_lists(ranking, suffix)]


def _figures(part: Part, first: int = 1, what: str = "Trials") -> list[Section]:
    found = []
    for number, (drawing, png) in enumerate(part.figures, first):
        content = _figure(number, drawing, png, part.ranking, what) + part.beside.get(drawing.name, "")
        found.append(Section(drawing.name, drawing.short, drawing.heading, content))
    return found


def _lists(ranking: Ranking, suffix: str = "") -> list[Section]:
    found = []
    if lost := page_tables.casualties(ranking, suffix):
        found.append(Section("left-out", "Left out", "Left out", f"<p>{escape(_scope(ranking))}</p>{lost}"))
    if len(ranking.points) > 1:
        name = METRIC_NAMES.get(ranking.metric, ranking.metric)
        note = f"Ranked by mean {name}. {_scope(ranking)} Click a heading to sort."
        points = _all(run_tables.points(ranking), f"points{suffix}", "points", len(ranking.together))
        found.append(Section("all-points", "Points", "All points", f"<p>{escape(note)}</p>{points}"))
    if len(ranking.trials):
        note = f"Metrics at the epoch that validation chose; “last” at the last one. {_scope(ranking)}"
        trials = _all(run_tables.trials(ranking), f"trials{suffix}", "trials")
        found.append(Section("all-trials", "Trials", "All trials", f"<p>{escape(note)}</p>{trials}"))
    return found


def _head_sections(heads: Sequence[Part], first: int) -> list[Section]:
    """Returns the heads of every part, with their figures, which are numbered from `first` on."""
    found: list[Section] = []
    for number, part in enumerate(heads, 1):
        ranking = part.ranking
        suffix = f"-{number}" if len(heads) > 1 else ""
        sentences = "".join(f"<li>{escape(sentence)}</li>" for sentence in verdict.head_sentences(ranking))
        table = run_tables.heads(ranking)
        settings = _all(table, f"heads-table{suffix}", "head settings", len(ranking.together))
        text = f'<ul class="plain">{sentences}</ul>{settings}'
        short = f"Heads {number}" if suffix else "Heads"
        found.append(Section(f"heads{suffix}", short, "Heads on features of the networks", text))
        found += [drawn._replace(id=f"{drawn.id}{suffix}") for drawn in _figures(part, first, "Fits")]
        first += len(part.figures)
    return found


def _part_sections(parts: Sequence[Part]) -> list[Section]:
    """Returns which parts there are and why, then the sections of each."""
    all_parts = [part.ranking for part in parts]
    names = part_names(all_parts)
    overview = f"<p>{escape(verdict.not_ranked(all_parts))}</p>{page_tables.parts(all_parts, names)}"
    found = [Section("parts", "Parts", "Not ranked against each other", overview)]
    drawn = 1
    for number, (name, part) in enumerate(zip(names, parts, strict=True), 1):
        suffix = f"-{number}"
        for one in _sections(part, suffix, drawn):
            found.append(Section(f"{one.id}{suffix}", f"{one.short} {number}", f"{one.heading}: {name}", one.content))
        drawn += len(part.figures)
    return found


def best_points(ranking: Ranking, suffix: str = "") -> str:
    """Returns the table of the best points as HTML; `suffix` tells several on a page apart."""
    table = run_tables.best_points(ranking)
    return html(table.columns, f"best{suffix}", table.caption, sortable=False, first=len(ranking.together))


def _all(table: Table, name: str, what: str, best: int = 0) -> str:
    """Returns a long table as HTML, with a box to filter it; `best` rows in front are set off."""
    return html(table.columns, name, f"All {len(table.frame)} {what}", filterable=True, first=best)


def _scope(ranking: Ranking) -> str:
    """Returns the data set, the split and the repeats, as a sentence."""
    return f"{ranking.scope[:1].upper()}{ranking.scope[1:]}."


def _verdict(ranking: Ranking) -> str:
    points = "".join(f"<li>{escape(sentence)}</li>" for sentence in verdict.sentences(ranking))
    if not len(ranking.ranked):
        yet = " yet" if search_words.is_unfinished(ranking) else ""
        headline = f'<div class="headline"><p class="point">No result{yet}</p></div>'
        return f'{headline}<ul class="plain">{points}</ul>{page_tables.facts(ranking)}'
    best, alike = ranking.best, len(ranking.together)
    name = METRIC_NAMES.get(ranking.metric, ranking.metric)
    of_all = f" of each of {alike} points" if alike > 1 else ""
    tiles = [_tile(f"mean {name}{of_all}", ranking, best, ranking.metric, "lead")]
    if ranking.metric != "val_accuracy":
        tiles.append(_tile("mean validation accuracy", ranking, best, "val_accuracy"))
    share = ranking.majority_share
    if share is not None:
        over = float(ranking.points.loc[best, "val_accuracy_mean"]) - share
        tiles.append(f'<div class="tile"><b>{over:+.3f}</b><span>over the majority share, {share:.3f}</span></div>')
    if ranking.has_test:
        which = "of the point shown" if alike > 1 else "same point"
        tiles.append(_tile(f"test accuracy, {which}", ranking, best, "test_accuracy"))
    return (
        f'<div class="headline"><p class="kicker">{escape(verdict.headline(ranking))}</p>'
        f'<p class="point">{escape(ranking.describe(best))}</p>'
        f'<div class="tiles">{"".join(tiles)}</div></div><ul class="plain">{points}</ul>{page_tables.facts(ranking)}'
    )


def _tile(label: str, ranking: Ranking, point: int, metric: str, kind: str = "") -> str:
    row = ranking.points.loc[point]
    n, mean, sd = int(row["n"]), float(row[f"{metric}_mean"]), float(row[f"{metric}_sd"])
    spread = f"<small> ± {sd:.3f}</small>" if n > 1 and math.isfinite(sd) else ""
    return f'<div class="tile {kind}"><b>{mean:.3f}{spread}</b><span>{escape(label)}, n = {n}</span></div>'


def _best(ranking: Ranking, suffix: str) -> str:
    note = f"{_scope(ranking)} Ranked by validation; test figures stand beside and choose nothing."
    if not ranking.has_test:
        note = f"{_scope(ranking)} Ranked by validation."
    return f"<p>{escape(note)}</p>{best_points(ranking, suffix)}"


def _figure(number: int, drawing: style.Drawing, png: bytes, ranking: Ranking, what: str) -> str:
    done = statistics.count_words(ranking.trials["status"].to_numpy())
    return figure(number, drawing, png, f"{_scope(ranking)} {what}: {done}.")


def figure(number: int, drawing: style.Drawing, png: bytes, stands_on: str) -> str:
    """Returns a drawing with its caption as HTML; `stands_on` ends the caption."""
    data = base64.b64encode(png).decode("ascii")
    return (
        f'<figure><div class="sheet"><img src="data:image/png;base64,{data}" '
        f'alt="{escape(drawing.heading)}: {escape(drawing.caption)}"></div>'
        f"<figcaption><b>Figure {number}.</b> {escape(f'{drawing.caption} {stands_on}'.strip())}</figcaption></figure>"
    )


def _config(ranking: Ranking, fields: Mapping[str, tuple[object, str]]) -> str:
    settings = page_tables.settings(
        ranking, {n: d for n, (d, _) in fields.items()}, {n: c for n, (_, c) in fields.items()}
    )
    note = f"{_scope(ranking)} Swept fields first, then those set to other than their defaults."
    return f"<p>{escape(note)}</p>{settings}"
