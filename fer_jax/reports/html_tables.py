"""Tables as HTML: escaped texts, with the few attributes that sorting and filtering need."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from fer_jax.reports.tables import PAPER, Column, rows_of


def html(
    columns: Sequence[Column], name: str, caption: str, sortable: bool = True, filterable: bool = False, first: int = 0
) -> str:
    """Returns a table as HTML, every text escaped.

    Args:
        columns: those for paper alone are left out.
        name: id of the element.
        caption: above it.
        sortable: whether a click on a heading sorts it.
        filterable: whether a text box above it hides the rows that do not match.
        first: number of leading rows to set off as the best.
    """
    columns = [column for column in columns if column.on != PAPER]
    heads = "".join(_head(column, sortable) for column in columns)
    rows = []
    for place, cells in enumerate(rows_of(columns)):
        inside = "".join(
            f'<td class="{c.style}">{_cell(c.style, text)}</td>' for c, text in zip(columns, cells, strict=True)
        )
        rows.append(f'<tr class="best">{inside}</tr>' if place < first else f"<tr>{inside}</tr>")
    box = ""
    if filterable:
        box = (
            '<div class="tools"><input type="search" placeholder="Filter rows: words that must all occur" '
            f'aria-label="Filter {escape(caption)}" data-for="{name}">'
            f'<span class="count" aria-live="polite">{len(rows)} rows</span></div>'
        )
    return (
        f'{box}<div class="scroll{" tall" if filterable else ""}" tabindex="0">'
        f'<table id="{name}"{" data-sortable" if sortable else ""}><caption>{escape(caption)}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>\n" + "\n".join(rows) + "\n</tbody></table></div>"
    )


def _head(column: Column, sortable: bool) -> str:
    hint = f' title="{escape(column.hint)}"' if column.hint else ""
    text = f'<button type="button">{escape(column.heading)}</button>' if sortable else escape(column.heading)
    # Room enough that a long name is not broken at every tenth letter.
    long = " long" if column.style == "text" and max(map(len, column.cells), default=0) > 14 else ""
    return f'<th scope="col" class="{column.style}{long}"{hint}>{text}</th>'


def _cell(style: str, text: str) -> str:
    return f'<span class="pill {escape(text)}">{escape(text)}</span>' if style == "status" and text else escape(text)
