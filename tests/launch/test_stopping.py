"""A request to stop: seen once, shown, logged, and handed back to whom signals belonged."""

import os
import signal
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
