"""Built-in faces as a source of data, beside those that are read from files."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from fer_jax.data import faces, splits
from fer_jax.data.classes import choose_classes


@dataclasses.dataclass(frozen=True)
class Drawn:
    """Built-in faces in the form in which files come; see `reading.source.Source`.

    Attributes:
        truth: int64 (n,), the classes that the faces show; `labels` are these but for label noise.
    """

    images: np.ndarray
    labels: np.ndarray
    usage: np.ndarray
    classes: tuple[str, ...]
    provenance: dict[str, Any]
    truth: np.ndarray

    @classmethod
    def from_block(cls, block: Any) -> Drawn:
        """Draws the faces that `config.data` asks for."""
        classes = tuple(faces.CLASSES[i] for i in choose_classes(faces.CLASSES, tuple(block.classes)))
        sizes = {"train": block.train_size, "validation": block.validation_size, "test": block.test_size}
        drawn = [
            faces.draw(name, sizes[name], seed=block.seed, size=block.image_size, channels=block.channels,
                       classes=classes, label_noise=block.label_noise)
            for name in splits.NAMES
        ]  # fmt: skip
        usage = np.repeat(np.arange(len(drawn), dtype=np.int8), list(sizes.values()))
        about = {"source": "built-in faces", "kind": "synthetic", "seed": block.seed, "label_noise": block.label_noise}
        images, labels = (np.concatenate(arrays) for arrays in zip(*drawn, strict=True))
        truth = [faces.drawn_classes(name, sizes[name], block.seed, classes) for name in splits.NAMES]
        return cls(images, labels, usage, classes, about, np.concatenate(truth))
