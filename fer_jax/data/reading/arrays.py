"""Prepared images as .npy files that are mapped into memory.

They are written once and checked at every start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np

from fer_jax.base.arrays import read_npy
from fer_jax.base.cache import Damaged, read_note, write_note

_NOTE = "arrays.json"
# Bytes up to which the images' checksum is computed at every start; 80 MB take .05 to .15 s.
ALWAYS_CHECKED = 256 * 2**20


class _Summed:
    """A file being written, with the SHA-256 of what went in."""

    def __init__(self, file: IO[bytes]):
        self._file = file
        self.sum = hashlib.sha256()

    def write(self, data: Any) -> int:
        self.sum.update(data)
        return self._file.write(data)


def write(folder: Path, images: Iterable[tuple[np.ndarray, int, int]], shape: tuple[int, ...], about: Any) -> None:
    """Writes images.npy, labels.npy, usage.npy and a note with their checksums.

    Images go out one by one, so memory holds one of them and a full disk is an error, not a crash
    of a mapped file.

    Args:
        folder: exists, is empty.
        images: (image, label, usage) each; image uint8, shape[1:].
        shape: (n, size, size, channels).
        about: JSON values kept beside the arrays.

    Raises:
        Damaged: there were more or fewer images than n.
        OSError: the disk is full or cannot be written.
    """
    labels, usages = [], []
    sums = {}
    with open(folder / "images.npy", "wb") as file:
        summed = _Summed(file)
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(summed, header)
        for image, label, usage in images:
            summed.write(np.ascontiguousarray(image))
            labels.append(label)
            usages.append(usage)
    if len(labels) != shape[0]:
        raise Damaged(f"records: {len(labels):,} of {shape[0]:,} pictures")
    sums["images"] = summed.sum.hexdigest()
    for name, values in (("labels", np.array(labels, np.int32)), ("usage", np.array(usages, np.int8))):
        with open(folder / f"{name}.npy", "wb") as file:
            summed = _Summed(file)
            np.lib.format.write_array_header_1_0(summed, np.lib.format.header_data_from_array_1_0(values))
            summed.write(values)
        sums[name] = summed.sum.hexdigest()
    changed = (folder / "images.npy").stat().st_mtime_ns
    write_note(folder / _NOTE, {"sha256": sums, "shape": list(shape), "images_mtime_ns": changed, "about": about})


def load(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Returns the arrays that `write` wrote, images mapped, and their note.

    Checked every time: the note's own checksum, every file's dtype, shape and length, the checksums
    of labels and usage, and that of the images if they take up to 256 MiB; of larger ones only if
    the file was touched since it was written.

    Returns:
        {"images": uint8 (n, size, size, channels), mapped and read-only; "labels": int32 (n,);
            "usage": int8 (n,)}, and the note: sha256 by name, shape, about.

    Raises:
        Damaged: anything is not as it was written.
    """
    note = read_note(folder / _NOTE)
    shape = tuple(note["shape"])
    found = {}
    kinds = {"images": (np.uint8, shape), "labels": (np.int32, shape[:1]), "usage": (np.int8, shape[:1])}
    for name, (dtype, wanted) in kinds.items():
        path = folder / f"{name}.npy"
        trusted = note["images_mtime_ns"] if name == "images" else None
        found[name] = load_one(path, np.dtype(dtype), wanted, note["sha256"][name], name == "images", trusted)
    return found, note


def load_one(
    path: Path, dtype: np.dtype, shape: tuple[int, ...], sha256: str, mapped: bool, trusted: int | None = None
) -> np.ndarray:
    """Returns one array, read-only. Raises Damaged unless it is what was written.

    Args:
        path: of the file.
        dtype, shape, sha256: what it should be; `sha256` of the whole file, hex.
        mapped: whether it is mapped instead of read.
        trusted: when it was written, ns, if a large file untouched since is believed.
    """
    try:
        state = path.stat()
        untouched = state.st_size > ALWAYS_CHECKED and state.st_mtime_ns == trusted
        if not untouched and checksum(path) != sha256:
            raise Damaged(f"{path.name}: its checksum differs")
        array = read_npy(path, "r" if mapped else None)
    except (OSError, ValueError, EOFError) as error:
        raise Damaged(f"{path.name}: {str(error).splitlines()[0]}") from error
    if array.dtype != dtype or array.shape != shape:
        raise Damaged(f"{path.name}: holds {array.dtype} {array.shape}, not {dtype} {shape}")
    array.flags.writeable = False
    return array


def checksum(path: Path) -> str:
    """Returns the SHA-256 (hex) of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
