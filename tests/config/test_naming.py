"""data.names and data.pattern: what they mean, and one line where they mean nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_jax.config import naming
from fer_jax.config.field import FieldError
from fer_jax.config.rules import resolve
from fer_jax.config.values import default_config, flatten


def test_numberings_are_those_of_the_releases() -> None:
    by_word = {word: naming.label_names((word,)) for word in naming.NUMBERINGS}
    assert [by_word["rafdb"][number] for number in "1234567"] == [
        "surprise", "fear", "disgust", "happy", "sad", "angry", "neutral",
    ]  # fmt: skip
    assert [by_word["affectnet"][number] for number in "01234567"] == [
        "neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt",
    ]  # fmt: skip
    assert by_word["affectnet"]["class008"] == by_word["affectnet"]["7"]
    assert by_word["fer2013"]["6"] == "neutral" and by_word["kdef"]["af"] == "fear" and by_word["jaffe"]["fe"] == "fear"


def test_entries_add_to_words_and_numbers_have_many_spellings() -> None:
    found = naming.label_names(("fer2013", "07=Contempt", "0 = furious"))
    assert (found["7"], found["0"], found["3"]) == ("Contempt", "furious", "happy")
    assert [naming.key(text) for text in ("7", "7.0", " 007", "AN", "class001")] == ["7", "7", "7", "an", "class001"]


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (("raf",), "must be 'label=name', such as '0=angry', or one of fer2013, rafdb"),
        (("0=",), "must be 'label=name'"),
        (("=angry",), "must be 'label=name'"),
        (("0=angry", "0.0=sad"), "gives label '0.0' two names, angry and sad"),
    ],
)
def test_names_that_mean_nothing(texts: tuple[str, ...], says: str) -> None:
    with pytest.raises(FieldError, match=says):
        naming.label_names(texts)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("(?P<label>a", "data.pattern = '.*': missing \\), unterminated subpattern at character 1"),
        ("a**", "multiple repeat at character 3"),
        ("abc", "must name groups label, split or group.*it has none"),
        ("(?P<labels>a)", "labels is none of them"),
        ("(" * 2000, "has 2,000 characters"),
    ],
)
def test_patterns_that_cannot_be_used(text: str, says: str) -> None:
    with pytest.raises(FieldError, match=says) as caught:
        naming.pattern(text)
    assert "\n" not in str(caught.value) and caught.value.names == ("data.pattern",)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="(?P<labelspitgrou>)[]{}*+|\\.a0-^$", max_size=40))
def test_any_text_is_a_pattern_or_refused(text: str) -> None:
    try:
        found = naming.pattern(text)
    except FieldError as error:
        assert "\n" not in str(error)
    else:
        assert set(found.groupindex) <= {"label", "split", "group"}


def test_a_config_with_two_sources_of_labels_is_refused() -> None:
    values = flatten(default_config())
    values |= {"data.name": "folder", "data.path": "x", "data.labels": "a.csv", "data.pattern": "(?P<group>a)"}
    resolve(values)
    with pytest.raises(FieldError, match="both tell labels"):
        resolve(values | {"data.pattern": "(?P<label>a)"})
