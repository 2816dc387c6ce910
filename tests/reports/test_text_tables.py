"""Figures rounded to their spread, and texts that neither Markdown nor LaTeX can take for their
own.
"""

import pandas as pd
import pytest

from fer_jax.reports import text_tables
from fer_jax.reports.html_tables import Column


@pytest.mark.parametrize(
    "mean, sd, n, text",
    [
        (
            0.827,
            0.119,
            5,
            "0.83 ± 0.12",
        ),  # the examples of the Review of Particle Physics: .827 +- .119 and .827 +- .367
        (0.827, 0.367, 5, "0.8 ± 0.4"),
        (0.5714, 0.00967, 3, "0.571 ± 0.010"),
        (0.5714, 0.0354, 3, "0.571 ± 0.035"),
        (0.5714, 0.0356, 3, "0.57 ± 0.04"),
        (0.5714, 0.0, 3, "0.5714 ± 0"),
        (1.94327, 0.0000019, 2, "1.9433 ± <0.0001"),
        (0.49996, 0.00012, 2, "0.5000 ± 0.0001"),
        (-0.00004, 0.02, 2, "0.000 ± 0.020"),
        (12345.6, 231.0, 2, "12350 ± 230"),
        (0.5714, float("nan"), 1, "0.5714"),
        (float("nan"), float("nan"), 0, "–"),
        (float("nan"), float("nan"), 2, "–"),
        (float("inf"), float("nan"), 2, "∞"),
    ],
)
def test_a_mean_keeps_the_digits_its_spread_leaves(mean, sd, n, text):
    assert text_tables.mean_text(mean, sd, n) == text


def test_latex_escapes_what_it_would_obey():
    assert text_tables.latex_text(r"50 % of a_b & {c} #1 $x$ ~ ^ \input") == (
        r"50 \% of a\_b \& \{c\} \#1 \$x\$ \textasciitilde{} \textasciicircum{} \textbackslash{}input"
    )
    assert text_tables.latex_text("0.5 ± 0.1 – ∞\nγ") == r"0.5 $\pm$ 0.1 -- $\infty$ $\gamma$"


def table(cells):
    return text_tables.Table(
        "two", "A caption.", [Column("name", cells, style="text"), Column("n", ["1"] * len(cells))], pd.DataFrame()
    )


def test_markdown_cells_stay_in_their_row():
    assert table(["a|b", "c\nd"]).to_markdown().splitlines()[2:] == [
        "| name | n |",
        "| --- | ---: |",
        r"| a\|b | 1 |",
        "| c d | 1 |",
    ]


def test_what_passes_a_page_is_a_longtable():
    short, long = table(["x"] * 40).to_latex(), table(["x"] * 41).to_latex()
    assert "\\begin{tabular}{lr}" in short and "longtable" not in short
    assert long.startswith(
        "% \\usepackage{booktabs,longtable}\n\\begin{longtable}{lr}\n\\caption{A caption.}\\label{tab:two}\\\\\n"
    )
    assert (
        long.count("x & 1 \\\\") == 41
        and long.count("name & n \\\\") == 2
        and long.rstrip().endswith("\\end{longtable}")
    )
    for command in ("\\endfirsthead", "\\endhead", "\\endfoot"):
        assert long.count(f"{command}\n") == 1


def test_a_bracket_after_a_row_is_text():
    assert "{}[0, 1] & 1" in table(["a", "[0, 1]"]).to_latex()
