"""The row parser of fer2013.csv against an independent reading of the same text."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_jax.data import names
from fer_jax.data.reading import pixel_tables
from fer_jax.data.reading.problems import Problems, Unusable
from fer_jax.errors import DataError

FORM = pixel_tables.Form({"emotion": 0, "pixels": 1, "usage": 2})
N = 48 * 48


def parse(emotion: str = "3", pixels: str = "7 " * N, usage: str = "Training") -> pixel_tables.Row:
    return pixel_tables.parse_row(2, f"{emotion},{pixels},{usage}\n".encode(), FORM)


def test_a_row() -> None:
    values = np.arange(N) % 256
    row = parse("6", " ".join(map(str, values)), "PrivateTest")
    assert (row.label, row.usage, row.number) == ("neutral", 2, 2)
    assert np.array_equal(np.frombuffer(row.pixels, np.uint8), values)


@pytest.mark.parametrize("emotion", range(7))
def test_integers_stand_for_names_in_the_order_of_the_release(emotion: int) -> None:
    wanted = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")[emotion]
    assert parse(str(emotion)).label == parse(f" {emotion} ").label == wanted


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"pixels": "7 " * (N - 1)}, "has 2,303 pixels, not 2,304"),
        ({"pixels": "7 " * (N + 1)}, "has 2,305 pixels, not 2,304"),
        ({"pixels": ""}, "has 0 pixels"),
        ({"pixels": "7 " * (N - 1) + "x"}, "pixel 2304 is 'x'"),
        ({"pixels": "7.5 " * N}, "pixel 1 is '7.5'"),
        ({"pixels": "-1 " * N}, "pixel 1 is '-1'"),
        ({"pixels": "7 " * (N - 1) + "256"}, "pixel 2304 is 256, not an integer from 0 to 255"),
        ({"pixels": "9" * 300 + " 7" * (N - 1)}, "pixel 1 is 9999"),
        ({"pixels": "٣ " * N}, "pixel 1 is"),
        ({"pixels": "7\u00a07 " * (N // 2)}, "pixel 1 is"),
        ({"emotion": "7"}, "emotion '7' is no integer from 0 to 6"),
        ({"emotion": ""}, "emotion '' is no"),
        ({"emotion": "²"}, "emotion"),
        ({"emotion": "1.5"}, "emotion '1.5'"),
        ({"emotion": "contempt"}, "emotion 'contempt'"),
        ({"usage": "Other"}, "usage 'Other' is none of"),
        ({"usage": ""}, "usage '' is none of"),
    ],
)
def test_what_cannot_be_a_row_says_why(fields: dict[str, str], says: str) -> None:
    with pytest.raises(Unusable, match=re.escape(says)):
        parse(**fields)


@pytest.mark.parametrize("line", [b"3\n", b"3,7 7 7\n", b'3,"7 7 7\n', b"\x00\xff\xfe,,", b"9" * 70_000, b"3\r4,5,6"])
def test_lines_that_are_no_rows(line: bytes) -> None:
    with pytest.raises(Unusable):
        pixel_tables.parse_row(2, line, FORM)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(-2, 300), min_size=0, max_size=8), st.sampled_from([" ", "  ", "\t"]), st.booleans())
def test_pixels_agree_with_int(head: list[int], separator: str, full: bool) -> None:
    values = head + [5] * (N - len(head)) if full else head
    try:
        found = pixel_tables.parse_pixels(separator.join(map(str, values)))
    except Unusable:
        assert len(values) != N or not all(0 <= value <= 255 for value in values) or separator == "\t"
    else:
        assert list(found) == values


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("0123456789 -+._e,x\u00a0٣\"'\r"), max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    padded = text + " 7" * (N - len(text.split()))
    try:
        found = pixel_tables.parse_pixels(padded)
    except Unusable as error:
        assert str(error) and "\n" not in str(error)
    else:
        assert list(found) == [int(token) for token in padded.split()]
        assert re.fullmatch("[0-9 ]*", padded)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_row_or_refused(line: bytes) -> None:
    problems = Problems()
    found = list(pixel_tables.rows([b"emotion,pixels,Usage\n", line], "a.csv", problems))
    assert not found
    assert len(problems) == bool(line.strip())


def test_rows_are_numbered_as_an_editor_does() -> None:
    problems = Problems()
    good = b"3," + b"7 " * N + b",Training\n"
    lines = [b"Usage , pixels,emotion\n", b"Training," + b"7 " * N + b",0\n", b"\n", b"oops\n", b"Training,7,0\n"]
    (row,) = pixel_tables.rows(lines, "a.csv", problems)
    assert (row.number, row.label) == (2, "angry")
    assert [item["item"] for item in problems.listed] == ["row 4", "row 5"]
    assert len(list(pixel_tables.rows([b"emotion,pixels,Usage\n", good, good], "a.csv", Problems()))) == 2


def test_emotions_are_numbers_or_names_and_usages_any_word_for_a_split() -> None:
    for emotion in ("3", "3.0", " 3 ", "happy", "Happiness"):
        assert parse(emotion).label == "happy"
    assert [parse(usage=word).usage for word in ("train", "Val", "testing", " PublicTest ")] == [0, 1, 2, 1]


def read_table(text: str, labels: tuple[str, ...] = (), fer: bool = True) -> tuple[list, dict[str, int]]:
    problems = Problems()
    lines = (text.replace("P", "7 " * N) + "\n").encode().splitlines(keepends=True)
    return [(row.label, row.usage) for row in pixel_tables.rows(lines, "a.csv", problems, labels, fer)], problems.counts


def test_separators_other_headers_and_tables_without_usage() -> None:
    for separator in (",", ";", "\t"):
        rows = [["label", "pixels", "split"], ["sad", "P", "val"], ["0", "P", "train"]]
        text = "\n".join(separator.join(row) for row in rows)
        assert read_table(text) == ([("sad", 1), ("angry", 0)], {})
    assert read_table("pixels,emotion\nP,6") == ([("neutral", -1)], {})


def test_labels_beyond_the_seven_where_they_are_named() -> None:
    text = "emotion,pixels\n0,P\n7,P\ncontempt,P"
    unknown = {"item of an unknown class": 2}
    assert read_table(text) == ([("angry", -1)], unknown)
    assert read_table(text, ("7=contempt",)) == ([("angry", -1), ("contempt", -1), ("contempt", -1)], {})
    assert read_table(text, ("affectnet",)) == ([("neutral", -1), ("contempt", -1), ("contempt", -1)], {})
    # Any class tree has any classes, but a bare number is none.
    assert read_table(text, fer=False) == ([("angry", -1), ("contempt", -1)], {"item of an unknown class": 1})


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (b"emotion,Usage\n", "row 1 names no column pixels; it has emotion, Usage"),
        (b"a,b\n", "no column emotion and no pixels; it has a, b"),
        (b"path,label\n", "lists pictures with their labels: name it as --config.data.labels="),
        (b"train_00001.jpg 5\n", "lists pictures with their labels"),
        (b"", "it has nothing"),
        (b"\xff\xd8\xff\x00\n", "row 1 names no column"),
        (b"emotion\rpixels,Usage\n", "row 1 is no header"),
    ],
)
def test_a_header_without_the_columns_is_fatal(header: bytes, says: str) -> None:
    with pytest.raises(DataError, match=says):
        list(pixel_tables.rows([header] if header else [], "a.csv", Problems()))


def test_long_lines_do_not_fill_the_memory(tmp_path: Path, collect) -> None:
    path = tmp_path / "fer2013.csv"
    with open(path, "wb") as file:
        file.write(b"emotion,pixels,Usage\n" + b"0," + b"7 " * 500_000 + b",Training\n")
        file.write(b"0," + b"7 " * N + b",Training\n")
    found = collect(path, True)
    assert len(found.items) == 1 and found.items[0].name == "row 3"
    assert found.problems.listed[0]["item"] == "row 2" and "KiB" in found.problems.listed[0]["reason"]
    assert found.classes == names.CLASSES
