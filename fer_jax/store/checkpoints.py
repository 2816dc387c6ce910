"""Checkpoints of waves: the full states they resume from, and the weights they leave.

Every array has the trial axis first and is stored as one chunk for each trial, so that a trial is
read without its neighbours. Exceptions are arrays without axes, such as an epoch, and those below
'shared', which all trials have in common: they are stored whole. Arrays are copied to the host
before a save returns: the training loop may donate its buffers while the copy is being written, and
the files do not depend on how the arrays were spread over devices.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from fer_jax.base.files import explain_write, make_folder, sync_folder, sync_tree, write_error
from fer_jax.errors import RunError
from fer_jax.store import checkpoint_arrays
from fer_jax.store.checkpoint_arrays import DamagedCheckpoint
from fer_jax.store.safety import WAVE

_COMPLETE = re.compile(r"(state|final)-(\d+)")
_LEFTOVER = re.compile(r"(state|final)-\d+\.(orbax-checkpoint-tmp|written|deleted).*")
# How many of a kind stay: where the newest state is damaged, the one before it is gone on from.
_KEPT = {"state": 2, "final": 1}


class Checkpoints:
    """The checkpoints `<wave>/state-<epoch>` and `<wave>/final-<n>` below one folder.

    A checkpoint is written under a temporary name, flushed to disk, renamed when it is complete,
    and renamed again before it is deleted, so that a folder with one of the two names is whole,
    unless something else has damaged it. Of several, the one with the highest number counts.
    """

    def __init__(self, folder: Path):
        self._folder = folder.absolute()
        # Checksums, writing, flushing and deleting what is older go on beside the training.
        self._writer = ThreadPoolExecutor(1, "checkpoints")
        self._pending: tuple[Path, Future[None]] | None = None
        self._whole: set[Path] = set()

    def import_orbax(self) -> None:
        """Imports Orbax, for which the first save would otherwise wait."""
        checkpoint_arrays.import_orbax()

    def save(
        self,
        wave: str,
        kind: str,
        number: int,
        tree: Any,
        owned: bool = False,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        """Begins to write a checkpoint and returns once its arrays are copied off the devices.

        `wait` finishes it. A checkpoint that was begun before is finished first.

        Args:
            wave: the wave's name.
            kind: 'state', of which the last two stay, or 'final', of which the last one does.
            number: the epoch of a state; for a final, higher than those before it. A checkpoint of
                the same number is replaced.
            tree: any pytree of arrays (JAX's or NumPy's), trial axis first.
            owned: whether the arrays are on the host and nobody will change them, so that they
                need no copy.
            about: what else the checkpoint says of itself, see `about`.

        Raises:
            RunError: this checkpoint, or the one begun before it, cannot be written.
        """
        self.wait()
        path = self._path(wave, kind, number)
        with explain_write(path):
            make_folder(path.parent)
        host = tree if owned else to_host(tree)
        self._pending = path, self._writer.submit(self._write, path, host, about or {})

    def _write(self, path: Path, tree: Any, about: Mapping[str, Any]) -> None:
        self._whole.discard(path)
        written = path.with_name(f"{path.name}.written")
        _remove(written)
        write = checkpoint_arrays.write_state if path.name.startswith("state-") else checkpoint_arrays.write_weights
        write(written, tree, about)
        sync_tree(written)
        if path.exists():
            self._delete(path)
        written.rename(path)
        # Only now is it there after a power cut too, and what is older may go.
        sync_folder(path.parent)
        self._whole.add(path)
        self._delete_older(path.parent.name, path.name.split("-")[0])

    def wait(self) -> None:
        """Waits until the checkpoint being written is complete and older ones are deleted.

        Raises:
            RunError: it could not be written; the older ones are still there.
        """
        if self._pending is None:
            return
        (path, written), self._pending = self._pending, None
        try:
            written.result()
        except RunError:
            raise
        except Exception as error:
            raise write_error(path, error) from error

    def latest(self, wave: str, kind: str) -> int | None:
        """Returns the number of the newest complete checkpoint, or None where there is none."""
        return next(iter(self.numbers(wave, kind)), None)

    def numbers(self, wave: str, kind: str) -> list[int]:
        """Returns the numbers of the complete checkpoints, the newest first."""
        return [int(path.name.split("-")[1]) for path in reversed(self._complete(wave, kind))]

    def damage(self, wave: str, kind: str, number: int) -> str:
        """Returns what is wrong with a checkpoint in one line, or '' where it is whole.

        All of it is read, unless this process has written it or read it before.

        Raises:
            RunError: it cannot be read for another reason.
        """
        path = self._path(wave, kind, number)
        if path not in self._whole:
            try:
                checkpoint_arrays.read(path)
            except DamagedCheckpoint as error:
                return str(error)
            self._whole.add(path)
        return ""

    def about(self, wave: str, kind: str, number: int) -> dict[str, Any]:
        """Returns what `save` was told of a checkpoint, {} where an earlier version wrote it.

        Raises:
            RunError: as for `restore`.
        """
        return checkpoint_arrays.about(self._path(wave, kind, number))

    def delete(self, wave: str, kind: str, number: int) -> None:
        """Deletes a checkpoint."""
        self._delete(self._path(wave, kind, number))

    def restore(self, wave: str, kind: str, abstract: Any = None) -> Any:
        """Returns the arrays of the newest checkpoint, held to their checksums.

        Args:
            wave, kind: as for `save`.
            abstract: the structure wanted, a pytree whose leaves have a shape and a dtype. None
                gives the structure that was saved, with lists in place of tuples.

        Returns:
            A pytree. A leaf whose abstract leaf has a `sharding` is a jax.Array placed so, any
            other a NumPy array.

        Raises:
            RunError: there is no such checkpoint, it is damaged (DamagedCheckpoint) or cannot be
                read, or its names, shapes or types are not those of `abstract`.
        """
        path = self._newest(wave, kind)
        if abstract is None:
            return checkpoint_arrays.read(path)
        stored, expected = checkpoint_arrays.layout(path), checkpoint_arrays.layout_of(abstract)
        for name in sorted(stored.keys() | expected.keys()):
            found, asked = stored.get(name, "missing"), expected.get(name, "an array of this program")
            if found != asked:
                raise RunError(f"{path}: {name} is {found}, not {asked}; remove it to start the wave anew")
        import jax

        def place(leaf: Any, value: np.ndarray) -> Any:
            sharding = getattr(leaf, "sharding", None)
            return value if sharding is None else jax.device_put(value, sharding)

        return jax.tree.map(place, abstract, checkpoint_arrays.read(path, abstract=abstract))

    def load_trial(self, wave: str, slot: int, abstract: Any = None) -> Any:
        """Returns one trial's part of the wave's final weights; no other trial's bytes are read.

        Args:
            wave: the wave's name.
            slot: the trial's place in the wave, from 0.
            abstract: a pytree of the leaves to read, of which only structure and names count. None
                reads all of them, in the structure that was saved, with lists in place of tuples.

        Returns:
            A pytree of NumPy arrays without the trial axis, held to their checksums.

        Raises:
            RunError: there are no final weights, no such slot or no such leaf, they are damaged
                (DamagedCheckpoint) or cannot be read.
        """
        return checkpoint_arrays.read(self._newest(wave, "final"), slot, abstract)

    def drop(self, wave: str, kind: str, keep: int = 0) -> None:
        """Deletes the wave's checkpoints of a kind, if there are any, but the newest `keep`."""
        self.wait()
        for path in self._complete(wave, kind)[::-1][keep:]:
            self._delete(path)

    def forget(self, wave: str) -> None:
        """Deletes all checkpoints of a wave and its folder."""
        self.wait()
        # Under its own name a checkpoint that is half removed would count as a complete one.
        for path in (path for kind in ("state", "final") for path in self._complete(wave, kind)):
            self._delete(path)
        shutil.rmtree(self._folder / wave, ignore_errors=True)

    def waves(self) -> list[str]:
        """Returns the names of the waves that have a folder here; links are not followed."""
        if self._folder.is_symlink():
            return []
        found = (path for path in self._folder.glob("*/") if not path.is_symlink())
        return sorted(path.name for path in found if WAVE.fullmatch(path.name))

    def clean(self) -> None:
        """Deletes what killed writers left: parts of checkpoints, and old ones beside new ones."""
        for wave in self.waves():
            for path in (self._folder / wave).iterdir():
                if _LEFTOVER.fullmatch(path.name):
                    _remove(path)
            for kind in _KEPT:
                self._delete_older(wave, kind)

    def _delete_older(self, wave: str, kind: str) -> None:
        for older in self._complete(wave, kind)[: -_KEPT[kind]]:
            self._delete(older)

    def _path(self, wave: str, kind: str, number: int) -> Path:
        return self._folder / wave / f"{kind}-{number:06d}"

    def _complete(self, wave: str, kind: str) -> list[Path]:
        folder = self._folder / wave
        try:
            found = [_COMPLETE.fullmatch(name) for name in os.listdir(folder)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            # To take it for empty would be to start the wave anew.
            raise RunError(f"cannot read {folder}: {error.strerror}; mend that and start again") from None
        names = [match for match in found if match and match[1] == kind]
        return [folder / match[0] for match in sorted(names, key=lambda match: int(match[2]))]

    def _newest(self, wave: str, kind: str) -> Path:
        complete = self._complete(wave, kind)
        if not complete:
            what = "state to resume from" if kind == "state" else "weights of finished trials"
            raise RunError(f"{self._folder / wave} holds no {what}")
        return complete[-1]

    def _delete(self, path: Path) -> None:
        # To remove a tree takes many steps; under its own name a checkpoint that is half removed
        # would count as a complete one.
        doomed = path.with_name(f"{path.name}.deleted")
        with explain_write(path):
            _remove(doomed)
            path.rename(doomed)
        self._whole.discard(path)
        _remove(doomed)


def _remove(path: Path) -> None:
    """Deletes what is at a path, if anything is; of a link only the link."""
    if path.is_symlink() or path.is_file():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path, ignore_errors=True)


def to_host(tree: Any) -> Any:
    """Returns the arrays of a pytree (JAX's or NumPy's) as NumPy arrays that own their memory."""
    import jax

    def own(given: Any, fetched: Any) -> np.ndarray:
        # On a CPU `device_get` returns a view of the device's buffer, which the next step may
        # overwrite.
        owned = isinstance(fetched, np.ndarray) and fetched is not given and fetched.flags.owndata
        return fetched if owned else np.array(fetched)

    return jax.tree.map(own, tree, jax.device_get(tree))
