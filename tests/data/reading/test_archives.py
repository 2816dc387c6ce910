"""Zip and tar archives: read as a whole or refused in one line, whatever is wrong with them."""

import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fer_jax.data.reading import source
from fer_jax.data.reading.wanted import Wanted
from fer_jax.errors import DataError
from tests.data.conftest import one_line


def test_of_members_with_one_name_the_last_counts(make, collect, tmp_path: Path) -> None:
    import tarfile

    path = make.tar(tmp_path / "a.tar", {"a/1.jpg": make.jpeg(1), "b/1.jpg": make.jpeg(2)})
    with tarfile.open(path, "a") as archive:
        (tmp_path / "new").write_bytes(make.jpeg(9))
        archive.add(tmp_path / "new", "a/1.jpg")
    assert collect(path, False).data["a/1.jpg"] == make.jpeg(9)


def test_encrypted_zips(good, make, tmp_path: Path) -> None:
    data = bytearray(make.zip(tmp_path / "a.zip", good).read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := data.find(signature, at + 1)) >= 0:
            data[at + offset] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(DataError, match="the zip is encrypted; unpack it"):
        source.read(str(tmp_path / "a.zip"), 48, 1, "skip", Wanted(fer=True))


def test_unknown_compression(good, make, tmp_path: Path) -> None:
    data = bytearray(make.zip(tmp_path / "a.zip", good).read_bytes())
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = -1
        while (at := data.find(signature, at + 1)) >= 0:
            data[at + offset] = 9
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(DataError, match="unpack it and name the folder"):
        source.read(str(tmp_path / "a.zip"), 48, 1, "skip", Wanted(fer=True))


def test_a_zip_member_with_a_wrong_checksum_is_one_bad_image(good, make, collect, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, data in good.items():
            archive.writestr(name, data)
    whole = (tmp_path / "a.zip").read_bytes()
    at = whole.index(good["train/sad/1.jpg"]) + 200
    (tmp_path / "a.zip").write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
    found = collect(tmp_path / "a.zip", True)
    assert set(found.data) == {"train/happy/0.jpg"}
    assert "train/sad/1.jpg (is damaged in the archive" in found.fatal()


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.bz2", ".tar.xz", ".zip"])
def test_cut_off_archives_are_never_read_as_shorter_ones(suffix: str, sample, make, tmp_path: Path, collect) -> None:
    members = dict(list(sample.kaggle().items())[:12])
    path = (make.zip if suffix == ".zip" else make.tar)(tmp_path / f"a{suffix}", members)
    whole = path.read_bytes()
    cuts = {len(whole) * i // 7 for i in range(1, 7)}
    if suffix == ".tar":
        cuts |= {512 * (len(whole) // 1024), 512 * (len(whole) // 1024) + 100}  # at a header, within a header
        cuts -= set(range(whole.rstrip(b"\0").__len__() + 512, len(whole)))
    for cut in cuts:
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match="damaged or cut off") as caught:
            collect(path, True)
        one_line(caught)


def test_a_tar_with_a_broken_header_in_its_middle(sample, make, tmp_path: Path, collect) -> None:
    path = make.tar(tmp_path / "a.tar", sample.kaggle())
    whole = bytearray(path.read_bytes())
    with tarfile.open(path) as archive:
        at = archive.getmembers()[5].offset
    whole[at : at + 512] = os.urandom(512)
    path.write_bytes(whole)
    with pytest.raises(DataError, match="damaged or cut off"):
        collect(path, True)


def test_a_tar_header_that_claims_gigabytes_is_refused(tmp_path: Path, good, make, collect) -> None:
    path = make.tar(tmp_path / "a.tar", good)
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2**33 - 1
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + path.read_bytes())
    with pytest.raises(DataError, match="extended header is too large"):
        collect(path, True)


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tar.xz"])
def test_damaged_archives_end_in_one_line_or_in_images(suffix: str, good, make, tmp_path: Path, collect) -> None:
    path = (make.zip if suffix == ".zip" else make.tar)(tmp_path / f"a{suffix}", good)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(80):
        broken = bytearray(whole)
        for at in rng.integers(0, len(broken), 1 + rng.integers(4)):
            broken[at] = rng.integers(256)
        path.write_bytes(broken)
        try:
            collect(path, True)
        except DataError as error:
            assert "\n" not in str(error)
