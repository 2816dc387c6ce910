"""Tables for papers and spreadsheets: the same columns as CSV, Markdown and LaTeX, and figures
rounded to their spread.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import pandas as pd

from fer_jax.reports.html_tables import Column, number

# More rows than this do not fit on a page, and become a longtable.
_PAGE = 40
_MOST_DECIMALS = 4
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "±": r"$\pm$", "−": r"$-$", "–": "--", "∞": r"$\infty$", "γ": r"$\gamma$", "λ": r"$\lambda$", "η": r"$\eta$", "…": r"\dots{}",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Table:
    """One table in all its forms.

    Attributes:
        name: of its files, and of its label in LaTeX.
        caption: a sentence that says what the figures are and what they stand on.
        columns: texts, as people read them.
        frame: the same rows as numbers in full precision; may have more columns.
    """

    name: str
    caption: str
    columns: Sequence[Column]
    frame: pd.DataFrame

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The cells of `columns`."""
        return list(zip(*(column.cells for column in self.columns), strict=True))

    def to_csv(self) -> str:
        """`frame`, with a header; missing figures are empty."""
        return self.frame.to_csv(index=False)

    def to_markdown(self) -> str:
        """`columns` as a Markdown table below the caption; numbers to the right."""
        heads = [column.heading for column in self.columns]
        return "\n".join(
            [self.caption, "", *markdown(heads, self.rows, [column.style == "num" for column in self.columns]), ""]
        )

    def to_latex(self) -> str:
        """`columns` as a LaTeX table with booktabs, or a longtable where they do not fit on a page."""
        heads = [column.heading for column in self.columns]
        return latex(heads, self.rows, [column.style == "num" for column in self.columns], self.caption, self.name)


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool] = ()) -> list[str]:
    """The lines of a Markdown table.

    Args:
        right: for each column, whether it stands to the right; none of them if left out.
    """
    rule = ["---:" if at else "---" for at in right] or ["---"] * len(heads)
    escaped = ([" ".join(cell.replace("|", r"\|").split()) for cell in line] for line in (heads, *rows))
    lines = [f"| {' | '.join(line)} |" for line in escaped]
    return [lines[0], f"| {' | '.join(rule)} |", *lines[1:]]


def latex(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool], caption: str, label: str) -> str:
    """A LaTeX table in the style of booktabs, every text escaped; its first line names the packages
    it needs.
    """
    alignment = "".join("r" if at else "l" for at in right)
    head = _line(heads)
    body = [_line(row) for row in rows]
    title = rf"\caption{{{latex_text(caption)}}}\label{{tab:{label}}}"
    if len(rows) > _PAGE:
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
    """A text with everything escaped that LaTeX would read as a command; line breaks become spaces."""
    return "".join(_LATEX.get(letter, letter) for letter in " ".join(text.split()))


def mean_text(mean: float, sd: float, n: int) -> str:
    """'0.571 ± 0.012': a mean over n trials and their sample standard deviation, without digits
    that the spread makes meaningless.

    The deviation keeps two figures where they are 10 to 35, else one, and the mean as many decimals
    (Particle Data Group, Review of Particle Physics, section 'Rounding' of the introduction), but
    no more than four: repeats that agree further do so by chance. With one trial four decimals and
    no deviation; a dash for none.
    """
    if not n or pd.isna(mean):
        return "–"
    if n < 2 or pd.isna(sd) or not math.isfinite(sd) or not math.isfinite(mean):
        return number(mean)
    if sd < 5 * 10.0 ** -(_MOST_DECIMALS + 1):
        return f"{number(mean)} ± {f'<{10.0**-_MOST_DECIMALS:.{_MOST_DECIMALS}f}' if sd else '0'}"
    decimals = min(_decimals(sd), _MOST_DECIMALS)
    # The sum makes a minus zero a zero.
    return " ± ".join(f"{round(value, decimals) + 0.0:.{max(decimals, 0)}f}" for value in (mean, sd))


def _decimals(sd: float) -> int:
    """Decimals to which a positive standard deviation is written; negative where it is tens or
    more.
    """
    digits, power = f"{sd:.2e}".split("e")
    return (2 if round(float(digits) * 100) < 355 else 1) - 1 - int(power)
