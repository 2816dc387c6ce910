"""A traced JAX function as an ONNX graph: each primitive becomes one or a few nodes (opset 18).

The first axis of input and output may be of any size: it is traced as a symbol. What depends on
weights alone is computed here and stored as a constant. Axes stay where JAX has them (n, height,
width, channels); around convolutions and pools, which ONNX knows with channels first only, stand
transpositions, which runtimes move out of the way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend import core

from fer_jax.base.optional import need
from fer_jax.exports import primitives
from fer_jax.exports.graph import Graph, Untranslatable, Value

OPSET = 18
# Files of this version are read by runtimes from 2024 on.
IR_VERSION = 10
BATCH = "n"


def to_onnx(
    function: Callable[[jax.Array], jax.Array],
    shape: Sequence[int],
    dtype: str,
    names: tuple[str, str],
    texts: dict[str, str],
) -> Any:
    """Returns the onnx.ModelProto of a function of one array.

    Args:
        function: (n, *shape) -> (n, ...), of JAX operations.
        shape: of one element of the batch.
        dtype: of the input, such as 'uint8'.
        names: of input and output in the graph.
        texts: metadata.

    Raises:
        Untranslatable: the function has an operation without a rule.
        FerJaxError: onnx is not installed.
    """
    graph = Graph(names[0])
    (n,) = jax.export.symbolic_shape(BATCH)
    closed = jax.make_jaxpr(function)(jax.ShapeDtypeStruct((n, *shape), dtype))
    (result,) = _translate(graph, closed, [names[0]])
    graph.nodes.append(graph.helper.make_node("Identity", [graph.tensor(result)], [names[1]]))
    described = []
    for name, aval in zip(names, (closed.in_avals[0], closed.out_avals[0]), strict=True):
        kind = graph.helper.np_dtype_to_tensor_dtype(np.dtype(aval.dtype))
        described.append(
            graph.helper.make_tensor_value_info(name, kind, [s if isinstance(s, int) else str(s) for s in aval.shape])
        )
    model = graph.helper.make_model(
        graph.helper.make_graph(graph.nodes, "fer_jax", described[:1], described[1:], graph.constants),
        opset_imports=[graph.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="fer_jax",
    )
    graph.helper.set_model_props(model, texts)
    need("onnx.checker", "onnx").check_model(model, full_check=True)
    return model


def _translate(graph: Graph, closed: Any, arguments: Sequence[Value]) -> list[Value]:
    """Adds the nodes of a jaxpr that its outputs need; returns the values of the outputs."""
    jaxpr = closed.jaxpr
    known: dict[Any, Value] = dict(zip(jaxpr.constvars, map(np.asarray, closed.consts), strict=True))
    known |= dict(zip(jaxpr.invars, arguments, strict=True))

    def read(atom: Any) -> Value:
        return (
            np.asarray(atom.val, getattr(atom.aval, "dtype", None)) if isinstance(atom, core.Literal) else known[atom]
        )

    for equation in _needed(jaxpr):
        results = _apply(graph, equation, [read(atom) for atom in equation.invars])
        known |= dict(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _needed(jaxpr: Any) -> list[Any]:
    """Returns the equations that the outputs depend on, in order."""
    wanted = {atom for atom in jaxpr.outvars if not isinstance(atom, core.Literal)}
    kept = []
    for equation in reversed(jaxpr.eqns):
        if wanted & set(equation.outvars):
            kept.append(equation)
            wanted |= {atom for atom in equation.invars if not isinstance(atom, core.Literal)}
    return kept[::-1]


def _apply(graph: Graph, equation: Any, inputs: list[Value]) -> list[Value]:
    """Adds the nodes of one equation; returns the values of its outputs."""
    params, name = equation.params, equation.primitive.name
    inner = next(
        (params[key] for key in ("jaxpr", "call_jaxpr", "call") if isinstance(params.get(key), core.ClosedJaxpr)), None
    )
    if inner is not None and name not in ("scan", "while", "cond"):
        if rule := primitives.FUNCTIONS.get(inner.jaxpr.debug_info.func_name):
            return [rule(graph, equation, *inputs)]
        return _translate(graph, inner, inputs)
    fixed = all(isinstance(size, int) for out in equation.outvars for size in out.aval.shape)
    if fixed and not any(isinstance(value, str) for value in inputs):
        found = equation.primitive.bind(*inputs, **params)
        return [np.asarray(value) for value in (found if equation.primitive.multiple_results else [found])]
    if name not in primitives.RULES:
        raise Untranslatable(f"its operation {name!r} has no rule in fer_jax/exports/primitives.py")
    return [primitives.RULES[name](graph, equation, *inputs)]
