"""What a classifier's probabilities come to: for many trials at once, for one, for two sums.

Shapes: T trials, n images, K classes; probabilities are float (T, n, K) with rows summing to 1, and
labels int (n,) in 0..K-1. The answer to an image is its most probable class, the first of equal
ones. Definitions are scikit-learn's, with its zero where a quotient has no denominator.
One-vs-rest metrics of a class that no image or every image shows are NaN, and means leave it out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import stats

from fer_jax.data.names import canonical
from fer_jax.errors import ConfigError

BINS = 15
SMALLEST = np.finfo(np.float64).eps
# What `measure` and `measure_classes` give.
METRICS = ("accuracy", "loss", "precision", "recall", "f1", "auc")
CLASS_METRICS = ("precision", "recall", "f1", "auc", "share")
_MACRO = ("precision", "recall", "f1")
# The two classes of `binarise`.
BINARY = ("negative", "positive")


def confusion(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns the images by true class (rows) and answer (columns), int64 (T, K, K)."""
    return counted(probabilities.argmax(axis=-1), labels, probabilities.shape[-1])


def counted(answers: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Returns `confusion` of the classes that are answered, int (T, n), of so many classes."""
    trials = np.arange(len(answers))[:, None] * classes**2
    cells = trials + labels * classes + answers
    return np.bincount(cells.ravel(), minlength=len(answers) * classes**2).reshape(-1, classes, classes)


@dataclasses.dataclass(frozen=True)
class ByClass:
    """Metrics of every trial and class.

    Attributes:
        precision, recall, f1: float64 (T, K), in [0, 1]; recall is the accuracy on the images of
            a class.
        support: images of each class, int64 (K,).
        occurs: whether a class is among the labels or the answers of a trial, bool (T, K).
    """

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray
    occurs: np.ndarray

    def macro(self, values: np.ndarray) -> np.ndarray:
        """Returns the mean of `values` (T, K) over the classes that occur, (T,)."""
        return np.where(self.occurs, values, 0).sum(axis=1) / np.maximum(self.occurs.sum(axis=1), 1)

    def weighted(self, values: np.ndarray) -> np.ndarray:
        """Returns the mean of `values` (T, K) over the images' classes, (T,)."""
        return values @ self.support / max(1, int(self.support.sum()))


def by_class(matrix: np.ndarray) -> ByClass:
    """Returns precision, recall and F1 of every class from `confusion`, (T, K, K)."""
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
    """Returns the mean recall over the classes that are shown, from `confusion`; (T,)."""
    found = by_class(matrix)
    return found.recall[:, found.support > 0].mean(axis=1)


def log_loss(probabilities: np.ndarray, labels: np.ndarray, smallest: float = SMALLEST) -> np.ndarray:
    """Returns the mean of -ln p(label), nats, (T,).

    A probability counts as `smallest` at least; by default 2.2e-16, as in scikit-learn.
    """
    chosen = np.take_along_axis(
        probabilities.astype(np.float64), np.broadcast_to(labels, probabilities.shape[:2])[..., None], -1
    )
    return -np.log(np.clip(chosen[..., 0], smallest, 1)).mean(axis=1)


def auc(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns the area under the ROC curve of each class against the rest, (T, K).

    The chance that an image of the class gets a higher probability than another one, ties counting
    half (Hanley and McNeil, Radiology 143, 1982): the sum of ranks of the class's images, less
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
    """Returns the average precision of each class against the rest, (T, K).

    It is the sum over the distinct probabilities of the gain in recall times the precision there.
    """
    found = np.full((len(probabilities), probabilities.shape[-1]), np.nan)
    for number in range(probabilities.shape[-1]):
        shown = labels == number
        if not 0 < shown.sum() < len(shown):
            continue
        for trial, scores in enumerate(probabilities[..., number]):
            right, called = at_thresholds(shown, scores)
            found[trial, number] = np.diff(right, prepend=0) / shown.sum() @ (right / called)
    return found


def at_thresholds(shown: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns how many images are called positive at each threshold, and how many of them rightly.

    Every distinct score is a threshold, and an image is called positive where it reaches it.

    Args:
        shown: bool (n,), whether an image shows the class.
        scores: float (n,), high for the class.

    Returns:
        Those that show the class, and all that are called, int64 (t,) each, from the highest
        threshold to the lowest.
    """
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    return np.cumsum(shown[order])[last], last + 1


@dataclasses.dataclass(frozen=True)
class Calibration:
    """The share of right answers at each confidence, in equal bins of confidence.

    Guo et al., On Calibration of Modern Neural Networks, 2017.

    Attributes:
        edges: of the confidences, (BINS + 1,), from 0 to 1; a bin holds its upper edge.
        counts: images a bin, int64 (T, BINS).
        confidence, accuracy: means over the images of a bin, (T, BINS); NaN in an empty one.
        ece: expected calibration error, (T,), in [0, 1]: |accuracy - confidence| averaged over all
            images (equation 3).
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    ece: np.ndarray


def calibration(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> Calibration:
    """Returns confidence, the probability of the answer, beside accuracy, in equal bins."""
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
    """Returns the mean of (T, K) over the classes that are not NaN, (T,); NaN where all are."""
    known = np.isfinite(values)
    return _quotient(np.where(known, values, 0).sum(axis=1), known.sum(axis=1), nothing=np.nan)


def _quotient(above: np.ndarray, below: np.ndarray, nothing: float = 0.0) -> np.ndarray:
    return np.divide(above, below, out=np.full(np.shape(above), nothing), where=below > 0)


def overall(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Returns every metric of a trial, name -> (T,).

    These are accuracy and balanced_accuracy; precision, recall and f1, means over the classes that
    occur, and weighted_ ones over the images; auc and average_precision, means over classes;
    log_loss (nats); ece.
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
    """Returns every metric of a trial and class, name -> (T, K).

    These are precision, recall (the accuracy on the images of the class), f1, auc,
    average_precision.
    """
    found = by_class(confusion(probabilities, labels))
    return {
        "precision": found.precision,
        "recall": found.recall,
        "f1": found.f1,
        "auc": auc(probabilities, labels),
        "average_precision": average_precision(probabilities, labels),
    }


def measure(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Returns every one of `METRICS` for one classifier.

    Args:
        probabilities: (n, K), rows summing to 1.
        labels: int (n,), in 0..K-1.

    Returns:
        accuracy; loss, the mean of -ln p(label), nats; precision, recall and f1, means over the
        classes that occur among labels or answers; auc, the mean over classes of one-vs-rest areas,
        NaN where no class has a rest. All but the loss lie in [0, 1].
    """
    probabilities = _normalised(probabilities)
    return _measured(probabilities, labels, probabilities.argmax(axis=1))


def measure_classes(probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    """Returns `CLASS_METRICS` of every class, 'recall_happy' and so on, in [0, 1].

    Args:
        probabilities, labels: as for `measure`.
        classes: names of the K columns; a result is called by `data.names.canonical` of them.

    Returns:
        precision, recall (the accuracy on the images of the class) and f1; auc, the area under the
        class's ROC curve against the rest, NaN where no image or every image shows the class;
        share, that of all images that are answered with the class.
    """
    exact, names = _normalised(probabilities)[None], [canonical(name) for name in classes]
    matrix = confusion(exact, labels)
    more = {"auc": auc(exact, labels)[0], "share": matrix[0].sum(axis=0) / max(1, len(labels))}
    columns = {
        f"{metric}_{name}": float(values[at]) for metric, values in more.items() for at, name in enumerate(names)
    }
    return {**_by_name(matrix, names), **columns}


def _by_name(matrix: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    """Returns precision, recall and F1 of every class by name, from `confusion` of one trial."""
    found = by_class(matrix)
    return {
        f"{metric}_{name}": float(getattr(found, metric)[0, column])
        for metric in _MACRO
        for column, name in enumerate(names)
    }


def binarise(
    probabilities: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    positive: Sequence[str],
    threshold: float = 0.5,
) -> dict[str, float]:
    """Returns `measure` for 'positive or not', asked of a classifier of more classes.

    An image is called positive where the probabilities of the positive classes sum to `threshold`
    or more.

    Args:
        probabilities, labels: as for `measure`.
        classes: names of the K columns.
        positive: names of the classes that are summed, in any spelling known to
            `data.names.canonical`.
        threshold: in [0, 1].

    Returns:
        As for `measure`, of two classes, where precision, recall and f1 are means over both; and
        these three of each of `BINARY`, 'precision_positive' and so on.

    Raises:
        ConfigError: an unknown class, or none or all of them positive.
    """
    both, shown, answers = two_sums(probabilities, labels, classes, positive, threshold)
    return {**_measured(both, shown, answers), **_by_name(counted(answers[None], shown, len(BINARY)), BINARY)}


def two_sums(
    probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str], positive: Sequence[str], threshold: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns what `binarise`, which has arguments and errors, measures.

    Returns:
        The summed probability of the negative and the positive classes, float64 (n, 2); which of
        `BINARY` an image shows, int (n,); which is the answer, int (n,).
    """
    chosen = positive_columns(classes, positive)
    summed = _normalised(probabilities)[:, chosen].sum(axis=1)
    both = np.column_stack([1 - summed, summed])
    return both, np.isin(labels, chosen).astype(int), (summed >= threshold).astype(int)


def positive_columns(classes: Sequence[str], positive: Sequence[str]) -> list[int]:
    """Returns the columns of the positive classes, ascending; raises ConfigError as `binarise`."""
    known = [canonical(name) for name in classes]
    wanted = {canonical(name) for name in positive}
    unknown = sorted(wanted - set(known))
    if unknown:
        raise ConfigError(f"no class {unknown[0]!r} to be positive; the classes are {', '.join(classes)}")
    chosen = [column for column, name in enumerate(known) if name in wanted]
    if len(chosen) in (0, len(known)):
        raise ConfigError(f"{'no' if not chosen else 'every'} class is positive; name some of {', '.join(classes)}")
    return chosen


def _measured(probabilities: np.ndarray, labels: np.ndarray, answers: np.ndarray) -> dict[str, float]:
    matrix = counted(answers[None], labels, probabilities.shape[1])
    found = by_class(matrix)
    return {
        "accuracy": float(np.trace(matrix[0])) / max(1, len(labels)),
        "loss": float(log_loss(probabilities[None], labels)[0]),
        **{name: float(found.macro(getattr(found, name))[0]) for name in _MACRO},
        "auc": float(class_mean(auc(probabilities[None], labels))[0]),
    }


def _normalised(probabilities: np.ndarray) -> np.ndarray:
    """Returns the probabilities in float64, with rows that sum to 1 in that precision."""
    exact = np.asarray(probabilities, np.float64)
    return exact / exact.sum(axis=1, keepdims=True)
