"""What one trial costs, read off the traced program without compiling it."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.extend.core
import jax.numpy as jnp

from fer_jax.models import Network, normalize
from fer_jax.train import hyper, step, trial
from fer_jax.train.recipe import Recipe


@dataclasses.dataclass(frozen=True)
class Cost:
    """Cost of one trial.

    Attributes:
        parameters: those that are trained.
        train_flops: floating-point operations of the matrix products and convolutions of a forward
            and backward pass, per image. They are all but a few per cent of the work; the gradient
            for the images themselves, which compilers leave out, is counted.
        evaluation_flops: the same of a forward pass, per image.
        state_bytes: what stays on the device between epochs (weights, optimiser, best weights).
        step_bytes: estimate of what a step needs besides: the most that is alive at once if every
            intermediate result is kept in memory from its making to its last use. Compilers fuse,
            so the truth is lower.
    """

    parameters: int
    train_flops: float
    evaluation_flops: float
    state_bytes: int
    step_bytes: int


def measure(network: Network, recipe: Recipe) -> Cost:
    """Returns the cost of one trial of a stack with this network and recipe."""
    images_at_once = recipe.micro_batch or recipe.batch_size
    recipe = dataclasses.replace(recipe, batch_size=images_at_once, micro_batch=0)
    kinds = hyper.layout(network.num_classes)
    values = {name: jax.ShapeDtypeStruct(shape, kind) for name, (shape, kind) in kinds.items()}
    state = jax.eval_shape(lambda values: trial.init(network, recipe, values), values)
    kind = jnp.uint8 if network.takes_images else recipe.dtype
    images = jax.ShapeDtypeStruct((images_at_once, *network.input_shape), kind)
    indices = jax.ShapeDtypeStruct((images_at_once,), jnp.int32)

    def one_pass(state: trial.TrialState, frozen: Any, values: Any, images: jax.Array, indices: jax.Array) -> Any:
        batch = {"images": images, "labels": indices, "rows": indices}
        key = jax.random.key(values["train.seed"])
        return step.gradients(network.holding(frozen), recipe, state.params, state.stats, values, batch, key)

    def forward(state: trial.TrialState, frozen: Any, images: jax.Array) -> jax.Array:
        return network.holding(frozen).apply(state.params, state.stats, normalize(images))[0]

    def products(function: Callable, *arguments: Any) -> float:
        """Returns the floating-point operations of a function's matrix products and convolutions.

        It traces the function for several trials at once, where every convolution is a matrix
        product; the number is the same either way.
        """
        one = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((1, *leaf.shape), leaf.dtype), arguments)
        return _product_flops(jax.make_jaxpr(jax.vmap(function))(*one).jaxpr)

    frozen = network.held_shapes
    passed = jax.make_jaxpr(one_pass)(state, frozen, values, images, indices).jaxpr
    return Cost(
        parameters=sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(recipe.remembered(state.params))),
        train_flops=products(one_pass, state, frozen, values, images, indices) / images_at_once,
        evaluation_flops=products(forward, state, frozen, images) / images_at_once,
        state_bytes=sum(_bytes(leaf) for leaf in jax.tree.leaves(state)),
        step_bytes=_peak_bytes(passed),
    )


def _product_flops(jaxpr: Any) -> float:
    """Returns the floating-point operations of all matrix products and convolutions.

    A multiplication and an addition count two.
    """
    total = 0.0
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            left = equation.invars[0].aval.shape
            total += 2 * math.prod(equation.outvars[0].aval.shape) * math.prod(left[axis] for axis in contracted)
        elif equation.primitive.name == "conv_general_dilated":
            # A kernel's size without its filters: what one output value is summed over.
            kernel, filters = equation.invars[1].aval.shape, equation.params["dimension_numbers"].rhs_spec[0]
            total += 2 * math.prod(equation.outvars[0].aval.shape) * math.prod(kernel) / kernel[filters]
        total += sum(_product_flops(inner) for inner in _subprograms(equation))
    return total


def _bytes(value: Any) -> int:
    # A random key's dtype knows no item size; it is two words.
    return math.prod(value.shape) * getattr(value.dtype, "itemsize", 8)


def _peak_bytes(jaxpr: Any) -> int:
    """Returns the largest sum of intermediate results alive at once.

    Calls inside count with their own peak.
    """
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


def _subprograms(equation: Any) -> Iterator[Any]:
    for value in equation.params.values():
        for item in value if isinstance(value, (tuple, list)) else (value,):
            if hasattr(item, "jaxpr"):
                yield item.jaxpr
            elif hasattr(item, "eqns"):
                yield item
