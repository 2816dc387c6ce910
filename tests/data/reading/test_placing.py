"""Classes, splits and groups by lists, patterns and names of labels, as data sets have them."""

from pathlib import Path

import pytest

from fer_jax.data import names
from fer_jax.data.reading import source
from fer_jax.data.reading.wanted import Wanted
from fer_jax.errors import DataError
from tests.data.conftest import one_line

RAFDB = {"1": "surprise", "2": "fear", "3": "disgust", "4": "happy", "5": "sad", "6": "angry", "7": "neutral"}


@pytest.fixture
def rafdb(make, tmp_path: Path) -> Path:
    """RAF-DB as it is released: two images a class, the list beside them in the tree."""
    members, lines = {}, []
    for number in RAFDB:
        for split in ("train", "test"):
            base = f"{split}_{number}"
            members[f"basic/Image/aligned/{base}_aligned.jpg"] = make.jpeg(len(lines))
            lines.append(f"{base}.jpg {number}")
    members["basic/EmoLabel/list_patition_label.txt"] = "\n".join(lines).encode()
    return make.folder(tmp_path / "rafdb", members)


def test_rafdb_as_it_is_released(rafdb: Path, make, collect) -> None:
    wanted = Wanted(labels="list_patition_label.txt", names=("rafdb",))
    packed = {str(path.relative_to(rafdb)): path.read_bytes() for path in rafdb.rglob("*") if path.is_file()}
    forms = [rafdb, make.zip(rafdb.parent / "r.zip", packed), make.tar(rafdb.parent / "r.tar.gz", packed)]
    for path in forms:
        found = collect(path, wanted)
        assert found.classes == names.CLASSES and not len(found.problems)
        assert found.provenance["ignored"]["count"] == 0  # the list is used
        assert found.labels == {
            name: RAFDB[name.rsplit("_", 2)[1]] for name in packed if name.endswith(".jpg")
        }  # the digit of the file's own name
        assert all(usage == (0 if "train_" in name else 2) for name, usage in found.usage.items())
    named = collect(rafdb, Wanted(labels="basic/EmoLabel/list_patition_label.txt"))
    assert named.classes == tuple("1234567")
    assert collect(rafdb, Wanted(fer=True, labels="list_patition_label.txt", names=("rafdb",))).key == found.key


@pytest.mark.parametrize(
    ("folder", "names_", "wanted"),
    [
        ("{split}/{number}", ("rafdb",), RAFDB),
        ("{split}/{number}", ("0=none", "rafdb", "7=calm"), RAFDB | {"7": "calm"}),
        ("{split}/00{number}", ("rafdb",), RAFDB),
    ],
)
def test_folders_that_are_numbers_get_names(folder, names_, wanted, make, collect, tmp_path: Path) -> None:
    members = {
        f"{folder.format(split=split, number=number)}/{split}.jpg": make.jpeg(int(number) * 2 + (split == "test"))
        for number in RAFDB for split in ("train", "test")
    }  # fmt: skip
    found = collect(make.folder(tmp_path / "faces", members), Wanted(names=names_))
    assert found.classes == tuple(sorted(wanted.values()))
    assert set(found.usage.values()) == {0, 2}
    with pytest.raises(
        DataError, match="data.names: has no name for label '(00)?5' of 2 pictures in .*; add '(00)?5=...'"
    ):
        collect(
            tmp_path / "faces", Wanted(names=("1=surprise", "2=fear", "3=disgust", "4=happy", "6=angry", "7=neutral"))
        )


def test_contempt_where_it_is_named_is_a_class_of_fer2013(make, collect, tmp_path: Path) -> None:
    members = {f"train/{number}/1.jpg": make.jpeg(number) for number in range(8)}
    found = collect(make.folder(tmp_path / "affectnet", members), Wanted(fer=True, names=("affectnet",)))
    assert found.classes == tuple(sorted((*names.CLASSES, "contempt")))
    assert found.labels["train/7/1.jpg"] == "contempt" and not len(found.problems)


LISTED = """user.id,image,emotion
1,a.jpg,happy
1,b.jpg,HAPPINESS
1,a.jpg,Happy
1,c.jpg,anger
1,c.jpg,sadness
1,gone.jpg,fear
1,d.jpg,fear
1,d.jpg
"""


def test_what_a_list_has_twice_misses_or_leaves_out_is_counted_and_said(make, collect, tmp_path: Path) -> None:
    path = make.folder(tmp_path / "images", {f"{name}.jpg": make.jpeg(at) for at, name in enumerate("abcdefg")})
    (tmp_path / "legend.csv").write_text(LISTED)
    found = collect(path, Wanted(labels=str(tmp_path / "legend.csv")))
    assert found.labels == {"a.jpg": "happy", "b.jpg": "happy", "d.jpg": "fear"}
    assert found.problems.counts == {
        "broken row": 1, "listed picture that is not there": 1, "picture listed with two labels, splits or groups": 1,
    }  # fmt: skip
    text = found.fatal("images")
    assert "gone.jpg (is not among the pictures)" in text and "c.jpg (rows 5, 6: angry and sad)" in text
    assert "row 9 (has 2 of 3 fields)" in text and text.endswith("--config.data.on_error=skip leaves them out")
    notes = [note.partition(": ")[2] for note in found.notes]
    assert notes == [
        "takes image from 'image', label from 'emotion'; not user.id",
        "3 pictures not in it left out, such as e.jpg",
        "1 picture listed more than once with one label taken once, such as a.jpg",
        "'happy' (1) and 'Happy' (1) and 'HAPPINESS' (1) are one class, happy",
    ]
    assert sorted(found.provenance["unlisted"]["items"]) == ["e.jpg", "f.jpg", "g.jpg"]
    assert not found.provenance["ignored"]["count"]


def test_columns_of_a_list_give_split_and_group(make, collect, tmp_path: Path) -> None:
    members = {f"train/{name}.jpg": make.jpeg(at) for at, name in enumerate("abc")}
    members["list.tsv"] = b"file\tlabel\tset\tperson\na.jpg\tup\tval\tS1\nb.jpg\tdown\ttest\tS2\nc.jpg\tup\t\t\n"
    found = collect(make.zip(tmp_path / "a.zip", members), Wanted(labels="list.tsv"))
    assert found.usage == {"train/a.jpg": 1, "train/b.jpg": 2, "train/c.jpg": -1}
    assert found.groups == {"train/a.jpg": "S1", "train/b.jpg": "S2", "train/c.jpg": ""}


JAFFE = r"(?P<group>[A-Z]{2})\.(?P<label>[A-Z]{2})\d"
KDEF = r"(?P<group>[AB][FM]\d\d)(?P<label>AF|AN|DI|HA|NE|SA|SU)[A-Z]+\."


@pytest.mark.parametrize(
    ("pattern", "word", "paths"),
    [
        (JAFFE, "jaffe", {"db/KA.AN1.39.tiff": ("angry", "KA"), "db/YM.FE2.1.tiff": ("fear", "YM")}),
        (KDEF, "kdef", {"K/AF01/AF01ANS.JPG": ("angry", "AF01"), "K/BM02/BM02AFHL.JPG": ("fear", "BM02")}),
    ],
)
def test_names_of_files_tell_class_and_person(pattern, word, paths, make, collect, tmp_path: Path) -> None:
    path = make.folder(tmp_path / "set", {name: make.jpeg(at) for at, name in enumerate(paths)})
    found = collect(path, Wanted(pattern=pattern, names=(word,)))
    assert {name: (found.labels[name], found.groups[name]) for name in paths} == paths
    assert set(found.usage.values()) == {names.NO_USAGE}


def test_a_pattern_without_a_label_leaves_the_class_to_the_folder(make, collect, tmp_path: Path) -> None:
    members = {
        "CK+48/anger/S005_001_00000011.png": make.jpeg(1), "CK+48/happy/S010_004_00000017.png": make.jpeg(2),
        "CK+48/happy/other.png": make.jpeg(3),
    }  # fmt: skip
    found = collect(make.folder(tmp_path / "ck", members), Wanted(pattern=r"(?P<group>S\d{3})_"))
    assert sorted((found.labels[name], group) for name, group in found.groups.items()) == [
        ("angry", "S005"), ("happy", "S010"),
    ]  # fmt: skip
    assert "1 picture whose name data.pattern does not match in ck: CK+48/happy/other.png" in found.fatal("ck")


def test_a_pattern_tells_splits(make, collect, tmp_path: Path) -> None:
    members = {
        f"{part}-{label}-1.jpg": make.jpeg(at) for at, (part, label) in enumerate([("val", "up"), ("tst", "up")])
    }
    found = collect(make.folder(tmp_path / "f", members), Wanted(pattern=r"(?P<split>\w+)-(?P<label>\w+)-"))
    assert found.usage == {"val-up-1.jpg": 1}
    assert "tst-up-1.jpg (split 'tst' is none of train, validation, test)" in found.fatal("f")


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (Wanted(labels="none.csv"), "data.labels: cannot find none.csv, neither in .*f nor outside it"),
        (Wanted(labels="label.csv"), "may be x/label.csv and y/label.csv in .*; name one by its path"),
        (Wanted(labels="x/label.csv"), "x/label.csv holds votes for each expression"),
        (Wanted(labels="z/other.csv"), "data.labels: gives no picture of .* a class: 1 listed picture that is not"),
        (Wanted(pattern="(?P<label>nothing)"), "data.pattern: gives no picture of .* a class: 2 pictures whose names"),
    ],
)
def test_lists_and_patterns_that_give_nothing(wanted: Wanted, says: str, make, collect, tmp_path: Path) -> None:
    votes = b'1.png,"(0, 0, 48, 48)",0,0,0,9,0,0,0,0,0,1\n'
    members = {"x/label.csv": votes, "y/label.csv": votes, "z/other.csv": b"image,label\n9.png,up\n"}
    path = make.folder(tmp_path / "f", members | {"x/1.png": make.jpeg(1), "y/2.png": make.jpeg(2)})
    with pytest.raises(DataError, match=says) as caught:
        collect(path, wanted)
    one_line(caught)


def test_a_table_has_labels_of_its_own(sample, collect, tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_bytes(sample.table())
    with pytest.raises(DataError, match="data.labels: .* has labels of its own; leave data.labels out"):
        collect(tmp_path / "fer2013.csv", Wanted(labels="x.csv"))


def test_an_edited_list_is_read_again(make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    path = make.folder(tmp_path / "images", {f"{name}.jpg": make.jpeg(at) for at, name in enumerate("abc")})
    (tmp_path / "list.csv").write_text("a.jpg,up\nb.jpg,down\nc.jpg,up\n")
    monkeypatch.chdir(tmp_path)
    read = lambda: source.read(str(path), 48, 1, "fatal", Wanted(labels="list.csv"))  # noqa: E731
    assert read().classes == ("down", "up")
    capsys.readouterr()
    read()
    assert "for the first time" not in capsys.readouterr().err
    (tmp_path / "list.csv").write_text("a.jpg,on\nb.jpg,down\nc.jpg,on\n")  # as long as before
    assert read().classes == ("down", "on")


def _worded(make) -> dict[str, bytes]:
    """Two images a split, below folders with a word for it in their names."""
    folders = ("FER2013Train/s0", "FER2013Valid/s0", "FER2013Test/s0")
    return {f"{folder}/{at}{n}.png": make.jpeg(10 * at + n) for at, folder in enumerate(folders) for n in range(2)}


@pytest.mark.parametrize("told", ["folders", "column", "pattern"])
def test_words_in_names_tell_splits_to_lists_and_patterns_as_to_folders(told, make, collect, tmp_path: Path) -> None:
    members = _worded(make)
    rows = {name: (name.rsplit("/", 1)[1], "up" if name.endswith("0.png") else "down") for name in members}
    if told == "pattern":
        wanted = Wanted(pattern=r"^(?P<split>\w+)/.*(?P<label>\d)\.png")
    else:
        wanted = Wanted(labels="list.csv")
        split = [f",{name.split('/')[0]}" if told == "column" else "" for name in members]
        head = "image,label" + ",set" * (told == "column")
        lines = [",".join(row) + part for row, part in zip(rows.values(), split, strict=True)]
        members["list.csv"] = "\n".join([head, *lines]).encode()
    found = collect(make.folder(tmp_path / "ferplus", members), wanted)
    assert not len(found.problems) and len(found.usage) == 6
    assert {name.split("/")[0]: usage for name, usage in found.usage.items()} == {
        "FER2013Train": 0, "FER2013Valid": 1, "FER2013Test": 2,
    }  # fmt: skip


def test_one_worded_folder_above_all_tells_no_split(make, collect, tmp_path: Path) -> None:
    members = {f"Training_Set/{name}.jpg": make.jpeg(at) for at, name in enumerate("ab")}
    members["list.csv"] = b"a.jpg,up\nb.jpg,down\n"
    found = collect(make.folder(tmp_path / "f", members), Wanted(labels="list.csv"))
    assert set(found.usage.values()) == {names.NO_USAGE}


def test_a_picture_of_two_groups_is_a_problem(make, collect, tmp_path: Path) -> None:
    members = {f"{name}.jpg": make.jpeg(at) for at, name in enumerate("ab")}
    members["list.csv"] = b"image,label,person\na.jpg,up,S1\na.jpg,up,S2\nb.jpg,down,S1\n"
    found = collect(make.folder(tmp_path / "f", members), Wanted(labels="list.csv"))
    assert found.labels == {"b.jpg": "down"} and "a.jpg (rows 2, 3: S1 and S2)" in found.fatal("f")
