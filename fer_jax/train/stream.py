"""Images that do not fit on a device: threads read them in pieces before they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grain
import jax

# Bytes of the images of one piece. A GPU takes them in within some milliseconds, so that the
# first piece of an epoch is not long waited for, and computes on them far longer than starting a
# program takes.
CHUNK_BYTES = 64 * 2**20
# Pieces of which a device may hold the images at once: the one in use, the next, one that waits
# and one on its way.
CHUNKS_ON_DEVICE = 4
READING_THREADS = 2
# Share of the memory that resident images may take: weights and intermediate results need
# the rest.
RESIDENT_SHARE = 0.4


def fits(data_bytes: int, free_bytes: float) -> bool:
    """Returns whether a data set should lie whole on a device that has so much memory free."""
    return data_bytes <= RESIDENT_SHARE * free_bytes


def bytes_on_device(data_bytes: int) -> int:
    """Returns what the pieces of a streamed data set take at most."""
    return min(data_bytes, CHUNKS_ON_DEVICE * CHUNK_BYTES)


def chunk_size(count: int, each: int) -> int:
    """Returns how many steps (or batches) a piece of at most CHUNK_BYTES holds, at least one.

    The `count` of them, of `each` bytes, are spread evenly: less than one step a piece is padding.
    """
    pieces = -(-count // max(1, CHUNK_BYTES // each))
    return -(-count // pieces)


def prefetched(pieces: int, read: Callable[[int], Any], sharding: jax.sharding.Sharding) -> Iterator[Any]:
    """Yields pieces 0, 1, ... in their order, on devices.

    Threads read, another one moves what was read to the devices, both ahead of the caller by a
    bounded number of pieces.

    Args:
        pieces: how many.
        read: returns the arrays (a tree of them) of the piece with this number.
        sharding: where they go.
    """
    options = grain.ReadOptions(num_threads=READING_THREADS, prefetch_buffer_size=READING_THREADS)
    read_ahead = grain.MapDataset.range(pieces).map(read).to_iter_dataset(options)
    iterator = iter(grain.experimental.device_put(read_ahead, sharding, cpu_buffer_size=1, device_buffer_size=1))
    try:
        yield from iterator
    finally:
        # Threads of an epoch that is broken off would wait for ever, and hold their pieces.
        iterator.close()
