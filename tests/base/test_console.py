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


def test_a_terminal_has_a_bar_that_counts_pictures(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with console.bar("faces", 3) as step:
        for _ in range(3):
            step()
    assert "faces" in sys.stderr.getvalue() and "/3" in sys.stderr.getvalue()
