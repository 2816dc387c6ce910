"""What one trial costs, read off the traced program without compiling it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.extend.core
import jax.numpy as jnp
import numpy as np

from fer_jax.models import Network
from fer_jax.train import trial
from fer_jax.train.trial import Recipe


@dataclasses.dataclass(frozen=True)
class Cost:
    """Cost of one trial.

    Attributes:
      parameters: trainable parameters.
      train_flops: floating-point operations of forward and backward pass and update, per training image.
      evaluation_flops: the same of a forward pass, per image.
      state_bytes: what stays on the device between epochs (weights, optimiser, best weights).
      step_bytes: estimate of what a step needs besides: the most that is alive at once if every intermediate result is kept
        in memory from its making to its last use. Compilers fuse, so the truth is lower.
    """

    parameters: int
    train_flops: float
    evaluation_flops: float
    state_bytes: int
    step_bytes: int


def measure(network: Network, recipe: Recipe, hyper: Mapping[str, Any]) -> Cost:
    """Cost of one trial of a stack.

    Args:
      network: its architecture.
      recipe: as the stack will be compiled.
      hyper: traced values of any trial of the stack; only names and kinds matter.
    """
    scalars = {
        name: jnp.asarray(value, jnp.uint32 if name == "train.seed" else None) for name, value in hyper.items()
    }
    state = jax.eval_shape(lambda: trial.init(network, recipe, scalars))
    whole = dataclasses.replace(recipe, micro_batch=0)
    images = jax.ShapeDtypeStruct((recipe.batch_size, *network.image_shape), jnp.uint8)
    labels = jax.ShapeDtypeStruct((recipe.batch_size,), jnp.int32)

    def one_batch(state: trial.TrialState, images: jax.Array, labels: jax.Array) -> Any:
        return trial.train_steps(network, whole, state, scalars, {"images": images, "labels": labels})

    def forward(state: trial.TrialState, images: jax.Array) -> jax.Array:
        return network.apply(state.params, state.stats, trial.normalize(images))[0]

    pass_size = recipe.micro_batch or recipe.batch_size
    small = dataclasses.replace(recipe, batch_size=pass_size, micro_batch=0)

    def one_pass(state: trial.TrialState, images: jax.Array, labels: jax.Array) -> Any:
        return trial.gradients(
            network, small, state.params, state.stats, scalars, images, labels, jax.random.key(0)
        )

    step = jax.make_jaxpr(one_pass)(
        state, jax.ShapeDtypeStruct((pass_size, *network.image_shape), jnp.uint8), jax.ShapeDtypeStruct((pass_size,), jnp.int32)
    )
    return Cost(
        parameters=network.num_parameters(),
        train_flops=_flops(one_batch, state, images, labels) / recipe.batch_size,
        evaluation_flops=_flops(forward, state, images) / recipe.batch_size,
        state_bytes=sum(_bytes(leaf) for leaf in jax.tree.leaves(state)),
        step_bytes=_peak_bytes(step.jaxpr),
    )


def _flops(function: Any, *abstract: Any) -> float:
    # The body of a loop is counted once, so `function` must run one step.
    analysis = jax.jit(function).lower(*abstract).cost_analysis() or {}
    return float(analysis.get("flops", 0.0))


def _bytes(value: Any) -> int:
    dtype = value.dtype
    itemsize = dtype.itemsize if isinstance(dtype, np.dtype) else 8
    return int(np.prod(value.shape)) * itemsize


def _peak_bytes(jaxpr: Any) -> int:
    """Largest sum of intermediate results alive at once; calls inside count with their own peak."""
    last_use = {
        variable: position
        for position, equation in enumerate(jaxpr.eqns)
        for variable in equation.invars
        if not isinstance(variable, jax.extend.core.Literal)
    }
    last_use.update((v, len(jaxpr.eqns)) for v in jaxpr.outvars if not isinstance(v, jax.extend.core.Literal))
    alive: dict[Any, int] = {}
    peak = 0
    for position, equation in enumerate(jaxpr.eqns):
        inner = max((_peak_bytes(sub) for sub in _subprograms(equation)), default=0)
        for variable in equation.outvars:
            if variable in last_use:
                alive[variable] = _bytes(variable.aval)
        peak = max(peak, sum(alive.values()) + inner)
        for variable in [v for v in alive if last_use[v] <= position]:
            del alive[variable]
    return peak


def _subprograms(equation: Any) -> list[Any]:
    found = []
    for value in equation.params.values():
        for item in value if isinstance(value, (tuple, list)) else (value,):
            if hasattr(item, "jaxpr"):
                found.append(item.jaxpr)
            elif hasattr(item, "eqns"):
                found.append(item)
    return found
