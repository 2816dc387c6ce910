"""What a curve may still come to: an ensemble of power laws, and who is unlikely to win.

Weighted ensembles of families of curves, fitted to the first epochs, are of Domhan, Springenberg
and Hutter (IJCAI 2015), who drop a network that is unlikely to come up to the best one; that power
laws alone do for most curves is of Kadra, Janowski, Wistuba and Grabocka (NeurIPS 2023), and that
a posterior over a prior of curves can be had without Markov chains of Adriaensen, Rakotoarison,
Müller and Hutter (NeurIPS 2023). Here it is a grid of power laws small enough to weigh all of it.
"""

from __future__ import annotations

import dataclasses

import numpy as np

FEWEST_EPOCHS = 3  # two do not tell a slope from noise

# The curves: y(t) = y(T) + rise * (T^-c - t^-c) / (T^-c - end^-c), where T is the last epoch so far
# and `rise` what is still to come by the end. With c below 0 they bend upwards: what has not taken
# off yet, of which the first epochs tell next to nothing.
POWERS = np.array([-4.0, -2.0, -1.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0])
# Rises as shares of what is left to the ceiling. They lie closer together where most are.
RISES = (np.arange(64) / 63) ** 2
# Before a curve is seen its noise is taken for .01, as sure as one epoch would make of it.
NOISE, NOISE_EPOCHS = 0.01, 1.0
DRAWS, SPANS = 512, 6


@dataclasses.dataclass(frozen=True)
class Forecast:
    """What points may have reached by the end of their training.

    Attributes:
        draws: (points, draws), each point's sorted: equally likely best scores at the end. NaN for
            points with fewer than `FEWEST_EPOCHS` epochs.
    """

    draws: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """The expected best score of each point, (points,)."""
        return self.draws.mean(1)

    def quantile(self, share: float) -> np.ndarray:
        """Returns what each point stays below with probability `share`, (points,)."""
        return np.quantile(self.draws, share, axis=1)


def forecast(curves: np.ndarray, end: int, ceiling: float = 1.0) -> Forecast:
    """Returns the best score that each point may have at the end, from its curve so far.

    A point's forecast depends on its own curve alone, and is the same in every call. It leans to
    hope: what a curve comes to is above the 95 % quantile in fewer than one case of twenty, and
    more often below the 5 % one, since whoever is thought too good costs epochs only.

    Args:
        curves: (points, epochs so far), higher is better, such as validation accuracy in [0, 1];
            NaN from the epoch on that a point has not been trained to.
        end: the epochs of the whole training.
        ceiling: no score is above it: 1 for an accuracy, 0 for a negated loss.
    """
    curves = np.asarray(curves, float)
    lengths = np.isfinite(curves).cumprod(axis=1).sum(axis=1)
    draws = np.full((len(curves), DRAWS), np.nan)
    for length in np.unique(lengths[lengths >= FEWEST_EPOCHS]):
        alike = lengths == length
        draws[alike] = _draws(curves[alike, :length], end, ceiling)
    return Forecast(draws)


def _draws(curves: np.ndarray, end: int, ceiling: float) -> np.ndarray:
    """Returns the sorted draws of curves that are equally long and have no gaps."""
    length = curves.shape[1]
    reached = curves.max(axis=1, keepdims=True)
    if length >= end:
        return np.repeat(reached, DRAWS, axis=1)
    epochs, powers = np.arange(1, end + 1.0), POWERS[:, None]
    shapes = length**-powers - epochs**-powers  # (powers, end)
    shapes /= shapes[:, -1:]  # 0 now, 1 at the end
    counts = epochs[:length] / epochs[:length].sum()  # early epochs tell less of the end
    size = 1 / (counts**2).sum()  # as many epochs that count alike
    freedom = size - 1 + NOISE_EPOCHS
    level, shape_level = _means(curves, counts), _means(shapes[:, :length], counts)
    rises = RISES * np.maximum(ceiling - level, 0)[:, None]  # (points, rises)
    squares = size * _squares(curves, shapes[:, :length], rises, counts) + NOISE_EPOCHS * NOISE**2
    # The likelihood without level and noise, which are integrated out: flat priors of both (the
    # noise's of its logarithm), and the epoch of `NOISE`.
    weights = np.log(_prior(end / length)) - freedom / 2 * np.log(squares)
    weights = np.exp(weights - weights.max(axis=(1, 2), keepdims=True))

    rng = np.random.default_rng(length)  # the same for all points, so that none depends on another
    chosen = _drawn(weights.reshape(len(curves), -1), rng.permutation((np.arange(DRAWS) + 0.5) / DRAWS))
    power, which = np.divmod(chosen, len(RISES))
    rows = np.arange(len(curves))[:, None]
    rise = rises[rows, which]
    noise = np.sqrt(squares[rows, power, which] / rng.chisquare(freedom, DRAWS))
    now = level[:, None] - rise * shape_level[power] + noise * rng.standard_normal(DRAWS) / np.sqrt(size)
    # The best of the noisy epochs to come: of each span of them its last, with the luckiest noise.
    last = np.unique(np.geomspace(length, end, SPANS + 1).round().astype(int))
    luck = np.maximum.reduceat(rng.standard_normal((DRAWS, end - length)), last[:-1] - length, axis=1)
    best = reached
    for span, epoch in enumerate(last[1:]):
        best = np.maximum(best, now + rise * shapes[:, epoch - 1][power] + noise * luck[:, span])
    return np.sort(np.minimum(best, np.maximum(ceiling, reached)), axis=1)


def _means(rows: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Returns the weighted mean of each row, to the last bit the same whatever rows are beside it,
    which a matrix product does not promise.
    """
    return (rows * counts).sum(axis=1)


def _prior(longer: float) -> np.ndarray:
    """Returns the weights of powers and rises before a curve is seen, (powers, rises).

    Two curves in five do not rise any more; of the others any rise is as likely while the training
    becomes at least four times as long as it is, and the less, the fewer doublings are to come. As
    does the chance that it has yet to take off: an eighth a doubling.

    Args:
        longer: the end's epoch over the last one so far, above 1.
    """
    doublings = np.log2(longer)
    bent = min(0.4, doublings / 8)
    powers = np.where(POWERS < 0, bent / (POWERS < 0).sum(), (1 - bent) / (POWERS > 0).sum())
    rises = np.gradient(RISES) * (1 - RISES) ** max(0.0, 2 / doublings - 1)
    rises = 0.6 * rises / rises.sum() + 0.4 * (RISES == 0)
    return powers[:, None] * np.maximum(rises, 1e-300)


def _squares(curves: np.ndarray, shapes: np.ndarray, rises: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Returns the weighted mean squares that each rise of each power leaves, with the best level.

    Args:
        curves: (points, epochs); `shapes`: (powers, epochs); `rises`: (points, rises).
        counts: weights of the epochs, (epochs,), which sum to 1.

    Returns:
        (points, powers, rises).
    """
    curves = curves - _means(curves, counts)[:, None]
    shapes = shapes - _means(shapes, counts)[:, None]
    own, spread = _means(curves**2, counts), _means(shapes**2, counts)
    shared = np.stack([_means(curves * shape, counts) for shape in shapes], axis=1)
    rise = rises[:, None, :]
    return np.maximum(own[:, None, None] - 2 * rise * shared[:, :, None] + rise**2 * spread[:, None], 0)


def _drawn(weights: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Returns for each row of weights the choices that uniform numbers stand for, (rows, draws)."""
    sums = np.cumsum(weights, axis=1)
    sums /= sums[:, -1:]
    offsets = np.arange(len(sums))[:, None]
    found = np.searchsorted((sums + offsets).ravel(), (uniform + offsets).ravel()).reshape(len(sums), -1)
    return np.clip(found - offsets * weights.shape[1], 0, weights.shape[1] - 1)


def unlikely(curves: np.ndarray, end: int, level: float = 0.05, ceiling: float = 1.0) -> np.ndarray:
    """Returns which points are unlikely to come up to the best of the field by the end.

    That is the point with the best score so far; it is forecast like the others, and what counts is
    the probability that a point ends at least where it does. The leader itself is never unlikely,
    nor is a point with fewer than `FEWEST_EPOCHS` epochs.

    Args:
        curves, end, ceiling: see `forecast`.
        level: a probability below this is unlikely.

    Returns:
        bool (points,).
    """
    curves = np.asarray(curves, float)
    found = forecast(curves, end, ceiling).draws
    known = np.isfinite(found[:, 0])
    reached = np.where(known, np.fmax.reduce(curves, axis=1, initial=-np.inf), -np.inf)
    leader = int(np.argmax(reached)) if len(curves) else 0
    if not known.any() or np.nanmax(curves) > reached[leader]:
        return np.zeros(len(curves), bool)  # who leads is not known well enough
    chance = np.searchsorted(found[leader], found, side="right").mean(axis=1) / DRAWS
    result = known & (chance < level)
    result[leader] = False
    return result
