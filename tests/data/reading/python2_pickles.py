"""Pickles as Python 2 and NumPy 1 wrote them: opcodes of protocol 2 by hand."""

import struct

import numpy as np


def text(value: str) -> bytes:
    """A byte string as Python 2 pickles it."""
    data = value.encode("latin-1")
    return b"U" + bytes([len(data)]) + data if len(data) < 256 else b"T" + struct.pack("<i", len(data)) + data


def whole(value: int) -> bytes:
    return b"K" + bytes([value]) if 0 <= value < 256 else b"J" + struct.pack("<i", value)


def listed(items) -> bytes:
    return b"]q\x04(" + b"".join(items) + b"e"


def array(pixels: np.ndarray) -> bytes:
    """As Python 2 and NumPy 1 pickled an array: its maker, its dtype, its bytes as a string."""
    shape = b"".join(map(whole, pixels.shape)) + b"\x86"
    dtype = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    maker = b"cnumpy.core.multiarray\n_reconstruct\nq\x05cnumpy\nndarray\nq\x06K\x00\x85U\x01b\x87Rq\x07"
    return maker + b"(K\x01" + shape + dtype + b"\x89" + text(pixels.tobytes().decode("latin-1")) + b"tb"


def dictionary(items: dict[str, bytes]) -> bytes:
    pairs = b"".join(text(key) + b"q\x02" + value for key, value in items.items())
    return b"\x80\x02}q\x01(" + pairs + b"u."
