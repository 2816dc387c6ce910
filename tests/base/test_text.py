"""Numbers in words."""

import pytest

from fer_jax.base.text import aligned, counted, in_bytes, in_time


@pytest.mark.parametrize(("count", "text"), [(0, "0 trials"), (1, "1 trial"), (1200, "1,200 trials")])
def test_counted(count, text):
    assert counted(count, "trial") == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (1200, "1.2 kB"), (123456789, "123 MB")])
def test_bytes(count, text):
    assert in_bytes(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (42.4, "42 s"),
        (75, "1 min 15 s"),
        (312.4, "5 min 12 s"),
        (3599.7, "1 h 00 min"),
        (4000, "1 h 06 min"),
        (200_000, "2.3 days"),
    ],
)
def test_time(seconds, text):
    assert in_time(seconds) == text


ROWS = [["point", "n", "note"], ["lr 0.1", "10", ""], ["a longer one", "2", "left out"]]


def test_columns_are_aligned_to_either_side():
    assert aligned(ROWS, "lrl") == [
        "point          n  note",
        "lr 0.1        10",
        "a longer one   2  left out",
    ]


def test_columns_without_a_side_follow_the_last_named():
    assert aligned(ROWS, "lr") == [
        "point          n      note",
        "lr 0.1        10",
        "a longer one   2  left out",
    ]


def test_a_cell_beyond_the_widest_pushes_its_own_line():
    assert aligned(ROWS, most=(6,)) == ["point   n   note", "lr 0.1  10", "a longer one  2   left out"]


def test_no_rows_are_no_lines():
    assert aligned([], "lr", most=(3, 4)) == []
