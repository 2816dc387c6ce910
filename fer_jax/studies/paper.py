"""A study as data: a paper's experiments, the sweep that repeats each, and what it published."""

from __future__ import annotations

import dataclasses
import decimal
import math
from collections.abc import Mapping
from typing import Any

# Words that make a config small, or the paper's own; without one it takes minutes on built-in
# faces.
SCALES = ("smoke", "full")
# What a config makes small below full scale, and an experiment's overrides shall not make large
# again.
SIZES = ("data.name", "data.image_size", "train.epochs", "sweep.repeats")


def as_written(value: float) -> str:
    """Returns a number with the digits it was written with, never as 7e-05."""
    return format(decimal.Decimal(repr(value)), "f")


@dataclasses.dataclass(frozen=True)
class Published:
    """A value that a paper printed.

    Attributes:
        metric: what it is of: 'train_', 'val_', 'test_' or 'external_' (of the data set that
            --external names) with 'accuracy' or 'loss', or with 'precision', 'recall', 'f1' or
            'auc' (macro means over classes, AUC one-vs-rest); 'test_recall_happy' for a class's own
            precision, recall, f1 or auc, and 'test_share_happy' for the share of all images that
            is answered 'happy'; 'binary_' before any of them for the summed probability of
            `Experiment.positive` against .5, whose classes are 'positive' and 'negative';
            'val_relative_gain' of a head: its accuracy less its network's, as a share of the
            network's, and 'val_network_accuracy' the latter itself.
        value: in [0, 1], or nats for a loss; a gain may be below 0.
        sd: sample standard deviation over `n` runs; None for a single run.
        n: runs it is the mean of.
        where: 'table 3', 'figure 9', 'section 4.2'.
        weights: which of ours it is held against: 'last', those of the last epoch, which the papers
            mostly report, or 'best', those that validation chose.
        digits: decimals it was printed with, which say how far it is rounded. None: as many as
            Python writes `value` with, so .569 has three; name them where the last one printed is
            0, as in .60, or where `value` was computed
            from printed ones.
        about: whether the paper says 'about' or 'approximately', so that its rounding says little.
        low, high: the smallest and largest of its `n` runs; None where not printed.
        variance: over its `n` runs, as printed; None where not printed.
    """

    metric: str
    value: float
    sd: float | None = None
    n: int = 1
    where: str = ""
    weights: str = "last"
    digits: int | None = None
    about: bool = False
    low: float | None = None
    high: float | None = None
    variance: float | None = None

    @property
    def decimals(self) -> int:
        """The decimals: `digits`, else those of `value` in Python; 0 where nothing was printed."""
        if self.digits is not None:
            return self.digits
        exponent = decimal.Decimal(repr(self.value)).as_tuple().exponent
        return -exponent if isinstance(exponent, int) else 0

    @property
    def rounding(self) -> float:
        """How far the unrounded value may be from `value`: half a unit of the last printed digit.

        It is a whole unit where the paper says 'about'.
        """
        return (1.0 if self.about else 0.5) * 10.0**-self.decimals

    @property
    def text(self) -> str:
        """The value as printed, with its spread and its runs; empty where nothing was.

        'about 0.68', '0.60682 ± 0.03682 (5 runs)'.
        """
        if not math.isfinite(self.value):
            return ""
        found = f"{'about ' * self.about}{self.value:.{self.decimals}f}"
        found += "" if self.sd is None else f" ± {as_written(self.sd)}"
        return found + (f" ({self.n} runs)" if self.n > 1 else "")


@dataclasses.dataclass(frozen=True)
class PublishedMatrix:
    """A confusion matrix that a paper printed.

    Attributes:
        split: 'train', 'val', 'test' or 'external', as in `Published.metric`; with 'binary_' before
            it the matrix of `Experiment.positive` against the rest.
        classes: names in the order of its rows and columns, in any spelling.
        counts: a row for each true class, a column for each answer: images, or shares of the row's
            images, which sum to 1.
        where: 'table 4', 'figure 26'.
        weights: as in `Published`.
        note: what a reader must know, such as 'sums to 3,654, not 3,589'.
    """

    split: str
    classes: tuple[str, ...]
    counts: tuple[tuple[float, ...], ...]
    where: str = ""
    weights: str = "last"
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Conditions:
    """The conditions under which a published value may be called reproduced or missed.

    None is unpublished. What is unpublished weakens a verdict, which then speaks of the spread over
    our choices, and forbids none.

    Attributes:
        data: `data.name`.
        split: `data.split`.
        classes: names the classes have in training, after merging, in any order and spelling.
        epochs: of the published run.
        exact: whether the paper's very split can be had: false where it drew one at random or by
            unpublished rules, so that the seed of ours is a choice.
        unpublished: what else is unpublished and changes results, in words: ('strength of the
            augmentation',).
    """

    data: str
    split: str
    classes: tuple[str, ...]
    epochs: int | None = None
    exact: bool = True
    unpublished: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Experiment:
    """One row, or several with the same settings, of a paper's tables.

    Attributes:
        name: as the study's table calls it, such as 'scenario 5: happy, neutral, sad'.
        config: config file with variants, relative to the repository:
            'configs/silvestro.py:scenario5'. A scale adds its word (`smoke`, `full`).
        overrides: dotted name -> value on top of it. Experiments with the same config and overrides
            are one sweep. Below full scale those of `SIZES` do not count.
        point: dotted name -> value of swept fields that picks this experiment's point out of the
            sweep; empty if it has one. Below full scale a sweep without that point gives its first.
        best: whether the experiment is a search: of all points with the values of `point` it means
            the one that validation ranks first in our run, by the sweep's train.select.
        published: its values; () where the paper only drew curves.
        conditions: of the paper.
        positive: class names whose probabilities are summed for 'binary_' metrics.
        matrices: its confusion matrices.
        external: for people, the data set and splits that its 'external_' metrics are of, such as
            "FER-2013's test folder".
        own_best: whether its figure is that of the best point of a sweep, so that our own best
            point by the same metric stands beside our value at theirs.
        smoke: whether --scale=smoke runs it.
        note: what a reader must know, such as 'dropout rate unpublished: our choice'.
    """

    name: str
    config: str
    published: tuple[Published, ...]
    conditions: Conditions
    overrides: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    point: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    best: bool = False
    positive: tuple[str, ...] = ()
    matrices: tuple[PublishedMatrix, ...] = ()
    external: str = ""
    own_best: bool = False
    smoke: bool = False
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Study:
    """Everything a paper ran that can be repeated here; a file of `sweeps/` holds one as `STUDY`.

    Attributes:
        name: short name, such as 'silvestro'.
        title: authors, title, place and year.
        experiments: in the paper's order.
    """

    name: str
    title: str
    experiments: tuple[Experiment, ...]
