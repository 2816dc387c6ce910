"""A network as named layers, and the pure functions the trainer uses.

`Chain` is the Flax NNX module; `Network` wraps one in functions of plain nested dicts, which is what travels through
`lax.scan`, `vmap`, checkpoints and `load_run`.
"""

import dataclasses
import functools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from flax import nnx

from fer_jax.models.layers import Call, Conv, Pool

Variables = dict[str, Any]
Entry: TypeAlias = tuple[str, nnx.Module] | tuple[str, nnx.Module, tuple[str, ...]]


class Chain(nnx.Module):
    """Layers in order, each under a name by which its output can be asked for.

    A layer takes the output of the one before it, the first one the images. Where an entry says so, it takes the outputs of the named
    layers instead, so that ways can part and meet again.

    Args:
      layers: (name, layer) or (name, layer, names of earlier layers) in order; names must be unique. The last layer gives the logits.
    """

    def __init__(self, layers: Sequence[Entry]):
        self.names = tuple(name for name, *_ in layers)
        if len({*self.names, "names", "sources"}) != len(self.names) + 2:
            raise ValueError(f"layer names must be unique, and none may be 'names' or 'sources': {self.names}")
        self.sources = tuple(entry[2] if len(entry) == 3 else self.names[max(0, place - 1) : place] for place, entry in enumerate(layers))
        for place, (name, layer, *_) in enumerate(layers):
            unknown = [source for source in self.sources[place] if source not in self.names[:place]]
            if unknown:
                raise ValueError(f"layer {name!r} takes the output of {unknown[0]!r}, which is no layer before it")
            setattr(self, name, layer)

    def __call__(self, x: jax.Array, call: Call, capture: Sequence[str] = ()) -> tuple[jax.Array, dict[str, jax.Array]]:
        takers = Counter(source for sources in self.sources for source in sources)
        outputs: dict[str, jax.Array] = {}
        position = 0
        while position < len(self.names):
            name, layer = self.names[position], getattr(self, self.names[position])
            given = [outputs[source] for source in self.sources[position]] or [x]
            pool = self._pool_after(position) if name not in capture and takers[name] == 1 else None
            if pool is not None:
                # Bias and ReLU are monotone: after a max-pool they give the same numbers for a quarter of the work. What the
                # pool would drop at the border need not be computed.
                leave_out = pool.dropped(layer.output_size(*given))
                position += 1
                name = self.names[position]
                outputs[name] = layer.finish(pool(layer.linear(*given, leave_out, native=call.native), call))
            else:
                outputs[name] = layer(*given, call)
            position += 1
        return outputs[self.names[-1]], {name: output for name, output in outputs.items() if name in capture}

    def _pool_after(self, position: int) -> Pool | None:
        """The max-pool that follows a convolution at this place and takes its output; None if anything else does."""
        if not isinstance(getattr(self, self.names[position]), Conv) or position + 1 == len(self.names):
            return None
        pool = getattr(self, self.names[position + 1])
        takes_it = self.sources[position + 1] == (self.names[position],)
        return pool if isinstance(pool, Pool) and pool.kind == "max" and takes_it else None


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
    def chain(self) -> Chain:
        """The layers, their arrays without values."""
        return nnx.eval_shape(lambda: self.build(nnx.Rngs(0)))

    @functools.cached_property
    def _abstract(self) -> tuple[Any, Any, Any]:
        """Graph definition, and params and stats without their arrays."""
        return _split(self.chain)

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Names of the layers in order; `apply` gives their outputs."""
        return self.chain.names

    @functools.cached_property
    def shapes(self) -> tuple[Variables, Variables]:
        """(params, stats) as `init` gives them, each array as its shape and type."""
        _, params, stats = self._abstract
        return nnx.to_pure_dict(params), nnx.to_pure_dict(stats)

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
    ) -> tuple[jax.Array, Variables, dict[str, jax.Array]]:
        """Runs the network.

        Args:
          params, stats: from `init` or a checkpoint.
          images: float (n, height, width, channels), normalised; the network computes in their type.
          train, dropout, dense_dropout, key, rows, native: see `layers.Call`; `rows` defaults to 0..n-1.
          capture: names out of `layer_names` whose outputs are wanted.

        Returns:
          logits float (n, num_classes), the stats after this call, and {name: activation}.

        Raises:
          KeyError: a name in `capture` is none of this network's layers.
        """
        unknown = [name for name in capture if name not in self.layer_names]
        if unknown:
            raise KeyError(f"no layer {unknown[0]!r}; this network has {', '.join(self.layer_names)}")
        if rows is None:
            rows = jnp.arange(images.shape[0])
        graphdef, params_state, stats_state = jax.tree.map(lambda leaf: leaf, self._abstract)
        nnx.replace_by_pure_dict(params_state, params)
        nnx.replace_by_pure_dict(stats_state, stats)
        chain = nnx.merge(graphdef, params_state, stats_state, copy=True)
        logits, activations = chain(images, Call(train, dropout, dense_dropout, key, rows, native), capture)
        return logits, nnx.to_pure_dict(_split(chain)[2]), activations

    @functools.cached_property
    def has_statistics(self) -> bool:
        """Whether it keeps statistics of whole batches, so that a batch may not be cut."""
        return bool(jax.tree.leaves(self.shapes[1]))

    def num_parameters(self) -> int:
        """Trainable parameters of one model (BatchNorm's running statistics not counted)."""
        return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(self.shapes[0]))


def _split(chain: Chain) -> tuple[Any, Any, Any]:
    """Graph definition, parameters, and everything else."""
    graphdef, *states = nnx.split(chain, nnx.Param, ...)
    return graphdef, states[0], states[1]


def normalize(images: jax.Array, scale: jax.Array | float = 1 / 255, offset: jax.Array | float = 0.0) -> jax.Array:
    """Pixels 0..255 -> the float32 input of a network, scale * pixel + offset; by default in [0, 1]."""
    return images.astype(jnp.float32) * jnp.float32(scale) + jnp.float32(offset)


Builder = Callable[[Mapping[str, Any], tuple[int, int, int], int, nnx.Rngs], Chain]
