"""What a search came to, in words: how many points left, after which epochs, what it cost."""

from __future__ import annotations

import pandas as pd

from fer_jax.analysis import statistics
from fer_jax.analysis.ranking import Ranking
from fer_jax.base.text import counted
from fer_jax.search import history


def sentences(ranking: Ranking) -> list[str]:
    """Returns how many points of a run left its search and what was trained; [] where none did."""
    pruned = ranking.trials[ranking.trials["status"] == "pruned"]
    if not len(pruned):
        return []
    after = pd.Series(history.pruned_after(pruned), pruned.index).groupby(pruned["point"]).max()
    each = [f"{count} after epoch {int(epoch)}" for epoch, count in after.value_counts().sort_index().items()]
    text = f"The search: {len(after)} of {counted(len(ranking.points), 'point')} left ({', '.join(each)})"
    text += " and have no rank; curves, weights and predictions of theirs are those of then."
    if (length := history.one_length(ranking)) is None:
        return [text]
    trained, full = int(pd.to_numeric(ranking.trials["epochs"]).sum()), len(ranking.trials) * length
    so_far = " so far" if is_unfinished(ranking) else ""
    return [f"{text} It trained {trained:,} epochs{so_far}, where all trials to their end would be {full:,}."]


def is_unfinished(ranking: Ranking) -> bool:
    """Returns whether trials of a run are still to be trained."""
    return bool(set(statistics.UNFINISHED) & set(ranking.statuses))


def which_are_ranked(ranking: Ranking) -> str:
    """Returns which points have a rank, such as ' with a result'; '' where all of them do."""
    if len(ranking.ranked) == len(ranking.points):
        return ""
    return " trained to the end" if {"pruned", "paused"} & set(ranking.statuses) else " with a result"


def without_result(ranking: Ranking) -> str:
    """Returns that nothing is ranked, for a run in which no trial is done."""
    if is_unfinished(ranking) or not len(ranking.trials):
        return "No trial is done yet, so there is no result to rank."
    return "No trial came to its end, so there is no result to rank."
