"""Initial kernels by name: He, Glorot and LeCun's variance scaling, uniform or (truncated) normal, as Keras has them."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

NAMES = ("glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal")


def redraw(params: Mapping[str, Any], key: jax.Array, which: jax.Array) -> Any:
    """The parameters with every kernel drawn anew.

    Args:
      params: nested dicts; leaves called 'kernel' are drawn anew.
      key: random key.
      which: index into `NAMES`, an int32 scalar, may be traced. 0 leaves everything as it is: networks are built with
        Glorot's uniform kernels.

    Returns:
      Parameters of the same shapes.
    """

    def drawn(name: str) -> Any:
        initializer = getattr(jax.nn.initializers, name)()

        def one(path: tuple, leaf: jax.Array) -> jax.Array:
            if getattr(path[-1], "key", None) != "kernel":
                return leaf
            return initializer(jax.random.fold_in(key, places[path]), leaf.shape, leaf.dtype)

        return lambda: jax.tree_util.tree_map_with_path(one, params)

    places = {path: place for place, (path, _) in enumerate(jax.tree_util.tree_leaves_with_path(params))}
    same = jax.tree.map(jnp.asarray, params)
    return jax.lax.switch(which, [lambda: same, *(drawn(name) for name in NAMES[1:])])
