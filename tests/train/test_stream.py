"""Pieces of a data set on their way to a device: their size, their order, and an early end."""

import itertools
import threading

import jax
import numpy as np
import pytest

from fer_jax.train import stream

DEVICE = jax.sharding.SingleDeviceSharding(jax.devices()[0])


@pytest.mark.parametrize(("count", "each"), [(1, 1), (7, 30), (100, 33), (897, 73_728), (3, 10**9), (50_000, 5)])
def test_chunks_hold_all_steps_evenly_and_are_bounded(monkeypatch, count, each):
    monkeypatch.setattr(stream, "CHUNK_BYTES", 100)
    size = stream.chunk_size(count, each)
    pieces = -(-count // size)
    assert size == 1 or size * each <= 100
    assert 0 <= size * pieces - count < pieces
    # No smaller number of pieces would do.
    assert pieces == 1 or -(-count // (pieces - 1)) * each > 100


def test_data_stay_whole_where_they_leave_room():
    assert stream.fits(4 * 10**9, 10 * 10**9) and not stream.fits(4 * 10**9 + 1, 10 * 10**9)
    assert stream.bytes_on_device(1000) == 1000
    assert stream.bytes_on_device(10**12) == stream.CHUNKS_ON_DEVICE * stream.CHUNK_BYTES


def test_pieces_arrive_in_order_and_on_the_device():
    pieces = list(stream.prefetched(20, lambda number: {"a": np.full((2, 3), number, np.uint8)}, DEVICE))
    assert [piece["a"].sum().item() for piece in pieces] == [6 * number for number in range(20)]
    assert all(piece["a"].sharding == DEVICE for piece in pieces)


def test_reading_stays_a_few_pieces_ahead_and_ends_with_its_reader():
    read = []
    before = threading.active_count()
    pieces = stream.prefetched(1000, lambda number: read.append(number) or np.zeros(number + 1), DEVICE)
    assert [len(piece) for piece in itertools.islice(pieces, 3)] == [1, 2, 3]
    pieces.close()
    assert len(read) < 20
    for thread in threading.enumerate():
        if "grain" in thread.name:
            thread.join(10)
    assert threading.active_count() <= before


def test_an_error_while_reading_reaches_the_reader():
    def read(number):
        if number == 2:
            raise OSError("the disk is gone")
        return np.zeros(1)

    with pytest.raises(OSError, match="the disk is gone"):
        list(stream.prefetched(5, read, DEVICE))
