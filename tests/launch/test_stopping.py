"""A request to stop: seen once, shown, logged, and handed back to whom signals belonged."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from fer_jax.launch import stopping


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_ends(number, capsys):
    before, notes = signal.getsignal(number), []
    with stopping.requests(notes.append) as stop_requested:
        assert not stop_requested()
        os.kill(os.getpid(), number)
        assert stop_requested() and notes == ["stopping after this epoch or fit (once more: at once)"]
        assert notes[0] in capsys.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_outside_the_main_thread_signals_stay_where_they_were():
    before, asked = signal.getsignal(signal.SIGINT), []

    def ask():
        with stopping.requests(asked.append) as stop_requested:
            asked.append(stop_requested())

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert asked == [False] and signal.getsignal(signal.SIGINT) is before


IN_C = """
import ctypes
from fer_jax.base import console
from fer_jax.launch import stopping

mutex, lock = ctypes.create_string_buffer(64), ctypes.CDLL(None).pthread_mutex_lock
with console.program(), stopping.requests(print):
    lock(mutex)
    print("in C", flush=True)
    lock(mutex)  # never returns, and no signal ends it
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_program_is_told_and_ends_at_once_though_its_main_thread_is_in_c(number):
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", IN_C], stdout=pipe, stderr=pipe, text=True) as program:
        assert program.stdout.readline() == "in C\n"
        program.send_signal(number)
        assert program.stderr.readline() == "\n"
        assert program.stderr.readline() == "stopping after this epoch or fit (once more: at once)\n"
        program.send_signal(number)
        assert program.wait(60) == 130
        assert program.stderr.read() == "stopped at once; the same command goes on from there\n"
