"""What the names in a source say: which members are images, of which class and split, or tables.

Images lie in folders named after classes, possibly some folders down, possibly below folders
named after splits:

    [...]/<split>/<class>/[...]/image.jpg   the class is the folder right below the split
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
from fer_jax.data.reading.containers import Member
from fer_jax.data.reading.image_files import SUFFIXES
from fer_jax.data.reading.label_names import LabelNames
from fer_jax.data.reading.problems import EMPTY, LABEL, REFUSED, STRAY, Problems
from fer_jax.data.reading.wanted import Wanted
from fer_jax.errors import DataError

TABLES = ("fer2013.csv", "icml_face_data.csv")
_TABLE_ENDINGS = (".csv", ".tsv")
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
        notes: sentences about what was taken for what, and what was left aside.
    """

    images: list[Placed] = dataclasses.field(default_factory=list)
    tables: list[Member] = dataclasses.field(default_factory=list)
    ignored: list[str] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)


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
    images, folders, csvs = _sort(members, layout, problems)
    layout.tables = _tables(csvs, bool(images)) if fer or not images else []
    layout.ignored += [member.name for member in csvs if member not in layout.tables]
    if layout.tables and images:
        found = " and ".join(member.name for member in layout.tables)
        raise DataError(f"{shown(path)}: holds several data sets ({found} and folders of pictures); keep one of them")
    if not layout.tables and not images:
        raise DataError(_nothing(path, layout))
    _place(path, images, folders, wanted, layout, problems)
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
    folders: set[tuple[str, ...]] = set()
    csvs = []
    for member in members:
        parts = tuple(part for part in member.name.split("/") if part not in ("", "."))
        if reason := _refusal(member, parts):
            problems.add(REFUSED, member.name, reason)
        elif not parts or any(part.startswith(".") or part.lower() in _SYSTEM for part in parts):
            continue
        elif member.kind == "folder":
            folders.add(parts)
        elif PurePosixPath(parts[-1]).suffix.lower() in SUFFIXES:
            images.append((member, parts[:-1]))
        elif parts[-1].lower().endswith(_TABLE_ENDINGS):
            csvs.append(member)
            folders.add(parts[:-1])
        else:
            layout.ignored.append(member.name)
            folders.add(parts[:-1])
    return images, folders, csvs


def _nothing(path: str, layout: Layout) -> str:
    wanted = "pictures in class folders, fer2013.csv or icml_face_data.csv"
    endings = (".zip", ".tar", ".gz", ".xz", ".bz2", ".csv", ".tsv", ".parquet", ".npz", ".npy")
    archives = [name for name in layout.ignored if name.lower().endswith(endings)]
    hint = f"; it holds {shown(archives[0])}: name that file itself" if archives else ""
    return f"{shown(path)}: holds no {wanted}{hint}"


def _refusal(member: Member, parts: tuple[str, ...]) -> str | None:
    if ".." in parts or member.name.startswith(("/", "\\")) or (parts and _DRIVE.match(parts[0])):
        return "points outside the archive"
    if any(part.startswith(".") or part.lower() in _SYSTEM for part in parts):
        return None
    return {"link": "is a link", "special": "is a device or a pipe"}.get(member.kind)


def _tables(csvs: list[Member], images: bool) -> list[Member]:
    """Returns the members to read as tables. These are those with a known name, or the only csv
    where there is nothing else.
    """
    known = [member for member in csvs if os.path.basename(member.name).lower() in TABLES]
    return known or (csvs if len(csvs) == 1 and not images else [])


def _place(
    path: str,
    images: list[tuple[Member, tuple[str, ...]]],
    folders: set[tuple[str, ...]],
    wanted: Wanted,
    layout: Layout,
    problems: Problems,
) -> None:
    """Gives every image its class and usage; `images` come with the folders they lie in."""
    fer, called = wanted.fer, LabelNames(wanted.names)
    allowed = {*names.CLASSES, *called.classes}
    splits = [_split_at(above) for _, above in images]
    in_splits = any(at is not None for at in splits)
    usages = {names.folder_usage(above[at]) for (_, above), at in zip(images, splits, strict=True) if at is not None}
    roots = sorted({"/".join(above[:at]) for (_, above), at in zip(images, splits, strict=True) if at is not None})
    if len(roots) > 1:
        both = f"in {roots[0] or 'its top folder'} and {roots[1]}"
        raise DataError(f"{shown(path)}: holds several data sets ({both}); keep one of them")
    common = _common([above for _, above in images if above])
    class_folders: set[tuple[str, ...]] = set()
    for (member, above), at in zip(images, splits, strict=True):
        if not above or (in_splits and at is None):
            where = "the split folders" if above else "any folder"
            problems.add(STRAY, member.name, f"lies outside {where}")
            continue
        depth = at + 1 if at is not None else common
        class_folders.add(above[: depth + 1])
        label = called.of(above[depth])
        if fer and label not in allowed:
            known = ", ".join(sorted(allowed))
            problems.add(LABEL, member.name, f"{shown(above[depth], 40)!r} is none of {known}")
            continue
        usage = names.folder_usage(above[at]) if at is not None else names.NO_USAGE
        official = names.file_usage(os.path.basename(member.name)) if fer else None
        if official is not None and names.VALIDATION not in usages:
            usage = official
        assert usage is not None  # _split_at found a folder with one
        layout.images.append(Placed(member, label, usage))
    parents = {folder[:-1] for folder in class_folders}
    for folder in sorted(folders - class_folders):
        # The top folder, in which a README may lie, holds classes and is none.
        if folder and folder[:-1] in parents and (not fer or called.of(folder[-1]) in allowed):
            problems.add(EMPTY, "/".join(folder), "holds no pictures")


def _split_at(above: tuple[str, ...]) -> int | None:
    """Returns the index of the folder that names a split, None if none does. The last folder cannot
    be one, because it has to name the class.
    """
    found = [at for at, folder in enumerate(above[:-1]) if names.folder_usage(folder) is not None]
    return found[-1] if found else None


def _common(folders: list[tuple[str, ...]]) -> int:
    """Returns how many folders at the start all images share. Each image has at least one more."""
    if not folders:
        return 0
    shared = len(os.path.commonprefix(folders))
    return min(shared, min(map(len, folders)) - 1)
