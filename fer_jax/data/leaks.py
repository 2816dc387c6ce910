"""Leaks: images validated or tested on that have a copy among those learned or chosen from.

An image of the validation split is leaked if it has a copy in train, one of the test split if it
has a copy in train or validation. Labels do not enter: a copy that bears another label there is a
leak as well, of the wrong answer.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fer_jax.data import duplicates
from fer_jax.data.duplicates import Copies, Whole

EARLIER = {"validation": ("train",), "test": ("train", "validation")}


def leaked(rows: Mapping[str, np.ndarray], copies: Copies) -> dict[str, np.ndarray]:
    """Returns which images of each split are leaked.

    Args:
        rows: numbers of the images of each split, by its name; train is among them.
        copies: which images are copies; those of near copies count if it holds any.

    Returns:
        Split name -> bool, shape (n,), in the order of `rows`, for those of validation and test
        that exist.
    """
    return {
        name: copies.found(rows[name], np.concatenate([rows[other] for other in earlier if other in rows]))
        for name, earlier in EARLIER.items()
        if name in rows
    }


def accuracy_without(right: np.ndarray, leaked: np.ndarray) -> np.ndarray:
    """Returns the accuracy on the images that are not leaked.

    Args:
        right: whether each answer is right, bool, shape (..., n).
        leaked: which images are leaked, bool, shape (n,).

    Returns:
        float64, shape (...,), in [0, 1]; NaN where every image is leaked.
    """
    kept = right[..., ~leaked]
    return kept.mean(axis=-1) if kept.shape[-1] else np.full(kept.shape[:-1], np.nan)


def drop(
    kind: str, images: np.ndarray, rows: Mapping[str, np.ndarray], whole: Whole | None = None
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Leaves leaked images out of validation and test; training keeps all of its own.

    The copy that is evaluated on goes, not the one that is trained on: what is trained on is then
    the same with and without `data.drop_leaks`, so that the two accuracies differ by the images
    asked and nothing else. Splits are held against each other as they were, so a test image goes
    also if the copy of it in validation goes. Copies within one split stay, with whatever labels
    they have.

    Args:
        kind: 'exact', or 'near' for near copies as well; see `duplicates`.
        images: all images of the source.
        rows: rows of each split, by its name.
        whole: the whole of those images that are not square.

    Returns:
        Rows of each split, and how many were dropped from validation and test.
    """
    found = leaked(rows, duplicates.find([images], kind == "near", [whole]))
    kept = {name: part[~found[name]] if name in found else part for name, part in rows.items()}
    return kept, {name: int(gone.sum()) for name, gone in found.items()}
