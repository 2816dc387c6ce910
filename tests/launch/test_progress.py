"""What a person reads of a wave, and the time that is left."""

import io

import pytest

from fer_jax.launch import progress
from fer_jax.launch.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """Seconds that only the test moves."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_wave_gives_its_rate_the_best_accuracy_and_the_time_left(clock):
    log, stream = io.StringIO(), io.StringIO()
    whole = Progress(log, stream)
    whole.flops_left = 400.0
    with whole.wave("stack_0-wave_0 (2 trials)", images=200, done=0, flops=100.0) as follower:
        assert follower.images_per_second is None
        clock[0] += 20.0
        follower.epoch(1, 100, 0.25)
        clock[0] += 20.0
        follower.epoch(2, 100, None)
        assert follower.flops == 100.0 and follower.images_per_second == 5.0
    # A quarter of the work took 40 seconds; both lines are more than ten seconds apart.
    first, second = stream.getvalue().splitlines()
    assert first == "stack_0-wave_0 (2 trials): epoch 1, 5 trial-images/s, best val 0.250, 2 min 20 s left"
    assert second == "stack_0-wave_0 (2 trials): epoch 2, 5 trial-images/s, best val 0.250, 2 min 00 s left"
    assert [line.split("  ", 1)[1] for line in log.getvalue().splitlines()] == [first, second]
    assert whole.flops_left == 300.0


def test_counted_work_shows_a_line_now_and_then(clock):
    stream = io.StringIO()
    with Progress(None, stream).counting("40 fits, 2 at once", 40, "fit") as advance:
        for seconds in (1.0, 11.0, 1.0):
            clock[0] += seconds
            advance(10)
    assert stream.getvalue().splitlines() == ["40 fits, 2 at once", "40 fits, 2 at once: 20 done, 12 s left"]


def test_what_is_said_is_logged_line_by_line_and_what_is_noted_is_not_shown():
    log, stream = io.StringIO(), io.StringIO()
    whole = Progress(log, stream)
    whole.say("two\nlines")
    whole.note("for the log")
    assert stream.getvalue() == "two\nlines\n"
    assert [line.split("  ", 1)[1] for line in log.getvalue().splitlines()] == ["two", "lines", "for the log"]
