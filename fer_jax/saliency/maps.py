"""Saliency maps as arrays: of images, repeats and classes; their shares, spread and agreement.

Before maps are averaged, over repeats or over the images of a class, each is divided by the sum
of its absolute values. What is averaged is then where a network looks, in shares of the image
that add up to 1. Raw values would weigh a repeat by the size of its logits, which grow with every
epoch and say nothing about the place; the largest value, the usual divisor, is that of one pixel.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

# Method -> what its maps are in.
UNITS = {
    "gradient": "logits per full range of a pixel (0 to 255)",
    "smoothgrad": "logits per full range of a pixel (0 to 255)",
    "integrated_gradients": "logits",
    "grad_cam": "weighted activation",
    "occlusion": "logits",
}


@dataclasses.dataclass(frozen=True, eq=False)
class Saliency:
    """The saliency maps of some images by one network and method.

    Attributes:
        method: one of UNITS.
        settings: of the method, by name.
        values: float32 (n, S, S, C) as the method gives them, in `unit`; C is 1 for grad_cam and
            occlusion.
        targets: int64 (n,), the class each image is explained for, an index into `classes`.
        classes: class names.
        logits: float32 (n,), of the targets.
        baseline_logits: float32 (n,), the same for the baseline, by integrated_gradients; else
            None.
        warning: what the maps are worth, where the network is dead; else empty.
    """

    method: str
    settings: Mapping[str, Any]
    values: np.ndarray
    targets: np.ndarray
    classes: tuple[str, ...]
    logits: np.ndarray
    baseline_logits: np.ndarray | None = None
    warning: str = ""

    @property
    def unit(self) -> str:
        """The unit of `values`, which the method decides."""
        return UNITS[self.method]

    @property
    def maps(self) -> np.ndarray:
        """One number a pixel, float32 (n, S, S); see `over_channels`."""
        return over_channels(self.values, self.method)

    @property
    def shares(self) -> np.ndarray:
        """`maps`, the absolute values of each adding up to 1."""
        return shares(self.maps)

    def completeness(self) -> pd.DataFrame:
        """Measures how exact integrated gradients are.

        Returns:
            A row an image: `sum` of its values; `difference` of its logit and the baseline's, which
            the sum would be with infinitely many steps; `error`, sum minus difference; in logits.
            Sundararajan et al. (2017, section 5) take as many steps as bring the two within 5 %.

        Raises:
            ValueError: other methods have no such check.
        """
        if self.baseline_logits is None:
            raise ValueError(f"completeness is a property of integrated_gradients, not of {self.method}")
        sums = self.values.sum(axis=(1, 2, 3), dtype=np.float64)
        difference = self.logits.astype(np.float64) - self.baseline_logits
        return pd.DataFrame({"sum": sums, "difference": difference, "error": sums - difference})


@dataclasses.dataclass(frozen=True, eq=False)
class RepeatedSaliency:
    """The saliency maps of the same images and classes by all repeats of one point.

    Attributes:
        repeats: a `Saliency` a trial.
        ids: of the trials.
        left_out: who is missing and why, such as '1 diverged'; empty if nobody is.
        warning: what the maps are worth, where some networks are dead; else empty.
    """

    repeats: tuple[Saliency, ...]
    ids: tuple[str, ...]
    left_out: str = ""
    warning: str = ""

    @property
    def maps(self) -> np.ndarray:
        """Shares, float32 (repeats, n, S, S)."""
        return np.stack([one.shares for one in self.repeats])

    @property
    def mean(self) -> np.ndarray:
        """Mean of the shares over the repeats, (n, S, S)."""
        return self.maps.mean(axis=0)

    @property
    def sd(self) -> np.ndarray:
        """Standard deviation of the shares over the repeats, (n, S, S), as `deviation` has it."""
        return deviation(self.maps)

    @property
    def agreement(self) -> np.ndarray:
        """Spearman's rank correlation of two repeats' maps, the mean over all pairs, (n,).

        It is NaN for one repeat.
        """
        maps = self.maps
        pairs = [rank_correlation(maps[a], maps[b]) for a, b in itertools.combinations(range(len(maps)), 2)]
        return np.mean(pairs, axis=0) if pairs else np.full(maps.shape[1], np.nan)

    @property
    def targets(self) -> np.ndarray:
        """The class that each image is explained for, as `Saliency.targets`."""
        return self.repeats[0].targets

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.repeats[0].classes

    @property
    def method(self) -> str:
        """The name of the saliency method."""
        return self.repeats[0].method

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings of the method, name -> value."""
        return self.repeats[0].settings


@dataclasses.dataclass(frozen=True, eq=False)
class ClassSaliency:
    """The average map of each class: where networks look in its images, as shares of the image.

    Attributes:
        method, settings, classes: as in `Saliency`.
        split: the images' split.
        n: int64 (K,), images of each class that were averaged.
        mean: float64 (K, S, S), mean of their shares, for the logit of their own class; over
            several repeats, the mean of the repeats' means. NaN for a class without images.
        sd: float64 (K, S, S), over the images of one trial, or over the means of several repeats
            (divisor n - 1).
        repeats: number of trials.
        left_out, warning: as in `RepeatedSaliency`.
    """

    method: str
    settings: Mapping[str, Any]
    classes: tuple[str, ...]
    split: str
    n: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    repeats: int = 1
    left_out: str = ""
    warning: str = ""


def over_channels(values: np.ndarray, method: str) -> np.ndarray:
    """Returns one number a pixel, (n, S, S), of values (n, S, S, C).

    It is the largest magnitude of the channels' gradients, as in Simonyan et al. 2013, section 3.1,
    and Smilkov et al. 2017; of other methods the sum, which keeps the completeness of integrated
    gradients.
    """
    return np.abs(values).max(axis=-1) if method in ("gradient", "smoothgrad") else values.sum(axis=-1)


def shares(maps: np.ndarray) -> np.ndarray:
    """Returns each map of (..., S, S) divided by the sum of its absolute values.

    A map that is 0 everywhere stays so.
    """
    totals = np.abs(maps).sum(axis=(-2, -1), keepdims=True)
    return maps / np.where(totals > 0, totals, 1)


def deviation(samples: np.ndarray) -> np.ndarray:
    """Returns the standard deviation over the first axis, divisor n - 1; NaN for one sample."""
    return samples.std(axis=0, ddof=1) if len(samples) > 1 else np.full(samples.shape[1:], np.nan)


def rank_correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns Spearman's rank correlation of the pixels of two maps (n, S, S), float64 (n,).

    It is NaN where a map is constant.
    """
    from scipy import stats

    ranks = [stats.rankdata(maps.reshape(len(maps), -1), axis=1) for maps in (first, second)]
    a, b = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    lengths = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return np.divide((a * b).sum(axis=1), lengths, out=np.full(len(a), np.nan), where=lengths > 0)


def over_repeats(found: Sequence[ClassSaliency], left_out: str, warning: str = "") -> ClassSaliency:
    """Returns the class averages of several trials as one: mean and sd of their means."""
    one = dataclasses.replace(found[0], left_out=left_out, warning=warning)
    if len(found) == 1:
        return dataclasses.replace(one, sd=np.full_like(one.sd, np.nan))
    means = np.stack([each.mean for each in found])
    return dataclasses.replace(one, mean=means.mean(axis=0), sd=deviation(means), repeats=len(found))
