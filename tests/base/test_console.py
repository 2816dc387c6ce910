"""Lines and bars on stderr: a bar only where a person looks at a terminal."""

import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from fer_jax.base import console

ROOT = Path(__file__).parents[2]


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
    assert capsys.readouterr().err == "fer_jax: listing: 1 file\n"


def test_a_terminal_has_a_bar_that_counts_pictures(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with console.bar("faces", 3) as step:
        for _ in range(3):
            step()
    assert "faces" in sys.stderr.getvalue() and "of 3 pictures" in sys.stderr.getvalue()


def on_terminal(monkeypatch, **environment):
    """Puts a terminal of 80 columns on stderr and returns it."""
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "40", **environment}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stderr", Terminal())
    return sys.stderr


def test_there_is_one_display_and_what_is_said_comes_to_stand_above_it(monkeypatch):
    terminal = on_terminal(monkeypatch)
    with (
        console.bars() as outer,
        console.bar("reading", 2) as step,
        console.working("counting"),
        console.bars() as inner,
    ):
        assert inner is outer
        step()
        console.say("a line")
    drawn = terminal.getvalue()
    assert "fer_jax: a line" in drawn and "reading" in drawn and "counting" in drawn
    with console.bars() as later:
        assert later is not outer


def test_no_way_out_leaves_the_cursor_hidden(monkeypatch):
    terminal = on_terminal(monkeypatch)
    with pytest.raises(KeyboardInterrupt), console.working("drawing"):
        raise KeyboardInterrupt
    assert "?25l" not in terminal.getvalue() and console.screen() is not None


@pytest.mark.parametrize("kind", ["dumb", "unknown"])
def test_a_terminal_without_a_cursor_gets_lines(monkeypatch, kind):
    terminal = on_terminal(monkeypatch, TERM=kind)
    with console.working("drawing the report"):
        pass
    assert terminal.getvalue() == "drawing the report\n"


def test_a_terminal_of_ascii_gets_lines(monkeypatch):
    terminal = on_terminal(monkeypatch)
    monkeypatch.setattr(Terminal, "encoding", "ascii", raising=False)
    with console.working("drawing the report"), console.bar("faces", 1) as step:
        step()
    assert terminal.getvalue() == "drawing the report\n"


def test_what_need_not_be_said_in_a_pipe_is_not(capsys):
    with console.working("asking", plain=False):
        assert list(console.following(iter("ab"), "asking", "answers")) == ["a", "b"]
    assert capsys.readouterr() == ("", "")


LONG = "An accuracy on 500 validation images has a standard error of 0.022; no other point is that close to it."


def test_a_page_folds_in_a_terminal_and_is_plain_elsewhere(monkeypatch):
    terminal = on_terminal(monkeypatch, NO_COLOR="1")
    for stream in (terminal, plain := io.StringIO()):
        page = console.Page(stream)
        page.table("Best point of 8", [("point", "learning rate 1e-3, " * 6 + "L2 penalty 1e-4"), ("ties", "none")])
        page.whole(f"report: {'runs/' * 20}report.html")
        page.paragraph(LONG)
        page.command("next:", f"python -m fer_jax.predict {'runs/' * 20} PICTURE.jpg")
    assert "\x1b[3" not in terminal.getvalue()  # no colour; \x1b[1m is bold
    folded = re.sub(r"\x1b\[\d*m", "", terminal.getvalue()).splitlines()
    whole = plain.getvalue().splitlines()
    pieces = [line for line in folded if "runs/" in line]
    assert pieces == [line for line in whole if "runs/" in line] and len(pieces) == 2
    assert max(len(line) for line in folded if line not in pieces) <= 80
    assert 80 < max(len(line) for line in whole if line not in pieces) <= console.PAGE_WIDTH
    assert folded[-1] == whole[-1] and folded[-1].endswith("PICTURE.jpg")  # in one piece, to be copied
    assert whole[0] == folded[0].rstrip() == "Best point of 8" and whole[3] == "  ties   none"
    assert " ".join(" ".join(folded).split()) == " ".join(" ".join(whole).split())


def test_no_character_is_the_end_of_a_program():
    text = ascii("0.9 ± 0.1\N{NO-BREAK SPACE}“ü” 表")
    code = f"import sys; from fer_jax.base import console; console.spell_out(); print({text}); sys.stderr.write({text})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"},
        capture_output=True,
        check=True,
    )
    assert done.stdout.strip() == done.stderr == b'0.9 +- 0.1 "\\xfc" \\u8868'


def test_what_is_said_again_may_be_printed_once(capsys):
    with console.each_once():
        console.say("read")
        console.say("read")
    console.say("read")
    assert capsys.readouterr().err == "fer_jax: read\n" * 2


def test_a_command_names_the_file_that_was_meant(tmp_path):
    name = "a\x1b[31m\nüb'e\\r"
    (tmp_path / name).write_text("found")
    command = console.typable(shlex.join(["cat", name]))
    assert command.isprintable() and command.startswith("cat $'")
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "found"
    assert console.typable("cat 'a b'") == "cat 'a b'"


def test_one_is_counted_as_one(monkeypatch, capsys):
    monkeypatch.setattr(console, "EVERY", -1.0)
    assert list(console.following("a", "asking", "answers")) == ["a"]
    with console.bar("reading", 1) as step:
        step()
    assert capsys.readouterr().err == "fer_jax: asking: 1 answer\nfer_jax: reading: 1 of 1 picture\n"


def test_columns_are_aligned_as_a_stream_writes_them():
    stream = io.TextIOWrapper(io.BytesIO(), "ascii")
    assert console.as_written("0.9 ± 0.1", stream) == "0.9 +- 0.1" and console.as_written("±", io.StringIO()) == "±"
