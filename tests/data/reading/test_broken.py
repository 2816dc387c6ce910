"""Broken input: single items are named, counted and skipped on demand; broken sources end in one
line.
"""

import io
import os
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from fer_jax.data.reading import containers, source
from fer_jax.errors import DataError

NOT_ROOT = pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")


def one_line(caught) -> str:
    text = str(caught.value)
    assert text and "\n" not in text
    return text


def kinds(collected) -> dict[str, int]:
    return collected.problems.counts


def fatal(collected, path: str = "a.zip") -> str:
    with pytest.raises(DataError) as caught:
        collected.problems.check(path, "fatal")
    collected.problems.check(path, "skip")
    return one_line(caught)


@pytest.fixture
def good(make) -> dict[str, bytes]:
    return {f"train/{label}/{i}.jpg": make.jpeg(i) for i, label in enumerate(("happy", "sad"))}


def test_unreadable_images_are_counted_and_the_first_ones_named(good, make, collect, tmp_path: Path) -> None:
    members = good | {
        f"train/happy/bad{i}.jpg": data for i, data in enumerate((b"", b"text", b"\xff\xd8", make.jpeg(9)[:-400]))
    }
    forms = {"f": make.folder, "a.zip": make.zip, "a.tar": make.tar}
    for path in [write(tmp_path / name, members) for name, write in forms.items()]:
        found = collect(path, True)
        assert set(found.data) == set(good)
        assert kinds(found) == {"unreadable picture": 4}
        assert {item["item"] for item in found.provenance["skipped"]["items"]} == set(members) - set(good)
    text = fatal(collect(tmp_path / "a.tar", True), "a.tar")
    assert text.startswith("4 unreadable pictures in a.tar: train/happy/bad0.jpg (is empty), train/happy/bad1.jpg (")
    assert "train/happy/bad2.jpg" in text and " and 1 more; " in text and "bad3" not in text
    assert text.endswith("--config.data.on_error=skip leaves them out")


def png_of(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(b"")
    chunks = [(b"IHDR", header), (b"IDAT", body), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def test_a_image_of_a_hundred_megapixels(good, make, collect, tmp_path: Path) -> None:
    found = collect(make.zip(tmp_path / "a.zip", good | {"train/sad/huge.png": png_of(10_000, 10_000)}), True)
    assert "huge.png (has 10000 x 10000 pixels" in fatal(found)


def test_a_member_larger_than_the_limit_is_not_read(good, make, collect, tmp_path: Path, monkeypatch) -> None:
    from fer_jax.data.reading import image_files

    monkeypatch.setattr(image_files, "MAX_BYTES", 5_000)
    found = collect(make.zip(tmp_path / "a.zip", good | {"train/sad/huge.jpg": bytes(10_000)}), True)
    assert kinds(found) == {"unreadable picture": 1}
    assert "huge.jpg (is larger than" in fatal(found)


def test_unknown_classes_and_stray_images(good, make, collect, tmp_path: Path) -> None:
    extra = {"train/contempt/1.jpg": make.jpeg(7), "logo.png": make.jpeg(8), "other/x.jpg": make.jpeg(9)}
    found = collect(make.folder(tmp_path / "f", good | extra), True)
    assert kinds(found) == {"item of an unknown class": 1, "picture outside the class folders": 2}
    text = fatal(found)
    assert "train/contempt/1.jpg ('contempt' is none of angry, disgust" in text and "logo.png" in text
    assert set(collect(tmp_path / "f", False).classes) == {"happy", "sad", "contempt"}


def test_an_empty_class_folder(good, make, collect, tmp_path: Path) -> None:
    path = make.folder(tmp_path / "f", good | {"train/fear/readme.txt": b"x"})
    (path / "train" / "disgust").mkdir()
    (path / "train" / "notes").mkdir()
    found = collect(path, True)
    assert kinds(found) == {"empty class folder": 2}
    assert "2 empty class folders in a.zip: train/disgust (holds no pictures), train/" in fatal(found)
    assert kinds(collect(path, False)) == {"empty class folder": 3}


CLIMBING = ["../out.jpg", "train/../../out.jpg", "/etc/out.jpg", "C:/out.jpg", "..\\out.jpg", "../passwd"]


@pytest.mark.parametrize("name", CLIMBING)
def test_zip_members_that_climb_out_are_refused(name: str, good, make, collect, tmp_path: Path) -> None:
    found = collect(make.zip(tmp_path / "a.zip", good | {name: make.jpeg(5)}), True)
    assert set(found.data) == set(good)
    assert kinds(found) == {"refused archive member": 1}
    assert "points outside the archive" in fatal(found)
    assert sorted(os.listdir(tmp_path)) == ["a.zip"]


@pytest.mark.parametrize("name", ["../out.jpg", "/etc/out.jpg", "a/b/../../../out.jpg"])
def test_tar_members_that_climb_out_are_refused(name: str, good, make, collect, tmp_path: Path) -> None:
    found = collect(make.tar(tmp_path / "a.tar", good | {name: make.jpeg(5)}), True)
    assert set(found.data) == set(good)
    assert "points outside the archive" in fatal(found)


def test_links_and_devices_in_archives_are_refused(good, make, collect, tmp_path: Path) -> None:
    path = make.tar(tmp_path / "a.tar", good)
    with tarfile.open(path, "a") as archive:
        for name, kind in (("1.jpg", tarfile.SYMTYPE), ("2.jpg", tarfile.LNKTYPE), ("3.jpg", tarfile.CHRTYPE)):
            info = tarfile.TarInfo(f"train/happy/{name}")
            info.type, info.linkname = kind, "train/happy/0.jpg"
            archive.addfile(info)
    found = collect(path, True)
    assert kinds(found) == {"refused archive member": 3}
    assert {item["reason"] for item in found.problems.listed} == {"is a link", "is a device or a pipe"}
    with zipfile.ZipFile(make.zip(tmp_path / "a.zip", good), "a") as zipped:
        link = zipfile.ZipInfo("train/happy/link.jpg")
        link.external_attr = 0o120777 << 16
        zipped.writestr(link, "/etc/passwd")
    assert "link.jpg (is a link)" in fatal(collect(tmp_path / "a.zip", True))


def test_broken_rows_are_named_by_number(sample, collect, tmp_path: Path) -> None:
    lines = sample.table().splitlines(keepends=True)
    lines[3] = b"3,1 2 3,Training\n"
    lines[5] = b"9," + lines[5].split(b",", 1)[1]
    (tmp_path / "fer2013.csv").write_bytes(b"".join(lines))
    found = collect(tmp_path / "fer2013.csv", True)
    assert len(found.items) == len(sample.images) - 2
    assert kinds(found) == {"broken row": 1, "item of an unknown class": 1}
    text = fatal(found, "fer2013.csv")
    assert "1 broken row in fer2013.csv: row 4 (has 3 pixels, not 2,304)" in text and "row 6 (emotion '9'" in text


def test_nothing_usable_is_fatal_even_when_skipping(make, collect, tmp_path: Path) -> None:
    path = make.folder(tmp_path / "f", {"train/happy/1.jpg": b"x", "train/sad/1.jpg": b"x"})
    with pytest.raises(DataError, match="nothing in it can be used: 2 unreadable pictures"):
        collect(path, True)
    (tmp_path / "a.csv").write_bytes(b"emotion,pixels,Usage\n")
    with pytest.raises(DataError, match="it has no rows"):
        collect(tmp_path / "a.csv", True)


def read(path: object, fer: bool = True) -> source.Source:
    return source.read(str(path), 48, 1, "skip", fer)


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
            read(path)
        one_line(caught)


def test_a_table_is_for_fer_only(sample, tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_bytes(sample.table())
    with pytest.raises(DataError, match="--config.data.name=fer2013"):
        read(tmp_path / "fer2013.csv", fer=False)


@NOT_ROOT
def test_what_may_not_be_read(good, make, tmp_path: Path) -> None:
    path = make.zip(tmp_path / "a.zip", good)
    path.chmod(0)
    with pytest.raises(DataError, match="cannot read .*Permission denied"):
        read(path)


def test_folders_without_end(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a"] * 150)
    deep.mkdir(parents=True)
    with pytest.raises(DataError, match="deep in each other"):
        read(tmp_path)


def test_a_link_to_nowhere_is_an_unreadable_image(good, make, collect, tmp_path: Path) -> None:
    path = make.folder(tmp_path / "f", good)
    os.symlink(tmp_path / "nowhere", path / "train" / "happy" / "gone.jpg")
    assert "gone.jpg (cannot be read: No such file or directory)" in fatal(collect(path, True))


def test_encrypted_zips(good, make, tmp_path: Path) -> None:
    data = bytearray(make.zip(tmp_path / "a.zip", good).read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := data.find(signature, at + 1)) >= 0:
            data[at + offset] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(DataError, match="the zip is encrypted; unpack it"):
        read(tmp_path / "a.zip")


def test_unknown_compression(good, make, tmp_path: Path) -> None:
    data = bytearray(make.zip(tmp_path / "a.zip", good).read_bytes())
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = -1
        while (at := data.find(signature, at + 1)) >= 0:
            data[at + offset] = 9
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(DataError, match="unpack it and name the folder"):
        read(tmp_path / "a.zip")


def test_a_zip_member_with_a_wrong_checksum_is_one_bad_image(good, make, collect, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, data in good.items():
            archive.writestr(name, data)
    whole = (tmp_path / "a.zip").read_bytes()
    at = whole.index(good["train/sad/1.jpg"]) + 200
    (tmp_path / "a.zip").write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
    found = collect(tmp_path / "a.zip", True)
    assert set(found.data) == {"train/happy/0.jpg"}
    assert "train/sad/1.jpg (is damaged in the archive" in fatal(found)


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


def test_names_that_would_garble_a_terminal(good, make, collect, tmp_path: Path) -> None:
    name = "train/happy/a\x1b[31m\n" + "x" * 300 + ".jpg"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for member, data in (good | {name: b"x"}).items():
            archive.writestr(member, data)
    text = fatal(collect(tmp_path / "a.zip", True))
    assert text.isprintable() and len(text) < 400


def test_nothing_is_read_but_ordinary_formats(good, make, collect, tmp_path: Path) -> None:
    array = io.BytesIO()
    np.save(array, np.array([object()], object), allow_pickle=True)
    members = good | {"train/happy/x.png": array.getvalue(), "train/happy/y.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n"}
    assert kinds(collect(make.zip(tmp_path / "a.zip", members), True)) == {"unreadable picture": 2}


def test_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch) -> None:
    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(containers.os, "scandir", refuse)
    with pytest.raises(DataError, match="cannot list .*Permission denied"):
        read(tmp_path)
