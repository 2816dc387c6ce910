"""The grid itself: heat maps over two fields, panelled by the rest, and the 3-D scatter of three."""

from __future__ import annotations

import math
from typing import Any

import matplotlib.patheffects as effects
import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle

from fer_jax.analysis import axes, published, style
from fer_jax.analysis.evidence import METRIC_NAMES, Evidence
from fer_jax.analysis.statistics import hashable

_MOST_PANELS = 12
_MOST_LEVELS = 40


def heat_maps(evidence: Evidence, metric: str) -> style.Drawing | None:
    """The mean of a metric over a grid of two fields, a panel for each setting of the others.

    The two fields with the most values are the axes (of equals, those that span more decades). None unless at least half of
    the grid they form was planned: a sweep of one field at a time, or a random search, has no surface.

    Args:
      metric: val_accuracy or val_loss; brighter is better in both.
    """
    fields = _by_size(evidence)
    if len(fields) < 2 or not len(evidence.ranked):
        return None
    x, y = (evidence.axes[field] for field in fields[:2])
    rest = [field for field in evidence.swept if field in fields[2:]]
    points = evidence.points
    settings = list(dict.fromkeys(_keys(points, rest)))
    size = len(x.levels) * len(y.levels) * len(settings)
    if max(len(x.levels), len(y.levels)) > _MOST_LEVELS or len(points) < 0.5 * size:
        return None
    shown = _choose(evidence, settings, rest)
    norm, capped = _norm(evidence, metric)
    columns = min(len(shown), 2 if len(shown) == 4 else 3)
    rows = math.ceil(len(shown) / columns)
    made = style.figure(rows * min(3.2, max(1.9, 0.75 + 0.36 * len(y.levels))) + 0.5)
    panels = made.subplots(rows, columns, squeeze=False, sharex=False, sharey=False)
    for number, ax in enumerate(panels.ravel()):
        if number >= len(shown):
            ax.set_visible(False)
            continue
        inside = points[[key == shown[number] for key in _keys(points, rest)]]
        _panel(ax, evidence, inside, metric, (x, y), norm, columns)
        if rest:
            style.title(ax, _setting_text(evidence, rest, inside))
        style.label(ax, x.label if number + columns >= len(shown) else None, y.label if number % columns == 0 else None)
    bar = _bar(made, panels.ravel()[: len(shown)].tolist(), evidence, metric, norm, capped, fraction=0.035, pad=0.02, aspect=32)
    bar.set_label(_with_unit(metric), fontsize=style.TEXT)
    caption = _caption(evidence, metric, capped, norm)
    with_result = len(set(_keys(evidence.ranked, rest)))
    if len(shown) < with_result:
        caption += f" Of {with_result} panels, the {len(shown)} that hold the best points."
    if with_result < len(settings):
        caption += f" Panels without a result: {len(settings) - with_result}, not shown."
    short = "Accuracy grid" if metric.endswith("accuracy") else "Loss grid"
    return style.Drawing(f"surface_{metric}", f"{METRIC_NAMES[metric].capitalize()} over the grid", short, caption, made)


def _by_size(evidence: Evidence) -> list[str]:
    """Swept fields with at least two values, most values first; of equals, the one that spans more decades."""
    fields = [field for field in evidence.swept if len(evidence.axes[field].levels) > 1]
    return sorted(fields, key=lambda f: (-len(evidence.axes[f].levels), -round(evidence.axes[f].span, 6)))


def _keys(points: pd.DataFrame, fields: list[str]) -> list[tuple[Any, ...]]:
    return list(zip(*([hashable(v) for v in points[f]] for f in fields), strict=True)) if fields else [()] * len(points)


def _choose(evidence: Evidence, settings: list[tuple[Any, ...]], rest: list[str]) -> list[tuple[Any, ...]]:
    """The settings that get a panel, in the fields' order: all that have a result, or those that hold the best points."""
    kept = list(dict.fromkeys(_keys(evidence.ranked, rest)))[:_MOST_PANELS]
    return sorted(kept, key=lambda key: [int(evidence.axes[f].index([v])[0]) for f, v in zip(rest, key, strict=True)])


def _setting_text(evidence: Evidence, rest: list[str], inside: pd.DataFrame) -> str:
    text = evidence.describe(int(inside.index[0]), rest, marks=True)
    return text if len(text) <= 46 else text[:45] + "…"


def _panel(ax: Any, evidence: Evidence, inside: pd.DataFrame, metric: str, pair: tuple[axes.Axis, axes.Axis], norm: Normalize, columns: int) -> None:
    x, y = pair
    values = np.full((len(y.levels), len(x.levels)), np.nan)
    at = (y.index(inside[y.field]), x.index(inside[x.field]))
    values[at] = inside[f"{metric}_mean"]
    colours = style.colours(metric)
    ax.imshow(np.ma.masked_invalid(values), cmap=colours, norm=norm, origin="lower", aspect="auto", interpolation="nearest")
    # White gaps between cells keep neighbours of like colour apart.
    for edge in np.arange(1, len(x.levels)) - 0.5:
        ax.axvline(edge, color="white", linewidth=1.2)
    for edge in np.arange(1, len(y.levels)) - 0.5:
        ax.axhline(edge, color="white", linewidth=1.2)
    style.tidy(ax, "none")
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.tick_params(length=0)
    _level_ticks(ax.xaxis, x, int(style.ROOM[columns] / max(map(axes.text_width, x.marks))))
    _level_ticks(ax.yaxis, y, 16)
    if len(x.levels) * columns <= 24:
        _annotate(ax, evidence, inside, metric, at, norm, crowded=len(x.levels) * columns > 18)
    best = int(evidence.points[f"{metric}_mean"].idxmax() if not metric.endswith("loss") else evidence.points[f"{metric}_mean"].idxmin())
    if best in inside.index:
        place = list(inside.index).index(best)
        ax.add_patch(Rectangle((at[1][place] - 0.5, at[0][place] - 0.5), 1, 1, fill=False, edgecolor=style.VERMILLION, linewidth=2.6, clip_on=False, zorder=5))


def _level_ticks(axis: Any, levels: axes.Axis, most: int) -> None:
    every = math.ceil(len(levels.levels) / max(1, most))
    places = list(range(0, len(levels.levels), every))
    style.ticks(axis, places, [levels.marks[i] for i in places])


def _annotate(ax: Any, evidence: Evidence, inside: pd.DataFrame, metric: str, at: tuple[np.ndarray, np.ndarray], norm: Normalize, crowded: bool) -> None:
    """Writes each cell's mean, its sd where there is one, and why where there is none."""
    size = style.SMALL - (1.5 if crowded else 0.5)
    colours = style.colours(metric)
    for row, place_y, place_x in zip(inside.itertuples(), *at, strict=True):
        mean, sd = getattr(row, f"{metric}_mean"), getattr(row, f"{metric}_sd")
        if not math.isfinite(mean):
            ax.text(place_x, place_y, _reason(row.left_out), ha="center", va="center", fontsize=size - 1, color=style.MUTED, in_layout=False)
            continue
        text = f"{mean:.3f}"[mean < 1 :] if metric.endswith("accuracy") else _three(mean)
        if math.isfinite(sd) and not crowded:
            text += f"\n±{f'{sd:.3f}'[1:] if sd < 0.9995 else _three(sd)}"
        ax.text(place_x, place_y, text, ha="center", va="center", fontsize=size, linespacing=1.05,
                color=style.ink_on(colours(norm(mean))), in_layout=False)  # fmt: skip


def _three(value: float) -> str:
    """About three figures: 0.81, 12.3, 441, 6e4."""
    if value < 9.995:
        return f"{value:.2f}"
    return f"{value:.{1 if value < 99.95 else 0}f}" if value < 9999 else f"{value:.0e}".replace("e+0", "e").replace("e+", "e")


def _reason(left_out: str) -> str:
    """One short word for an empty cell."""
    for status, word in (("diverged", "NaN"), ("failed", "failed"), ("pruned", "pruned")):
        if status in left_out:
            return word
    return "…" if left_out else ""


def _norm(evidence: Evidence, metric: str) -> tuple[Normalize, bool]:
    """A shared colour scale, and whether exploded losses are capped by it, so that the rest can be told apart."""
    values = evidence.points[f"{metric}_mean"].to_numpy(dtype=float)
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    capped = False
    if metric.endswith("loss"):
        ceiling = evidence.loss_ceiling(values)
        capped, high = high > ceiling, min(high, ceiling)
    elif (share := evidence.share_within(low, high)) is not None:
        low, high = min(low, share), max(high, share)
    if high - low < 1e-9:
        low, high = low - 0.01, high + 0.01
    return Normalize(low, high, clip=True), capped


def _bar(made: Any, panels: list[Any], evidence: Evidence, metric: str, norm: Normalize, capped: bool, **shape: Any) -> Any:
    """The colour bar, with the majority share marked on it."""
    mappable = ScalarMappable(norm=norm, cmap=style.colours(metric))
    bar = made.colorbar(mappable, ax=panels, extend="max" if capped else "neither", **shape)
    bar.outline.set_visible(False)
    low, high = float(norm.vmin or 0), float(norm.vmax or 1)
    places, texts = style.value_ticks(low, high)
    share = evidence.majority_share
    if metric.endswith("accuracy") and share is not None and low <= share <= high:
        clear = [i for i, t in enumerate(places) if abs(t - share) > 0.1 * (high - low)]
        places, texts = [*(places[i] for i in clear), share], [*(texts[i] for i in clear), f"{share:.2f}\nmajority"]
        bar.ax.axhline(share, color="white", linewidth=3.6, clip_on=False)
        bar.ax.axhline(share, color=style.VERMILLION, linewidth=2, clip_on=False)
    style.ticks(bar.ax.yaxis, places, texts)
    bar.ax.tick_params(labelsize=style.SMALL, length=3, width=0.7, color=style.MUTED)
    return bar


def _with_unit(metric: str) -> str:
    return METRIC_NAMES[metric] + (" (nats)" if metric.endswith("loss") else "")


def _caption(evidence: Evidence, metric: str, capped: bool, norm: Normalize) -> str:
    text = "Each cell is one point" + (": the mean over its repeats, ± sd." if evidence.repeats > 1 else ".")
    text += f" Framed: the {'lowest' if metric.endswith('loss') else 'highest'}."
    share = evidence.majority_share
    if metric.endswith("accuracy") and share is not None:
        on_scale = float(norm.vmin or 0) <= share <= float(norm.vmax or 1)
        text += f" The majority share is {share:.3f} ({'red line on the colour bar' if on_scale else 'below the scale'})."
    if capped:
        text += f" Losses above {norm.vmax:.2f} share one colour."
    if (evidence.points["n"] == 0).any():
        text += " NaN: every trial diverged." if evidence.points["left_out"].str.contains("diverged").any() else ""
        text += " Grey: no result."
    return text


def scatter_3d(evidence: Evidence) -> style.Drawing | None:
    """Accuracy and loss over three numeric fields, as oslo's figures 8 and 9 show them.

    None unless at least three numeric fields with two or more values were swept, and not merely one at a time. Where more
    than three were, the three largest are the axes and each place shows the best point of those that fall on it.
    """
    fields = [f for f in _by_size(evidence) if evidence.axes[f].numeric][:3]
    if len(fields) < 3 or not len(evidence.ranked):
        return None
    layout = [evidence.axes[field] for field in fields]
    # One field at a time around a base is a cross, of this many points; there is nothing in its space to see.
    if len(set(_keys(evidence.points, fields))) <= sum(len(axis.levels) for axis in layout) - 2:
        return None
    made = style.figure(4.3)
    notes: list[str] = []
    for place, metric in enumerate(("val_accuracy", "val_loss"), 1):
        ax = made.add_subplot(1, 2, place, projection="3d")
        notes += _cloud(made, ax, evidence, metric, layout)
    caption = "Larger and brighter is better; ringed and joined to the floor: the best."
    if evidence.points.loc[evidence.points["n"] == 0, "left_out"].str.contains("diverged|failed|pruned").any():
        caption += " Crosses: diverged or failed."
    if len(evidence.swept) > 3:
        caption += " Each place shows the best over the other swept fields."
    caption = " ".join([caption, *notes, published.beside(evidence)]).strip()
    return style.Drawing("scatter_3d", "The grid in three dimensions", "In 3-D", caption, made)


def _cloud(made: Any, ax: Any, evidence: Evidence, metric: str, layout: list[axes.Axis]) -> list[str]:
    norm, capped = _norm(evidence, metric)
    better = -1 if metric.endswith("loss") else 1
    points = evidence.points.assign(merit=better * evidence.points[f"{metric}_mean"]).sort_values("merit", na_position="first", kind="stable")
    places = pd.DataFrame({a.field: a.position(points[a.field]) for a in layout}, index=points.index)
    keep = ~places.duplicated(keep="last")
    points, places = points[keep], places[keep]
    value = points[f"{metric}_mean"].to_numpy(dtype=float)
    xyz = places.to_numpy(dtype=float).T
    known = np.isfinite(value)
    quality = norm(value[known]) if better > 0 else 1 - norm(value[known])
    size = min(1.0, (125 / len(points)) ** 0.6)
    over = ~known & points["left_out"].str.contains("diverged|failed|pruned").to_numpy(dtype=bool)
    if over.any():
        ax.scatter(*xyz[:, over], marker="x", s=14, color="#9aa2ac", linewidth=0.8, depthshade=False)
    ax.scatter(*xyz[:, known], c=value[known], cmap=style.colours(metric), norm=norm, s=size * (14 + 95 * np.asarray(quality) ** 1.5),
               edgecolors="#2b3138", linewidths=0.35, depthshade=False, alpha=0.95)  # fmt: skip
    _mark_best(ax, evidence, metric, xyz[:, -1], points.iloc[-1], layout)
    parts = ((ax.set_xlabel, ax.set_xlim), (ax.set_ylabel, ax.set_ylim), (ax.set_zlabel, ax.set_zlim))
    for (set_label, limit), axis, plane in zip(parts, layout, (ax.xaxis, ax.yaxis, ax.zaxis), strict=True):
        ends = axis.position(axis.levels)[[0, -1]]
        limit(*(ends + 0.08 * (ends[1] - ends[0]) * np.array([-1, 1])))
        set_label(axis.label, fontsize=style.SMALL, labelpad=1)
        style.ticks(plane, *axis.ticks(room=26))
        plane.pane.set_facecolor("#f7f8f9")
        plane.pane.set_edgecolor(style.FAINT)
        plane._axinfo["grid"].update(color=style.FAINT, linewidth=0.5)
    ax.tick_params(labelsize=style.SMALL - 1, pad=-1)
    ax.view_init(elev=21, azim=-58)
    ax.set_box_aspect((1, 1, 0.92), zoom=1.06)
    style.title(ax, _with_unit(metric).capitalize())
    _bar(made, [ax], evidence, metric, norm, capped, shrink=0.6, aspect=20, pad=0.11)
    return [f"Losses above {norm.vmax:.2f} share one colour."] if capped else []


def _mark_best(ax: Any, evidence: Evidence, metric: str, place: np.ndarray, row: pd.Series, layout: list[axes.Axis]) -> None:
    x, y, z = (float(p) for p in place)
    floor = float(layout[2].position(layout[2].levels).min())
    ax.plot([x, x], [y, y], [floor, z], color=style.VERMILLION, linewidth=1.2, linestyle=(0, (3, 2)))
    ax.scatter([x], [y], [z], s=190, facecolors="none", edgecolors=style.VERMILLION, linewidths=1.8, depthshade=False)
    text = ax.text(x, y, z, f"   {row[f'{metric}_mean']:.3f}", fontsize=style.TEXT, fontweight="bold", color=style.INK, zorder=20, in_layout=False)
    text.set_path_effects([effects.withStroke(linewidth=2.5, foreground="white")])
