"""What the names in a source say: which members are images, of which class and split, or tables.

Images lie in folders named after classes, possibly some folders down, possibly below or above
folders named after splits (`folders` tells which are which):

    [...]/<split>/<class>/[...]/image.jpg   the class is the folder right below the split
    [...]/<class>/<split>/image.jpg         ... or right above it
    [...]/<class>/[...]/image.jpg           ... or right below what all images have in common

In FER-2013 file names may carry the official usage (Training_, PublicTest_, PrivateTest_). It is
believed before the folder, since the Kaggle release keeps both test sets in one, unless the tree
has a validation folder of its own.
"""

from __future__ import annotations

import dataclasses
import os.path
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from fer_jax.base.text import shown
from fer_jax.data import names
from fer_jax.data.reading import folders
from fer_jax.data.reading.containers import Member
from fer_jax.data.reading.image_files import SUFFIXES
from fer_jax.data.reading.label_names import LabelNames
from fer_jax.data.reading.problems import EMPTY, LABEL, NOT_READ, REFUSED, STRAY, Problems
from fer_jax.data.reading.wanted import Wanted
from fer_jax.errors import DataError

TABLES = ("fer2013.csv", "icml_face_data.csv")
_TABLE_ENDINGS = (".csv", ".tsv")
# What ends in one of these shows something, and is not read.
NOT_READ_SUFFIXES = {
    ".avifs": "AVIF in motion",
    **dict.fromkeys((".jpf", ".jpx", ".jpm"), "JPEG 2000 of several parts"),
    **dict.fromkeys((".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".raw"), "a camera's raw format"),
    **{f".{word}": word.upper() for word in ("jxl", "jxr", "psd", "svg", "eps", "tga", "ico", "icns", "exr", "hdr")},
    **{f".{word}": word.upper() for word in ("dcm", "pcx", "sgi", "ras", "xcf", "pam", "pfm", "pnm", "xbm", "xpm")},
}
_LISTS = (".csv", ".tsv", ".txt")
# Of a text file that may list labels, as RAF-DB's list_patition_label.txt.
_LIST_WORDS = re.compile(r"label|list|legend|annot|emotion|part?ition|ground|metadata|classes|^(train|val|test)", re.I)
_SYSTEM = frozenset(("__macosx", "thumbs.db", "desktop.ini", "$recycle.bin", "system volume information"))
_DRIVE = re.compile(r"[A-Za-z]:$")


@dataclasses.dataclass(frozen=True, slots=True)
class Placed:
    """An image with its class, usage and group.

    The class is a canonical name; the usage 0 train, 1 validation, 2 test, -1 none given; the group
    '' where the image stands for itself.
    """

    member: Member
    label: str
    usage: int
    group: str = ""


@dataclasses.dataclass
class Layout:
    """The members of a source, by what they are.

    Attributes:
        images: images that have a class.
        tables: FER-2013 tables; only what FER-2013 is read from has any.
        ignored: names of files that are neither, for the record.
        unlisted: names of images that data.labels does not list.
        notes: sentences about what was taken for what, and what was left aside.
        hidden: how many files and folders are hidden, or a system's own.
        lists: those ignored files that may list labels.
        sure: whether a class is named after an expression or a number. Where none is, a list of
            labels beside the images may be meant instead.
    """

    images: list[Placed] = dataclasses.field(default_factory=list)
    tables: list[Member] = dataclasses.field(default_factory=list)
    ignored: list[str] = dataclasses.field(default_factory=list)
    unlisted: list[str] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)
    hidden: int = 0
    lists: list[Member] = dataclasses.field(default_factory=list)
    sure: bool = True


def find(path: str, members: Sequence[Member], wanted: Wanted, problems: Problems) -> Layout:
    """Returns the members of a source, sorted by what they are.

    Args:
        path: of the source, for messages.
        members: all of them.
        wanted: how images get their classes, splits and groups; FER-2013 has its seven classes,
            official file names and tables.
        problems: takes what cannot be used: members that climb out of the archive, links, images
            without a class or of an unknown one, class folders without an image.

    Raises:
        DataError: it holds nothing that could be read, or more than one data set.
    """
    layout, fer = Layout(), wanted.fer
    images, others, csvs = _sort(members, layout, problems)
    layout.tables = _tables(csvs, bool(images)) if fer or not images else []
    layout.ignored += [member.name for member in csvs if member not in layout.tables]
    if layout.tables and images:
        found = " and ".join(member.name for member in layout.tables)
        raise DataError(f"{shown(path)}: holds several data sets ({found} and folders of pictures); keep one of them")
    if not layout.tables and not images:
        raise DataError(_nothing(path, layout, problems))
    if images:
        _place(path, images, others, wanted, layout, problems)
    return layout


def pictures(members: Sequence[Member], problems: Problems) -> Layout:
    """Returns the usable images of a source, without class and usage, and what is ignored in it."""
    layout = Layout()
    images, _, csvs = _sort(members, layout, problems)
    layout.images = [Placed(member, "", names.NO_USAGE) for member, _ in images]
    layout.ignored += [member.name for member in csvs]
    return layout


def _sort(
    members: Sequence[Member], layout: Layout, problems: Problems
) -> tuple[list[tuple[Member, tuple[str, ...]]], set[tuple[str, ...]], list[Member]]:
    """Returns images with the folders they lie in, folders, and tables; notes all else."""
    images: list[tuple[Member, tuple[str, ...]]] = []
    others: set[tuple[str, ...]] = set()
    unread: set[tuple[str, ...]] = set()
    csvs = []
    for member in members:
        parts = tuple(part for part in member.name.split("/") if part not in ("", "."))
        if reason := _refusal(member, parts):
            problems.add(REFUSED, member.name, reason)
        elif not parts or any(part.startswith(".") or part.lower() in _SYSTEM for part in parts):
            layout.hidden += bool(parts)
        elif member.kind == "folder":
            others.add(parts)
        elif (suffix := PurePosixPath(parts[-1]).suffix.lower()) in SUFFIXES:
            images.append((member, parts[:-1]))
        elif suffix in NOT_READ_SUFFIXES:
            problems.add(NOT_READ, member.name, not_read(suffix))
            unread.add(parts[:-1])
        elif parts[-1].lower().endswith(_TABLE_ENDINGS):
            csvs.append(member)
            others.add(parts[:-1])
        else:
            layout.ignored.append(member.name)
            others.add(parts[:-1])
            layout.lists += [member] * _may_list(parts[-1], suffix)
    layout.lists += csvs
    return images, others - unread, csvs


def not_read(suffix: str) -> str:
    """Returns why a file with an ending of `NOT_READ_SUFFIXES` is left out."""
    return f"is {NOT_READ_SUFFIXES[suffix]}, which is not read: save it as PNG or JPEG"


def _may_list(name: str, suffix: str) -> bool:
    return suffix in _LISTS and (suffix != ".txt" or _LIST_WORDS.search(name) is not None)


def _nothing(path: str, layout: Layout, problems: Problems) -> str:
    wanted = "pictures in class folders, fer2013.csv or icml_face_data.csv"
    endings = (".zip", ".tar", ".gz", ".xz", ".bz2", ".csv", ".tsv", ".parquet", ".npz", ".npy")
    archives = [name for name in layout.ignored if name.lower().endswith(endings)]
    first = "" if os.path.isdir(path) else "unpack it and "
    hint = f"; it holds {shown(archives[0])}: {first}name that file itself" if archives else ""
    hint += f"; it has {problems.describe(path)}" if len(problems) else ""
    return f"{shown(path)}: holds no {wanted}{hint}"


def _refusal(member: Member, parts: tuple[str, ...]) -> str | None:
    if ".." in parts or member.name.startswith(("/", "\\")) or (parts and _DRIVE.match(parts[0])):
        return "points outside the archive"
    if any(part.startswith(".") or part.lower() in _SYSTEM for part in parts):
        return None
    return {"link": "is a link", "special": "is a pipe, a socket or a device"}.get(member.kind)


def _tables(csvs: list[Member], images: bool) -> list[Member]:
    """Returns the members to read as tables. These are those with a known name, or the only csv
    where there is nothing else.
    """
    known = [member for member in csvs if os.path.basename(member.name).lower() in TABLES]
    return known or (csvs if len(csvs) == 1 and not images else [])


def _place(
    path: str,
    images: list[tuple[Member, tuple[str, ...]]],
    others: set[tuple[str, ...]],
    wanted: Wanted,
    layout: Layout,
    problems: Problems,
) -> None:
    """Gives every image its class and usage.

    Args:
        path: of the source, for messages.
        images: with the folders above them.
        others: folders that may hold no image.
        wanted: how they get these.
        layout, problems: take what is found.
    """
    fer, called = wanted.fer, LabelNames(wanted.names)
    allowed = {*names.CLASSES, *called.classes}
    found = folders.read(path, [above for _, above in images], [member.name for member in layout.lists], fer)
    official_names = fer and names.VALIDATION not in found.splits.values()
    for member, above in images:
        usage, name = found.usage(above), found.label(above)
        if usage is None or name is None:
            where = "any folder" if not above else "the split folders" if usage is None else "the class folders"
            problems.add(STRAY, member.name, f"lies outside {where}")
            continue
        label = called.of(name)
        if fer and label not in allowed:
            problems.add(LABEL, member.name, f"{shown(name, 40)!r} is none of {', '.join(sorted(allowed))}")
            continue
        official = names.file_usage(os.path.basename(member.name)) if official_names else None
        layout.images.append(Placed(member, label, usage if official is None else official))
    parents = {folder[:-1] for folder in found.classes}
    layout.sure = any(names.expression(folder[-1]) or names.is_numbered(folder[-1]) for folder in found.classes)
    for folder in sorted(others - found.classes):
        # The top folder, in which a README may lie, holds classes and is none.
        if folder and folder[:-1] in parents and (not fer or called.of(folder[-1]) in allowed):
            problems.add(EMPTY, "/".join(folder), "holds no pictures")
