"""Which container lies at a path, by its contents; and what is none."""

import os
from pathlib import Path

import pytest

from fer_jax.data.reading import opening, source
from fer_jax.data.reading.wanted import Wanted
from fer_jax.errors import DataError
from tests.data.conftest import one_line

NOT_ROOT = pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")


def test_kinds_are_told_by_content(sample, make, tmp_path: Path) -> None:
    make.zip(tmp_path / "faces", sample.kaggle())
    make.tar(tmp_path / "a.tar.gz", sample.kaggle()).rename(tmp_path / "faces.dat")
    assert opening.open_container(str(tmp_path / "faces")).kind == "zip"
    assert opening.open_container(str(tmp_path / "faces.dat")).kind == "tar"
    assert opening.open_container(str(tmp_path)).kind == "folder"


def test_paths_that_name_nothing_readable(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_bytes(b"hello")
    (tmp_path / "text.zip").write_bytes(b"hello")
    (tmp_path / "short.zip").write_bytes(b"PK")
    os.mkfifo(tmp_path / "pipe")
    for path, says in [
        ("", "data.path is empty"),
        (tmp_path / "nowhere", "cannot find .*nowhere: No such file"),
        (tmp_path / "text" / "x", "cannot find"),
        ("a\0b", "cannot find"),
        (tmp_path / "empty", "is an empty file"),
        (tmp_path / "text", "neither a folder, a zip, a tar"),
        (tmp_path / "text.zip", "neither a folder, a zip, a tar"),
        (tmp_path / "short.zip", "damaged or cut off"),
        (tmp_path / "pipe", "neither a file nor a folder"),
    ]:
        with pytest.raises(DataError, match=says) as caught:
            source.read(str(path), 48, 1, "skip", Wanted(fer=True))
        one_line(caught)


@NOT_ROOT
def test_what_may_not_be_read(good, make, tmp_path: Path) -> None:
    path = make.zip(tmp_path / "a.zip", good)
    path.chmod(0)
    with pytest.raises(DataError, match="cannot read .*Permission denied"):
        source.read(str(path), 48, 1, "skip", Wanted(fer=True))
