"""One colour scale for a metric over all points: viridis, brighter is better."""

from __future__ import annotations

import dataclasses
from typing import Any

import matplotlib
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize

from fer_jax.analysis import comparable
from fer_jax.analysis.ranking import METRIC_NAMES, Ranking
from fer_jax.base.text import counted
from fer_jax.figures import style


@dataclasses.dataclass(frozen=True)
class Scale:
    """The colours for the values of a metric.

    Attributes:
        metric: a column of trials.csv, such as val_loss.
        low, high: ends of the scale.
        capped: whether larger values (exploded losses) share the last colour.
        share: the majority share, if it is marked on the scale.
    """

    metric: str
    low: float
    high: float
    capped: bool
    share: float | None

    @property
    def lower_is_better(self) -> bool:
        """Whether the smaller value of the metric is better."""
        return comparable.lower_is_better(self.metric)

    @property
    def label(self) -> str:
        """The metric's name with its unit."""
        return METRIC_NAMES.get(self.metric, self.metric) + (" (nats)" if self.metric.endswith("loss") else "")

    @property
    def colours(self) -> Colormap:
        """The colour map, in which brighter is better; a missing value is pale grey."""
        return matplotlib.colormaps["viridis_r" if self.lower_is_better else "viridis"].with_extremes(bad=style.EMPTY)

    @property
    def norm(self) -> Normalize:
        """The map from low..high to 0..1; values beyond the ends are cut to them."""
        return Normalize(self.low, self.high, clip=True)

    def quality(self, values: np.ndarray) -> np.ndarray:
        """Returns 0 for the worst colour and 1 for the best."""
        position = np.clip((values - self.low) / (self.high - self.low), 0, 1)
        return 1 - position if self.lower_is_better else position

    def colour(self, value: float) -> tuple[float, float, float, float]:
        """Returns the colour of a value as red, green, blue and alpha in [0, 1]."""
        return self.colours(self.norm(value))

    def bar(self, made: Any, panels: list[Any], **shape: Any) -> Any:
        """Adds the colour bar beside `panels` and returns it."""
        mappable = ScalarMappable(norm=self.norm, cmap=self.colours)
        bar = made.colorbar(mappable, ax=panels, extend="max" if self.capped else "neither", **shape)
        bar.outline.set_visible(False)
        places, texts = style.value_ticks(self.low, self.high)
        if self.share is not None:
            clear = [i for i, t in enumerate(places) if abs(t - self.share) > 0.14 * (self.high - self.low)]
            places, texts = [places[i] for i in clear], [texts[i] for i in clear]
            decimals = 2 if self.high - self.low > 0.1 else 3
            places, texts = [*places, self.share], [*texts, f"{self.share:.{decimals}f}\nmajority"]
            bar.ax.axhline(self.share, color="white", linewidth=3.6, clip_on=False)
            bar.ax.axhline(self.share, color=style.VERMILLION, linewidth=2, clip_on=False)
        style.ticks(bar.ax.yaxis, places, texts)
        bar.ax.tick_params(labelsize=style.SMALL, length=3, width=0.7, color=style.MUTED)
        return bar

    def finding(self, ranking: Ranking) -> str:
        """Returns the best point by this metric and the range of all, as a sentence."""
        if alike := all_alike(ranking, self.metric):
            return alike
        values = ranking.points[f"{self.metric}_mean"].dropna()
        best = ranking.order(self.metric)[0]
        word = "Lowest" if self.lower_is_better else "Highest"
        name, of = METRIC_NAMES.get(self.metric, self.metric), f"of {counted(len(values), 'point')}"
        ends = f"all lie between {values.min():.3f} and {values.max():.3f}"
        return f"{word} {name} {of}: {values[best]:.3f} at {ranking.describe(best)}; {ends}."

    @property
    def lines(self) -> Colormap:
        """The colour map for lines on white, darker is better; all contrast enough."""
        shades = [style.GREY, style.BLUE, style.INDIGO]
        return LinearSegmentedColormap.from_list("lines", shades[::-1] if self.lower_is_better else shades)

    @property
    def note(self) -> str:
        """The sentence for a caption that says which losses share a colour; '' where none do."""
        return f"Losses above {self.high:.2f} share one colour." if self.capped else ""


def all_alike(ranking: Ranking, metric: str) -> str:
    """Returns a sentence that all points have one mean of `metric`; '' where they have several.

    Means that are the same to three decimals, as figures write them, are one: of such points none
    is the best to be pointed at.
    """
    values = ranking.points[f"{metric}_mean"].dropna()
    texts = {f"{value:.3f}" for value in values}
    if len(values) < 2 or len(texts) > 1:
        return ""
    return f"All {len(values):,} points have mean {METRIC_NAMES.get(metric, metric)} {texts.pop()}."


def over_points(ranking: Ranking, metric: str) -> Scale | None:
    """Returns the scale of the points' means of `metric`; None where no point has one.

    Losses are capped where they have exploded, so that the others can be told apart.
    """
    column = f"{metric}_mean"
    values = ranking.points[column].to_numpy(dtype=float) if column in ranking.points else np.empty(0)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low, high = float(values.min()), float(values.max())
    capped, share = False, None
    if metric.endswith("loss"):
        ceiling = ranking.loss_ceiling(values)
        capped, high = high > ceiling, min(high, ceiling)
    elif (share := ranking.share_within(low, high)) is not None:
        low, high = min(low, share), max(high, share)
    if high - low < 1e-3:  # nothing told the points apart; a scale of rounding errors would pretend otherwise
        low, high = low - 0.01, high + 0.01
    return Scale(metric, low, high, capped, share)
