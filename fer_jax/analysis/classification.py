"""Figures of a classifier from the probabilities it gives, for all its classes or for two sums of
them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn import metrics

from fer_jax.data.names import canonical
from fer_jax.errors import ConfigError

METRICS = ("accuracy", "loss", "precision", "recall", "f1", "auc")
CLASS_METRICS = ("precision", "recall", "f1")


def measure(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Every one of `METRICS`, the answer being the most probable class (the first of equal ones).

    Args:
        probabilities: (n, K), rows summing to 1.
        labels: int (n,), in 0..K-1.

    Returns:
        accuracy; loss, the mean of -ln p(label), nats; precision, recall and f1, means over the
        classes that occur among labels or answers, 0 for a class never answered (scikit-learn's
        rule); auc, the mean over classes of one-vs-rest areas, without classes that no or all
        pictures show; NaN if none is left. All but the loss lie in [0, 1].
    """
    probabilities = _normalised(probabilities)
    return _figures(probabilities, labels, probabilities.argmax(axis=1))


def measure_classes(probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    """`CLASS_METRICS` of every class, 'recall_happy' and so on, by its name in the spelling of
    `data.names.canonical`.

    Args:
        probabilities, labels: as for `measure`.
        classes: names of the K columns.
    """
    answers = probabilities.argmax(axis=1)
    columns = range(len(classes))
    found = metrics.precision_recall_fscore_support(labels, answers, labels=columns, average=None, zero_division=0)
    return {
        f"{metric}_{canonical(name)}": float(found[row][column])
        for row, metric in enumerate(CLASS_METRICS)
        for column, name in enumerate(classes)
    }


def binarise(
    probabilities: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    positive: Sequence[str],
    threshold: float = 0.5,
) -> dict[str, float]:
    """`measure` for 'positive or not', asked of a classifier that was trained on more classes.

    A picture is called positive if the summed probability of the positive classes is at least
    `threshold`; the threshold itself counts as positive.

    Args:
        probabilities, labels: as for `measure`.
        classes: names of the K columns.
        positive: names of the classes that are summed, in any spelling known to
            `data.names.canonical`.
        threshold: in [0, 1].

    Returns:
        As for `measure`, of two classes; precision, recall and f1 are means over both.

    Raises:
        ConfigError: an unknown class, or none or all of them positive.
    """
    chosen = positive_columns(classes, positive)
    summed = _normalised(probabilities)[:, chosen].sum(axis=1)
    both = np.column_stack([1 - summed, summed])
    return _figures(both, np.isin(labels, chosen).astype(int), (summed >= threshold).astype(int))


def positive_columns(classes: Sequence[str], positive: Sequence[str]) -> list[int]:
    """The columns of the positive classes, ascending; raises ConfigError as `binarise` does."""
    known = [canonical(name) for name in classes]
    wanted = {canonical(name) for name in positive}
    unknown = sorted(wanted - set(known))
    if unknown:
        raise ConfigError(f"no class {unknown[0]!r} to be positive; the classes are {', '.join(classes)}")
    chosen = [column for column, name in enumerate(known) if name in wanted]
    if len(chosen) in (0, len(known)):
        raise ConfigError(f"{'no' if not chosen else 'every'} class is positive; name some of {', '.join(classes)}")
    return chosen


def _figures(probabilities: np.ndarray, labels: np.ndarray, answers: np.ndarray) -> dict[str, float]:
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        labels, answers, average="macro", zero_division=0
    )
    return {
        "accuracy": float(metrics.accuracy_score(labels, answers)),
        "loss": float(metrics.log_loss(labels, probabilities, labels=range(probabilities.shape[1]))),
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "auc": _area(probabilities, labels),
    }


def _area(probabilities: np.ndarray, labels: np.ndarray) -> float:
    shown = [number for number in range(probabilities.shape[1]) if 0 < np.mean(labels == number) < 1]
    areas = [metrics.roc_auc_score(labels == number, probabilities[:, number]) for number in shown]
    return float(np.mean(areas)) if areas else float("nan")


def _normalised(probabilities: np.ndarray) -> np.ndarray:
    """In float64 with rows that sum to 1 there: float32 sums are off by more than scikit-learn
    takes.
    """
    exact = np.asarray(probabilities, np.float64)
    return exact / exact.sum(axis=1, keepdims=True)
