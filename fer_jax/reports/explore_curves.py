"""Curves and matrices of a run as a page holds them: as fine as a screen shows, and no more.

A curve is a text of two letters a value: 12 bits between the ends of the metric's scale, finer than
a panel of 1,000 pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fer_jax.analysis import metrics
from fer_jax.analysis.predictions import Predictions
from fer_jax.analysis.ranking import Ranking
from fer_jax.base.text import counted
from fer_jax.figures import phases
from fer_jax.figures import roc as roc_figure
from fer_jax.figures.curves import changing_rates
from fer_jax.results.best_point import of_best_point
from fer_jax.results.run import Run

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
STEPS = 64**2 - 3  # the two letters beyond them are "above the scale" and "no value"
ABOVE, MISSING = STEPS + 1, STEPS + 2
SERIES = ("val_accuracy", "val_loss", "train_accuracy", "train_loss")
RATE = "learning_rate"  # a series too where it changes, as its decimal logarithm
_WORDS = {"val_loss": "validation loss", "train_loss": "training loss"}
MOST_EPOCHS, FEWEST_EPOCHS = 64, 24
MOST_VALUES = 400_000
MOST_MATRIX_CELLS = 120_000
MOST_CLASSES = 16  # beyond them a matrix of numbers cannot be read
_GRID = np.linspace(0, 1, 2001)
_TOLERANCE = 0.0006  # of a curve's height: less than a pixel of a panel of 1,000


def learning_curves(
    ranking: Ranking, ids: Sequence[str], parts: Sequence[Ranking] = ()
) -> tuple[dict[str, Any] | None, list[str]]:
    """Returns the trials' curves, and sentences on what is left out; None while there are none.

    Args:
        ranking: whose.
        ids: of its trials, those whose curves matter most first.
        parts: of it, where they have losses of their own; () for one.

    Returns:
        epochs: those that are kept. scales: series -> low, high and whether something is above.
        of: id -> series -> a text, as long as the trial has epochs. phases: the last epoch of each
        phase of the training but the last.
    """
    frame = ranking.curves.drop_duplicates(["id", "epoch"], keep="last")
    series = [name for name in SERIES if name in frame and frame[name].notna().any()]
    if not len(frame) or not series:
        return None, []
    if changing_rates(frame) is not None:
        series.append(RATE)
        frame = frame.assign(**{RATE: np.log10(frame[RATE].where(frame[RATE] > 0))})
    every = np.sort(frame["epoch"].unique())
    epochs, kept = _thinned(every, len(series), frame["id"].nunique())
    left_out = []
    if len(epochs) < len(every):
        left_out.append(f"Learning curves show {len(epochs)} of {len(every)} epochs.")
    present = set(frame["id"].astype(str))
    chosen = [id for id in ids if id in present]
    if kept < len(chosen):
        left_out.append(f"Learning curves are of {kept:,} of {len(chosen):,} trials, those of the best points.")
        chosen = chosen[:kept]
    frame = frame[frame["id"].isin(chosen)]
    top = max(_loss_top(one) for one in parts or (ranking,))
    scales = {name: _scale(name, top, frame[name].to_numpy(dtype=float)) for name in series}
    texts: dict[str, dict[str, str]] = {id: {} for id in chosen}
    for name in series:
        grid = frame.pivot(index="id", columns="epoch", values=name).reindex(columns=epochs)
        letters = encoded(grid.to_numpy(dtype=float), *scales[name][:2])
        for id, row in zip(grid.index, letters, strict=True):
            texts[str(id)][name] = row
    above = [name for name in series if scales[name][2]]
    if above:
        words = " and ".join(f"{_WORDS[name]} above {scales[name][1]:.2f}" for name in above)
        left_out.append(f"Learning curves are cut off where they explode: {words}.")
    ends = list(phases.ends(ranking))
    return {"epochs": [int(epoch) for epoch in epochs], "scales": scales, "of": texts, "phases": ends}, left_out


def _thinned(every: np.ndarray, series: int, trials: int) -> tuple[np.ndarray, int]:
    """Returns the epochs to keep and the number of trials, within `MOST_VALUES`."""
    most = min(MOST_EPOCHS, max(FEWEST_EPOCHS, MOST_VALUES // (series * max(1, trials))))
    if len(every) > most:
        every = every[np.unique(np.linspace(0, len(every) - 1, most).round().astype(int))]
    return every, MOST_VALUES // (series * len(every))


def _scale(name: str, top: float, values: np.ndarray) -> list[Any]:
    """Returns [low, high, whether some are above]; losses that exploded do not stretch it."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return [0.0, 1.0, False]
    low, high = float(finite.min()), float(finite.max())
    above = False
    if name.endswith("loss"):
        above, high = high > top, min(high, top)
    low, high = math.floor(low * 1e4) / 1e4, math.ceil(high * 1e4) / 1e4
    return [low, high if high > low else low + 1e-4, above]


def _loss_top(ranking: Ranking) -> float:
    """Returns the loss at which curves are cut off, of both splits.

    That is where losses have exploded, or above the validation losses of most of the best points; a
    training loss beside dropout may explode and say nothing.
    """
    best = ranking.ranked["val_loss_mean"].head(5) if "val_loss_mean" in ranking.ranked else np.empty(0)
    finite = np.asarray(best, dtype=float)[np.isfinite(best)]
    return max([ranking.loss_ceiling(finite[:0]), *([1.05 * float(np.median(finite))] if len(finite) else [])])


def encoded(values: np.ndarray, low: float, high: float) -> list[str]:
    """Returns each row of values as a text of two letters each, without what is missing at its end.

    Args:
        values: (rows, n), NaN where there is none.
        low, high: ends of the scale; what is higher is ABOVE.
    """
    with np.errstate(invalid="ignore"):
        places = np.round((values - low) / (high - low) * STEPS)
        codes = np.where(values > high, ABOVE, np.clip(places, 0, STEPS))
    codes = np.where(np.isnan(values), MISSING, codes).astype(int)
    texts = []
    for row in codes:
        known = np.flatnonzero(row != MISSING)
        ends = known[-1] + 1 if len(known) else 0
        texts.append("".join(LETTERS[code // 64] + LETTERS[code % 64] for code in row[:ends]))
    return texts


def confusion(ranking: Ranking, ids: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Returns confusion matrices on the validation pictures, and sentences on what is left out.

    These pictures chose epoch and point; the test split is for what was chosen, and not for
    looking through all trials.

    Args:
        ranking: whose; its `answers` are what is counted.
        ids: of its trials, those whose matrices matter most first.

    Returns:
        classes: lists of names. of: id -> [number of its classes, K x K counts, rows true].
    """
    classes: dict[tuple[str, ...], int] = {}
    found: dict[str, list[Any]] = {}
    cells, missed, large = 0, 0, 0
    for id in ids:
        answers = ranking.answers.get(id)
        if answers is None:
            continue
        names = tuple(str(name) for name in answers.classes)
        if len(names) > MOST_CLASSES:
            large += 1
            continue
        if cells + len(names) ** 2 > MOST_MATRIX_CELLS:
            missed += 1
            continue
        cells += len(names) ** 2
        counts = np.bincount(answers.labels * len(names) + answers.given, minlength=len(names) ** 2)
        found[id] = [classes.setdefault(names, len(classes)), counts.tolist()]
    left_out = []
    if missed:
        left_out.append(f"Confusion matrices are of {counted(len(found), 'trial')}, those of the best points.")
    if large:
        left_out.append(f"A confusion matrix of more than {MOST_CLASSES} classes is not shown.")
    return {"classes": [list(names) for names in classes], "of": found}, left_out


def roc(run: Run, ranking: Ranking) -> dict[str, Any] | None:
    """Returns the curves of a part's best point, a class against the rest; None without answers.

    Returns:
        about: whose they are. classes: a list of name, area, precision (its average), roc and
        recall. The last two are curves, [x, y, x, y, ...] in ten-thousandths, means over the
        repeats.
    """
    predictions = of_best_point(run, ranking)
    if predictions is None or not predictions.repeats:
        return None
    areas = metrics.auc(predictions.probabilities, predictions.labels)
    precisions = metrics.average_precision(predictions.probabilities, predictions.labels)
    classes = []
    for number, name in enumerate(predictions.classes):
        if not np.isfinite(areas[:, number]).all():
            continue
        classes.append(
            {
                "name": str(name),
                "area": round(float(areas[:, number].mean()), 4),
                "precision": round(float(precisions[:, number].mean()), 4),
                "roc": _curve(predictions, number, roc_figure.roc_curve),
                "recall": _curve(predictions, number, roc_figure.precision_recall),
            }
        )
    return {"about": predictions.about, "classes": classes} if classes else None


def _curve(predictions: Predictions, number: int, curve: Any) -> list[int]:
    """Returns the mean curve of one class as [x, y, ...] in ten-thousandths."""
    shown = predictions.labels == number
    heights = np.mean([curve(shown, one[:, number], _GRID) for one in predictions.probabilities], axis=0)
    kept = simplified(_GRID, heights, _TOLERANCE)
    pairs = np.column_stack([_GRID[kept], heights[kept]])
    return [int(value) for value in np.round(pairs * 10_000).ravel()]


def simplified(x: np.ndarray, y: np.ndarray, tolerance: float) -> np.ndarray:
    """Returns which places of a line suffice to draw it (Ramer 1972, Douglas and Peucker 1973).

    Args:
        x, y: (n,), ascending x.
        tolerance: how far, in y, the line may be from what is left out.
    """
    keep = np.zeros(len(x), dtype=bool)
    keep[[0, -1]] = True
    waiting = [(0, len(x) - 1)]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2:
            continue
        inner = slice(first + 1, last)
        slope = (y[last] - y[first]) / (x[last] - x[first])
        away = np.abs(y[inner] - (y[first] + slope * (x[inner] - x[first])))
        if away.max() > tolerance:
            middle = first + 1 + int(away.argmax())
            keep[middle] = True
            waiting += [(first, middle), (middle, last)]
    return np.flatnonzero(keep)
