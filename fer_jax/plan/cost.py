"""What one trial costs, read off the traced program without compiling it."""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.extend.core
import jax.numpy as jnp

from fer_jax.models import Network, normalize
from fer_jax.train import hyper, step, trial
from fer_jax.train.recipe import Recipe


class Cost:
    """Cost of one trial, see `measure`.

    Tracing a network takes seconds, so each number is found when it is first asked for.
    """

    def __init__(self, network: Network, recipe: Recipe):
        self._network = network
        self._images = recipe.micro_batch or recipe.batch_size
        self._recipe = dataclasses.replace(recipe, batch_size=self._images, micro_batch=0)

    @functools.cached_property
    def parameters(self) -> int:
        """Parameters that are trained."""
        return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(self._recipe.remembered(self._state.params)))

    @functools.cached_property
    def train_flops(self) -> float:
        """Floating-point operations of a forward and backward pass, per image.

        They are those of the matrix products and convolutions, all but a few per cent of the work;
        the gradient for the images themselves, which compilers leave out, is counted.
        """
        return self._products(self._one_pass, *self._batch)

    @functools.cached_property
    def evaluation_flops(self) -> float:
        """What `train_flops` is, of a forward pass."""
        state, frozen, _, images, _ = self._batch
        return self._products(self._forward, state, frozen, images)

    @functools.cached_property
    def state_bytes(self) -> int:
        """Bytes that stay on the device between epochs: weights, optimiser, best weights."""
        return sum(_bytes(leaf) for leaf in jax.tree.leaves(self._state))

    @functools.cached_property
    def step_bytes(self) -> int:
        """Estimate of the bytes that a step needs besides.

        It is the most that is alive at once if every intermediate result is kept in memory from its
        making to its last use. Compilers fuse, so the truth is lower.
        """
        return _peak_bytes(jax.make_jaxpr(self._one_pass)(*self._batch).jaxpr)

    @functools.cached_property
    def _values(self) -> dict[str, jax.ShapeDtypeStruct]:
        kinds = hyper.layout(self._network.num_classes)
        return {name: jax.ShapeDtypeStruct(shape, kind) for name, (shape, kind) in kinds.items()}

    @functools.cached_property
    def _state(self) -> trial.TrialState:
        return jax.eval_shape(lambda values: trial.init(self._network, self._recipe, values), self._values)

    @property
    def _batch(self) -> tuple[Any, ...]:
        """The shapes that `_one_pass` takes."""
        network = self._network
        kind = jnp.uint8 if network.takes_images else self._recipe.dtype
        images = jax.ShapeDtypeStruct((self._images, *network.input_shape), kind)
        indices = jax.ShapeDtypeStruct((self._images,), jnp.int32)
        return self._state, network.held_shapes, self._values, images, indices

    def _one_pass(
        self, state: trial.TrialState, frozen: Any, values: Any, images: jax.Array, indices: jax.Array
    ) -> Any:
        batch = {"images": images, "labels": indices, "rows": indices}
        key = jax.random.key(values["train.seed"])
        network = self._network.holding(frozen)
        return step.gradients(network, self._recipe, state.params, state.stats, values, batch, key)

    def _forward(self, state: trial.TrialState, frozen: Any, images: jax.Array) -> jax.Array:
        return self._network.holding(frozen).apply(state.params, state.stats, normalize(images))[0]

    def _products(self, function: Callable, *arguments: Any) -> float:
        """Returns the operations of a function's matrix products and convolutions, per image.

        It traces the function for several trials at once, where every convolution is a matrix
        product; the number is the same either way.
        """
        one = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((1, *leaf.shape), leaf.dtype), arguments)
        return _product_flops(jax.make_jaxpr(jax.vmap(function))(*one).jaxpr) / self._images


def measure(network: Network, recipe: Recipe) -> Cost:
    """Returns the cost of one trial of a stack with this network and recipe."""
    return Cost(network, recipe)


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
