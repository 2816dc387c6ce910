"""What config.json says of a run: config and command, versions, devices, data, and when it ran."""

import datetime
import importlib.metadata
import platform
from collections.abc import Mapping
from typing import Any

import jax

from fer_jax.base import home
from fer_jax.config import search_space
from fer_jax.config.values import to_json
from fer_jax.data import Dataset
from fer_jax.launch.prepared import Prepared

VERSIONED = ("fer_jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def begin(
    prepared: Prepared, old: Mapping[str, Any], command: str, choice: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Returns the record of a start that has not finished.

    Args:
        prepared: the sweep.
        old: the record of the start before, empty for the first.
        command: this start's; empty leaves the old one.
        choice: how sweep.chosen was chosen, as `chosen`, or the looks of a race, as `race`; what
            it does not name stays as it was.
    """
    datasets = list(prepared.datasets.values())
    record = {
        "config": to_json(prepared.config),
        "command": command or old.get("command", ""),
        "versions": {"python": platform.python_version(), **_versions()},
        "devices": [f"{device.platform}:{device.id} {device.device_kind}" for device in jax.devices()],
        "machine": f"{platform.system()} {platform.machine()}",
        "data": _describe_data(datasets[0]),
        "other_data": [_describe_data(dataset) for dataset in datasets[1:]],
        "checksums": sorted({dataset.checksum for dataset in datasets} | set(old.get("checksums", ()))),
        "initial": _describe_initial_weights(prepared),
        "swept": list(search_space.swept(prepared.config)),
        **{name: found for name in ("chosen", "race") if (found := (choice or {}).get(name) or old.get(name))},
        "started": old.get("started") or now(),
        "finished": None,
        "seconds": old.get("seconds"),
        "images_per_second": old.get("images_per_second"),
    }
    if not prepared.config.report.paths:
        record |= {name: home.hidden(record[name]) for name in ("command", "data", "other_data", "initial")}
    return record


def _describe_data(dataset: Dataset) -> dict[str, Any]:
    counts = {name: dict(zip(dataset.classes, dataset.counts(name).tolist(), strict=True)) for name in dataset.splits()}
    return {
        **dataset.provenance,
        "checksum": dataset.checksum,
        "classes": list(dataset.classes),
        "split": dataset.split,
        "counts": counts,
        "majority_share": dataset.majority_share,
        "leaked": {name: int(leaked.sum()) for name, leaked in dataset.leaked.items()},
        "label": dataset.label,
    }


def _describe_initial_weights(prepared: Prepared) -> list[dict[str, str]]:
    """Returns the weights that trials begin with, where they are not drawn.

    A trial's id is made of the checksum.
    """
    found = {}
    for trial in prepared.trials.values():
        if initial := prepared.initial(trial):
            words = {"init": trial.values["model.init"], "network": trial.values["model.name"]}
            found[tuple(words.values())] = {**words, "checksum": initial.checksum, "source": initial.source}
    return list(found.values())


def _versions() -> dict[str, str]:
    found = {}
    for name in VERSIONED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def now() -> str:
    """Returns the current time in UTC in the form of config.json: '2026-05-01T12:00:00+00:00'."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
