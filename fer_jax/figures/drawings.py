"""Which figures a report has: of a sweep's points, and of what the best point answered."""

from __future__ import annotations

from fer_jax.analysis.predictions import Predictions
from fer_jax.analysis.ranking import Ranking
from fer_jax.figures import (
    confusion,
    curves,
    effects,
    parallel,
    reliability,
    roc,
    scatter,
    style,
    surfaces,
    tuning_curves,
)

MOST_CLASSES = 16  # beyond them a matrix of numbers cannot be read


def of_sweep(ranking: Ranking) -> list[style.Drawing]:
    """Returns the figures that suit a sweep, in reading order; [] while there are none."""
    made = [
        curves.learning_curves(ranking),
        surfaces.heat_maps(ranking, "val_accuracy"),
        None if ranking.loss_fields else surfaces.heat_maps(ranking, "val_loss"),
        scatter.scatter_3d(ranking),
        effects.main_effects(ranking),
        parallel.draw(ranking),
        tuning_curves.draw(ranking),
    ]
    return [drawing for drawing in made if drawing is not None]


def of_best_point(predictions: Predictions, validation: Predictions | None = None) -> list[style.Drawing]:
    """Returns the figures of what the best point answered: confusion, curves, calibration.

    Of `validation`, where `predictions` are on the test split, there is a matrix too. Matrices are
    left out beyond `MOST_CLASSES` classes, the curves where no class has a rest.
    """
    made = [
        confusion.draw(predictions, validation) if len(predictions.classes) <= MOST_CLASSES else None,
        roc.draw(predictions),
        reliability.draw(predictions),
    ]
    return [drawing for drawing in made if drawing is not None]
