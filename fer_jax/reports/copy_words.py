"""Accuracies on the images that have no copy among those trained on, in words."""

from __future__ import annotations

import pandas as pd

from fer_jax.analysis.ranking import METRIC_NAMES, Ranking, images, metric_text
from fer_jax.base import started
from fer_jax.base.text import counted

_SPLITS = {
    "test": ("test_accuracy", "trained or validated on"),
    "validation": ("val_accuracy", "trained on"),
}
_NOT_RECORDED = (
    "Which images have a copy among those trained on was not recorded by the version that trained this run: accuracies "
    f"without them are missing. Where the data can still be read, {started.command('audit')} counts the copies and "
    "trial.accuracy_without_copies() leaves them out."
)


def sentences(ranking: Ranking) -> list[str]:
    """Returns how many images of a result were seen before, and what it is without them.

    There must be a result.
    """
    if _is_unrecorded(ranking):
        return [_NOT_RECORDED]
    found = [
        f"{number} have an exact copy among those {earlier}"
        for split, (_, earlier) in _SPLITS.items()
        if (number := _number(ranking, split))
    ]
    if not found:
        return []
    names = [metric for split, (metric, _) in _SPLITS.items() if _number(ranking, split)]
    known = [f"its {METRIC_NAMES[name]} is {text}" for name in names if (text := _clean(ranking, ranking.best, name))]
    without = (
        f"Without them {' and '.join(known)}."
        if known
        else "Its accuracy without them was not recorded: trial.accuracy_without_copies() has that of a trial."
    )
    return [
        f"{', and '.join(found)}. {without} Near copies, such as those of a release encoded again, are not counted "
        f"here: {started.command('audit')} finds them."
    ]


def of_heads(ranking: Ranking) -> list[str]:
    """Returns why a table of fits has no accuracies without copies, where it should have some.

    Args:
        ranking: of the fits, see `fits.rank_heads`.
    """
    if _is_unrecorded(ranking):
        return [_NOT_RECORDED]
    best = ranking.best
    missing = [
        split for split, (name, _) in _SPLITS.items() if _number(ranking, split) and not _clean(ranking, best, name)
    ]
    if not missing:
        return []
    return [
        f"Accuracies without the {' and '.join(missing)} images that have a copy among those trained on were not "
        "recorded by the version that did these fits: trial.head(...).accuracy_without_copies() has that of a fit."
    ]


def beside(ranking: Ranking, point: int, metric: str, decimals: int = 3) -> str:
    """Returns ', without copies 0.541 ± 0.004' for an accuracy of a point; '' where there is none.

    The number of trials is that of the accuracy, beside which it stands.
    """
    text = _clean(ranking, point, metric, decimals).partition(" (n")[0]
    return f", without copies {text}" if text else ""


def _clean(ranking: Ranking, point: int, metric: str, decimals: int = 3) -> str:
    """Returns a point's accuracy without copies; '' where it has none, or no copy is known."""
    name = f"{metric}_clean"
    known = f"{name}_mean" in ranking.points and pd.notna(ranking.points.loc[point, f"{name}_mean"])
    return metric_text(ranking, point, name, decimals) if known else ""


def _number(ranking: Ranking, split: str) -> str:
    """Returns how many images of a split have copies; '' where none has, or there is no result."""
    if split == "test" and not ranking.has_test:
        return ""
    pairs = [((data.get("leaked") or {}).get(split), images(data, split)) for data in ranking.data_sets]
    found = list(dict.fromkeys((count, total) for count, total in pairs if count is not None and total))
    if not any(count for count, _ in found):
        return ""
    if len(found) == 1:
        ((count, total),) = found
        return f"{count:,} of the {total:,} {split} images ({count / total:.1%})"
    shares = [count / total for count, total in found]
    unit = ranking.unit if ranking.unit in ("fold", "split") else "data set"
    return f"{min(shares):.1%} to {max(shares):.1%} of the {split} images of each of {counted(len(pairs), unit)}"


def _is_unrecorded(ranking: Ranking) -> bool:
    """Returns whether a run is of a version that counted no copies; built-in faces have none."""
    built_in = ranking.config.get("data.name") == "synthetic"
    return not built_in and any(data and "leaked" not in data for data in ranking.data_sets)
