"""A network as the pure functions the trainer uses, of plain nested dicts: what travels through
`lax.scan`, `vmap`, checkpoints and `load_run`. `chain.Chain` is the Flax NNX module inside.
"""

import dataclasses
import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from fer_jax.models.chain import Chain
from fer_jax.models.layers import Call

Variables = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Network:
    """Pure functions of one architecture; every trial of a stack shares them.

    Attributes:
        build: makes the chain from random streams.
        image_shape: (height, width, channels) of one picture.
        num_classes: number of logits.
        side: 'before' or 'after', which part of the chain at `cut` this is; '' for the whole.
        cut: the layer where the chain is parted.
        held: layers whose arrays are not among `params` and `stats`: `holding` gives them.
        arrays: {'params', 'stats'} of the layers in `held`.
    """

    build: Callable[[nnx.Rngs], Chain]
    image_shape: tuple[int, int, int]
    num_classes: int
    side: str = ""
    cut: str = ""
    held: tuple[str, ...] = ()
    arrays: Mapping[str, Variables] | None = dataclasses.field(default=None, compare=False, repr=False)

    def before(self, cut: str) -> "Network":
        """The layers up to one of `chain.cuts`, whose output stands for the logits."""
        return dataclasses.replace(self, side="before", cut=cut)

    def after(self, cut: str) -> "Network":
        """The layers after one of `chain.cuts`; instead of pictures it takes that layer's outputs."""
        return dataclasses.replace(self, side="after", cut=cut)

    def without(self, held: Collection[str]) -> "Network":
        """The same network, the arrays of some layers kept apart from `params` and `stats`; `apply`
        needs `holding` first.
        """
        return dataclasses.replace(self, held=tuple(name for name in self.layer_names if name in held))

    def holding(self, arrays: Mapping[str, Variables] | None) -> "Network":
        """With the arrays of the layers in `held`, {'params', 'stats'}; those of other layers are
        not looked at.
        """
        if not self.held:
            return self
        found = dataclasses.replace(self, arrays=arrays)
        found.__dict__.update(
            {
                name: self.__dict__[name]
                for name in ("chain", "_abstract", "whole_names", "input_shape", "held_shapes")
                if name in self.__dict__
            }
        )
        return found

    @property
    def whole(self) -> "Network":
        """The network that this is a part of."""
        return dataclasses.replace(self, side="", cut="", held=(), arrays=None)

    @property
    def takes_pictures(self) -> bool:
        """Whether its input is pictures, and not the outputs of a layer."""
        return self.side != "after"

    @functools.cached_property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input: `image_shape`, or that of the output of `cut`."""
        if self.takes_pictures:
            return self.image_shape
        before = self.whole.before(self.cut)
        image = jax.ShapeDtypeStruct((1, *self.image_shape), jnp.float32)
        return jax.eval_shape(lambda *given: before.apply(*given)[0], *before.shapes, image).shape[1:]

    def _built(self, rngs: nnx.Rngs) -> Chain:
        whole = self.build(rngs)
        return whole.parted(self.cut)[self.side == "after"] if self.side else whole

    @functools.cached_property
    def chain(self) -> Chain:
        """The layers, their arrays without values."""
        return nnx.eval_shape(lambda: self._built(nnx.Rngs(0)))

    @functools.cached_property
    def _abstract(self) -> tuple[Any, Any, Any]:
        """Graph definition, and params and stats without their arrays, those of `held` included."""
        return _split(self.chain)

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Names of the layers in order; `apply` gives their outputs."""
        return self.chain.names

    @functools.cached_property
    def whole_names(self) -> tuple[str, ...]:
        """Names of the layers of the whole network, of which this may be a part."""
        return self.whole.layer_names if self.side else self.layer_names

    @functools.cached_property
    def shapes(self) -> tuple[Variables, Variables]:
        """(params, stats) as `init` gives them, each array as its shape and type."""
        _, params, stats = self._abstract
        return self._own(nnx.to_pure_dict(params)), self._own(nnx.to_pure_dict(stats))

    @functools.cached_property
    def held_shapes(self) -> dict[str, Variables]:
        """What `holding` takes, each array as its shape and type."""
        _, params, stats = self._abstract
        found = {"params": nnx.to_pure_dict(params), "stats": nnx.to_pure_dict(stats)}
        return {
            kind: {name: leaves for name, leaves in tree.items() if name in self.held} for kind, tree in found.items()
        }

    def _own(self, tree: Variables) -> Variables:
        return {name: leaves for name, leaves in tree.items() if name not in self.held}

    def init(self, key: jax.Array) -> tuple[Variables, Variables]:
        """Fresh (params, stats) as nested dicts of float32 arrays; `stats` holds BatchNorm's
        running statistics.

        A layer's are the same whether the network is whole or a part.
        """
        _, params, stats = _split(self._built(nnx.Rngs(params=key)))
        return self._own(nnx.to_pure_dict(params)), self._own(nnx.to_pure_dict(stats))

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
        frozen: Collection[str] = (),
    ) -> tuple[jax.Array, Variables, dict[str, jax.Array]]:
        """Runs the network.

        Args:
            params, stats: from `init` or a checkpoint.
            images: float (n, height, width, channels), normalised, or (n, *input_shape); the
                network computes in their type.
            train, dropout, dense_dropout, key, rows, native: see `layers.Call`; `rows` defaults to
                0..n-1.
            capture: names out of `layer_names` whose outputs are wanted.
            added: layer name -> array added to that layer's output. Zeros change nothing, and the
                gradient for them is that for the output of a layer inside the network.
            frozen: layers that run as outside training: running statistics, as Keras' batch norms
                that are not trainable; and no dropout, which Keras' layers that are not trainable
                go on with.

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
        if self.held:
            if self.arrays is None:
                raise ValueError(f"the arrays of {self.held[0]!r} are kept apart: Network.holding gives them")
            apart = {
                kind: {name: self.arrays[kind][name] for name in shapes} for kind, shapes in self.held_shapes.items()
            }
            params, stats = {**params, **apart["params"]}, {**stats, **apart["stats"]}
        graphdef, params_state, stats_state = jax.tree.map(lambda leaf: leaf, self._abstract)
        nnx.replace_by_pure_dict(params_state, params)
        nnx.replace_by_pure_dict(stats_state, stats)
        chain = nnx.merge(graphdef, params_state, stats_state, copy=True)
        call = Call(train, dropout, dense_dropout, key, rows, native)
        logits, activations = chain(images, call, capture, added, frozen)
        return logits, self._own(nnx.to_pure_dict(_split(chain)[2])), activations

    @functools.cached_property
    def has_statistics(self) -> bool:
        """Whether it keeps statistics of whole batches, so that a batch may not be cut."""
        return bool(jax.tree.leaves(self.shapes[1]))


def _split(chain: Chain) -> tuple[Any, Any, Any]:
    """Graph definition, parameters, and everything else."""
    graphdef, *states = nnx.split(chain, nnx.Param, ...)
    return graphdef, states[0], states[1]


def normalize(images: jax.Array, scale: jax.Array | float = 1 / 255, offset: jax.Array | float = 0.0) -> jax.Array:
    """Pixels 0..255 -> the float32 input of a network, scale * pixel + offset; by default in [0,
    1].
    """
    return images.astype(jnp.float32) * jnp.float32(scale) + jnp.float32(offset)


Builder = Callable[[Mapping[str, Any], tuple[int, int, int], int, nnx.Rngs], Chain]
