"""Where a person looks: lines and bars on stderr, and whose process this is.

Bars are drawn in a terminal alone. A pipe, a file and a terminal without UTF-8 or movable cursor
get plain lines.
"""

from __future__ import annotations

import codecs
import contextlib
import functools
import os
import shlex
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TextIO, TypeVar

from fer_jax.base.text import aligned, counted, in_columns, printable

if TYPE_CHECKING:
    from fer_jax.base.bars import Bars, Screen

Item = TypeVar("Item")
PAGE_WIDTH = 118  # of sentences in a pipe or file
UNREAD = 141  # an exit status as of a program that SIGPIPE ends
EVERY = 5.0  # seconds between lines that say how far something is

# What takes the place of a character that a terminal or file cannot show; others are escaped.
SPELLINGS = {
    **{"±": "+-", "×": "x", "·": "-", "–": "-", "—": "-", "…": "...", "≥": ">=", "≤": "<=", "→": "->"},
    **dict.fromkeys("“”„", '"'),
    **dict.fromkeys("‘’", "'"),
    **dict.fromkeys("\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}", " "),
}
_SPELT = "fer_jax.spelt"  # the name of that way with errors, as Python's `errors=` takes it

_programs = 0
_bars: Bars | None = None  # on show
_said: set[str] | None = None  # lines of the innermost `each_once`


@contextlib.contextmanager
def program() -> Iterator[None]:
    """Says, while the context lasts, that this process is one of our programs."""
    global _programs
    _programs += 1
    try:
        yield
    finally:
        _programs -= 1


def is_program() -> bool:
    """Returns whether this process is one of our programs, not a notebook or a user's script.

    Nobody else then minds if it ends.
    """
    return _programs > 0


def _spell(error: UnicodeError) -> tuple[str | bytes, int]:
    """Returns ASCII for characters that cannot be encoded, as `codecs.register_error` wants it."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return "".join(SPELLINGS.get(c) or c.encode("ascii", "backslashreplace").decode() for c in wrong), error.end


codecs.register_error(_SPELT, _spell)


def spell_out() -> None:
    """Makes stdout and stderr write ASCII for what they cannot encode, instead of an exception.

    A stream that gives file names back as they are on disk (`surrogateescape`) goes on doing so,
    if it can write all else.
    """
    for stream in (sys.stdout, sys.stderr):
        kept = getattr(stream, "errors", "") == "surrogateescape" and writes_unicode(stream)
        if hasattr(stream, "reconfigure") and not kept:
            stream.reconfigure(errors=_SPELT)


def writes_unicode(stream: TextIO) -> bool:
    """Returns whether a stream can encode every character."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().replace("_", "-").startswith("utf")


def as_written(text: str, stream: TextIO) -> str:
    """Returns a text as `spell_out` lets a stream write it, so that columns can be aligned."""
    if writes_unicode(stream):
        return text
    return text.encode(stream.encoding, _SPELT).decode(stream.encoding)


def until_closed(run: Callable[[], int]) -> int:
    """Returns what `run` returns; `UNREAD` where nobody reads its output any more.

    `| head` closes the pipe once it has its lines.
    """
    try:
        status = run()
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would write the rest when it ends, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    return status


def in_notebook() -> bool:
    """Returns whether this process is the kernel of a notebook: Jupyter's, VS Code's or Colab's."""
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    return getattr(shell, "kernel", None) is not None


def lines() -> TextIO:
    """Returns where lines for a person go: stderr; stdout in a notebook, where stderr is red."""
    return sys.stdout if in_notebook() else sys.stderr


def screen(stream: TextIO | None = None) -> Screen | None:
    """Returns the terminal in which bars and colours are drawn; None where lines stay plain.

    This is the one place that makes it.

    Args:
        stream: where a person looks; None for stderr.
    """
    if _bars is not None and stream in (None, lines(), _bars.screen.file):
        return _bars.screen
    if in_notebook() and stream in (None, sys.stdout):
        from fer_jax.base.notebook import Cell

        return Cell()
    stream = stream or sys.stderr
    if not stream.isatty() or not writes_unicode(stream) or os.environ.get("TERM", "") in ("dumb", "unknown"):
        return None
    from fer_jax.base.bars import Screen

    return Screen(stream)


@contextlib.contextmanager
def bars(stream: TextIO | None = None) -> Iterator[Bars | None]:
    """Shows bars while the context lasts: those that are on show already, or new ones.

    Yields:
        The bars; None where lines stay plain.
    """
    global _bars
    if _bars is not None or (found := screen(stream)) is None:
        yield _bars
        return
    made = _bars_on(found)
    try:
        with made as _bars:
            yield _bars
    finally:
        _bars = None


def _bars_on(found: Screen) -> Bars:
    if in_notebook():
        from fer_jax.base.notebook import Cell, NotebookBars

        if isinstance(found, Cell):
            return NotebookBars(found)
    from fer_jax.base.bars import Bars

    return Bars(found)


@contextlib.contextmanager
def working(title: str, plain: bool = True) -> Iterator[None]:
    """Says what is done while the context lasts: with a clock in a terminal, else a line.

    Args:
        title: what is done.
        plain: whether there is a line where there is no terminal.
    """
    with bars() as shown:
        if shown is None:
            if plain:
                _say(title)
            yield
        else:
            with shown.row(title):
                yield


def show(text: str, file: TextIO | None = None) -> None:
    """Prints lines on stdout, or into a file, with nothing in them that a terminal would obey."""
    print(printable(text, lines=True), file=file, flush=True)


def say(text: str) -> None:
    """Prints a line on stderr that says it is of fer_jax."""
    _say(f"fer_jax: {text}")


def _say(line: str) -> None:
    if _said is not None:
        if line in _said:
            return
        _said.add(line)
    show(line, lines())


@contextlib.contextmanager
def each_once() -> Iterator[None]:
    """Lets `say` print a line once only while the context lasts, however often it is said."""
    global _said
    outer, _said = _said, set()
    try:
        yield
    finally:
        _said = outer


@functools.cache
def say_once(text: str) -> None:
    """Prints a line as `say` does, but the same line once in a process only."""
    say(text)


@contextlib.contextmanager
def bar(title: str, total: int | None, unit: str = "pictures") -> Iterator[Callable[[], object]]:
    """Shows how far a count is while the context lasts.

    In a terminal that is a bar, else a line every EVERY seconds.

    Args:
        title: one word, in front.
        total: how many there will be, if it is known.
        unit: what is counted, in the plural.

    Yields:
        A function to call once for each that is done.
    """

    def state(done: float, total: float | None) -> str:
        return _of(int(done), total, unit)

    with bars() as shown:
        if shown is None:
            yield _Lines(title, total, unit)
            return
        with shown.row(title, total, state=state) as row:
            yield row.advance


def following(items: Iterable[Item], title: str, unit: str) -> Iterator[Item]:
    """Yields items as they come, and shows as `bar` does how many have come."""
    with bar(title, None, unit) as advance:
        for item in items:
            yield item
            advance()


class Page:
    """What a program prints in its end: coloured and folded in a terminal, else plain text.

    Args:
        stream: where to, such as `sys.stdout`.

    Attributes:
        columns: the width of the terminal; None where text is plain.
    """

    def __init__(self, stream: TextIO):
        self._stream, self._screen = stream, screen(stream)
        self.columns = self._screen.width if self._screen else None

    def line(self, text: str) -> None:
        """Prints lines as they are, but for folds in a terminal."""
        if self._screen:
            self._screen.say(printable(text, lines=True))
        else:
            show(text, self._stream)

    def paragraph(self, text: str) -> None:
        """Prints a sentence or several, whose lines are indented from the second on."""
        if self._screen:
            self._screen.say(printable(text), indent=2)
        else:
            print(_folded(printable(text), "  "), file=self._stream)

    def table(self, title: str, rows: Sequence[tuple[str, str]]) -> None:
        """Prints a title, and rows of names and texts below it."""
        rows = [(name, printable(text)) for name, text in rows]
        if self._screen:
            self._screen.table(title, rows)
        else:
            indent = " " * (4 + max((in_columns(name) for name, _ in rows), default=0))
            print("\n".join([title, *(_folded(f"  {line}", indent) for line in aligned(rows))]), file=self._stream)

    def whole(self, text: str, style: str = "") -> None:
        """Prints a line in one piece, such as a path, which can be copied from a narrow terminal.

        `style` is rich's name of a colour or weight.
        """
        if self._screen:
            self._screen.whole(printable(text), style)
        else:
            show(text, self._stream)

    def command(self, why: str, text: str) -> None:
        """Prints what a command is for, and the command in one piece, which can be copied."""
        print(f"\n{why}", file=self._stream)
        self.whole(typable(text), "bold")


def typable(command: str) -> str:
    """Returns a command line with its words that cannot be shown as they are in the form $'...'.

    It names the same files in a shell such as bash, ESC and newlines in their names and all.
    """
    if command.isprintable():
        return command
    try:
        words = shlex.split(command)
    except ValueError:  # not what a shell takes
        return command
    return " ".join(shlex.quote(word) if printable(word) == word else f"$'{_escaped(word)}'" for word in words)


def _escaped(word: str) -> str:
    """Returns a word for $'...', in which what cannot be shown is its bytes in a file's name."""
    quoted = {"'": "\\'", "\\": "\\\\"}
    return "".join(
        quoted.get(one, one)
        if printable(one) == one
        else "".join(f"\\{byte:03o}" for byte in one.encode("utf-8", "surrogateescape"))
        for one in word
    )


def _folded(text: str, indent: str) -> str:
    """Returns a text in lines for a pipe or file, all but the first indented."""
    return textwrap.fill(text, PAGE_WIDTH, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)


def _of(done: int, total: float | None, unit: str) -> str:
    """Returns '1 answer' or '3 of 5 answers' of a unit in the plural."""
    one = unit.removesuffix("s")
    return counted(done, one) if total is None else f"{done:,} of {counted(int(total), one)}"


class _Lines:
    """A count that says how far it is, every EVERY seconds."""

    def __init__(self, title: str, total: int | None, unit: str):
        self._title, self._total, self._unit = title, total, unit
        self._done = 0
        self._next = time.monotonic() + EVERY

    def __call__(self) -> None:
        self._done += 1
        if time.monotonic() >= self._next:
            say(f"{self._title}: {_of(self._done, self._total, self._unit)}")
            self._next = time.monotonic() + EVERY
