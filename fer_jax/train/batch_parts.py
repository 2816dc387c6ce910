"""Every batch of a trial in equal parts on several devices, whose sums are exchanged.

It serves fewer trials than a CPU has cores. The program runs under a mesh with the axis AXIS. All
devices of a trial hold its whole state and change it alike.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

AXIS = "part"
# Numbers up to which an array is exchanged together with others: each exchange costs the devices a
# rendezvous, and joining a copy.
SMALL = 2**18


def own(arrays: Any, parts: int, axis: int = 0) -> Any:
    """Returns this device's part of arrays along an axis whose length `parts` divides."""

    def part(array: jax.Array) -> jax.Array:
        size = array.shape[axis] // parts
        return jax.lax.dynamic_slice_in_dim(array, jax.lax.axis_index(AXIS) * size, size, axis)

    return arrays if parts == 1 else jax.tree.map(part, arrays)


def once(arrays: Any, parts: int) -> Any:
    """Returns arrays that `summed` counts once: zeros on all devices but the first."""
    return (
        arrays if parts == 1 else jax.tree.map(lambda array: jnp.where(jax.lax.axis_index(AXIS) == 0, array, 0), arrays)
    )


def summed(arrays: Any, parts: int) -> Any:
    """Returns the sums of all devices' arrays, the same bits on each.

    Whole numbers must stay below 2**24: they are exchanged as float32.
    """
    if parts == 1:
        return arrays
    leaves, tree = jax.tree.flatten(arrays)
    small = [number for number, leaf in enumerate(leaves) if leaf.size <= SMALL]
    large = {number: leaf for number, leaf in enumerate(leaves) if leaf.size > SMALL}
    joined = jnp.concatenate([leaves[number].astype(jnp.float32).reshape(-1) for number in small])
    joined, found = jax.lax.psum((joined, large), AXIS)
    edges = np.cumsum([leaves[number].size for number in small])[:-1]
    for number, total in zip(small, jnp.split(joined, edges), strict=True):
        found[number] = total.reshape(leaves[number].shape).astype(leaves[number].dtype)
    return jax.tree.unflatten(tree, [found[number] for number in range(len(leaves))])


def gathered(array: jax.Array, parts: int, axis: int) -> jax.Array:
    """Undoes `own`: returns all devices' parts of an array, joined along the axis of images."""
    return array if parts == 1 else jax.lax.all_gather(array, AXIS, axis=axis, tiled=True)
