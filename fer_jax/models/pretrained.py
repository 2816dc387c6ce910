"""The backbones' ImageNet weights: files that Keras publishes, found in the cache or downloaded."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any

from fer_jax.base import cache, console
from fer_jax.base.text import shown
from fer_jax.errors import DataError

_BASE = "https://storage.googleapis.com/tensorflow/keras-applications"
_TIMEOUT_S = 30


@dataclasses.dataclass(frozen=True)
class WeightsFile:
    """A published file with a backbone's weights, without those of Keras' top.

    Attributes:
        folder: URL of the folder that it is in.
        file: its name.
        md5: its checksum as Keras states it, 32 hexadecimal digits; empty where Keras states none.
    """

    folder: str
    file: str
    md5: str

    @property
    def url(self) -> str:
        """The address to download it from."""
        return f"{self.folder}/{self.file}"


# Addresses and checksums are those in keras/src/applications of Keras 3.15.
FILES = {
    "vgg19": WeightsFile(
        f"{_BASE}/vgg19", "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5", "253f8cb515780f3b799900260a226db6"
    ),
    "mobilenet_v2": WeightsFile(
        f"{_BASE}/mobilenet_v2", "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5", ""
    ),
    "efficientnet_b0": WeightsFile(
        "https://storage.googleapis.com/keras-applications",
        "efficientnetb0_notop.h5",
        "50bc09e76180e00e4465e1a485ddc09d",
    ),
    "resnet50_v2": WeightsFile(
        f"{_BASE}/resnet", "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5", "fac2f116257151a9d068a22e544a4917"
    ),
}


def find(name: str, path: str = "") -> Path:
    """Returns the path of the file with a backbone's weights; the first call may download it.

    Args:
        name: one of `FILES`; read where `path` is empty.
        path: a file of the user's. Where it is empty, the published file is taken from the folder
            `weights` of the cache, or downloaded into it.

    Raises:
        DataError: `path` is no file; or the published file is not in the cache and cannot be
            downloaded whole. The message names the file, its address and where to put it.
    """
    if path:
        given = Path(path).expanduser()
        if not given.is_file():
            raise DataError(f"weights {shown(path)}: no such file")
        return given
    wanted = FILES[name]
    place = cache.root() / "weights" / wanted.file
    with cache.explain_write(place.parent, "read"):
        there = place.is_file()
    if not there:
        _download(wanted, place)
    return place


def checksum(path: Path) -> str:
    """Returns the SHA-256 of a file, by which trials that begin with its weights are known.

    Returns:
        64 hexadecimal digits.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"weights {shown(str(path))}: cannot be read: {error.strerror}") from error


def _download(wanted: WeightsFile, place: Path) -> None:
    console.say(f"downloading {wanted.url}")
    with cache.explain_write(place.parent):
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.NamedTemporaryFile(dir=place.parent, prefix=".", delete=False)  # noqa: SIM115  (closed below)
    try:
        with temporary as file:
            problem = _fetch(wanted, file)
        if problem:
            raise DataError(
                f"weights {wanted.file} cannot be downloaded ({problem}): fetch {wanted.url} on another machine "
                f"and put it at {shown(str(place))}"
            )
        os.chmod(temporary.name, 0o644)
        os.replace(temporary.name, place)
    finally:
        Path(temporary.name).unlink(missing_ok=True)


def _fetch(wanted: WeightsFile, file: IO[bytes]) -> str:
    """Writes the download to `file`; returns what is wrong with it, or an empty text."""
    digest, size = hashlib.md5(usedforsecurity=False), 0
    try:
        with urllib.request.urlopen(wanted.url, timeout=_TIMEOUT_S) as response:
            expected: Any = response.headers.get("Content-Length")
            while block := response.read(2**20):
                file.write(block)
                digest.update(block)
                size += len(block)
    except (OSError, urllib.error.URLError) as error:
        return str(getattr(error, "reason", None) or error)
    if expected is not None and int(expected) != size:
        return f"{size:,} of {int(expected):,} bytes came"
    if wanted.md5 and digest.hexdigest() != wanted.md5:
        return f"its MD5 is {digest.hexdigest()} instead of {wanted.md5}"
    return ""
