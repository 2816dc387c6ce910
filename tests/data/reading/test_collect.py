"""One walk over a source: every form gives the same images; broken ones are named and counted."""

import io
import random
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from fer_jax.data.reading import image_files
from fer_jax.errors import DataError
from tests.data.conftest import walked


def test_one_set_of_images_gives_one_order_in_every_form(sample, make, collect, tmp_path: Path) -> None:
    kaggle = sample.kaggle()
    shuffled = dict(random.Random(0).sample(list(kaggle.items()), len(kaggle)))
    nested = {f"./archive/fer2013/{name}": data for name, data in shuffled.items()}
    junk = {"__MACOSX/train/happy/._x.jpg": b"x", "train/happy/.DS_Store": b"x", "train/Thumbs.db": b"x", "a.txt": b"x"}
    table, spaced = sample.table(), sample.table("emotion, Usage, pixels")
    (tmp_path / "fer2013.csv").write_bytes(table.replace(b"\n", b"\r\n"))
    (tmp_path / "other.csv").write_bytes(b"\xef\xbb\xbf" + spaced)
    forms = [
        make.folder(tmp_path / "folder", kaggle | junk),
        make.folder(tmp_path / "nested", nested),
        make.folder(tmp_path / "three", sample.three_way()),
        make.zip(tmp_path / "a.zip", shuffled | junk),
        make.zip(tmp_path / "b.zip", {name.replace("/", "\\"): data for name, data in nested.items()}),
        make.tar(tmp_path / "a.tar", nested),
        make.tar(tmp_path / "a.tar.gz", kaggle),
        make.tar(tmp_path / "a.tar.bz2", kaggle),
        make.tar(tmp_path / "a.tar.xz", shuffled | junk),
        tmp_path / "fer2013.csv",
        tmp_path / "other.csv",
        make.folder(tmp_path / "with_table", {"x/fer2013.csv": table, "readme.md": b"x"}),
        make.zip(
            tmp_path / "c.zip", {"icml_face_data.csv": spaced, "train.csv": b"emotion,pixels\n", "fer2013.tar.gz": b"x"}
        ),
        make.tar(tmp_path / "c.tar.gz", {"fer2013/fer2013.csv": table, "fer2013/README": b"x"}),
    ]
    found = [collect(form, True) for form in forms]
    for form, other in zip(forms, found, strict=True):
        assert other.key == found[0].key, form
        assert other.provenance["contents_sha256"] == found[0].provenance["contents_sha256"]
        assert not len(other.problems)
        same = [np.asarray(image_files.decode(other.data[item.name])) for item in other.items]
        assert np.array_equal(
            same, [np.asarray(image_files.decode(found[0].data[item.name])) for item in found[0].items]
        )


def test_other_files_are_counted_as_ignored(make, collect, tmp_path: Path) -> None:
    members = {
        "a/1.jpg": make.jpeg(1),
        "b/1.jpg": make.jpeg(2),
        "notes.txt": b"x",
        "a/1.jpg.bak": b"x",
        "b/.hidden": b"x",
    }
    ignored = collect(make.zip(tmp_path / "a.zip", members), False).provenance["ignored"]
    assert ignored["count"] == 2
    assert sorted(ignored["items"]) == ["a/1.jpg.bak", "notes.txt"]


def test_unreadable_images_are_counted_and_the_first_ones_named(good, make, collect, tmp_path: Path) -> None:
    members = good | {
        f"train/happy/bad{i}.jpg": data for i, data in enumerate((b"", b"text", b"\xff\xd8", make.jpeg(9)[:-400]))
    }
    forms = {"f": make.folder, "a.zip": make.zip, "a.tar": make.tar}
    for path in [write(tmp_path / name, members) for name, write in forms.items()]:
        found = collect(path, True)
        assert set(found.data) == set(good)
        assert found.problems.counts == {"unreadable picture": 4}
        assert {item["item"] for item in found.provenance["skipped"]["items"]} == set(members) - set(good)
    text = collect(tmp_path / "a.tar", True).fatal("a.tar")
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
    assert "huge.png (has 10000 x 10000 pixels" in found.fatal()


def test_a_member_larger_than_the_limit_is_not_read(good, make, collect, tmp_path: Path, monkeypatch) -> None:
    from fer_jax.data.reading import image_files

    monkeypatch.setattr(image_files, "MAX_BYTES", 5_000)
    found = collect(make.zip(tmp_path / "a.zip", good | {"train/sad/huge.jpg": bytes(10_000)}), True)
    assert found.problems.counts == {"unreadable picture": 1}
    assert "huge.jpg (is larger than" in found.fatal()


def test_broken_rows_are_named_by_number(sample, collect, tmp_path: Path) -> None:
    lines = sample.table().splitlines(keepends=True)
    lines[3] = b"3,1 2 3,Training\n"
    lines[5] = b"9," + lines[5].split(b",", 1)[1]
    (tmp_path / "fer2013.csv").write_bytes(b"".join(lines))
    found = collect(tmp_path / "fer2013.csv", True)
    assert len(found.items) == len(sample.images) - 2
    assert found.problems.counts == {"broken row": 1, "item of an unknown class": 1}
    text = found.fatal("fer2013.csv")
    assert "1 broken row in fer2013.csv: row 4 (has 3 pixels, not 2,304)" in text and "row 6 (emotion '9'" in text


def test_nothing_usable_is_fatal_even_when_skipping(make, collect, tmp_path: Path) -> None:
    path = make.folder(tmp_path / "f", {"train/happy/1.jpg": b"x", "train/sad/1.jpg": b"x"})
    with pytest.raises(DataError, match="nothing in it can be used: 2 unreadable pictures"):
        collect(path, True)
    (tmp_path / "a.csv").write_bytes(b"emotion,pixels,Usage\n")
    with pytest.raises(DataError, match="it has no rows"):
        collect(tmp_path / "a.csv", True)


def test_names_that_would_garble_a_terminal(good, make, collect, tmp_path: Path) -> None:
    name = "train/happy/a\x1b[31m\n" + "x" * 300 + ".jpg"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for member, data in (good | {name: b"x"}).items():
            archive.writestr(member, data)
    text = collect(tmp_path / "a.zip", True).fatal()
    assert text.isprintable() and len(text) < 400


def test_nothing_is_read_but_ordinary_formats(good, make, collect, tmp_path: Path) -> None:
    array = io.BytesIO()
    np.save(array, np.array([object()], object), allow_pickle=True)
    members = good | {"train/happy/x.png": array.getvalue(), "train/happy/y.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n"}
    assert collect(make.zip(tmp_path / "a.zip", members), True).problems.counts == {"unreadable picture": 2}


def test_the_spool_gives_back_files_and_pixels_in_any_order(sample, make, tmp_path: Path) -> None:
    path = make.folder(tmp_path / "faces", sample.kaggle())
    for size in ((48, 48, 1), (24, 24, 3)):
        with walked(path, True, size) as found:
            for item in random.Random(0).sample(found.items, len(found.items)):
                data = sample.kaggle()[item.name]
                assert found.spool.encoded(item.number) == data
                wanted = image_files.fit(image_files.decode(data), size[0], size[2])
                np.testing.assert_array_equal(found.spool.pixels(item.number), wanted)
