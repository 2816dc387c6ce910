"""Random bits depend on key, stream, row and position alone, and look random."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax.models.hashed_bits import hashed_bits

KEY = jax.random.key(3)


def bits(key=KEY, stream=0, rows=(0, 1, 2, 3), shape=(40, 25)):
    return np.asarray(hashed_bits(key, stream, jnp.asarray(rows), shape))


def test_an_image_has_the_same_bits_wherever_it_stands_in_a_batch():
    found = bits()
    assert found.shape == (4, 40, 25) and found.dtype == np.uint32
    np.testing.assert_array_equal(bits(rows=(3, 1)), found[[3, 1]])


@pytest.mark.parametrize("other", [{"key": jax.random.key(4)}, {"stream": 1}, {"rows": (4, 5, 6, 7)}], ids=str)
def test_another_key_stream_or_row_gives_other_bits(other):
    # Each bit agrees by chance, half of the time.
    agreeing = np.unpackbits((~(bits() ^ bits(**other))).view(np.uint8)).mean()
    assert abs(agreeing - 0.5) < 5 * 0.5 / np.sqrt(32 * bits().size)


def test_every_bit_is_set_half_of_the_time():
    found = bits(shape=(100, 100)).ravel()
    share = (found[:, None] >> np.arange(32) & 1).mean(axis=0)
    np.testing.assert_allclose(share, 0.5, atol=5 * 0.5 / np.sqrt(found.size))
    assert len(np.unique(found)) > 0.999 * found.size
