"""Bars and messages in a notebook: plain output, and one display that is drawn over and over.

It needs nothing of the notebook but a place to show HTML in, so that Jupyter, VS Code and Colab all
have it without widgets.
"""

from __future__ import annotations

import io
import sys
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn

from fer_jax.base.bars import FRAMES_A_SECOND, Bars, Screen
from fer_jax.base.text import aligned

_COLUMNS = 100
_PAGE = '<pre style="margin:0;white-space:pre;overflow-x:auto;line-height:1.3;font-family:monospace">{code}</pre>'


class Cell(Screen):
    """The output of a notebook's cell, as a screen."""

    def __init__(self) -> None:
        # What rich itself would print is not shown: `say` prints, and `NotebookBars` draws.
        Console.__init__(self, file=io.StringIO(), width=_COLUMNS, force_jupyter=False)

    def say(self, text: str, style: str = "", indent: int = 0) -> None:
        """Prints lines as they are; a notebook folds them itself."""
        print(text, file=sys.stdout, flush=True)

    def whole(self, text: str, style: str = "") -> None:
        """Prints a line."""
        self.say(text)

    def table(self, title: str, rows: Any) -> None:
        """Prints a title, and rows of names and texts below it."""
        print("\n".join([title, *(f"  {line}" for line in aligned(rows))]), file=sys.stdout, flush=True)


class NotebookBars(Bars):
    """The bars of a cell, in one display; it is empty in the end."""

    def __init__(self, cell: Cell):
        super().__init__(cell)
        self.live = self._display = _Display(
            console=cell, refresh_per_second=FRAMES_A_SECOND, transient=True, get_renderable=self.get_renderable
        )
        for column in self.columns:
            if isinstance(column, BarColumn):
                column.style = "grey50"  # what is left of a bar, on light and dark pages

    def stop(self) -> None:
        """Stops drawing and leaves nothing."""
        super().stop()
        self._display.clear()


class _Display(Live):
    """What rich keeps drawing, shown by a handle of IPython instead of a terminal's cursor."""

    _handle: Any = None
    _shown = ""

    def refresh(self) -> None:
        """Shows what there is to draw now, if it is new."""
        with self._lock:
            forced: dict[str, Any] = {"force_terminal": True, "force_jupyter": False, "color_system": "truecolor"}
            paper = Console(file=io.StringIO(), record=True, width=_COLUMNS, legacy_windows=False, **forced)
            paper.print(self.get_renderable())
            self._show(paper.export_html(inline_styles=True, code_format=_PAGE))

    def clear(self) -> None:
        """Shows nothing any more."""
        self._show("")

    def _show(self, html: str) -> None:
        if html == self._shown:
            return
        from IPython.display import HTML, display

        self._shown = html
        if self._handle is None:
            self._handle = display(HTML(html), display_id=True)
        else:
            self._handle.update(HTML(html))
