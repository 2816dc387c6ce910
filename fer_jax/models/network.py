"""A network as pure functions of nested dicts of arrays; inside is a Flax NNX module, `Chain`.

Nested dicts are what travels through `lax.scan`, `vmap` and checkpoints.
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
    """The pure functions of one architecture, which every trial of a stack shares.

    It may be a part of an architecture (`before`, `after`), and the arrays of some layers may be
    kept apart from those of the others (`without`, `holding`).

    Attributes:
        build: makes the whole chain from random streams.
        image_shape: (height, width, channels) of one image, in pixels.
        num_classes: number of logits.
        side: which part of the chain this is, 'before' or 'after' `cut`; empty for the whole.
        cut: the layer after which the chain is parted.
        held: layers whose arrays are not in `params` and `stats` but in `arrays`.
        arrays: {'params', 'stats'} with the arrays of the layers in `held`; None until `holding`.
    """

    build: Callable[[nnx.Rngs], Chain]
    image_shape: tuple[int, int, int]
    num_classes: int
    side: str = ""
    cut: str = ""
    held: tuple[str, ...] = ()
    arrays: Mapping[str, Variables] | None = dataclasses.field(default=None, compare=False, repr=False)

    def before(self, cut: str) -> "Network":
        """Returns the layers up to one of `chain.cuts`, whose output takes the logits' place."""
        return dataclasses.replace(self, side="before", cut=cut)

    def after(self, cut: str) -> "Network":
        """Returns the layers after one of `chain.cuts`; its input is that layer's output."""
        return dataclasses.replace(self, side="after", cut=cut)

    def without(self, held: Collection[str]) -> "Network":
        """Returns this network with the arrays of the layers in `held` kept apart from the others.

        `params` and `stats` then lack these layers, and `apply` needs `holding` first.
        """
        return dataclasses.replace(self, held=tuple(name for name in self.layer_names if name in held))

    def holding(self, arrays: Mapping[str, Variables] | None) -> "Network":
        """Returns this network with the arrays that it keeps apart.

        Args:
            arrays: {'params', 'stats'} with at least the layers in `held`; others are ignored.
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
        """The whole network that this is a part of, with no arrays kept apart."""
        return dataclasses.replace(self, side="", cut="", held=(), arrays=None)

    @property
    def takes_images(self) -> bool:
        """Whether its input is images, and not the outputs of a layer."""
        return self.side != "after"

    @functools.cached_property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input: `image_shape`, or that of an output of `cut`."""
        if self.takes_images:
            return self.image_shape
        before = self.whole.before(self.cut)
        image = jax.ShapeDtypeStruct((1, *self.image_shape), jnp.float32)
        return jax.eval_shape(lambda *given: before.apply(*given)[0], *before.shapes, image).shape[1:]

    def _built(self, rngs: nnx.Rngs) -> Chain:
        whole = self.build(rngs)
        return whole.parted(self.cut)[self.side == "after"] if self.side else whole

    @functools.cached_property
    def chain(self) -> Chain:
        """The layers, with the shapes and types of their arrays but no values."""
        return nnx.eval_shape(lambda: self._built(nnx.Rngs(0)))

    @functools.cached_property
    def _abstract(self) -> tuple[Any, Any, Any]:
        """Graph definition, params and stats (those of `held` too) without the arrays' values."""
        return _split(self.chain)

    @property
    def layer_names(self) -> tuple[str, ...]:
        """The names of the layers, in order; `apply` can return their outputs."""
        return self.chain.names

    @functools.cached_property
    def whole_names(self) -> tuple[str, ...]:
        """The names of the layers of the whole network, of which this may be a part."""
        return self.whole.layer_names if self.side else self.layer_names

    @functools.cached_property
    def shapes(self) -> tuple[Variables, Variables]:
        """(params, stats) as `init` returns them, with the shape and type of each array."""
        _, params, stats = self._abstract
        return self._own(nnx.to_pure_dict(params)), self._own(nnx.to_pure_dict(stats))

    @functools.cached_property
    def held_shapes(self) -> dict[str, Variables]:
        """{'params', 'stats'} that `holding` takes, with the shape and type of each array."""
        _, params, stats = self._abstract
        found = {"params": nnx.to_pure_dict(params), "stats": nnx.to_pure_dict(stats)}
        return {
            kind: {name: leaves for name, leaves in tree.items() if name in self.held} for kind, tree in found.items()
        }

    def _own(self, tree: Variables) -> Variables:
        return {name: leaves for name, leaves in tree.items() if name not in self.held}

    def init(self, key: jax.Array) -> tuple[Variables, Variables]:
        """Returns new (params, stats): layer -> name -> float32 array.

        `params` is trained; `stats` holds running statistics of batch norms. A layer's arrays are
        the same for a key whether the network is whole or a part.
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
        """Returns the network's logits for images, the statistics after them, and activations.

        Args:
            params, stats: what `init` returns, or a checkpoint of it.
            images: float (n, *input_shape), normalised; the network computes in their type.
            train, dropout, dense_dropout, key, rows, native: see `layers.Call`; `rows` defaults to
                0..n-1.
            capture: names of layers whose outputs are wanted.
            added: layer name -> array added to that layer's output. Zeros change nothing, and
                their gradient is that for the output of a layer inside the network.
            frozen: names of layers that run as outside training: with running statistics, as
                Keras' batch norms that are not trainable, and without dropout, which layers of
                Keras' go on with.

        Returns:
            logits float (n, num_classes), the stats after this call, and {name: activation} of
            `capture`.

        Raises:
            KeyError: a name in `capture` or `added` is none of this network's layers.
            ValueError: arrays are kept apart, and `holding` has not given them.
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
        """Whether it keeps statistics of whole batches, so that a batch must not be cut."""
        return bool(jax.tree.leaves(self.shapes[1]))


def _split(chain: Chain) -> tuple[Any, Any, Any]:
    """Returns graph definition, parameters, and everything else."""
    graphdef, *states = nnx.split(chain, nnx.Param, ...)
    return graphdef, states[0], states[1]


def normalize(images: jax.Array, scale: jax.Array | float = 1 / 255, offset: jax.Array | float = 0.0) -> jax.Array:
    """Returns the float32 input of a network, scale * pixel + offset; by default in [0, 1].

    Args:
        images: (n, height, width, channels), pixels in 0..255.
        scale, offset: numbers, or arrays that broadcast to the images.
    """
    return images.astype(jnp.float32) * jnp.float32(scale) + jnp.float32(offset)


# (config values, image shape, number of classes, random streams) -> the chain of a network.
Builder = Callable[[Mapping[str, Any], tuple[int, int, int], int, nnx.Rngs], Chain]
