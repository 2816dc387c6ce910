"""A run in plain words: what was best, by how much, on what it stands, what it does not show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fer_jax.analysis import comparable, statistics
from fer_jax.analysis.ranking import METRIC_NAMES, Ranking, images, mean_text, metric_text
from fer_jax.base.text import counted, in_time

# A point this close to the majority share has learnt nothing worth the name.
_AT_MAJORITY = 0.01


def sentences(ranking: Ranking) -> list[str]:
    """Returns what a supervisor should know before any figure; plain text, most important first."""
    if not len(ranking.ranked):
        return [*_state(ranking), "No trial is done yet, so there is no result to rank."]
    best = ranking.best
    unfinished = bool({"pending", "running"} & set(ranking.statuses))
    return [
        *(_state(ranking) if unfinished else ()),
        *_distance(ranking, best),
        *_spread(ranking, best),
        *_test(ranking, best),
        *_leaks(ranking, best),
        *_resolution(ranking, best),
        *_losses(ranking),
        *(() if unfinished else _state(ranking)),
    ]


def head_sentences(ranking: Ranking) -> list[str]:
    """Returns what the fits say against the networks they stand on; plain text.

    Args:
        ranking: of the fits, see `fits.rank_heads`.
    """
    networks, fits = ranking.trials["id"].nunique(), len(ranking.trials)
    found = [
        f"{fits} fits on the features of {networks} trained networks, at the weights that validation chose and "
        "without dropout; no network was trained for them."
    ]
    if not len(ranking.ranked):
        return [*found, "No fit is done yet."]
    best = ranking.best
    row = ranking.points.loc[best]
    n, gain = int(row["n"]), float(row["val_accuracy_gain_mean"])
    found.append(
        f"Best of {len(ranking.ranked)} head settings by mean {METRIC_NAMES[ranking.metric]}: "
        f"{ranking.describe(best)}; validation accuracy {metric_text(ranking, best, 'val_accuracy')}"
        + (f", test accuracy {metric_text(ranking, best, 'test_accuracy')}" if ranking.has_test else "")
        + "."
    )
    against = f"Against its own networks' output, on the same images, that is {gain:+.4f} validation accuracy"
    if n < 2:
        return [*found, f"{against} (one network: no spread can be given)."]
    low, high = float(row["val_accuracy_gain_low95"]), float(row["val_accuracy_gain_high95"])
    apart = (
        "the heads cannot be told from the networks"
        if low <= 0 <= high
        else "more than the spread over networks explains"
    )
    found.append(f"{against}, 95 % interval {low:+.4f} to {high:+.4f} (paired, Student, n = {n}): {apart}.")
    if len(ranking.ranked) > 1:
        found.append(
            "It is the best of its list on the images it was chosen by: the gain of a setting named beforehand is "
            "smaller."
        )
    return found


def _distance(ranking: Ranking, best: int) -> list[str]:
    share = ranking.majority_share
    accuracy = float(ranking.points.loc[best, "val_accuracy_mean"])
    if share is None or not math.isfinite(accuracy):
        return []
    difference = accuracy - share
    name = _majority_class(ranking)
    always = f"always answering “{name}”" if name else "always giving the commonest answer"
    majority = f"the majority share of the validation split ({share:.3f}, {always})"
    if abs(difference) <= _AT_MAJORITY:
        return [f"The best point is at {majority}: nothing has been learnt."]
    where = "above" if difference > 0 else "below"
    text = f"The best point lies {abs(difference):.3f} {where} {majority}."
    stuck = int((np.abs(ranking.ranked["val_accuracy_mean"] - share) <= _AT_MAJORITY).sum())
    if stuck:
        text += f" {stuck} of {len(ranking.ranked)} points never left that share (within {_AT_MAJORITY})."
    return [text]


def _spread(ranking: Ranking, best: int) -> list[str]:
    if ranking.repeats == 1:
        apart = " Points cannot be told apart." if len(ranking.ranked) > 1 else ""
        return [f"One {ranking.unit}: no spread can be given.{apart}"]
    row = ranking.points.loc[best]
    n, total = int(row["n"]), int(row["total"])
    found = []
    if n < total:
        found.append(f"The best point is a mean over {n} of {total} trials, {row['left_out']} left out.")
    if n > 1:
        low, high = float(row[f"{ranking.metric}_low95"]), float(row[f"{ranking.metric}_high95"])
        kind = f"{n} folds, corrected for their overlap" if ranking.overlap else f"n = {n}"
        found.append(
            f"95 % interval of its mean {METRIC_NAMES[ranking.metric]}: {low:.3f} to {high:.3f} (Student, {kind})."
        )
    else:
        found.append("Its one done trial gives no spread.")
    return [*found, *_ties(ranking), *_unbiased(ranking, best)]


def _ties(ranking: Ranking, most: int = 3) -> list[str]:
    """Returns the points that the best one cannot be told apart from, a few of them by name."""
    others = ranking.against_best.iloc[1:]
    if not len(others):
        return []
    units = f"{ranking.unit}s"
    how = f"(paired t over {units}, 5 %, Holm)"
    tied = others[others["tied"]]
    if not len(tied):
        return [f"It can be told apart from every other point {how}."]
    untested = int(tied["p"].isna().sum())
    names = [ranking.describe(int(point)) for point in tied["point"].iloc[:most]]
    more = f" and {len(tied) - most} more" if len(tied) > most else ""
    text = f"It cannot be told apart from {len(tied)} of {counted(len(others), 'other point')} {how}: "
    text += f"{'; '.join(names)}{more}."
    return [
        text
        + (
            f" {untested} of them could not be tested: fewer than two {units} in common, or no spread."
            if untested
            else ""
        )
    ]


def _unbiased(ranking: Ranking, best: int) -> list[str]:
    """Returns the result over the later seeds of a point that its first seeds chose."""
    chosen = ranking.record.get("chosen")
    new = statistics.unbiased(ranking.trials, ranking.swept, ranking.record)
    keys = [tuple(statistics.hashable(row[name]) for name in ranking.swept) for _, row in new.iterrows()]
    own = tuple(statistics.hashable(ranking.points.loc[best, name]) for name in ranking.swept)
    if not chosen or own not in keys or not int((row := new.iloc[keys.index(own)])["n"]):
        return []
    mean, sd, n = (row[f"{ranking.metric}_mean"], row[f"{ranking.metric}_sd"], int(row["n"]))
    return [
        f"Its first {chosen['repeats']} {ranking.unit}s chose it among {chosen['points']} points, which flatters them; "
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
    return [f"On the test split, read once and used for no choice, the same point has accuracy {text}."]


def _leaks(ranking: Ranking, best: int) -> list[str]:
    """Returns how many images of a result were seen before, and what it is without them."""
    split, metric = ("test", "test_accuracy") if ranking.has_test else ("validation", "val_accuracy")
    total, leaked = ranking.images(split), (ranking.data.get("leaked") or {}).get(split)
    if not total or not leaked:
        return []
    earlier = "trained or validated on" if split == "test" else "trained on"
    clean = f"{metric}_clean"
    known = f"{clean}_mean" in ranking.points and pd.notna(ranking.points.loc[best, f"{clean}_mean"])
    without = f" Without them its {METRIC_NAMES[metric]} is {metric_text(ranking, best, clean)}." if known else ""
    return [
        f"{leaked:,} of the {total:,} {split} images ({leaked / total:.1%}) have an exact copy among those {earlier}."
        f"{without}"
    ]


def _resolution(ranking: Ranking, best: int) -> list[str]:
    """Returns how far apart two accuracies must be before the validation images tell them apart."""
    n = ranking.images("validation")
    if not n or ranking.metric != "val_accuracy" or len(ranking.ranked) < 2:
        return []
    top = float(ranking.points.loc[best, "val_accuracy_mean"])
    error = statistics.share_error(top, n)
    near = int((ranking.ranked["val_accuracy_mean"] >= top - error).sum()) - 1
    others = {0: "no other point is", 1: "one other point is"}.get(near, f"{near} other points are")
    return [
        f"An accuracy on {n:,} validation images has a standard error of {error:.3f}; {others} that close to the best. "
        f"Being the best of {len(ranking.ranked)}, its figure is somewhat lucky."
    ]


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
    if counts.get("pending", 0) + counts.get("running", 0):
        text += " The run is not finished: everything here is provisional."
    elif done:
        text += " A mean stands on done trials only; what was left out is named beside it."
    return [text]


def _majority_class(ranking: Ranking) -> str | None:
    counts = (ranking.data.get("counts") or {}).get("validation")
    classes = list(ranking.data.get("classes") or [])
    if isinstance(counts, Mapping):
        classes, counts = list(counts), list(counts.values())
    return str(classes[int(np.argmax(counts))]) if counts is not None and len(counts) == len(classes) > 0 else None


def facts(ranking: Ranking) -> list[tuple[str, str]]:
    """Returns what the result stands on, as (name, text).

    Such as data, images, classes, training, hardware, time, versions.
    """
    record, data = ranking.record, ranking.data
    found = [
        *_data_facts(ranking.data_sets),
        ("Trials", _trials(ranking)),
        ("Training", _training(ranking)),
        ("Hardware", _hardware(record)),
        ("Time", _time(record)),
        (
            "Versions",
            ", ".join(f"{name} {version}" for name, version in (record.get("versions") or {}).items()) or "unknown",
        ),
        ("Data checksum", ", ".join(str(one.get("checksum", "unknown"))[:16] for one in ranking.data_sets)),
        ("Command", str(record.get("command") or "not recorded")),
        ("Data warnings", "; ".join(str(warning) for warning in data.get("warnings") or [])),
    ]
    return [(name, text) for name, text in found if text]


def _data_facts(data_sets: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Returns label, images and classes: an entry each for one data set, one for each of more."""
    # Folds differ in nothing that is said here.
    data_sets = [data for data in data_sets if data.get("fold") == data_sets[0].get("fold")]
    if len(data_sets) > 1:
        return [
            (
                f"Data set {number}",
                f"{data.get('label', 'unknown')}; images: {image_words(data)}; classes: {_classes(data)}",
            )
            for number, data in enumerate(data_sets, 1)
        ]
    (data,) = data_sets
    return [
        ("Data set and split", str(data.get("label", "unknown"))),
        ("Images", image_words(data)),
        ("Classes", _classes(data)),
    ]


def image_words(data: Mapping[str, Any]) -> str:
    """Returns '2,000 train, 500 validation, 500 test'."""
    sizes = [(name, images(data, name)) for name in ("train", "validation", "test")]
    return ", ".join(f"{n:,} {name}" for name, n in sizes if n) or "unknown"


def _classes(data: Mapping[str, Any]) -> str:
    names = [str(name) for name in data.get("classes") or []]
    return f"{len(names)}: {', '.join(names)}" if names else "unknown"


def _trials(ranking: Ranking) -> str:
    points = len(ranking.points)
    seeds = sorted({int(seed) for seed in ranking.trials["seed"].dropna()}) if "seed" in ranking.trials else []
    if not seeds:
        words = ""
    elif len(seeds) == 1:
        words = f", one {ranking.unit} ({seeds[0]})" if ranking.unit == "seed" else ", one fold"
    elif int(ranking.points["total"].min()) < ranking.repeats:
        fewest = int(ranking.points["total"].min())
        words = f", {fewest} to {ranking.repeats} {ranking.unit}s a point"
    else:
        words = f", {ranking.repeats} {ranking.unit}s a point"
        words += f" ({seeds[0]} to {seeds[-1]})" if ranking.unit == "seed" else ""
    return f"{len(ranking.trials)} on {points} point{'s' * (points != 1)}{words}"


def _training(ranking: Ranking) -> str:
    config = ranking.config
    if "train.epochs" not in config:
        return ""
    parts = [
        config.get("model.name"),
        config.get("train.optimizer"),
        f"{config['train.epochs']} epochs" * ("train.epochs" not in ranking.swept),
    ]
    chooser = METRIC_NAMES.get(ranking.metric, ranking.metric)
    return ", ".join([*(str(part) for part in parts if part), f"epoch and point chosen by {chooser}"])


def _hardware(record: Mapping[str, Any]) -> str:
    """Returns '2 × cpu (Linux x86_64)' from devices such as 'cpu:0 cpu'."""
    kinds = [str(device).partition(" ")[2] or str(device) for device in record.get("devices") or []]
    text = ", ".join(
        f"{kinds.count(kind)} × {kind}" if kinds.count(kind) > 1 else kind for kind in dict.fromkeys(kinds)
    )
    machine = record.get("machine")
    return (text or "unknown") + (f" ({machine})" if machine else "")


def _time(record: Mapping[str, Any]) -> str:
    seconds, speed = record.get("seconds"), record.get("images_per_second")
    parts = [in_time(float(seconds)) if seconds is not None else "not finished"]
    if speed:
        parts.append(f"{float(speed):,.0f} training images/s over all trials")
    started = str(record.get("started") or "")[:16].replace("T", " ")
    return ", ".join(parts) + (f", started {started}" if started else "")
