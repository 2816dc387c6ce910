"""Logits of trained networks on the held-out splits, and the labels of these splits, on disk."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from fer_jax.base.arrays import read_npy
from fer_jax.base.files import explain_write, write_bytes
from fer_jax.errors import DamagedError
from fer_jax.store import bounds

_DIGITS = 16  # of a data set's checksum, in a file's name


class PredictionFiles:
    """The folder `predictions/` of a run.

    `<wave>-<split>.npy` holds float32 (slots, images, K), the logits by the weights that validation
    chose, and `<wave>-<split>.json` the SHA-256 of those of each slot. `data-<checksum>.npz` holds
    `<split>_labels`, int32 (images,), and `<split>_leaked`, bool (images,), of a data set. Images
    are in the order of their split.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def write(self, wave: str, split: str, logits: np.ndarray) -> None:
        """Writes the logits of a wave's trials on a split.

        Args:
            wave: the wave's name.
            split: 'validation' or 'test'.
            logits: (slots, images, K), kept as float32.

        Raises:
            RunError: the file cannot be written.
        """
        array = np.ascontiguousarray(logits, dtype=np.float32)
        path = self._path(wave, split)
        # Logits without checksums are those of an earlier version; with others they are damaged.
        with explain_write(path):
            _seal(path).unlink(missing_ok=True)
        write_bytes(path, _saved(array))
        record = {"sha256": [_sha256(slot) for slot in array]}
        write_bytes(_seal(path), (json.dumps(record, indent=1) + "\n").encode())

    def read(self, wave: str, split: str, slot: int | Sequence[int]) -> np.ndarray | None:
        """Returns one trial's logits, float32 (images, K), or None where none were kept.

        No other trial's are read. Of several slots it is (slots, images, K), from a file that is
        opened once.

        Raises:
            DamagedError: the file is damaged, or has no such slot.
        """
        path = self._path(wave, split)
        try:
            found = np.array(read_npy(path, "r")[slot])
            if (sums := _sums(path)) is not None:
                for one, logits in [(slot, found)] if isinstance(slot, int) else zip(slot, found, strict=True):
                    if one >= len(sums) or _sha256(logits) != sums[one]:
                        raise ValueError(f"slot {one} has another checksum")
        except FileNotFoundError:
            return None
        except (OSError, EOFError, ValueError, IndexError, TypeError) as error:
            raise _damaged(path, error) from None
        return found

    def check(self, wave: str, split: str, slots: Sequence[int]) -> str:
        """Returns '' if the logits of some slots are whole, else 'gone' or 'damaged'.

        Those of an earlier version, which kept no checksums, are whole if they are finite.
        """
        path = self._path(wave, split)
        if not path.is_file():
            return "gone"
        try:
            is_earlier = not _seal(path).exists()
            for slot in slots:
                found = self.read(wave, split, slot)
                if found is None or (is_earlier and not np.isfinite(found).all()):
                    return "damaged"
        except DamagedError:
            return "damaged"
        return ""

    def write_targets(self, checksum: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Writes the labels of a data set's held-out splits and which of their images are leaked.

        Args:
            checksum: the data set's checksum.
            arrays: what the class says of `data-<checksum>.npz`.

        Raises:
            RunError: the file cannot be written.
        """
        buffer, named = io.BytesIO(), cast(dict[str, Any], arrays)
        np.savez(buffer, **named)
        write_bytes(self._targets(checksum), buffer.getvalue())

    def has_targets(self, checksum: str) -> bool:
        """Returns whether `write_targets` wrote something for a data set."""
        return self._targets(checksum).is_file()

    def read_targets(self, checksum: str) -> dict[str, np.ndarray] | None:
        """Returns what `write_targets` wrote for a data set, or None where it wrote nothing.

        Raises:
            DamagedError: the file is damaged.
        """
        path = self._targets(checksum)
        try:
            return bounds.read_npz(path)
        except FileNotFoundError:
            return None
        except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
            raise _damaged(path, error) from None

    def forget(self, wave: str) -> None:
        """Deletes the logits of a wave, if there are any."""
        for split in ("validation", "test"):
            path = self._path(wave, split)
            with explain_write(path):
                _seal(path).unlink(missing_ok=True)
                path.unlink(missing_ok=True)

    def _path(self, wave: str, split: str) -> Path:
        return self.folder / f"{wave}-{split}.npy"

    def _targets(self, checksum: str) -> Path:
        return self.folder / f"data-{checksum[:_DIGITS]}.npz"


def _saved(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _seal(path: Path) -> Path:
    return path.with_suffix(".json")


def _sums(path: Path) -> list[str] | None:
    """Returns the checksums of a file's slots; None where an earlier version kept none."""
    try:
        return list(bounds.read_json(_seal(path))["sha256"])
    except FileNotFoundError:
        return None
    except (KeyError, TypeError):
        raise ValueError(f"{_seal(path).name} holds no checksums") from None


def _sha256(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def _damaged(path: Path, error: Exception) -> DamagedError:
    said = (str(error).splitlines() or [type(error).__name__])[0]
    return DamagedError(f"{path} is damaged ({said}): what needs it is left out; the same command makes it again")
