"""Names of expressions and of splits as data sets spell them, and the one spelling used here.

Labels map by name, never by position.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

# Alphabetical, as the folders of the Kaggle release sort; the table's integers follow CSV_ORDER
# instead.
CLASSES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
CSV_ORDER = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
EXPRESSIONS = frozenset((*CLASSES, "contempt"))

TRAIN, VALIDATION, TEST, NO_USAGE = 0, 1, 2, -1
USAGES = {NO_USAGE: "unassigned", TRAIN: "train", VALIDATION: "validation", TEST: "test"}

_SPELLINGS = {
    "angry": ("anger", "angered", "angriness"),
    "disgust": ("disgusted", "disgusting"),
    "fear": ("fearful", "fearfulness", "afraid", "scared"),
    "happy": ("happiness",),
    "neutral": ("neutrality",),
    "sad": ("sadness",),
    "surprise": ("surprised", "suprise", "suprised", "surprize", "surprized"),
}
_CANONICAL = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in spellings}
_SPLITS = {
    "train": TRAIN,
    "training": TRAIN,
    "validation": VALIDATION,
    "valid": VALIDATION,
    "val": VALIDATION,
    "dev": VALIDATION,
    "publictest": VALIDATION,
    "test": TEST,
    "testing": TEST,
    "privatetest": TEST,
}
# Words that name a split among others: 'FER2013Train', 'Validation Set', 'images_test', 'holdout'.
_SPLIT_WORDS = {
    **{word: frozenset((usage,)) for word, usage in _SPLITS.items()},
    "seen": frozenset((TRAIN,)),
    **dict.fromkeys(("holdout", "heldout", "unseen"), frozenset((TEST,))),
    **dict.fromkeys(("eval", "evaluation"), frozenset((VALIDATION, TEST))),
    "trainval": frozenset((TRAIN, VALIDATION)),
    "traintest": frozenset((TRAIN, TEST)),
    "valtest": frozenset((VALIDATION, TEST)),
}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+")
_GLUED = re.compile(r"(.+?)(?:sets?|data|images?|imgs?|faces|pictures|folder|split|class|classes)")
# What folders of persons are called, as KDEF's AF01 and CK+'s S005.
_PERSON = re.compile(
    r"(?:(?:subject|subj|person|participant|actor|identity)[ _-]?\d+|[ab][fm]\d\d|s\d{3})", re.IGNORECASE
)
_NUMBERED = re.compile(r"(?:class[ _-]?)?\d+", re.IGNORECASE)
_OFFICIAL = {"training": TRAIN, "publictest": VALIDATION, "privatetest": TEST}
_OFFICIAL_FILE = re.compile(r"(training|publictest|privatetest)_", re.IGNORECASE)


def canonical(name: str) -> str:
    """Returns the spelling used here for a class name: 'Anger' gives 'angry'. An unknown name only
    becomes lower case, with letters and their accents as one character (NFC), since a Mac writes
    them as two.
    """
    lowered = unicodedata.normalize("NFC", name.strip().lower())
    return _CANONICAL.get(lowered, lowered)


def spelled(name: str, known: Sequence[str]) -> str:
    """Returns the class of a data set that a user's spelling means. It is the name itself if the
    data set has it, else its canonical form.
    """
    return name if name in known else canonical(name)


def expression(name: str) -> str | None:
    """Returns the expression that a folder is named after, alone or among other words, else None.

    'Anger' and '0_angry faces' give 'angry'.
    """
    found = {canonical(word) for word in (name, *_WORD.findall(name))} & EXPRESSIONS
    return found.pop() if len(found) == 1 else None


def is_person(name: str) -> bool:
    """Returns whether a folder is called as those of persons are: 'subject3', 'AF01', 'S005'."""
    return _PERSON.fullmatch(name) is not None


def is_numbered(name: str) -> bool:
    """Returns whether a class has a number for a name: '3', 'class003'."""
    return _NUMBERED.fullmatch(name) is not None


def folder_usage(name: str) -> int | None:
    """Returns the usage of a folder named after a split ('Val', 'public_test', ...), else None."""
    return _SPLITS.get(re.sub(r"[ _-]", "", name.lower()))


def usages_in(name: str) -> frozenset[int]:
    """Returns the usages that the words in a folder's name may mean, none where it names no split.

    'FER2013Train' and 'images_train' give TRAIN alone, 'eval' VALIDATION and TEST.
    """
    usage = folder_usage(name)
    if usage is not None:
        return frozenset((usage,))
    words = [word.lower() for word in _WORD.findall(name)]
    words += [word.lower() for word in re.findall(r"[^\W\d_]+", name)]
    words += [glued[1] for word in words if (glued := _GLUED.fullmatch(word))]
    pairs = ["".join(pair) for pair in zip(words, words[1:], strict=False)]
    known = [word for word in pairs if word in _SPLIT_WORDS and word not in ("seen", "unseen")]
    known = known or [word for word in words if word in _SPLIT_WORDS]
    return frozenset(usage for word in known for usage in _SPLIT_WORDS[word])


def worded_usage(name: str) -> int | None:
    """Returns the one usage that the words in a name mean, None where they mean none or several."""
    usages = usages_in(name)
    return next(iter(usages)) if len(usages) == 1 else None


def file_usage(name: str) -> int | None:
    """Returns the official usage that a file name begins with, else None. 'PublicTest_1.jpg' is
    VALIDATION.
    """
    found = _OFFICIAL_FILE.match(name)
    return _OFFICIAL[found[1].lower()] if found else None
