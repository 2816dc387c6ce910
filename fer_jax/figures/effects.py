"""What each swept field does on its own: the metric against its values, one panel a field."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from fer_jax.analysis.axes import Axis, short_name, text_width
from fer_jax.analysis.ranking import METRIC_NAMES, Ranking
from fer_jax.analysis.statistics import hashable
from fer_jax.figures import scale, style


def main_effects(ranking: Ranking) -> style.Drawing | None:
    """Returns one panel a swept field: the metric that chooses against the field's values.

    Where every value of a field was planned with the same settings of the others (a grid), its mean
    and its best over those are drawn; where fields were varied around a base, the cut through the
    base with its spread; else the points alone. With a single swept field: its accuracy and loss,
    validation and training. None with fewer than two points.
    """
    fields = [field for field in ranking.swept if len(ranking.axes[field].levels) > 1]
    if not fields or len(ranking.ranked) < 2:
        return None
    if len(fields) == 1:
        return _one_field(ranking, fields[0])
    kinds = {field: _kind(ranking, field) for field in fields}
    cut = "cut" in kinds.values()
    columns = 2 if len(fields) in (2, 4) else 3
    rows = math.ceil(len(fields) / columns)
    made = style.figure(0.5 + 2.9 * rows)
    panels = made.subplots(rows, columns, sharey=not cut, squeeze=False).ravel()
    for number, (ax, field) in enumerate(zip(panels, fields, strict=False)):
        _panel(ax, ranking, field, kinds[field])
        style.open_up(ax)
        style.tidy(ax, "y")
        _field_ticks(ax, ranking.axes[field], style.ROOM[columns])
        if number % columns == 0:
            style.label(ax, y=METRIC_NAMES.get(ranking.metric, ranking.metric))
    for ax in panels[len(fields) :]:
        ax.set_visible(False)
    _legend(made, set(kinds.values()))
    caption = _caption(ranking, set(kinds.values()))
    heading = "Hyperparameters: what each field does"
    return style.Drawing("main_effects", heading, "Hyperparameters", caption, made, _finding(ranking, fields))


def _finding(ranking: Ranking, fields: Sequence[str]) -> str:
    """Returns the values of each field with the best and the worst mean over the others."""
    if alike := scale.all_alike(ranking, ranking.metric):
        return alike
    found, column = [], f"{ranking.metric}_mean"
    for field in fields:
        axis = ranking.axes[field]
        means = ranking.ranked.groupby(axis.index(ranking.ranked[field]))[column].mean()
        order = means.sort_values(ascending=not ranking.higher_is_better)
        means = [f"{order.iloc[place]:.3f}" for place in (0, -1)]
        if len(order) > 1 and means[0] == means[1]:
            found.append(f"{short_name(field)}: makes no difference ({means[0]})")
        elif len(order) > 1:
            ends = [
                f"{axis.texts[int(order.index[place])]} ({mean})" for place, mean in zip((0, -1), means, strict=True)
            ]
            found.append(f"{short_name(field)}: {ends[0]} is best, {ends[1]} worst")
    name = METRIC_NAMES.get(ranking.metric, ranking.metric)
    return f"By mean {name} over the points with each value: {'; '.join(found)}." if found else ""


def _kind(ranking: Ranking, field: str) -> str:
    """Returns 'crossed', 'cut' or 'scattered'.

    It is 'crossed' where every value met the same settings of the other fields, and 'cut' where
    the values were varied around the base.
    """
    others = [other for other in ranking.swept if other != field]
    met: dict[Any, set[Any]] = {}
    for row in ranking.points[[field, *others]].itertuples(index=False):
        met.setdefault(hashable(row[0]), set()).add(hashable(row[1:]))
    sets = list(met.values())
    if len(sets[0]) > 1 and all(s == sets[0] for s in sets):
        return "crossed"
    return "cut" if _at_base(ranking, field)[field].map(hashable).nunique() > 1 else "scattered"


def _at_base(ranking: Ranking, field: str) -> pd.DataFrame:
    """Returns the points with a result where every other swept field has the config's own value."""
    ranked = ranking.ranked
    keep = np.ones(len(ranked), dtype=bool)
    for other in ranking.swept:
        if other != field and len(ranking.axes[other].levels) > 1:
            base = hashable(ranking.config.get(other))
            keep &= np.array([hashable(value) == base for value in ranked[other]], dtype=bool)
    return ranked[keep]


def _panel(ax: Any, ranking: Ranking, field: str, kind: str) -> None:
    axis, metric, ranked = ranking.axes[field], f"{ranking.metric}_mean", ranking.ranked
    values = ranked[metric].to_numpy(dtype=float)
    if kind == "cut":
        cut = _at_base(ranking, field)
        places = axis.position(cut[field])
        order = np.argsort(places, kind="stable")
        values = cut[metric].to_numpy(dtype=float)[order]
        sd = cut[f"{ranking.metric}_sd"].fillna(0).to_numpy(dtype=float)[order]
        look = {"marker": "o", "markersize": 5, "capsize": 3, "color": style.GREEN, "linewidth": 1.6}
        ax.errorbar(places[order], values, sd, linestyle="-" if axis.numeric else "none", zorder=4, **look)
    else:
        dots = {"color": style.GREY, "markersize": 2.6, "markeredgewidth": 0, "zorder": 2}
        ax.plot(_spread_out(axis, ranked[field]), values, "o", **dots)
    if kind == "crossed":
        groups = ranked.groupby(axis.index(ranked[field]))[metric]
        mean, best = groups.mean(), groups.max() if ranking.higher_is_better else groups.min()
        places = axis.position(axis.levels)[mean.index.to_numpy()]
        line = "-" if axis.numeric else "none"
        ax.plot(places, mean, ls=line, marker="o", color=style.BLUE, linewidth=1.8, markersize=5, zorder=4)
        ax.plot(places, best, ls=line, marker="D", color=style.VERMILLION, linewidth=1.3, markersize=4.5, zorder=3)
    share = ranking.share_within(float(values.min()), float(values.max())) if ranking.higher_is_better else None
    if share is not None:
        ax.axhline(share, color=style.INK, linewidth=0.9, linestyle=":", zorder=1)


def _spread_out(axis: Axis, values: pd.Series) -> np.ndarray:
    """Returns positions moved a little sideways, so that dots at one value do not hide each other.

    They are always moved in the same way.
    """
    places = axis.position(values)
    levels = np.sort(axis.position(axis.levels))
    if len(levels) > 12:
        return places
    number = pd.Series(places).groupby(places).cumcount().to_numpy()
    width = min(0.22 * float(np.min(np.diff(levels))), 0.06 * float(levels[-1] - levels[0]))
    return places + width * ((number * 0.618034 + 0.5) % 1 - 0.5)


def _field_ticks(ax: Any, axis: Axis, room: int) -> None:
    places, texts = axis.ticks(room)
    style.ticks(ax.xaxis, places, texts)
    style.label(ax, x=axis.label)
    if sum(map(text_width, texts)) > 1.15 * room:
        ax.tick_params(axis="x", labelrotation=25)
        for text in ax.get_xticklabels():
            text.set_ha("right")
            text.set_rotation_mode("anchor")
    whole = axis.position(axis.levels)
    low, high = float(whole.min()), float(whole.max())
    margin = 0.4 if axis.kind == "ordinal" else 0.08 * (high - low or 1.0)
    ax.set_xlim(low - margin, high + margin)


def _legend(made: Any, kinds: set[str]) -> None:
    handles = []
    if kinds != {"cut"}:
        handles.append(Line2D([], [], marker="o", ls="none", color=style.GREY, markersize=3.5, label="one point"))
    if "crossed" in kinds:
        handles.append(Line2D([], [], marker="o", color=style.BLUE, label="mean over the other fields"))
        best = "best over the other fields"
        handles.append(Line2D([], [], marker="D", color=style.VERMILLION, markersize=4.5, label=best))
    if "cut" in kinds:
        handles.append(
            Line2D([], [], marker="o", color=style.GREEN, label="all other fields at the config's own value")
        )
    style.legend(made, handles, "lower center", len(handles))


def _caption(ranking: Ranking, kinds: set[str]) -> str:
    name = METRIC_NAMES.get(ranking.metric, ranking.metric)
    text = f"Mean {name} against each swept field."
    if "crossed" in kinds:
        text += " The mean shows the average effect, failing corners included; the best, what that value can attain."
    if "cut" in kinds:
        text += " Each panel has its own scale." + (" Bars: ± sd over the repeats." if ranking.repeats > 1 else "")
    share = ranking.majority_share
    if share is not None and ranking.higher_is_better:
        text += f" Dotted, where on the scale: the majority share, {share:.3f}."
    missing = len(ranking.points) - len(ranking.ranked)
    return text + (f" Points without a done trial, not shown: {missing}." if missing else "")


def _one_field(ranking: Ranking, field: str) -> style.Drawing:
    """Returns accuracy and loss against the only swept field, with every done trial as a mark."""
    axis, made = ranking.axes[field], style.figure(3.7)
    caption = "At the epoch that validation chose."
    repeated = ranking.repeats > 1
    caption += " Mean ± sd over the repeats; small marks are single trials." if repeated else " One trial a value."
    if field in ranking.loss_fields:
        caption += " Each value has a loss of its own kind: the losses are not comparable."
    handles: list[Any] = []
    for ax, (kind, name) in zip(made.subplots(1, 2), (("accuracy", "accuracy"), ("loss", "loss (nats)")), strict=True):
        means = _validation_and_training(ax, ranking, field, kind)
        finite = means[np.isfinite(means)]
        if kind == "accuracy":
            share = ranking.share_within(float(finite.min()), float(finite.max())) if len(finite) else None
            if share is not None:
                ax.axhline(share, color=style.INK, linewidth=0.9, linestyle=":", label=f"majority share {share:.3f}")
            handles = ax.get_legend_handles_labels()[0]
        else:
            ceiling = ranking.loss_ceiling(finite)
            if len(finite) and finite.max() > ceiling:
                ax.set_ylim(max(0.0, float(finite.min()) - 0.1), ceiling)
                caption += f" Losses above {ceiling:.1f} are cut off."
        style.open_up(ax)
        style.tidy(ax, "y")
        style.label(ax, y=name)
        _field_ticks(ax, axis, style.ROOM[2])
    style.legend(made, handles, "lower center", len(handles))
    return style.Drawing(
        "main_effects",
        f"Hyperparameters: what {short_name(field)} does",
        "Hyperparameters",
        caption,
        made,
        _finding(ranking, [field]),
    )


def _validation_and_training(ax: Any, ranking: Ranking, field: str, kind: str) -> np.ndarray:
    """Draws both against the field; returns the means drawn."""
    ranked, axis = ranking.ranked, ranking.axes[field]
    done = ranking.trials[ranking.trials["status"] == "done"]
    order = np.argsort(axis.position(ranked[field]), kind="stable")
    places = axis.position(ranked[field])[order]
    line = "-" if axis.numeric and len(axis.levels) <= 40 else "none"
    drawn = []
    for split, name, colour, marker in (
        ("val", "validation", style.BLUE, "o"),
        ("train", "training", style.VERMILLION, "s"),
    ):
        if f"{split}_{kind}_mean" not in ranked:
            continue
        mean, sd = (ranked[f"{split}_{kind}_{what}"].to_numpy(dtype=float)[order] for what in ("mean", "sd"))
        if ranking.repeats > 1:
            marks = {"color": colour, "markersize": 2.2, "markeredgewidth": 0}
            ax.plot(_spread_out(axis, done[field]), done[f"{split}_{kind}"], marker, **marks)
        look = {"color": colour, "marker": marker, "markersize": 5, "capsize": 3, "linewidth": 1.7, "linestyle": line}
        ax.errorbar(places, mean, np.nan_to_num(sd), label=name, zorder=4, **look)
        drawn.append(mean)
    return np.concatenate(drawn) if drawn else np.empty(0)
