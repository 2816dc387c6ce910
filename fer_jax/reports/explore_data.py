"""What the interactive part of a page knows of a run: one document, small enough to stand in it.

Columns instead of rows, numbers as they are shown, curves as fine as a screen is: a page of 2,000
trials stays below a few megabytes. Whatever had to be left out is said in `left_out`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import to_hex

from fer_jax.analysis import axes, comparable, statistics
from fer_jax.analysis.parts import part_names
from fer_jax.analysis.ranking import METRIC_NAMES, Ranking
from fer_jax.config import fields
from fer_jax.figures import scale, style, surfaces
from fer_jax.reports import explore_columns, explore_commands, explore_curves, explore_so_far, run_tables, templates
from fer_jax.results import rankings
from fer_jax.results.run import Run

VERSION = 1
_SHADES = 24  # of viridis; a browser mixes those between
_ROOM = 26  # characters of ticks beside a vertical axis
_MOST_LEVELS = 40  # of an axis of the surface


def document(run: Run, whole: Ranking | None = None, ranked: Sequence[Ranking] | None = None) -> dict[str, Any]:
    """Returns all that the interactive part shows, ready for `json.dumps`.

    It holds fields, metrics, points and trials as columns, curves, confusion matrices on the
    validation pictures, ROC curves of the best point, the config and how commands are put together.

    Args:
        run: however far it has come.
        whole, ranked: `rankings.whole` and `rankings.parts` of it, where they are known already.
    """
    ranked = rankings.parts(run) if ranked is None else ranked
    if whole is None:
        whole = rankings.whole(run) if len(ranked) > 1 else ranked[0]
    several = len(ranked) > 1
    names = part_names(ranked) if several else []
    points, trials, codes = explore_columns.tables(whole, ranked, names)
    curves, few_curves = explore_curves.learning_curves(whole, _best_first(ranked), ranked)
    answers, few_answers = explore_curves.confusion(whole, _best_first(ranked))
    found = {
        "version": VERSION,
        "title": whole.title,
        "scope": whole.scope,
        "metric": whole.metric,
        "parts": names,
        "fields": [_field(whole, field) for field in whole.swept],
        "metrics": _metrics(whole, ranked),
        "points": points,
        "trials": {**trials, "point": codes},
        "surfaces": [_surface(part) for part in ranked],
        "curves": curves,
        "confusion": answers,
        "roc": [explore_curves.roc(run, part) for part in ranked],
        "commands": explore_commands.template(run, [id for part in ranked for id in part.trials["id"]]),
        "config": _config(whole),
        "colours": {
            "cycle": list(style.CYCLE),
            "viridis": [to_hex(matplotlib.colormaps["viridis"](at)) for at in np.linspace(0, 1, _SHADES)],
        },
        "left_out": [*few_curves, *few_answers],
    }
    made: dict[str, Any] = templates.printable(found)
    return made


def _best_first(ranked: Sequence[Ranking]) -> list[str]:
    """Returns the ids of all trials: those of every part's best point, of every second, and so on.

    Trials of points without a result come last.
    """
    places: dict[str, float] = {}
    for part in ranked:
        ranks = part.points["rank"].reindex(part.trials["point"]).fillna(math.inf)
        places.update(zip(part.trials["id"].astype(str), ranks.astype(float), strict=True))
    return sorted(places, key=places.__getitem__)


def _field(ranking: Ranking, name: str) -> dict[str, Any]:
    """Returns a swept field: its names, its scale, its levels as texts and as numbers."""
    axis = ranking.axes[name]
    ticks, marks = axis.ticks(_ROOM)
    places = axis.position(axis.levels) if axis.levels else np.empty(0)
    return {
        "name": name,
        "word": name.rpartition(".")[2],
        "label": axes.short_names(ranking.swept)[name],
        "axis": axis.label,
        "kind": axis.kind,
        "numeric": axis.numeric,
        "texts": list(axis.texts),
        "numbers": [_plain(level) for level in axis.levels] if axis.numeric else None,
        "places": [round(float(place), 6) for place in places],
        "ticks": [[round(float(tick), 6), mark] for tick, mark in zip(ticks, marks, strict=True)],
        "typed": explore_commands.typed(name, axis.levels),
    }


def _plain(value: Any) -> int | float:
    return value if isinstance(value, int) else float(value)


def _metrics(ranking: Ranking, ranked: Sequence[Ranking]) -> list[dict[str, Any]]:
    """Returns the metrics that some point has a mean of: names, which end is better, the scale."""
    shown = [name for name, on in run_tables.METRICS.items() if on != run_tables.PAPER]
    found = []
    for name in dict.fromkeys([ranking.metric, *shown]):
        colours = scale.over_points(ranking, name)
        if colours is None:
            continue
        better = "low" if comparable.lower_is_better(name) else "high"
        entry: dict[str, Any] = {"name": name, "label": METRIC_NAMES.get(name, name), "better": better}
        entry |= _scale(colours.low, colours.high, colours.capped)
        if len(ranked) > 1:
            # Losses of other functions, or over other classes, have no scale in common.
            own = [scale.over_points(part, name) for part in ranked]
            entry["of_parts"] = [_scale(one.low, one.high, one.capped) if one else {} for one in own]
        found.append(entry)
    so_far = [values for part in ranked if (values := explore_so_far.of_points(part)) is not None]
    if so_far:
        low, high = min(float(values.min()) for values in so_far), max(float(values.max()) for values in so_far)
        low, high = (low, high) if high - low >= 1e-3 else (low - 0.01, high + 0.01)
        entry = {"name": explore_so_far.KEY, "label": explore_so_far.LABEL, "better": "high"}
        found.append(entry | _scale(low, high))
    return found


def _scale(low: float, high: float, capped: bool = False) -> dict[str, Any]:
    """Returns the ends of a metric's scale, whether values lie above it, and its ticks."""
    ticks, texts = style.value_ticks(low, high)
    pairs = [[round(tick, 6), text] for tick, text in zip(ticks, texts, strict=True)]
    return {"low": round(low, 6), "high": round(high, 6), "capped": capped, "ticks": pairs}


def _surface(ranking: Ranking) -> dict[str, Any] | None:
    """Returns which fields are the axes of the surface of a part, and which have sliders.

    None where there is no surface: fewer than two fields, one at a time, drawn at random, or more
    levels than can be told apart.
    """
    found = surfaces.by_size(ranking)
    if len(found) < 2 or surfaces.one_at_a_time(ranking, found):
        return None
    x, y, *rest = found
    settings = set(surfaces.places(ranking.points, rest))
    sizes = [len(ranking.axes[field].levels) for field in (x, y)]
    if max(sizes) > _MOST_LEVELS or len(ranking.points) < 0.5 * math.prod(sizes) * len(settings):
        return None
    numbers = {field: number for number, field in enumerate(ranking.swept)}
    return {"x": numbers[x], "y": numbers[y], "sliders": [numbers[field] for field in rest]}


def _config(ranking: Ranking) -> list[list[Any]]:
    """Returns every config field as [name, value as text, whether it is not the default].

    Those that are not come first.
    """
    config: Mapping[str, Any] = {name: value for name, value in ranking.config.items() if name != "sweep"}
    rows = []
    for name, value in config.items():
        default = fields.FIELDS[name].default if name in fields.FIELDS else value
        differs = statistics.hashable(value) != statistics.hashable(default)
        rows.append([name, axes.value_text(value), int(differs)])
    return sorted(rows, key=lambda row: -row[2])
