"""The table of answers in a terminal and in one of ASCII."""

import io
from types import SimpleNamespace

import numpy as np
import pytest

from fer_jax.base.text import in_columns
from fer_jax.prediction import printing
from fer_jax.prediction.pictures import Answer


class Terminal(io.StringIO):
    def isatty(self):
        return True


def printed(file, *pictures, classes=("angry", "happy", "恐れ")):
    table = printing.Table(SimpleNamespace(classes=classes), printing.Asked("energy"), 2.0, "")
    table.rows = []
    probabilities, spread = np.array([0.2, 0.5, 0.3]), np.full(3, 0.01)
    for picture in pictures:
        table.answer(Answer(picture, None, probabilities, spread, 1.5), file)
    table.end(file)
    file.seek(0)
    return file.read().splitlines()


@pytest.fixture(autouse=True)
def columns(monkeypatch):
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}.items():
        monkeypatch.setenv(name, value)


def test_characters_that_are_wide_keep_the_columns():
    head, *rows = printed(io.StringIO(), "顔.png", "a.png")
    starts = {in_columns(row[: row.index("happy")]) for row in rows}
    assert starts == {head.index("most probable")} and len({in_columns(row) for row in rows}) == 1


def test_a_name_as_long_as_the_terminal_stands_in_a_line_of_its_own():
    name = "a folder/" * 10 + "b.png"
    head, below, first, *rest = printed(Terminal(), name)
    assert head == "picture" and first == name and "most probable" in below
    assert [line.split()[0] for line in rest] == ["happy", "恐れ", "angry"]
    assert below.index("most probable") == rest[0].index("happy") and rest[0].endswith("1.50 *")
    assert not any(line.endswith("*") for line in rest[1:])


def test_what_ascii_cannot_hold_is_spelt_before_columns_are_aligned():
    file = io.TextIOWrapper(io.BytesIO(), "ascii")
    head, row = printed(file, "ü.png")
    assert row.startswith("\\xfc.png") and "happy        0.500 +- 0.010" in row and "\\u6050\\u308c 0.300" in row
    assert row.index("1.50") + len("1.50") == len(head)
