"""Logits of trained networks on the held-out splits, and the labels they are held against, on disk."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from fer_jax.base.files import explain_write, write_bytes
from fer_jax.errors import RunError

_DIGITS = 16  # of a data set's checksum, in a file's name


class PredictionFiles:
    """The folder `predictions/` of a run.

    `<wave>-<split>.npy`: float32 (slots, images, K), by the weights that validation chose.
    `data-<checksum>.npz`: `<split>_labels`, int32 (images,), and `<split>_leaked`, bool (images,),
    of a data set; the images are in the order of its splits.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def write(self, wave: str, split: str, logits: np.ndarray) -> None:
        """Write the logits of a wave's trials on a split; RunError if the disk refuses."""
        write_bytes(self._path(wave, split), _saved(logits.astype(np.float32, copy=False)))

    def read(self, wave: str, split: str, slot: int) -> np.ndarray | None:
        """One trial's logits, float32 (images, K), reading no other trial's; None where none were
        kept. RunError if damaged.
        """
        path = self._path(wave, split)
        try:
            return np.array(np.load(path, mmap_mode="r")[slot])
        except FileNotFoundError:
            return None
        except (OSError, EOFError, ValueError, IndexError) as error:
            raise _damaged(path, error) from None

    def write_targets(self, checksum: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Write the labels of a data set's held-out splits and which of their pictures are leaked."""
        buffer, named = io.BytesIO(), cast(dict[str, Any], arrays)
        np.savez(buffer, **named)
        write_bytes(self._targets(checksum), buffer.getvalue())

    def read_targets(self, checksum: str) -> dict[str, np.ndarray] | None:
        """What `write_targets` wrote; None where it did not. RunError if damaged."""
        path = self._targets(checksum)
        try:
            with np.load(path) as found:
                return dict(found)
        except FileNotFoundError:
            return None
        except (OSError, EOFError, ValueError) as error:
            raise _damaged(path, error) from None

    def forget(self, wave: str) -> None:
        """Delete what belongs to a wave."""
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
