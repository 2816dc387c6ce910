"""Arrays one after another in one file, which takes a tenth of the time that Orbax takes.

States are written this way: often, while the training waits for its cores, and read by this program
only. The file has no header. What lies where follows from the arrays' names, dtypes and shapes,
which the checkpoint's description holds together with their checksums.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from fer_jax.base import machine

_FORM = re.compile(r"(\w+)\[([\d, ]*)\]")


def write(path: Path, arrays: Iterable[np.ndarray]) -> None:
    """Writes a file of arrays in C order; OSError where the disk refuses."""
    with open(path, "xb") as file:
        for array in arrays:
            # Types that are not NumPy's own, such as bfloat16, have no buffer of their own.
            file.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def read(path: Path, forms: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Returns name -> array.

    Args:
        path: the file.
        forms: name -> dtype and shape, such as 'float32[8, 3]', of all its arrays in their order.

    Raises:
        ValueError: the file is longer or shorter than its arrays, larger than the memory, or a form
            is none.
        OSError: it cannot be read.
    """
    layout = {name: _parsed(form) for name, form in forms.items()}
    found = {}
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size != sum(_bytes(*each) for each in layout.values()):
            raise ValueError("it is not as long as its arrays")
        if size > machine.total_memory():
            raise ValueError("it is larger than the memory")
        for name, (kind, shape) in layout.items():
            content = bytearray(_bytes(kind, shape))
            file.readinto(content)
            found[name] = np.frombuffer(content, kind).reshape(shape)
    return found


def _bytes(kind: np.dtype, shape: tuple[int, ...]) -> int:
    return kind.itemsize * math.prod(shape)


def _parsed(form: str) -> tuple[np.dtype, tuple[int, ...]]:
    """Returns the dtype and shape that a form such as 'float32[8, 3]' names."""
    # Registers bfloat16 with NumPy.
    import ml_dtypes  # noqa: F401

    match = _FORM.fullmatch(form)
    if not match:
        raise ValueError(f"{form!r} is no array")
    try:
        kind = np.dtype(match[1])
    except TypeError:
        raise ValueError(f"{match[1]!r} is no type") from None
    if kind.hasobject:
        raise ValueError(f"{match[1]!r} is no type of numbers")
    return kind, tuple(int(axis) for axis in match[2].split(",") if axis.strip())
