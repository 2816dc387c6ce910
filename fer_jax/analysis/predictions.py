"""What the repeats of one point answered on a held-out split, ready to be drawn and tabled."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Predictions:
    """The stored answers of a point's done trials; T repeats, n images, K classes.

    Attributes:
        setting: the point in words.
        split: 'test' or 'validation'.
        classes: names of the K classes.
        probabilities: float (T, n, K), rows summing to 1.
        labels: int (n,), in 0..K-1.
        folds: of a cross-validation, whose networks have each answered the images that it did not
            learn from; then T is 1. 0: none.
        leaked: which images have a copy among those learned or chosen from, bool (n,); None where
            that does not matter.
    """

    setting: str
    split: str
    classes: Sequence[str]
    probabilities: np.ndarray
    labels: np.ndarray
    folds: int = 0
    leaked: np.ndarray | None = None

    @property
    def repeats(self) -> int:
        """The number of repeats."""
        return len(self.probabilities)

    @property
    def about(self) -> str:
        """The split and the networks, as in 'Test pictures (70), 5 seeds of learning rate 1e-3.'"""
        seeds = f"{self.repeats} seeds" if self.repeats > 1 else "one seed"
        if self.folds:
            seeds = f"each answered by the one of {self.folds} folds' networks that had not learnt it,"
        return f"{self.split.capitalize()} pictures ({len(self.labels):,}), {seeds} of {self.setting}."


def mean_and_spread(values: np.ndarray, decimals: int = 3) -> str:
    """Returns '0.612 ± 0.014' over repeats (sample standard deviation), '0.612' of one.

    Where one of them has no value it is a dash.
    """
    values = np.asarray(values, float)
    if not len(values) or not np.isfinite(values).all():
        return "–"
    if len(values) == 1:
        return f"{values[0]:.{decimals}f}"
    return f"{values.mean():.{decimals}f} ± {values.std(ddof=1):.{decimals}f}"
