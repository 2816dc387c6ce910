"""Which images belong together, as their names tell by the rule `data.group`.

A rule works on names inside the source, such as 'train/happy/S005_001_00000011.png':

    a regular expression    its group named 'group', else its first one, else all that it matches
    folder                  the nearest folder above that is no class, no split and not above all
    original                the picture of which this is a copy that was augmented beforehand

An image that a rule says nothing of stands for itself. Nothing here looks at pixels.
"""

from __future__ import annotations

import collections
import functools
import re
import unicodedata
from collections.abc import Callable, Sequence

from fer_jax.base.text import shown
from fer_jax.config import rules
from fer_jax.data import names
from fer_jax.errors import DataError

_ENDING = r"(?:jpe?g|png|bmp|gif|tiff?|webp|pgm|ppm|avif|heic)"
_AUGMENTED = r"(?:aug(?:mented|mentation)?|flip(?:ped)?|mirror(?:ed)?|rot(?:ate[ds]?|ation)?)"
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# What programs and people call a copy; the group is the original's stem, without its ending.
_COPIES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf".+?_original_(.+?)(?:\.{_ENDING})?_{_UUID}",  # Augmentor: happy_original_x.jpg_<uuid>
        rf"(.+)_{_ENDING}\.rf\.[0-9a-z]+",  # Roboflow: x_jpg.rf.<hash>
        rf"(.+)\.{_ENDING}[ ._()-]*\w*\)?",  # x.jpg3, x.jpg_2, x.jpg (1)
        rf"(.+?)(?:[ _.-]+{_AUGMENTED}[ _.-]*[+-]?\d*)+",  # x_aug_2, x-flipped, x_rot-15
        rf"{_AUGMENTED}[ _.-]+\d+[ _.-]+(.+)",  # aug_12_x
        rf"(?:{_AUGMENTED}|copy of)[ _.-]+(.*[^\W\d].*)",  # aug_x, Copy of x
    )
)
_KERAS = re.compile(rf"({_AUGMENTED}_\d+)_\d+", re.IGNORECASE)  # flow(save_prefix='aug'): aug_<index>_<random>
# These tell of copies only where the original is there: 'happy (1)' alone is a name like any other.
_PLAIN = re.compile(r"(?:([^\W\d_]+)_)?\d+")  # a number, perhaps after a word
_PERHAPS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(.+) - copy(?: \(\d+\))?",
        r"(.+)(?: \(\d+\)|_\d+)",
        r"(.+)_\d+_\d+",  # Keras with a prefix of one's own
    )
)

# What data sets call frames of a person or a sequence: words, a rule, and what it must match.
_KNOWN = (
    ("names look like S<person>_<sequence>_<frame>", r"(S\d+)_\d+_\d+\.[^/.]+$"),
    ("names look like <person>.<expression><n>.<number>", r"([A-Z]{2})\.[A-Z]{2}\d\.\d+\.[^/.]+$"),
    ("names look like <session><person><expression><angle>", r"(?:^|/)[AB]([FM]\d\d)[A-Z]{3,4}\.[^/.]+$"),
)
_NUMBERED = r"([^/]*[^/\d])\d+\.[^/.]+$"
_FEW = 20  # names that tell nothing yet
_LOOKED_AT = 500  # names that are looked at before all are
_MOST = 0.9  # share of names that must have one form
_SOME_COPIES = 0.05  # share of images beside a copy from which on the names are said to be of copies


def find(members: Sequence[str], labels: Sequence[str], given: Sequence[str], rule: str) -> tuple[list[str], str]:
    """Returns the group of each image, and a suggestion where there is none but names tell of some.

    Args:
        members: names of the images inside the source.
        labels: names of their classes.
        given: their groups as a list or a pattern tells them, '' for none; these are believed
            before the rule.
        rule: `data.group`, '' for none.

    Returns:
        Groups, '' where an image stands for itself; and one line for a person, '' for none.

    Raises:
        DataError: no name tells a group by the rule, or it is none.
    """
    if rule:
        told = by_rule(members, labels, rule)
        if not any(told):
            raise DataError(
                f"data.group = {rule}: tells no group of any of {len(members):,} names, such as {shown(members[0])}; "
                f"write a regular expression that matches names, or {' or '.join(rules.GROUP_WORDS)}"
            )
        return [own or other for own, other in zip(given, told, strict=True)], ""
    return list(given), "" if any(given) else suggest(members, labels)


def by_rule(members: Sequence[str], labels: Sequence[str], rule: str) -> list[str]:
    """Returns what a rule says of each image, '' for nothing; arguments as in `find`."""
    members = [unicodedata.normalize("NFC", name) for name in members]
    if rule == "original":
        return _originals(members)
    if rule == "folder":
        return _folders(members, labels)
    pattern = rules.group_rule(rule)
    return [_first_group(pattern.search(name)) for name in members]


def _first_group(match: re.Match[str] | None) -> str:
    if match is None:
        return ""
    named = match.groupdict().get("group")
    return named or next((text for text in match.groups() if text), "" if match.re.groups else match[0])


def _folders(members: Sequence[str], labels: Sequence[str]) -> list[str]:
    """Returns the nearest folder of each image that is no class, no split and not above all."""
    above = [name.split("/")[:-1] for name in members]
    everywhere = set(above[0]).intersection(*above[1:]) if above else set()
    spelled, usage = functools.cache(names.canonical), functools.cache(names.folder_usage)

    def tells(folder: str, label: str) -> bool:
        return folder not in everywhere and spelled(folder) != label and usage(folder) is None

    return [
        next((folder for folder in reversed(folders) if tells(folder, label)), "")
        for folders, label in zip(above, labels, strict=True)
    ]


def _originals(members: Sequence[str]) -> list[str]:
    """Returns the original of each image that is a copy or has one, '' of all others.

    A copy's original is sought in its own folder, then in that of another split: copies that were
    made before the data were split lie on both sides.
    """
    places = [_place(name) for name in members]
    stems = {stem for _, stem in places}
    if all((plain := _PLAIN.fullmatch(stem)) and plain[1] not in stems for _, stem in places):
        return [""] * len(members)  # as in most data sets: what follows takes a while
    own = set(places)
    anywhere: dict[tuple[str, str], str] = {}
    for folder, stem in places:
        anywhere.setdefault((_without_splits(folder), stem), folder)

    def known(folder: str, stem: str) -> str:
        """Returns an original's folder, '' where it is not there."""
        return folder if (folder, stem) in own else anywhere.get((_without_splits(folder), stem), "")

    groups = []
    for folder, stem in places:
        original = _original(folder, stem, known)
        home = known(folder, original) or (_without_splits(folder) if original != stem else folder)
        groups.append(f"{home}{original}")
    sizes = collections.Counter(groups)
    return [group if sizes[group] > 1 else "" for group in groups]


def _place(name: str) -> tuple[str, str]:
    """Returns the folder of an image, with '/' at its end, and its name without its ending."""
    folder, _, last = name.rpartition("/")
    stem = last.rpartition(".")[0] or last
    return f"{folder}/", stem


@functools.lru_cache(maxsize=4096)
def _without_splits(folder: str) -> str:
    return "/".join(part for part in folder.split("/") if names.folder_usage(part) is None)


def _original(folder: str, stem: str, known: Callable[[str, str], str]) -> str:
    """Returns what a picture is a copy of by its name, without endings; itself if of nothing."""
    for pattern in _PERHAPS:
        if (match := pattern.fullmatch(stem)) and known(folder, match[1]):
            return _original(folder, match[1], known)  # the original may be a copy itself
    for pattern in _COPIES:
        if match := pattern.fullmatch(stem):
            keras = _KERAS.fullmatch(stem)
            return keras[1] if keras and not known(folder, match[1]) else match[1]
    return stem


def suggest(members: Sequence[str], labels: Sequence[str]) -> str:
    """Returns a line about `data.group` where names look like copies, persons or sequences.

    It is '' where they do not: names that are numbers, or a class's or a split's with a number,
    say nothing.
    """
    total = len(members)
    if total < _FEW:
        return ""
    copies = sum(bool(group) for group in by_rule(members, labels, "original"))
    if copies >= max(_FEW / 2, _SOME_COPIES * total):
        return (
            f"{copies:,} of {total:,} names look like pictures and augmented copies of them: "
            "to keep these together set --config.data.group=original"
        )
    for words, rule in (*_KNOWN, ("names are a word and a number", _NUMBERED)):
        some = members[:: max(1, total // _LOOKED_AT)]
        if sum(map(bool, by_rule(some, labels, rule))) < _MOST * len(some):
            continue  # 36,000 names take a while
        told = [group for group in by_rule(members, labels, rule) if group]
        known = rule != _NUMBERED and 1 < len(set(told)) < len(told)
        if len(told) >= _MOST * total and (known or _is_telling(told, labels)):
            return (
                f"{len(told) / total:.0%} of {words}: are these {len(set(told)):,} persons or sequences? "
                f"To keep them apart set --config.data.group='{rule}'"
            )
    return ""


def _is_telling(told: Sequence[str], labels: Sequence[str]) -> bool:
    """Returns whether beginnings of names may be persons: many more than classes, most repeated."""
    sizes = collections.Counter(told)
    repeated = sum(size for size in sizes.values() if size > 1)
    return len(sizes) >= max(10, 3 * len(set(labels))) and repeated >= len(labels) / 2
