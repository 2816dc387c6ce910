"""Initial kernels by name, uniform or truncated normal, as Keras has them.

The names are those of their authors: Glorot and Bengio 2010, He et al. 2015, and LeCun et al. 1998.
"""

import zlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from fer_jax.config.rules import DISTRIBUTIONS as NAMES

__all__ = ["NAMES", "redraw"]


def redraw(params: Mapping[str, Any], key: jax.Array, which: jax.Array) -> Any:
    """Returns the parameters with every kernel drawn anew.

    Args:
        params: nested dicts; leaves called 'kernel' are drawn, the others are kept.
        key: random key.
        which: index into `NAMES`, an int32 scalar that may be traced. 0 keeps everything, since
            networks are built with Glorot's uniform kernels.

    Returns:
        Parameters of the same shapes and types.
    """

    def drawn(name: str) -> Any:
        initializer = getattr(jax.nn.initializers, name)()

        def one(path: tuple, leaf: jax.Array) -> jax.Array:
            if getattr(path[-1], "key", None) != "kernel":
                return leaf
            # Keyed by the layer's name, so that part of a network begins as it does in the whole.
            place = zlib.crc32(jax.tree_util.keystr(path).encode())
            return initializer(jax.random.fold_in(key, place), leaf.shape, leaf.dtype)

        return lambda: jax.tree_util.tree_map_with_path(one, params)

    same = jax.tree.map(jnp.asarray, params)
    return jax.lax.switch(which, [lambda: same, *(drawn(name) for name in NAMES[1:])])
