"""Rules from JAX's primitives to ONNX's operations.

Each takes the graph, the equation and its inputs, adds nodes and returns the output.

`RULES` has the primitives by name; `FUNCTIONS` has functions of this program that are known to ONNX
as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fer_jax.exports.graph import Graph, Untranslatable, Value
from fer_jax.models import pooling

Rule = Callable[..., Value]

_SAME = {
    "abs": "Abs", "add": "Add", "add_any": "Add", "and": "And", "ceil": "Ceil", "copy": "Identity", "cos": "Cos",
    "div": "Div", "eq": "Equal", "erf": "Erf", "exp": "Exp", "floor": "Floor", "ge": "GreaterOrEqual",
    "gt": "Greater", "le": "LessOrEqual", "log": "Log", "logistic": "Sigmoid", "lt": "Less", "max": "Max",
    "min": "Min", "mul": "Mul", "neg": "Neg", "not": "Not", "or": "Or", "pow": "Pow", "sign": "Sign", "sin": "Sin",
    "sqrt": "Sqrt", "stop_gradient": "Identity", "sub": "Sub", "tanh": "Tanh",
}  # fmt: skip


def _same(operation: str) -> Rule:
    return lambda graph, equation, *inputs: graph.add(operation, *inputs)


def _of(equation: Any) -> tuple[Any, ...]:
    """Returns the shape of the output; sizes are ints, or the batch's symbol."""
    return equation.outvars[0].aval.shape


def _reshape(graph: Graph, value: Value, shape: Sequence[Any]) -> Value:
    """Reshapes with one size left to be found: that of the batch, if it is among them."""
    return graph.add("Reshape", value, np.array([size if isinstance(size, int) else -1 for size in shape], np.int64))


def _reshaped(graph: Graph, equation: Any, value: Value, *_: Value) -> Value:
    if sum(not isinstance(size, int) for size in _of(equation)) > 1:
        raise Untranslatable("a reshape splits the batch")
    return _reshape(graph, value, _of(equation))


def _broadcast_in_dim(graph: Graph, equation: Any, value: Value, *_: Value) -> Value:
    shape, places = _of(equation), equation.params["broadcast_dimensions"]
    before = equation.invars[0].aval.shape
    aligned = [1] * len(shape)
    for place, size in zip(places, before, strict=True):
        aligned[place] = size
    if len(before) != len(shape):
        value = _reshape(graph, value, aligned)
    return value if tuple(aligned) == tuple(shape) else graph.add("Expand", value, graph.shape(shape))


def _transpose(graph: Graph, value: Value, order: Sequence[int]) -> Value:
    if isinstance(value, np.ndarray):
        return value.transpose(order)
    return value if tuple(order) == tuple(range(len(order))) else graph.add("Transpose", value, perm=list(order))


def _pad(graph: Graph, value: Value, amounts: Sequence[tuple[int, int]], fill: Value) -> Value:
    """Adds (before, after) elements along each axis; a negative amount takes some away."""
    if not any(amount for both in amounts for amount in both):
        return value
    flat = np.array([before for before, _ in amounts] + [after for _, after in amounts], np.int64)
    return graph.add("Pad", value, flat, fill, mode="constant")


def _padded(graph: Graph, equation: Any, value: Value, fill: Value) -> Value:
    config = equation.params["padding_config"]
    if any(interior for _, _, interior in config):
        raise Untranslatable("a pad puts elements between those of its input")
    return _pad(graph, value, [(before, after) for before, after, _ in config], fill)


def _slice(graph: Graph, equation: Any, value: Value) -> Value:
    params, shape = equation.params, equation.invars[0].aval.shape
    starts, ends = params["start_indices"], params["limit_indices"]
    strides = params["strides"] or (1,) * len(shape)
    cut = [
        axis
        for axis, size in enumerate(shape)
        if isinstance(size, int) and (starts[axis], ends[axis], strides[axis]) != (0, size, 1)
    ]
    if any(
        not isinstance(size, int) and (starts[axis], ends[axis], strides[axis]) != (0, size, 1)
        for axis, size in enumerate(shape)
    ):
        raise Untranslatable("a slice takes part of the batch")
    chosen = ([values[axis] for axis in cut] for values in (starts, ends, range(len(shape)), strides))
    return graph.add("Slice", value, *(np.array(numbers, np.int64) for numbers in chosen)) if cut else value


def _channels_first(equation: Any) -> tuple[int, ...]:
    """Returns the axes of a window reduction, those that its windows span last.

    ONNX pools over all axes but the first two.
    """
    window = equation.params["window_dimensions"]
    spanned = [axis for axis, size in enumerate(window) if size > 1 or equation.params["window_strides"][axis] > 1]
    rest = [axis for axis in range(len(window)) if axis not in spanned]
    moved = rest[2:]
    if len(rest) < 2 or not window:
        raise Untranslatable("a pool spans the batch or the channels")
    return (*rest[:2], *sorted(spanned + moved))


def _pool(operation: str) -> Rule:
    def rule(graph: Graph, equation: Any, value: Value, *_: Value) -> Value:
        params = equation.params
        if any(size != 1 for size in (*params["base_dilation"], *params["window_dilation"])):
            raise Untranslatable("a pool is dilated")
        order = _channels_first(equation)
        inner = order[2:]
        window, strides = ([params[name][axis] for axis in inner] for name in ("window_dimensions", "window_strides"))
        if operation == "AveragePool":
            amounts = [tuple(both) for both in params["padding"]]
            value, pads = _pad(graph, value, amounts, np.zeros((), np.float32)), [0] * 2 * len(inner)
        else:
            pads = [params["padding"][axis][0] for axis in inner] + [params["padding"][axis][1] for axis in inner]
        found = graph.add(operation, _transpose(graph, value, order), kernel_shape=window, strides=strides, pads=pads)
        if operation == "AveragePool":
            found = graph.add("Mul", found, np.array(math.prod(window), np.float32))
        return _transpose(graph, found, np.argsort(order).tolist())

    return rule


def _max_over_windows(graph: Graph, equation: Any, value: Value) -> Value:
    """The rule for `pooling.max_pool` of images whose sides are multiples of the window."""
    side = equation.invars[0].aval.shape[1] // _of(equation)[1]
    pooled = graph.add(
        "MaxPool", _transpose(graph, value, (0, 3, 1, 2)), kernel_shape=[side, side], strides=[side, side]
    )
    return _transpose(graph, pooled, (0, 2, 3, 1))


def _convolution(graph: Graph, equation: Any, images: Value, kernel: Value) -> Value:
    params = equation.params
    if params["batch_group_count"] != 1 or any(size != 1 for size in params["lhs_dilation"]):
        raise Untranslatable("a convolution is transposed or grouped by batch")
    lhs, rhs, out = params["dimension_numbers"]
    # ONNX's convolution has no negative padding.
    cut = [(0, 0), (0, 0), *((min(before, 0), min(after, 0)) for before, after in params["padding"])]
    images = _pad(graph, _transpose(graph, images, lhs), cut, np.zeros((), np.float32))
    before, after = zip(*((max(before, 0), max(after, 0)) for before, after in params["padding"]), strict=True)
    found = graph.add(
        "Conv",
        images,
        _transpose(graph, kernel, rhs),
        strides=list(params["window_strides"]),
        dilations=list(params["rhs_dilation"]),
        pads=[*before, *after],
        group=params["feature_group_count"],
    )
    return _transpose(graph, found, np.argsort(out).tolist())


def _dot_general(graph: Graph, equation: Any, left: Value, right: Value) -> Value:
    (contract, batch), letters = equation.params["dimension_numbers"], iter("abcdefghijklmnopqrstuvwxyz")
    ranks = [len(atom.aval.shape) for atom in equation.invars]
    if ranks == [2, 2] and contract == ((1,), (0,)):
        return graph.add("MatMul", left, right)
    names: list[list[str]] = [[""] * rank for rank in ranks]
    for axes in (batch, contract):
        for one, other in zip(*axes, strict=True):
            names[0][one] = names[1][other] = next(letters)
    names = [[name or next(letters) for name in side] for side in names]
    shared = [names[0][axis] for axis in batch[0]]
    free = [
        name
        for side, joined, together in zip(names, contract, batch, strict=True)
        for axis, name in enumerate(side)
        if axis not in (*joined, *together)
    ]
    formula = f"{''.join(names[0])},{''.join(names[1])}->{''.join(shared + free)}"
    return graph.add("Einsum", left, right, equation=formula)


def _reduce(operation: str) -> Rule:
    def rule(graph: Graph, equation: Any, value: Value) -> Value:
        if not (axes := equation.params["axes"]):
            return value
        return graph.add(operation, value, np.array(axes, np.int64), keepdims=0)

    return rule


def _select(graph: Graph, equation: Any, which: Value, *cases: Value) -> Value:
    if len(cases) != 2 or equation.invars[0].aval.dtype != bool:
        raise Untranslatable("a selection has more than two cases")
    return graph.add("Where", which, cases[1], cases[0])


def _convert(graph: Graph, equation: Any, value: Value, *_: Value) -> Value:
    return graph.add("Cast", value, to=graph.helper.np_dtype_to_tensor_dtype(np.dtype(equation.params["new_dtype"])))


def _power(graph: Graph, equation: Any, value: Value) -> Value:
    return graph.add("Pow", value, np.array(equation.params["y"], equation.invars[0].aval.dtype))


def _one(equation: Any) -> np.ndarray:
    return np.ones((), equation.invars[0].aval.dtype)


RULES: dict[str, Rule] = {
    **{name: _same(operation) for name, operation in _SAME.items()},
    "broadcast_in_dim": _broadcast_in_dim,
    "clamp": lambda graph, equation, low, value, high: graph.add("Min", graph.add("Max", value, low), high),
    "concatenate": lambda graph, equation, *inputs: graph.add("Concat", *inputs, axis=equation.params["dimension"]),
    "conv_general_dilated": _convolution,
    "convert_element_type": _convert,
    "dot_general": _dot_general,
    "integer_pow": _power,
    "log1p": lambda graph, equation, value: graph.add("Log", graph.add("Add", value, _one(equation))),
    "ne": lambda graph, equation, *inputs: graph.add("Not", graph.add("Equal", *inputs)),
    "pad": _padded,
    "reduce_max": _reduce("ReduceMax"),
    "reduce_min": _reduce("ReduceMin"),
    "reduce_sum": _reduce("ReduceSum"),
    "reduce_window_max": _pool("MaxPool"),
    "reduce_window_sum": _pool("AveragePool"),
    "reshape": _reshaped,
    "rev": lambda graph, equation, value: _reversed(graph, value, equation.params["dimensions"]),
    "rsqrt": lambda graph, equation, value: graph.add("Reciprocal", graph.add("Sqrt", value)),
    "select_n": _select,
    "slice": _slice,
    "square": lambda graph, equation, value: graph.add("Mul", value, value),
    "squeeze": _reshaped,
    "transpose": lambda graph, equation, value: _transpose(graph, value, equation.params["permutation"]),
}
FUNCTIONS: dict[str, Rule] = {pooling._max_over_windows.fun.__name__: _max_over_windows}


def _reversed(graph: Graph, value: Value, axes: Sequence[int]) -> Value:
    count = len(axes)
    ends = np.full(count, np.iinfo(np.int64).min)
    return graph.add("Slice", value, np.full(count, -1), ends, np.array(axes, np.int64), np.full(count, -1))
