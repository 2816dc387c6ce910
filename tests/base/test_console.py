"""Lines and bars on stderr: a bar only where a person looks at a terminal."""

import io
import sys

from fer_jax.base import console


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_line_says_whose_it_is(capsys):
    console.say("reading")
    assert capsys.readouterr() == ("", "fer_jax: reading\n")


def test_without_a_terminal_there_is_no_bar(capsys):
    with console.bar("faces", 3) as step:
        step()
    assert capsys.readouterr() == ("", "")


def test_without_a_terminal_a_line_says_how_far_it_is_now_and_then(capsys, monkeypatch):
    seconds = iter((0.0, 1.0, 5.5, 6.0, 6.0, 11.5, 12.0))
    monkeypatch.setattr(console.time, "monotonic", lambda: next(seconds))
    with console.bar("reading", 1200) as step:
        for _ in range(4):
            step()
    assert capsys.readouterr().err == "fer_jax: reading: 2 of 1,200 pictures\nfer_jax: reading: 4 of 1,200 pictures\n"
    monkeypatch.setattr(console, "EVERY", 0)
    monkeypatch.setattr(console.time, "monotonic", lambda: 0)
    with console.bar("listing", None, "files") as step:
        step()
    assert capsys.readouterr().err == "fer_jax: listing: 1 files\n"


def test_a_terminal_has_a_bar_that_counts_pictures(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with console.bar("faces", 3) as step:
        for _ in range(3):
            step()
    assert "faces" in sys.stderr.getvalue() and "/3" in sys.stderr.getvalue()


def test_what_is_said_again_may_be_printed_once(capsys):
    with console.each_once():
        console.say("read")
        console.say("read")
    console.say("read")
    assert capsys.readouterr().err == "fer_jax: read\n" * 2
