"""What the parts of a run are called that are not ranked against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fer_jax.analysis import comparable
from fer_jax.analysis.ranking import Ranking


def part_names(parts: Sequence[Ranking]) -> list[str]:
    """Returns what tells the parts of a run apart that are not ranked against each other.

    Such as '2 classes (happy, sad)' or 'focal gamma 2'.
    """
    classes = [[str(name) for name in part.data.get("classes") or ()] for part in parts]
    merged = [part.data.get("merged") or {} for part in parts]
    told = [part.describe(0, _constant(part)) if _constant(part) else "" for part in parts]
    if any((classes[0], merged[0]) != other for other in zip(classes, merged, strict=True)):
        listed = [", ".join(_origin(name, old) for name in names) for names, old in zip(classes, merged, strict=True)]
        sets = [f"{len(names)} classes ({words})" for names, words in zip(classes, listed, strict=True)]
        told = told if len(set(told)) > 1 else [""] * len(parts)
        return [", ".join(filter(None, pair)) for pair in zip(sets, told, strict=True)]
    return told


def _constant(part: Ranking) -> list[str]:
    """Returns the swept fields of loss and held-out images that do not differ within a part."""
    names = (*comparable.PICTURE_FIELDS, *comparable.loss_fields("val_loss"))
    return [name for name in names if name in part.swept and not comparable.differing(part.points, [name])]


def _origin(name: str, merged: Mapping[str, Sequence[str]]) -> str:
    """Returns 'positive = happy + surprise' for a class that others were merged into."""
    return f"{name} = {' + '.join(merged[name])}" if name in merged else name
