"""Learning curves, and what each swept field does on its own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from fer_jax.analysis import style, verdict
from fer_jax.analysis.axes import Axis, short_name
from fer_jax.analysis.evidence import METRIC_NAMES, Evidence
from fer_jax.analysis.statistics import hashable

_PANELS = (("accuracy", "accuracy"), ("loss", "loss (nats)"))
_LONGEST_ENTRY = 118


def learning_curves(evidence: Evidence, best: int = 5) -> style.Drawing | None:
    """Accuracy and loss by epoch: the best points in colour with a band over repeats, everything else thin and grey.

    None while no epoch has been recorded.
    """
    if not len(evidence.curves) or "val_accuracy" not in evidence.curves:
        return None
    chosen = [int(point) for point in evidence.ranked.index[:best]]
    curves = evidence.curves.drop_duplicates(["id", "epoch"], keep="last")
    metrics = [f"{split}_{kind}" for split in ("val", "train") for kind, _ in _PANELS if f"{split}_{kind}" in curves]
    grids = {metric: curves.pivot(index="id", columns="epoch", values=metric) for metric in metrics}
    made = style.figure(3.9 + 0.2 * max(1, len(chosen)))
    panels = made.subplots(1, 2)
    notes = []
    for ax, (kind, name) in zip(panels, _PANELS, strict=True):
        _background(ax, grids[f"val_{kind}"], few=len(evidence.curves["id"].unique()) < 60)
        ranges = [_point_curves(ax, evidence, grids, point, kind, colour) for point, colour in zip(chosen, style.CYCLE, strict=False)]
        notes += _limits(ax, evidence, kind, grids[f"val_{kind}"], ranges)
        style.tidy(ax)
        style.label(ax, "epoch", name)
        ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        ax.margins(x=0.02)
    _curve_legend(made, evidence, chosen)
    caption = "Bands: mean ± sd over the repeats." if evidence.repeats > 1 else "Dot: the epoch that validation chose."
    return style.Drawing("learning_curves", "Learning curves", "Curves", " ".join([caption, *notes]), made)


def _background(ax: Any, grid: pd.DataFrame, few: bool) -> None:
    epochs = grid.columns.to_numpy(dtype=float)
    lines = [np.column_stack([epochs, row]) for row in grid.to_numpy(dtype=float)]
    ax.add_collection(LineCollection(lines, colors="#9aa2ac", linewidths=0.7 if few else 0.5, alpha=0.7 if few else 0.45, zorder=1))
    ax.autoscale_view()


def _point_curves(ax: Any, evidence: Evidence, grids: dict[str, pd.DataFrame], point: int, kind: str, colour: str) -> tuple[float, float]:
    """Draws one point; returns the smallest and the largest value drawn."""
    trials = evidence.trials[(evidence.trials["point"] == point) & (evidence.trials["status"] == "done")]
    trials = trials[trials["id"].isin(grids[f"val_{kind}"].index)]
    low, high = math.inf, -math.inf
    for split, dashes in (("val", "-"), ("train", (0, (4, 2)))):
        if f"{split}_{kind}" not in grids or not len(trials):
            continue
        block = grids[f"{split}_{kind}"].loc[trials["id"]].dropna(axis=1)  # only epochs that every repeat has reached
        if not block.shape[1]:
            continue
        epochs, values = block.columns.to_numpy(dtype=float), block.to_numpy(dtype=float)
        mean = values.mean(axis=0)
        solid = split == "val"
        ax.plot(epochs, mean, color=colour, linestyle=dashes, linewidth=1.9 if solid else 1.1, zorder=4 if solid else 3,
                marker="o" if len(epochs) == 1 else None, markersize=4)  # fmt: skip
        if len(values) > 1 and solid:
            sd = values.std(axis=0, ddof=1)
            ax.fill_between(epochs, mean - sd, mean + sd, color=colour, alpha=0.2, linewidth=0, zorder=2)
        chosen = trials["best_epoch"].iloc[0] if "best_epoch" in trials else None
        if len(values) == 1 and solid and pd.notna(chosen) and chosen in block.columns:
            ax.plot([chosen], [block.iloc[0][chosen]], "o", color=colour, markersize=5.5, markeredgecolor="white", zorder=5)
        low, high = min(low, float(mean.min())), max(high, float(mean.max()))
    return low, high


def _limits(ax: Any, evidence: Evidence, kind: str, grid: pd.DataFrame, ranges: list[tuple[float, float]]) -> list[str]:
    """A line at what ignorance scores, and limits that a few exploded losses cannot stretch; returns notes for the caption."""
    values = grid.to_numpy(dtype=float)
    values = values[np.isfinite(values)]
    if kind == "accuracy":
        share = evidence.majority_share
        if share is not None:
            ax.axhline(share, color=style.INK, linewidth=0.9, linestyle=":", zorder=2)
        return []
    classes = len(evidence.data.get("classes") or [])
    if classes < 2 or not len(values):
        return []
    guess = math.log(classes)
    ax.axhline(guess, color=style.INK, linewidth=0.9, linestyle=":", zorder=2)
    low = min([float(values.min()), guess, *(r[0] for r in ranges)])
    high = min(max(float(values.max()), guess), max([1.15 * guess, *(r[1] for r in ranges)]))
    ax.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    return [f"Losses above {high:.1f} are cut off."] if values.max() > high else []


def _curve_legend(made: Any, evidence: Evidence, chosen: list[int]) -> None:
    points = []
    for place, (point, colour) in enumerate(zip(chosen, style.CYCLE, strict=False), 1):
        value = verdict.metric_text(evidence, point, evidence.metric)
        words = evidence.describe(point, marks=True)
        words = words if len(words) <= _LONGEST_ENTRY else words[: _LONGEST_ENTRY - 1] + "…"
        points.append(Line2D([], [], color=colour, linewidth=2, label=f"{place}.  {words}:  {value}"))
    key = []
    if points:
        key = [Line2D([], [], color=style.INK, linewidth=1.9, label="validation"),
               Line2D([], [], color=style.INK, linewidth=1.1, linestyle=(0, (4, 2)), label="training, as it runs")]  # fmt: skip
    drawn = set(evidence.curves["id"])
    others = len(drawn) - int(evidence.trials.loc[evidence.trials["point"].isin(chosen), "id"].isin(drawn).sum())
    if others:
        key.append(Line2D([], [], color="#9aa2ac", linewidth=1, label=f"the other {others} trials, validation" if chosen else f"{others} trials"))
    share, classes = evidence.majority_share, len(evidence.data.get("classes") or [])
    if share is not None and classes > 1:
        ignorant = f"majority share {share:.3f}; equal odds ln {classes} = {math.log(classes):.2f}"
        key.append(Line2D([], [], color=style.INK, linewidth=0.9, linestyle=":", label=ignorant))
    place = "outside lower left" if points else "outside lower center"
    options = {"fontsize": style.SMALL, "frameon": False, "labelcolor": style.INK, "alignment": "left"}
    if points:
        heading = {"title": f"Best by mean {METRIC_NAMES.get(evidence.metric, evidence.metric)}", "title_fontproperties": style.bold(style.SMALL)}
        made.legend(handles=points, loc=place, **options, **heading)
    narrow = max((len(str(handle.get_label())) for handle in points), default=0) < 72
    where = "outside lower right" if points and narrow else "outside lower center"
    made.legend(handles=key, loc=where, ncols=1 if points and narrow else len(key), **options)


def main_effects(evidence: Evidence) -> style.Drawing | None:
    """One panel a swept field: the metric against its values. None where fewer than two values of any field have a result."""
    ranked, metric = evidence.ranked, f"{evidence.metric}_mean"
    fields = [field for field in evidence.swept if len(evidence.axes[field].levels) > 1]
    if not fields or len(ranked) < 2:
        return None
    if len(fields) == 1:
        return _one_field(evidence, fields[0])
    columns = min(3, len(fields))
    rows = math.ceil(len(fields) / columns)
    made = style.figure(0.5 + 2.9 * rows)
    panels = made.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    kinds = set()
    for ax, field in zip(panels, fields, strict=False):
        axis = evidence.axes[field]
        ax.plot(_spread_out(axis, ranked[field]), ranked[metric], "o", color="#8c95a0", markersize=3.2, alpha=0.55, markeredgewidth=0, zorder=2)
        kinds.add(_trend(ax, evidence, field))
        style.tidy(ax, "y")
        _field_ticks(ax, axis)
    for ax in panels[len(fields) :]:
        ax.set_visible(False)
    for ax in panels[::columns]:
        style.label(ax, y=METRIC_NAMES.get(evidence.metric, evidence.metric))
    if evidence.majority_share is not None and evidence.higher_is_better:
        for ax in panels:
            ax.axhline(evidence.majority_share, color=style.INK, linewidth=0.9, linestyle=":", zorder=1)
    _effect_legend(made, kinds)
    return style.Drawing("main_effects", "What each field does", "Fields", _effect_caption(evidence, kinds), made)


def _trend(ax: Any, evidence: Evidence, field: str) -> str:
    """Lines through one panel. Where every value met the same other values: mean and best over them; else the cut through the base."""
    ranked, metric, axis = evidence.ranked, f"{evidence.metric}_mean", evidence.axes[field]
    others = [other for other in evidence.swept if other != field]
    if _balanced(evidence.points, field, others):
        groups = ranked.groupby(axis.index(ranked[field]))[metric]
        mean, top = groups.mean(), groups.max() if evidence.higher_is_better else groups.min()
        places = axis.position(axis.levels)[mean.index.to_numpy()]
        line = "-" if axis.numeric else "none"
        ax.plot(places, mean, linestyle=line, marker="o", color=style.BLUE, linewidth=1.8, markersize=5, zorder=4)
        ax.plot(places, top, linestyle=line, marker="D", color=style.VERMILLION, linewidth=1.3, markersize=4.5, zorder=3)
        return "crossed"
    base = np.ones(len(ranked), dtype=bool)
    for other in others:
        base &= np.array([_same(value, evidence.config.get(other)) for value in ranked[other]], dtype=bool)
    cut = ranked[base]
    if cut[field].map(hashable).nunique() < 2:
        return "scattered"
    places = axis.position(cut[field])
    order = np.argsort(places, kind="stable")
    ax.errorbar(places[order], cut[metric].iloc[order], cut[f"{evidence.metric}_sd"].iloc[order].fillna(0), marker="o", markersize=5, capsize=3,
                color=style.GREEN, linewidth=1.6, linestyle="-" if axis.numeric else "none", zorder=4)  # fmt: skip
    return "cut"


def _balanced(points: pd.DataFrame, field: str, others: list[str]) -> bool:
    """Whether every value of the field was planned with the same, more than one, combinations of the others."""
    met: dict[Any, set[Any]] = {}
    for row in points[[field, *others]].itertuples(index=False):
        met.setdefault(hashable(row[0]), set()).add(hashable(row[1:]))
    sets = list(met.values())
    return len(sets[0]) > 1 and all(s == sets[0] for s in sets)


def _same(value: Any, base: Any) -> bool:
    value, base = hashable(value), hashable(base)
    return value == base or (isinstance(value, str) and value == str(base))


def _spread_out(axis: Axis, values: pd.Series) -> np.ndarray:
    """Positions moved a little sideways, evenly and always the same, so that dots at one value do not hide each other."""
    places = axis.position(values)
    levels = axis.position(axis.levels)
    if len(levels) > 12:
        return places
    width = 0.22 * float(np.min(np.diff(np.sort(levels))))
    number = pd.Series(places).groupby(places).cumcount().to_numpy()
    return places + width * ((number * 0.618034) % 1 - 0.5)


def _field_ticks(ax: Any, axis: Axis) -> None:
    places, texts = axis.ticks()
    style.ticks(ax.xaxis, places, texts)
    style.label(ax, x=axis.label)
    if sum(map(len, texts)) > 34 or max(map(len, texts)) > 11:
        ax.tick_params(axis="x", labelrotation=25)
        for text in ax.get_xticklabels():
            text.set_ha("right")
            text.set_rotation_mode("anchor")
    whole = axis.position(axis.levels)
    margin = 0.35 if axis.kind == "ordinal" else 0.08 * (float(whole.max() - whole.min()) or 1.0)
    ax.set_xlim(float(whole.min()) - margin, float(whole.max()) + margin)


def _effect_legend(made: Any, kinds: set[str]) -> None:
    handles = [Line2D([], [], marker="o", linestyle="none", color="#8c95a0", markersize=3.5, label="one point")]
    if "crossed" in kinds:
        handles.append(Line2D([], [], marker="o", color=style.BLUE, label="mean over the other fields"))
        handles.append(Line2D([], [], marker="D", color=style.VERMILLION, markersize=4.5, label="best over the other fields"))
    if "cut" in kinds:
        handles.append(Line2D([], [], marker="o", color=style.GREEN, label="all other fields at the base"))
    made.legend(handles=handles, loc="outside lower center", fontsize=style.SMALL, frameon=False, ncols=len(handles), labelcolor=style.INK)


def _effect_caption(evidence: Evidence, kinds: set[str]) -> str:
    name = METRIC_NAMES.get(evidence.metric, evidence.metric)
    text = f"Mean {name} of every point against each swept field."
    if "crossed" in kinds:
        text += " The mean shows the average effect, corners that fail included; the best shows what is attainable at that value."
    if "cut" in kinds and evidence.repeats > 1:
        text += " Bars: ± sd over the repeats."
    missing = len(evidence.points) - len(evidence.ranked)
    if missing:
        text += f" {missing} point{'s' * (missing != 1)} without a done trial {'are' if missing > 1 else 'is'} not in it."
    return text


def _one_field(evidence: Evidence, field: str) -> style.Drawing:
    """Accuracy and loss against the only swept field, mean ± sd, with every done trial as a dot."""
    ranked, axis = evidence.ranked, evidence.axes[field]
    done = evidence.trials[evidence.trials["status"] == "done"]
    made = style.figure(3.7)
    order = np.argsort(axis.position(ranked[field]), kind="stable")
    places = axis.position(ranked[field])[order]
    line = "-" if axis.numeric and len(axis.levels) <= 40 else "none"
    for ax, (kind, name) in zip(made.subplots(1, 2), _PANELS, strict=True):
        for split, colour, marker in (("val", style.BLUE, "o"), ("train", style.ORANGE, "s")):
            mean, sd = (ranked[f"{split}_{kind}_{what}"].to_numpy(dtype=float)[order] for what in ("mean", "sd"))
            if evidence.repeats > 1:
                ax.plot(_spread_out(axis, done[field]), done[f"{split}_{kind}"], marker, color=colour, markersize=3, alpha=0.4, markeredgewidth=0)
            ax.errorbar(places, mean, np.nan_to_num(sd), color=colour, marker=marker, markersize=5, capsize=3, linewidth=1.7,
                        linestyle=line, label=METRIC_NAMES[f"{split}_accuracy"].split()[0], zorder=4)  # fmt: skip
        if kind == "accuracy" and evidence.majority_share is not None:
            ax.axhline(evidence.majority_share, color=style.INK, linewidth=0.9, linestyle=":", label="majority share")
            handles = ax.get_legend_handles_labels()
        style.tidy(ax, "y")
        style.label(ax, y=name)
        _field_ticks(ax, axis)
    made.legend(*handles, loc="outside lower center", fontsize=style.SMALL, frameon=False, ncols=3, labelcolor=style.INK)
    caption = "At the epoch that validation chose."
    caption += " Mean ± sd over the repeats; small marks are single trials." if evidence.repeats > 1 else " One trial a value."
    return style.Drawing("main_effects", f"What {short_name(field)} does", "Field", caption, made)
