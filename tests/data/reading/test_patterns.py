"""What names of files tell by an expression, and expressions that would never end."""

import pytest

from fer_jax.data.reading import patterns
from fer_jax.errors import DataError


def test_groups_of_each_path() -> None:
    paths = ["jaffe/KA.AN1.39.tiff", "af01/notes.jpg", "caf\udce9.jpg", "x/KA.HA2.1.tiff"]
    found = patterns.match(r"(?P<group>[A-Z]{2})[.](?P<label>[A-Z]{2})(?P<split>x)?", paths)
    assert found == [{"group": "KA", "label": "AN"}, None, None, {"group": "KA", "label": "HA"}]


def test_an_expression_that_would_not_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "_SECONDS", 0.5)
    with pytest.raises(DataError, match="takes longer than 0.5 s on the names of 1 pictures; write it without repeats"):
        patterns.match("(?P<label>(a+)+)$", ["a" * 60 + "b"])
