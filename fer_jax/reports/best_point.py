"""The part of a report that needs the answers of the trained networks: from stored predictions to
drawings and tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from fer_jax.analysis import metrics
from fer_jax.analysis.predictions import Predictions, mean_and_spread
from fer_jax.analysis.ranking import Ranking
from fer_jax.errors import RunError
from fer_jax.figures import confusion, reliability, roc, style
from fer_jax.reports.html_tables import Column, html
from fer_jax.reports.page import Section
from fer_jax.results.run import Run
from fer_jax.results.trial import TrialResult

NOTHING_STORED = (
    "No predictions are stored of the best point (its trials were trained before they were kept, or the files are gone or damaged): confusion, ROC, "
    "calibration and mistakes cannot be shown."
)
MOST_CLASSES = 16  # beyond them a matrix of numbers cannot be read


def best_trials(run: Run, ranking: Ranking) -> list[TrialResult]:
    """The done trials of the best point, in plan order; [] without a result."""
    if not len(ranking.ranked):
        return []
    rows = ranking.trials[(ranking.trials["point"] == ranking.best) & (ranking.trials["status"] == "done")]
    return [run.trial(id) for id in rows["id"]]


def one_a_picture(trials: Sequence[TrialResult], split: str) -> list[TrialResult]:
    """Of a point's trials, those whose pictures of a split are together all that there are, each
    once: the first, or one a fold.
    """
    if split == "test" or trials[0].config.data.split != "kfold":
        return [trials[0]]
    return list({trial.data["checksum"]: trial for trial in reversed(trials)}.values())[::-1]


def of_best_point(run: Run, ranking: Ranking) -> Predictions | None:
    """The answers of the best point's done trials on the test split, or on validation where there
    is none; None without any.
    """
    trials = best_trials(run, ranking)
    for split in ("test", "validation") if trials else ():
        sources = one_a_picture(trials, split)
        try:
            labels = np.concatenate([trial.labels(split) for trial in sources])
            if len(sources) > 1:
                probabilities = np.concatenate([trial.probabilities(split) for trial in sources])[None]
            else:
                probabilities = np.stack([trial.probabilities(split) for trial in trials])
        except RunError:
            continue
        setting = ranking.describe(ranking.best)
        return Predictions(
            setting, split, trials[0].classes, probabilities, labels, len(sources) if len(sources) > 1 else 0
        )
    return None


def drawings(predictions: Predictions) -> list[style.Drawing]:
    """Confusion, curves of each class against the rest, calibration."""
    made = [
        confusion.draw(predictions) if len(predictions.classes) <= MOST_CLASSES else None,
        roc.draw(predictions),
        reliability.draw(predictions),
    ]
    return [drawing for drawing in made if drawing is not None]


def class_table(predictions: Predictions, suffix: str = "") -> str:
    """Figures of every class, mean ± sd over the repeats, then their macro and weighted means."""
    found = metrics.of_classes(predictions.probabilities, predictions.labels)
    of_class = metrics.by_class(metrics.confusion(predictions.probabilities, predictions.labels))
    support = of_class.support
    hints = {
        "precision": "share of its answers that are right",
        "recall": "share of its pictures that are found: the accuracy on this class",
        "f1": "harmonic mean of precision and recall",
        "auc": "area under the ROC curve, this class against the rest",
        "average_precision": "area under precision over recall",
    }
    columns = [
        Column("class", [*predictions.classes, "macro mean", "weighted mean"], "", "text"),
        Column(
            "pictures",
            [*(f"{n:,}" for n in support), f"{support.sum():,}", f"{support.sum():,}"],
            f"{predictions.split} pictures",
        ),
    ]
    for name, values in found.items():
        macro = metrics.class_mean(values) if name in ("auc", "average_precision") else of_class.macro(values)
        known = np.isfinite(values).all()
        weighted = of_class.weighted(values) if known else np.array([])
        cells = [mean_and_spread(column) for column in values.T] + [mean_and_spread(macro), mean_and_spread(weighted)]
        columns.append(Column({"f1": "F1", "auc": "AUC"}.get(name, name.replace("_", " ")), cells, hints[name]))
    return html(columns, f"by-class-table{suffix}", f"{len(predictions.classes)} classes and their means", first=0)


def class_section(predictions: Predictions, suffix: str = "") -> Section:
    """`class_table` with whose answers it is about."""
    note = f"The best point by validation, at the epoch that validation chose. {predictions.about}"
    if predictions.repeats > 1:
        note += " Mean ± standard deviation over the seeds."
    return Section("by-class", "By class", "Class by class", f"<p>{escape(note)}</p>{class_table(predictions, suffix)}")
