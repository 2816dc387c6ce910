"""How much an image is like those a network was trained on, from its logits.

Scores are high for images like the training data. A network's probabilities say which of its
classes fits best, and sum to 1 for a teapot too; the scores ask how strongly any class speaks at
all.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

from fer_jax.config.choices import LIKENESS
from fer_jax.errors import RunError

# Share of the validation images that lie below the threshold: Liu et al. keep 95 % of what is
# known.
BELOW = 0.05


def energy(logits: np.ndarray) -> np.ndarray:
    """Returns the log of the sum of exp(logit), float64 (...,) for (..., K).

    It is the negative free energy at temperature 1.

    Liu, Wang, Owens and Li 2020 (Energy-based Out-of-distribution Detection), -E(x; f) of section 3
    with T = 1.
    """
    return special.logsumexp(np.asarray(logits, np.float64), axis=-1)


def max_logit(logits: np.ndarray) -> np.ndarray:
    """Returns the largest logit, float64 (...,) for (..., K).

    Hendrycks et al. 2022 (Scaling Out-of-Distribution Detection for Real-World Settings),
    'MaxLogit'.
    """
    return np.asarray(logits, np.float64).max(axis=-1)


SCORES: dict[str, Callable[[np.ndarray], np.ndarray]] = dict(zip(LIKENESS, (energy, max_logit), strict=True))


def score(kind: str, logits: np.ndarray) -> np.ndarray:
    """Returns the score `kind` of logits (..., K), float64 (...,); RunError for another kind."""
    check(kind)
    return SCORES[kind](logits)


def check(kind: str) -> None:
    """Raises RunError where `kind` is not the name of a score."""
    if kind not in SCORES:
        raise RunError(f"score = {kind!r}: must be {' or '.join(map(repr, SCORES))}")


def threshold(scores: np.ndarray) -> float:
    """Returns the score that a share BELOW of the validation images do not reach.

    What scores less is unlike them.

    Args:
        scores: of the validation images, (n,), n > 0.
    """
    return float(np.quantile(scores, BELOW))
