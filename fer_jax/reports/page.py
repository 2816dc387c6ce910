"""The report as one HTML page that needs nothing else, neither files nor a network."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from fer_jax.analysis import statistics
from fer_jax.analysis.parts import part_names
from fer_jax.analysis.ranking import METRIC_NAMES, Ranking
from fer_jax.figures import style
from fer_jax.reports import copy_words, head_words, page_tables, run_tables, search_words, templates, verdict
from fer_jax.reports.html_tables import html
from fer_jax.reports.tables import Table


class Section(NamedTuple):
    """A section of the page: its id, the words of its link, its heading, its HTML."""

    id: str
    short: str
    heading: str
    content: Markup


class _Told(NamedTuple):
    """What a page has said already and need not say again.

    Attributes:
        stands_on: data set, split, repeats and trials, as at the head of the page.
        figures: what a figure is of -> its number.
    """

    stands_on: str
    figures: dict[str, int]


@dataclasses.dataclass(frozen=True)
class Part:
    """Trials that are ranked against each other, and what was made of them.

    Attributes:
        ranking: the trials.
        figures: drawings with their WebP (or PNG), in reading order.
        sections: more of it, after the figures.
        beside: what stands below a figure, as HTML, by the figure's name.
    """

    ranking: Ranking
    figures: Sequence[tuple[style.Drawing, bytes]] = ()
    sections: Sequence[Section] = ()
    beside: Mapping[str, Markup] = dataclasses.field(default_factory=dict)


def render(
    ranking: Ranking,
    parts: Sequence[Part],
    fields: Mapping[str, tuple[object, str]],
    written: str,
    heads: Sequence[Part] = (),
    more: Sequence[Section] = (),
    *,
    leading: Sequence[Section] = (),
    explore: Section | None = None,
    assets: Sequence[str] = (),
    data: object = None,
    above: str = "",
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
        leading: sections that stand first.
        explore: the section that scripts fill, after the best points.
        assets, data, above: as of `assemble`.
    """
    told = _Told(stands_on(ranking), {})
    sections = _sections(parts[0], told) if len(parts) == 1 else _part_sections(parts, told)
    sections += _head_sections(heads, sum(len(part.figures) for part in parts) + 1, told)
    sections += more
    sections.append(
        Section("config", "Config", "Config: hyperparameters and all other fields", _config(ranking, fields))
    )
    if explore is not None:
        place = next((n for n, one in enumerate(sections, 1) if one.id in ("best-points", "parts")), 1)
        sections.insert(place, explore)
    sections = [*leading, *sections]
    counts = {status: f"{count} {status}" for status, count in ranking.statuses.items()}
    return assemble(ranking.title, ranking.scope, counts, sections, written, assets=assets, data=data, above=above)


def assemble(
    title: str,
    scope: str,
    chips: Mapping[str, str],
    sections: Sequence[Section],
    written: str,
    *,
    assets: Sequence[str] = (),
    data: object = None,
    above: str = "",
) -> str:
    """Returns a page around its sections.

    Args:
        title, scope: heading, and what is below it.
        chips: kind -> words of a small label below the heading.
        sections: in order, with ids of their own.
        written: when, for the foot of the page.
        assets: names of more files of web/, *.css and *.js, after the page's own and in order.
        data: a JSON-ready document for scripts, the text of the element `run-data`; None for none.
        above: Markup that stands before the heading.

    Raises:
        ValueError: the document has a number that JSON has not, such as NaN.
    """
    names = ("page.css", "navigation.js", "tables.js", *assets)
    whole = templates.render(
        "page.html",
        title=title,
        scope=scope,
        chips=chips,
        sections=sections,
        written=written,
        sheets=[templates.asset(name) for name in names if name.endswith(".css")],
        scripts=[templates.asset(name) for name in names if name.endswith(".js")],
        data=data,
        above=above,
    )
    return str(whole)


def written_now() -> str:
    """Returns when and by what a page is written, for its foot."""
    return f"Written by fer_jax on {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC."


def stands_on(ranking: Ranking) -> str:
    """Returns the data set, the split, the repeats and how many trials there are, as sentences."""
    return f"{_scope(ranking)} Trials: {statistics.count_words(ranking.trials['status'].to_numpy())}."


def _sections(part: Part, told: _Told, suffix: str = "", first: int = 1) -> list[Section]:
    """Returns everything about one part; its figures are numbered from `first` on."""
    ranking = part.ranking
    found = [Section("verdict", "Verdict", "Verdict", _verdict(ranking))]
    if len(ranking.ranked):
        found.append(Section("best-points", "Best points", "Best points", _best(ranking, told, suffix)))
    return [*found, *_figures(part, told, first), *part.sections, *_lists(ranking, told, suffix)]


def _figures(part: Part, told: _Told, first: int = 1, what: str = "Trials") -> list[Section]:
    own = stands_on(part.ranking).replace("Trials:", f"{what}:")
    found = []
    for number, (drawing, image) in enumerate(part.figures, first):
        about = drawing.about
        if about and told.figures.setdefault(about, number) != number:
            about = f"Pictures and networks as in figure {told.figures[about]}."
        content = figure(number, drawing, image, about, "" if own == told.stands_on else own)
        content += part.beside.get(drawing.name, Markup())
        found.append(Section(drawing.name, drawing.short, drawing.heading, content))
    return found


def _lists(ranking: Ranking, told: _Told, suffix: str = "") -> list[Section]:
    found = []
    if lost := page_tables.casualties(ranking, suffix):
        found.append(Section("left-out", "Left out", "Left out", lost))
    if len(ranking.points) > 1:
        name = METRIC_NAMES.get(ranking.metric, ranking.metric)
        note = _note(ranking, told, f"Ranked by mean {name}. Click a heading to sort.")
        points = _all(run_tables.points(ranking), f"points{suffix}", "points", len(ranking.together))
        found.append(Section("all-points", "All points", "All points", note + points))
    if len(ranking.trials):
        note = _note(ranking, told, "Metrics at the epoch that validation chose; “last” at the last one.")
        trials = _all(run_tables.trials(ranking), f"trials{suffix}", "trials")
        found.append(Section("all-trials", "All trials", "All trials", note + trials))
    return found


def _head_sections(heads: Sequence[Part], first: int, told: _Told) -> list[Section]:
    """Returns the heads of every part, with their figures, which are numbered from `first` on."""
    found: list[Section] = []
    for number, part in enumerate(heads, 1):
        ranking = part.ranking
        suffix = f"-{number}" if len(heads) > 1 else ""
        sentences = templates.macro("sentences", all=head_words.sentences(ranking))
        settings = _all(run_tables.heads(ranking), f"heads-table{suffix}", "head settings", len(ranking.together))
        short = f"Heads {number}" if suffix else "Heads"
        found.append(Section(f"heads{suffix}", short, "Heads on features of the networks", sentences + settings))
        found += [drawn._replace(id=f"{drawn.id}{suffix}") for drawn in _figures(part, told, first, "Fits")]
        first += len(part.figures)
    return found


def _part_sections(parts: Sequence[Part], told: _Told) -> list[Section]:
    """Returns which parts there are and why, then the sections of each."""
    all_parts = [part.ranking for part in parts]
    names = part_names(all_parts)
    overview = templates.paragraphs(verdict.not_ranked(all_parts)) + page_tables.parts(all_parts, names)
    found = [Section("parts", "Parts", "Not ranked against each other", overview)]
    drawn = 1
    for number, (name, part) in enumerate(zip(names, parts, strict=True), 1):
        suffix = f"-{number}"
        for one in _sections(part, told, suffix, drawn):
            found.append(Section(f"{one.id}{suffix}", f"{one.short} {number}", f"{one.heading}: {name}", one.content))
        drawn += len(part.figures)
    return found


def best_points(ranking: Ranking, suffix: str = "") -> Markup:
    """Returns the table of the best points as HTML; `suffix` tells several on a page apart."""
    table = run_tables.best_points(ranking)
    return html(table.columns, f"best{suffix}", table.caption, first=len(ranking.together))


def _all(table: Table, name: str, what: str, best: int = 0) -> Markup:
    """Returns a long table as HTML, with a box to filter it; `best` rows in front are set off."""
    caption = f"All {len(table.frame)} {what}"
    return html(table.columns, name, caption, filterable=True, first=best, rest=f"tables/{table.name}.csv")


def _scope(ranking: Ranking) -> str:
    """Returns the data set, the split and the repeats, as a sentence."""
    return f"{ranking.scope[:1].upper()}{ranking.scope[1:]}."


def _note(ranking: Ranking, told: _Told, words: str) -> Markup:
    """Returns a paragraph, which says what a table stands on where the page's head does not."""
    return templates.paragraphs(words if told.stands_on.startswith(_scope(ranking)) else f"{_scope(ranking)} {words}")


def _verdict(ranking: Ranking) -> Markup:
    points, facts = templates.macro("sentences", all=verdict.sentences(ranking)), page_tables.facts(ranking)
    if not len(ranking.ranked):
        yet = " yet" if search_words.is_unfinished(ranking) else ""
        return templates.macro("headline", kicker="", point=f"No result{yet}", tiles=[]) + points + facts
    best, alike = ranking.best, len(ranking.together)
    name = METRIC_NAMES.get(ranking.metric, ranking.metric)
    of_all = f" of each of {alike} points" if alike > 1 else ""
    tiles = [_tile(f"mean {name}{of_all}", ranking, best, ranking.metric)]
    if ranking.metric != "val_accuracy":
        tiles.append(_tile("mean validation accuracy", ranking, best, "val_accuracy"))
    share = ranking.majority_share
    if share is not None:
        over = float(ranking.points.loc[best, "val_accuracy_mean"]) - share
        tiles.append({"value": f"{over:+.3f}", "spread": "", "label": f"over the majority share, {share:.3f}"})
    if ranking.has_test:
        which = "of the point shown" if alike > 1 else "same point"
        tiles.append(_tile(f"test accuracy, {which}", ranking, best, "test_accuracy"))
    head = templates.macro("headline", kicker=verdict.headline(ranking), point=ranking.describe(best), tiles=tiles)
    return head + points + facts


def _tile(label: str, ranking: Ranking, point: int, metric: str) -> dict[str, str]:
    row = ranking.points.loc[point]
    n, mean, sd = int(row["n"]), float(row[f"{metric}_mean"]), float(row[f"{metric}_sd"])
    spread = f"{sd:.3f}" if n > 1 and math.isfinite(sd) else ""
    beside = copy_words.beside(ranking, point, metric)
    return {"value": f"{mean:.3f}", "spread": spread, "label": f"{label}, n = {n}{beside}"}


def _best(ranking: Ranking, told: _Told, suffix: str) -> Markup:
    words = "Ranked by validation; test figures stand beside and choose nothing."
    return _note(ranking, told, words if ranking.has_test else "Ranked by validation.") + best_points(ranking, suffix)


def figure(number: int | str, drawing: style.Drawing, image: bytes, *more: str) -> Markup:
    """Returns a drawing as HTML, with its finding for those who cannot see it, and its caption.

    Args:
        number: of the figure on the page, such as 3, or A1 of those that are numbered apart.
        drawing: it.
        image: as WebP or PNG.
        more: sentences that end the caption: what the figure is of, where the page does not say it.
    """
    return templates.macro(
        "figure",
        number=number,
        kind="png" if image.startswith(b"\x89PNG") else "webp",
        data=base64.b64encode(image).decode("ascii"),
        alt=f"{drawing.heading}. {drawing.finding or drawing.caption}",
        caption=" ".join(filter(None, [drawing.caption, *more])),
    )


def _config(ranking: Ranking, fields: Mapping[str, tuple[object, str]]) -> Markup:
    settings = page_tables.settings(
        ranking, {n: d for n, (d, _) in fields.items()}, {n: c for n, (_, c) in fields.items()}
    )
    return templates.paragraphs("Swept fields first, then those set to other than their defaults.") + settings
