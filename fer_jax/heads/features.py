"""The features of one trial at one layer, and what XGBoost makes of them once for all settings."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Features:
    """The features and labels of every split; the arrays may be memory maps.

    Attributes:
        splits: 'train', 'validation' and, if there is one, 'test' -> float32 (n, F).
        labels: the same names -> int (n,), in 0..num_classes-1.
        num_classes: K.
        threads: how many threads XGBoost and scikit-learn may use for them.
    """

    splits: Mapping[str, np.ndarray]
    labels: Mapping[str, np.ndarray]
    num_classes: int
    threads: int = 1

    @functools.cached_property
    def matrices(self) -> tuple[Any, Any]:
        """The training and validation split as XGBoost holds them, made once.

        Each feature falls into at most 256 bins, so that a number takes a byte; the bins are those
        of the training split.
        """
        import xgboost

        train = xgboost.QuantileDMatrix(self.splits["train"], self.labels["train"], nthread=self.threads)
        validation = xgboost.QuantileDMatrix(
            self.splits["validation"], self.labels["validation"], ref=train, nthread=self.threads
        )
        return train, validation
