"""What the folders above pictures name: splits, classes, or something that is neither.

Nothing is taken for a class that is likely none. Folders named after splits are splits where all of
them are and where they hold class folders, or where every class folder holds them. What may be
read in two ways is an error that says which are meant and which field decides.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

from fer_jax.base.text import counted, shown
from fer_jax.config.field import in_words
from fer_jax.data import names
from fer_jax.errors import DataError

# Takes the folder right above a picture for its class, whatever it is called.
_RIGHT_ABOVE = "--config.data.pattern='(?P<label>[^/]+)/[^/]+$'"
_BELOW_ANOTHER = "--config.data.pattern='(?P<group>[^/]+)/(?P<label>[^/]+)/[^/]+$'"
_NAMED = 3  # folders that a message names

Path = tuple[str, ...]


@dataclasses.dataclass
class _Folder:
    """A folder in which, or below which, there are pictures.

    Attributes:
        path: names of the folders from the top, which has none.
        pictures: how many lie right in it.
        below: the folders in it, by name.
    """

    path: Path
    pictures: int = 0
    below: dict[str, _Folder] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.path[-1]

    def walk(self) -> Iterator[_Folder]:
        """Yields the folder and all below it, upper ones first."""
        yield self
        for folder in self.below.values():
            yield from folder.walk()

    def __str__(self) -> str:
        return shown("/".join(self.path), 60)


_Splits = list[tuple[_Folder, int]]  # folders that name a split, with their usages


@dataclasses.dataclass(frozen=True)
class Reading:
    """Where the folders above a picture name its class and its split.

    Attributes:
        class_at: index of the class among the folders above a picture.
        split_at: index of the split, None where no folder names one.
        splits: paths of the folders that name a split -> usage.
        classes: paths of the class folders.
    """

    class_at: int
    split_at: int | None
    splits: Mapping[Path, int]
    classes: frozenset[Path]

    def usage(self, above: Path) -> int | None:
        """Returns the usage of a picture by the folders above it.

        It is NO_USAGE where no picture has one, None where others have one.
        """
        return names.NO_USAGE if self.split_at is None else self.splits.get(above[: self.split_at + 1])

    def label(self, above: Path) -> str | None:
        """Returns the name of the class folder above a picture, None if there is none."""
        return above[self.class_at] if above[: self.class_at + 1] in self.classes else None


def read(path: str, aboves: Sequence[Path], lists: Sequence[str], fer: bool) -> Reading:
    """Returns how the folders of a source are to be understood.

    Args:
        path: of the source, for messages.
        aboves: the folders above each picture.
        lists: names of files that may list labels, for messages.
        fer: whether only the seven expressions are classes.

    Raises:
        DataError: there are several data sets, no class folders, one that tells nothing, or folders
            that may as well be persons, splits or classes.
    """
    try:
        return _read(_tree(aboves), lists, fer)
    except DataError as error:
        raise DataError(f"{shown(path)}: {error}") from None


def _read(top: _Folder, lists: Sequence[str], fer: bool) -> Reading:
    if not top.below:
        raise DataError(f"holds {counted(top.pictures, 'picture')} and no class folders; {_elsewhere(lists)}")
    if splits := _splits_above(top):
        parents = sorted({"/".join(folder.path[:-1]) for folder, _ in splits})
        if len(parents) > 1:
            both = f"in {shown(parents[0]) or 'its top folder'} and {shown(parents[1])}"
            raise DataError(f"holds several data sets ({both}); keep one of them")
        found = _reading(_descend([folder for folder, _ in splits], stop=True), splits)
    elif splits := _splits_below(top, lists):
        depth = len(splits[0][0].path) - 1
        classes = frozenset(folder.path[:-1] for folder, _ in splits)
        found = Reading(depth - 1, depth, {folder.path: usage for folder, usage in splits}, classes)
    else:
        found = _reading(_descend([top], stop=fer), [])
    _check_classes([folder for folder in top.walk() if folder.path in found.classes], found.class_at, lists)
    return found


def _tree(aboves: Sequence[Path]) -> _Folder:
    top = _Folder(())
    for above, count in sorted(collections.Counter(aboves).items()):  # so that messages follow no order of files
        folder = top
        for at, name in enumerate(above):
            folder = folder.below.setdefault(name, _Folder(above[: at + 1]))
        folder.pictures = count
    return top


def _reading(holders: Sequence[_Folder], splits: _Splits) -> Reading:
    """Returns the reading in which the folders right in `holders` are the classes."""
    classes = frozenset(folder.path for holder in holders for folder in holder.below.values())
    split_at = len(splits[0][0].path) - 1 if splits else None
    return Reading(len(holders[0].path), split_at, {folder.path: usage for folder, usage in splits}, classes)


def _splits_above(top: _Folder) -> _Splits:
    """Returns the folders that name a split and hold folders."""
    plain = [pair for folder in top.walk() for pair in _plain_splits(folder)]
    if len({usage for _, usage in plain}) < 2:
        worded = [pair for folder in top.walk() for pair in _worded_splits(folder)]
        # A folder such as 'test', alone in its place, may hold 'train set' and 'test set'.
        plain = worded if worded and len(plain) < 2 else plain
    # Of folders that lie in each other the innermost count.
    outer = {folder.path[:depth] for folder, _ in plain for depth in range(len(folder.path))}
    return [(folder, usage) for folder, usage in plain if folder.path not in outer]


def _plain_splits(above: _Folder) -> _Splits:
    """Returns the splits right in a folder if one is called by the word alone, such as 'Val'.

    Beside it another, such as 'images_test', may name a split of its own.
    """
    holding = [folder for folder in above.below.values() if folder.below]
    plain = {folder.name: names.folder_usage(folder.name) for folder in holding}
    taken = {usage for usage in plain.values() if usage is not None}
    found = []
    for folder in holding if taken else ():
        usage = plain[folder.name]
        if usage is None and not (may_be := names.usages_in(folder.name)) & taken and may_be:
            usage = _usage(folder)
        if usage is not None:
            found.append((folder, usage))
    return found


def _worded_splits(above: _Folder) -> _Splits:
    """Returns the splits right in a folder if all folders in it have a word for one in their names.

    Raises DataError if only some have, and these name several splits.
    """
    holding = [folder for folder in above.below.values() if folder.below]
    if len(above.below) < 2 or not any(names.usages_in(folder.name) for folder in holding):
        return []
    if _mixed(above):
        return []
    alike = len(holding) > 1 and set.intersection(*(set(map(names.canonical, one.below)) for one in holding))
    if len(_clear(above.below.values())) < 2 and not alike:
        return []
    return [(folder, _usage(folder)) for folder in holding]


def _splits_below(top: _Folder, lists: Sequence[str]) -> _Splits:
    """Returns the folders that name a split and hold pictures, if every class folder holds some.

    Raises DataError for folders named after splits without classes above or below them, and where
    only some folders are named so.
    """
    found: _Splits = []
    for above in top.walk():
        if _clear(one for one in above.below.values() if one.pictures) and not _mixed(above):
            found += [(folder, _usage(folder)) for folder in above.below.values() if folder.pictures]
    holders = {folder.path[:-1] for folder, _ in found}
    if not found or (len(found) > 1 and len(holders) > 1 and len({usage for _, usage in found}) < 2):
        return []
    inside = {folder.path for folder, _ in found}
    others = [folder for folder in top.walk() if folder.pictures and folder.path and folder.path not in inside]
    if len(holders) == 1:
        if len(found) < 2 or (others and len({usage for _, usage in found}) < 2):
            return []
        if not others:
            raise DataError(
                f"{_listed([folder for folder, _ in found])} are named after splits, and hold pictures instead of "
                f"class folders; {_elsewhere(lists)}; if they are the classes, {_RIGHT_ABOVE}"
            )
    if others or len({path[:-1] for path in holders}) > 1:
        raise DataError(
            f"{found[0][0]} is named after a split and lies in what would be a class folder, unlike "
            f"{others[0] if others else found[-1][0]}; let all class folders hold splits, or none; "
            f"if they are the classes, {_RIGHT_ABOVE}"
        )
    return found


def _clear(folders: Iterable[_Folder]) -> set[int]:
    """Returns the usages that names of folders mean without doubt."""
    found = (names.usages_in(folder.name) for folder in folders)
    return {next(iter(usages)) for usages in found if len(usages) == 1}


def _mixed(above: _Folder) -> bool:
    """Returns whether some folders in one name no split.

    Raises DataError if the others name several.
    """
    named = [folder for folder in above.below.values() if names.usages_in(folder.name)]
    other = next((folder for folder in above.below.values() if not names.usages_in(folder.name)), None)
    if other and len(_clear(named)) > 1:
        raise DataError(
            f"{_listed(named)} are named after splits, {other} beside them is not: take it away or call it after a "
            f"split; if they are the classes, {_RIGHT_ABOVE}"
        )
    return other is not None


def _usage(folder: _Folder) -> int:
    """Returns the usage that a folder's name means; raises DataError if it may mean several."""
    usages = sorted(names.usages_in(folder.name))
    if len(usages) > 1:
        words = " or ".join(names.USAGES[usage] for usage in usages)
        raise DataError(f"folder {folder} may mean {words}: call it train, validation or test")
    return usages[0]


def _descend(folders: list[_Folder], stop: bool) -> list[_Folder]:
    """Returns the folders that hold the classes: those given, or what is alone in each of them.

    Where `stop` says so, a folder that is called as an expression is a class.
    """
    while all(len(folder.below) == 1 for folder in folders):
        inner = [one for folder in folders for one in folder.below.values()]
        if not all(one.below for one in inner) or (stop and any(map(names.expression, (one.name for one in inner)))):
            break
        folders = inner
    return folders


def _check_classes(classes: Sequence[_Folder], class_at: int, lists: Sequence[str]) -> None:
    """Raises DataError where class folders are likely none, or have names that are no text."""
    for folder in classes:
        if any("\ud800" <= letter <= "\udfff" for letter in folder.name):
            raise DataError(f"the name of class folder {folder} is no UTF-8: rename it")
    odd = [folder for folder in classes if names.expression(folder.name) is None]
    for folder in odd:
        inner = next((one for one in folder.walk() if one is not folder and names.expression(one.name)), None)
        if inner:
            raise DataError(
                f"{_listed(odd)} would be the classes, but hold folders named after expressions ({inner}); "
                f"{_BELOW_ANOTHER} takes those, and the upper ones as groups, such as persons "
                f"(write split for group if they are splits); --config.data.pattern="
                f"'^{'[^/]+/' * class_at}(?P<label>[^/]+)/' takes the upper ones"
            )
    if len(odd) < len(classes) and _clear(odd):
        split = next(folder for folder in odd if _clear([folder]))
        raise DataError(
            f"{split} is named after a split and lies beside {next(one for one in classes if one not in odd)}: "
            f"take it away or rename it; if it is a class, {_RIGHT_ABOVE}"
        )
    if len(classes) > 1 and all(names.is_person(folder.name) for folder in classes):
        raise DataError(
            f"{_listed(classes)} would be the classes, but are called as persons are; {_elsewhere(lists)} "
            f"('(?P<group>[AB][FM]..)(?P<label>[A-Z][A-Z])' with --config.data.names=kdef reads KDEF); "
            f"if they are the classes, {_RIGHT_ABOVE}"
        )
    if len({names.canonical(folder.name) for folder in classes}) == 1 and odd:
        raise DataError(
            f"all pictures lie in one class folder, {classes[0]}; {_elsewhere(lists)}, or the folder above with "
            "--config.data.path=FOLDER"
        )


def _elsewhere(lists: Sequence[str]) -> str:
    """Returns where classes may be told instead."""
    which = "name a file that lists the labels with --config.data.labels=FILE"
    if lists:
        others = f" (or one of {len(lists) - 1:,} others)" if len(lists) > 1 else ""
        which = f"if {shown(lists[0], 60)}{others} lists the labels, name it with --config.data.labels=FILE"
    return f"{which}, or what names of pictures tell with --config.data.pattern=PATTERN"


def _listed(folders: Sequence[_Folder]) -> str:
    found = list(dict.fromkeys(map(str, folders)))
    more = [f"{len(found) - _NAMED:,} more"] if len(found) > _NAMED else []
    return in_words([*found[:_NAMED], *more])
