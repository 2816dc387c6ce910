"""Three fields at once: accuracy and loss as coloured points in space, as oslo has them."""

from __future__ import annotations

from typing import Any

import matplotlib.patheffects as effects
import numpy as np
import pandas as pd

from fer_jax.analysis.axes import Axis
from fer_jax.analysis.ranking import Ranking
from fer_jax.figures import published, scale, style
from fer_jax.figures.scale import Scale
from fer_jax.figures.surfaces import by_size, one_at_a_time

_OVER = "diverged|failed|pruned"


def scatter_3d(ranking: Ranking) -> style.Drawing | None:
    """Returns accuracy and loss over three numeric fields.

    None unless at least three numeric fields with two values or more were swept, and not merely one
    at a time. Where more than three were, the three largest are the axes and each place shows the
    best point of those that fall on it.
    """
    fields = [field for field in by_size(ranking) if ranking.axes[field].numeric][:3]
    metrics = ("val_accuracy",) if ranking.loss_fields else ("val_accuracy", "val_loss")
    found = [scale.over_points(ranking, metric) for metric in metrics]
    scales = [colours for colours in found if colours is not None]
    if len(fields) < 3 or not scales or one_at_a_time(ranking, fields):
        return None
    layout = [ranking.axes[field] for field in fields]
    made = style.figure(4.3)
    for number, colours in enumerate(scales, 1):
        ax = made.add_subplot(1, len(scales), number, projection="3d")
        _cloud(ax, ranking, colours, layout)
        _frame(ax, layout)
        style.title(ax, colours.label.capitalize())
        colours.bar(made, [ax], shrink=0.6, aspect=20, pad=0.11)
    caption = ["Larger and brighter is better; ringed and joined to the floor: the best."]
    if ranking.points.loc[ranking.points["n"] == 0, "left_out"].str.contains(_OVER).any():
        caption.append("Crosses: diverged or failed.")
    if len(ranking.swept) > 3:
        caption.append("Each place shows the best over the other swept fields.")
    caption += [*(colours.note for colours in scales), published.beside(ranking)]
    text = " ".join(part for part in caption if part)
    finding = " ".join(one.finding(ranking) for one in scales)
    return style.Drawing("scatter_3d", "The grid in three dimensions", "Grid in 3-D", text, made, finding)


def _cloud(ax: Any, ranking: Ranking, colours: Scale, layout: list[Axis]) -> None:
    """Draws the points; where several fall on one place, the best of them."""
    column = f"{colours.metric}_mean"
    order = ranking.order(colours.metric)
    without = [point for point in ranking.points.index if point not in set(order)]
    points = ranking.points.loc[[*without, *reversed(order)]]
    spots = pd.DataFrame({axis.field: axis.position(points[axis.field]) for axis in layout}, index=points.index)
    keep = ~spots.duplicated(keep="last")
    points, xyz = points[keep], spots[keep].to_numpy(dtype=float).T
    values = points[column].to_numpy(dtype=float)
    known = np.isfinite(values)
    over = ~known & points["left_out"].str.contains(_OVER).to_numpy(dtype=bool)
    ax.computed_zorder = False  # or the best would hide behind its neighbours
    if over.any():
        ax.scatter(*xyz[:, over], marker="x", s=14, color=style.GREY, linewidth=0.8, depthshade=False)
    crowd = min(1.0, (125 / len(points)) ** 0.6)
    sizes = crowd * (14 + 95 * colours.quality(values[known]) ** 1.5)
    shades = {"c": values[known], "cmap": colours.colours, "norm": colours.norm}
    edges = {"edgecolors": "#2b3138", "linewidths": 0.35, "alpha": 0.95, "depthshade": False}
    ax.scatter(*xyz[:, known], s=sizes, **shades, **edges)
    place = list(points.index).index(order[0])
    _mark(ax, xyz[:, place], f"{values[place]:.3f}", float(layout[2].position(layout[2].levels).min()))


def _mark(ax: Any, place: np.ndarray, text: str, floor: float) -> None:
    """Draws a ring around a point, a line to the floor, and its value."""
    x, y, z = (float(p) for p in place)
    ax.plot([x, x], [y, y], [floor, z], color=style.VERMILLION, linewidth=1.2, linestyle=(0, (3, 2)), zorder=0.5)
    ring = {"facecolors": "none", "edgecolors": style.VERMILLION, "linewidths": 1.8, "depthshade": False}
    ax.scatter([x], [y], [z], s=190, zorder=11, **ring)
    font = {"fontsize": style.TEXT, "fontweight": "bold", "color": style.INK}
    drawn = ax.text(x, y, z, f"   {text}", zorder=20, in_layout=False, **font)
    drawn.set_path_effects([effects.withStroke(linewidth=2.5, foreground="white")])


def _frame(ax: Any, layout: list[Axis]) -> None:
    """Sets limits, ticks, names and the point of view."""
    setters = ((ax.set_xlabel, ax.set_xlim), (ax.set_ylabel, ax.set_ylim), (ax.set_zlabel, ax.set_zlim))
    for (set_label, set_limits), axis, plane in zip(setters, layout, (ax.xaxis, ax.yaxis, ax.zaxis), strict=True):
        whole = axis.position(axis.levels)
        low, high = float(whole.min()), float(whole.max())
        set_limits(low - 0.08 * (high - low), high + 0.08 * (high - low))
        set_label(axis.label, fontsize=style.SMALL, labelpad=1)
        style.ticks(plane, *axis.ticks(room=26))
        plane.pane.set_facecolor("#f7f8f9")
        plane.pane.set_edgecolor(style.FAINT)
        # The only way to a figure's own grid in three dimensions; without it the lines are merely
        # darker.
        getattr(plane, "_axinfo", {}).get("grid", {}).update(color=style.FAINT, linewidth=0.5)
    ax.tick_params(labelsize=style.SMALL - 1, pad=-1)
    ax.view_init(elev=21, azim=-58)
    ax.set_box_aspect((1, 1, 0.92), zoom=1.06)
