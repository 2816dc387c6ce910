"""Folders: links, changes, depth, and what cannot be read."""

import os
from pathlib import Path

import pytest

from fer_jax.data.reading import containers, opening, source
from fer_jax.data.reading.wanted import Wanted
from fer_jax.errors import DataError


def test_images_of_a_folder_may_be_links(make, collect, tmp_path: Path) -> None:
    make.folder(tmp_path / "store", {"1.jpg": make.jpeg(1), "2.jpg": make.jpeg(2)})
    for label, file in (("up", "1.jpg"), ("down", "2.jpg")):
        (tmp_path / "faces" / label).mkdir(parents=True)
        os.symlink(tmp_path / "store" / file, tmp_path / "faces" / label / file)
    os.symlink(tmp_path / "faces", tmp_path / "faces" / "down" / "again")  # a loop
    assert collect(tmp_path / "faces", False).labels == {"up/1.jpg": "up", "down/2.jpg": "down"}


def test_the_fingerprint_follows_the_files(make, tmp_path: Path) -> None:
    path = make.folder(tmp_path / "faces", {"a/1.jpg": b"1", "b/1.jpg": b"2"})
    seen = [opening.open_container(str(path)).fingerprint()]
    assert opening.open_container(str(path)).fingerprint() == seen[0]
    os.utime(path / "a" / "1.jpg", ns=(1, 1))
    seen.append(opening.open_container(str(path)).fingerprint())
    (path / "a" / "1.jpg").rename(path / "a" / "2.jpg")
    seen.append(opening.open_container(str(path)).fingerprint())
    (path / "c").mkdir()
    seen.append(opening.open_container(str(path)).fingerprint())
    (path / "b" / "1.jpg").write_bytes(b"33")
    os.utime(path / "b" / "1.jpg", ns=(1, 1))
    seen.append(opening.open_container(str(path)).fingerprint())
    assert len(set(seen)) == len(seen)


def test_folders_without_end(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a"] * 150)
    deep.mkdir(parents=True)
    with pytest.raises(DataError, match="deep in each other"):
        source.read(str(tmp_path), 48, 1, "skip", Wanted(fer=True))


def test_a_link_to_nowhere_is_an_unreadable_image(good, make, collect, tmp_path: Path) -> None:
    path = make.folder(tmp_path / "f", good)
    os.symlink(tmp_path / "nowhere", path / "train" / "happy" / "gone.jpg")
    assert "gone.jpg (cannot be read: No such file or directory)" in collect(path, True).fatal()


def test_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch) -> None:
    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(containers.os, "scandir", refuse)
    with pytest.raises(DataError, match="cannot list .*Permission denied"):
        source.read(str(tmp_path), 48, 1, "skip", Wanted(fer=True))
