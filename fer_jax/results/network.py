"""A trial's settings, its data and its trained network, which answers for images.

Weights are read when they are first asked for, those of this trial alone.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from ml_collections import ConfigDict

from fer_jax.base.text import printable
from fer_jax.config import fields, repeats, search_space
from fer_jax.config.values import flatten, from_json, put
from fer_jax.errors import RunError
from fer_jax.models import inference, test_time
from fer_jax.results.record import RunRecord

if TYPE_CHECKING:
    from fer_jax.data import Dataset, Split


@dataclasses.dataclass(frozen=True, eq=False)
class TrialNetwork:
    """The network of one trial, with the config and the data that it was trained by.

    Attributes:
        run: the run it belongs to.
        row: its row of `run.trials`.
    """

    run: RunRecord
    row: pd.Series

    def __repr__(self) -> str:
        return printable(f"<trial {self.id} of {self.run.path}: {self.status}>")

    @property
    def id(self) -> str:
        """The trial's id, ten hex digits."""
        return self.row["id"]

    @property
    def status(self) -> str:
        """The status: pending, running, paused, done, pruned, diverged or failed."""
        return self.row["status"]

    @functools.cached_property
    def config(self) -> ConfigDict:
        """The config that trains this trial alone: nothing swept, seeds and fold its own."""
        record = {name: value for name, value in self.run.record["config"].items() if name != "sweep"}
        config = from_json(record)
        for name in self.run.swept:
            if name in fields.FIELDS:
                put(config, name, fields.FIELDS[name].coerce(self.row[name]))
        seeds_of = self.run.config.sweep.seeds_of
        if seeds_of != "all":
            own = repeats.repeated(flatten(config), int(self.row["repeat"]), seeds_of)
            config.train.seed, config.train.seeds = own["train.seed"], own["train.seeds"]
            config.data.seed = own["data.seed"]
            return config
        moved = int(self.row["seed"]) - config.train.seed
        config.train.seed += moved
        config.train.seeds = tuple(seed + moved for seed in config.train.seeds)
        if config.data.split == "kfold":
            config.data.fold += int(self.row["repeat"])
        return config

    @functools.cached_property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the columns `predict` returns."""
        return tuple(self.data["classes"])

    @functools.cached_property
    def data(self) -> Mapping[str, Any]:
        """What config.json says of its data set: classes, counts, split, label, checksum, ..."""
        return self.own_data or self.run.record["data"]

    @functools.cached_property
    def own_data(self) -> Mapping[str, Any] | None:
        """The same as `data`, but None where none of several recorded data sets is this trial's."""
        described = [self.run.record["data"], *(self.run.record.get("other_data") or [])]
        if len(described) == 1:
            return described[0]
        # A swept data field or the folds gave several data sets; the id is a hash of the trial's
        # own.
        return next((data for data in described if self._is_trained_on(data["checksum"])), None)

    def _is_trained_on(self, checksum: str) -> bool:
        """Tells whether the data with this checksum are those that this trial was trained on."""
        trial = search_space.expand(self.config)[0]
        words = trial.values["model.init"], trial.values["model.name"]
        known = {(start["init"], start["network"]): start["checksum"] for start in self.run.record.get("initial", ())}
        return trial.id(checksum, known.get(words, ""), (self.id,)) == self.id

    def dataset(self, path: str | None = None) -> Dataset:
        """Loads the data that it was trained on.

        Args:
            path: where the data lie now, if no longer at data.path.

        Raises:
            DataError: they cannot be read.
            RunError: they are not those of the run: the checksum differs.
        """
        from fer_jax import data

        block = self.config.data.copy_and_resolve_references()
        block.path = path or block.path
        key = block.to_json()
        if key not in self.run.datasets:
            self.run.datasets[key] = data.load(block)
        loaded = self.run.datasets[key]
        drawn = self.config.data.split == "kfold" or self.run.config.sweep.seeds_of in repeats.NEW_SPLITS
        if drawn or any(name.startswith("data.") for name in self.run.swept):
            # The record knows one data set; the id is a hash of the trial's own.
            same = self._is_trained_on(loaded.checksum)
        else:
            same = loaded.checksum == self.run.record["data"].get("checksum")
        if not same:
            source = block.path or "the data"
            raise RunError(f"{source}: not what {self.run.path} was trained on (checksum {loaded.checksum[:10]})")
        return loaded

    def split(self, name: str, path: str | None = None) -> Split:
        """Returns the images and labels of 'train', 'validation' or 'test'.

        Args:
            name: of the split.
            path: as for `dataset`, and errors too.

        Raises:
            RunError: the data have no such split.
        """
        splits = self.dataset(path).splits()
        if name not in splits:
            raise RunError(f"the data of {self.run.path} have no {name} split; choose one of {', '.join(splits)}")
        return splits[name]

    @property
    def variables(self) -> dict[str, Any]:
        """The network's arrays at the epoch that validation chose: {'params', 'stats', 'pixels'}.

        They are nested dicts of numpy arrays, without a trial axis. 'pixels' holds scale and
        offset: the network's input is scale * pixel + offset.

        Raises:
            RunError: the trial has left no weights (yet).
        """
        return {**self._weights["best"], "pixels": self._weights["pixels"]}

    @property
    def last_variables(self) -> dict[str, Any]:
        """The network's arrays at the last epoch, in the form of `variables`."""
        return {**self._weights["last"], "pixels": self._weights["pixels"]}

    @functools.cached_property
    def _weights(self) -> dict[str, Any]:
        wave, slot = self.row.get("wave", ""), self.row.get("slot")
        if not wave or pd.isna(slot) or self.status in ("pending", "running", "paused", "failed"):
            yet = "" if self.status == "failed" else " yet"
            raise RunError(f"trial {self.id} of {self.run.path} is {self.status}: it has no weights{yet}")
        self._check_learnt()
        return self.run.directory.load_trial(wave, int(slot))

    def _check_learnt(self) -> None:
        """Raises RunError if the trial diverged in its first epoch: it has learnt nothing."""
        if self.row.get("best_epoch") == 0:
            epoch = self.row["diverged_epoch"]
            raise RunError(
                f"trial {self.id} of {self.run.path} diverged in epoch {epoch}, its first: nothing of it was learnt"
            )

    def variables_of(self, which: str) -> dict[str, Any]:
        """Returns `variables` for 'best' and `last_variables` for 'last'.

        Raises:
            RunError: another word, or no weights.
        """
        if which not in ("best", "last"):
            raise RunError(f"weights = {which!r}: must be 'best' or 'last'")
        return self.variables if which == "best" else self.last_variables

    def predict(self, images: Any, weights: str = "best", tta: str | None = None) -> np.ndarray:
        """Returns class probabilities by the weights that validation chose, or the last epoch's.

        Args:
            images: uint8, or other numbers in 0..255, of shape (n, S, S, C), (n, S, S), (S, S, C)
                or (S, S), where S is data.image_size and C data.channels; grey images serve a
                network for colour.
            weights: 'best' (chosen by train.select) or 'last'.
            tta: 'flip' or 'ten_crop' averages the probabilities of several views of each image; see
                `models.test_time`.

        Returns:
            float32 (n, K), rows summing to 1, columns as `classes`.

        Raises:
            RunError: another size, kind or range of images; no weights; or other `weights` or `tta`
                than these two.
        """
        if tta is None:
            return self._apply(images, None, weights)
        shown = test_time.views(tta, images, self.config.data.image_size, self.config.data.channels)
        return np.mean([self._apply(view, None, weights) for view in shown], axis=0)

    def features(self, images: Any, layer: str, weights: str = "best") -> np.ndarray:
        """Returns the output of a named layer, float32 (n, ...).

        Images and weights are as for `predict`.

        Raises:
            RunError: as for `predict`, or an unknown layer (it names near ones).
        """
        return self._apply(images, layer, weights)

    def image_logits(self, images: Any) -> np.ndarray:
        """Returns the output of the last layer, float32 (n, K), before the softmax.

        Images and errors are as for `predict`.
        """
        return inference.logits(flatten(self.config), len(self.classes), self.variables, images)

    def _apply(self, images: Any, layer: str | None, weights: str = "best") -> np.ndarray:
        return inference.apply(flatten(self.config), len(self.classes), self.variables_of(weights), images, layer)
