"""Items that cannot be used: counted without end, named up to a limit, fatal unless skipped."""

import json

import pytest

from fer_jax.data.reading.problems import EMPTY, IMAGE, Problems
from fer_jax.errors import DataError


def found(count: int) -> Problems:
    problems = Problems()
    for number in range(count):
        problems.add(IMAGE, f"happy/{number}.jpg", "is empty")
    return problems


def test_nothing_wrong_is_never_fatal() -> None:
    problems = Problems()
    problems.check("a.zip", "fatal")
    assert not len(problems) and problems.describe("a.zip") == ""


def test_one_and_several_are_worded_as_such() -> None:
    assert found(1).describe("a.zip") == "1 unreadable picture in a.zip: happy/0.jpg (is empty)"
    text = found(1200).describe("a.zip")
    assert text.startswith("1,200 unreadable pictures in a.zip: happy/0.jpg (is empty), happy/1.jpg (is empty), ")
    assert text.endswith("happy/2.jpg (is empty) and 1,197 more")


def test_kinds_follow_each_other_in_one_line() -> None:
    problems = found(1)
    problems.add(EMPTY, "train/sad", "holds no pictures")
    with pytest.raises(DataError, match="^1 unreadable .*; 1 empty class folder in a.zip: train/sad .* them out$"):
        problems.check("a.zip", "fatal")
    problems.check("a.zip", "skip")
    with pytest.raises(DataError, match="leaves it out$"):
        found(1).check("a.zip", "fatal")


def test_all_are_counted_and_a_thousand_of_a_kind_kept_by_name() -> None:
    noted = found(1200).as_json()
    assert noted["count"] == 1200 and noted["kinds"] == {"unreadable picture": 1200} and len(noted["items"]) == 1000
    again = Problems.from_json(json.loads(json.dumps(noted)))
    assert again == found(1200) and again.as_json() == noted


def test_names_that_would_garble_a_terminal_are_escaped() -> None:
    problems = Problems()
    problems.add(IMAGE, "a\x1b[31m\n.jpg", "is empty")
    assert problems.describe("b\n.zip").isprintable()
