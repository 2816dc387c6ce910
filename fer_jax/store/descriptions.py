"""What a checkpoint says of its arrays: their names, dtypes, shapes and checksums.

A pytree is described as JSON: dicts, lists, None, and for an array 'float32[8, 3] <checksums>', a
CRC-32 of eight hexadecimal digits for each trial; one in all where there is no trial axis, and in
states, which are read whole.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

# The part of a saved tree whose arrays have no trial axis.
SHARED = "shared"


def describe(tree: Any, about: Mapping[str, Any], by_trial: bool) -> dict[str, Any]:
    """Returns the description of a pytree of NumPy arrays, a JSON object.

    Its `arrays` are the tree, `about` what else there is to say, and `crc32` is of both. Without
    `by_trial` each array has one checksum, whatever its axes.
    """
    content = {"arrays": _described(tree, (), by_trial), "about": dict(about)}
    return {**content, "crc32": checksum(content)}


def _described(node: Any, key: tuple[Any, ...], by_trial: bool) -> Any:
    """Returns a pytree as JSON: dicts, lists, None, and 'float32[8, 3] <checksums>' for arrays."""
    import jax

    children = jax.tree_util.tree_leaves_with_path(node, is_leaf=lambda child: child is not node)
    if len(children) == 1 and not children[0][0]:
        return f"{form_of(node)} {checksums(node, whole=not by_trial or is_shared(leaf_name(key)))}"
    parts = [(path[0], _described(child, (*key, *path), by_trial)) for path, child in children]
    if isinstance(node, list) or (isinstance(node, tuple) and not hasattr(node, "_fields")):
        return [part for _, part in parts]
    return None if node is None else {_part_name(part): child for part, child in parts}


def checksums(array: Any, whole: bool) -> str:
    """Returns the CRC-32 of every slot's bytes, or of all, eight hexadecimal digits each."""
    array = np.ascontiguousarray(array)
    rows = [array.reshape(-1)] if whole or not array.ndim else array.reshape(len(array), -1)
    found = [zlib.crc32(np.ascontiguousarray(row).view(np.uint8).data) for row in rows]
    return np.array(found, ">u4").tobytes().hex()


def checksum(content: Mapping[str, Any]) -> int:
    """Returns the CRC-32 of a description without its own `crc32`."""
    return zlib.crc32(json.dumps(content, sort_keys=True).encode())


def named_leaves(tree: Any) -> list[tuple[str, Any]]:
    """Returns ('optimizer.0.nu', leaf) of all leaves of a pytree or of a description's `arrays`."""
    import jax

    return [(leaf_name(key), leaf) for key, leaf in jax.tree_util.tree_leaves_with_path(tree)]


def form_of(leaf: Any) -> str:
    """Returns dtype and shape of an array, such as 'float32[8, 3]'."""
    dtype = getattr(leaf.dtype, "numpy_dtype", leaf.dtype)
    return f"{dtype}{list(leaf.shape)}"


def leaf_name(key: Sequence[Any]) -> str:
    """Returns the name of a leaf from its key path in a pytree."""
    return ".".join(_part_name(part) for part in key)


def _part_name(part: Any) -> str:
    return str(getattr(part, "key", getattr(part, "name", getattr(part, "idx", None))))


def is_shared(name: str) -> bool:
    """Returns whether an array belongs to all trials of a wave, and so has no trial axis."""
    return name.split(".")[0] == SHARED


def split(words: str) -> tuple[str, str]:
    """Returns form and checksums of an array, from what a description says of it."""
    form, _, checksums = words.rpartition(" ")
    return form, checksums


def is_as_written(name: str, array: np.ndarray, words: str, slot: int | None) -> bool:
    """Returns whether an array, or the part of it that belongs to a slot, has its checksum.

    Args:
        name: of the array.
        array: all of it; with a slot, its part.
        words: what the description says of it.
        slot: a trial's place from 0, or None.
    """
    expected = split(words)[1]
    if slot is not None:
        expected = expected[8 * slot : 8 * slot + 8]
    return checksums(array, whole=slot is not None or is_shared(name)) == expected
