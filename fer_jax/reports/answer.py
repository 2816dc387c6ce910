"""The answer of a sweep at a glance, as it ends with it on a terminal, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from fer_jax.analysis import statistics
from fer_jax.analysis.ranking import METRIC_NAMES, Ranking, metric_text
from fer_jax.base import started
from fer_jax.base.text import counted
from fer_jax.reports import copy_words, search_words, verdict

_NAMED = 2  # points of a list that are named
# What is worth more seeds, and how many: enough for a spread that tells neighbours apart.
_MOST_POINTS, _SEEDS = 5, 5
# What the user puts a picture of their own in place of.
PICTURE = "PICTURE.jpg"


def title(ranking: Ranking) -> str:
    """Returns what is answered, such as 'Best point of 8, by mean validation accuracy'."""
    return verdict.headline(ranking) if len(ranking.ranked) else "No result yet"


def rows(ranking: Ranking) -> list[tuple[str, str]]:
    """Returns the answer as a small table of names and texts."""
    state = _state(ranking)
    if not len(ranking.ranked):
        return [*state, ("point", search_words.without_result(ranking))]
    best, metric = ranking.best, ranking.metric
    found = [("point", ranking.describe(best))]
    shown = [metric, "val_accuracy", *(["test_accuracy"] if ranking.has_test else [])]
    for name in dict.fromkeys(shown):
        words = metric_text(ranking, best, name) + copy_words.beside(ranking, best, name)
        found.append((METRIC_NAMES.get(name, name), words))
    found += [("beware", words) for words in _beware(ranking)]
    found += [("ties", words) for words in [_ties(ranking)] if words]
    return [*found, *state]


def _state(ranking: Ranking) -> list[tuple[str, str]]:
    """Returns how far the run is where not all of its trials are done."""
    if set(ranking.statuses) == {"done"}:
        return []
    words = f"{ranking.statuses.get('done', 0)} of {counted(len(ranking.trials), 'trial')} done"
    rest = statistics.count_words([status for status in ranking.trials["status"] if status != "done"])
    later = "; provisional until the others are" if search_words.is_unfinished(ranking) else ""
    return [("trials", f"{words}; {rest}{later}" if rest else words)]


def _beware(ranking: Ranking) -> list[str]:
    """Returns why the figures of the best point show less than they seem to."""
    if verdict.is_at_majority(ranking):
        return ["nothing has been learnt: that is the share of the commonest class"]
    dead, asked = _dead(ranking)
    if dead == asked:
        return ["nothing has been learnt: one answer to every picture"]
    found = [f"{dead} of {counted(asked, 'network')} dead: one answer to every picture"] if dead else []
    if ranking.chosen_on_reported:
        found.append("chosen on the images that it is reported on: too good")
    return found


def learnt_nothing(ranking: Ranking) -> bool:
    """Returns whether the best point is at the majority share, or all of its networks are dead."""
    dead, asked = _dead(ranking)
    return dead == asked or verdict.is_at_majority(ranking)


def _dead(ranking: Ranking) -> tuple[int, int]:
    """Returns how many of the best point's networks are dead, and of how many."""
    own = ranking.trials["id"][(ranking.trials["point"] == ranking.best) & (ranking.trials["status"] == "done")]
    return int(own.isin(ranking.dead).sum()), len(own)


def _ties(ranking: Ranking) -> str:
    """Returns from which points the best one cannot be told apart, in short."""
    others = ranking.against_best.iloc[1:]
    if not len(others):
        return ""
    total = "the other" if len(others) == 1 else f"the {len(others)} others"
    if ranking.repeats == 1 and (ranking.why_untested or others["p"].isna().all()):
        return f"not tested against {total}: one {ranking.unit} each"
    tied = [int(point) for point in others["point"][others["tied"].astype(bool)]]
    if not tied:
        return f"none: it can be told apart from {total}"
    names = "; ".join(ranking.describe(point) for point in tied[:_NAMED])
    more = f" and {len(tied) - _NAMED} more" if len(tied) > _NAMED else ""
    which = total if len(tied) == len(others) else f"{len(tied)} of {total}"
    return f"cannot be told apart from {which}: {names}{more}"


def following(parts: Sequence[Ranking], path: str, command: str, has_failures: bool) -> tuple[str, str]:
    """Returns why to type which command next.

    Args:
        parts: the run, as `rankings.parts` gives it.
        path: its directory.
        command: the command line that trained it.
        has_failures: whether trials or fits have failed.
    """
    if any(search_words.is_unfinished(part) for part in parts):
        return "to go on where it stopped", command
    if has_failures:
        return "to train again what failed", _changed(command, {}, "--retry_failed")
    first = next((part for part in parts if len(part.ranked)), None)
    if first is None or (len(parts) == 1 and learnt_nothing(first)):
        epochs = first.config.get("train.epochs") if first is not None else None
        if first is not None and epochs and _may_be_longer(first):
            return f"to go on to {2 * epochs} epochs", _changed(command, {"train.epochs": 2 * epochs}, "--extend")
        return "to see what may be set otherwise", _changed(command, {}, "--print_config")
    if len(parts) == 1 and (more := _more_seeds(first)):
        return more[0], _changed(command, more[1], "--extend")
    return "to ask it about a picture", f"{started.command('predict')} {shlex.join([path, PICTURE])}"


def _may_be_longer(ranking: Ranking) -> bool:
    """Returns whether the trials can go on for more epochs from where they are."""
    lengths = {"train.epochs", "train.schedule", "phases.lengths"} & set(ranking.swept)
    config = ranking.config
    fixed = config.get("train.schedule") == "cosine" or config.get("phases.lengths") or config.get("search.halving")
    return not lengths and not fixed and not _has_stages(ranking)


def _has_stages(ranking: Ranking) -> bool:
    """Returns whether the sweep says itself which points get more seeds."""
    sweep = ranking.config.get("sweep") or {}
    return bool(sweep.get("best") or sweep.get("raced") or ranking.config.get("search.race"))


def _more_seeds(ranking: Ranking) -> tuple[str, Mapping[str, Any]] | None:
    """Returns why more seeds are worth their time, and the fields that ask for them."""
    if ranking.repeats > 1 or ranking.unit != "seed" or _has_stages(ranking):
        return None
    points = len(ranking.ranked)
    if points == 1:
        return f"to see the spread over {_SEEDS} seeds", {"sweep.repeats": _SEEDS}
    tied = int(ranking.against_best.iloc[1:]["tied"].astype(bool).sum())
    best = min(points, _MOST_POINTS, max(2, tied + 1))
    return (
        f"to compare the best {best} points by {_SEEDS} seeds each",
        {"sweep.best": best, "sweep.best_repeats": _SEEDS},
    )


def _changed(command: str, values: Mapping[str, Any], flag: str) -> str:
    """Returns a command with other values of config fields, and a flag that it may have already."""
    names = tuple(f"--config.{name}=" for name in values)
    words = [word for word in shlex.split(command) if not word.startswith(names)]
    words += [f"--config.{name}={value}" for name, value in values.items()]
    return shlex.join(words if flag in words else [*words, flag])
