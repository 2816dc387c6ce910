"""The section of a report that takes what the best point answered class by class."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from fer_jax.analysis import metrics
from fer_jax.analysis.predictions import Predictions, mean_and_spread
from fer_jax.reports import templates
from fer_jax.reports.html_tables import html
from fer_jax.reports.page import Section
from fer_jax.reports.tables import Column

NOTHING_STORED = (
    "No predictions are stored of the best point (its trials were trained before they were kept, or the files are "
    "gone or damaged): confusion, ROC, calibration and mistakes cannot be shown."
)


def class_table(predictions: Predictions, suffix: str = "") -> Markup:
    """Returns the metrics of every class, mean ± sd over the repeats, and their means, as HTML."""
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
        if name == "recall":
            columns += _without_copies(predictions)
    return html(columns, f"by-class-table{suffix}", f"{len(predictions.classes)} classes and their means", last=2)


def _without_copies(predictions: Predictions) -> list[Column]:
    """Returns the recall on the pictures without copies; its weighted mean is their accuracy.

    There is none where no picture has a copy, or all have.
    """
    if predictions.leaked is None:
        return []
    kept = ~predictions.leaked
    if kept.all() or not kept.any():
        return []
    of_class = metrics.by_class(metrics.confusion(predictions.probabilities[:, kept], predictions.labels[kept]))
    recall = np.where(of_class.support > 0, of_class.recall, np.nan)
    rows = [*recall.T, of_class.macro(of_class.recall), of_class.weighted(of_class.recall)]
    hint = f"recall on the {int(kept.sum()):,} pictures without a copy among those trained on"
    return [Column("recall without copies", [mean_and_spread(values) for values in rows], hint)]


def class_section(predictions: Predictions, suffix: str = "") -> Section:
    """Returns the section with `class_table` and a sentence on the networks it is about."""
    note = f"The best point by validation, at the epoch that validation chose. {predictions.about}"
    if predictions.repeats > 1:
        note += " Mean ± standard deviation over the seeds."
    return Section(
        "by-class", "By class", "Class by class", templates.paragraphs(note) + class_table(predictions, suffix)
    )
