"""The arrays of one checkpoint: written together with checksums, read and held to them.

A checkpoint describes itself: for each array its dtype and shape and a CRC-32 for each trial (one
in all where there is no trial axis), and a CRC-32 of the description. So one trial is read and
verified without its neighbours' bytes. Checkpoints that an earlier version wrote describe nothing,
and are read as they are.

Weights are for others to read too: Orbax writes them, with the description among its own metadata,
so that each checkpoint is one that `ocp.StandardCheckpointer` restores. TensorStore reads them in
the layout that Orbax gives its files (Orbax' own reading leaves None where its metadata are
damaged, and tracebacks in the log where arrays are). States are written plainly (`plain_arrays`),
with the description in a file beside them.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from fer_jax.errors import RunError
from fer_jax.store import bounds, plain_arrays
from fer_jax.store.descriptions import (
    checksum,
    checksums,
    describe,
    form_of,
    is_as_written,
    is_shared,
    leaf_name,
    named_leaves,
    split,
)

_OURS = "fer_jax"
# The files of a checkpoint that is written plainly.
_PLAIN, _PLAIN_DESCRIPTION = "arrays.bin", "description.json"
# What Orbax calls a place in a list or tuple, in the metadata that earlier versions are read by.
_SEQUENCE = 1
_ADVICE = {
    "state": "the same command goes on from the state before it, or starts the wave anew",
    "final": "put it back from a copy, or train its trials again in another --workdir",
}


class DamagedCheckpoint(RunError):
    """A checkpoint whose bytes are not those that were written; other errors may pass by."""


class _Damage(Exception):
    """What is wrong with a checkpoint, without its name."""


def write_weights(path: Path, tree: Any, about: Mapping[str, Any]) -> None:
    """Writes a checkpoint with Orbax; it bears its name once it is complete.

    Args:
        path: where to; nothing may be there.
        tree: any pytree of NumPy arrays that nobody changes meanwhile, trial axis first.
        about: what else the checkpoint says of itself, a JSON object; `about` returns it, and so do
            Orbax' own `metadata(path).custom_metadata`, name by name.

    Raises:
        Exception: whatever Orbax and TensorStore raise.
    """
    import jax

    ocp = import_orbax()
    one_trial, whole = ocp.SaveArgs(shard_axes=(0,)), ocp.SaveArgs()
    chunks = jax.tree_util.tree_map_with_path(
        lambda key, leaf: one_trial if np.ndim(leaf) and not is_shared(leaf_name(key)) else whole, tree
    )
    with ocp.Checkpointer(_handler(ocp)) as checkpointer:
        checkpointer.save(
            path,
            args=ocp.args.PyTreeSave(tree, save_args=chunks),
            custom_metadata={**about, _OURS: describe(tree, about, by_trial=True)},
        )


def write_state(path: Path, tree: Any, about: Mapping[str, Any]) -> None:
    """Writes a checkpoint plainly, in a tenth of the time.

    Args:
        path, tree, about: as for `write_weights`.

    Raises:
        OSError: the disk refuses.
    """
    description, leaves = describe(tree, about, by_trial=False), dict(named_leaves(tree))
    path.mkdir()
    # In the description's own order, by which they are read.
    plain_arrays.write(path / _PLAIN, (leaves[name] for name, _ in named_leaves(description["arrays"])))
    (path / _PLAIN_DESCRIPTION).write_text(json.dumps(description), encoding="utf-8")


def about(path: Path) -> dict[str, Any]:
    """Returns what `write` was told of a checkpoint, {} for one of an earlier version.

    Raises:
        RunError: it is damaged (DamagedCheckpoint), or cannot be read.
    """
    with _explained(path):
        found = _description(path)
        return {} if found is None else found["about"]


def read(path: Path, slot: int | None = None, abstract: Any = None) -> Any:
    """Returns the arrays of a checkpoint, each held to its checksum.

    Args:
        path: the checkpoint.
        slot: a trial's place from 0, to read its part without any other's bytes, or None for all.
        abstract: the structure wanted, a pytree of which only structure and names count. None gives
            the structure that was saved, with lists in place of tuples.

    Returns:
        A pytree of NumPy arrays; with a slot, without the trial axis.

    Raises:
        RunError: it is damaged (DamagedCheckpoint), cannot be read, or has no such slot or array.
    """
    import jax

    with _explained(path):
        description = _description(path)
        saved = _structure(path) if description is None else description["arrays"]
        words = dict(named_leaves(saved))
        tree = saved if abstract is None else abstract
        names = [name for name, _ in named_leaves(tree)]
        for name in names:
            if name not in words:
                raise RunError(f"{path} holds no array {name}: it is of another network or another version")
        if slot is not None:
            _check_slot(path, slot, layout(path) if description is None else words)
        if _is_plain(path):
            arrays = _read_plain(path, words, slot)
        else:
            arrays = _read_arrays(path, {name: words[name] for name in names}, slot)
    return jax.tree.unflatten(jax.tree.structure(tree), [arrays[name] for name in names])


def layout(path: Path) -> dict[str, str]:
    """Returns leaf name -> dtype and shape, such as 'float32[8, 3]', of a checkpoint's arrays.

    Raises:
        RunError: it is damaged (DamagedCheckpoint), or cannot be read.
    """
    with _explained(path):
        description = _description(path)
        saved = _structure(path) if description is None else description["arrays"]
        words = dict(named_leaves(saved))
        if description is None:
            return {name: form_of(array) for name, array in _opened(path, words).items()}
        return {name: split(text)[0] for name, text in words.items()}


def layout_of(tree: Any) -> dict[str, str]:
    """Returns the same of a pytree whose leaves have a shape and a dtype."""
    return {name: form_of(leaf) for name, leaf in named_leaves(tree)}


def _description(path: Path) -> dict[str, Any] | None:
    """Returns what was put down when it was written; None for one of an earlier version."""
    if _is_plain(path):
        found = bounds.read_json(path / _PLAIN_DESCRIPTION)
    else:
        custom = bounds.read_json(path / "_CHECKPOINT_METADATA").get("custom_metadata", "")
        if custom in ({}, None):
            return None
        if not isinstance(custom, dict) or not isinstance(custom.get(_OURS), dict):
            raise _Damage("its checksums are missing")
        found = custom[_OURS]
    content = {name: part for name, part in found.items() if name != "crc32"}
    if found.get("crc32") != checksum(content):
        raise _Damage("its list of checksums is not as it was written")
    return content


def _is_plain(path: Path) -> bool:
    """Returns whether `write_state` wrote a checkpoint, be it that one of its files is gone."""
    return os.path.lexists(path / _PLAIN) or os.path.lexists(path / _PLAIN_DESCRIPTION)


def _structure(path: Path) -> Any:
    """Returns the structure of a checkpoint of an earlier version, with '' for each array."""
    entries = bounds.read_json(_base(path) / "_METADATA")["tree_metadata"].values()
    empty: dict[str, Any] = {"Dict": {}, "NamedTuple": {}, "List": [], "Tuple": [], "None": None}
    return _nested(
        [
            (
                [(part["key"], part["key_type"]) for part in entry["key_metadata"]],
                empty.get(entry["value_metadata"]["value_type"], ""),
            )
            for entry in entries
        ]
    )


def _nested(entries: Sequence[tuple[Sequence[tuple[str, int]], Any]]) -> Any:
    """Returns ([(key, kind of container)], value) of all leaves as dicts and lists."""
    if len(entries) == 1 and not entries[0][0]:
        return entries[0][1]
    within: dict[tuple[str, int], list[tuple[Sequence[tuple[str, int]], Any]]] = {}
    for keys, value in entries:
        within.setdefault(keys[0], []).append((keys[1:], value))
    children = {name: _nested(inner) for (name, _), inner in within.items()}
    is_sequence = any(kind == _SEQUENCE for _, kind in within)
    return list(children.values()) if is_sequence else children


# Reading


def _base(path: Path) -> Path:
    """Returns the folder of a checkpoint in which its arrays lie: its own.

    Of an earlier version it is a folder below, 'state' or another name.
    """
    if (path / "manifest.ocdbt").exists() or (path / "_METADATA").exists():
        return path
    with os.scandir(path) as entries:
        folders = [Path(entry.path) for entry in entries if entry.is_dir()]
    indexed = [folder for folder in folders if (folder / "manifest.ocdbt").exists()]
    if not (indexed or folders):
        raise _Damage("its arrays are missing")
    return (indexed or folders)[0]


def _opened(path: Path, names: Iterable[str]) -> dict[str, Any]:
    """Returns name -> array, opened and not read."""
    import tensorstore as ts

    files = {"driver": "file", "path": f"{_base(path)}/"}
    # All are opened, then all are waited for: a tree of small arrays costs waiting, not bytes.
    opening = {
        name: ts.open(
            {"driver": "zarr3", "kvstore": {"driver": "ocdbt", "base": files, "path": f"{name}/"}},
            open=True,
            read=True,
        )
        for name in names
    }
    return {name: future.result() for name, future in opening.items()}


def _read_arrays(path: Path, words: Mapping[str, str], slot: int | None) -> dict[str, np.ndarray]:
    """Returns name -> what is wanted of an array, held to what the checkpoint says of it."""
    opened = _opened(path, words)
    for name, array in opened.items():
        if words[name] and form_of(array) != split(words[name])[0]:
            raise _Damage(f"{name} has another shape or type than was written")
    one = {name for name, array in opened.items() if slot is not None and array.rank and not is_shared(name)}
    parts = {name: array[slot] if name in one else array for name, array in opened.items()}
    try:
        bounds.check_arrays(path, {name: _taken(array, name in one) for name, array in opened.items()})
    except ValueError as error:
        raise _Damage(str(error)) from None
    reading = {name: part.read() for name, part in parts.items()}
    arrays = {name: np.asarray(future.result()) for name, future in reading.items()}
    for name, array in arrays.items():
        if words[name] and not is_as_written(name, array, words[name], slot if name in one else None):
            raise _changed(name)
    return arrays


def _read_plain(path: Path, words: Mapping[str, str], slot: int | None) -> dict[str, np.ndarray]:
    """Returns the same of a checkpoint that was written plainly; all of it is read."""
    arrays = plain_arrays.read(path / _PLAIN, {name: split(text)[0] for name, text in words.items()})
    for name, array in arrays.items():
        # One checksum each: whoever waits for a thread that compiles would wait at every one.
        if checksums(array, whole=True) != split(words[name])[1]:
            raise _changed(name)
    if slot is None:
        return arrays
    return {name: array[slot] if array.ndim and not is_shared(name) else array for name, array in arrays.items()}


def _changed(name: str) -> _Damage:
    return _Damage(f"the bytes of {name} are not those that were written")


def _taken(array: Any, one: bool) -> tuple[tuple[int, ...], int]:
    """Returns the shape of what reading an array, or one trial's part, takes, and bytes a number.

    That is its part, or the chunk on disk that it lies in, whichever is larger.
    """
    part = array.shape[1:] if one else array.shape
    return max(array.chunk_layout.write_chunk.shape or part, part, key=math.prod), array.dtype.numpy_dtype.itemsize


def _check_slot(path: Path, slot: int, forms: Mapping[str, str]) -> None:
    """Raises RunError if a wave has no such slot."""
    widths = [re.search(r"\[(\d+)", form) for name, form in forms.items() if not is_shared(name)]
    width = min((int(found[1]) for found in widths if found), default=slot + 1)
    if not 0 <= slot < width:
        raise RunError(f"{path} holds slots 0 to {width - 1}, not {slot}")


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turns whatever reading a checkpoint raises into a RunError of one line."""
    try:
        yield
    except RunError:
        raise
    except (_Damage, OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        code = getattr(error, "errno", None)
        # TensorStore raises ValueErrors that quote the system's error number.
        if quoted := re.search(r"os_error_code='(\d+)'", str(error)):
            code = int(quoted[1])
        if code and code not in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR):
            raise RunError(f"cannot read {path}: {os.strerror(code)}; mend that and start again") from None
        reason = str(error) if isinstance(error, _Damage) else "a file of it is missing, cut short or changed"
        raise DamagedCheckpoint(f"{path} is damaged ({reason}); {_ADVICE[path.name.split('-')[0]]}") from None


# Orbax


class _Quiet(logging.Filter):
    """Drops what Orbax logs: a traceback in each thread for an error that is reported anyway."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "/orbax/checkpoint/" not in record.pathname


def import_orbax() -> ModuleType:
    """Returns Orbax, imported at the first call: a report must not wait a second for it."""
    import orbax.checkpoint as ocp

    logger = logging.getLogger("absl")
    if not any(isinstance(present, _Quiet) for present in logger.filters):
        logger.addFilter(_Quiet())
    return ocp


def _handler(ocp: ModuleType) -> Any:
    """Returns what writes arrays of this program for Orbax."""
    # Nobody changes the arrays meanwhile, so they need no copy.
    arrays = (np.ndarray, ocp.type_handlers.NumpyHandler(deepcopy_host_arrays=False))
    return ocp.PyTreeCheckpointHandler(
        use_zarr3=True,
        # Compression shrinks trained weights by a tenth and takes three times as long.
        use_compression=False,
        type_handler_registry=ocp.type_handlers.create_type_handler_registry(arrays),
    )
