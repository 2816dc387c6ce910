"""Tables as CSV, Markdown and LaTeX, for papers and spreadsheets.

Control characters in names are visible escapes in all of them: a terminal obeys those of a file.
"""

from __future__ import annotations

from collections.abc import Sequence

from fer_jax.base.text import printable
from fer_jax.reports.tables import Column, Table, rows_of

# More rows than this do not fit on a page, and become a longtable.
_PAGE = 40
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "±": r"$\pm$", "−": r"$-$",
    "–": "--", "∞": r"$\infty$", "γ": r"$\gamma$", "λ": r"$\lambda$", "η": r"$\eta$", "…": r"\dots{}",
}  # fmt: skip


def csv(table: Table) -> str:
    """Returns the frame of a table with a header; missing values are empty."""
    lines = table.frame.to_csv(index=False).split("\n")
    return "\n".join(printable(line, lines=True) for line in lines)


def markdown(table: Table) -> str:
    """Returns a table as Markdown below its caption."""
    return "\n".join([printable(table.caption), "", *markdown_lines(table.paper), ""])


def markdown_lines(columns: Sequence[Column]) -> list[str]:
    """Returns the lines of a Markdown table; numbers stand to the right."""
    lines = ([column.heading for column in columns], *rows_of(columns))
    escaped = ([printable(" ".join(cell.replace("|", r"\|").split())) for cell in line] for line in lines)
    head, *body = [f"| {' | '.join(line)} |" for line in escaped]
    rule = ["---:" if column.style == "num" else "---" for column in columns]
    return [head, f"| {' | '.join(rule)} |", *body]


def latex(table: Table) -> str:
    """Returns a LaTeX table with booktabs, a longtable where it does not fit on a page.

    Every text is escaped, and the first line names the packages that are needed.
    """
    columns = table.paper
    alignment = "".join("r" if column.style == "num" else "l" for column in columns)
    head = _line([column.heading for column in columns])
    body = [_line(row) for row in rows_of(columns)]
    title = rf"\caption{{{latex_text(table.caption)}}}\label{{tab:{table.name}}}"
    if len(body) > _PAGE:
        top = [rf"\begin{{longtable}}{{{alignment}}}", rf"{title}\\", r"\toprule", head, r"\midrule", r"\endfirsthead"]
        again = [r"\toprule", head, r"\midrule", r"\endhead", r"\bottomrule", r"\endfoot"]
        return "\n".join([r"% \usepackage{booktabs,longtable}", *top, *again, *body, r"\end{longtable}", ""])
    top = [r"\begin{table}", r"\centering", title, rf"\begin{{tabular}}{{{alignment}}}", r"\toprule", head, r"\midrule"]
    end = [r"\bottomrule", r"\end{tabular}", r"\end{table}", ""]
    return "\n".join([r"% \usepackage{booktabs}", *top, *body, *end])


def _line(cells: Sequence[str]) -> str:
    # A bracket after \\ would be read as its argument: an empty group in front keeps it text.
    texts = [latex_text(cell) for cell in cells]
    return " & ".join(["{}" + texts[0] if texts[0].startswith("[") else texts[0], *texts[1:]]) + r" \\"


def latex_text(text: str) -> str:
    """Returns a text with all escaped that LaTeX would obey; line breaks become spaces."""
    return "".join(_LATEX.get(letter, letter) for letter in printable(" ".join(text.split())))
