"""Numbers in words."""

import pytest

from fer_jax.base.text import aligned, counted, did_you_mean, in_bytes, in_flops, in_time, printable, shown


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


def test_names_are_shown_on_one_line() -> None:
    assert shown("a\nb\x1b[0m") == "a\\nb\\x1b[0m"
    assert len(shown("x" * 5000)) < 210
    assert shown("glücklich/1.jpg") == "glücklich/1.jpg"


def test_what_a_terminal_would_obey_is_shown_as_escapes() -> None:
    assert printable("a\x1b[31mred\x07\x9b\u202e\ud800") == r"a\x1b[31mred\x07\x9b\u202e\ud800"
    assert printable("怒り é 👩\u200d🚀 \u3000") == "怒り é 👩\u200d🚀 \u3000"
    assert printable("a\nb\tc") == r"a\nb\tc" and printable("a\nb\tc\r", lines=True) == "a\nb\tc\\r"
    assert aligned([["\x1b", "b"], ["long", "c"]]) == ["\\x1b  b", "long  c"]


ROWS = [["point", "n", "note"], ["lr 0.1", "10", ""], ["a longer one", "2", "left out"]]


def test_columns_are_aligned_to_either_side():
    assert aligned(ROWS, "lrl") == [
        "point          n  note",
        "lr 0.1        10",
        "a longer one   2  left out",
    ]


def test_wide_characters_take_two_columns():
    assert aligned([["恐れ", "1"], ["fear", "12"], ["\x1b", "3"]], "rr") == ["恐れ   1", "fear  12", "\\x1b   3"]


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


def test_operations():
    assert in_flops(2.5e12) == "2.5 TFLOP"


@pytest.mark.parametrize(
    ("name", "known", "text"),
    [
        ("trian", ["train", "test"], "did you mean train?"),
        ("trian", ["train", "trains"], "did you mean train or trains?"),
        ("zzz", ["a", "b", "c", "d"], "did you mean a or b or c?"),
        ("zzz", [], "there are none"),
        ("VAL_ACCURACY", ["val_loss", "val_accuracy"], "did you mean val_accuracy?"),
        ("VAL_ACURACY", ["epochs", "val_accuracy"], "did you mean val_accuracy?"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(name, known, text):
    assert did_you_mean(name, known) == text
