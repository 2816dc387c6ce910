"""The points of a run in order of merit, with all that a report is made from."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fer_jax.analysis import axes, comparable, statistics, varied
from fer_jax.analysis.answers import Answers, Dead, dead
from fer_jax.analysis.points import against_best, why_untested

METRIC_NAMES = {
    "val_accuracy": "validation accuracy",
    "val_loss": "validation loss",
    "test_accuracy": "test accuracy",
    "test_loss": "test loss",
    "train_accuracy": "training accuracy",
    "train_loss": "training loss",
    "val_balanced_accuracy": "validation balanced accuracy",
    "test_balanced_accuracy": "test balanced accuracy",
    "val_f1": "validation macro F1",
    "test_f1": "test macro F1",
    "val_auc": "validation area under ROC",
    "test_auc": "test area under ROC",
    "val_ece": "validation calibration error",
    "test_ece": "test calibration error",
    "val_accuracy_clean": "validation accuracy without copies",
    "test_accuracy_clean": "test accuracy without copies",
}
STATUSES = ("done", "running", "paused", "pending", "pruned", "diverged", "failed")


@dataclasses.dataclass(frozen=True)
class Ranking:
    """The points of a run or of a part of it, ranked, with trials, curves, axes and record.

    Attributes:
        title: heading of the report.
        record: config.json: config (dotted values), command, versions, devices, data, started,
            finished, seconds, ...
        trials: trials.csv, with a column `point` (number of the point, in plan order).
        points: a row a point, index = its number: what `statistics.summarise` gives, `total`
            (trials planned) and `rank` (1 is best by the mean of `metric`; empty without a done
            trial).
        curves: a row a trial and epoch: id, epoch, train_loss, train_accuracy, val_loss,
            val_accuracy.
        axes: swept fields, laid out, in the order of the fields' declaration.
        metric: what chooses: val_accuracy or val_loss.
        answers: what done trials answer on their validation images, by id, as far as it is known.
    """

    title: str
    record: Mapping[str, Any]
    trials: pd.DataFrame
    points: pd.DataFrame
    curves: pd.DataFrame
    axes: Mapping[str, axes.Axis]
    metric: str
    answers: Mapping[str, Answers] = dataclasses.field(default_factory=dict)

    @property
    def swept(self) -> list[str]:
        """The dotted names of the swept fields."""
        return list(self.axes)

    @property
    def data(self) -> Mapping[str, Any]:
        """The record of the data set, the first where there are several; {} without one."""
        return self.record.get("data") or {}

    @property
    def data_sets(self) -> list[Mapping[str, Any]]:
        """The records of all data sets; there are several where a data field is swept."""
        return [self.data, *(self.record.get("other_data") or ())]

    @property
    def config(self) -> Mapping[str, Any]:
        """The config as config.json holds it; {} without one."""
        return self.record.get("config") or {}

    @property
    def repeats(self) -> int:
        """The largest number of trials planned at any point."""
        return int(self.points["total"].max()) if len(self.points) else 0

    @property
    def statuses(self) -> dict[str, int]:
        """The number of trials of each status that occurs, in the order of STATUSES."""
        counts = self.trials["status"].value_counts()
        return {s: int(counts[s]) for s in (*STATUSES, *sorted(set(counts.index) - set(STATUSES))) if s in counts.index}

    @property
    def ranked(self) -> pd.DataFrame:
        """The points with at least one done trial, best first."""
        return self.points[self.points["rank"].notna()].sort_values("rank")

    @property
    def best(self) -> int:
        """The number of the best point; it raises IndexError where no trial is done.

        Where several are best `together`, it is the first of them.
        """
        return int(self.ranked.index[0])

    @property
    def together(self) -> list[int]:
        """The numbers of the points that are best together, see `best_together`."""
        return best_together(self.points, self.metric, self.swept, self.config)

    @property
    def best_words(self) -> str:
        """The best point in words, with how many others are best together with it."""
        others = len(self.together) - 1
        return self.describe(self.best) + (f" (and {others} more, equally good)" if others else "")

    @property
    def why_first(self) -> str:
        """Which of the points that are best together `best` is, as 'the first in the sweep'."""
        losses = self.points.loc[self.together, "val_loss_mean"] if "val_loss_mean" in self.points else pd.Series()
        lower = not self.loss_fields and len(losses) > 1 and losses.iloc[0] < losses.iloc[1:].min()
        return "the one with the lowest validation loss" if lower else "the first in the sweep"

    def order(self, metric: str) -> list[int]:
        """Returns the numbers of the points that have a mean of a metric, best first."""
        return order_points(self.points, metric, self.swept, self.config)

    @property
    def leading(self) -> list[int]:
        """The numbers of the points that may be called the best, see `leading_points`."""
        return leading_points(self.points, self.metric, self.swept, self.config)

    @property
    def higher_is_better(self) -> bool:
        """Whether the larger value of the metric that ranks the points is better."""
        return not comparable.lower_is_better(self.metric)

    @property
    def majority_share(self) -> float | None:
        """The share of the validation split's commonest class: the accuracy of always answering it.

        None where the record has none, or where a swept data field gave data sets of different
        shares.
        """
        shares = {data.get("majority_share") for data in self.data_sets}
        share = next(iter(shares)) if len(shares) == 1 else None
        return None if share is None else float(share)

    @property
    def test_majority_share(self) -> float | None:
        """The share of the test split's commonest class; None as for `majority_share`."""
        sizes = {tuple(class_counts(data, "test").values()) for data in self.data_sets}
        counts = next(iter(sizes)) if len(sizes) == 1 else ()
        return max(counts) / sum(counts) if sum(counts) else None

    @property
    def has_test(self) -> bool:
        """Whether any trial has a test result."""
        return "test_accuracy" in self.trials and bool(self.trials["test_accuracy"].notna().any())

    @property
    def chosen_on_reported(self) -> bool:
        """Whether results stand on the very images that chose epoch and point (oslo's split)."""
        return any(
            data.get("split") == "kaggle" or (data.get("split") == "kfold" and not images(data, "test"))
            for data in self.data_sets
        )

    @property
    def unit(self) -> str:
        """The thing that differs between a point's trials: 'seed', 'fold' or 'split'."""
        return varied.unit(self.config)

    @property
    def units(self) -> str:
        """The same of several, with what the seeds are of: 'seeds of the initial weights'."""
        return varied.units(self.config)

    @property
    def overlap(self) -> float:
        """How much the training data of two repeats overlap, see `statistics.fold_overlap`."""
        return statistics.fold_overlap(self.config)

    @functools.cached_property
    def against_best(self) -> pd.DataFrame:
        """Every point beside the best, see `points.against_best`; no rows without a done trial."""
        if not len(self.ranked):
            return pd.DataFrame(columns=["point", "tied"])
        ranked = list(self.ranked.index)
        return against_best(self.trials, self.swept, self.metric, ranked, self.overlap, answers=self.answers)

    @property
    def why_untested(self) -> str:
        """Why points are not compared by single networks' answers, see `points.why_untested`."""
        return why_untested(self.trials, self.swept, self.metric, self.answers)

    @functools.cached_property
    def dead(self) -> dict[str, Dead]:
        """The done trials whose networks are dead, by id, of those whose answers are known."""
        done = self.trials["id"][self.trials["status"] == "done"]
        found = {id: dead(self.answers[id]) for id in done if id in self.answers}
        return {id: one for id, one in found.items() if one is not None}

    @property
    def loss_fields(self) -> tuple[str, ...]:
        """The swept fields that make the points' validation losses different; () if none."""
        return comparable.differing(self.points, comparable.loss_fields("val_loss"))

    @property
    def scope(self) -> str:
        """What every caption has to say: data set, split, and number of repeats."""
        # The folds of one split are one data set, and so are the splits that repeats draw.
        others = sum(
            comparable.drawn(data) == comparable.drawn(self.data) for data in self.record.get("other_data") or ()
        )
        parts = [str(self.data.get("label", "unknown data set, unknown split"))]
        if others:
            parts[0] += f" and {others} other data set{'s' * (others > 1)}"
        fewest = int(self.points["total"].min()) if len(self.points) else 0
        parts.append(
            {0: "no trials yet", 1: f"one {self.unit}"}.get(self.repeats, f"{self.repeats} {self.units} a point")
        )
        if fewest < self.repeats:
            parts[-1] = f"{fewest} to {self.repeats} {self.units} a point"
        if self.chosen_on_reported:
            parts.append("selected on the images it reports")
        return ", ".join(parts)

    def share_within(self, low: float, high: float) -> float | None:
        """Returns the majority share; None where it lies far below low to high.

        Drawn there it would squeeze what is shown.
        """
        share = self.majority_share
        return share if share is not None and low - share <= max(high - low, 0.01) else None

    def loss_ceiling(self, values: np.ndarray) -> float:
        """Returns the loss above which losses have exploded.

        It is 1.15 times that of equal odds on all classes, or of the median if that is larger.
        """
        values = values[np.isfinite(values)]
        equal_odds = math.log(max(2, len(self.data.get("classes") or [])))
        return 1.15 * max([equal_odds, *([float(np.median(values))] if len(values) else [])])

    def images(self, split: str) -> int | None:
        """Returns the images in a split if all data sets have as many; else None."""
        found = {images(data, split) for data in self.data_sets}
        return found.pop() if len(found) == 1 else None

    def describe(self, point: int, fields: Sequence[str] | None = None, marks: bool = False) -> str:
        """Returns a point in words: 'learning rate 1e-3, l2 1e-4'.

        With `marks` it is as figures write it.
        """
        fields = self.swept if fields is None else fields
        names, row = axes.short_names(self.swept), self.points.loc[point]
        parts = [f"{names[f]} {self.axes[f].mark(row[f]) if marks else self.axes[f].text(row[f])}" for f in fields]
        return ", ".join(parts) or "the one configuration"


def class_counts(data: Mapping[str, Any], split: str) -> dict[str, int]:
    """Returns the images of each class in a split of a data set; {} if its record has none."""
    counts, classes = (data.get("counts") or {}).get(split), [str(name) for name in data.get("classes") or ()]
    if isinstance(counts, Mapping):
        return {str(name): int(count) for name, count in counts.items()}
    if counts is None or np.ndim(counts) != 1 or len(counts) != len(classes):
        return {}
    return {name: int(count) for name, count in zip(classes, counts, strict=True)}


def images(data: Mapping[str, Any], split: str) -> int | None:
    """Returns the images in a split of a data set, if its record has them."""
    counts = (data.get("counts") or {}).get(split)
    if isinstance(counts, Mapping):
        counts = list(counts.values())
    return None if counts is None else int(np.sum(counts))


def rank_points(
    record: Mapping[str, Any],
    trials: pd.DataFrame,
    curves: pd.DataFrame,
    name: str,
    answers: Mapping[str, Answers] | None = None,
) -> Ranking:
    """Returns the points of a run ranked, and its swept fields laid out.

    Args:
        record: config.json.
        trials: trials.csv; may hold trials that are not done, or no trial at all.
        curves: per-epoch metrics of the trials that have begun; may be empty.
        name: title where the config gives none.
        answers: as in `Ranking`; None where nothing is known.
    """
    config = record.get("config") or {}
    swept = [field for field in record.get("swept") or () if field in trials.columns]
    metric = str(config.get("train.select") or "val_accuracy")
    draws = (config.get("sweep") or {}).get("draw") or {}
    codes, _ = statistics.point_codes(trials, swept)
    points = statistics.summarise(trials, swept, overlap=statistics.fold_overlap(config))
    points.insert(len(swept), "total", np.bincount(codes, minlength=len(points)))
    order = order_points(points, metric, swept, config)
    points.insert(0, "rank", pd.Series(np.arange(1.0, len(order) + 1), index=order).reindex(points.index))
    return Ranking(
        title=str(config.get("report.title") or name),
        record=record,
        trials=trials.assign(point=codes),
        points=points,
        curves=curves,
        axes={field: axes.axis(field, points[field], draws.get(field) or "") for field in swept},
        metric=metric,
        answers=answers or {},
    )


def mean_text(mean: float, sd: float, n: int, decimals: int = 3) -> str:
    """Returns '0.873 ± 0.004 (n = 3)', or '0.873 (n = 1)': a mean never goes without its n."""
    if not math.isfinite(mean):
        return "–"
    spread = f" ± {sd:.{decimals}f}" if n > 1 and math.isfinite(sd) else ""
    return f"{mean:.{decimals}f}{spread} (n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{n})"


def metric_text(ranking: Ranking, point: int, metric: str, decimals: int = 3) -> str:
    """Returns a point's mean, spread and n for one metric; a dash where there is none."""
    row = ranking.points.loc[point]
    if f"{metric}_mean" not in row:
        return "–"
    return mean_text(float(row[f"{metric}_mean"]), float(row[f"{metric}_sd"]), int(row["n"]), decimals)


def best_first(table: pd.DataFrame, metric: str, suffix: str = "", first: np.ndarray | None = None) -> list[Any]:
    """Returns the labels of the rows that have a `<metric><suffix>`, best first: the one ranking.

    Losses and calibration errors are better low, all else high. Ties, which differ by no more than
    rounding, go to the lower validation loss, where all rows of the table have one loss function,
    then to the earlier row.

    Args:
        table: of points (with the suffix '_mean') or of trials (with none).
        metric: such as 'val_accuracy'.
        suffix: of the metric's column, and of the validation loss's.
        first: bool (rows,), rows that go before all others whatever their value; None for none.
    """
    if f"{metric}{suffix}" not in table:
        return []
    merit = comparable.steps(
        table[f"{metric}{suffix}"].to_numpy(np.float64) * (1 if comparable.lower_is_better(metric) else -1)
    )
    one_loss = not comparable.differing(table, comparable.loss_fields("val_loss"))
    has_loss = one_loss and f"val_loss{suffix}" in table
    loss = table[f"val_loss{suffix}"].to_numpy(np.float64) if has_loss else np.zeros(len(table))
    later = np.zeros(len(table), bool) if first is None else ~first
    known = np.flatnonzero(~np.isnan(merit))
    order = known[np.lexsort((known, loss[known], merit[known], later[known]))]
    return list(table.index[order])


def order_points(points: pd.DataFrame, metric: str, swept: Sequence[str], config: Mapping[str, Any]) -> list[Any]:
    """Returns the labels of the points that have a mean of the metric, best first.

    Points that `sweep.best` gave more seeds, or that a race has not thrown out, go before all
    others: a mean over few seeds does not overtake one over many.

    Args:
        points: as `statistics.summarise` gives them, or some rows of it.
        metric: such as 'val_accuracy'.
        swept: names of the swept columns.
        config: config.json's, with `sweep`.
    """
    return best_first(points, metric, "_mean", statistics.finalists(points, swept, config))


def leading_points(points: pd.DataFrame, metric: str, swept: Sequence[str], config: Mapping[str, Any]) -> list[Any]:
    """Returns those of `order_points` that may be called the best.

    These are the points that `sweep.best` gave more seeds, or those that remain in a race
    (`search.race`), and all where there was neither.
    """
    leading = set(points.index[statistics.finalists(points, swept, config)])
    return [label for label in order_points(points, metric, swept, config) if label in leading]


def best_together(points: pd.DataFrame, metric: str, swept: Sequence[str], config: Mapping[str, Any]) -> list[Any]:
    """Returns those of `leading_points` whose mean of the metric is the best one's, best first.

    More than one label says that nothing but a tie-break makes the first of them the best.
    """
    leading = leading_points(points, metric, swept, config)
    steps = comparable.steps(points.loc[leading, f"{metric}_mean"].to_numpy(np.float64)) if leading else np.empty(0)
    return [label for label, step in zip(leading, steps, strict=True) if step == steps[0]]
