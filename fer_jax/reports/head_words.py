"""What heads on trained networks came to, in words."""

from __future__ import annotations

import math

from fer_jax.analysis.ranking import METRIC_NAMES, Ranking, metric_text
from fer_jax.reports import copy_words

_WEIGHTS = {"best": "the weights that validation chose", "last": "the weights of the last epoch"}


def sentences(ranking: Ranking) -> list[str]:
    """Returns what the fits say against the networks they stand on; plain text.

    Args:
        ranking: of the fits, see `fits.rank_heads`.
    """
    networks, fits = ranking.trials["id"].nunique(), len(ranking.trials)
    weights = " or ".join(_WEIGHTS[one] for one in _WEIGHTS if (ranking.trials["head.weights"] == one).any())
    found = [
        f"{fits} fits on the features of {networks} trained networks, at {weights}, without dropout; no network was "
        "trained for them."
    ]
    if not len(ranking.ranked):
        return [*found, "No fit is done yet."]
    best = ranking.best
    row = ranking.points.loc[best]
    n, gain = int(row["n"]), float(row["val_accuracy_gain_mean"])
    found.append(
        f"Best of {len(ranking.ranked)} head settings by mean {METRIC_NAMES[ranking.metric]}: "
        f"{ranking.best_words}; validation accuracy {_accuracy(ranking, 'val_accuracy')}"
        + (f"; test accuracy {_accuracy(ranking, 'test_accuracy')}" if ranking.has_test else "")
        + "."
    )
    found += copy_words.of_heads(ranking)
    clean = float(row.get("val_accuracy_clean_gain_mean", math.nan))
    against = (
        f"Against its own networks' output, on the same images and weights, that is {gain:+.4f} validation accuracy"
    )
    against += "" if math.isnan(clean) else f" ({clean:+.4f} without copies)"
    if n < 2:
        return [*found, f"{against} (one network: no spread can be given)."]
    low, high = float(row["val_accuracy_gain_low95"]), float(row["val_accuracy_gain_high95"])
    apart = (
        "the heads cannot be told from the networks"
        if low <= 0 <= high
        else "more than the spread over networks explains"
    )
    found.append(f"{against}, 95 % interval {low:+.4f} to {high:+.4f} (paired, Student, n = {n}): {apart}.")
    if len(ranking.ranked) > 1:
        found.append(
            "It is the best of its list on the images it was chosen by: the gain of a setting named beforehand is "
            "smaller."
        )
    return found


def _accuracy(ranking: Ranking, metric: str) -> str:
    return metric_text(ranking, ranking.best, metric) + copy_words.beside(ranking, ranking.best, metric)
