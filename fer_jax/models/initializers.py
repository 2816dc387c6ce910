"""Initial kernels by name: He, Glorot and LeCun's variance scaling, uniform or (truncated) normal,
as Keras has them.
"""

import zlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from fer_jax.config.rules import DISTRIBUTIONS as NAMES

__all__ = ["NAMES", "redraw"]


def redraw(params: Mapping[str, Any], key: jax.Array, which: jax.Array) -> Any:
    """The parameters with every kernel drawn anew.

    Args:
        params: nested dicts; leaves called 'kernel' are drawn anew.
        key: random key.
        which: index into `NAMES`, an int32 scalar, may be traced. 0 leaves everything as it is:
            networks are built with Glorot's uniform kernels.

    Returns:
        Parameters of the same shapes.
    """

    def drawn(name: str) -> Any:
        initializer = getattr(jax.nn.initializers, name)()

        def one(path: tuple, leaf: jax.Array) -> jax.Array:
            if getattr(path[-1], "key", None) != "kernel":
                return leaf
            # By its name, so that the layers of a part of a network start as those of the whole.
            place = zlib.crc32(jax.tree_util.keystr(path).encode())
            return initializer(jax.random.fold_in(key, place), leaf.shape, leaf.dtype)

        return lambda: jax.tree_util.tree_map_with_path(one, params)

    same = jax.tree.map(jnp.asarray, params)
    return jax.lax.switch(which, [lambda: same, *(drawn(name) for name in NAMES[1:])])
