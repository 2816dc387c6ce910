"""What a data set is to the rest of the program: splits of uint8 images with integer labels."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_jax.base.text import counted
from fer_jax.config import repeats, rules
from fer_jax.data import duplicates, grouped, leaks, splits
from fer_jax.data.balance import balance, transform_copies
from fer_jax.data.classes import choose_classes, merge_classes
from fer_jax.data.drawn import Drawn
from fer_jax.data.duplicates import Whole
from fer_jax.errors import DataError

if TYPE_CHECKING:
    from fer_jax.data.reading.source import Source

_BALANCED = {
    "undersample": "undersampled",
    "oversample": "oversampled",
    "augment": "oversampled with transformed copies",
}
_DROPPED = {"exact": "without exact leaks", "near": "without exact and near leaks"}


@dataclasses.dataclass(frozen=True)
class Split:
    """Images and their labels, in a fixed order.

    Attributes:
        images: uint8, shape (n, size, size, channels), 0 black to 255 white; may be memory-mapped
            and read-only.
        labels: int32, shape (n,), indices into `Dataset.classes`.
        whole: the whole of those images that were not square, None where all were.
        truth: as `labels`, what built-in faces show, whatever their labels say; None of others.
    """

    images: np.ndarray
    labels: np.ndarray
    whole: Whole | None = None
    truth: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 4 or self.images.shape[1] != self.images.shape[2]:
            found = f"{self.images.dtype} {self.images.shape}"
            raise TypeError(f"images must be uint8 (n, size, size, channels), not {found}")
        if self.labels.dtype != np.int32 or self.labels.shape != self.images.shape[:1]:
            raise TypeError(f"labels must be int32 ({len(self.images)},), not {self.labels.dtype} {self.labels.shape}")

    def __len__(self) -> int:
        return len(self.labels)


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A data set as training sees it.

    Attributes:
        name: `data.name` of the config: synthetic, fer2013, folder, cifar10 or a registered one.
        split: `data.split` of the config: official, kaggle, kaggle_eighth, kaggle_eighth_mixed,
            stratified_80_10_10, stratified_70_20_10 or kfold.
        classes: class names; a label is an index into them.
        train, validation, test: the splits. `test` is None under the kaggle split, which validates
            on all the rest, and under kfold where the source names no test images.
        checksum: 64 hex digits over images, labels, classes and the assignment to splits. The
            same data from a folder, archive or a table has the same checksum; the order in which a
            source lists its images does not enter.
        provenance: where the data came from, as JSON values only: source, kind, checksums, counts
            and skipped items; "held_out" (split name -> 64 hex digits, the same for the same
            images of the same source in the same order, whatever their size or merged labels);
            with `data.merge` also "merged" (new class -> its parts), with `data.drop_leaks`
            "leaks_dropped" (kind, and how many images of how many of each split), with
            `data.balance` "balanced" (kind, splits and counts before), under kfold "folds" and
            "fold" (the number of the one that validates), of another drawn split its "seed"; where
            images belong together "groups" (see `grouped.summary`), where names look so
            "group_suggested" (a line).
    """

    name: str
    split: str
    classes: tuple[str, ...]
    train: Split
    validation: Split
    test: Split | None
    checksum: str
    provenance: dict[str, Any]

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.classes)

    @property
    def majority_share(self) -> float:
        """Share of the validation split's most frequent class, in [0, 1]. It is the accuracy of
        always giving that answer.
        """
        return float(self.counts("validation").max() / len(self.validation))

    @property
    def label(self) -> str:
        """Text for headings such as 'synthetic faces, official split'. It names what was left out
        as leaked and what was balanced.
        """
        what = {"synthetic": "synthetic faces", "fer2013": "FER-2013", "cifar10": "CIFAR-10"}.get(self.name, self.name)
        split = f"stratified {self.provenance['folds']}-fold" if self.split == "kfold" else self.split
        parts = [what, f"{split} split"]
        if dropped := self.provenance.get("leaks_dropped"):
            parts.append(_DROPPED[dropped["kind"]])
        if balanced := self.provenance.get("balanced"):
            whole = len(balanced["splits"]) == len(self.splits())
            parts.append(f"{'every split' if whole else 'training'} {_BALANCED[balanced['kind']]}")
        return ", ".join(parts)

    @functools.cached_property
    def leaked(self) -> dict[str, np.ndarray]:
        """Which images have an exact copy among those learned or chosen from.

        Split name -> bool, shape (n,).

        'validation': in train; 'test', where there is one: in train or validation. Labels do not
        enter. Computed once, a pass over the images.
        """
        parts = self.splits()
        ends = np.cumsum([len(split) for split in parts.values()])
        rows = {name: np.arange(end - len(split), end) for (name, split), end in zip(parts.items(), ends, strict=True)}
        return leaks.leaked(rows, duplicates.find([split.images for split in parts.values()]))

    def splits(self) -> dict[str, Split]:
        """Returns the splits that exist, by name, in the order train, validation, test."""
        found = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: split for name, split in found.items() if split is not None}

    def counts(self, split: str) -> np.ndarray:
        """Returns the number of images of each class in one split, int64, shape (num_classes,)."""
        return np.bincount(self.splits()[split].labels, minlength=self.num_classes)


def checksum(classes: tuple[str, ...], parts: Mapping[str, Split]) -> str:
    """Returns a SHA-256 (hex) over the classes and the splits. Of each split its name, shape,
    images and labels enter, in their order.
    """
    digest = hashlib.sha256("\0".join(classes).encode())
    for name, split in parts.items():
        digest.update(f"\n{name} {split.images.shape}\n".encode())
        digest.update(np.ascontiguousarray(split.labels, dtype="<i4").data)
        digest.update(np.ascontiguousarray(split.images).data)
    return digest.hexdigest()


def load(block: Any) -> Dataset:
    """Loads the data set a config asks for.

    Args:
        block: `config.data`, or anything with its fields as attributes.

    Raises:
        DataError: the source is missing or broken, lacks a class or split that was asked for, has
            nothing to balance a class with, or leaves a class of a split without images. The last
            is only noted in the provenance, under "warnings", with `data.on_error` = skip and for
            built-in faces, of which a few may well show no rare class.
        FieldError: `data.merge` cannot be understood.
    """
    source = READERS[block.name](block)
    choose_classes(source.classes, tuple(block.classes))  # raises where there are not two to tell apart
    chosen = choose(block, source)
    rows, labels, classes = chosen.rows, chosen.labels, chosen.classes
    counts = _count(rows, labels, classes)
    warnings = _check_filled(counts, block, chosen.about.get("groups"))
    provenance = {**source.provenance, **chosen.about, "counts": counts, "warnings": warnings}
    if block.balance != "none":
        balanced = [name for name in rows if name == "train" or block.balance_splits == "all"]
        for name in balanced:
            rows[name] = balance(block.balance, rows[name], labels, classes, block.seed, name)
        provenance["balanced"] = {"kind": block.balance, "splits": balanced, "counts_before": counts}
        provenance["counts"] = _count(rows, labels, classes)
    provenance["held_out"] = {name: _identity(source, part) for name, part in rows.items() if name != "train"}
    whole: Whole | None = getattr(source, "whole", None)
    truth = _truth(source, labels)
    parts = {
        name: Split(
            _gather(source.images, part),
            labels[part],
            whole.of(part) if whole else None,
            None if truth is None else truth[part],
        )
        for name, part in rows.items()
    }
    if block.balance == "augment":
        train = parts["train"]
        images = transform_copies(train.images, rows["train"], train.labels, classes, block.seed)
        parts["train"] = dataclasses.replace(train, images=images)
    return Dataset(
        name=block.name, split=block.split, classes=classes, train=parts["train"], validation=parts["validation"],
        test=parts.get("test"), checksum=checksum(classes, parts), provenance=provenance,
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Chosen:
    """Which images of a source a config uses, before any are repeated.

    Attributes:
        rows: their numbers in the source, by split, ascending.
        labels: int32, of all images of the source, indices into `classes`; -1 for those of a class
            that is left out.
        classes: class names, merged ones in place of their parts.
        about: what `Dataset.provenance` says of the choice.
    """

    rows: dict[str, np.ndarray]
    labels: np.ndarray
    classes: tuple[str, ...]
    about: dict[str, Any]


def choose(block: Any, source: Source, rows: Mapping[str, np.ndarray] | None = None) -> Chosen:
    """Returns which images of a source a config uses.

    Splits and fractions are drawn by the source's own classes: merging changes labels, never which
    images are used.

    Args:
        block: `config.data`, or anything with its fields as attributes.
        source: all images.
        rows: those of each split, in place of what `data.split` makes.

    Raises:
        DataError, FieldError: as `load`.
    """
    source_labels = np.asarray(source.labels)
    groups = getattr(source, "groups", None)  # a reader of one's own may know nothing of groups
    about: dict[str, Any] = {}
    drawn: dict[str, Any] = {}
    if rows is None:
        if block.split == "kfold":
            about |= {"folds": block.folds, "fold": block.fold}
        elif block.split in repeats.DRAWN_SPLITS:
            drawn["seed"] = block.seed
        numbers = None if groups is None else grouped.numbers(groups)
        usage = np.asarray(source.usage)
        rows = splits.assign(block.split, source_labels, usage, source.classes, block.seed, groups=numbers, **about)
    kept = list(range(len(source.classes)))
    if block.classes:
        kept = choose_classes(source.classes, tuple(block.classes))
    classes, becomes = merge_classes(source.classes, kept, rules.merges({"data.merge": tuple(block.merge)}))
    renumber = np.full(len(source.classes), -1, np.int32)
    renumber[kept] = [classes.index(becomes[source.classes[i]]) for i in kept]
    labels = renumber[source_labels]
    rows = {
        name: splits.subset(part[labels[part] >= 0], source_labels, source.classes, block.fraction, block.seed)
        for name, part in rows.items()
    }
    if block.drop_leaks != "none":
        before = {name: len(part) for name, part in rows.items()}
        rows, dropped = leaks.drop(block.drop_leaks, source.images, rows, getattr(source, "whole", None))
        of = {name: before[name] for name in dropped}
        about["leaks_dropped"] = {"kind": block.drop_leaks, "counts": dropped, "of": of}
    if groups is not None:
        about["groups"] = grouped.summary(groups, rows, block.group)
    if block.merge:
        parts_of = {name: [old for old, new in becomes.items() if new == name] for name in classes}
        about["merged"] = {name: parts for name, parts in parts_of.items() if parts != [name]}
    return Chosen(rows, labels, classes, about | drawn)


def _truth(source: Any, labels: np.ndarray) -> np.ndarray | None:
    """Returns what the images of a source show, in the classes of `labels`, where it knows."""
    drawn = getattr(source, "truth", None)
    if drawn is None:
        return None
    becomes = np.full(len(source.classes), -1, np.int32)
    becomes[np.asarray(source.labels)] = labels
    return becomes[drawn]


def _identity(source: Any, rows: np.ndarray) -> str:
    """Returns a SHA-256 (hex) over which images of which source these are."""
    about = source.provenance
    of_source = about.get("contents_sha256") or about.get("sha256")
    if of_source is None and about.get("kind") == "synthetic":
        of_source = [about["seed"], about["label_noise"], source.classes]
    if of_source is None:
        of_source = hashlib.sha256(np.ascontiguousarray(source.images).data).hexdigest()
    usage = np.asarray(source.usage)
    # Numbered within its usage: built-in faces that train change nothing about those that test.
    number = np.zeros(len(usage), "<i8")
    for one in np.unique(usage):
        number[usage == one] = np.arange(np.count_nonzero(usage == one))
    digest = hashlib.sha256(json.dumps(of_source, sort_keys=True).encode())
    digest.update(np.ascontiguousarray(usage[rows], dtype="<i4").data)
    digest.update(np.ascontiguousarray(number[rows]).data)
    return digest.hexdigest()


def _read(block: Any) -> Source:
    from fer_jax.data.reading import source
    from fer_jax.data.reading.wanted import Wanted

    return source.read(block.path, block.image_size, block.channels, block.on_error, Wanted.from_block(block))


def _read_cifar(block: Any) -> Source:
    from fer_jax.data.reading import cifar

    return cifar.read(block.path, block.image_size, block.channels)


# What gives all images of a data set, by data.name.
READERS: dict[str, Callable[[Any], Any]] = {
    "synthetic": Drawn.from_block,
    "fer2013": _read,
    "folder": _read,
    "cifar10": _read_cifar,
}


def register(name: str, reader: Callable[[Any], Source]) -> None:
    """Makes a data set of your own known as `data.name = name`; docs/extending.md has an example.

    Args:
        name: as configs will call it; a name that is taken is replaced.
        reader: from `config.data` to all images, with their labels and their usage where one is
            given.
    """
    from fer_jax.config import fields

    READERS[name] = reader
    fields.add_choice("data.name", name)


def _gather(images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Returns the given images, without a copy where they lie side by side."""
    if (np.diff(rows) == 1).all():
        return images[rows[0] : rows[-1] + 1]
    return images[rows]


def _count(rows: Mapping[str, np.ndarray], labels: np.ndarray, classes: tuple[str, ...]) -> dict[str, dict[str, int]]:
    """Returns the number of images by split and class."""
    return {
        name: dict(zip(classes, np.bincount(labels[part], minlength=len(classes)).tolist(), strict=True))
        for name, part in rows.items()
    }


def _check_filled(counts: Mapping[str, Mapping[str, int]], block: Any, groups: Mapping[str, Any] | None) -> list[str]:
    """Returns warnings about classes without images. Raises DataError unless these may be skipped,
    and where a whole split is empty.
    """
    drawn = groups is not None and (block.split == "kfold" or block.split in repeats.DRAWN_SPLITS)
    made = f"data.split = {block.split}" + (f", data.group = {block.group}" if block.group and drawn else "")
    if groups is not None and drawn and not block.group:
        made += f", which parts none of {counted(groups['count'], 'group')}"
    if block.drop_leaks != "none":
        made += f", data.drop_leaks = {block.drop_leaks}"
    warnings = []
    for name, by_class in counts.items():
        if not any(by_class.values()):
            other = (
                ("data.split or data.group" if block.group else "data.split or other groups") if drawn else "data.split"
            )
            raise DataError(f"the {name} split holds no pictures ({made}): use another {other}")
        warnings += [
            f"class {label} has no pictures in the {name} split" for label, count in by_class.items() if not count
        ]
    if warnings and block.on_error == "fatal" and block.name != "synthetic":
        raise DataError(
            f"{warnings[0]} ({made}): add some, leave the class out with data.classes, "
            "or accept it with data.on_error = skip"
        )
    return warnings
