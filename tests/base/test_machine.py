"""What the machine is, and the work of other programs, told apart from this one's."""

import types

import pytest

from fer_jax.base import machine


@pytest.fixture
def proc(monkeypatch):
    """proc(path=text, ...): what the system's files hold; those not given are not there."""
    held = {}
    monkeypatch.setattr(machine, "_lines", lambda path: held.get(path, "").splitlines())
    return held


def test_the_share_of_others_is_what_this_process_did_not_do(proc, monkeypatch):
    """Of 8 s of two processors 1 s is idle, 2 s wait for a disk, and 3 s are this process' own.

    What a third one does is nothing to a process that may not use it.
    """
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda process: {0, 3}, raising=False)
    monkeypatch.setattr(machine.os, "sysconf", lambda name: 100)
    own = [10.0]
    monkeypatch.setattr(machine.os, "times", lambda: types.SimpleNamespace(user=own[0], system=1.0))
    proc["/proc/stat"] = "cpu 1 1 1\ncpu0 500 0 0 700 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0\ncpu3 0 0 0 0 0 0 0 0"
    watch = machine.Watch()
    proc["/proc/stat"] = "cpu 1 1 1\ncpu0 800 0 0 800 0 0 0 0\ncpu1 9999 0 0 0 0 0 0 0\ncpu3 0 0 100 0 200 0 0 100"
    own[0] += 3.0
    assert watch.others() == pytest.approx((3 + 1 + 1 - 3) / 8)
    own[0] += 9.0
    assert watch.others() == 0  # never below nothing


def test_where_the_system_does_not_say_the_share_is_unknown(proc):
    assert machine.Watch().others() is None


def test_memory_is_the_machines_and_what_is_free_no_part_of_it(proc, tmp_path, monkeypatch):
    pages = {"SC_PHYS_PAGES": 1000, "SC_AVPHYS_PAGES": 10, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(machine.os, "sysconf", pages.__getitem__)
    monkeypatch.setattr(machine, "_LIMITS", (tmp_path / "memory.max",))
    assert machine.total_memory() == 4_096_000 and machine.available_memory() == 40_960
    proc["/proc/meminfo"] = "MemTotal: 4000 kB\nMemFree: 1 kB\nMemAvailable: 2000 kB"
    assert machine.available_memory() == 2_048_000
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.total_memory() == 4_096_000
    (tmp_path / "memory.max").write_text("1000000\n")
    assert machine.total_memory() == machine.available_memory() == 1_000_000


def test_a_processor_says_its_name_and_what_it_can(proc):
    proc["/proc/cpuinfo"] = "processor : 0\nmodel name : Some CPU @ 2 GHz\nflags\t\t: fpu avx2 fma\n"
    assert machine.processor() == "Some CPU @ 2 GHz" and machine.processor_flags() == {"fpu", "avx2", "fma"}
    proc.clear()
    assert machine.processor_flags() == frozenset()
