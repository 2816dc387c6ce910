"""Points of a sweep against each other: two in every way, and all against the best.

Every point trains with the same seeds, so that two points are compared seed by seed (common random
numbers): what a seed does to both of them alike, such as the order of the images, drops out of
the difference. Under data.split = kfold the same holds of folds, and under sweep.seeds_of = split
of splits; under everything, of both. Where each point has one seed there is no spread over seeds,
and its network is compared with the best point's image by image.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from fer_jax.analysis import against_published, significance, statistics
from fer_jax.analysis.answers import Answers
from fer_jax.analysis.comparable import lower_is_better
from fer_jax.analysis.significance import Paired

LEVEL = 0.05
# What `against_best` calls its tests.
PAIRED_T, MCNEMAR = "paired t", "McNemar"


@dataclasses.dataclass(frozen=True)
class PointComparison:
    """Two points compared by one metric.

    Attributes:
        metric: such as 'val_accuracy'.
        a, b: the points in words.
        unit: what pairs are: 'seed', 'fold' or 'split'.
        n_a, n_b: done trials of each point, paired or not.
        mean_a, mean_b: over these.
        paired: of a minus b over the seeds that both have done.
        welch: two-sided p of Welch's test, which ignores the pairs; NaN below two trials on either
            side, and for folds.
        wilcoxon: two-sided p of the signed-rank test over the pairs; NaN below
            `significance.WILCOXON_FROM` pairs, and for folds.
        pictures: a row a pair: seed, split, pictures, only_a and only_b (images that only one of
            the points gets right), p (McNemar, mid-p) and p_holm (Holm's correction over the rows).
            No rows where no predictions are kept.
        units: what pairs are, of several, such as 'seeds of the initial weights'.
        overlap: as for `compare`.
    """

    metric: str
    a: str
    b: str
    unit: str
    n_a: int
    n_b: int
    mean_a: float
    mean_b: float
    paired: Paired
    welch: float
    wilcoxon: float
    pictures: pd.DataFrame
    units: str = "seeds"
    overlap: float = 0.0

    @property
    def told_apart(self) -> bool:
        """Whether the paired test finds a difference at 5 %; False with too few pairs to test."""
        return self.paired.p <= LEVEL

    @property
    def words(self) -> str:
        """The whole comparison in a few sentences."""
        return " ".join(filter(None, (self._means(), self._pairs(), self._unpaired(), self._pictures())))

    def __str__(self) -> str:
        return self.words

    def _means(self) -> str:
        sides = ((self.a, self.mean_a, self.n_a), (self.b, self.mean_b, self.n_b))
        said = " against ".join(f"{name}: {mean:.4f} (n = {n})" for name, mean, n in sides)
        return f"{self.metric} of {said}."

    def _pairs(self) -> str:
        found, units = self.paired, self.units
        if not found.pairs:
            return f"They have no done {self.unit} in common: nothing to pair."
        if found.pairs == 1:
            limit = f"no spread over {units} to judge it by" if len(self.pictures) else "nothing can be told apart"
            return f"One {self.unit} in common, difference {found.mean:+.4f}: {limit}."
        if math.isnan(found.p):
            same = f"In all {found.pairs} {units} in common the difference is {found.mean:+.4f}"
            return f"{same}: there is no spread to judge it by."
        low, high, p = found.low, found.high, p_text(found.p)
        kind = f"Student, corrected for overlapping {units}" if self.overlap else "Student"
        if self.told_apart:
            better = self.a if (found.mean < 0) == lower_is_better(self.metric) else self.b
            outcome = f"{better} is better"
        else:
            outcome = "they cannot be told apart"
        return (
            f"Over {found.pairs} {units} in common the difference is {found.mean:+.4f}, "
            f"95 % interval {low:+.4f} to {high:+.4f} ({kind}, paired, {p}): {outcome}."
        )

    def _unpaired(self) -> str:
        parts = [] if math.isnan(self.welch) else [f"Without pairing, Welch {p_text(self.welch)}"]
        if not math.isnan(self.wilcoxon):
            parts.append(f"Wilcoxon signed-rank {p_text(self.wilcoxon)}")
        return "; ".join(parts) + "." * bool(parts)

    def _pictures(self) -> str:
        rows = self.pictures
        if not len(rows):
            return ""
        apart = int((rows["p_holm"] <= LEVEL).sum())
        return (
            f"On the {rows['split'].iloc[0]} pictures McNemar's test tells the two networks of a {self.unit} apart "
            f"in {apart} of {len(rows)} {self.unit}s (5 %, Holm)."
        )


def compare(
    metric: str,
    names: tuple[str, str],
    values: tuple[Mapping[int, float], Mapping[int, float]],
    pictures: pd.DataFrame | None = None,
    overlap: float = 0.0,
    unit: str = "seed",
    units: str = "seeds",
) -> PointComparison:
    """Returns two points compared by their trials' values.

    Args:
        metric: what the values are.
        names: the points in words.
        values: seed -> value of each point's done trials; values that are not finite are left out.
        pictures: as `PointComparison.pictures`, without p_holm; None for none.
        overlap: `statistics.fold_overlap`; above 0 the trials share training images, and only the
            corrected paired test is made: Welch and Wilcoxon suppose independent trials.
        unit, units: what one trial of a point differs in, and several; see `varied`.
    """
    a, b = ({seed: float(value) for seed, value in side.items() if math.isfinite(value)} for side in values)
    common = [seed for seed in a if seed in b]
    differences = np.array([a[seed] - b[seed] for seed in common])
    table = (
        pd.DataFrame(columns=["seed", "split", "pictures", "only_a", "only_b", "p"]) if pictures is None else pictures
    )
    sides = [np.array(list(side.values())) for side in (a, b)]
    mean_a, mean_b = (float(side.mean()) if len(side) else math.nan for side in sides)
    return PointComparison(
        metric, names[0], names[1], unit, len(a), len(b), mean_a, mean_b,
        paired=significance.paired_t(differences, 1 - LEVEL, overlap),
        welch=math.nan if overlap else _welch(*sides),
        wilcoxon=math.nan if overlap else significance.wilcoxon(differences),
        pictures=table.assign(p_holm=significance.holm(table["p"].to_numpy(np.float64))), units=units, overlap=overlap,
    )  # fmt: skip


def _welch(a: np.ndarray, b: np.ndarray) -> float:
    if min(len(a), len(b)) < 2:
        return math.nan
    return against_published.welch(a.mean(), a.std(ddof=1), len(a), b.mean(), b.std(ddof=1), len(b))


def against_best(
    trials: pd.DataFrame,
    swept: Sequence[str],
    metric: str,
    ranked: Sequence[int],
    overlap: float = 0.0,
    among: np.ndarray | None = None,
    answers: Mapping[str, Answers] | None = None,
) -> pd.DataFrame:
    """Returns every point with a done trial beside the best one.

    Points are compared seed by seed. Where no point has more than one trial, they are compared by
    what these networks answer on the validation images, if `why_untested` has nothing against it.

    Args:
        trials: as for `statistics.summarise`, with `seed`.
        swept: as for `statistics.summarise`.
        metric: column of trials.
        ranked: numbers of the points, in order of first appearance, as `ranking.order_points` ranks
            them: one or more, the best first.
        overlap: `statistics.fold_overlap`.
        among: bool, one a point: those to compare, which `metric` must be able to rank against each
            other; None for all.
        answers: what done trials answer on their validation images, by id; None where that is not
            known.

    Returns:
        A row a point, in the order of `ranked`, then those without a rank: `point` (its number),
        the swept columns, `n`, `mean`, `low95`, `high95` (Student's interval of the mean), `pairs`
        (seeds done by both), `difference` (the point's metric minus the best's over these),
        `difference_low95`, `difference_high95`, `test` (`PAIRED_T`, `MCNEMAR`, or '' where the
        point could not be tested), `p` (two-sided), `p_holm` (corrected over the points that could
        be tested) and `tied`: True where the point cannot be told apart from the best at `LEVEL`,
        as none can be that could not be tested: it shares fewer than two seeds with the best, its
        differences are all the same, or one network each was asked about other images.
        By McNemar's test there are also `pictures`, `only_point` and `only_best`: images asked
        about, and those that only one of the two networks gets right.
    """
    codes, firsts = statistics.point_codes(trials, swept)
    best = ranked[0]
    values = _by_seed(trials, codes, len(firsts), metric)
    count, mean, half, _ = significance.paired_t_rows(values, 0.95, overlap)
    pairs, difference, width, p = significance.paired_t_rows(values - values[best], 0.95, overlap)
    compared = count > 0 if among is None else (count > 0) & among
    by_image: dict[str, np.ndarray] = {}
    if not why_untested(trials, swept, metric, answers):
        by_image, p = _by_image(_networks(trials, codes, len(firsts), answers or {}), best)
    p[~compared] = p[best] = np.nan
    corrected = significance.holm(p)
    table = trials.iloc[firsts][list(swept)].reset_index(drop=True)
    table.insert(0, "point", np.arange(len(firsts)))
    columns = {
        "n": count, "mean": mean, "low95": mean - half, "high95": mean + half, "pairs": pairs, "difference": difference,
        "difference_low95": difference - width, "difference_high95": difference + width, **by_image,
        "test": np.where(np.isnan(p), "", MCNEMAR if by_image else PAIRED_T), "p": p, "p_holm": corrected,
        "tied": ~(corrected <= LEVEL),
    }  # fmt: skip
    table = pd.concat([table, pd.DataFrame(columns)], axis=1)
    order = np.array([*ranked, *(point for point in range(len(firsts)) if point not in set(ranked))])
    return table.iloc[order[compared[order]]].reset_index(drop=True)


def why_untested(trials: pd.DataFrame, swept: Sequence[str], metric: str, answers: Mapping[str, Answers] | None) -> str:
    """Returns why points are not compared by what single networks answer; '' if they are.

    Arguments are as for `against_best`.
    """
    codes, _ = statistics.point_codes(trials, swept)
    if len(codes) and np.bincount(codes).max() > 1:
        return "a point has several trials, which are compared seed by seed"
    if metric != "val_accuracy":
        return f"McNemar's test is of accuracies, and {metric} is what ranks them"
    done = trials["id"][trials["status"] == "done"]
    return "" if any(id in (answers or {}) for id in done) else "no predictions of these networks are stored"


def _networks(
    trials: pd.DataFrame, codes: np.ndarray, points: int, answers: Mapping[str, Answers]
) -> list[Answers | None]:
    """Returns what the one done trial of each point answers; None where that is not known."""
    found: list[Answers | None] = [None] * points
    for id, code, status in zip(trials["id"], codes, trials["status"], strict=True):
        if status == "done":
            found[code] = answers.get(id)
    return found


def _by_image(networks: Sequence[Answers | None], best: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Returns McNemar's test of each network against the best point's.

    Returns:
        Columns of `against_best`, and p, (points,): NaN for networks whose answers are not known,
        or are about other images than the best point's.
    """
    columns = {name: np.full(len(networks), np.nan) for name in ("pictures", "only_point", "only_best")}
    p = np.full(len(networks), np.nan)
    first = networks[best]
    if first is not None:
        alike = [(place, one) for place, one in enumerate(networks) if one is not None and one.images == first.images]
        rows = np.array([place for place, _ in alike])
        tested = significance.mcnemar_rows(first.right, np.stack([one.right for _, one in alike]))
        columns["only_best"][rows], columns["only_point"][rows], p[rows] = tested
        columns["pictures"][rows] = len(first.given)
    return columns, p


def _by_seed(trials: pd.DataFrame, codes: np.ndarray, points: int, metric: str) -> np.ndarray:
    """Returns the metric of done trials as (points, seeds), NaN where there is no such trial."""
    seeds, columns = np.unique(trials["seed"].to_numpy(np.int64), return_inverse=True)
    values = np.full((points, len(seeds)), np.nan)
    done = (trials["status"] == "done").to_numpy(dtype=bool)
    measured = pd.to_numeric(trials[metric]).to_numpy(dtype=np.float64, na_value=np.nan)
    values[codes[done], columns[done]] = measured[done]
    return values


def p_text(p: float) -> str:
    """Returns 'p = 0.013' or 'p < 0.001'."""
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"
