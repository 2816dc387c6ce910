"""`source.read` from a path to arrays: forms, sizes, the cache, and what happens when it is
damaged or shared.
"""

import io
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_jax.data import names, reading
from fer_jax.data.reading import arrays, collect, image_files, source
from fer_jax.data.reading.wanted import Wanted
from fer_jax.errors import DataError


def read(path: Path, size: int = 48, channels: int = 1, on_error: str = "fatal", fer: bool = True) -> source.Source:
    return source.read(str(path), size, channels, on_error, Wanted(fer=fer))


@pytest.fixture
def folder(sample, make, tmp_path: Path) -> Path:
    return make.folder(tmp_path / "faces", sample.kaggle())


@pytest.fixture
def walks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Kinds of sources that were read from end to end."""
    seen = []
    walk = collect.collect

    def noted(container, *rest):
        seen.append(container.kind)
        return walk(container, *rest)

    monkeypatch.setattr(collect, "collect", noted)
    return seen


def same(one: source.Source, other: source.Source) -> bool:
    return one.classes == other.classes and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ("images", "labels", "usage")
    )


def test_arrays_hold_the_decoded_images(folder: Path, sample, make) -> None:
    source = read(folder)
    assert source.images.dtype == np.uint8 and source.images.shape == (42, 48, 48, 1)
    assert source.labels.dtype == np.int32 and source.usage.dtype == np.int8
    assert source.classes == names.CLASSES
    assert not any(array.flags.writeable for array in (source.images, source.labels, source.usage))
    stored = {image.tobytes(): at for at, image in enumerate(source.images)}
    assert len(stored) == len(sample.images)
    for label, usage, _, data in sample.images:
        at = stored[make.pixels(data).tobytes()]
        assert (names.CLASSES[source.labels[at]], source.usage[at]) == (label, usage)
    order = list(zip(source.usage.tolist(), source.labels.tolist(), strict=True))
    assert order == sorted(order)
    json.dumps(source.provenance)
    assert source.provenance["source_counts"]["validation"] == dict.fromkeys(names.CLASSES, 2)


def test_forms_give_identical_arrays(folder: Path, sample, make, tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_bytes(sample.table())
    forms = [
        make.zip(tmp_path / "a.zip", sample.kaggle()),
        make.tar(tmp_path / "a.tar.xz", sample.three_way()),
        tmp_path / "fer2013.csv",
    ]
    first = read(folder)
    for form in forms:
        other = read(form)
        assert same(first, other)
        assert other.provenance["contents_sha256"] == first.provenance["contents_sha256"]
        assert other.provenance["arrays_sha256"] == first.provenance["arrays_sha256"]
    assert [read(form).provenance["kind"] for form in forms] == ["zip", "tar", "csv"]


def test_a_second_start_reads_the_cache_only(folder: Path, walks: list[str], capsys, monkeypatch) -> None:
    first = read(folder)
    assert walks == ["folder"]
    assert "reading" in capsys.readouterr().err
    # Whatever decodes or prepares is out of reach now.
    for module in ("collect", "records", "image_files"):
        monkeypatch.setitem(sys.modules, f"fer_jax.data.reading.{module}", None)
        monkeypatch.delattr(reading, module)
    second = read(folder)
    assert same(first, second) and second.provenance == first.provenance
    captured = capsys.readouterr()
    assert captured.err == captured.out == ""


def test_a_second_start_imports_little(folder: Path) -> None:
    read(folder)
    code = (
        "import sys; from fer_jax.data.reading import source; from fer_jax.data.reading.wanted import Wanted\n"
        f"source.read({str(folder)!r}, 48, 1, 'fatal', Wanted(fer=True))\n"
        "print([name for name in ('jax', 'grain', 'tensorflow_datasets', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]" and done.stderr == ""


def test_other_sizes_come_from_the_records(folder: Path, sample, make, walks: list[str]) -> None:
    read(folder)
    small = read(folder, 24)
    colour = read(folder, 24, 3)
    assert walks == ["folder"]
    assert small.images.shape == (42, 24, 24, 1) and colour.images.shape == (42, 24, 24, 3)
    assert np.array_equal(np.repeat(small.images, 3, axis=3), colour.images)
    wanted = {image_files.fit(image_files.decode(data), 24, 1).tobytes() for _, _, _, data in sample.images}
    assert {image.tobytes() for image in small.images} == wanted
    assert small.provenance["image_size"] == 24 and colour.provenance["channels"] == 3


def test_a_changed_source_is_read_again_and_its_old_state_deleted(folder: Path, make, walks, own_cache: Path) -> None:
    before = read(folder)
    (folder / "train" / "happy" / "Training_new.jpg").write_bytes(make.jpeg(999))
    after = read(folder)
    assert len(walks) == 2
    assert len(after.images) == len(before.images) + 1
    assert before.images[0, 0, 0, 0] >= 0  # still mapped
    (home,) = (own_cache / "data").iterdir()
    assert len([entry for entry in home.iterdir() if entry.is_dir()]) == 1


def test_what_was_skipped_is_remembered(folder: Path, walks: list[str], capsys) -> None:
    (folder / "train" / "sad" / "Training_bad.jpg").write_bytes(b"")
    with pytest.raises(DataError, match="1 unreadable picture in .*Training_bad.jpg .is empty.; --config.data.on"):
        read(folder)
    source = read(folder, on_error="skip")
    assert len(source.images) == 42
    assert source.provenance["skipped"]["kinds"] == {"unreadable picture": 1}
    assert "left out: 1 unreadable picture" in capsys.readouterr().err
    assert len(walks) == 2
    for size in (48, 24):
        with pytest.raises(DataError, match="Training_bad.jpg"):
            read(folder, size)
    assert len(walks) == 2
    capsys.readouterr()
    assert same(source, read(folder, on_error="skip"))
    assert "left out: 1 unreadable picture" in capsys.readouterr().err  # from the cache, too


def test_a_readme_beside_the_classes_makes_no_empty_class(make, tmp_path: Path) -> None:
    members = {f"{name}/{i}.png": make.jpeg(i, 30) for i, name in enumerate(("ape", "gnu"))}
    source = read(make.folder(tmp_path / "zoo", {**members, "README.txt": b"apes"}), 12, 3, fer=False)
    assert source.classes == ("ape", "gnu") and not source.provenance["skipped"]["count"]


def test_other_class_folders(make, tmp_path: Path) -> None:
    members = {f"{name}/{i}.png": make.jpeg(i, 30) for i, name in enumerate(("Zebra", "ape", "gnu"))}
    source = read(make.folder(tmp_path / "zoo", members), 12, 3, fer=False)
    assert source.classes == ("ape", "gnu", "zebra")
    assert source.images.shape == (3, 12, 12, 3)
    assert source.labels.tolist() == [0, 1, 2] and set(source.usage.tolist()) == {-1}


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_white_is_judged_over_the_data_set(make, tmp_path: Path, walks, capsys) -> None:
    """Three pictures of 12 bits, one of them dark, beside one of 8 bits and one that is none."""
    ramp = np.arange(48 * 48, dtype=np.uint16).reshape(48, 48)
    members = {
        "happy/a.png": png(ramp),
        "happy/b.png": png(4095 - ramp),
        "sad/dark.png": png(ramp // 12),
        "sad/plain.png": png((ramp // 10).astype(np.uint8)),
        "sad/negative.tif": b"",
    }
    folder = make.folder(tmp_path / "wide", members)
    Image.fromarray(ramp.astype(np.float32) - 9).save(folder / "sad" / "negative.tif")
    found = read(folder, on_error="skip", fer=False)
    scaled = {np.rint(one * (255 / 4095)).astype(np.uint8).tobytes() for one in (ramp, 4095 - ramp, ramp // 12)}
    assert {image.tobytes() for image in found.images} == scaled | {(ramp // 10).astype(np.uint8).tobytes()}
    assert found.provenance["wide"] == [{"numbers": "whole", "white": 4095, "pictures": 3, "highest": 4095.0}]
    assert found.provenance["skipped"]["items"][0]["reason"].startswith("has floating-point pixels, from -9 to")
    line = "3 pictures of more than 8 bits a pixel, from 0 to 4,095: 4,095 is taken as white"
    assert line in capsys.readouterr().err
    small = read(folder, 24, on_error="skip", fer=False)  # from the records, which say nothing of 12 bits
    assert walks == ["folder"] and line in capsys.readouterr().err
    wanted = {image_files.fit(Image.fromarray(image[..., 0]), 24, 1).tobytes() for image in found.images}
    assert {image.tobytes() for image in small.images} == wanted


def test_the_whole_of_what_is_not_square_is_kept(make, tmp_path: Path, walks, own_cache: Path, capsys) -> None:
    rows = np.random.default_rng(1).integers(0, 256, (4, 40, 48), np.uint8)
    members = {f"happy/{at}.png": png(one if at % 2 else one[:, :40]) for at, one in enumerate(rows)}
    folder = make.folder(tmp_path / "oblong", members)
    for found in (read(folder, fer=False), read(folder, 24, fer=False)):
        assert found.whole is not None and len(found.whole.rows) == 2
        names_of = source.file_names(str(folder), Wanted())
        for row, thumb in zip(found.whole.rows, found.whole.thumbs, strict=True):
            wide = Image.fromarray(rows[int(names_of[row][len("happy/")])])
            assert np.array_equal(thumb, image_files.thumb(wide))
    (whole,) = own_cache.rglob("whole.npy")
    damage_byte(whole)
    again = read(folder, fer=False)
    assert again.whole is not None and "whole.npy: its checksum differs" in capsys.readouterr().err
    assert walks == ["folder", "folder"]


def test_square_images_have_no_whole(folder: Path) -> None:
    assert read(folder).whole is None


def test_names_are_those_of_the_images(folder: Path, sample, make, own_cache: Path) -> None:
    found = read(folder)
    by_pixels = {make.pixels(data).tobytes(): name for name, data in sample.kaggle().items()}
    wanted = [by_pixels[image.tobytes()] for image in found.images]
    assert source.file_names(str(folder), Wanted(fer=True)) == wanted
    (kept,) = own_cache.rglob("names.json")
    damage_byte(kept)
    assert source.file_names(str(folder), Wanted(fer=True)) == wanted  # from the records


def test_what_an_earlier_way_of_reading_prepared_is_read_again(folder: Path, walks, monkeypatch) -> None:
    read(folder)
    monkeypatch.setattr(source, "_READING", 999)
    read(folder)
    read(folder, 24)
    assert walks == ["folder", "folder"]


def damage_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGES = {
    "a flipped bit": lambda entry: damage_byte(entry / "48x48x1" / "images.npy"),
    "a cut file": lambda entry: os.truncate(entry / "48x48x1" / "images.npy", 1000),
    "an empty file": lambda entry: os.truncate(entry / "48x48x1" / "labels.npy", 0),
    "a missing file": lambda entry: (entry / "48x48x1" / "usage.npy").unlink(),
    "a broken note": lambda entry: damage_byte(entry / "48x48x1" / "arrays.json"),
    "another array": lambda entry: np.save(entry / "48x48x1" / "labels.npy", np.zeros(42)),
    "pickled objects": lambda entry: np.save(entry / "48x48x1" / "labels.npy", np.array([{}] * 42), allow_pickle=True),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_arrays_are_built_again_from_the_records(
    damage: str, folder: Path, walks, own_cache: Path, capsys
) -> None:
    before = read(folder)
    images = before.images.copy()
    (entry,) = (found for found in next((own_cache / "data").iterdir()).iterdir() if found.is_dir())
    DAMAGES[damage](entry)
    capsys.readouterr()
    after = read(folder)
    assert np.array_equal(after.images, images) and after.provenance == before.provenance
    said = capsys.readouterr().err
    assert said.count("is damaged") == 1 and "building it again" in said
    assert walks == ["folder"]


@pytest.mark.parametrize("what", ["records.json", "array_record", "dataset_info.json"])
def test_damaged_records_are_built_again_from_the_source(
    what: str, folder: Path, walks, own_cache: Path, capsys
) -> None:
    before = read(folder)
    images = before.images.copy()
    (entry,) = (found for found in next((own_cache / "data").iterdir()).iterdir() if found.is_dir())
    (first, *_) = sorted(path for path in (entry / "records").rglob("*") if what in path.name)
    damage_byte(first) if what == "array_record" else os.truncate(first, 20)
    shutil.rmtree(entry / "48x48x1")
    after = read(folder)
    assert np.array_equal(after.images, images)
    assert "is damaged" in capsys.readouterr().err
    assert walks == ["folder", "folder"]


def test_large_arrays_are_checked_in_full_only_when_touched(folder: Path, own_cache: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(arrays, "ALWAYS_CHECKED", 0)
    read(folder)
    (images,) = own_cache.rglob("images.npy")
    changed = images.stat().st_mtime_ns
    damage_byte(images)
    os.utime(images, ns=(changed, changed))
    capsys.readouterr()
    read(folder)
    assert capsys.readouterr().err == ""
    os.utime(images, ns=(1, 1))
    read(folder)
    assert "images.npy: its checksum differs" in capsys.readouterr().err
    (labels,) = own_cache.rglob("labels.npy")
    damage_byte(labels)
    read(folder)
    assert "labels.npy: its checksum differs" in capsys.readouterr().err


def test_a_source_that_changes_while_it_is_read_is_refused(folder: Path, make, monkeypatch, own_cache: Path) -> None:
    walk = collect.collect

    def slow(container, *rest):
        found = walk(container, *rest)
        (folder / "train" / "sad" / "late.jpg").write_bytes(make.jpeg(5))
        return found

    monkeypatch.setattr(collect, "collect", slow)
    with pytest.raises(DataError, match="changed while it was read"):
        read(folder)
    assert not list(own_cache.rglob("*.npy"))


# Stands in for TFDS and Grain, which take seconds to import; locks and renames are what these tests
# are about.
LIGHT_RECORDS = """
import sys, types
from fer_jax.data import reading
from fer_jax.data.reading import source
from fer_jax.data.reading.wanted import Wanted
reading.records = sys.modules["fer_jax.data.reading.records"] = types.SimpleNamespace(write=lambda *_: None)
"""


def start(path: Path, code: str = "") -> subprocess.Popen:
    program = (
        f"{LIGHT_RECORDS}\n{code}\n"
        f"read = source.read({str(path)!r}, 48, 1, 'fatal', Wanted(fer=True))\n"
        "print(read.provenance['arrays_sha256']['images'])"
    )
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_processes_prepare_once(folder: Path) -> None:
    both = [start(folder) for _ in range(2)]
    answers = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    assert answers[0][0] == answers[1][0] == read(folder).provenance["arrays_sha256"]["images"] + "\n"
    assert sum("for the first time" in said for _, said in answers) == 1


HANG = """
import time
from fer_jax.data.reading import collect, image_files
def hanging(work, done=[]):
    def hang(*arguments):
        done.append(arguments)
        if len(done) < 20:
            return work(*arguments)
        print("half way", flush=True)
        time.sleep(60)
    return hang
"""


@pytest.mark.parametrize(
    ("place", "leaves"),
    [
        ("image_files.fit = hanging(image_files.fit)", False),  # in the walk, whose spool has no name
        ("collect.Spool.pixels = hanging(collect.Spool.pixels)", True),  # while the arrays are written
    ],
)
def test_a_kill_in_the_middle_leaves_nothing_that_is_believed(
    place: str, leaves: bool, folder: Path, own_cache: Path
) -> None:
    process = start(folder, HANG + place)
    assert process.stdout and process.stdout.readline() == "half way\n"
    process.kill()
    process.communicate()
    (home,) = (own_cache / "data").iterdir()
    assert any(found.name.startswith("tmp-") for found in home.iterdir()) == leaves
    assert not list(home.glob("*/48x48x1"))
    began = time.monotonic()
    assert len(read(folder).images) == 42
    assert time.monotonic() - began < 30  # the dead process' lock is no obstacle
    assert not any(found.name.startswith("tmp-") for found in home.iterdir())


def test_a_cache_that_cannot_be_written_ends_in_one_line(folder: Path, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("FER_JAX_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(
        DataError, match="cannot write the data cache .*; make room or choose another with FER_JAX_CACHE"
    ):
        read(folder)


def test_a_full_disk_ends_in_one_line(folder: Path, monkeypatch, own_cache: Path) -> None:
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(arrays, "write", full)
    with pytest.raises(DataError, match="No space left on device"):
        read(folder)
    assert not [found for found in own_cache.rglob("*") if found.name.startswith("tmp-")]


def test_a_table_is_read_as_any_data_set_too(sample, tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_bytes(sample.table())
    assert same(read(tmp_path / "fer2013.csv", fer=False), read(tmp_path / "fer2013.csv"))
