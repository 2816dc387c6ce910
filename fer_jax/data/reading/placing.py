"""Which class, split and group the images of a source have: by folders, a list or their names.

A list (`data.labels`) or a pattern with a group `label` (`data.pattern`) tells classes instead of
the folders. What a list does not say of splits and groups, a pattern may, else names of files and
folders.
"""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Callable

from fer_jax.base.text import counted, shown
from fer_jax.config import naming
from fer_jax.data import names
from fer_jax.data.reading import layout, list_files, listing, patterns
from fer_jax.data.reading.containers import Container, Table
from fer_jax.data.reading.label_names import LabelNames
from fer_jax.data.reading.layout import Layout, Placed
from fer_jax.data.reading.members_by_name import Ambiguous, MembersByName
from fer_jax.data.reading.problems import CONFLICT, LABEL, MISSING, UNMATCHED, Problems
from fer_jax.data.reading.single_files import ArrayFile
from fer_jax.data.reading.wanted import Wanted
from fer_jax.errors import DataError


def place(container: Container, wanted: Wanted, problems: Problems) -> Layout:
    """Returns what a source holds, images with their classes, splits and groups.

    Args:
        container: the source.
        wanted: how images get these.
        problems: takes what cannot be used.

    Raises:
        DataError: it holds nothing that could be read, or nothing that has a class; the list or
            the pattern cannot be used; data.names leaves a label without a name.
    """
    if isinstance(container, (Table, ArrayFile)):
        if wanted.labels or wanted.pattern:
            field = "data.labels" if wanted.labels else "data.pattern"
            raise DataError(f"{field}: {shown(container.path)} has labels of its own; leave {field} out")
        return Layout(tables=container.members() if isinstance(container, Table) else [])
    members = container.members()
    called = LabelNames(wanted.names, wanted.fer)
    if wanted.labels:
        found = _listed(container, wanted, called, problems)
    elif wanted.pattern and "label" in naming.pattern(wanted.pattern).groupindex:
        found = layout.pictures(members, problems)
    else:
        found = layout.find(container.path, members, wanted, problems)
    if wanted.pattern and found.images:
        _told(wanted, called, found, problems)
    if (wanted.labels or wanted.pattern) and not found.images:
        field = "data.labels" if wanted.labels else "data.pattern"
        why = f": {problems.describe(container.path)}" if len(problems) else ", which holds no pictures"
        raise DataError(f"{field}: gives no picture of {shown(container.path)} a class{why}")
    if wanted.fer:
        found.images = _of_known_class(found.images, called, problems)
    if not found.tables:
        called.check(container.path, (placed.label for placed in found.images))
    return found


def _listed(container: Container, wanted: Wanted, called: LabelNames, problems: Problems) -> Layout:
    """Returns the images that the list names."""
    members = container.members()
    name, data = list_files.read(container, members, wanted.labels, listing.MAX_BYTES)
    found = layout.pictures(members, problems)
    if not found.images:
        raise DataError(f"{shown(container.path)}: holds no pictures for the list {shown(name)}")
    told = listing.parse(data, name, problems)
    by_name = MembersByName([placed.member for placed in found.images], (entry.image for entry in told.entries))
    rows: dict[str, list[tuple[listing.Entry, Placed]]] = {}
    for entry in told.entries:
        try:
            member = by_name.find(entry.image)
        except Ambiguous as error:
            problems.add(MISSING, f"{name} row {entry.row}: {entry.image}", str(error))
            continue
        if member is None:
            problems.add(MISSING, f"{name} row {entry.row}: {entry.image}", "is not among the pictures")
            continue
        made = Placed(member, called.of(entry.label), entry.usage, entry.group)
        rows.setdefault(member.name, []).append((entry, made))
    if wanted.fer and not called.given and any(entry.label.isdecimal() for entry in told.entries):
        found.notes.append(f"{shown(name)}: numbers are FER-2013's, 0 angry to 6 neutral; data.names has others")
    unlisted = [placed.member.name for placed in found.images if placed.member.name not in rows]
    found.images = [one for of_one in rows.values() if (one := _agreed(of_one, problems)) is not None]
    if not told.has_split:
        found.images = _with_usage(found.images)
    found.notes += [f"{shown(name)}: {note}" for note in (*told.notes, *_said(rows, unlisted))]
    found.unlisted = unlisted
    found.ignored = [other for other in found.ignored if other != name]
    return found


def _agreed(rows: list[tuple[listing.Entry, Placed]], problems: Problems) -> Placed | None:
    """Returns an image as all of its rows have it; None, with a problem, where they disagree."""
    image = rows[0][1].member.name
    for what in ("label", "usage", "group"):
        ways = sorted({getattr(placed, what) for _, placed in rows})
        if len(ways) > 1:
            said = " and ".join(shown(str(names.USAGES.get(way, way)), 40) for way in ways)
            problems.add(CONFLICT, image, f"rows {', '.join(str(entry.row) for entry, _ in rows[:5])}: {said}")
            return None
    return rows[0][1]


def _said(rows: dict[str, list[tuple[listing.Entry, Placed]]], unlisted: list[str]) -> list[str]:
    """Returns sentences about what was left aside without being wrong."""
    notes = []
    if unlisted:
        notes.append(f"{counted(len(unlisted), 'picture')} not in it left out, such as {shown(unlisted[0])}")
    twice = [of_one for of_one in rows.values() if len(of_one) > 1 and len({placed.label for _, placed in of_one}) == 1]
    if twice:
        first = f"such as {shown(twice[0][0][1].member.name)}"
        notes.append(f"{counted(len(twice), 'picture')} listed more than once with one label taken once, {first}")
    spelt: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for of_one in rows.values():
        for entry, placed in of_one:
            spelt[placed.label][entry.label] += 1
    for label, ways in sorted(spelt.items()):
        if len(ways) > 1:
            each = " and ".join(f"{shown(way, 40)!r} ({count:,})" for way, count in ways.most_common(4))
            notes.append(f"{each} are one class, {shown(label, 40)}")
    return notes


def _with_usage(images: list[Placed]) -> list[Placed]:
    """Returns images with the usage that names of all of them tell: train_00001.jpg, val/1.jpg.

    Folders with a word for a split among others, such as FER2013Train, tell several splits or none.
    """
    for of_folder, fewest in ((names.folder_usage, 1), (names.worded_usage, 2)):
        usages = [_usage_by_name(placed.member.name, of_folder) for placed in images]
        told = [usage for usage in usages if usage is not None]
        if len(told) == len(images) and len(set(told)) >= fewest:
            return [dataclasses.replace(one, usage=usage) for one, usage in zip(images, told, strict=True)]
    return images


def _usage_by_name(path: str, of_folder: Callable[[str], int | None]) -> int | None:
    *folders, base = path.split("/")
    begins, *rest = re.split(r"[_-]", base, maxsplit=1)
    told = [names.folder_usage(begins)] if rest else []
    told += map(of_folder, reversed(folders))
    return next((usage for usage in told if usage is not None), None)


def _told(wanted: Wanted, called: LabelNames, found: Layout, problems: Problems) -> None:
    """Gives images what data.pattern finds in their paths; what a list says of them stays."""
    texts = patterns.match(wanted.pattern, [placed.member.name for placed in found.images])
    images = []
    has_label = "label" in naming.pattern(wanted.pattern).groupindex
    for placed, told in zip(found.images, texts, strict=True):
        if told is None or (has_label and "label" not in told):
            problems.add(UNMATCHED, placed.member.name, "tells no label" if told else "does not match")
            continue
        usage = placed.usage
        if "split" in told and usage == names.NO_USAGE:
            if (known := names.worded_usage(told["split"])) is None:
                word = shown(told["split"], 40)
                problems.add(UNMATCHED, placed.member.name, f"split {word!r} is none of train, validation, test")
                continue
            usage = known
        label = called.of(naming.plain(told["label"])) if has_label else placed.label
        images.append(
            dataclasses.replace(placed, label=label, usage=usage, group=placed.group or told.get("group", ""))
        )
    if has_label and "split" not in naming.pattern(wanted.pattern).groupindex:
        images = _with_usage(images)
    found.images = images


def _of_known_class(images: list[Placed], called: LabelNames, problems: Problems) -> list[Placed]:
    """Returns the images of FER-2013's classes, and of those that data.names adds."""
    known = {*names.CLASSES, *called.classes}
    for placed in images:
        if placed.label not in known:
            said = ", ".join(sorted(known))
            problems.add(LABEL, placed.member.name, f"{shown(placed.label, 40)!r} is none of {said}")
    return [placed for placed in images if placed.label in known]
