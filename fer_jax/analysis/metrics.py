"""What a classifier's probabilities come to, for many trials at once: arrays with a leading trial
axis in, the same out.

Throughout: T trials, n pictures, K classes; probabilities float (T, n, K) with rows summing to 1,
labels int (n,) in 0..K-1, an answer being the most probable class, the first of equal ones.
scikit-learn's definitions, with its zero where a quotient has no denominator; one-vs-rest figures
of a class that no or every picture shows are NaN, and means leave it out.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import stats

BINS = 15
SMALLEST = np.finfo(np.float64).eps


def confusion(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Pictures by true class (rows) and answer (columns), int64 (T, K, K)."""
    count = probabilities.shape[-1]
    cells = labels * count + probabilities.argmax(axis=-1)
    trials = np.arange(len(cells))[:, None] * count**2
    return np.bincount((trials + cells).ravel(), minlength=len(cells) * count**2).reshape(-1, count, count)


@dataclasses.dataclass(frozen=True)
class ByClass:
    """Figures a trial and class.

    Attributes:
        precision, recall, f1: float64 (T, K), in [0, 1]; recall is the accuracy on the pictures of
            a class.
        support: pictures of each class, int64 (K,).
        occurs: whether a class is among the labels or the answers of a trial, bool (T, K).
    """

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray
    occurs: np.ndarray

    def macro(self, values: np.ndarray) -> np.ndarray:
        """Mean of `values` (T, K) over the classes that occur, (T,)."""
        return np.where(self.occurs, values, 0).sum(axis=1) / np.maximum(self.occurs.sum(axis=1), 1)

    def weighted(self, values: np.ndarray) -> np.ndarray:
        """Mean of `values` (T, K) over the pictures' classes, (T,)."""
        return values @ self.support / max(1, int(self.support.sum()))


def by_class(matrix: np.ndarray) -> ByClass:
    """Precision, recall and F1 of every class from `confusion`, (T, K, K)."""
    right = np.diagonal(matrix, axis1=1, axis2=2)
    shown, answered = matrix.sum(axis=2), matrix.sum(axis=1)
    return ByClass(
        precision=_quotient(right, answered),
        recall=_quotient(right, shown),
        f1=_quotient(2 * right, shown + answered),
        support=shown[0] if len(shown) else np.zeros(matrix.shape[-1], np.int64),
        occurs=(shown + answered) > 0,
    )


def balanced_accuracy(matrix: np.ndarray) -> np.ndarray:
    """Mean recall over the classes that are shown, from `confusion`; (T,)."""
    found = by_class(matrix)
    return found.recall[:, found.support > 0].mean(axis=1)


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean of -ln p(label), nats, (T,); a probability counts as 2.2e-16 at least, as in
    scikit-learn.
    """
    chosen = np.take_along_axis(
        probabilities.astype(np.float64), np.broadcast_to(labels, probabilities.shape[:2])[..., None], -1
    )
    return -np.log(np.clip(chosen[..., 0], SMALLEST, 1)).mean(axis=1)


def auc(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of each class against the rest, (T, K).

    The chance that a picture of the class gets a higher probability than another one, ties counting
    half (Hanley and McNeil, Radiology 143, 1982): the sum of ranks of the class's pictures, less
    its least possible value, over all pairs.
    """
    found = np.full((len(probabilities), probabilities.shape[-1]), np.nan)
    for number in range(probabilities.shape[-1]):
        shown = labels == number
        positive, negative = int(shown.sum()), int((~shown).sum())
        if positive and negative:
            ranks = stats.rankdata(probabilities[..., number], axis=1)
            found[:, number] = (ranks[:, shown].sum(axis=1) - positive * (positive + 1) / 2) / (positive * negative)
    return found


def average_precision(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Sum over the distinct probabilities of the gain in recall times the precision there, of each
    class against the rest, (T, K).
    """
    found = np.full((len(probabilities), probabilities.shape[-1]), np.nan)
    for number in range(probabilities.shape[-1]):
        shown = labels == number
        if not 0 < shown.sum() < len(shown):
            continue
        scores = probabilities[..., number]
        order = np.argsort(-scores, axis=1, kind="stable")
        ordered = np.take_along_axis(scores, order, axis=1)
        right = np.cumsum(shown[order], axis=1)
        precision = right / np.arange(1, len(labels) + 1)
        # Equal probabilities are one threshold: precision and recall are those at its last picture.
        last = np.append(ordered[:, 1:] != ordered[:, :-1], np.ones((len(ordered), 1), bool), axis=1)
        for trial, ends in enumerate(last):
            gains = np.diff(right[trial, ends], prepend=0) / shown.sum()
            found[trial, number] = gains @ precision[trial, ends]
    return found


@dataclasses.dataclass(frozen=True)
class Calibration:
    """How often answers of a confidence are right (Guo et al., On Calibration of Modern Neural
    Networks, 2017).

    Attributes:
        edges: of the confidences, (BINS + 1,), from 0 to 1; a bin holds its upper edge.
        counts: pictures a bin, int64 (T, BINS).
        confidence, accuracy: means over the pictures of a bin, (T, BINS); NaN in an empty one.
        ece: expected calibration error, (T,), in [0, 1]: |accuracy - confidence| averaged over all
            pictures (equation 3).
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    ece: np.ndarray


def calibration(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> Calibration:
    """Confidence, the probability of the answer, beside the accuracy, in `bins` bins of equal
    width.
    """
    confidence = probabilities.max(axis=-1).astype(np.float64)
    right = probabilities.argmax(axis=-1) == labels
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    cells = (np.arange(len(confidence))[:, None] * bins + place).ravel()

    def summed(values: np.ndarray) -> np.ndarray:
        return np.bincount(cells, values.ravel().astype(np.float64), len(confidence) * bins).reshape(-1, bins)

    counts = summed(np.ones_like(confidence))
    sure, correct = summed(confidence), summed(right)
    with np.errstate(invalid="ignore"):
        mean_confidence, accuracy = sure / counts, correct / counts
    ece = np.abs(correct - sure).sum(axis=1) / max(1, confidence.shape[1])
    return Calibration(edges, counts.astype(np.int64), mean_confidence, accuracy, ece)


def class_mean(values: np.ndarray) -> np.ndarray:
    """Mean of (T, K) over the classes that have a figure, (T,); NaN where none has."""
    known = np.isfinite(values)
    return _quotient(np.where(known, values, 0).sum(axis=1), known.sum(axis=1), nothing=np.nan)


def _quotient(above: np.ndarray, below: np.ndarray, nothing: float = 0.0) -> np.ndarray:
    return np.divide(above, below, out=np.full(np.shape(above), nothing), where=below > 0)


def overall(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Every figure of a trial, name -> (T,): accuracy and balanced_accuracy; precision, recall and
    f1, means over the classes that occur, and weighted_ ones over the pictures; auc and
    average_precision, means over classes; log_loss (nats); ece.
    """
    matrix = confusion(probabilities, labels)
    found = by_class(matrix)
    three = {"precision": found.precision, "recall": found.recall, "f1": found.f1}
    return {
        "accuracy": np.trace(matrix, axis1=1, axis2=2) / max(1, len(labels)),
        "balanced_accuracy": balanced_accuracy(matrix),
        **{name: found.macro(values) for name, values in three.items()},
        **{f"weighted_{name}": found.weighted(values) for name, values in three.items()},
        "auc": class_mean(auc(probabilities, labels)),
        "average_precision": class_mean(average_precision(probabilities, labels)),
        "log_loss": log_loss(probabilities, labels),
        "ece": calibration(probabilities, labels).ece,
    }


def of_classes(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Every figure of a trial and class, name -> (T, K): precision, recall (the accuracy on its
    pictures), f1, auc, average_precision.
    """
    found = by_class(confusion(probabilities, labels))
    return {
        "precision": found.precision,
        "recall": found.recall,
        "f1": found.f1,
        "auc": auc(probabilities, labels),
        "average_precision": average_precision(probabilities, labels),
    }
