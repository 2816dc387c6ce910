"""A network as a chain of named layers, and the pure functions the trainer uses.

`Chain` is the Flax NNX module; `Network` wraps one in functions of plain nested dicts, which is what travels through
`lax.scan`, `vmap`, checkpoints and `load_run`.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from fer_jax.models.layers import Call, Conv, Pool

Variables = dict[str, Any]


class Chain(nnx.Module):
    """Layers applied one after another, each under a name by which its output can be asked for.

    Args:
      layers: (name, layer) pairs in order; names must be unique. The last layer gives the logits.
    """

    def __init__(self, layers: Sequence[tuple[str, nnx.Module]]):
        self.names = tuple(name for name, _ in layers)
        if len({*self.names, "names"}) != len(self.names) + 1:
            raise ValueError(f"layer names must be unique, and none may be 'names': {self.names}")
        for name, layer in layers:
            setattr(self, name, layer)

    def __call__(
        self, x: jax.Array, call: Call, capture: Sequence[str] = (), added: Mapping[str, jax.Array] | None = None
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        activations = {}
        added = added or {}
        watched = {*capture, *added}
        layers = [getattr(self, name) for name in self.names]
        position = 0
        while position < len(layers):
            name, layer = self.names[position], layers[position]
            following = layers[position + 1] if position + 1 < len(layers) else None
            if isinstance(layer, Conv) and isinstance(following, Pool) and following.kind == "max" and name not in watched:
                # Bias and ReLU are monotone: after a max-pool they give the same numbers for a quarter of the work. What the
                # pool would drop at the border need not be computed.
                x = layer.finish(following(layer.linear(x, following.dropped(layer.output_size(x)), native=call.native), call))
                position += 1
                name = self.names[position]
            else:
                x = layer(x, call)
            if name in added:
                x = x + added[name]
            if name in capture:
                activations[name] = x
            position += 1
        return x, activations


@dataclasses.dataclass(frozen=True)
class Network:
    """Pure functions of one architecture; every trial of a stack shares them.

    Attributes:
      build: makes the chain from random streams.
      image_shape: (height, width, channels) of one input.
      num_classes: number of logits.
    """

    build: Callable[[nnx.Rngs], Chain]
    image_shape: tuple[int, int, int]
    num_classes: int

    @functools.cached_property
    def _abstract(self) -> tuple[Any, Any, Any]:
        """Graph definition, and params and stats without their arrays."""
        return _split(nnx.eval_shape(lambda: self.build(nnx.Rngs(0))))

    @functools.cached_property
    def layer_names(self) -> tuple[str, ...]:
        """Names of the layers in order; `apply` gives their outputs."""
        return nnx.eval_shape(lambda: self.build(nnx.Rngs(0))).names

    def init(self, key: jax.Array) -> tuple[Variables, Variables]:
        """Fresh (params, stats) as nested dicts of float32 arrays; `stats` holds BatchNorm's running statistics."""
        _, params, stats = _split(self.build(nnx.Rngs(params=key)))
        return nnx.to_pure_dict(params), nnx.to_pure_dict(stats)

    def apply(
        self,
        params: Variables,
        stats: Variables,
        images: jax.Array,
        *,
        train: bool = False,
        dropout: jax.Array | float | None = None,
        dense_dropout: jax.Array | float | None = None,
        key: jax.Array | None = None,
        rows: jax.Array | None = None,
        native: bool = False,
        capture: Sequence[str] = (),
        added: Mapping[str, jax.Array] | None = None,
    ) -> tuple[jax.Array, Variables, dict[str, jax.Array]]:
        """Runs the network.

        Args:
          params, stats: from `init` or a checkpoint.
          images: float (n, height, width, channels), normalised; the network computes in their type.
          train, dropout, dense_dropout, key, rows, native: see `layers.Call`; `rows` defaults to 0..n-1.
          capture: names out of `layer_names` whose outputs are wanted.
          added: layer name -> array added to that layer's output. Zeros change nothing, and the gradient for them is that for the
            output of a layer inside the network.

        Returns:
          logits float (n, num_classes), the stats after this call, and {name: activation}.

        Raises:
          KeyError: a name in `capture` or `added` is none of this network's layers.
        """
        unknown = [name for name in (*capture, *(added or ())) if name not in self.layer_names]
        if unknown:
            raise KeyError(f"no layer {unknown[0]!r}; this network has {', '.join(self.layer_names)}")
        if rows is None:
            rows = jnp.arange(images.shape[0])
        graphdef, params_state, stats_state = jax.tree.map(lambda leaf: leaf, self._abstract)
        nnx.replace_by_pure_dict(params_state, params)
        nnx.replace_by_pure_dict(stats_state, stats)
        chain = nnx.merge(graphdef, params_state, stats_state, copy=True)
        logits, activations = chain(images, Call(train, dropout, dense_dropout, key, rows, native), capture, added)
        return logits, nnx.to_pure_dict(_split(chain)[2]), activations

    @functools.cached_property
    def has_statistics(self) -> bool:
        """Whether it keeps statistics of whole batches, so that a batch may not be cut."""
        return bool(jax.tree.leaves(jax.eval_shape(self.init, jax.random.key(0))[1]))

    def num_parameters(self) -> int:
        """Trainable parameters of one model (BatchNorm's running statistics not counted)."""
        params, _ = jax.eval_shape(self.init, jax.random.key(0))
        return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(params))


def _split(chain: Chain) -> tuple[Any, Any, Any]:
    """Graph definition, parameters, and everything else."""
    graphdef, *states = nnx.split(chain, nnx.Param, ...)
    return graphdef, states[0], states[1]


def normalize(images: jax.Array, scale: jax.Array | float = 1 / 255, offset: jax.Array | float = 0.0) -> jax.Array:
    """Pixels 0..255 -> the float32 input of a network, scale * pixel + offset; by default in [0, 1]."""
    return images.astype(jnp.float32) * jnp.float32(scale) + jnp.float32(offset)


Builder = Callable[[Mapping[str, Any], tuple[int, int, int], int, nnx.Rngs], Chain]
