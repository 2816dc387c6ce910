"""Orbax checkpoints of a wave: the full state it resumes from, and the weights it leaves.

Every array has the trial axis first and is stored as one chunk for each trial, so that a trial is
read without its neighbours. Exceptions are arrays without axes, such as an epoch, and those below
'shared', which all trials have in common: they are stored whole. Arrays are copied to the host
before Orbax gets them: the training loop may donate its buffers while the copy is being written,
and the files do not depend on how the arrays were spread over devices.
"""

from __future__ import annotations

import logging
import math
import re
import shutil
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_jax.base.files import explain_write, write_error
from fer_jax.errors import RunError
from fer_jax.store.bounds import check_arrays
from fer_jax.store.safety import WAVE

if TYPE_CHECKING:
    import orbax.checkpoint.experimental.v1 as ocp

# The part of a saved tree whose arrays have no trial axis.
SHARED = "shared"
_COMPLETE = re.compile(r"(state|final)-(\d+)")
_LEFTOVER = re.compile(r"(state|final)-\d+\.(orbax-checkpoint-tmp|deleted).*")


class Checkpoints:
    """The checkpoints `<wave>/state-<epoch>` and `<wave>/final-<n>` below one folder.

    A checkpoint is written under a temporary name, renamed when it is complete, and renamed again
    before it is deleted, so that a folder with one of the two names is always whole. Of several,
    the one with the highest number counts.
    """

    def __init__(self, folder: Path):
        self._folder = folder.absolute()
        self._pending: tuple[Path, Any] | None = None

    def import_orbax(self) -> None:
        """Imports Orbax, for which the first save would otherwise wait."""
        _orbax()

    def save(self, wave: str, kind: str, number: int, tree: Any, owned: bool = False) -> None:
        """Begins to write a checkpoint and returns once its arrays are copied off the devices.

        `wait` finishes it. A checkpoint that was begun before is finished first.

        Args:
            wave: the wave's name.
            kind: 'state' or 'final'.
            number: the epoch of a state; for a final, higher than those before it. A checkpoint of
                the same number is replaced.
            tree: any pytree of arrays (JAX's or NumPy's), trial axis first.
            owned: whether the arrays are on the host and nobody will change them, so that they
                need no copy.

        Raises:
            RunError: this checkpoint, or the one begun before it, cannot be written.
        """
        self.wait()
        path = self._folder / wave / f"{kind}-{number:06d}"
        with explain_write(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                self._delete(path)
        host = tree if owned else to_host(tree)
        try:
            with _context():
                self._pending = path, _orbax().save_async(path, host)
        except Exception as error:
            raise write_error(path, error) from error

    def wait(self) -> None:
        """Waits until the checkpoint being written is complete and deletes older ones of its kind.

        Raises:
            RunError: it could not be written; the older ones are still there.
        """
        if self._pending is None:
            return
        (path, response), self._pending = self._pending, None
        try:
            response.result()
        except Exception as error:
            raise write_error(path, error) from error
        for older in self._complete(path.parent.name, path.name.split("-")[0])[:-1]:
            self._delete(older)

    def latest(self, wave: str, kind: str) -> int | None:
        """Returns the number of the newest complete checkpoint, or None where there is none."""
        complete = self._complete(wave, kind)
        return int(complete[-1].name.split("-")[1]) if complete else None

    def restore(self, wave: str, kind: str, abstract: Any = None) -> Any:
        """Returns the arrays of the newest checkpoint.

        Args:
            wave, kind: as for `save`.
            abstract: the structure wanted, a pytree whose leaves have a shape and a dtype. None
                gives the structure that was saved, with lists in place of tuples.

        Returns:
            A pytree. A leaf whose abstract leaf has a `sharding` is a jax.Array placed so, any
            other a NumPy array.

        Raises:
            RunError: there is no such checkpoint, it is damaged, or its names, shapes or types are
                not those of `abstract`.
        """
        path = self._newest(wave, kind)
        import jax

        def blank(leaf: Any) -> np.ndarray:
            return np.broadcast_to(np.zeros((), leaf.dtype), leaf.shape)

        try:
            with _context():
                metadata = _metadata(path)
                wanted = jax.tree.map(blank, metadata if abstract is None else abstract)
                # Orbax would cast to another dtype in silence.
                stored, expected = _layout(metadata), _layout(wanted)
                leaves = jax.tree_util.tree_leaves_with_path(metadata)
                check_arrays(path, {_leaf_name(key): (leaf.shape, leaf.dtype.itemsize) for key, leaf in leaves})
                for name in sorted(stored.keys() | expected.keys()):
                    found, asked = stored.get(name, "missing"), expected.get(name, "an array of this program")
                    if found != asked:
                        raise RunError(f"{path}: {name} is {found}, not {asked}; remove it to start the wave anew")
                loaded = _orbax().load(path, wanted)
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise RunError(f"cannot read {path}: it is damaged; remove it to start the wave anew") from error

        def place(leaf: Any, value: np.ndarray) -> Any:
            sharding = getattr(leaf, "sharding", None)
            return value if sharding is None else jax.device_put(value, sharding)

        return loaded if abstract is None else jax.tree.map(place, abstract, loaded)

    def load_trial(self, wave: str, slot: int, abstract: Any = None) -> Any:
        """Returns one trial's part of the wave's final weights; no other trial's bytes are read.

        Args:
            wave: the wave's name.
            slot: the trial's place in the wave, from 0.
            abstract: a pytree of the leaves to read, of which only structure and names count. None
                reads all of them, in the structure that was saved, with lists in place of tuples.

        Returns:
            A pytree of NumPy arrays without the trial axis.

        Raises:
            RunError: there are no final weights, no such slot or no such leaf, or they are damaged.
        """
        path = self._newest(wave, "final")
        import jax
        import tensorstore as ts

        def open_leaf(key: Any, _: Any) -> Any:
            files = {"driver": "file", "path": f"{base}/"}
            kvstore = {"driver": "ocdbt", "base": files, "path": f"{_leaf_name(key)}/"}
            return ts.open({"driver": "zarr3", "kvstore": kvstore}, open=True, read=True)

        try:
            base = next(path.glob("*/manifest.ocdbt")).parent
            with _context():
                tree = _metadata(path) if abstract is None else abstract
            # All are opened, then all are read: a tree of small arrays costs waiting, not bytes.
            arrays = jax.tree.map(lambda future: future.result(), jax.tree_util.tree_map_with_path(open_leaf, tree))
            leaves = jax.tree_util.tree_leaves_with_path(arrays)
            check_arrays(path, {_leaf_name(key): _taken(key, array) for key, array in leaves})
            own = (
                {name: tree for name, tree in arrays.items() if name != SHARED} if isinstance(arrays, dict) else arrays
            )
            width = min((array.shape[0] for array in jax.tree.leaves(own) if array.rank), default=slot + 1)
            if not 0 <= slot < width:
                raise RunError(f"{path} holds slots 0 to {width - 1}, not {slot}")

            def read(key: Any, array: Any) -> Any:
                return (array[slot] if array.rank and not _is_shared(key) else array).read()

            reads = jax.tree_util.tree_map_with_path(read, arrays)
            return jax.tree.map(lambda read: np.asarray(read.result()), reads)
        except (OSError, ValueError, KeyError, TypeError, StopIteration, RecursionError) as error:
            raise RunError(f"cannot read {path}: damaged, or of other arrays") from error

    def drop(self, wave: str, kind: str) -> None:
        """Deletes the wave's checkpoints of a kind, if there are any."""
        self.wait()
        for path in self._complete(wave, kind):
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
                    shutil.rmtree(path, ignore_errors=True)
            for kind in ("state", "final"):
                for older in self._complete(wave, kind)[:-1]:
                    self._delete(older)

    def _complete(self, wave: str, kind: str) -> list[Path]:
        folder = self._folder / wave
        names = [match for path in folder.glob(f"{kind}-*") if (match := _COMPLETE.fullmatch(path.name))]
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
            shutil.rmtree(doomed, ignore_errors=True)
            path.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def _metadata(path: Path) -> Any:
    """Returns the tree of what a checkpoint holds; ValueError where Orbax finds none."""
    if (found := _orbax().metadata(path).metadata) is None:
        raise ValueError("it says nothing of its arrays")
    return found


def _layout(tree: Any) -> dict[str, str]:
    """Returns leaf name -> dtype and shape, such as 'float32[8, 3]'."""
    import jax

    return {
        _leaf_name(key): f"{leaf.dtype}{list(leaf.shape)}" for key, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def _leaf_name(key: Any) -> str:
    parts = (getattr(part, "key", getattr(part, "name", getattr(part, "idx", None))) for part in key)
    return ".".join(str(part) for part in parts)


def _taken(key: Any, array: Any) -> tuple[tuple[int, ...], int]:
    """Returns the shape of what reading a trial's part of a stored array takes, and bytes a number.

    That is its part, or the chunk on disk that it lies in, whichever is larger.
    """
    chunk = array.chunk_layout.write_chunk.shape or array.shape
    part = array.shape[1:] if array.rank and not _is_shared(key) else array.shape
    return max(chunk, part, key=math.prod), array.dtype.numpy_dtype.itemsize


def _is_shared(key: Any) -> bool:
    """Returns whether a leaf belongs to all trials of a wave, and so has no trial axis."""
    return _leaf_name(key).split(".")[0] == SHARED


class _Quiet(logging.Filter):
    """Drops what Orbax logs: a traceback in each thread for an error that `wait` reports."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "/orbax/checkpoint/" not in record.pathname


def _orbax() -> ModuleType:
    """Returns Orbax, imported at the first call: a report must not wait a second for it."""
    import orbax.checkpoint.experimental.v1 as ocp

    logger = logging.getLogger("absl")
    if not any(isinstance(present, _Quiet) for present in logger.filters):
        logger.addFilter(_Quiet())
    return ocp


def _context() -> ocp.Context:
    ocp = _orbax()
    context = ocp.Context()
    one_trial = ocp.options.ArrayOptions.Saving.StorageOptions(shard_axes=(0,))
    saving = context.array.saving
    saving.scoped_storage_options_creator = lambda key, leaf: (
        one_trial if np.ndim(leaf) and not _is_shared(key) else None
    )
    # Compression shrinks trained weights by a tenth and takes three times as long.
    saving.use_compression = False
    context.memory.deepcopy_host_arrays = False
    # If folders were made in the background, threads would wait twenty minutes for one that cannot
    # be made.
    context.asynchronous.create_directories_asynchronously = False
    return context


def to_host(tree: Any) -> Any:
    """Returns the arrays of a pytree (JAX's or NumPy's) as NumPy arrays that own their memory."""
    import jax

    def own(given: Any, fetched: Any) -> np.ndarray:
        # On a CPU `device_get` returns a view of the device's buffer, which the next step may
        # overwrite.
        owned = isinstance(fetched, np.ndarray) and fetched is not given and fetched.flags.owndata
        return fetched if owned else np.array(fetched)

    return jax.tree.map(own, tree, jax.device_get(tree))
