"""What a data set is to the rest of the program: three splits of uint8 pictures with integer labels, and where they came from."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Split:
    """Pictures and their labels, in a fixed order.

    Attributes:
      images: uint8, shape (n, size, size, channels), 0 black to 255 white; may be memory-mapped and read-only.
      labels: int32, shape (n,), indices into `Dataset.classes`.
    """

    images: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 4 or self.images.shape[1] != self.images.shape[2]:
            raise TypeError(f"images must be uint8 (n, size, size, channels), not {self.images.dtype} {self.images.shape}")
        if self.labels.dtype != np.int32 or self.labels.shape != self.images.shape[:1]:
            raise TypeError(f"labels must be int32 ({len(self.images)},), not {self.labels.dtype} {self.labels.shape}")

    def __len__(self) -> int:
        return len(self.labels)


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A data set as training sees it.

    Attributes:
      name: `data.name` of the config: synthetic, fer2013 or folder.
      split: `data.split` of the config: official, kaggle, stratified_80_10_10 or stratified_70_20_10.
      classes: class names; a label is an index into them.
      train, validation, test: the splits. `test` is None under the kaggle split, whose validation split is all there is.
      checksum: 64 hex digits over pictures, labels, classes and the assignment to splits. The same data from a folder, an
        archive or a table has the same checksum; the order in which a source lists its pictures does not enter.
      provenance: where the data came from, as JSON values only: source, kind, checksums, counts and skipped items.
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
        return len(self.classes)

    @property
    def majority_share(self) -> float:
        """Share of the validation split's most frequent class, in [0, 1]: the accuracy of always giving that answer."""
        return float(self.counts("validation").max() / len(self.validation))

    @property
    def label(self) -> str:
        """For headings: 'synthetic faces, official split'."""
        what = {"synthetic": "synthetic faces", "fer2013": "FER-2013"}.get(self.name, self.name)
        return f"{what}, {self.split} split"

    def splits(self) -> dict[str, Split]:
        """The splits that exist, by name, in the order train, validation, test."""
        found = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: split for name, split in found.items() if split is not None}

    def counts(self, split: str) -> np.ndarray:
        """Pictures per class of one split, int64, shape (num_classes,)."""
        return np.bincount(self.splits()[split].labels, minlength=self.num_classes)


def picture_digests(images: np.ndarray) -> np.ndarray:
    """SHA-256 of every picture's pixels, as bytes of dtype 'S32'-like void, shape (n,).

    Args:
      images: uint8, shape (n, size, size, channels).
    """
    digests = b"".join(hashlib.sha256(np.ascontiguousarray(image)).digest() for image in images)
    return np.frombuffer(digests, dtype="V32")


def checksum(classes: tuple[str, ...], splits: dict[str, Split]) -> str:
    """SHA-256 (hex) over classes, the splits' names, and each split's shape, pictures and labels in their order."""
    digest = hashlib.sha256("\0".join(classes).encode())
    for name, split in splits.items():
        digest.update(f"\n{name} {split.images.shape}\n".encode())
        digest.update(np.ascontiguousarray(split.labels, dtype="<i4"))
        digest.update(np.ascontiguousarray(split.images))
    return digest.hexdigest()
