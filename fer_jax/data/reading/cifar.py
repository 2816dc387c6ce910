"""CIFAR-10 as its authors' Python release: five pickled training batches and one for testing.

The folder `cifar-10-batches-py` or an archive of it is read anew at every start, without a cache
and without calling anything that a pickle names (plain_pickles.py). Nothing in it may be broken: a
release that is not whole is not CIFAR-10, so `data.on_error` does not enter.
"""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from fer_jax.base.text import shown
from fer_jax.data import names
from fer_jax.data.reading import image_files, plain_pickles
from fer_jax.data.reading.containers import Container, Member
from fer_jax.data.reading.opening import open_container
from fer_jax.data.reading.problems import Unusable
from fer_jax.data.reading.source import Source
from fer_jax.errors import DataError

SIDE = 32  # pixels
_BYTES = 3 * SIDE * SIDE  # of one image: red, green and blue planes, row by row
_META = "batches.meta"
_USAGE = {**{f"data_batch_{number}": names.TRAIN for number in range(1, 6)}, "test_batch": names.TEST}
_MAX_BYTES = 128 * 2**20  # of one file; a batch has 31 MB


def read(path: str, image_size: int, channels: int) -> Source:
    """Returns the images of CIFAR-10.

    Args:
        path: the folder `cifar-10-batches-py` or one above it, or a zip or tar of it, such as
            cifar-10-python.tar.gz.
        image_size: height and width wanted, pixels; images have 32 and are resized as
            `image_files.fit` says.
        channels: 1 (grey) or 3 (RGB).

    Returns:
        Images in the order of the files, data_batch_1 to 5 (usage 0, train) before test_batch
        (usage 2, test); there is no validation set, so `data.split` = official does not work with
        it.

    Raises:
        DataError: a file is missing, there twice, damaged, or holds something else; names the file.
    """
    container = open_container(path)
    found, checksums = _contents(container)
    classes, expected = _classes(found[_META], f"{shown(path)}: {_META}")
    batches = {name: _batch(found[name], f"{shown(path)}: {name}", len(classes), expected) for name in _USAGE}
    images = _fit([pixels for pixels, _ in batches.values()], image_size, channels)
    labels = np.concatenate([given for _, given in batches.values()])
    usage = np.repeat(np.array(list(_USAGE.values()), np.int8), [len(given) for _, given in batches.values()])
    # batches.meta numbers the classes; here they are numbered in the order of their names.
    ordered = tuple(sorted(classes))
    renumber = np.array([ordered.index(name) for name in classes], np.int32)
    provenance = {
        "source": shown(container.path, 4096),
        "kind": container.kind,
        "sha256": checksums,
        "image_size": image_size,
        "channels": channels,
    }
    return Source(images, renumber[labels], usage, ordered, provenance)


def _contents(container: Container) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns what the seven files hold, and their SHA-256 (hex), by file name."""
    path = shown(container.path)
    wanted = (_META, *_USAGE)
    members: dict[str, Member] = {}
    for member in container.members():
        name = PurePosixPath(member.name).name
        if member.kind == "file" and name in wanted:
            if name in members:
                raise DataError(f"{path}: holds {members[name].name} and {member.name}; name the folder of one of them")
            members[name] = member
    if missing := [name for name in wanted if name not in members]:
        raise DataError(
            f"{path}: has no {missing[0]}; CIFAR-10 is the folder cifar-10-batches-py or cifar-10-python.tar.gz, "
            f"with {', '.join(wanted)}"
        )
    found, checksums = {}, {}
    for member, data in container.read(members.values(), _MAX_BYTES):
        name = PurePosixPath(member.name).name
        try:
            if isinstance(data, Unusable):
                raise DataError(f"{path}: {name} {data}")
            if len(data) > _MAX_BYTES:
                raise DataError(f"{path}: {name} is larger than {_MAX_BYTES // 2**20} MiB")
            found[name] = plain_pickles.read(data)
        except plain_pickles.Refused as error:
            raise DataError(f"{path}: {name} {error}; get CIFAR-10 again") from error
        checksums[name] = hashlib.sha256(data).hexdigest()
    return found, {name: checksums[name] for name in wanted}


def _classes(meta: Any, where: str) -> tuple[list[str], int | None]:
    """Returns class names by label, and how many images a batch has, None if that is not said."""
    given = meta.get("label_names") if isinstance(meta, dict) else None
    if not isinstance(given, list) or not given or not all(isinstance(name, str) and name for name in given):
        raise DataError(f"{where}: has no list of texts called label_names")
    classes = [names.canonical(name) for name in given]
    if len(set(classes)) != len(classes):
        raise DataError(f"{where}: label_names has a class twice")
    count = meta.get("num_cases_per_batch")
    return classes, count if isinstance(count, int) else None


def _batch(batch: Any, where: str, classes: int, expected: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Returns pixels, uint8 (n, 3072), and labels, int64 (n,), of one batch."""
    if not isinstance(batch, dict) or "data" not in batch or "labels" not in batch:
        raise DataError(f"{where}: is no batch of CIFAR-10: it needs 'data' and 'labels'")
    pixels, labels = batch["data"], batch["labels"]
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 2 or pixels.shape[1] != _BYTES or not len(pixels):
        shape = f"an array of shape {pixels.shape}" if isinstance(pixels, np.ndarray) else "no array"
        raise DataError(f"{where}: 'data' is {shape}, not uint8 of shape (n, {_BYTES})")
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise DataError(f"{where}: 'labels' is no list of whole numbers")
    if len(labels) != len(pixels) or (expected is not None and len(pixels) != expected):
        wanted = "" if expected is None else f"; {_META} says {expected:,} of each"
        raise DataError(f"{where}: holds {len(pixels):,} pictures and {len(labels):,} labels{wanted}")
    for label in labels:
        if not 0 <= label < classes:
            raise DataError(f"{where}: holds label {label}; {_META} names the classes 0 to {classes - 1}")
    return pixels, np.array(labels, np.int64)


def _fit(batches: list[np.ndarray], image_size: int, channels: int) -> np.ndarray:
    """Returns planes as uint8 images, (n, image_size, image_size, channels), batch after batch."""
    from PIL import Image

    images = np.empty((sum(map(len, batches)), image_size, image_size, channels), np.uint8)
    planes = (image.reshape(3, SIDE, SIDE) for batch in batches for image in batch)
    for at, image in enumerate(planes):
        coloured = Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))
        images[at] = image_files.fit(coloured, image_size, channels)
    return images
