"""The audit program: planted faults come out by name in what it prints and writes; what is known of
the real FER-2013 comes out.
"""

import io
import json
import os
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_jax import audit
from fer_jax.data import contents, duplicates, faces

FACES = faces.draw("train", 40, seed=2, size=48)[0][..., 0]


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def members():
    """24 sound pictures as the Kaggle release has them, and what is wrong with them."""
    found = {
        f"train/{label}/Training_{at}.png": FACES[at + 6 * sad]
        for sad, label in enumerate(("happy", "sad"))
        for at in range(6)
    }
    for number, kind in enumerate(("PublicTest", "PrivateTest")):
        for sad, label in enumerate(("happy", "sad")):
            found |= {f"test/{label}/{kind}_{at}.png": FACES[12 + 6 * number + 3 * sad + at] for at in range(3)}
    found |= {
        "train/sad/Training_twin.png": FACES[0],  # of train/happy/Training_0: two labels
        "test/happy/PublicTest_twin.png": FACES[1],  # of train/happy/Training_1
        "test/sad/PrivateTest_twin.png": FACES[15],  # of test/sad/PublicTest_0
        "test/happy/PrivateTest_light.png": (40 + FACES[2] * 0.8).astype(np.uint8),  # near train/happy/Training_2
        "train/happy/Training_black.png": np.zeros((48, 48), np.uint8),
        "train/happy/Training_dim.png": np.arange(48 * 48, dtype=np.uint8).reshape(48, 48) % 3 + 90,
    }
    return {name: png(pixels) for name, pixels in found.items()} | {"test/sad/PrivateTest_broken.png": b"no picture"}


def write(folder, found):
    for name, data in found.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def run(*arguments):
    return audit.main(["audit", *map(str, arguments)])


def offenders(folder):
    table = pd.read_csv(folder / "offenders.csv", dtype=str, keep_default_na=False)
    table = table.replace({"True": True, "False": False})
    return {kind: rows.set_index("picture") for kind, rows in table.groupby("finding")}


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    return write(tmp_path_factory.mktemp("planted"), members())


def test_planted_faults_are_counted_and_named(planted, tmp_path, capsys):
    assert run(planted, "--out", tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{planted} (fer2013): 30 pictures of 48x48x1, 2 classes; 15 train, 7 validation, 8 test"
    assert lines[1:5] == [
        "  train: happy 8, sad 7",
        "  validation: happy 4, sad 3",
        "  test: happy 4, sad 4",
        "  left out: 1 unreadable picture",
    ]
    lines = lines[4:]
    assert [" ".join(line.split()) for line in lines[2:8]] == [
        "redundant exact copies 3 in 3 groups; 1 within train",
        "groups with conflicting labels 1 2 pictures",
        "near copies, pairs 1 2 pictures; 0 with two labels",
        "constant pictures 1",
        "nearly constant pictures 1",
        "broken items, left out 1 1 unreadable picture",
    ]
    assert [line.split()[-4:] for line in lines[10:14]] == [
        ["1", "1", "14.3", "%"], ["0", "1", "12.5", "%"], ["1", "1", "12.5", "%"], ["1", "2", "25.0", "%"]
    ]  # fmt: skip
    summary = json.loads((tmp_path / "audit.json").read_text())
    assert summary["exact"]["redundant_within"] == {"train": 1, "validation": 0, "test": 0}
    assert summary["leaks"]["test"]["train or validation"] == {"exact": 1, "any": 2}
    assert summary["broken"]["items"] == [
        {
            "kind": "unreadable picture",
            "item": "test/sad/PrivateTest_broken.png",
            "reason": "is no picture of a known format",
        }
    ]
    found = offenders(tmp_path)
    every = found["exact copy"]
    assert len(every) == 6 and sorted(every.index) == sorted(every["other_picture"])  # both ways
    exact = every[every["redundant"].eq(True)]
    assert exact["other_picture"].to_dict() == {
        "train/sad/Training_twin.png": "train/happy/Training_0.png",
        "test/happy/PublicTest_twin.png": "train/happy/Training_1.png",
        "test/sad/PrivateTest_twin.png": "test/sad/PublicTest_0.png",
    }
    assert exact["leak"].tolist() == [False, True, True] and exact["conflict"].tolist() == [True, False, False]
    near, back = sorted(found["near copy"].reset_index().to_dict("records"), key=lambda row: row["split"])
    assert (back["picture"], back["leak"]) == ("train/happy/Training_2.png", False)
    assert (near["picture"], near["other_picture"]) == (
        "test/happy/PrivateTest_light.png",
        "train/happy/Training_2.png",
    )
    assert near["leak"] and float(near["correlation"]) > 0.99 and int(near["bits"]) <= duplicates.NEAR_BITS
    assert list(found["constant"].index) == ["train/happy/Training_black.png"]
    assert list(found["nearly constant"].index) == ["train/happy/Training_dim.png"]
    assert list(found["unreadable picture"].index) == ["test/sad/PrivateTest_broken.png"]
    assert sum(map(len, found.values())) == 11


def test_splits_drawn_again(planted, tmp_path, capsys):
    assert run(planted, "--split=stratified_70_20_10", "--seed=3", "--out", tmp_path) == 0
    assert "(stratified_70_20_10)" in capsys.readouterr().out.splitlines()[0]
    summary = json.loads((tmp_path / "audit.json").read_text())
    data = contents.read(str(planted), split="stratified_70_20_10", seed=3)
    known = {name: {data.images[row].tobytes() for row in rows} for name, rows in data.rows.items()}
    for name, earlier in (("validation", known["train"]), ("test", known["train"] | known["validation"])):
        place = "train" if name == "validation" else "train or validation"
        wanted = sum(data.images[row].tobytes() in earlier for row in data.rows[name])
        assert summary["leaks"][name][place]["exact"] == wanted
    assert summary["exact"]["redundant"] == 3 and summary["data"]["splits"] == {n: len(r) for n, r in data.rows.items()}


def test_two_data_sets_whose_classes_have_other_names(planted, tmp_path, capsys):
    """B: three pictures of A's as they are, one of them under another class, one larger and in
    colour, and three of its own.
    """
    large = Image.fromarray(FACES[3]).convert("RGB").resize((150, 150), Image.Resampling.BICUBIC)
    found = {
        "Happiness/a.png": png(FACES[4]), "Happiness/b.png": png(FACES[12]), "Sadness/c.png": png(FACES[5]),
        "Happiness/d.png": png(np.asarray(large)), "Sadness/e.png": png(FACES[30]), "Sadness/f.png": png(FACES[31]),
        "Contempt/g.png": png(FACES[32]),
    }  # fmt: skip
    archive = tmp_path / "other.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for name, data in found.items():
            made.writestr(name, data)
    assert run(planted, archive, "--out", tmp_path / "out") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[5] == f"B: {archive} (folder): 7 pictures of 48x48x1, 3 classes; 7 unassigned"
    assert lines[6] == "  unassigned: contempt 1, happy 3, sad 3"
    summary = json.loads((tmp_path / "out" / "audit.json").read_text())
    of_b = summary["second_in_first"]["all"]
    assert of_b["pictures"] == 7 and of_b["other_label"] == 1
    assert of_b["in"]["train"] == {"exact": 2, "any": 3} and of_b["in"]["validation"] == {"exact": 1, "any": 1}
    assert of_b["in"]["test"] == {"exact": 0, "any": 0} and of_b["in"]["all"] == {"exact": 3, "any": 4}
    of_a = summary["first_in_second"]
    assert of_a["train"]["in"]["all"] == {"exact": 2, "any": 3} and of_a["validation"]["in"]["all"] == {
        "exact": 1,
        "any": 1,
    }
    assert of_a["all"]["pictures"] == 30 and of_a["test"]["in"]["all"]["any"] == 0
    assert "all 7 2 / 3 1 / 1 0 / 0 3 / 4 57.1 % 1" in [" ".join(line.split()) for line in lines]
    rows = offenders(tmp_path / "out")
    exact, near = (rows[kind][rows[kind]["data"] == "B"] for kind in ("exact copy", "near copy"))
    back = rows["exact copy"][rows["exact copy"]["data"] == "A"]
    assert back["other_picture"].to_dict() == {other: one for one, other in exact["other_picture"].items()}
    assert exact["other_picture"].to_dict() == {
        "Happiness/a.png": "train/happy/Training_4.png",
        "Happiness/b.png": "test/happy/PublicTest_0.png",
        "Sadness/c.png": "train/happy/Training_5.png",
    }
    assert exact["conflict"].to_dict() == {"Happiness/a.png": False, "Happiness/b.png": False, "Sadness/c.png": True}
    assert near["other_picture"].to_dict() == {"Happiness/d.png": "train/happy/Training_3.png"}
    assert list(rows["unreadable picture"]["data"]) == ["A"]


def test_some_classes_only(planted, tmp_path, capsys):
    assert run(planted, "--classes=Happiness,sadness", "--out", tmp_path / "both") == 0
    assert run(planted, "--classes=happy,fear", "--out", tmp_path / "one") == 0
    both, one = (json.loads((tmp_path / name / "audit.json").read_text()) for name in ("both", "one"))
    assert both["exact"]["redundant"] == 3 and both["data"]["pictures"] == 30
    assert one["exact"]["redundant"] == 1 and one["data"]["splits"] == {"train": 8, "validation": 4, "test": 4}
    assert list(offenders(tmp_path / "one")["exact copy"].index) == [
        "train/happy/Training_1.png",
        "test/happy/PublicTest_twin.png",
    ]
    capsys.readouterr()
    assert run(planted, "--classes=happy,glee") == 2 and "no class 'glee'" in capsys.readouterr().err
    assert (
        run(planted, "--classes=fear,disgust") == 2 and "holds no picture of fear or disgust" in capsys.readouterr().err
    )


@pytest.fixture(scope="module")
def persons(tmp_path_factory):
    """Ten persons with a frame of each of two classes, none with a split."""
    found = {f"{label}/S{at:02}_{label}.png": png(FACES[at + 10 * sad]) for sad, label in enumerate(("happy", "sad"))
             for at in range(10)}  # fmt: skip
    return write(tmp_path_factory.mktemp("persons"), found)


def test_an_audit_takes_the_fields_of_a_sweep(persons, tmp_path, capsys):
    split = "--config.data.split=stratified_80_10_10"
    assert run(persons, split, "--out", tmp_path / "plain") == 0
    assert "groups: " not in capsys.readouterr().out
    group, size = r"--config.data.group=(S\d+)_", ("--config.data.image_size", "24")
    assert run(persons, split, group, *size, "--config.data.merge=('glad=happy',)", "--out", tmp_path / "known") == 0
    assert r"groups: 10 of 20 images (data.group = (S\d+)_); 0 of 2 test and 0 of 2" in capsys.readouterr().out
    found = json.loads((tmp_path / "known" / "audit.json").read_text())["data"]
    assert found["size"] == [24, 24, 1] and found["classes"] == {"glad": 10, "sad": 10}
    assert found["provenance"]["groups"]["shared"]["test"] == {"shared": 0, "of": 2}
    # A flag of its own is the same field.
    assert run(persons, "--split=stratified_80_10_10", group, "--out", tmp_path / "flags") == 0
    assert json.loads((tmp_path / "flags" / "audit.json").read_text())["data"]["splits"] == found["splits"]
    capsys.readouterr()
    assert run(persons, group, "--config.data.split=kfold", "--config.data.folds=2", "--out", tmp_path / "folds") == 0
    assert "10 train, 10 validation (fold 0 of 2)" in capsys.readouterr().out


def test_an_audit_takes_the_data_of_a_config_file(persons, tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text(
        "from fer_jax.config import default_config\ndef get_config():\n    config = default_config()\n"
        "    config.data.name, config.data.split = 'folder', 'stratified_70_20_10'\n"
        "    config.data.group = r'(S\\d+)_'\n    return config\n"
    )
    assert run(persons, f"--config={file}", "--config.data.balance=oversample", "--out", tmp_path) == 0
    shown = capsys.readouterr()
    assert "14 train, 4 validation, 2 test (stratified_70_20_10)" in shown.out and "groups: 10" in shown.out
    assert "data.balance changes nothing here" in shown.err


def test_of_two_data_sets_the_fields_say_how_the_first_is_read(persons, planted, tmp_path, capsys):
    fields = (r"--config.data.group=(S\d+)_", "--config.data.split=stratified_80_10_10", "--config.data.image_size=24")
    assert run(persons, planted, *fields, "--out", tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("16 train, 2 validation, 2 test (stratified_80_10_10)")
    second = next(at for at, line in enumerate(lines) if line.startswith("B: "))
    assert lines[second].endswith("30 pictures of 24x24x1, 2 classes; 15 train, 7 validation, 8 test")
    assert any("groups: 10" in line for line in lines[:second])
    assert "A was read as --config says; B as it is, in the image size and channels of A" in lines


def test_built_in_faces_share_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("synthetic", "--image_size=24") == 0
    summary = json.loads((tmp_path / "audits" / "synthetic" / "audit.json").read_text())
    assert summary["data"]["splits"] == {"train": 2000, "validation": 500, "test": 500}
    assert summary["exact"]["redundant"] == 0 and summary["leaks"]["test"]["train"]["exact"] == 0
    assert capsys.readouterr().out.splitlines()[-2].endswith("audit.json")


def test_how_a_source_is_read_follows_from_its_names(planted, tmp_path):
    row = "0," + " ".join(["9"] * 48 * 48) + ",Training\n"
    (tmp_path / "fer2013.csv").write_text("emotion,pixels,Usage\n" + row)
    assert contents.kind(str(planted)) == contents.kind(str(tmp_path / "fer2013.csv")) == "fer2013"
    assert contents.kind(str(tmp_path)) == "fer2013"  # a folder with that table
    (tmp_path / "faces" / "glad").mkdir(parents=True)
    assert contents.kind(str(tmp_path / "faces")) == "folder"
    (tmp_path / "faces" / "batches.meta").touch()
    assert contents.kind(str(tmp_path / "faces")) == "cifar10" and contents.kind("synthetic") == "synthetic"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "0 data sets named"),
        (["a", "b", "c"], "3 data sets named"),
        (["nowhere"], "data.path: cannot find nowhere"),
        (["synthetic", "--split=half"], "half"),
        (["synthetic", "--channels=2"], "must be 1 or 3"),
        (["synthetic", "--image_size=24", "--out=FILE/below"], "remove it or choose another --out"),
        (["synthetic", "--config.train.epochs=3"], "takes --config.data.* only"),
        (["synthetic", "--config.data.groop=x"], "did you mean data.group"),
        (["synthetic", "--config.data.path=a"], "both name the data"),
        (["synthetic", "--seed=1", "--config.data.seed=1"], "--seed and --config.data.seed are one"),
        ([".", "--config.data.group=(S"], "data.group = (S: is no regular expression"),
    ],
    ids=str,
)
def test_mistakes_are_one_line(arguments, words, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert run(*(text.replace("FILE", str(tmp_path / "file")) for text in arguments)) == 2
    shown = capsys.readouterr()
    assert not shown.out and shown.err.count("\n") == 1 and shown.err.startswith("error: ") and words in shown.err


@pytest.mark.skipif("FER2013_PATH" not in os.environ, reason="FER2013_PATH names no copy of FER-2013")
def test_what_is_known_of_fer2013(tmp_path):
    assert run(os.environ["FER2013_PATH"], "--out", tmp_path) == 0
    found = json.loads((tmp_path / "audit.json").read_text())
    assert found["data"]["splits"] == {"train": 28709, "validation": 3589, "test": 3589}
    assert (found["exact"]["redundant"], found["exact"]["groups"], found["exact"]["conflicting_groups"]) == (
        1853,
        1516,
        57,
    )
    assert found["leaks"]["validation"]["train"]["exact"] == 280 and found["leaks"]["test"]["train"]["exact"] == 288
    assert found["leaks"]["test"]["validation"]["exact"] == 44
    assert (found["constant"], found["nearly_constant"]) == (12, 1)
