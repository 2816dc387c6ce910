"""NumPy's files: one header is read at a time, and what is no such file is said as damage."""

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import fer_jax
from fer_jax.base.arrays import read_npy, read_npz


def test_no_two_threads_parse_a_header_at_once(tmp_path, monkeypatch):
    np.save(tmp_path / "one.npy", np.arange(3))
    np.savez(tmp_path / "some.npz", a=np.arange(3), b=np.ones(2))
    inside, most, read_magic = threading.Semaphore(1), [], np.lib.format.read_magic

    def parse(*arguments):
        most.append(inside.acquire(blocking=False))
        time.sleep(0.01)  # lets another thread in, if it may come in
        try:
            return read_magic(*arguments)
        finally:
            inside.release()

    monkeypatch.setattr(np.lib.format, "read_magic", parse)
    monkeypatch.setattr("numpy.lib._format_impl.read_magic", parse, raising=False)
    calls = [lambda: read_npy(tmp_path / "one.npy"), lambda: read_npy(tmp_path / "one.npy", "r"),
             lambda: read_npz(tmp_path / "some.npz")["a"]] * 4  # fmt: skip
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda call: call(), calls))
    assert all(array.tolist() == [0, 1, 2] for array in found)
    assert len(most) >= 12 and all(most)


def test_nothing_else_reads_numpys_files():
    folder = Path(fer_jax.__file__).parent
    callers = {path.name for path in folder.rglob("*.py") if re.search(r"\bnp\.load\b", path.read_text())}
    assert callers == {"arrays.py"}


def test_what_is_no_array_is_damaged(tmp_path):
    path = tmp_path / "file"
    for content in (b"", b"{", b"PK\x03\x04 and no more", np.arange(9).tobytes()):
        path.write_bytes(content)
        for read in (read_npy, read_npz):
            with pytest.raises((ValueError, EOFError)):
                read(path)
    np.savez(tmp_path / "some.npz", a=np.ones(2))
    for mapped in (None, "r"):
        with pytest.raises(ValueError, match="magic string"):
            read_npy(tmp_path / "some.npz", mapped)
    np.save(tmp_path / "one.npy", np.ones(2))
    with pytest.raises(ValueError, match="one array"):
        read_npz(tmp_path / "one.npy")
    with pytest.raises(FileNotFoundError):
        read_npy(tmp_path / "none.npy")
