"""The program on files of all kinds: what it prints and how it ends, against the same networks
asked from Python.
"""

import csv
import io
import json
import os
import re
import shutil
import sys

import jax
import numpy as np
import pytest
from PIL import Image

import fer_jax
from fer_jax import models, predict
from fer_jax.config.values import default_config, flatten
from fer_jax.data import faces
from fer_jax.data.reading import image_files
from fer_jax.launch import loop
from fer_jax.prediction import face_finder
from fer_jax.prediction import pictures as classify
from fer_jax.results.ensemble import Ensemble
from fer_jax.store import RunDirectory

SIZE = 16


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    config = default_config()
    config.data.image_size, config.model.name, config.model.hidden = SIZE, "mlp", (8,)
    config.data.train_size, config.data.validation_size, config.data.test_size = 70, 35, 35
    config.train.batch_size, config.train.epochs, config.sweep.repeats = 16, 12, 2
    config.sweep.grid.train.learning_rate = (1e-2, 1e-3)
    return loop.run_sweep(config, tmp_path_factory.mktemp("predict") / "run")


@pytest.fixture
def run(path):
    return fer_jax.load_run(path)


@pytest.fixture
def folder(tmp_path):
    """Faces as grey, colour, 16 bits, with transparency, lying on their side; one broken, one
    hidden, one no picture.
    """
    drawn = faces.draw("test", 5, size=40, channels=3)[0]
    folder = tmp_path / "faces"
    (folder / "b" / "deep").mkdir(parents=True)
    grey = Image.fromarray(drawn[0]).convert("L")
    grey.save(folder / "grey.png")
    Image.fromarray(drawn[1]).resize((90, 60)).save(folder / "b" / "colour.PNG")
    Image.fromarray(np.asarray(grey).astype(np.uint16) * 257).save(folder / "b" / "deep" / "wide.png")
    clear = Image.fromarray(drawn[2]).convert("RGBA")
    clear.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, 40).astype(np.uint8), (40, 1))))
    clear.save(folder / "clear.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    grey.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.png", exif=exif)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    (folder / ".hidden.png").write_bytes(b"")
    (folder / "notes.txt").write_text("no picture")
    return folder


GOOD = ["b/colour.PNG", "b/deep/wide.png", "clear.png", "grey.png", "turned.png"]


def fitted(file, size=SIZE):
    return image_files.fit(image_files.decode(file.read_bytes()), size, 1)


def asked(capsys, *arguments):
    """Status, stdout and stderr of the program."""
    status = predict.main(["predict", *map(str, arguments)])
    out, err = capsys.readouterr()
    return status, out, err


def test_json_is_what_the_best_points_repeats_say(run, path, folder, capsys):
    status, out, err = asked(capsys, path, folder, "--json")
    found, ensemble = json.loads(out), run.ensemble()
    assert status == 1 and err == f"error: {folder}/broken.jpg is no picture of a known format\n"
    assert found["failures"] == [{"picture": f"{folder}/broken.jpg", "reason": "is no picture of a known format"}]
    assert [one["picture"] for one in found["pictures"]] == [f"{folder}/{name}" for name in GOOD]
    assert found["trials"] == [member.id for member in ensemble.members] and len(found["trials"]) == 2
    assert found["networks"] == "2 repeats of the best point by val_accuracy"
    assert found["score"]["kind"] == "energy" and found["score"]["threshold"] == pytest.approx(ensemble.threshold())
    images = np.stack([fitted(folder / name) for name in GOOD])
    probabilities, spread, scores = ensemble.predict(images), ensemble.spread(images), ensemble.score(images)
    for row, one in enumerate(found["pictures"]):
        values = list(one["probabilities"].values())
        assert (
            values == sorted(values, reverse=True)
            and one["answer"] == next(iter(one["probabilities"]))
            and one["box"] is None
        )
        np.testing.assert_allclose(
            [one["probabilities"][name] for name in ensemble.classes], probabilities[row], atol=1e-6
        )
        np.testing.assert_allclose([one["sd"][name] for name in ensemble.classes], spread[row], atol=1e-6)
        assert one["score"] == pytest.approx(scores[row], rel=1e-5)
        assert one["unlike_training"] == (one["score"] < found["score"]["threshold"])
    by_name = {one["picture"].rpartition("/")[2]: one["probabilities"] for one in found["pictures"]}
    assert by_name["grey.png"] == by_name["wide.png"] == by_name["turned.png"]


def test_one_face_in_every_coding_gets_one_answer(run, path, tmp_path, capsys, monkeypatch):
    """Each is judged by itself, so that an answer depends on no other picture asked about."""
    drawn = faces.draw("test", 1, size=40, channels=1)[0][0, ..., 0].astype(np.uint16)
    drawn[0, 0] = 255
    codings = {
        "a_8.png": drawn.astype(np.uint8), "b_16.png": drawn * 257, "c_8_of_16.png": drawn,
        "d_12_of_16.tif": drawn * 16,
        "e_share.tif": (drawn / 255).astype(np.float32), "f_32.tif": drawn.astype(np.int32),
    }  # fmt: skip
    for name, pixels in codings.items():
        Image.fromarray(pixels).save(tmp_path / name)
    (tmp_path / "phone.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + b"\0" * 64)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    status, out, err = asked(capsys, path, tmp_path, "--json")
    found = json.loads(out)
    assert status == 1 and [one["picture"] for one in found["pictures"]] == [f"{tmp_path}/{name}" for name in codings]
    first, *others = (
        np.array([one["probabilities"][name] for name in run.ensemble().classes]) for one in found["pictures"]
    )
    for other in others:
        np.testing.assert_allclose(other, first, atol=0.01)
    assert "1 picture of floating-point pixels, from 0 to 1: 1 is taken as white\n" in err
    assert "2 pictures of more than 8 bits a pixel, from 0 to 255: 255 is taken as white\n" in err
    assert "1 picture of more than 8 bits a pixel, from 0 to 4,080: 4,095 is taken as white\n" in err
    assert "phone.HEIC is HEIC: the package pillow_heif is not installed: pip install 'fer_jax[heic]'" in err


def test_the_table_has_the_most_probable_first_and_says_who_answers(run, path, folder, capsys):
    status, out, err = asked(capsys, path, folder / "grey.png", "--show=2")
    first, second, head, row = out.splitlines()
    assert status == 0 and err == ""
    assert first.startswith(
        f"2 repeats of the best point by val_accuracy of {path}, trained on synthetic faces, official split;"
    )
    assert second.startswith("score: energy; at most about 5% of the validation pictures score below ")
    ensemble, image = run.ensemble(), fitted(folder / "grey.png")
    probabilities, spread = ensemble.predict(image)[0], ensemble.spread(image)[0]
    best = np.argsort(-probabilities)[:2]
    cells = re.findall(r"(\w+) +(0\.\d+) ± (0\.\d+)", row)
    assert [name for name, _, _ in cells] == [ensemble.classes[column] for column in best]
    for (_, probability, sd), column in zip(cells, best, strict=True):
        assert (float(probability), float(sd)) == pytest.approx((probabilities[column], spread[column]), abs=6e-4)
    assert head.index("most probable") == row.index(cells[0][0]) and row.startswith(f"{folder}/grey.png")
    assert row.endswith("*") == (ensemble.score(image)[0] < ensemble.threshold())


def test_csv_has_all_classes_in_their_own_order(run, path, folder, capsys):
    trial = run.trials["id"][3]
    status, out, err = asked(
        capsys, path, f"--trial={trial}", "--csv", "--score=max_logit", folder / "grey.png", folder / "clear.png"
    )
    rows = list(csv.DictReader(io.StringIO(out)))
    assert status == 0 and [row["picture"] for row in rows] == [f"{folder}/grey.png", f"{folder}/clear.png"]
    alone = Ensemble((run.trial(trial),))
    for row in rows:
        image = fitted(folder / row["picture"].rpartition("/")[2])
        expected = alone.members[0].predict(image)[0]
        np.testing.assert_allclose([float(row[f"probability_{name}"]) for name in alone.classes], expected, rtol=1e-4)
        assert row["answer"] == alone.classes[expected.argmax()] and row["sd_happy"] == row["left"] == ""
        assert float(row["score"]) == pytest.approx(alone.score(image, "max_logit")[0], rel=1e-4)
        assert float(row["threshold"]) == pytest.approx(alone.threshold("max_logit"), rel=1e-4)
        assert row["unlike_training"] == str(float(row["score"]) < float(row["threshold"])).lower()


@pytest.mark.parametrize("tta", ["flip", "ten_crop"])
def test_augmented_answers_and_scores_of_the_picture_as_it_is(run, path, folder, capsys, tta):
    status, out, _ = asked(
        capsys, path, folder / "clear.png", "--json", f"--tta={tta}", "--top=2", "--where=learning_rate=1e-3"
    )
    found = json.loads(out)
    ensemble = run.ensemble(top=2, learning_rate=1e-3)
    image = fitted(folder / "clear.png", {"flip": SIZE, "ten_crop": 18}[tta])  # 16 * 8 / 7
    assert status == 0 and found["trials"] == [member.id for member in ensemble.members] and found["tta"] == tta
    (one,) = found["pictures"]
    np.testing.assert_allclose(
        [one["probabilities"][name] for name in ensemble.classes], ensemble.predict(image, tta)[0], atol=1e-6
    )
    assert one["score"] == pytest.approx(ensemble.score(fitted(folder / "clear.png"))[0], rel=1e-5)


def test_networks_of_different_sizes_each_get_the_picture_at_theirs(run, folder):
    members = run.ensemble().members
    config = members[1].config.copy_and_resolve_references()
    config.data.image_size, config.data.channels = 12, 3
    params, stats = models.build(flatten(config), (12, 12, 3), 7).init(jax.random.key(0))
    pixels = {"scale": np.float32(1 / 255), "offset": np.float32(0)}
    members[1].__dict__.update(config=config, _weights={"best": {"params": params, "stats": stats}, "pixels": pixels})
    (answer,) = classify.classify(Ensemble(members), [f"{folder}/clear.png"])
    image = image_files.decode((folder / "clear.png").read_bytes())
    own = [members[0].predict(image_files.fit(image, SIZE, 1)), members[1].predict(image_files.fit(image, 12, 3))]
    np.testing.assert_allclose(answer.probabilities, np.mean(own, axis=0)[0], atol=1e-6)
    np.testing.assert_allclose(answer.sd, np.std(own, axis=0, ddof=1)[0], atol=1e-6)


def test_more_pictures_than_are_held_at_once_come_in_order(path, run, folder, monkeypatch):
    monkeypatch.setattr(classify, "AT_ONCE", 2)
    found = list(classify.classify(run.ensemble(), classify.find_pictures([str(folder), str(folder / "gone.png")])))
    assert [one.picture.removeprefix(f"{folder}/") for one in found] == [*GOOD[:2], "broken.jpg", *GOOD[2:], "gone.png"]
    assert [type(one).__name__ for one in found] == ["Answer"] * 2 + ["Failure"] + ["Answer"] * 3 + ["Failure"]


def test_what_lies_in_a_folder_and_is_not_read_is_named(tmp_path):
    for name in ("1.jpg", "2.PSD", "notes.txt", ".3.jpg"):
        (tmp_path / name).write_bytes(b"x")
    os.mkfifo(tmp_path / "4.jpg")
    good, *failed = classify.find_pictures([str(tmp_path)])
    assert good == str(tmp_path / "1.jpg")
    assert [(one.picture, one.reason) for one in failed] == [
        (str(tmp_path / "2.PSD"), "is PSD, which is not read: save it as PNG or JPEG"),
        (str(tmp_path / "4.jpg"), "is a pipe, a socket or a device"),
    ]


def test_every_face_has_its_own_row(run, path, tmp_path, capsys, monkeypatch):
    drawn = faces.draw("test", 2, size=40)[0][:, :, :, 0]
    page = Image.new("L", (200, 100), 90)
    page.paste(Image.fromarray(drawn[0]), (10, 20))
    page.paste(Image.fromarray(drawn[1]), (120, 50))
    page.save(tmp_path / "two.png")
    Image.new("L", (50, 50)).save(tmp_path / "none.png")
    boxes = [(120, 50, 160, 90), (10, 20, 50, 60)]
    monkeypatch.setattr(classify, "face_finder", lambda: lambda image: boxes if image.width == 200 else [])
    status, out, err = asked(capsys, path, tmp_path, "--faces", "--json")
    found = json.loads(out)
    assert status == 1 and err == f"error: {tmp_path}/none.png shows no face that was found\n"
    assert [tuple(one["box"].values()) for one in found["pictures"]] == boxes
    assert list(found["pictures"][0]["box"]) == ["left", "top", "right", "bottom"]
    ensemble = run.ensemble()
    expected = ensemble.predict(
        np.stack([image_files.fit(Image.fromarray(drawn[number]), SIZE, 1) for number in (1, 0)])
    )
    for one, row in zip(found["pictures"], expected, strict=True):
        np.testing.assert_allclose([one["probabilities"][name] for name in ensemble.classes], row, atol=1e-6)
    _, out, _ = asked(capsys, path, tmp_path, "--faces")
    assert "120,50,160,90" in out and "face" in out.splitlines()[2]


def test_what_cannot_be_read_is_named_and_passed_over(path, folder, tmp_path, capsys, monkeypatch):
    (tmp_path / "empty").mkdir()
    (tmp_path / "nothing.png").write_bytes(b"")
    monkeypatch.setattr(image_files, "MAX_BYTES", 2**20)
    (tmp_path / "huge.png").write_bytes(b"x" * (2**20 + 1))
    named = [tmp_path / "gone.png", tmp_path / "empty", tmp_path / "nothing.png", tmp_path / "huge.png", "/dev/null"]
    status, out, err = asked(capsys, path, *named, folder / "grey.png")
    reasons = [
        "cannot be read: No such file or directory",
        "holds no picture",
        "is empty",
        "is larger than 1 MiB",
        "is no file",
    ]
    assert status == 1 and err.splitlines() == [f"error: {one} {why}" for one, why in zip(named, reasons, strict=True)]
    assert out.splitlines()[-1].startswith(f"{folder}/grey.png")
    status, out, err = asked(capsys, path, tmp_path / "empty")
    assert status == 1 and len(out.splitlines()) == 2 and "holds no picture" in err


def test_a_run_without_stored_predictions_answers_without_a_threshold(path, folder, tmp_path, capsys):
    older = tmp_path / "older"
    shutil.copytree(path, older, ignore=shutil.ignore_patterns("predictions"))
    status, out, _ = asked(capsys, older, folder / "grey.png")
    assert status == 0 and "no threshold for the energy score:" in out and "trained before they were kept" in out
    _, out, _ = asked(capsys, older, folder / "grey.png", "--json")
    found = json.loads(out)
    assert found["score"]["threshold"] is None and found["pictures"][0]["unlike_training"] is None


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], "name a run and a picture or a folder; usage: "),
        (["RUN"], "name a run and a picture or a folder; usage: "),
        (["RUN", "x.png", "--json", "--csv"], "--json and --csv: choose one"),
        (["RUN", "x.png", "--trial=0", "--top=2"], "--trial names the network"),
        (["RUN", "x.png", "--tta=crop"], "flag --tta=crop: value should be one of <flip|ten_crop>"),
        (["RUN", "x.png", "--top=0"], "--top"),
        (["RUN", "x.png", "--trial=zz"], "no trial 'zz'"),
        (["RUN", "x.png", "--by=test_accuracy"], "test_accuracy may not choose"),
        (["RUN", "x.png", "--where=lr"], "--where=lr: write FIELD=VALUE, such as"),
        (["RUN", "x.png", "--where=learning_rat=1"], "no field 'learning_rat'; did you mean"),
        (["RUN", "x.png", "--where=learning_rate=fast"], "learning_rate"),
        (["RUN", "x.png", "--where=seed=1"], "'seed' is ambiguous"),
        (["nowhere", "x.png"], "no run at nowhere"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(path, capsys, arguments, words):
    status, out, err = asked(capsys, *[str(path) if one == "RUN" else one for one in arguments])
    assert status == 2 and out == "" and re.match(f"error: .*({words})", err) and err.count("\n") == 1


def test_faces_without_opencv_is_one_line(path, folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert classify.face_finder is face_finder.face_finder
    status, _, err = asked(capsys, path, folder, "--faces")
    assert status == 2 and err == "error: finding faces needs OpenCV: pip install 'fer_jax[faces]'\n"


def test_help_names_every_flag(capsys):
    status, out, _ = asked(capsys, "--help")
    assert status == 0 and all(
        f"--{flag}" in out or f"[no]{flag}" in out for flag in ("trial", "top", "by", "where", "tta", "faces", "json")
    )


def test_a_dead_network_is_named_before_its_answers(path, folder, tmp_path, capsys):
    """The stored answers of the best point's first repeat become 'sad' to every picture."""
    dead = tmp_path / "run"
    shutil.copytree(path, dead)
    member = fer_jax.load_run(dead).ensemble().members[0]
    wave, slot = member.row["wave"], int(member.row["slot"])
    kept = RunDirectory(dead).predictions
    slots = (fer_jax.load_run(dead).trials["wave"] == wave).sum()
    logits = np.stack([kept.read(wave, "validation", other) for other in range(slots)])
    logits[slot] = np.eye(7)[member.classes.index("sad")]
    kept.write(wave, "validation", logits)
    said = "1 of 2 members is a dead network: it answers “sad” to every validation picture"
    status, out, err = asked(capsys, dead, folder / "grey.png")
    assert status == 0 and out.splitlines()[1].startswith(f"warning: {said}") and err == ""
    _, out, err = asked(capsys, dead, folder / "grey.png", "--csv")
    assert said in err and out.startswith("picture,")
    _, out, _ = asked(capsys, dead, folder / "grey.png", "--json")
    assert json.loads(out)["dead"] == {member.id: "sad"}
    _, out, _ = asked(capsys, dead, folder / "grey.png", f"--trial={member.id}")
    assert "this network is dead: it answers “sad” to every validation picture; its answers mean nothing" in out
    ensemble = fer_jax.load_run(dead).ensemble()
    assert repr(ensemble).endswith("; 1 dead>") and list(ensemble.dead) == [member.id]
    assert "dead" not in repr(fer_jax.load_run(path).ensemble()) and fer_jax.load_run(path).ensemble().warning == ""


def test_a_picture_that_is_named_twice_is_answered_once(path, folder, capsys, monkeypatch):
    (folder / "broken.jpg").unlink()
    monkeypatch.chdir(folder)
    status, out, err = asked(capsys, path, "grey.png", "./grey.png", "--csv")
    assert status == 0 and [row["picture"] for row in csv.DictReader(io.StringIO(out))] == ["grey.png"]
    assert err == "fer_jax: ./grey.png named more than once: answered once\n"
    status, out, err = asked(capsys, path, folder / "clear.png", folder, "--csv")
    pictures = [row["picture"] for row in csv.DictReader(io.StringIO(out))]
    assert (
        status == 0 and sorted(pictures) == [f"{folder}/{name}" for name in GOOD] and pictures[0].endswith("clear.png")
    )
    assert err == f"fer_jax: {folder}/clear.png named more than once: answered once\n"


@pytest.mark.parametrize("form", ["", "--csv", "--json"])
def test_control_characters_of_names_are_not_written_raw(path, folder, tmp_path, capsys, form):
    hostile, classes = tmp_path / "run", "happy\x1b[31m\u202e"
    shutil.copytree(path, hostile)
    config = hostile / "config.json"
    config.write_text(config.read_text().replace('"happy"', json.dumps(classes)))
    picture = tmp_path / "p\x1b]0;t\x07\x9b\u202e.png"
    shutil.copy(folder / "grey.png", picture)
    status, out, err = asked(capsys, hostile, picture, tmp_path / "no\x1bne.png", "--show=7", *filter(None, [form]))
    assert status == 1 and (out + err).replace("\n", "").isprintable()
    assert err == f"error: {tmp_path}/no\\x1bne.png cannot be read: No such file or directory\n"
    if form == "--json":  # escapes of JSON, which give the name back
        (one,) = json.loads(out)["pictures"]
        assert one["picture"] == str(picture) and classes in one["probabilities"]
    else:
        assert r"p\x1b]0;t\x07\x9b\u202e.png" in out and r"happy\x1b[31m\u202e" in out
