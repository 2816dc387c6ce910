"""Features of trained networks on disk: one array for each trial, its weights and layer, with its
checksum.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import cast

import numpy as np

from fer_jax.base.arrays import read_npy
from fer_jax.base.files import TEMPORARY_SUFFIX, explain_write, sync_folder, write_bytes
from fer_jax.store import bounds

# What of an array is read into memory at once to be hashed.
HASHED_BYTES = 1 << 24
# No layer's name can make one of these: the weights stand before the first hyphen.
_MARKS = {"best": "", "last": ".last"}
_FILE = re.compile(r"(?P<trial>[0-9a-f]{10})(\.last)?-.+\.(npy|json)")


class FeatureFiles:
    """The folder `features/` of a run.

    `<trial>-<layer>.npy` holds float32 (images of all splits, F), and `<trial>-<layer>.json` its
    rows and SHA-256. Those of the last epoch's weights are called `<trial>.last-<layer>`, and their
    record says so too. An array counts only with its `.json`, which is written last: what a killed
    writer leaves is extracted again.

    In every method `weights` is 'best', those that validation chose, or 'last'.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._verified: dict[tuple[str, str, str], dict[str, int]] = {}

    def has(self, trial: str, layer: str, rows: Mapping[str, int], weights: str = "best") -> bool:
        """Returns whether the features of a trial at a layer are there whole.

        The first call for an array reads all of it.

        Args:
            trial, layer: the trial's id and the layer's name.
            rows: split -> number of images, in the order of the rows.
        """
        if self._verified.get((trial, layer, weights)) == dict(rows):
            return True
        path, seal = self._paths(trial, layer, weights)
        try:
            record = bounds.read_json(seal)
            array = read_npy(path, "r")
            # A header that names another type or order would pass with the same bytes behind it.
            whole = (
                record["rows"] == dict(rows)
                and record.get("weights", "best") == weights
                and array.dtype == np.float32
                and array.ndim == 2
                and len(array) == sum(rows.values())
                and record["sha256"] == _checksum(array)
            )
        except (OSError, EOFError, ValueError, KeyError, TypeError, RecursionError):
            return False
        if whole:
            self._verified[trial, layer, weights] = dict(rows)
        return whole

    def damaged(self, trial: str, layer: str, weights: str = "best") -> str:
        """Returns the name of an array that was written and that `has` does not take, or ''.

        What a killed writer leaves has no `.json` and is not meant.
        """
        path, seal = self._paths(trial, layer, weights)
        return path.name if path.is_file() and seal.is_file() else ""

    @contextlib.contextmanager
    def writers(
        self, trial: str, widths: Mapping[str, tuple[int, ...]], rows: Mapping[str, int], weights: str = "best"
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yields arrays to fill, which count once the `with` block ends without an error.

        They are mapped from disk, so that features larger than memory can be written.

        Args:
            trial: the trial's id.
            widths: layer -> shape of its output for one image, which is flattened to F numbers.
            rows: split -> number of images, in the order in which the rows are filled.

        Yields:
            layer -> float32 (images of all splits, F).

        Raises:
            RunError: the folder or a file cannot be written, or the disk has no room.
        """
        total = sum(rows.values())
        temporary = {
            layer: self.folder / f".{_stem(trial, layer, weights)}.{os.getpid()}{TEMPORARY_SUFFIX}" for layer in widths
        }
        with explain_write(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                arrays: dict[str, np.ndarray] = {}
                for layer, path in temporary.items():
                    arrays[layer] = np.lib.format.open_memmap(path, "w+", np.float32, (total, math.prod(widths[layer])))
                    # To fill a mapped file that the disk has no room for kills the process, so the
                    # room is asked for now.
                    with open(path, "r+b") as file:
                        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
                yield arrays
                for layer, array in arrays.items():
                    cast(np.memmap, array).flush()
                    final, seal = self._paths(trial, layer, weights)
                    seal.unlink(missing_ok=True)
                    os.replace(temporary[layer], final)
                    record = {"rows": dict(rows), "weights": weights, "sha256": _checksum(array)}
                    write_bytes(seal, (json.dumps(record, indent=1) + "\n").encode())
                    self._verified[trial, layer, weights] = dict(rows)
                sync_folder(self.folder)
            finally:
                for path in temporary.values():
                    path.unlink(missing_ok=True)

    def read(self, trial: str, layer: str, weights: str = "best") -> dict[str, np.ndarray]:
        """Returns split -> float32 (n, F), mapped from disk.

        Raises:
            FileNotFoundError: there are none; `has` says so beforehand.
        """
        path, seal = self._paths(trial, layer, weights)
        rows = bounds.read_json(seal)["rows"]
        array = read_npy(path, "r")
        edges = np.cumsum([0, *rows.values()])
        return {name: array[start:end] for name, start, end in zip(rows, edges, edges[1:], strict=False)}

    def forget_others(self, trials: Collection[str]) -> None:
        """Deletes the features of trials that are not among these."""
        for path in self.folder.glob("*"):
            if (found := _FILE.fullmatch(path.name)) and found["trial"] not in trials:
                with explain_write(path):
                    path.unlink()

    def _paths(self, trial: str, layer: str, weights: str) -> tuple[Path, Path]:
        stem = _stem(trial, layer, weights)
        return self.folder / f"{stem}.npy", self.folder / f"{stem}.json"


def _stem(trial: str, layer: str, weights: str) -> str:
    return f"{trial}{_MARKS[weights]}-{layer}"


def _checksum(array: np.ndarray) -> str:
    """Returns the SHA-256 of the rows, which are read in pieces."""
    found = hashlib.sha256()
    step = max(1, HASHED_BYTES // max(1, array[:1].nbytes))
    for start in range(0, len(array), step):
        found.update(np.ascontiguousarray(array[start : start + step]).data)
    return found.hexdigest()
