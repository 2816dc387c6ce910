"""A run in plain words: what was best, by how much, on what it stands, what it does not show."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fer_jax.analysis import comparable, statistics, varied
from fer_jax.analysis.answers import dead_words
from fer_jax.analysis.ranking import METRIC_NAMES, Ranking, class_counts, mean_text, metric_text
from fer_jax.base.text import counted, sentence
from fer_jax.data import remarks
from fer_jax.reports import copy_words, race_words, search_words

# A point this close to the majority share has learnt nothing worth the name.
AT_MAJORITY = 0.01
# Another draw of images moves an accuracy by less than this many standard errors, 19 times of 20.
_ERRORS = 2
_NAMED = 3  # points of a list that are named


def sentences(ranking: Ranking) -> list[str]:
    """Returns what a supervisor should know before any figure; plain text, most important first."""
    if not len(ranking.ranked):
        return [*_state(ranking), search_words.without_result(ranking)]
    best, unfinished = ranking.best, search_words.is_unfinished(ranking)
    return [
        *(_state(ranking) if unfinished else ()),
        *_together(ranking),
        *search_words.sentences(ranking),
        *_dead(ranking),
        *_distance(ranking, best),
        *_spread(ranking, best),
        *_test(ranking, best),
        *_groups(ranking),
        *copy_words.sentences(ranking),
        *_resolution(ranking, best),
        *_losses(ranking),
        *(() if unfinished else _state(ranking)),
    ]


def closing(ranking: Ranking) -> list[str]:
    """Returns what a sweep's last lines on the terminal say above its answer.

    These are the things said by `sentences` that no figure should go without, but for what a row of
    the answer has (see `answer.rows`): the points that are tied, and how far the run is.
    """
    if not len(ranking.ranked):
        return []
    best = ranking.best
    at_majority = is_at_majority(ranking)
    told = at_majority or ranking.chosen_on_reported or not _test_distance(ranking, best)
    return [
        *search_words.sentences(ranking),
        *_dead(ranking),
        *(() if at_majority else _distance(ranking, best)),
        *_spread(ranking, best, in_short=True),
        *(() if told else _test(ranking, best)),
        *_groups(ranking),
    ]


def is_at_majority(ranking: Ranking) -> bool:
    """Returns whether the best point's accuracy is that of always giving the commonest answer."""
    share = ranking.majority_share
    accuracy = float(ranking.points.loc[ranking.best, "val_accuracy_mean"])
    return share is not None and abs(accuracy - share) <= AT_MAJORITY


def headline(ranking: Ranking) -> str:
    """Returns what the point is that a page and the terminal show first, such as 'Best point of 8'.

    There must be a result.
    """
    ranked, alike = len(ranking.ranked), len(ranking.together)
    by = f" by mean {METRIC_NAMES.get(ranking.metric, ranking.metric)}"
    which = search_words.which_are_ranked(ranking)
    of, alike_of = f"of {ranked}{which}", f"of {ranked} points{which}"
    if alike > 1:
        return f"{alike} {alike_of} are best together{by}; shown: {ranking.why_first}"
    return (f"Best point {of}," if len(ranking.points) > 1 else "The one point,") + by


def _shown(ranking: Ranking) -> str:
    return "The point shown" if len(ranking.together) > 1 else "The best point"


def _names(ranking: Ranking, points: Sequence[int]) -> str:
    """Returns some points in words, and how many more there are."""
    more = f" and {len(points) - _NAMED} more" if len(points) > _NAMED else ""
    return "; ".join(ranking.describe(int(point)) for point in points[:_NAMED]) + more


def _together(ranking: Ranking) -> list[str]:
    together = ranking.together
    if len(together) < 2:
        return []
    name = METRIC_NAMES.get(ranking.metric, ranking.metric)
    mean = float(ranking.points.loc[ranking.best, f"{ranking.metric}_mean"])
    return [
        f"{len(together)} points have the same mean {name} ({mean:.4f}): {_names(ranking, together)}. "
        f"Shown is {ranking.why_first}, which makes it no better than the others."
    ]


def _dead(ranking: Ranking) -> list[str]:
    """Returns how many networks are dead, and whether the point that is shown has some of them."""
    asked = ranking.trials[ranking.trials["id"].isin(ranking.answers) & (ranking.trials["status"] == "done")]
    words = dead_words(ranking.dead.values(), len(asked), "done trial" if ranking.statuses.get("pruned") else "trial")
    if not words:
        return []
    if len(asked) == 1:
        return [f"{sentence(words)} Its figures are those of that answer."]
    own = asked["id"][asked["point"] == ranking.best]
    dead = int(own.isin(ranking.dead).sum())
    if not dead:
        return [sentence(words)]
    all_of_them = {1: "that", 2: "both"}.get(dead, f"all {dead}")
    which = f"{dead} of the {len(own)}" if dead < len(own) else all_of_them
    return [
        sentence(f"{words}, among them {which} of {_shown(ranking).lower()}: these figures are those of that answer")
    ]


def _distance(ranking: Ranking, best: int) -> list[str]:
    share = ranking.majority_share
    accuracy = float(ranking.points.loc[best, "val_accuracy_mean"])
    if share is None or not math.isfinite(accuracy):
        return []
    difference = accuracy - share
    majority = _share_words(ranking, "validation", share)
    if is_at_majority(ranking):
        return [f"{_shown(ranking)} is at {majority}: nothing has been learnt."]
    where = "above" if difference > 0 else "below"
    text = f"{_shown(ranking)} lies {abs(difference):.3f} {where} {majority}."
    images = ranking.images("validation")
    if difference > 0 and images and difference <= _ERRORS * statistics.share_error(accuracy, images):
        text += f" That is within two standard errors of an accuracy on {images:,} pictures: it may be luck."
    stuck = int((np.abs(ranking.ranked["val_accuracy_mean"] - share) <= AT_MAJORITY).sum())
    if stuck:
        text += f" {stuck} of {len(ranking.ranked)} points never left that share (within {AT_MAJORITY})."
    return [text]


def _share_words(ranking: Ranking, split: str, share: float) -> str:
    """Returns the majority share of a split in words, with the answer that always has it."""
    counts = class_counts(ranking.data, split)
    answer = f"“{max(counts, key=lambda name: counts[name])}”" if counts else ""
    always = f"always answering {answer}" if answer else "always giving the commonest answer"
    return f"the majority share of the {split} split ({share:.3f}, {always})"


def _spread(ranking: Ranking, best: int, in_short: bool = False) -> list[str]:
    """Returns how sure the best point's figures are, and in full which points it is tied with."""
    if ranking.repeats == 1:
        return [f"One {ranking.unit}: no spread can be given.{_by_image(ranking, in_short)}"]
    row = ranking.points.loc[best]
    n, total = int(row["n"]), int(row["total"])
    found = []
    if n < total:
        found.append(f"{_shown(ranking)} is a mean over {n} of {total} trials, {row['left_out']} left out.")
    if n > 1:
        low, high = float(row[f"{ranking.metric}_low95"]), float(row[f"{ranking.metric}_high95"])
        kind = f"{n} {ranking.units}, corrected for their overlap" if ranking.overlap else f"n = {n}"
        if ranking.metric == "val_accuracy" and (low < 0 or high > 1):
            low, high, kind = max(low, 0.0), min(high, 1.0), f"{kind}, cut to what an accuracy can be"
        found.append(
            f"95 % interval of its mean {METRIC_NAMES[ranking.metric]}: {low:.3f} to {high:.3f} (Student, {kind})."
        )
    else:
        found.append("Its one done trial gives no spread.")
    found += filter(None, [varied.caution(ranking.config)])
    ties = _untested(ranking, "the ties") if in_short else _ties(ranking)
    return [*found, *race_words.sentences(ranking, ties), *_unbiased(ranking, best)]


def _by_image(ranking: Ranking, in_short: bool) -> str:
    """Returns which networks one seed tells apart, image by image, and what that does not show."""
    others = ranking.against_best.iloc[1:]
    if not len(others):
        return ""
    if ranking.why_untested:
        return f" Points cannot be told apart: {ranking.why_untested}."
    tested = others[others["p"].notna()]
    if not len(tested):
        return (
            " Points cannot be told apart: predictions of the best point's network, or of all others on the same "
            "pictures, are not stored."
        )
    if in_short:
        return " Points are compared by networks as trained once: repeats (sweep.repeats) tell settings apart."
    tied = tested[tested["tied"]]
    total, apart = len(tested), len(tested) - len(tied)
    of = f"{total} other points" if total > 1 else "the other point"
    how = f"by their answers to the {int(tested['pictures'].iloc[0]):,} validation pictures"
    how += " (McNemar's test, mid-p, 5 %, Holm)"
    if not apart:
        text = f" Its network cannot be told apart from {'those of any of the' if total > 1 else 'that of'} {of} {how}."
    elif not len(tied):
        text = f" Its network can be told apart from {'those of all' if total > 1 else 'that of'} {of} {how}."
    else:
        text = f" Its network can be told apart from those of {apart} of {of} {how}, not from {len(tied)}: "
        text += f"{_names(ranking, list(tied['point']))}."
    if untested := len(others) - total:
        text += f" {untested} more could not be tested: no predictions on the same pictures are stored."
    return (
        f"{text} That compares networks as trained once, not settings: another seed may turn it round, and repeats "
        "(sweep.repeats) tell settings apart."
    )


def _ties(ranking: Ranking) -> list[str]:
    """Returns the points that the best one cannot be told apart from, a few of them by name."""
    others = ranking.against_best.iloc[1:]
    if not len(others):
        return []
    units = ranking.units
    how = f"(paired t over {units}, 5 %, Holm)"
    tied = others[others["tied"]]
    if not len(tied):
        return [f"It can be told apart from every other point {how}."]
    text = f"It cannot be told apart from {len(tied)} of {counted(len(others), 'other point')} {how}: "
    text += f"{_names(ranking, list(tied['point']))}."
    return [" ".join([text, *_untested(ranking, "them")])]


def _untested(ranking: Ranking, ties: str) -> list[str]:
    """Returns how many points are tied with the best one because they could not be tested."""
    others = ranking.against_best.iloc[1:]
    untested = int(others[others["tied"]]["p"].isna().sum())
    if not untested:
        return []
    return [f"{untested} of {ties} could not be tested: fewer than two {ranking.units} in common, or no spread."]


def _unbiased(ranking: Ranking, best: int) -> list[str]:
    """Returns the result over the later seeds of a point that its first seeds chose."""
    chosen = ranking.record.get("chosen")
    new = statistics.unbiased(ranking.trials, ranking.swept, ranking.record)
    keys = [tuple(statistics.hashable(row[name]) for name in ranking.swept) for _, row in new.iterrows()]
    own = tuple(statistics.hashable(ranking.points.loc[best, name]) for name in ranking.swept)
    if not chosen or own not in keys or not int((row := new.iloc[keys.index(own)])["n"]):
        return []
    mean, sd, n = (row[f"{ranking.metric}_mean"], row[f"{ranking.metric}_sd"], int(row["n"]))
    first = f"{chosen['repeats']} {ranking.units}" if chosen["repeats"] > 1 else ranking.unit
    return [
        f"Its first {first} chose it among {chosen['points']} points, which flatters it; "
        f"over the others alone its {METRIC_NAMES[ranking.metric]} is {mean_text(float(mean), float(sd), n)}."
    ]


def _test(ranking: Ranking, best: int) -> list[str]:
    if ranking.chosen_on_reported:
        return [
            "Selected on the images it reports: this split has no test set, so epoch and point were chosen on the very "
            "images the accuracy is quoted for, and the figure is optimistic."
        ]
    if not ranking.has_test:
        return []
    text = metric_text(ranking, best, "test_accuracy")
    return [
        f"On the test split, read once and used for no choice, the same point has accuracy {text}."
        f"{_test_distance(ranking, best)}"
    ]


def _test_distance(ranking: Ranking, best: int) -> str:
    """Returns what is to be said where the test accuracy is not clear of the majority share."""
    share, images = ranking.test_majority_share, ranking.images("test")
    accuracy = float(ranking.points.loc[best, "test_accuracy_mean"])
    if share is None or not images or not math.isfinite(accuracy):
        return ""
    majority, above = _share_words(ranking, "test", share), accuracy - share
    noise = _ERRORS * statistics.share_error(accuracy, images)
    if above > noise:
        return ""
    if abs(above) * images < 0.5:
        return f" That is {majority}: it does not show that anything was learnt."
    near = f", within two standard errors of an accuracy on {images:,} pictures" if abs(above) <= noise else ""
    if above > 0:
        return f" That is {above:.3f} above {majority}{near}: it does not show that anything was learnt."
    return f" That is {-above:.3f} below {majority}{near}: on new pictures nothing was gained over that answer."


def _groups(ranking: Ranking) -> list[str]:
    """Returns how many images of a result belong to what was trained on, such as a person."""
    shared = remarks.sharing(ranking.data, "test" if ranking.has_test else "validation")
    return [f"{shared}: the accuracy is not that on new ones."] if shared else []


def _resolution(ranking: Ranking, best: int) -> list[str]:
    """Returns how far apart two accuracies must be before the validation images tell them apart."""
    n = ranking.images("validation")
    left = ranking.trials["point"][ranking.trials["status"] == "pruned"].nunique()
    total = len(ranking.ranked) + left
    if not n or ranking.metric != "val_accuracy" or total < 2:
        return []
    top = float(ranking.points.loc[best, "val_accuracy_mean"])
    error = statistics.share_error(top, n)
    near = int((ranking.ranked["val_accuracy_mean"] >= top - error).sum()) - 1
    whole = " trained to the end" if left else ""
    others = [f"no other point{whole} is", f"one other point{whole} is", f"{near} other points{whole} are"]
    text = f"An accuracy on {n:,} validation images has a standard error of {error:.3f}; {others[min(near, 2)]}"
    of = f"{total} points, {left} of which left at a rung," if left else f"{total},"
    lucky = f" Being the best of {of} its figure is somewhat lucky." if len(ranking.together) < total else ""
    return [f"{text} that close to the best.{lucky}"]


def _losses(ranking: Ranking) -> list[str]:
    if not ranking.loss_fields:
        return []
    names = " and ".join(ranking.loss_fields)
    return [
        f"Points with different losses ({names}): each has a validation loss of its own kind, so none is ranked by it."
    ]


def not_ranked(parts: Sequence[Ranking]) -> str:
    """Returns why the parts of a run are taken one by one."""
    kinds = {comparable.held_out(part.data) for part in parts}
    found = []
    if len({classes for classes, *_ in kinds}) > 1:
        found.append(
            "Points with different classes are not ranked against each other: an accuracy depends on which there are."
        )
    elif len(kinds) > 1:
        found.append(
            "Points measured on different held-out pictures are not ranked against each other: some pictures are "
            "easier than others."
        )
    if len(parts) > len(kinds):
        found.append(
            "Points with different losses are not ranked against each other by the validation loss, which chooses "
            "here: it is each trial's own."
        )
    return " ".join([*found, "What follows takes them part by part."])


def _state(ranking: Ranking) -> list[str]:
    counts, total = ranking.statuses, len(ranking.trials)
    if not total:
        return ["The run has no trials yet."]
    rest = statistics.count_words([s for s in ranking.trials["status"] if s != "done"])
    done = counts.get("done", 0)
    if done == total:
        return [f"All {total} trials are done." if total > 1 else "Its one trial is done."]
    text = f"{done} of {total} trials done; {rest}."
    if search_words.is_unfinished(ranking):
        text += " The run is not finished: everything here is provisional."
    elif done:
        text += " A mean stands on done trials only; what was left out is named beside it."
    return [text]
