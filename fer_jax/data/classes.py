"""Which classes a data set is used with.

`data.classes` keeps some, `data.merge` joins some of those under new names.
"""

from __future__ import annotations

from collections.abc import Mapping

from fer_jax.data import names
from fer_jax.errors import DataError


def choose_classes(known: tuple[str, ...], wanted: tuple[str, ...]) -> list[int]:
    """Returns the indices into `known`, ascending, of the classes wanted; all if none is named.
    Names may be in any spelling that `names.canonical` knows.

    Raises:
        DataError: the data set has fewer than two classes, or `wanted` names an unknown class or
            only one.
    """
    if not known:
        raise DataError("the data set holds no classes")
    if len(known) < 2:
        raise DataError(
            f"the data set holds one class, {known[0]}: is data.path a class folder instead of the one above it?"
        )
    if not wanted:
        return list(range(len(known)))
    found = set()
    for name in wanted:
        match = names.spelled(name, known)
        if match not in known:
            raise DataError(f"data.classes: no class {name!r}; the data set has {', '.join(known)}")
        found.add(known.index(match))
    if len(found) < 2:
        raise DataError(f"data.classes = {wanted}: names one class; give two or more of {', '.join(known)}")
    return sorted(found)


def merge_classes(
    known: tuple[str, ...], kept: list[int], merges: Mapping[str, tuple[str, ...]]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Joins classes under new names; kept classes that no entry names stay as they are.

    Args:
        known: the data set's class names.
        kept: indices into them that `choose_classes` gave.
        merges: new class name -> names of the classes that become it, in any spelling; see
            `rules.merges`.

    Returns:
        The resulting class names, alphabetical (unmerged ones in the order of `known`, if there is
        nothing to merge), and kept class name -> resulting class name.

    Raises:
        DataError: a class that the data set lacks, that `data.classes` leaves out or that is named
            twice, a new name that another class has, or fewer than two classes left.
    """
    becomes = {known[index]: known[index] for index in kept}
    if not merges:
        return tuple(becomes), becomes
    new: dict[str, tuple[str, ...]] = {}
    for name, parts in merges.items():
        target = names.spelled(name, known)
        if target in new:
            raise DataError(f"data.merge: two new classes are called {target}; join their parts in one entry")
        new[target] = tuple(_part(part, known, becomes) for part in parts)
    merged = [part for parts in new.values() for part in parts]
    for part in merged:
        if merged.count(part) > 1:
            raise DataError(f"data.merge: {part} is named twice; a class can become part of one new class only")
    for target in new:
        if target in becomes and target not in merged:
            raise DataError(
                f"data.merge: {target} is already a class of its own; choose another name or make it a part"
            )
    becomes.update({part: target for target, parts in new.items() for part in parts})
    classes = tuple(sorted(set(becomes.values())))
    if len(classes) < 2:
        raise DataError(f"data.merge leaves one class, {classes[0]}: keep another one or merge fewer")
    return classes, becomes


def _part(name: str, known: tuple[str, ...], kept: Mapping[str, str]) -> str:
    match = names.spelled(name, known)
    if match not in known:
        raise DataError(f"data.merge: no class {name!r}; the data set has {', '.join(known)}")
    if match not in kept:
        raise DataError(f"data.merge: {match} is left out by data.classes; add it there or take it out of data.merge")
    return match
