"""Whether the bytes of boosted trees are trees, asked before XGBoost reads them.

Its parser trusts what it reads: lists that are nested deep end the process, and so may a node whose
children do not exist. The checksum behind the bytes says that they are whole, not who wrote them.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

MOST_DEPTH = 32
# UBJSON's types of one number, big-endian.
_NUMBERS = {"i": ">i1", "U": ">u1", "I": ">i2", "l": ">i4", "L": ">i8", "d": ">f4", "D": ">f8"}
_CONSTANTS = {"Z": None, "N": None, "T": True, "F": False}


def check(content: bytes, num_classes: int) -> None:
    """Raises ValueError where UBJSON holds no trees of so many classes that can be walked."""
    try:
        learner = _Reader(content).document()["learner"]
        model = learner["gradient_booster"]["model"]
        features = int(learner["learner_model_param"]["num_feature"])
        if int(learner["learner_model_param"]["num_class"]) != num_classes:
            raise ValueError("its trees are of other classes")
        trees, classes = model["trees"], np.asarray(model["tree_info"])
        if len(classes) != len(trees) or not _within(classes, 0, num_classes):
            raise ValueError("its trees are of no class")
        rounds = np.asarray(model.get("iteration_indptr", [0, len(trees)]))
        if rounds[0] != 0 or rounds[-1] != len(trees) or (np.diff(rounds) < 0).any():
            raise ValueError("its rounds are not those of its trees")
        for tree in trees:
            _check_tree(tree, features)
    except (KeyError, TypeError, IndexError, AttributeError, struct.error, OverflowError) as error:
        raise ValueError(f"it holds no trees ({type(error).__name__})") from None


def _check_tree(tree: dict[str, Any], features: int) -> None:
    """Raises ValueError for a tree with a node that is not there, or that is its own ancestor."""
    left, right = np.asarray(tree["left_children"]), np.asarray(tree["right_children"])
    count = len(left)
    columns = ("right_children", "parents", "split_indices", "split_conditions", "default_left", "base_weights")
    if count < 1 or any(len(tree[name]) != count for name in columns):
        raise ValueError("a tree has nodes without values")
    if (
        int(tree["tree_param"]["num_nodes"]) != count
        or len(tree.get("categories", ()))
        or int(tree["tree_param"].get("size_leaf_vector", 1)) not in (0, 1)
    ):
        raise ValueError("a tree is of another kind")
    children = np.concatenate([left[left != -1], right[right != -1]])
    # No node is two nodes' child, nor the root anybody's: no walk from the root comes back.
    if (
        not _within(children, 1, count)
        or len(np.unique(children)) < len(children)
        or ((left == -1) != (right == -1)).any()
    ):
        raise ValueError("a node of a tree leads nowhere")
    if not _within(np.asarray(tree["split_indices"])[left != -1], 0, features):
        raise ValueError("a tree asks for a feature that there is not")
    if np.asarray(tree.get("split_type", [0])).any():
        raise ValueError("a tree is of another kind")


def _within(values: np.ndarray, low: int, end: int) -> bool:
    return not len(values) or bool(low <= values.min() and values.max() < end)


class _Reader:
    """Reads UBJSON into dicts, lists and arrays that are no longer than the bytes they are from."""

    def __init__(self, content: bytes):
        self._content, self._place = content, 0

    def document(self) -> Any:
        """Returns what all of the bytes hold."""
        found = self._value(self._mark(), 0)
        if self._place != len(self._content):
            raise ValueError("something follows its end")
        return found

    def _take(self, count: int) -> bytes:
        if not 0 <= count <= len(self._content) - self._place:
            raise ValueError("it claims more than it holds")
        self._place += count
        return self._content[self._place - count : self._place]

    def _mark(self) -> str:
        return self._take(1).decode("latin-1")

    def _number(self, mark: str) -> Any:
        if mark not in _NUMBERS:
            raise ValueError("it is no UBJSON")
        return np.frombuffer(self._take(int(_NUMBERS[mark][2])), _NUMBERS[mark])[0].item()

    def _text(self) -> str:
        return self._take(int(self._number(self._mark()))).decode()

    def _value(self, mark: str, depth: int) -> Any:
        if depth > MOST_DEPTH:
            raise ValueError(f"nested deeper than {MOST_DEPTH} levels")
        if mark == "{":
            return self._object(depth)
        if mark == "[":
            return self._list(depth)
        if mark == "S":
            return self._text()
        return _CONSTANTS[mark] if mark in _CONSTANTS else self._number(mark)

    def _object(self, depth: int) -> dict[str, Any]:
        found = {}
        while (mark := self._mark()) != "}":
            name = self._take(int(self._number(mark))).decode()
            found[name] = self._value(self._mark(), depth + 1)
        return found

    def _list(self, depth: int) -> Any:
        mark, kind = self._mark(), ""
        if mark == "$":
            kind, mark = self._mark(), self._mark()
        if mark == "#":
            count = int(self._number(self._mark()))
            if kind in _NUMBERS:
                return np.frombuffer(self._take(count * int(_NUMBERS[kind][2])), _NUMBERS[kind])
            if kind or not 0 <= count <= len(self._content) - self._place:
                raise ValueError("it claims more than it holds")
            return [self._value(self._mark(), depth + 1) for _ in range(count)]
        found = []
        while mark != "]":
            found.append(self._value(mark, depth + 1))
            mark = self._mark()
        return found
