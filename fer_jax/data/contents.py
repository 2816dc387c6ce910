"""All images of a data set with their splits and names, as an audit looks at them.

Broken images are left out; they do not end the reading.
"""

from __future__ import annotations

import copy
import dataclasses
import os
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from fer_jax.base.text import shown
from fer_jax.data import dataset, names, splits
from fer_jax.data.duplicates import Whole
from fer_jax.data.reading import layout
from fer_jax.data.reading.opening import open_container
from fer_jax.data.reading.wanted import Wanted
from fer_jax.errors import DataError

KINDS = ("auto", "fer2013", "folder", "cifar10", "synthetic")
GIVEN = "given"  # splits as the source has them, whichever it has
_CIFAR_META = "batches.meta"


@dataclasses.dataclass(frozen=True)
class Contents:
    """The images of a data set that are looked at.

    Attributes:
        path: as the user wrote it.
        name: `data.name` it was read as.
        images, labels, classes, provenance: as in `reading.source.Source`.
        numbers: number of each image among all of the source.
        split: the `data.split` that made the splits, or 'given'.
        rows: rows of each split, by its name, in the order train, validation, test; 'unassigned'
            for images of none.
        groups: what each image belongs to, '' where it stands for itself; None where none does.
        wanted: how the source was understood.
        whole: the whole of those images that are not square, None without any.
    """

    path: str
    name: str
    images: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    provenance: dict[str, Any]
    numbers: np.ndarray
    split: str
    rows: dict[str, np.ndarray]
    groups: tuple[str, ...] | None = None
    wanted: Wanted = Wanted()
    whole: Whole | None = None

    @cached_property
    def split_names(self) -> list[str]:
        """The name of every image's split."""
        found = [""] * len(self.labels)
        for name, rows in self.rows.items():
            for row in rows:
                found[row] = name
        return found

    @cached_property
    def class_names(self) -> list[str]:
        """The name of every image's class."""
        return [self.classes[label] for label in self.labels]

    @cached_property
    def files(self) -> list[str]:
        """What the source calls each image; 'picture 17' (counted from 0) where it has no names.
        The first access takes seconds.
        """
        if self.name in ("fer2013", "folder"):
            from fer_jax.data.reading import source

            found = source.file_names(self.path, self.wanted)
            return [found[number] for number in self.numbers]
        return [f"picture {number}" for number in self.numbers]


def read(
    path: str,
    name: str = "auto",
    split: str = GIVEN,
    seed: int = 0,
    image_size: int = 48,
    channels: int = 1,
    chosen: tuple[str, ...] = (),
) -> Contents:
    """Reads a data set, preparing it in the cache as training would.

    Args:
        path: folder, zip, tar or csv, or 'synthetic' for the built-in faces at their default sizes.
        name: `data.name`, or 'auto' to find out; see `kind`.
        split: 'given', or a `data.split`.
        seed: `data.seed`.
        image_size, channels: of the images wanted.
        chosen: names of the classes to look at, in any spelling; () = all.

    Raises:
        DataError: there is nothing that can be read, nothing that can be split so, no such class,
            or none of its images.
    """
    from fer_jax.config.values import default_config

    block = default_config().data
    block.name, block.path, block.seed, block.split = name, path, seed, split
    block.image_size, block.channels, block.classes = image_size, channels, chosen
    return look(block)


def look(block: Any) -> Contents:
    """Reads a data set as a config would and returns the images that it uses, each of them once.

    Args:
        block: `config.data`, or anything with its fields as attributes; 'auto' as a name and
            'given' as a split are allowed. Broken items are left out, whatever it says.

    Raises:
        DataError: as `read`.
    """
    block = copy.deepcopy(block)
    if block.name == "auto":
        block.name = kind(block.path)
    block.on_error = "skip"
    source = dataset.READERS[block.name](block)
    usage = np.asarray(source.usage)
    given = None
    if block.split == GIVEN:
        given = {
            names.USAGES[code]: np.flatnonzero(usage == code) for code in (*range(len(splits.NAMES)), names.NO_USAGE)
        }
    chosen = dataset.choose(block, source, given)
    numbers = np.sort(np.concatenate(list(chosen.rows.values())))
    if not len(numbers):
        raise DataError(
            f"{shown(block.path)}: holds no picture of {' or '.join(block.classes)}; choose other --classes"
        )
    images = source.images if len(numbers) == len(usage) else source.images[numbers]
    rows = {name: np.searchsorted(numbers, part) for name, part in chosen.rows.items() if len(part)}
    groups = getattr(source, "groups", None)
    groups = None if groups is None else tuple(groups[number] for number in numbers)
    whole: Whole | None = getattr(source, "whole", None)
    wanted = Wanted.from_block(block)
    provenance = {**source.provenance, **chosen.about}
    return Contents(
        block.path, block.name, images, chosen.labels[numbers], chosen.classes, provenance, numbers, block.split, rows,
        groups, wanted, whole.of(numbers) if whole else None,
    )  # fmt: skip


def kind(path: str) -> str:
    """Returns the `data.name` that reads what lies at `path`, by the names in it.

    A table is FER-2013, and so is a tree with one of its tables or with file names that begin with
    Training_, PublicTest_ or PrivateTest_; batches.meta makes it CIFAR-10; anything else is class
    folders. 'synthetic', unless a file or folder is called so, is the built-in faces.

    Raises:
        DataError: nothing is there, or nothing of a known kind.
    """
    if path == "synthetic" and not os.path.exists(path):
        return "synthetic"
    container = open_container(path)
    if container.kind in ("csv", "parquet"):
        return "fer2013"
    found = {PurePosixPath(member.name).name for member in container.members() if member.kind == "file"}
    if _CIFAR_META in found:
        return "cifar10"
    if any(name.lower() in layout.TABLES or names.file_usage(name) is not None for name in found):
        return "fer2013"
    return "folder"
