"""Texts that neither Markdown nor LaTeX can take for their own."""

import pandas as pd

from fer_jax.reports import text_tables
from fer_jax.reports.tables import Column, Table


def test_latex_escapes_what_it_would_obey():
    assert text_tables.latex_text(r"50 % of a_b & {c} #1 $x$ ~ ^ \input") == (
        r"50 \% of a\_b \& \{c\} \#1 \$x\$ \textasciitilde{} \textasciicircum{} \textbackslash{}input"
    )
    assert text_tables.latex_text("0.5 ± 0.1 – ∞\nγ") == r"0.5 $\pm$ 0.1 -- $\infty$ $\gamma$"


def table(cells):
    return Table(
        "two", "A caption.", [Column("name", cells, style="text"), Column("n", ["1"] * len(cells))], pd.DataFrame()
    )


def test_markdown_cells_stay_in_their_row():
    assert text_tables.markdown(table(["a|b", "c\nd"])).splitlines()[2:] == [
        "| name | n |",
        "| --- | ---: |",
        r"| a\|b | 1 |",
        "| c d | 1 |",
    ]


def test_what_passes_a_page_is_a_longtable():
    short, long = text_tables.latex(table(["x"] * 40)), text_tables.latex(table(["x"] * 41))
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
    assert "{}[0, 1] & 1" in text_tables.latex(table(["a", "[0, 1]"]))


def test_control_characters_of_names_are_visible_escapes():
    cells = ["ha\x1b[31mppy", "s\u202ead"]
    found = Table("one", "Of a\x9bb.", [Column("na\x07me", cells)], pd.DataFrame({"na\x07me": cells}))
    assert text_tables.csv(found) == "na\\x07me\nha\\x1b[31mppy\ns\\u202ead\n"
    assert r"| ha\x1b[31mppy |" in text_tables.markdown(found) and r"Of a\x9bb." in text_tables.markdown(found)
    assert r"ha\textbackslash{}x1b[31mppy \\" in text_tables.latex(found)
    for of in (text_tables.csv, text_tables.markdown, text_tables.latex):
        assert of(found).replace("\n", "").isprintable()
