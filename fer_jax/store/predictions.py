"""Logits of trained networks on the held-out splits, and the labels of these splits, on disk."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from fer_jax.base.arrays import read_npy
from fer_jax.base.files import explain_write, write_bytes
from fer_jax.errors import RunError
from fer_jax.store import bounds

_DIGITS = 16  # of a data set's checksum, in a file's name


class PredictionFiles:
    """The folder `predictions/` of a run.

    `<wave>-<split>.npy` holds float32 (slots, images, K), the logits by the weights that validation
    chose. `data-<checksum>.npz` holds `<split>_labels`, int32 (images,), and `<split>_leaked`, bool
    (images,), of a data set. Images are in the order of their split.
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
        write_bytes(self._path(wave, split), _saved(logits.astype(np.float32, copy=False)))

    def read(self, wave: str, split: str, slot: int | Sequence[int]) -> np.ndarray | None:
        """Returns one trial's logits, float32 (images, K), or None where none were kept.

        No other trial's are read. Of several slots it is (slots, images, K), from a file that is
        opened once.

        Raises:
            RunError: the file is damaged, or has no such slot.
        """
        path = self._path(wave, split)
        try:
            return np.array(read_npy(path, "r")[slot])
        except FileNotFoundError:
            return None
        except (OSError, EOFError, ValueError, IndexError) as error:
            raise _damaged(path, error) from None

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

    def read_targets(self, checksum: str) -> dict[str, np.ndarray] | None:
        """Returns what `write_targets` wrote for a data set, or None where it wrote nothing.

        Raises:
            RunError: the file is damaged.
        """
        path = self._targets(checksum)
        try:
            return bounds.read_npz(path)
        except FileNotFoundError:
            return None
        except (OSError, EOFError, ValueError) as error:
            raise _damaged(path, error) from None

    def forget(self, wave: str) -> None:
        """Deletes the logits of a wave, if there are any."""
        for split in ("validation", "test"):
            path = self._path(wave, split)
            with explain_write(path):
                path.unlink(missing_ok=True)

    def _path(self, wave: str, split: str) -> Path:
        return self.folder / f"{wave}-{split}.npy"

    def _targets(self, checksum: str) -> Path:
        return self.folder / f"data-{checksum[:_DIGITS]}.npz"


def _saved(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _damaged(path: Path, error: Exception) -> RunError:
    said = (str(error).splitlines() or [type(error).__name__])[0]
    return RunError(f"{path} is damaged ({said}); delete it, and what needs it is left out")
