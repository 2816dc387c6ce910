"""Which column of a table holds what, by the words that head it."""

from __future__ import annotations

import re
from collections.abc import Sequence

# What columns are called, in lower case and with letters and digits only; the first word counts
# most.
_WORDS = {
    "image": (
        "image",
        "images",
        "imagename",
        "imagepath",
        "imagefile",
        "imageid",
        "img",
        "imgname",
        "imgpath",
        "file",
        "files",
        "filename",
        "filepath",
        "path",
        "paths",
        "pth",
        "subdirectoryfilepath",
        "picture",
        "photo",
        "name",
        "id",
    ),
    "label": (
        "emotion",
        "emotions",
        "label",
        "labels",
        "emotionlabel",
        "expression",
        "expressions",
        "facialexpression",
        "class",
        "classname",
        "category",
        "target",
        "y",
    ),
    "split": ("split", "usage", "set", "subset", "partition", "phase"),
    "group": (
        "group",
        "groups",
        "groupid",
        "person",
        "personid",
        "subject",
        "subjectid",
        "participant",
        "participantid",
        "identity",
        "actor",
        "actorid",
        "individual",
        "sequence",
    ),
    "pixels": ("pixels", "pixel"),
}


def word(cell: str) -> str:
    """Returns a header's cell in lower case, its letters and digits only."""
    return re.sub(r"[\W_]", "", cell.lower())


def find(header: Sequence[str], roles: Sequence[str]) -> dict[str, int]:
    """Returns where the columns of these roles stand; a role that no word names is left out.

    Args:
        header: cells of the first row.
        roles: some of image, label, split, group and pixels.
    """
    words = [word(cell) for cell in header]
    found = {}
    for role in roles:
        place = next((words.index(one) for one in _WORDS[role] if one in words), None)
        if place is not None:
            found[role] = place
    return found
