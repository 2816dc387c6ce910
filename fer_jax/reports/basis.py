"""What a result stands on: data, images, classes, trials, training, hardware, time, versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fer_jax.analysis import comparable
from fer_jax.analysis.ranking import METRIC_NAMES, Ranking, images
from fer_jax.base import home
from fer_jax.base.text import in_time
from fer_jax.data import remarks, sizes


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
        ("Command", _command(record)),
        ("Data warnings", "; ".join(str(warning) for warning in data.get("warnings") or [])),
    ]
    return [(name, text) for name, text in found if text]


def _command(record: Mapping[str, Any]) -> str:
    """Returns what was typed, with ~ for the home folder, also of runs from before report.paths."""
    typed = str(record.get("command") or "not recorded")
    return typed if (record.get("config") or {}).get("report.paths") else home.hidden(typed)


def _data_facts(data_sets: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Returns label, images and classes: an entry each for one data set, one for each of more."""
    # Folds, and the splits that repeats draw, differ in nothing that is said here.
    data_sets = [data for data in data_sets if comparable.drawn(data) == comparable.drawn(data_sets[0])]
    if len(data_sets) > 1:
        return [
            (
                f"Data set {number}",
                f"{data.get('label', 'unknown')}; images: {image_words(data)}; classes: {_classes(data)}"
                + "".join(f"; {name}: {words}" for name, words in _sizes(data))
                + "".join(f"; {line}" for line in remarks.remarks(data)),
            )
            for number, data in enumerate(data_sets, 1)
        ]
    (data,) = data_sets
    return [
        ("Data set and split", str(data.get("label", "unknown"))),
        ("Images", image_words(data)),
        ("Classes", _classes(data)),
        *((f"Classes of {name}", words) for name, words in _sizes(data)),
        ("Left out", sizes.left_out(data)),
        ("Groups", remarks.groups(data).removeprefix("groups: ")),
        ("Left out as leaks", remarks.leaks_dropped(data)),
    ]


def image_words(data: Mapping[str, Any]) -> str:
    """Returns '2,000 train, 500 validation, 500 test'."""
    sizes = [(name, images(data, name)) for name in ("train", "validation", "test")]
    return ", ".join(f"{n:,} {name}" for name, n in sizes if n) or "unknown"


def _classes(data: Mapping[str, Any]) -> str:
    names = [str(name) for name in data.get("classes") or []]
    return f"{len(names)}: {', '.join(names)}" if names else "unknown"


def _sizes(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns (split, how many images of which class it has), nothing where that is unknown."""
    return [(name, sizes.of_split(by_class)) for name, by_class in (data.get("counts") or {}).items()]


def _trials(ranking: Ranking) -> str:
    points = len(ranking.points)
    seeds = sorted({int(seed) for seed in ranking.trials["seed"].dropna()}) if "seed" in ranking.trials else []
    if not seeds:
        words = ""
    elif len(seeds) == 1:
        words = f", one {ranking.unit} ({seeds[0]})" if ranking.unit != "fold" else ", one fold"
    elif int(ranking.points["total"].min()) < ranking.repeats:
        fewest = int(ranking.points["total"].min())
        words = f", {fewest} to {ranking.repeats} {ranking.units} a point"
    else:
        words = f", {ranking.repeats} {ranking.units} a point"
        words += f" ({seeds[0]} to {seeds[-1]})" if ranking.unit != "fold" else ""
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
