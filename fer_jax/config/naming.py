"""What data.names and data.pattern say, and where they cannot be understood."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence

from fer_jax.config.field import FieldError

# The numbers or codes that data sets give their classes.
NUMBERINGS: dict[str, dict[str, str]] = {
    "fer2013": dict(zip("0123456", ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"), strict=True)),
    "rafdb": dict(zip("1234567", ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"), strict=True)),
    "affectnet": dict(
        zip(
            (*"01234567", *(f"class{number:03}" for number in range(1, 9))),
            ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt") * 2,
            strict=True,
        )
    ),
    "jaffe": {
        "an": "angry",
        "di": "disgust",
        "fe": "fear",
        "ha": "happy",
        "ne": "neutral",
        "sa": "sad",
        "su": "surprise",
    },
    "kdef": {
        "an": "angry",
        "di": "disgust",
        "af": "fear",
        "ha": "happy",
        "ne": "neutral",
        "sa": "sad",
        "su": "surprise",
    },
}
GROUPS = ("label", "split", "group")  # named groups of data.pattern
_LONGEST = 1000  # characters of a pattern
_NUMBER = re.compile(r"[+-]?[0-9]{1,9}(\.0*)?")


def plain(label: str) -> str:
    """Returns a label without spaces around it, and a whole number as '7', also where it is '7.0'
    or '007'.
    """
    label = label.strip()
    return str(int(label.partition(".")[0])) if _NUMBER.fullmatch(label) else label


def key(label: str) -> str:
    """Returns what a label is looked up by: `plain`, in lower case."""
    return plain(label).casefold()


def label_names(texts: Sequence[str]) -> dict[str, str]:
    """Returns data.names as key of a label -> name of its class, as the user spells it.

    Args:
        texts: 'label=name' each, or a word of `NUMBERINGS`. What stands later adds to what stands
            before, and an entry of its own changes one of a word.

    Raises:
        FieldError: an entry is neither, or a label is given two names.
    """
    found: dict[str, str] = {}
    own: dict[str, str] = {}
    for text in texts:
        label, equals, name = (piece.strip() for piece in text.partition("="))
        if not equals and label.lower() in NUMBERINGS:
            found |= NUMBERINGS[label.lower()]
            continue
        if not (equals and label and name):
            raise FieldError(
                ["data.names"],
                f"data.names = {text!r}: must be 'label=name', such as '0=angry', or one of {', '.join(NUMBERINGS)}",
            )
        if own.setdefault(key(label), name) != name:
            raise FieldError(
                ["data.names"], f"data.names: gives label {label!r} two names, {own[key(label)]} and {name}"
            )
    return found | own


def pattern(text: str) -> re.Pattern[str]:
    """Returns data.pattern as a compiled expression.

    Raises:
        FieldError: it is no regular expression (the error names the place), has none of the groups
            label, split and group, or another one.
    """
    if len(text) > _LONGEST:
        raise FieldError(["data.pattern"], f"data.pattern: has {len(text):,} characters; at most {_LONGEST:,}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what a later Python may read otherwise, such as [[
            compiled = re.compile(text)
    except re.error as error:
        where = "" if error.pos is None else f" at character {error.pos + 1}"
        raise FieldError(["data.pattern"], f"data.pattern = {text!r}: {error.msg}{where}") from None
    except (RecursionError, OverflowError) as error:
        raise FieldError(["data.pattern"], f"data.pattern: is no expression that can be used ({error})") from None
    names = set(compiled.groupindex)
    if not names or names - set(GROUPS):
        wrong = f"{', '.join(sorted(names - set(GROUPS)))} is none of them" if names else "it has none"
        raise FieldError(
            ["data.pattern"],
            f"data.pattern = {text!r}: must name groups label, split or group, such as '(?P<label>[A-Z]+)'; {wrong}",
        )
    return compiled


def check(values: Mapping[str, object]) -> None:
    """Raises FieldError where data.names, data.pattern or both with data.labels cannot be used."""
    names, text = values["data.names"], values["data.pattern"]
    assert isinstance(names, tuple) and isinstance(text, str)
    label_names(names)
    if text and "label" in pattern(text).groupindex and values["data.labels"]:
        raise FieldError(
            ["data.pattern", "data.labels"],
            "data.pattern and data.labels both tell labels: leave the group label out of the pattern, or data.labels",
        )
