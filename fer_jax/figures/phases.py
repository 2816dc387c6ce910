"""Where the phases of a training begin, drawn into plots over epochs."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from fer_jax.analysis.ranking import Ranking
from fer_jax.figures import style


def ends(ranking: Ranking, points: Collection[int] | None = None) -> tuple[int, ...]:
    """Returns the last epoch of each phase but the last, () where training has one phase.

    Args:
        ranking: whose.
        points: which of its points, None for all; () where their phases are of different lengths.
    """
    if "phases.lengths" in ranking.points:
        chosen = ranking.points if points is None else ranking.points.loc[list(points)]
        given: Iterable[Any] = chosen["phases.lengths"]
    else:
        given = [ranking.config.get("phases.lengths") or ()]
    # Tables hold a tuple as its text.
    found = {tuple(map(int, re.findall(r"\d+", str(one)))) for one in given}
    return tuple(itertools.accumulate(found.pop()))[:-1] if len(found) == 1 else ()


def mark(ax: Any, ends: Sequence[int]) -> None:
    """Draws a thin line between two epochs where a phase begins, with its word."""
    for number, end in enumerate(ends, 2):
        ax.axvline(end + 0.5, color=style.MUTED, linewidth=0.8, zorder=1.5)
        ax.annotate(
            f"phase {number}",
            (end + 0.5, 1),
            xycoords=("data", "axes fraction"),
            xytext=(2, -2),
            textcoords="offset points",
            rotation=90,
            ha="left",
            va="top",
            fontsize=style.SMALL - 1,
            color=style.MUTED,
            zorder=1.5,
        )
