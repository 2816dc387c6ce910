"""What a classifier of more classes answers to 'positive or not': metrics, confusions, ROC."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fer_jax.analysis import metrics
from fer_jax.analysis.predictions import Predictions


class Binarised(dict[str, float]):
    """The metrics of `metrics.binarise`, by name, and the answers that they are of; n images.

    Attributes:
        sums: summed probability of the negative and of the positive classes, float64 (n, 2).
        labels: int (n,), 1 where an image shows a positive class, else 0.
        answers: int (n,), 1 where the positive sum reaches the threshold, else 0.
        split: 'train', 'validation' or 'test'.
        setting: what is positive, from which sum on, and who was asked, in words.
    """

    def __init__(
        self,
        probabilities: np.ndarray,
        labels: np.ndarray,
        classes: Sequence[str],
        positive: Sequence[str],
        threshold: float,
        split: str,
        who: str,
    ):
        """Args and errors are those of `metrics.binarise`; then the split and who was asked."""
        super().__init__(metrics.binarise(probabilities, labels, classes, positive, threshold))
        self.sums, self.labels, self.answers = metrics.two_sums(probabilities, labels, classes, positive, threshold)
        self.split = split
        names = " + ".join(classes[column] for column in metrics.positive_columns(classes, positive))
        self.setting = f"{names} positive from {threshold:g} on, {who}"

    def confusion_matrix(self, normalize: bool = False) -> pd.DataFrame:
        """Counts images by true answer (rows) and given answer (columns), negative first.

        Args:
            normalize: shares of each row's images instead, in [0, 1]; 0 in a row without images.
        """
        counts = metrics.counted(self.answers[None], self.labels, 2)[0]
        values = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1) if normalize else counts
        return pd.DataFrame(values, pd.Index(metrics.BINARY, name="true"), pd.Index(metrics.BINARY, name="predicted"))

    def roc(self) -> pd.DataFrame:
        """Returns the ROC curve of 'positive', which no threshold enters.

        Returns:
            A row a threshold on the positive sum, from infinite, where nothing is called positive,
            to the lowest sum: `threshold`, `false_positive_rate` and `true_positive_rate`; the rate
            of a class without images is NaN.
        """
        shown, scores = self.labels == 1, self.sums[:, 1]
        right, called = metrics.at_thresholds(shown, scores)
        with np.errstate(invalid="ignore"):
            false, true = (called - right) / (~shown).sum(), right / shown.sum()
        return pd.DataFrame(
            {
                "threshold": np.append(np.inf, np.unique(scores)[::-1]),
                "false_positive_rate": np.append(false[:1] * 0, false),
                "true_positive_rate": np.append(true[:1] * 0, true),
            }
        )

    def predictions(self, certain: bool = False) -> Predictions:
        """Returns both sums as the probabilities of two classes, for figures.

        Args:
            certain: all probability on the answer, which the threshold decides, instead.
        """
        probabilities = np.eye(2)[self.answers] if certain else self.sums
        return Predictions(self.setting, self.split, metrics.BINARY, probabilities[None], self.labels)
