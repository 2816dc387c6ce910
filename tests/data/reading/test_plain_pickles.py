"""Pickles of plain data: read as Python reads them, and nothing in any other is ever called."""

import os
import pickle
import struct
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_jax.data.reading import plain_pickles
from tests.data.reading.python2_pickles import array, dictionary, listed, text, whole

NAMES = ("airplane", "bird", "cat")
PIXELS = np.random.default_rng(0).integers(0, 256, (20, 3072), np.uint8)
BATCH = dictionary({"batch_label": text("1 of 5"), "labels": listed(map(whole, range(20))), "data": array(PIXELS)})


def refused(data: bytes) -> str:
    with pytest.raises(plain_pickles.Refused) as error:
        plain_pickles.read(data)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_batch_is_a_pickle_that_python_reads_the_same():
    loaded = pickle.loads(BATCH, encoding="bytes")
    np.testing.assert_array_equal(loaded[b"data"], PIXELS)
    read = plain_pickles.read(BATCH)
    np.testing.assert_array_equal(read["data"], loaded[b"data"])
    assert read["labels"] == loaded[b"labels"] and read["batch_label"] == "1 of 5"
    assert plain_pickles.read(dictionary({"names": listed(map(text, NAMES))})) == {"names": list(NAMES)}


class Hostile:
    """Unpickling it would make a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


class HostileState(Hostile):
    """So would setting its state."""

    def __reduce__(self):
        return HostileState, ("",), {"path": self.path}

    def __setstate__(self, state):
        os.mkdir(state["path"])


@pytest.mark.parametrize("kind", [Hostile, HostileState])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_nothing_that_a_pickle_names_is_ever_called(tmp_path, protocol, kind):
    trap = tmp_path / "sprung"
    data = pickle.dumps({"data": kind(trap), "labels": [0]}, protocol)
    assert refused(data).startswith(("names", "uses", "has pickle protocol"))
    assert not trap.exists()
    pickle.loads(data)
    assert trap.exists()  # so the file was a real trap


def test_a_refused_name_or_opcode_is_named():
    assert "names 'posix.system', which is no plain data" in refused(b"\x80\x02cposix\nsystem\nU\x04true\x85R.")
    assert "uses EXT1 at byte 2, which plain data of protocol 2 does not" in refused(b"\x80\x02\x82\x01.")
    assert "uses BINPERSID at byte 5" in refused(b"\x80\x02U\x01xQ.")
    assert "has pickle protocol 4, not 2" in refused(pickle.dumps([], 4))


@pytest.mark.parametrize(
    "body",
    (
        b"cos\nsystem\n(U\x04trueo.",
        b"(U\x04trueios\nsystem\n.",
        b"cbuiltins\neval\nU\x011\x85R.",
        b"cnumpy.core.multiarray\nscalar\n.",
        b"cnumpy\nload\nU\x01x\x85R.",
        b"c_codecs\nencode\nU\x01xU\x03rot\x86R.",
        b"cnumpy\ndtype\ncnumpy\nndarray\n\x85R.",
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\ndtype\nK\x00\x85U\x01b\x87R.",
        b"cnumpy\nndarray\nK\x01\x85R.",
        b"U\x01xU\x01y\x85R.",
        b"}}b.",
        b"}K\x01K\x02s.",
        b"]K\x01K\x02s.",
        b"\x82\x01.",
        b"U\x01xQ.",
        b"\x83\x01\x00.",  # other codes of the extension registry
        b"\x84\x01\x00\x00\x00.",
        b"Pid\n.",  # a persistent id as a line
        b"cnumpy\ndtype\n)\x81.",  # NEWOBJ
        b"cnumpy\ndtype\n)}\x92.",  # NEWOBJ_EX
        b"cnumpy\ndtype\n}U\x08__call__K\x01sb.",  # BUILD of a maker
        b"cnumpy\ndtype\nN}U\x08__call__K\x01s\x86b.",  # the same by its slots
        b"cnumpy\ndtype\nU\x02u1\x85RU\x01x\x85R.",  # a call of what a maker made
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R.",  # an array without a state
        b"c__builtin__\n__import__\nU\x02os\x85R.",
        b"cnumpy\ndtype.__class__\n.",
        b"ccopyreg\n_reconstructor\n.",
        b"cfer_jax.data.reading.plain_pickles\n_MAKERS\n.",
    ),
)
def test_other_opcodes_and_names_are_refused(body):
    with pytest.raises(plain_pickles.Refused) as error:
        plain_pickles.read(b"\x80\x02" + body)
    assert "\n" not in str(error.value)


def test_makers_keep_nothing_of_a_file_that_is_refused():
    before = pickle.dumps({"data": PIXELS}, 2)
    for state in (b"}U\x05_makeNs", b"N}U\x05_makeNs\x86", b"N}U\x0b__setstate__Ns\x86"):
        refused(b"\x80\x02cnumpy\ndtype\n" + state + b"b.")
    np.testing.assert_array_equal(plain_pickles.read(before)["data"], PIXELS)


SHARED_TUPLES = b"\x80\x02K\x01\x85q\x00" + b"".join(b"h%c%s\x86q%c" % (at, b"h%c" % at, at + 1) for at in range(60))
REBUILT_TUPLES = b"\x80\x02K\x01\x85N}\x86bq\x00" + b"h\x00h\x00\x86N}\x86bq\x00" * 60
DEEP_TUPLE = b"\x80\x02)" + b"\x85" * 900_000


@pytest.mark.parametrize("tuples", [SHARED_TUPLES, REBUILT_TUPLES, DEEP_TUPLE])
def test_tuples_that_take_for_ever_or_all_of_the_stack_to_hash_are_refused(tuples):
    code = "import sys; from fer_jax.data.reading import plain_pickles; plain_pickles.read(sys.stdin.buffer.read())"
    as_a_key = b"\x80\x02}" + tuples[2:] + b"K\x01s."
    done = subprocess.run([sys.executable, "-c", code], input=as_a_key, capture_output=True, timeout=60)
    assert done.returncode == 1 and b"Refused: uses" in done.stderr


DECLARED = {
    "a text of 2 GB": b"T\xff\xff\xff\x7fx.",
    "a text of less than nothing": b"T\xff\xff\xff\xffx.",
    "a unicode text of 4 GB": b"X\xff\xff\xff\xffx.",
    "bytes of protocol 4": b"\x8e" + struct.pack("<Q", 2**60) + b"x.",
    "a frame": b"\x95" + struct.pack("<Q", 2**60) + b".",
    "a memo of 64 GB": b"]r\xff\xff\xff\xff.",
    "a memo of 2 GB": b"]r\x00\x00\x00\x08.",
    "a whole number of 2 GB": b"\x8b\xff\xff\xff\x7fx.",
    "a shape of 16 EB": array(PIXELS[:1, :4]).replace(b"K\x01K\x04\x86", b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86")
    + b".",
}


@pytest.mark.parametrize("body", DECLARED.values(), ids=DECLARED)
def test_a_size_that_is_only_declared_takes_no_memory(body):
    tracemalloc.start()
    try:
        refused(b"\x80\x02" + body)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def test_an_array_that_is_named_many_times_is_not_made_many_times():
    pairs = b"".join(text(f"{at}") + b"h\x07" for at in range(50))
    assert refused(BATCH[:-2] + pairs + b"u.") == "uses the bytes of an array twice"


def test_more_values_than_images_can_have_are_refused():
    assert "more often than a batch of pictures needs" in refused(b"\x80\x02" + b"}" * 1_100_000 + b".")
    assert "more often than a batch of pictures needs" in refused(b"\x80\x02" + b")" * 1_100 + b".")


def test_lists_in_lists_are_read_however_deep():
    deep = plain_pickles.read(b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".")
    depth = 1
    while deep:
        (deep,) = deep
        depth += 1
    assert depth == 100_000


@given(st.data())
def test_one_damaged_byte_is_refused_or_read_as_pickle_would(data):
    whole_file = dictionary({"labels": listed(map(whole, range(9))), "label_names": listed(map(text, NAMES))})
    at = data.draw(st.integers(0, len(whole_file) - 1))
    changed = whole_file[:at] + bytes([data.draw(st.integers(0, 255))]) + whole_file[at + 1 :]
    try:
        found = plain_pickles.read(changed)
    except plain_pickles.Refused as error:
        assert "\n" not in str(error)
    else:
        assert found == pickle.loads(changed, encoding="latin-1")


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31 - 1) | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(plain)
def test_plain_data_of_python_3_comes_back(value):
    assert plain_pickles.read(pickle.dumps(value, 2)) == value


@given(st.integers(1, 6), st.integers(1, 5), st.booleans())
def test_arrays_of_todays_numpy_come_back(rows, columns, turned):
    pixels = np.random.default_rng(rows).integers(0, 256, (rows, columns), np.uint8)
    pixels = pixels.T.copy(order="F") if turned else pixels
    found = plain_pickles.read(pickle.dumps({"data": pixels}, 2))["data"]
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, pixels)
