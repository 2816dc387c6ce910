"""An ONNX graph to which nodes and constants are added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fer_jax.base.optional import need
from fer_jax.errors import FerJaxError

# A tensor of the graph by its name, or a constant.
Value = str | np.ndarray


class Graph:
    """A graph that is being made.

    Attributes:
        input: name of the graph's one input.
        helper, numpy_helper: onnx's modules of these names.
        nodes, constants: what was added, as onnx has it.
    """

    def __init__(self, input: str):
        self.input = input
        self.helper, self.numpy_helper = need("onnx.helper", "onnx"), need("onnx.numpy_helper", "onnx")
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._count = 0

    def add(self, operation: str, *inputs: Value, **attributes: Any) -> str:
        """Adds a node with one output and returns the output's name."""
        name = self._name(operation.lower())
        self.nodes.append(
            self.helper.make_node(operation, [self.tensor(value) for value in inputs], [name], **attributes)
        )
        return name

    def tensor(self, value: Value) -> str:
        """Returns the name under which the graph has a value; a constant is added."""
        if isinstance(value, str):
            return value
        name = self._name("constant")
        self.constants.append(self.numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def shape(self, sizes: Sequence[Any]) -> Value:
        """Returns a shape as a tensor; the batch's size is read from the input at run time."""
        if all(isinstance(size, int) for size in sizes):
            return np.array(sizes, np.int64)
        batch = self.add("Shape", self.input, start=0, end=1)
        return self.add("Concat", *(np.array([size]) if isinstance(size, int) else batch for size in sizes), axis=0)

    def _name(self, stem: str) -> str:
        self._count += 1
        return f"{stem}_{self._count}"


class Untranslatable(FerJaxError):
    """An operation that has no rule here."""
