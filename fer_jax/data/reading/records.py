"""The TensorFlow Datasets builder: encoded images in ArrayRecord files, without TensorFlow.

Importing this module takes seconds (TFDS and Grain), so only preparation does it. A prepared folder
is an ordinary TFDS data set; to stream from it:

    # dicts with image (encoded bytes), label, file, digest
    source = records.data_source(folder, "train")
    grain.MapDataset.source(source).map(...)
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import grain
import tensorflow_datasets as tfds
from absl import logging

from fer_jax.base import console
from fer_jax.base.cache import Damaged
from fer_jax.base.text import shown
from fer_jax.data import names
from fer_jax.data.reading.collect import Collected, Item

_CHUNK = 256  # records fetched in one call; one by one takes four times as long


class _Info(tfds.core.DatasetInfo):
    """A description that is not looked for among those TFDS publishes.

    The search would leave a folder in the system's /tmp.
    """

    def initialize_from_bucket(self) -> None:
        pass


class Fer2013(tfds.core.GeneratorBasedBuilder):
    """FER-2013 from a folder, archive or table at hand; nothing is downloaded.

    Its splits are train, validation (PublicTest), test (PrivateTest), and `unassigned` where the
    source gives no usage. Its features are image, the encoded image as the source had it (PNG for a
    row of a table), label, file, its name in the source, and digest, SHA-256 of its decoded pixels.
    Within a split, records are sorted by label and digest.

    Args:
        collected: the images.
        **options: of tfds.core.GeneratorBasedBuilder: data_dir and file_format="array_record".
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}
    # TFDS looks beside a builder's code for checksums of downloads, with a package it does not
    # install. There are none.
    code_path = None

    def __init__(self, collected: Collected, **options: Any):
        self._collected = collected
        super().__init__(**options)

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=(None, None, self._collected.channels)),
            "label": tfds.features.ClassLabel(names=list(self._collected.classes)),
            "file": tfds.features.Text(),
            "digest": tfds.features.Text(),
        }
        return _Info(
            builder=self,
            description="Faces with an expression each, as prepared by fer_jax.",
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "label"),
            disable_shuffling=True,  # the order is part of what is stored
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        del dl_manager
        usages = sorted({item.usage for item in self._collected.items})
        return {
            names.USAGES[usage]: self._generate_examples(
                [item for item in self._collected.items if item.usage == usage]
            )
            for usage in usages
        }

    def _generate_examples(self, items: Sequence[Item]) -> Iterator[tuple[int, dict[str, Any]]]:
        with console.bar("writing", len(items)) as advance:
            for key, item in enumerate(items):
                yield (
                    key,
                    {
                        "image": self._collected.spool.encoded(item.number),
                        "label": item.label,
                        "file": shown(item.name),
                        "digest": item.digest,
                    },
                )
                advance()


class ImageFolders(Fer2013):
    """Any other set of class folders, in the form of `Fer2013`."""

    name = "picture_folders"  # of the folder in the cache; caches that exist have it

    VERSION = tfds.core.Version("1.0.0")


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """One stored image.

    Attributes:
        image: its file, encoded.
        label: index of its class.
        usage: 0 train, 1 validation, 2 test, -1 none given.
        digest: of its decoded pixels; see `image_files.digest`.
        file: its name in the source.
    """

    image: bytes
    label: int
    usage: int
    digest: str
    file: str


def write(collected: Collected, folder: Path, fer: bool) -> None:
    """Prepares the TFDS data set `folder/fer2013/1.0.0`. Raises OSError.

    What is not FER-2013 lies in `picture_folders` instead.
    """
    with _quiet():
        builder = (Fer2013 if fer else ImageFolders)(collected, data_dir=folder, file_format="array_record")
        try:
            builder.download_and_prepare(download_config=tfds.download.DownloadConfig(try_download_gcs=False))
        except RuntimeError as error:  # from ArrayRecord when a disk refuses, with the system's words somewhere in it
            known = (os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EIO))
            reason = next((words for words in known if words in str(error)), str(error).splitlines()[0][:160])
            raise OSError(errno.EIO, reason) from error
    shutil.rmtree(folder / "downloads", ignore_errors=True)  # TFDS makes it although nothing is downloaded


def open_builder(folder: Path) -> tfds.core.DatasetBuilder:
    """Returns the prepared data set below `folder`, without its sources."""
    (description,) = Path(folder).glob("*/*/dataset_info.json")
    with _quiet():
        return tfds.builder_from_directory(description.parent)


def data_source(folder: Path, split: str) -> Sequence[dict[str, Any]]:
    """Returns one split as a random-access source for Grain; images stay encoded."""
    return open_builder(folder).as_data_source(split, decoders={"image": tfds.decode.SkipDecoding()})


def read(folder: Path, decode: Callable[[Record], Any]) -> Iterator[Any]:
    """Yields every record, decoded through Grain, in the order of `Collected.items`.

    Args:
        folder: as given to `write`.
        decode: applied to each record inside the Grain pipeline.

    Raises:
        Damaged: the files are not what was written.
    """
    try:
        stored = open_builder(folder).info.splits
        for usage in sorted(names.USAGES):
            if names.USAGES[usage] in stored:
                yield from _read_split(data_source(folder, names.USAGES[usage]), usage, decode)
    except Exception as error:  # TFDS, ArrayRecord and Grain share no base class for what broken files make them raise
        raise Damaged(f"records: {(str(error).strip().splitlines() or [type(error).__name__])[0][:160]}") from error


class _Chunks:
    """A source in steps of several records: ArrayRecord is fast only when asked for many."""

    def __init__(self, source: Sequence[Any]):
        self._source = source

    def __len__(self) -> int:
        return -(-len(self._source) // _CHUNK)

    def __getitem__(self, index: int) -> list[dict[str, Any]]:
        wanted = range(index * _CHUNK, min((index + 1) * _CHUNK, len(self._source)))
        return self._source.__getitems__(list(wanted))  # type: ignore[attr-defined]


def _read_split(source: Sequence[Any], usage: int, decode: Callable[[Record], Any]) -> Iterator[Any]:
    def decode_all(chunk: list[dict[str, Any]]) -> list[Any]:
        return [
            decode(Record(one["image"], int(one["label"]), usage, one["digest"].decode(), one["file"].decode()))
            for one in chunk
        ]

    chunks = grain.MapDataset.source(_Chunks(source)).map(decode_all)
    # No threads: decoding small images holds Python's lock most of the time, and threads measured
    # slower.
    for chunk in chunks.to_iter_dataset(grain.ReadOptions(num_threads=0, prefetch_buffer_size=0)):
        yield from chunk


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps TFDS from printing to stdout, drawing bars and logging what is for its authors."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    tfds.disable_progress_bar()
    try:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            yield
    finally:
        tfds.enable_progress_bar()
        logging.set_verbosity(verbosity)
