"""Weights that trials begin with instead of random ones (model.init).

They are those of files that Keras publishes, or of trials of other runs.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
from ml_collections import ConfigDict

from fer_jax.base.text import shown
from fer_jax.config.rules import DISTRIBUTIONS, is_weights_file
from fer_jax.errors import ConfigError
from fer_jax.models import Network, pretrained, weights
from fer_jax.results import judged_tables
from fer_jax.store import RunDirectory
from fer_jax.train.engine import WaveProgram
from fer_jax.train.trial import TrialState


@dataclasses.dataclass(frozen=True, eq=False)
class InitialWeights:
    """Weights to begin with; layers that are not in it are drawn from a trial's seed.

    Attributes:
        checksum: SHA-256 of the file, or of a trial's arrays, and what else decides the weights;
            trials that begin with other weights are other trials.
        source: where they are from, for people.
        params, stats: layer -> leaf -> float32 array.
    """

    checksum: str
    source: str
    params: Mapping[str, Any]
    stats: Mapping[str, Any]

    @property
    def arrays(self) -> dict[str, Mapping[str, Any]]:
        """The arrays as {'params': ..., 'stats': ...}, each layer -> name -> array."""
        return {"params": self.params, "stats": self.stats}


def load(values: Mapping[str, Any], network: Network) -> InitialWeights | None:
    """Returns the weights that trials with these values begin with, None where they are drawn.

    Args:
        values: reads model.init and model.name.
        network: the whole network.

    Raises:
        DataError: a file is missing, cannot be downloaded, is damaged or another network's.
        ConfigError: no such run or trial, or one of another network.
    """
    name = values["model.init"]
    if name in DISTRIBUTIONS:
        return None
    if is_weights_file(name):
        path = _file(values)
        params, stats = weights.read(path, network, imagenet=name == "imagenet")
        checksum = pretrained.checksum(path)
        if values["model.name"] == "efficientnet_b0" and name == "imagenet":
            # The file alone does not decide: published weights get another rescaling of pixels than
            # a file of one's own.
            checksum = hashlib.sha256(f"{checksum} rescaled".encode()).hexdigest()
        return InitialWeights(checksum, str(path), params, stats)
    return _of_trial(name, network)


def check(values: Mapping[str, Any]) -> None:
    """Raises what `load` does where the file or the trial is not there, without reading it."""
    name = values["model.init"]
    if is_weights_file(name):
        _file(values)
    elif name not in DISTRIBUTIONS:
        _row(name)


def check_drawn(config: ConfigDict, values: Mapping[str, Any], network: Network, found: InitialWeights | None) -> None:
    """Raises ConfigError for repeats that are to vary initial weights of which none is drawn.

    Args:
        config: reads sweep.*.
        values: of a trial.
        network: its whole network.
        found: the weights that it begins with, as `load` gives them.
    """
    several = max(config.sweep.repeats, config.sweep.best_repeats) > 1
    if config.sweep.seeds_of == "weights" and several and found and set(network.shapes[0]) <= set(found.params):
        raise ConfigError(
            f"sweep.seeds_of = weights: model.init = {shown(values['model.init'])} has weights for every layer, so "
            "repeats would all be the same; vary something else"
        )


def _file(values: Mapping[str, Any]) -> Path:
    name = values["model.init"]
    return pretrained.find(values["model.name"], "" if name == "imagenet" else name)


def _row(name: str) -> tuple[RunDirectory, pd.Series]:
    """Returns the run that RUN:trial names, and its row of the trial."""
    path, _, identity = name.rpartition(":")
    directory = RunDirectory(path)
    if not Path(path).is_dir() or not directory.has_table("trials.csv"):
        raise ConfigError(
            f"model.init = {shown(name)}: there is no run in {shown(path)}; "
            "it is RUN:trial, the trial's id as in trials.csv"
        )
    table, _ = judged_tables.read_trials(directory, directory.read_config())
    rows = table[table["id"].str.startswith(identity)] if identity else table[:0]
    rows = rows[rows["id"] == identity] if identity in set(rows["id"]) else rows
    if len(rows) != 1:
        found = "several trials" if len(rows) else "no trial"
        raise ConfigError(
            f"model.init = {shown(name)}: {shown(path)} has {found} {shown(identity)}; its ids are in trials.csv"
        )
    row = rows.iloc[0]
    if row["status"] != "done" or pd.isna(row["slot"]):
        raise ConfigError(f"model.init = {shown(name)}: trial {row['id']} is {row['status']}: it has no final weights")
    return directory, row


def _of_trial(name: str, network: Network) -> InitialWeights:
    directory, row = _row(name)
    best = directory.load_trial(row["wave"], int(row["slot"]))["best"]
    params, stats = dict(best["params"]), dict(best["stats"])
    # Of all layers: what a trial begins with is then known by one name, whatever classes it is to
    # learn.
    digest = hashlib.sha256()
    for key, leaf in jax.tree_util.tree_leaves_with_path({"params": params, "stats": stats}):
        digest.update(jax.tree_util.keystr(key).encode() + np.ascontiguousarray(leaf).tobytes())
    last = network.layer_names[-1]
    if last in params and jax.tree.map(np.shape, params[last]) != jax.tree.map(
        np.shape, network.shapes[0].get(last, {})
    ):
        # Other classes: what tells them apart is learnt anew.
        del params[last]
    _check_same(name, {"params": params, "stats": stats}, network, last)
    return InitialWeights(digest.hexdigest(), f"trial {row['id']} of {directory.path}", params, stats)


def _check_same(name: str, found: Mapping[str, Any], network: Network, last: str) -> None:
    """Raises ConfigError for the first layer in which a trial's network differs.

    The last layer may be missing.
    """
    for kind, wanted in zip(("params", "stats"), network.shapes, strict=True):
        for layer in {**wanted, **found[kind]}:
            ours = {leaf: array.shape for leaf, array in wanted.get(layer, {}).items()}
            theirs = {leaf: np.shape(array) for leaf, array in found[kind].get(layer, {}).items()}
            if ours != theirs and not (layer == last and not theirs):
                raise ConfigError(
                    f"model.init = {shown(name)}: its layer {layer} has {_in_words(theirs)}, "
                    f"this network's {_in_words(ours)}; it needs a network of the same shapes"
                )


def _in_words(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{leaf} {' x '.join(map(str, shape))}" for leaf, shape in shapes.items()) or "no weights"


def overwrite(program: WaveProgram, state: TrialState, initial: Sequence[InitialWeights | None]) -> TrialState:
    """Returns a wave's initial state with the weights that its trials begin with.

    The old state is given up.

    Args:
        program: of the wave.
        state: as `program.init` gives it.
        initial: of the first slots; None where the drawn weights stay.
    """
    if not any(initial):
        return state

    def overwritten(kind: str, tree: Mapping[str, Any]) -> dict[str, Any]:
        found = dict(tree)
        for layer in tree:
            of_slots = {
                slot: one.arrays[kind][layer] for slot, one in enumerate(initial) if one and layer in one.arrays[kind]
            }
            if of_slots:
                found[layer] = {leaf: _with_rows(array, leaf, of_slots) for leaf, array in tree[layer].items()}
        return found

    params, stats = overwritten("params", state.params), overwritten("stats", state.stats)
    found = dataclasses.replace(state, params=params, stats=stats, best={"params": params, "stats": stats})
    # Copies: `best` and the weights may not share buffers that an epoch is given.
    return jax.device_put(jax.tree.map(lambda leaf: np.array(leaf), jax.device_get(found)), program.per_trial)


def _with_rows(array: jax.Array, leaf: str, of_slots: Mapping[int, Mapping[str, Any]]) -> np.ndarray:
    """Returns an array of all slots, with the weights of some slots in their places."""
    rows = np.array(jax.device_get(array))
    for slot, leaves in of_slots.items():
        rows[slot] = leaves[leaf]
    return rows
