"""Which images train, which validate and which test.

Rows of a source are chosen by usage, or drawn again, as a rule class by class.
Everything here works on labels and usage codes and returns row numbers, so a memory-mapped source
is read only where it is kept. Draws use `numpy.random.RandomState`, whose numbers NumPy has frozen,
and the class names, so that a class is split the same way whether or not other classes are kept.
"""

from __future__ import annotations

import zlib

import numpy as np

from fer_jax.data import grouped
from fer_jax.data.names import NO_USAGE
from fer_jax.errors import DataError

NAMES = ("train", "validation", "test")  # a usage code is an index into these, or NO_USAGE
# Shares of validation and test in percent; training gets the rest.
STRATIFIED = {"stratified_80_10_10": (10, 10), "stratified_70_20_10": (20, 10)}
# What tests is an eighth of what the source trains with: of every class, or of all images together.
EIGHTH, EIGHTH_MIXED = "kaggle_eighth", "kaggle_eighth_mixed"


def assign(
    choice: str,
    labels: np.ndarray,
    usage: np.ndarray,
    classes: tuple[str, ...],
    seed: int,
    folds: int = 5,
    fold: int = 0,
    groups: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Returns the rows of each split.

    Args:
        choice: `data.split`: official, kaggle, kfold, `EIGHTH`, `EIGHTH_MIXED` or one of
            `STRATIFIED`.
        labels: int, shape (n,), indices into `classes`.
        usage: int, shape (n,): 0 train, 1 validation, 2 test, -1 none given.
        classes: class names.
        seed: `data.seed`, 0 to 2**31 - 1; not used by official and kaggle.
        folds, fold: `data.folds`, and which of them validates, 0 to folds - 1; used by kfold only.
        groups: int, shape (n,), equal for images that no drawn split may part; None for none.

    Returns:
        Rows by split name, int64, ascending. Under kaggle there is no test split; validation is all
        that is not training. Under `EIGHTH` and `EIGHTH_MIXED` validation is the same, and a random
        eighth of the training images tests instead. Under kfold there is a test split only where
        the source says so.

    Raises:
        DataError: the source does not say which image belongs to which of the needed splits;
            names the choices that would work.
    """
    groups = np.arange(len(labels)) if groups is None else groups
    if choice in STRATIFIED:
        return _stratify(STRATIFIED[choice], labels, classes, seed, groups)
    if choice == "kfold":
        return _fold(labels, usage, classes, seed, folds, fold, groups)
    found = set(np.unique(usage).tolist())
    usable = _usable(found)
    if choice not in usable:
        raise DataError(f"data.split = {choice}: {_why_not(found)}; choices that work: {', '.join(usable)}")
    rows = {name: np.flatnonzero(usage == code) for code, name in enumerate(NAMES)}
    if choice == "official":
        return rows
    held_out = {"validation": np.flatnonzero(usage > 0)}
    if choice == "kaggle":
        return {"train": rows["train"], **held_out}
    pool = rows["train"]
    if choice == EIGHTH:
        train, test = _eighth(labels[pool], classes, groups[pool], seed)
    else:
        train, test = _eighth(np.zeros(len(pool), np.int64), ("every class",), groups[pool], seed)
    return {"train": pool[train], **held_out, "test": pool[test]}


def _usable(found: set[int]) -> tuple[str, ...]:
    """Returns the choices that a source with these usage codes allows."""
    official = ("official",) if found == {0, 1, 2} else ()
    kaggle = ("kaggle", EIGHTH, EIGHTH_MIXED) if found in ({0, 1, 2}, {0, 1}, {0, 2}) else ()
    return (*official, *kaggle, *STRATIFIED, "kfold")


def _why_not(found: set[int]) -> str:
    if found == {NO_USAGE}:
        return "the source does not say which pictures train and which test"
    if NO_USAGE in found:
        return "the source says of some pictures only whether they train or test"
    missing = [name for code, name in enumerate(NAMES) if code not in found]
    return f"the source has no {' and no '.join(missing)} set"


def _stratify(
    percent: tuple[int, int], labels: np.ndarray, classes: tuple[str, ...], seed: int, groups: np.ndarray
) -> dict[str, np.ndarray]:
    """Deals every class out on its own. Shares are rounded to whole images, but one each at least
    if there are three.
    """
    sizes = np.bincount(labels, minlength=len(classes))
    held_out = [np.minimum(np.maximum(1, (sizes * share + 50) // 100), sizes // 3) for share in percent]
    wanted = np.stack([sizes - held_out[0] - held_out[1], *held_out])
    return dict(zip(NAMES, _dealt(labels, classes, groups, wanted, seed), strict=True))


def _eighth(labels: np.ndarray, classes: tuple[str, ...], groups: np.ndarray, seed: int) -> list[np.ndarray]:
    """Returns the rows of seven eighths and of one, which is rounded to whole images: of each of
    `classes` one at least if there are two.
    """
    sizes = np.bincount(labels, minlength=len(classes))
    held_out = np.minimum(np.maximum(1, (sizes + 4) // 8), sizes // 2)
    return _dealt(labels, classes, groups, np.stack([sizes - held_out, held_out]), seed)


def _dealt(
    labels: np.ndarray, classes: tuple[str, ...], groups: np.ndarray, wanted: np.ndarray, seed: int
) -> list[np.ndarray]:
    """Returns the rows of each part, ascending; `wanted` is int (parts, classes).

    Groups are dealt out first, and single images of every class make up for what they miss; those
    that are left over go to the first part.
    """
    dealt = grouped.deal(labels, groups, wanted, seed)
    parts = [[np.flatnonzero(dealt == code)] for code in range(len(wanted))]
    for label, name in enumerate(classes):
        rows = shuffled(np.flatnonzero((labels == label) & (dealt == grouped.ALONE)), seed, name)
        have = np.bincount(dealt[(labels == label) & (dealt != grouped.ALONE)], minlength=len(wanted))
        missing = np.maximum(0, wanted[1:, label] - have[1:])
        if missing.sum() > len(rows):
            missing = len(rows) * missing // missing.sum()
        ends = np.cumsum([0, *missing])
        for code in range(len(missing)):
            parts[1 + code].append(rows[ends[code] : ends[code + 1]])
        parts[0].append(rows[ends[-1] :])
    return [np.sort(np.concatenate(rows)) for rows in parts]


def _fold(
    labels: np.ndarray,
    usage: np.ndarray,
    classes: tuple[str, ...],
    seed: int,
    folds: int,
    fold: int,
    groups: np.ndarray,
) -> dict[str, np.ndarray]:
    """Returns one fold of all that is not test; each fold holds as many images of a class as any.

    A class of n images gives n // folds of them to every fold; the n % folds that are left over
    train in all of them. So all folds have equal sizes, and one compiled program serves them.
    Groups are dealt out first, after which the sizes are as near as single images make them.
    """
    code = NAMES.index("test")
    pool = np.flatnonzero(usage != code)
    own = labels[pool]
    wanted = np.tile(np.bincount(own, minlength=len(classes)) // folds, (folds, 1))
    dealt = grouped.deal(own, groups[pool], wanted, seed)
    alone = dealt == grouped.ALONE
    validation = [pool[dealt == fold]]
    for label, name in enumerate(classes):
        rows = shuffled(pool[(own == label) & alone], seed, f"folds {name}")
        have = np.bincount(dealt[(own == label) & ~alone], minlength=folds)
        level = int(wanted[0, label])
        while np.maximum(0, level - have).sum() > len(rows):
            level -= 1
        ends = np.cumsum([0, *np.maximum(0, level - have)])
        validation.append(rows[ends[fold] : ends[fold + 1]])
    held_out = np.sort(np.concatenate(validation))
    found = {"train": np.setdiff1d(pool, held_out), "validation": held_out}
    test = np.flatnonzero(usage == code)
    return {**found, "test": test} if len(test) else found


def subset(rows: np.ndarray, labels: np.ndarray, classes: tuple[str, ...], fraction: float, seed: int) -> np.ndarray:
    """Returns a share of the given rows, ascending: about the same share of every class. At least
    one image of each class stays.

    The whole is rounded, not each class: 49 / 50,000 of ten classes of 5,000 is 49 images, five
    each of nine classes and four of the last. How many a class gets is Webster's rule of
    apportionment: the j-th image of a class of n comes when the share reaches (j - 1/2) / n. A
    class that has none then gets one on top. So a larger fraction contains every smaller one of the
    same seed.

    Args:
        rows: row numbers of one split.
        labels: int, shape (n,), of the whole source.
        classes: class names.
        fraction: `data.fraction`, above 0, at most 1.
        seed: `data.seed`.
    """
    if fraction == 1 or not len(rows):
        return rows
    orders = [shuffled(rows[labels[rows] == label], seed, f"fraction {name}") for label, name in enumerate(classes)]
    turns = np.concatenate([(np.arange(len(order)) + 0.5) / len(order) for order in orders if len(order)])
    chosen = np.argsort(turns, kind="stable")[: int(len(turns) * fraction + 0.5)]
    firsts = [order[:1] for order in orders]
    return np.unique(np.concatenate([np.concatenate(orders)[chosen], *firsts]))


def shuffled(rows: np.ndarray, seed: int, purpose: str) -> np.ndarray:
    """Returns the rows in an order that follows from seed, purpose and their number alone."""
    order = np.random.RandomState([seed, zlib.crc32(purpose.encode())]).permutation(len(rows))
    return rows[order]
