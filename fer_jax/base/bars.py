"""Bars and messages in a terminal, drawn by rich; `console` decides where there are any."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console, RenderableType
from rich.constrain import Constrain
from rich.padding import Padding
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column, Table
from rich.text import Text

from fer_jax.base.text import in_time

# Often enough for a clock of seconds; a frame takes a millisecond or two from the training.
FRAMES_A_SECOND = 4
# Columns that bars leave to the ^C which a terminal writes behind them: in another line it would
# push them out of their place.
_ECHO = 3


class Screen(Console):
    """A terminal whose cursor is never hidden, so that no way to end a process leaves it so."""

    def __init__(self, stream: TextIO):
        super().__init__(file=stream, force_terminal=True, highlight=False, markup=False, emoji=False)

    def show_cursor(self, show: bool = True) -> bool:
        return False

    def say(self, text: str, style: str = "", indent: int = 0) -> None:
        """Prints lines, those that are too long folded between words.

        Args:
            text: the lines.
            style: rich's name of a colour or weight.
            indent: spaces in front of all lines but the first.
        """
        words = Text(text, style=style)
        if not indent:
            self.print(words)
            return
        first, *rest = words.wrap(self, self.width - indent)
        self.print(first)
        for line in rest:
            self.print(Padding(line, (0, 0, 0, indent)))

    def whole(self, text: str, style: str = "") -> None:
        """Prints a line that the terminal itself breaks, so that it is copied in one piece."""
        self.print(Text(text, style=style), soft_wrap=True)

    def table(self, title: str, rows: Sequence[tuple[str, str]]) -> None:
        """Prints a title and rows of names and texts, which fold in their own column."""
        grid = Table.grid(Column(style="cyan", no_wrap=True), Column(overflow="fold"), padding=(0, 2, 0, 0))
        for name, text in rows:
            grid.add_row(name, Text(text))
        self.print(Text(title, style="bold"))
        self.print(Padding(grid, (0, 0, 0, 2)))


class Row:
    """A row of `Bars`: its words in front, its bar, and behind it what `state` returns."""

    def __init__(self, bars: Bars, task: TaskID):
        self._bars, self._task = bars, task

    def advance(self, count: float = 1) -> None:
        """Moves the bar on."""
        self._bars.advance(self._task, count)

    def reach(self, done: float, total: float) -> None:
        """Moves the bar to a place."""
        self._bars.update(self._task, completed=done, total=total)

    def say(self, title: str) -> None:
        """Gives the row other words in front."""
        self._bars.update(self._task, description=title)


class _State(ProgressColumn):
    """What stands behind a bar, asked anew for every frame, so that clocks move."""

    def render(self, task: Task) -> Text:
        """Returns it as text."""
        return Text(task.fields["state"](task.completed, task.total), justify="right")


class Bars(Progress):
    """The one live display of a process: some rows with bars, and a line of words below them.

    What is printed meanwhile comes to stand above it. It is gone in the end.

    Attributes:
        screen: where it is drawn.
        below: the words.
    """

    def __init__(self, screen: Screen):
        self.screen, self.below = screen, ""
        super().__init__(
            TextColumn("{task.description}", markup=False, table_column=Column(overflow="fold")),
            BarColumn(None, table_column=Column(ratio=1)),  # what the words leave
            _State(table_column=Column(overflow="fold", justify="right")),
            console=screen,
            refresh_per_second=FRAMES_A_SECOND,
            transient=True,
            # Else what goes to a file by stdout would come to the terminal.
            redirect_stdout=sys.stdout.isatty(),
            expand=True,
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        """Yields what is drawn, from top to bottom."""
        width = max(1, self.screen.width - _ECHO)
        for one in super().get_renderables():
            yield Constrain(one, width)
        if self.below:
            yield Constrain(Text(self.below, style="dim"), width)

    @contextmanager
    def row(
        self,
        title: str,
        total: float | None = None,
        done: float = 0,
        state: Callable[[float, float | None], str] | None = None,
    ) -> Iterator[Row]:
        """Shows a row while the context lasts.

        Args:
            title: its words.
            total: where its bar ends; None where that is not known, and the bar only moves.
            done: where it begins.
            state: gives the words behind the bar from what is done and the total; by default the
                seconds since the row began.
        """
        started = time.monotonic()
        said = state or (lambda *_: in_time(time.monotonic() - started))
        task = self.add_task(title, total=total, state=said)
        self.update(task, completed=done)
        try:
            yield Row(self, task)
        finally:
            self.remove_task(task)
