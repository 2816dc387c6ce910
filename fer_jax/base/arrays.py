"""NumPy's files read by one thread at a time."""

from __future__ import annotations

import threading
import zipfile
import zlib
from pathlib import Path
from typing import IO, Literal

import numpy as np

# NumPy parses a header with `ast`, which up to Python 3.12 can fail with a SystemError where two
# threads parse at once (python/cpython 106905).
_parsing = threading.Lock()


def read_npy(path: Path, mapped: Literal["r"] | None = None) -> np.ndarray:
    """Returns the array of an .npy file, which never holds Python objects.

    Args:
        path: of the file.
        mapped: 'r' maps it from disk instead of reading it.

    Raises:
        OSError, EOFError, ValueError: it is not there, or damaged.
    """
    with _parsing:
        if mapped:
            return np.lib.format.open_memmap(path, mode=mapped)
        with open(path, "rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Returns the arrays of an .npz file by name; raises as `read_npy` does."""
    # Given a path, NumPy leaves the file open where it is no archive.
    with _parsing, open(path, "rb") as file:
        try:
            found = np.load(file, allow_pickle=False)
            if isinstance(found, np.ndarray):
                raise ValueError("it holds one array without a name")
            with found:
                return dict(found)
        except (zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(str(error)) from None


def read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Returns shape, whether it is stored column by column, and dtype of an array in NumPy's form.

    Nothing but the header is read; the array's bytes follow in `file`.

    Raises:
        ValueError, EOFError: it is no array in NumPy's form.
    """
    with _parsing:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            return np.lib.format.read_array_header_1_0(file)
        if version == (2, 0):
            return np.lib.format.read_array_header_2_0(file)
        raise ValueError(f"it is of version {version[0]}.{version[1]}")
