"""Several runs beside each other: the best point of each, their learning curves, and where their
configs differ.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from fer_jax.analysis import axes, metrics, statistics
from fer_jax.analysis.predictions import Predictions, mean_and_spread
from fer_jax.analysis.ranking import METRIC_NAMES, Ranking
from fer_jax.base.text import counted
from fer_jax.figures import style
from fer_jax.reports import verdict
from fer_jax.reports.html_tables import Column, html, number, whole

_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1.2)))
MOST_LINES = len(style.CYCLE) * len(_DASHES)
_LONGEST_NAME = 40
# Of the best point, beside the accuracies, where stored answers gave them.
_MORE = {
    "val_f1": "val. macro F1",
    "test_f1": "test macro F1",
    "test_auc": "test AUC",
    "test_ece": "test calibration error",
}


@dataclasses.dataclass(frozen=True)
class Entry:
    """One run, or one part of a run that is ranked by itself.

    Attributes:
        name: of the run, with the part where there are several.
        ranking: its trials.
        config: dotted name -> value at its best point.
        predictions: what the networks of its best point answer; None where that was not kept.
    """

    name: str
    ranking: Ranking
    config: Mapping[str, Any]
    predictions: Predictions | None = None

    @property
    def best(self) -> int:
        return self.ranking.best

    @property
    def done(self) -> pd.DataFrame:
        """The done trials of the best point."""
        trials = self.ranking.trials
        return trials[(trials["point"] == self.best) & (trials["status"] == "done")]

    @property
    def short(self) -> str:
        """Its name for figures."""
        name = self.name if len(self.name) <= _LONGEST_NAME else self.name[: _LONGEST_NAME - 1] + "…"
        return name.replace("$", r"\$")  # matplotlib would read a formula

    def mean(self, metric: str) -> float:
        """Of the best point; NaN where it has none."""
        return float(self.ranking.points.loc[self.best].get(f"{metric}_mean", math.nan))

    def interval(self, metric: str) -> tuple[float, float]:
        """Student's 95 % interval of that mean, corrected where trials are folds; NaN for one seed."""
        row = self.ranking.points.loc[self.best]
        return float(row.get(f"{metric}_low95", math.nan)), float(row.get(f"{metric}_high95", math.nan))


def in_order(entries: Sequence[Entry]) -> list[Entry]:
    """Entries with a result that share their metric and pictures, the best first; of equals, as
    they were given.
    """
    metric = entries[0].ranking.metric
    sign = 1 if metric.endswith("loss") else -1
    return sorted(entries, key=lambda entry: sign * entry.mean(metric))


def best_points(entries: Sequence[Entry]) -> style.Drawing:
    """Accuracy of the best point of every run, validation and test, with interval and single seeds;
    best first.
    """
    made = style.figure(1.3 + 0.62 * len(entries))
    ax = made.subplots()
    found = []
    for metric, shift, colour, marker in (
        ("val_accuracy", -0.14, style.BLUE, "o"),
        ("test_accuracy", 0.14, style.VERMILLION, "D"),
    ):
        known = [(place, entry) for place, entry in enumerate(entries) if math.isfinite(entry.mean(metric))]
        for place, entry in known:
            mean, (low, high) = entry.mean(metric), entry.interval(metric)
            ends = [[mean - low], [high - mean]] if math.isfinite(low) else None
            ax.errorbar(
                [mean],
                [place + shift],
                xerr=ends,
                color=colour,
                marker=marker,
                markersize=6.5,
                capsize=3.5,
                linewidth=1.6,
                zorder=3,
            )
            seeds = entry.done[metric].to_numpy(dtype=float)
            if len(seeds) > 1:
                ax.plot(
                    seeds, np.full(len(seeds), place + shift), "|", color=colour, markersize=8, alpha=0.55, zorder=2
                )
        if known:
            name = METRIC_NAMES[metric]
            found.append(Line2D([], [], color=colour, marker=marker, markersize=6.5, linewidth=1.6, label=name))
    style.tidy(ax, "x")
    style.ticks(ax.yaxis, range(len(entries)), [entry.short for entry in entries])
    ax.set_ylim(len(entries) - 0.5, -0.5)
    low, high = ax.get_xlim()
    cut = " No accuracy lies outside 0 to 1: there bars are cut off." if low < 0 or high > 1 else ""
    low, high = max(low, -0.01), min(high, 1.01)
    if high - low < 0.02:
        low, high = (low + high - 0.02) / 2, (low + high + 0.02) / 2
    ax.set_xlim(low, high)
    style.label(ax, x="accuracy")
    style.legend(made, found, "upper left", 2)
    name = METRIC_NAMES.get(entries[0].ranking.metric, entries[0].ranking.metric)
    text = (
        f"The best point of each run, chosen and ordered by mean {name}; test figures choose nothing. Bars: Student's 95 % interval of the "
        f"mean; strokes: single seeds; one seed has neither.{cut}"
    )
    return style.Drawing("best_of_runs", "Best point of each run", "Intervals", text, made)


def curves(entries: Sequence[Entry]) -> style.Drawing | None:
    """Validation accuracy and loss by epoch at the best point of every run; None while no epoch is
    recorded.
    """
    drawn = [entry for entry in entries if "val_accuracy" in entry.ranking.curves and len(entry.ranking.curves)][
        :MOST_LINES
    ]
    if not drawn:
        return None
    made = style.figure(3.7 + 0.19 * math.ceil(len(drawn) / 2))
    panels = made.subplots(1, 2)
    handles, highest = [], []
    for number_of, entry in enumerate(drawn):
        colour, dashes = style.CYCLE[number_of % len(style.CYCLE)], _DASHES[number_of // len(style.CYCLE)]
        own = entry.ranking.curves[entry.ranking.curves["id"].isin(entry.done["id"])].drop_duplicates(
            ["id", "epoch"], keep="last"
        )
        for ax, metric in zip(panels, ("val_accuracy", "val_loss"), strict=True):
            # Only epochs that every repeat has reached.
            block = own.pivot(index="id", columns="epoch", values=metric).dropna(axis=1)
            epochs, values = block.columns.to_numpy(dtype=float), block.to_numpy(dtype=float)
            if not values.size:
                continue
            mean = values.mean(axis=0)
            ax.plot(epochs, mean, color=colour, linestyle=dashes, linewidth=1.8, marker="o" if len(epochs) == 1 else "")
            if len(values) > 1:
                sd = values.std(axis=0, ddof=1)
                ax.fill_between(epochs, mean - sd, mean + sd, color=colour, alpha=0.15, linewidth=0)
            if metric == "val_loss":
                highest.append(entry.ranking.loss_ceiling(mean))
        handles.append(Line2D([], [], color=colour, linestyle=dashes, linewidth=1.8, label=entry.short))
    for ax, name in zip(panels, ("validation accuracy", "validation loss (nats)"), strict=True):
        style.open_up(ax)
        style.tidy(ax)
        style.label(ax, "epoch", name)
        ax.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    cut = ""
    if highest and panels[1].get_ylim()[1] > max(highest):
        panels[1].set_ylim(top=max(highest))
        cut = f" Losses above {max(highest):.1f} are cut off."
    style.legend(made, handles, "lower left", 2)
    left = f" The best {len(drawn)} of {len(entries)} runs." if len(drawn) < len(entries) else ""
    text = f"Means over the repeats of each run's best point; bands ± one standard deviation where there are several.{cut}{left}"
    return style.Drawing("curves_of_runs", "Learning curves of the best points", "Curves", text, made)


def overview(entries: Sequence[Entry], group_of: Sequence[int]) -> str:
    """Every run with what it stands on; `group_of`: number of the group each is ranked in, from 1,
    or 0 without a result.
    """
    facts = [dict(verdict.facts(entry.ranking)) for entry in entries]
    columns = [Column("run", [entry.name for entry in entries], "", "text")]
    if len(set(group_of)) > 1:
        columns.append(
            Column(
                "ranked in", [f"group {number_of}" if number_of else "no result" for number_of in group_of], "", "text"
            )
        )
    columns += [
        Column("data", [str(entry.ranking.data.get("label", "unknown")) for entry in entries], "", "text"),
        Column("images", [verdict.image_words(entry.ranking.data) for entry in entries], "", "text"),
        Column(
            "swept",
            [", ".join(axes.short_names(entry.ranking.swept).values()) or "nothing" for entry in entries],
            "",
            "text",
        ),
        Column("points", [str(len(entry.ranking.points)) for entry in entries]),
        Column(
            "trials",
            [statistics.count_words(entry.ranking.trials["status"].to_numpy()) for entry in entries],
            "",
            "text",
        ),
        Column("hardware", [fact.get("Hardware", "unknown") for fact in facts], "", "text"),
        Column("time", [fact.get("Time", "unknown") for fact in facts], "", "text"),
    ]
    return html(columns, "runs", counted(len(entries), "run"), filterable=len(entries) > 12)


def ranking(entries: Sequence[Entry], suffix: str = "") -> str:
    """The best points of runs that may be ranked against each other, in order."""
    metric = entries[0].ranking.metric
    columns = [
        Column("rank", [whole(place) for place in range(1, len(entries) + 1)], f"by mean {metric}"),
        Column("run", [entry.name for entry in entries], "", "text"),
        Column(
            "best point",
            [entry.ranking.describe(entry.best) for entry in entries],
            f"of the run, by mean {metric}",
            "text",
        ),
        Column(
            "of points", [str(len(entry.ranking.ranked)) for entry in entries], "the best of more points is luckier"
        ),
        Column("n", [str(len(entry.done)) for entry in entries], "done trials, which the means stand on"),
    ]
    for name, heading in (
        ("val_accuracy", "val. accuracy"),
        ("val_loss", "val. loss"),
        ("test_accuracy", "test accuracy"),
        *_MORE.items(),
    ):
        figures = [_figures(entry, name) for entry in entries]
        if any(len(values) for values in figures):
            columns.append(Column(heading, [mean_and_spread(values) for values in figures], f"mean ± sd of {name}"))
        if name == metric:
            ends = [entry.interval(metric) for entry in entries]
            cells = ["–" if math.isnan(low) else f"{low:.3f} to {high:.3f}" for low, high in ends]
            columns.append(Column("95 % interval", cells, "Student's interval of the mean"))
    columns.append(
        Column(
            "majority share", [number(entry.ranking.majority_share, 3) for entry in entries], "of the validation split"
        )
    )
    return html(columns, f"ranking{suffix}", f"Best points of {counted(len(entries), 'run')}", first=1)


def _figures(entry: Entry, metric: str) -> np.ndarray:
    """Of the best point's done trials; none where the run has no such column or no value in it."""
    values = entry.done[metric].to_numpy(dtype=float) if metric in entry.done else np.empty(0)
    return values if np.isfinite(values).all() else np.empty(0)


def by_class(entries: Sequence[Entry], suffix: str = "") -> str:
    """F1 of every class at the best points, a column a run; empty where fewer than two runs kept
    their answers on one split.
    """
    known = [(entry, entry.predictions) for entry in entries if entry.predictions is not None]
    splits = {predictions.split for _, predictions in known}
    if len(known) < 2 or len(splits) > 1:
        return ""
    classes = known[0][1].classes
    columns = [Column("class", [*classes, "macro mean"], "", "text")]
    for entry, predictions in known:
        of_class = metrics.by_class(metrics.confusion(predictions.probabilities, predictions.labels))
        cells = [*(mean_and_spread(values) for values in of_class.f1.T), mean_and_spread(of_class.macro(of_class.f1))]
        columns.append(Column(entry.name, cells, f"F1 on the {predictions.split} pictures, mean ± sd over the repeats"))
    return html(columns, f"classes-of-runs{suffix}", f"F1 of every class, {splits.pop()} pictures")


def differences(entries: Sequence[Entry]) -> str:
    """The config fields in which the best points differ, a column a run; empty if in none."""
    names = [
        name
        for name in dict.fromkeys(name for entry in entries for name in entry.config)
        if name not in ("sweep", "report.title")
    ]
    differ = [name for name in names if len({statistics.hashable(entry.config.get(name)) for entry in entries}) > 1]
    if not differ:
        return ""
    columns = [Column("field", differ, "", "id")]
    columns += [
        Column(entry.name, [axes.value_text(entry.config.get(name)) for name in differ], "at its best point", "text")
        for entry in entries
    ]
    return html(columns, "differences", f"{len(differ)} fields differ")
