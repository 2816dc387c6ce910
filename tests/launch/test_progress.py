"""What a person reads of a wave, and the time that is left."""

import io

import pytest
from rich.console import Console

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
        follower.epoch(1, 100, 0.25, "learning rate 1e-3, seed 0")
        clock[0] += 20.0
        follower.epoch(2, 100, None)
        assert follower.flops == 100.0 and follower.images_per_second == 5.0
    # A quarter of the work took 40 seconds; both lines are more than ten seconds apart.
    first, second = stream.getvalue().splitlines()
    best = "5 trial-images/s, best val 0.250 (learning rate 1e-3, seed 0)"
    assert first == f"stack_0-wave_0 (2 trials): epoch 1, {best}, 2 min 20 s left"
    assert second == f"stack_0-wave_0 (2 trials): epoch 2, {best}, 2 min 00 s left"
    assert [line.split("  ", 1)[1] for line in log.getvalue().splitlines()] == [first, second]
    assert whole.flops_left == 300.0
    assert progress.last_reached(log.getvalue()) == ("stack_0-wave_0", 2, 0, "2 min 00 s")


def test_a_log_says_how_far_its_last_start_has_come(clock):
    log, stream = io.StringIO(), io.StringIO()
    whole = Progress(log, stream)
    for epoch in (3, 4):
        with whole.waiting("planning"):
            assert progress.last_reached(log.getvalue()) is None
        whole.flops_left = 100.0
        with whole.wave("stack_1-wave_2 (2 trials, rung 1 of 2)", 100, 0, 100.0, epochs=9) as follower:
            clock[0] += 20.0
            follower.epoch(epoch, 50, 0.25, "classes a), b: epoch 7 of 8, 1 s left, seed 0")
        whole.say("stack_1 was compiled in 4.1 s")
        assert progress.last_reached(log.getvalue())[:3] == ("stack_1-wave_2", epoch, 9)
    assert progress.last_reached("cut off at the beginning") is None


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


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """A terminal of 80 columns, and the plain text of what has been drawn in it."""
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "40"}.items():
        monkeypatch.setenv(name, value)
    return Terminal()


def frame(whole):
    """The lines of the bars as they are drawn now."""
    screen = Console(file=io.StringIO(), width=80)
    for one in whole._bars.get_renderables():
        screen.print(one)
    return [line.rstrip() for line in screen.file.getvalue().splitlines() if line.strip()]


def test_one_display_has_the_whole_sweep_the_wave_and_whose_the_best_accuracy_is(terminal, clock):
    with Progress(None, terminal) as whole:
        whole.count_work(300.0, before=100.0)
        with whole.wave("w", 200, 0, flops=100.0, epochs=2, place="stack 2 of 5, wave 1 of 3") as follower:
            clock[0] += 7.0
            first = frame(whole)
            clock[0] += 13.0
            follower.epoch(1, 100, 0.25, "learning rate 1e-3, L2 penalty 1e-4, seed 0")
            clock[0] += 10.0
            second = frame(whole)
    assert first[0].startswith("sweep") and first[0].endswith("25 % in 7 s")
    assert first[1].startswith("stack 2 of 5, wave 1 of 3") and first[1].endswith("epoch 1 of 2, 7 s")
    # An eighth of the work took 20 seconds, of which five eighths are left; 10 more have gone by.
    assert second[0].endswith("37 % in 30 s, 1 min 30 s left") and second[1].endswith("epoch 2 of 2, 5 images/s")
    assert second[2] == "best val 0.250 (learning rate 1e-3, L2 penalty 1e-4, seed 0)"
    assert max(map(len, first + second)) < 80


def test_no_time_is_left_that_is_not_known(terminal, clock):
    with Progress(None, terminal) as whole:
        whole.count_work(200.0)
        with whole.wave("w", 100, 0, flops=100.0) as follower:
            clock[0] += 5.0
            follower.epoch(1, 100, 0.25)
            assert frame(whole)[0].endswith("50 % in 5 s, 5 s left")
        with whole.waiting("compiling stack_1 (2 of 2)"):
            assert frame(whole)[0].endswith("50 % in 5 s")
            clock[0] += 20.0
        assert frame(whole)[0].endswith("50 % in 25 s")


def test_compiling_shows_a_clock_and_messages_stand_above_the_bars(terminal, clock):
    log = io.StringIO()
    with Progress(log, terminal) as whole:
        with whole.waiting("compiling stack_0 (1 of 2)"):
            clock[0] += 65.0
            assert frame(whole)[0].startswith("compiling stack_0 (1 of 2)") and frame(whole)[0].endswith("1 min 05 s")
            whole.say("a table for people " * 9, narrow="a table\nfor people")
        with whole.counting("4 fits, 2 at once", 4, "fit") as advance:
            clock[0] += 10.0
            advance(1)
            assert frame(whole)[0].endswith("1 of 4 fit, 30 s left")
        assert whole.columns == 80
    assert "a table\n" in terminal.getvalue() and "a table for" not in terminal.getvalue()
    assert [line.split("  ", 1)[1] for line in log.getvalue().splitlines()] == [
        "compiling stack_0 (1 of 2)",
        ("a table for people " * 9),
        "4 fits, 2 at once",
    ]


def test_a_sweep_that_goes_on_knows_what_was_best_before():
    whole = Progress(None, io.StringIO())
    whole.found(0.5, "seed 1")
    whole.found(0.4, "seed 2")
    whole.flops_left = 10.0
    assert whole.epoch(1.0, 0.3, 5.0, "seed 3") == "best val 0.500 (seed 1), 1 s left"
    assert whole.columns is None
