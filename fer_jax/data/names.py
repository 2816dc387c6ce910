"""Names of expressions and of splits as data sets spell them, and the one spelling used here.

Labels map by name, never by position.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# Alphabetical, as the folders of the Kaggle release sort; the table's integers follow CSV_ORDER
# instead.
CLASSES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
CSV_ORDER = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

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
_OFFICIAL = {"training": TRAIN, "publictest": VALIDATION, "privatetest": TEST}
_OFFICIAL_FILE = re.compile(r"(training|publictest|privatetest)_", re.IGNORECASE)


def canonical(name: str) -> str:
    """Returns the spelling used here for a class name: 'Anger' gives 'angry'. An unknown name only
    becomes lower case.
    """
    lowered = name.strip().lower()
    return _CANONICAL.get(lowered, lowered)


def spelled(name: str, known: Sequence[str]) -> str:
    """Returns the class of a data set that a user's spelling means. It is the name itself if the
    data set has it, else its canonical form.
    """
    return name if name in known else canonical(name)


def folder_usage(name: str) -> int | None:
    """Returns the usage of a folder named after a split ('Val', 'public_test', ...), else None."""
    return _SPLITS.get(re.sub(r"[ _-]", "", name.lower()))


def file_usage(name: str) -> int | None:
    """Returns the official usage that a file name begins with, else None. 'PublicTest_1.jpg' is
    VALIDATION.
    """
    found = _OFFICIAL_FILE.match(name)
    return _OFFICIAL[found[1].lower()] if found else None
