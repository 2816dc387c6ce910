"""Tables as HTML, with the few attributes that sorting, filtering and printing need."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from fer_jax.reports import templates
from fer_jax.reports.tables import PAPER, Column, rows_of

PRINTED = 30  # rows of a long table that are printed, the same number as in page.css
MOST = 500  # rows of a long table on a page; a thousand take .5 MB and half a second
# Columns, from which on a table is printed in small type, and on a sheet on its side.
_WIDE, _LANDSCAPE = 12, 17


def html(
    columns: Sequence[Column],
    name: str,
    caption: str,
    *,
    filterable: bool = False,
    first: int = 0,
    last: int = 0,
    rest: str = "",
    printed: str = "",
) -> Markup:
    """Returns a table as HTML; a click on a heading sorts it.

    Args:
        columns: those for paper alone are left out.
        name: id of the element.
        caption: above it.
        filterable: whether a text box above it hides the rows that do not match.
        first: number of leading rows to set off as the best.
        last: number of rows at the end that stay there, such as means of the others.
        rest: the file that has all rows; more than MOST are not on the page then, and more than
            PRINTED of them not on paper.
        printed: which rows are on paper, where the style sheet of the page chooses them by what
            they hold.
    """
    columns = [column for column in columns if column.on != PAPER]
    rows = [
        (place < first, list(zip((column.style for column in columns), cells, strict=True)))
        for place, cells in enumerate(rows_of(columns))
    ]
    body, foot = (rows[:-last], rows[-last:]) if last else (rows, [])
    shape = "wide" * (len(columns) >= _WIDE) + " landscape" * (len(columns) >= _LANDSCAPE)
    total, body = len(body), body[:MOST] if rest else body
    shown = f"The first {MOST} of {total:,} rows; {rest} has all." if len(body) < total else ""
    is_long = bool(rest) and len(body) > PRINTED and not printed
    if is_long:
        printed = f"Printed are the first {PRINTED} of {total} rows; {rest} has all."
    return templates.macro(
        "table",
        name=name,
        caption=caption,
        heads=[_head(column) for column in columns],
        rows=body,
        foot=foot,
        filterable=filterable,
        shape=shape,
        shown=shown,
        printed=printed,
        is_long=is_long,
    )


def _head(column: Column) -> tuple[str, str, str]:
    """Returns the classes, the hint and the text of a heading."""
    # Room enough that a long name is not broken at every tenth letter.
    long = " long" if column.style == "text" and max(map(len, column.cells), default=0) > 14 else ""
    return f"{column.style}{long}", column.hint, column.heading
