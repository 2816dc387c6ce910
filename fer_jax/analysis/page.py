"""The report as one HTML page that needs nothing else: figures inside, tables that sort and filter, no network."""

from __future__ import annotations

import base64
import math
import string
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources

from fer_jax.analysis import curves, effects, scatter, statistics, style, surfaces, tables, verdict
from fer_jax.analysis.evidence import METRIC_NAMES, Evidence


def drawings(evidence: Evidence) -> list[style.Drawing]:
    """The figures that suit this sweep, in reading order; none while there is nothing to draw."""
    made = [
        curves.learning_curves(evidence),
        surfaces.heat_maps(evidence, "val_accuracy"),
        surfaces.heat_maps(evidence, "val_loss"),
        scatter.scatter_3d(evidence),
        effects.main_effects(evidence),
    ]
    return [drawing for drawing in made if drawing is not None]


def render(
    evidence: Evidence,
    figures: Sequence[tuple[style.Drawing, bytes]],
    fields: Mapping[str, tuple[object, str]],
    written: str,
) -> str:
    """The page.

    Args:
      figures: drawings with their PNG.
      fields: dotted name of every config field -> (default, meaning).
      written: when, for the foot of the page.
    """
    sections = [("verdict", "Verdict", "Verdict", _verdict(evidence))]
    if len(evidence.ranked):
        sections.append(("best-points", "Best", "Best points", _best(evidence)))
    for number, (drawing, png) in enumerate(figures, 1):
        sections.append((drawing.name, drawing.short, drawing.heading, _figure(number, drawing, png, evidence)))
    if lost := tables.casualties(evidence):
        sections.append(("left-out", "Left out", "Left out", f"<p>{escape(_scope(evidence))}</p>{lost}"))
    if len(evidence.points) > 1:
        name = METRIC_NAMES.get(evidence.metric, evidence.metric)
        note = f"Ranked by mean {name}. {_scope(evidence)} Click a heading to sort."
        sections.append(("all-points", "Points", "All points", f"<p>{escape(note)}</p>{tables.all_points(evidence)}"))
    if len(evidence.trials):
        note = f"Metrics at the epoch that validation chose; “last” at the last one. {_scope(evidence)}"
        sections.append(("all-trials", "Trials", "All trials", f"<p>{escape(note)}</p>{tables.trials(evidence)}"))
    sections.append(("config", "Config", "Every config field", _config(evidence, fields)))
    template = string.Template(
        resources.files(__package__).joinpath("report_template.html").read_text(encoding="utf-8")
    )
    return template.substitute(
        title=escape(evidence.title),
        scope=escape(evidence.scope),
        chips="".join(
            f'<span class="pill {escape(s)}">{count} {escape(s)}</span>' for s, count in evidence.statuses.items()
        ),
        nav="".join(f'<a href="#{name}">{escape(short)}</a>' for name, short, _, _ in sections),
        body="\n".join(
            f'<section id="{name}"><h2>{escape(heading)}</h2>\n{content}\n</section>'
            for name, _, heading, content in sections
        ),
        written=escape(written),
    )


def _scope(evidence: Evidence) -> str:
    """The data set, the split and the repeats, as a sentence."""
    return f"{evidence.scope[:1].upper()}{evidence.scope[1:]}."


def _verdict(evidence: Evidence) -> str:
    points = "".join(f"<li>{escape(sentence)}</li>" for sentence in verdict.sentences(evidence))
    if not len(evidence.ranked):
        headline = '<div class="headline"><p class="point">No result yet</p></div>'
        return f'{headline}<ul class="plain">{points}</ul>{tables.facts(evidence)}'
    best = int(evidence.ranked.index[0])
    name = METRIC_NAMES.get(evidence.metric, evidence.metric)
    tiles = [_tile(f"mean {name}", evidence, best, evidence.metric, "lead")]
    if evidence.metric != "val_accuracy":
        tiles.append(_tile("mean validation accuracy", evidence, best, "val_accuracy"))
    share = evidence.majority_share
    if share is not None:
        over = float(evidence.points.loc[best, "val_accuracy_mean"]) - share
        tiles.append(f'<div class="tile"><b>{over:+.3f}</b><span>over the majority share, {share:.3f}</span></div>')
    if evidence.has_test:
        tiles.append(_tile("test accuracy, same point", evidence, best, "test_accuracy"))
    ranked = len(evidence.ranked)
    what = f"Best point of {ranked}" + " with a result" * (ranked < len(evidence.points))
    what = what if len(evidence.points) > 1 else "The one point"
    return (
        f'<div class="headline"><p class="kicker">{escape(what)}, by mean {escape(name)}</p>'
        f'<p class="point">{escape(evidence.describe(best))}</p>'
        f'<div class="tiles">{"".join(tiles)}</div></div><ul class="plain">{points}</ul>{tables.facts(evidence)}'
    )


def _tile(label: str, evidence: Evidence, point: int, metric: str, kind: str = "") -> str:
    row = evidence.points.loc[point]
    n, mean, sd = int(row["n"]), float(row[f"{metric}_mean"]), float(row[f"{metric}_sd"])
    spread = f"<small> ± {sd:.3f}</small>" if n > 1 and math.isfinite(sd) else ""
    return f'<div class="tile {kind}"><b>{mean:.3f}{spread}</b><span>{escape(label)}, n = {n}</span></div>'


def _best(evidence: Evidence) -> str:
    note = f"{_scope(evidence)} Ranked by validation; test figures stand beside and choose nothing."
    if not evidence.has_test:
        note = f"{_scope(evidence)} Ranked by validation."
    return f"<p>{escape(note)}</p>{tables.best_points(evidence)}"


def _figure(number: int, drawing: style.Drawing, png: bytes, evidence: Evidence) -> str:
    data = base64.b64encode(png).decode("ascii")
    done = statistics.count_words(evidence.trials["status"].to_numpy())
    caption = f"{drawing.caption} {_scope(evidence)} Trials: {done}."
    return (
        f'<figure><div class="sheet"><img src="data:image/png;base64,{data}" '
        f'alt="{escape(drawing.heading)}: {escape(drawing.caption)}"></div>'
        f"<figcaption><b>Figure {number}.</b> {escape(caption)}</figcaption></figure>"
    )


def _config(evidence: Evidence, fields: Mapping[str, tuple[object, str]]) -> str:
    settings = tables.settings(evidence, {n: d for n, (d, _) in fields.items()}, {n: c for n, (_, c) in fields.items()})
    note = f"{_scope(evidence)} Swept fields first, then those set to other than their defaults."
    return f"<p>{escape(note)}</p>{settings}"
