"""Numbers in words."""

import pytest

from fer_jax.base.text import counted, in_bytes, in_time, shown


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
