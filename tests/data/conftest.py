"""Small data sets in every form that can be read, made of random images."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_jax.data import names
from fer_jax.data.reading.collect import Collected, Spool, collect
from fer_jax.data.reading.opening import open_container
from fer_jax.data.reading.wanted import Wanted
from fer_jax.errors import DataError

OFFICIAL = {names.TRAIN: "Training", names.VALIDATION: "PublicTest", names.TEST: "PrivateTest"}


def jpeg(seed: int, size: int = 48) -> bytes:
    """A grey JPEG of smooth noise; no two seeds decode to the same pixels."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6), np.uint8)
    file = io.BytesIO()
    Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC).save(file, "JPEG")
    return file.getvalue()


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


@dataclasses.dataclass(frozen=True)
class Sample:
    """Images of all seven classes and three usages: (class, usage, file name, JPEG)."""

    images: tuple[tuple[str, int, str, bytes], ...]

    def kaggle(self) -> dict[str, bytes]:
        """Member names of the Kaggle folder release, with their contents."""
        folder = {names.TRAIN: "train", names.VALIDATION: "test", names.TEST: "test"}
        return {f"{folder[usage]}/{label}/{OFFICIAL[usage]}_{name}": data for label, usage, name, data in self.images}

    def three_way(self) -> dict[str, bytes]:
        folder = {names.TRAIN: "Train", names.VALIDATION: "val", names.TEST: "testing"}
        return {f"{folder[usage]}/{label}/{name}": data for label, usage, name, data in self.images}

    def table(self, header: str = "emotion,pixels,Usage") -> bytes:
        columns = [column.strip().lower() for column in header.split(",")]
        lines = [header]
        for label, usage, _, data in reversed(self.images):
            fields = {
                "emotion": str(names.CSV_ORDER.index(label)),
                "pixels": " ".join(map(str, pixels(data).ravel().tolist())),
                "usage": OFFICIAL[usage],
            }
            lines.append(",".join(fields[column] for column in columns))
        return ("\n".join(lines) + "\n").encode()


@pytest.fixture(scope="session")
def sample() -> Sample:
    made = []
    for at, label in enumerate(names.CLASSES):
        for usage in OFFICIAL:
            for copy in range(2):
                seed = at * 10 + usage * 3 + copy
                made.append((label, usage, f"{(seed * 7919) % 1000:03}.jpg", jpeg(seed)))
    return Sample(tuple(made))


def write_folder(path: Path, members: dict[str, bytes]) -> Path:
    for name, data in members.items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return path


def write_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in reversed(members.items()):
            archive.writestr(name, data)
    return path


def write_tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, f"w:{path.suffix[1:] if path.suffix != '.tar' else ''}") as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


class Make:
    """Writers, for tests that take them as a fixture."""

    jpeg = staticmethod(jpeg)
    pixels = staticmethod(pixels)
    folder = staticmethod(write_folder)
    zip = staticmethod(write_zip)
    tar = staticmethod(write_tar)


@pytest.fixture(scope="session")
def make() -> type[Make]:
    return Make


@contextlib.contextmanager
def walked(path: Path, fer: bool | Wanted, size: tuple[int, int, int] = (48, 48, 1)) -> Iterator[Collected]:
    """What one walk over a source finds, with its spool, without preparing anything from it."""
    with tempfile.TemporaryFile() as encoded, tempfile.TemporaryFile() as pixels:
        wanted = fer if isinstance(fer, Wanted) else Wanted(fer=fer)
        yield collect(open_container(str(path)), wanted, Spool(encoded, pixels, size))


class Found:
    """What is left of a walk after its end."""

    def __init__(self, path: Path, fer: bool | Wanted):
        with walked(path, fer) as found:
            self.data = {item.name: found.spool.encoded(item.number) for item in found.items}
            self.pixels = {item.name: found.spool.pixels(item.number) for item in found.items}
        self.items = found.items
        self.classes = found.classes
        self.problems = found.problems
        self.provenance = found.provenance
        self.usage = {item.name: item.usage for item in found.items}
        self.labels = {item.name: item.label for item in found.items}
        self.groups = {item.name: item.group for item in found.items}
        self.notes = found.provenance.get("notes", [])
        self.key = [(item.usage, item.label, item.digest) for item in found.items]

    def fatal(self, path: str = "a.zip") -> str:
        """The one line that ends the program, unless what is broken is skipped."""
        with pytest.raises(DataError) as caught:
            self.problems.check(path, "fatal")
        self.problems.check(path, "skip")
        return one_line(caught)


def one_line(caught: pytest.ExceptionInfo[DataError]) -> str:
    text = str(caught.value)
    assert text and "\n" not in text
    return text


@pytest.fixture(name="collect")
def collect_whole() -> type[Found]:
    return Found


@pytest.fixture
def good() -> dict[str, bytes]:
    return {f"train/{label}/{i}.jpg": jpeg(i) for i, label in enumerate(("happy", "sad"))}


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("FER_JAX_CACHE", str(folder))
    return folder
