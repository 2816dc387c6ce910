"""A network as a chain of named layers, each of which may take the outputs of any earlier ones."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import jax
from flax import nnx

from fer_jax.models.layers import Call, Conv, Pool

Entry: TypeAlias = tuple[str, nnx.Module] | tuple[str, nnx.Module, tuple[str, ...]]
# The name of the chain's input among the sources of a layer.
INPUT = ""


class Chain(nnx.Module):
    """Layers in order, each under a name by which its output can be asked for.

    A layer takes the output of the one before it, and the first one the images. Where an entry
    names other layers, it takes their outputs instead, so that ways can part and meet again.

    Args:
        layers: (name, layer) or (name, layer, names of earlier layers), in order. The last layer's
            output is the logits.

    Raises:
        ValueError: a name is empty, taken or reserved, or names no earlier layer.
    """

    def __init__(self, layers: Sequence[Entry]):
        self.names = tuple(name for name, *_ in layers)
        if len({*self.names, "names", "sources", INPUT}) != len(self.names) + 3:
            raise ValueError(
                f"layer names must be unique, not empty, and none may be 'names' or 'sources': {self.names}"
            )
        before = (INPUT, *self.names)
        self.sources = tuple(
            entry[2] if len(entry) == 3 else before[place : place + 1] for place, entry in enumerate(layers)
        )
        for place, (name, layer, *_) in enumerate(layers):
            unknown = [source for source in self.sources[place] if source not in before[: place + 1]]
            if unknown:
                raise ValueError(f"layer {name!r} takes the output of {unknown[0]!r}, which is no layer before it")
            setattr(self, name, layer)

    def __call__(
        self,
        x: jax.Array,
        call: Call,
        capture: Sequence[str] = (),
        added: Mapping[str, jax.Array] | None = None,
        frozen: Collection[str] = (),
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Returns the last layer's output, and layer -> output of those in `capture`.

        Args:
            x: (n, ...), the input of the first layer.
            call: how the layers are applied.
            capture, added, frozen: see `network.Network.apply`.
        """
        added = added or {}
        still = replace(call, train=False)
        takers = Counter(source for sources in self.sources for source in sources)
        outputs: dict[str, jax.Array] = {INPUT: x}
        position = 0
        while position < len(self.names):
            name, layer = self.names[position], getattr(self, self.names[position])
            given = [outputs[source] for source in self.sources[position]]
            pool = (
                self._pool_after(position) if name not in capture and name not in added and takers[name] == 1 else None
            )
            own = still if name in frozen else call
            if pool is not None:
                # Bias and ReLU are monotone: after a max-pool they give the same numbers for a
                # quarter of the work. What the pool drops at the border need not be computed.
                leave_out = pool.dropped(layer.output_size(*given))
                position += 1
                name = self.names[position]
                outputs[name] = layer.finish(pool(layer.linear(*given, leave_out, native=call.native), own))
            else:
                outputs[name] = layer(*given, own)
            if name in added:
                outputs[name] = outputs[name] + added[name]
            position += 1
        return outputs[self.names[-1]], {name: output for name, output in outputs.items() if name in capture}

    def _pool_after(self, position: int) -> Pool | None:
        """Returns the max-pool that takes the output of a convolution here, or None."""
        if not isinstance(getattr(self, self.names[position]), Conv) or position + 1 == len(self.names):
            return None
        pool = getattr(self, self.names[position + 1])
        takes_it = self.sources[position + 1] == (self.names[position],)
        return pool if isinstance(pool, Pool) and pool.kind == "max" and takes_it else None

    @property
    def cuts(self) -> tuple[str, ...]:
        """The layers, but for the last, after which a single output goes on.

        The chain can be parted after each of them.
        """
        last_use = {source: place for place, sources in enumerate(self.sources) for source in sources}
        return tuple(
            name
            for place, name in enumerate(self.names[:-1])
            if all(last_use.get(earlier, -1) <= place for earlier in (INPUT, *self.names[:place]))
        )

    def parted(self, cut: str) -> tuple["Chain", "Chain"]:
        """Returns two chains: the layers up to one of `cuts`, and those that take its output."""
        place = self.names.index(cut) + 1
        entries = [(name, getattr(self, name), sources) for name, sources in zip(self.names, self.sources, strict=True)]
        after = [
            (name, layer, tuple(INPUT if source == cut else source for source in sources))
            for name, layer, sources in entries[place:]
        ]
        return Chain(entries[:place]), Chain(after)
