"""Groups: images that belong together, such as those of one person, and never part.

Splits are dealt out group by group here, and counted is who stands on both sides of splits that a
source has. An image without a group is one by itself. All sums are of integers, so that a split is
the same on every machine.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

ALONE = -1  # part of an image that no other belongs to
_SCALE = 1 << 20  # of costs
_LARGEST_SEARCH = 1_000_000  # groups times parts up to which a deal is improved
_MOVES = 200


def numbers(groups: Sequence[str]) -> np.ndarray:
    """Returns a number for each group, in order of appearance, int64 (n,); '' is nobody else's."""
    known: dict[str, int] = {}
    found = (known.setdefault(group, len(known)) if group else -1 for group in groups)
    numbered = np.fromiter(found, np.int64, len(groups))
    alone = numbered < 0
    numbered[alone] = len(known) + np.arange(np.count_nonzero(alone))
    return numbered


def deal(labels: np.ndarray, groups: np.ndarray, wanted: np.ndarray, seed: int) -> np.ndarray:
    """Deals groups of two images and more out to parts, near the number of each class wanted.

    Groups come by size, those of one power of two in an order that follows from the seed. Each goes
    where it brings the classes nearest to their shares (least squares, each relative to its share),
    and some are moved afterwards: first so that no class lacks in a part, then for the shares.

    Args:
        labels: int, shape (n,), indices of classes.
        groups: int, shape (n,), equal for images that belong together.
        wanted: int, shape (parts, classes): images of each class in each part.
        seed: `data.seed`.

    Returns:
        The part of each image, int64 (n,); `ALONE` for one whose group has no other.
    """
    parts = np.full(len(labels), ALONE, np.int64)
    shared = np.bincount(groups)[groups] > 1 if len(groups) else np.zeros(0, bool)
    if not shared.any():
        return parts
    _, first, number = np.unique(groups[shared], return_index=True, return_inverse=True)
    # Numbered by appearance, whatever their names are.
    number = np.argsort(np.argsort(first))[number]
    counts = np.zeros((len(first), wanted.shape[1]), np.int64)
    np.add.at(counts, (number, labels[shared]), 1)
    weights = _SCALE // np.maximum(wanted, 1)
    part = _dealt(counts, wanted, weights, seed)
    if len(counts) * len(wanted) <= _LARGEST_SEARCH:
        _improve(counts, wanted, weights, part)
    parts[shared] = part[number]
    return parts


def _dealt(counts: np.ndarray, wanted: np.ndarray, weights: np.ndarray, seed: int) -> np.ndarray:
    """Returns the part of each group of which `counts` has the images of each class."""
    order = np.random.RandomState([seed, zlib.crc32(b"groups")]).permutation(len(counts))
    sizes = np.frexp(counts.sum(1))[1]  # the exponent: one for 2 and 3, one for 4 to 7, ...
    missing = wanted.copy()
    part = np.zeros(len(counts), np.int64)
    for group in order[np.argsort(-sizes[order], kind="stable")].tolist():
        own = counts[group]
        part[group] = np.argmin((own * (own - 2 * missing) * weights).sum(1))
        missing[part[group]] -= own
    return part


def _improve(counts: np.ndarray, wanted: np.ndarray, weights: np.ndarray, part: np.ndarray) -> None:
    """Moves groups one by one, in place, while that fills a part that lacks a class, or helps."""
    has, every = counts > 0, np.arange(len(counts))
    filled = np.zeros_like(wanted)
    np.add.at(filled, part, counts)
    for _ in range(_MOVES):
        over = filled - wanted
        leaving = (counts * (counts - 2 * over[part]) * weights[part]).sum(1)
        coming = (counts**2) @ weights.T + 2 * counts @ (weights * over).T
        gain = coming + leaving[:, None]
        emptied = (has & (filled[part] == counts)).sum(1)
        lacking = emptied[:, None] - has.astype(np.int64) @ (filled == 0).T.astype(np.int64)
        lacking[every, part] = 1  # to stay is no move
        fewest = min(0, int(lacking.min()))
        gain[lacking > fewest] = np.iinfo(np.int64).max
        group, to = np.unravel_index(np.argmin(gain), gain.shape)
        if lacking[group, to] > fewest or (fewest == 0 and gain[group, to] >= 0):
            return
        filled[part[group]] -= counts[group]
        filled[to] += counts[group]
        part[group] = to


def summary(groups: Sequence[str], rows: Mapping[str, np.ndarray], rule: str) -> dict[str, Any]:
    """Returns what provenance says of groups, as JSON values.

    Args:
        groups: of all images of the source, '' for none.
        rows: numbers of the images of each split, by its name.
        rule: `data.group`, '' where a list or a pattern names groups.

    Returns:
        "rule"; "count" of groups among these images; "images" and how many are "alone" in none;
        "shared": for validation and test, where there are any and train, how many images ("shared")
        of how many ("of") share a group with training.
    """
    used = np.concatenate(list(rows.values()))
    named = [groups[row] for row in used.tolist() if groups[row]]
    trained = {groups[row] for row in rows.get("train", np.zeros(0, np.int64)).tolist()} - {""}
    shared = {
        name: {"shared": sum(groups[row] in trained for row in part.tolist()), "of": len(part)}
        for name, part in rows.items()
        if name in ("validation", "test") and len(part) and len(rows.get("train", ()))
    }
    return {
        "rule": rule,
        "count": len(set(named)),
        "images": len(used),
        "alone": len(used) - len(named),
        "shared": shared,
    }
