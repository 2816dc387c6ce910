"""A trained network on other people's labelled pictures: classes by name, what is left out, copies,
against numbers worked out by hand.
"""

import json

import numpy as np
import pytest
from PIL import Image
from sklearn import metrics

import fer_jax
from fer_jax import predict
from fer_jax.config.values import default_config
from fer_jax.data import faces
from fer_jax.data.reading import image_files
from fer_jax.errors import DataError, RunError
from fer_jax.launch import loop
from fer_jax.prediction import external

SIZE = 16
CLASSES = ("angry", "happy", "sad")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    config = default_config()
    config.data.image_size, config.model.name, config.model.hidden = SIZE, "mlp", (8,)
    config.data.classes = CLASSES
    config.data.train_size, config.data.validation_size, config.data.test_size = 60, 30, 30
    config.train.batch_size, config.train.epochs, config.sweep.repeats = 20, 2, 2
    return loop.run_sweep(config, tmp_path_factory.mktemp("external") / "run")


@pytest.fixture
def run(path):
    return fer_jax.load_run(path)


@pytest.fixture
def trial(run):
    return run.trial(run.trials["id"][0])


# Class folder -> pictures in it; what each folder means to the network is what the tests know.
FOLDERS = {"Anger": 4, "Happiness": 3, "Joy": 2, "SAD": 3, "disgust": 5}


@pytest.fixture
def there(tmp_path):
    """Drawn faces, larger than the network's and in colour, by folders with other names than the
    network's classes.
    """
    drawn = iter(faces.draw("test", sum(FOLDERS.values()), seed=7, size=40, channels=3)[0])
    for name, count in FOLDERS.items():
        (tmp_path / "there" / name).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(next(drawn)).save(tmp_path / "there" / name / f"{number}.png")
    return tmp_path / "there"


def fitted(folder, name):
    return [
        image_files.fit(image_files.decode(file.read_bytes()), SIZE, 1)
        for file in sorted((folder / name).glob("*.png"))
    ]


def by_hand(asked, folder, known):
    """Answers and labels of the pictures, one folder after another, straight from the network."""
    images = [image for name in known for image in fitted(folder, name)]
    labels = np.repeat([CLASSES.index(known[name]) for name in known], [FOLDERS[name] for name in known])
    return asked.predict(np.stack(images)), labels


KNOWN = {"Anger": "angry", "Happiness": "happy", "SAD": "sad"}


def test_figures_are_those_of_the_answers_by_hand(trial, there):
    found = fer_jax.evaluate(trial, str(there))
    probabilities, labels = by_hand(trial, there, KNOWN)
    answers = probabilities.argmax(axis=1)
    assert found.classes == CLASSES and len(found.labels) == 10
    assert found.accuracy == pytest.approx(np.mean(answers == labels))
    assert found.left_out == {"disgust": 5, "joy": 2} and found.matched == {name: name for name in CLASSES}
    expected = metrics.confusion_matrix(labels, answers, labels=range(3))
    np.testing.assert_array_equal(found.confusion_matrix.to_numpy(), expected)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, answers, labels=range(3), zero_division=0
    )
    np.testing.assert_allclose(found.report[["precision", "recall", "f1"]].to_numpy().T, [precision, recall, f1])
    assert found.report["support"].tolist() == support.tolist() == [4, 3, 3]
    assert found.metrics()["log_loss"] == pytest.approx(-np.log(probabilities[np.arange(10), labels]).mean(), rel=1e-5)


def test_a_class_may_be_named(trial, there):
    found = fer_jax.evaluate(trial, str(there), classes={"joy": "Happiness"}, copies=False)
    probabilities, labels = by_hand(trial, there, {**KNOWN, "Joy": "happy"})
    assert (
        found.left_out == {"disgust": 5}
        and found.matched["joy"] == "happy"
        and found.report["support"].tolist() == [4, 5, 3]
    )
    assert found.accuracy == pytest.approx(np.mean(probabilities.argmax(axis=1) == labels))


def test_classes_that_training_joined_are_known_by_their_parts(there, tmp_path):
    config = default_config()
    config.data.image_size, config.model.name, config.model.hidden, config.train.epochs = SIZE, "mlp", (4,), 1
    config.data.train_size, config.data.validation_size, config.data.test_size, config.train.batch_size = 40, 20, 20, 20
    config.data.classes, config.data.merge = CLASSES, ("Negative=anger+sad",)
    run = fer_jax.load_run(loop.run_sweep(config, tmp_path / "merged"))
    found = fer_jax.evaluate(run.trial(run.trials["id"][0]), str(there))
    assert found.classes == ("happy", "negative") and found.report["support"].tolist() == [3, 7]
    assert found.matched == {"angry": "negative", "happy": "happy", "sad": "negative"}


def save(image, file):
    Image.fromarray(image[..., 0]).save(file)


def test_copies_are_counted_and_left_out(trial, there):
    data = trial.dataset()
    sad = [row for row in range(60) if data.train.labels[row] == CLASSES.index("sad")]
    save(data.train.images[sad[0]], there / "SAD" / "exact.png")
    save(data.train.images[sad[1]], there / "Anger" / "exact_with_another_label.png")
    save(data.validation.images[0], there / "Happiness" / "validated.png")
    brighter = np.clip(data.train.images[sad[2]].astype(int) + 9, 0, 255).astype(np.uint8)
    save(brighter, there / "SAD" / "near.png")
    save(data.train.images[sad[3]], there / "disgust" / "left_out.png")
    found = fer_jax.evaluate(trial, str(there))
    assert len(found.labels) == 14 and found.left_out["disgust"] == 6
    counts = {split: {kind: int(which.sum()) for kind, which in each.items()} for split, each in found.copies.items()}
    assert counts["train"]["exact"] == 2 and counts["validation"]["exact"] == 1
    assert counts["train"]["near"] == 3 and counts["validation"]["near"] >= 1
    assert found.metrics("exact")["pictures"] == 11 and found.metrics("near")["pictures"] == 10
    # Without all of the copies the pictures are those of the folders as they were.
    probabilities, labels = by_hand_of_the_first(trial, there)
    assert found.metrics("near")["accuracy"] == pytest.approx(np.mean(probabilities.argmax(axis=1) == labels))
    assert found.parts["pictures"].tolist() == [14, 11, 10]


def by_hand_of_the_first(trial, there):
    images = [
        image_files.fit(image_files.decode((there / name / f"{row}.png").read_bytes()), SIZE, 1)
        for name in KNOWN
        for row in range(FOLDERS[name])
    ]
    return trial.predict(np.stack(images)), np.repeat([0, 1, 2], [4, 3, 3])


def test_repeats_answer_together(run, there):
    found = fer_jax.evaluate(run.ensemble(), str(there), copies=False)
    each = [by_hand(member, there, KNOWN) for member in run.ensemble().members]
    labels = each[0][1]
    mean = np.mean([probabilities for probabilities, _ in each], axis=0)
    assert found.accuracy == pytest.approx(np.mean(mean.argmax(axis=1) == labels))
    assert found.accuracies == pytest.approx(
        [np.mean(probabilities.argmax(axis=1) == labels) for probabilities, _ in each]
    )
    with pytest.raises(DataError, match="were not sought"):
        found.copied()


def split_tree(folder):
    """The pictures of `there` as test pictures, and one of each class to train on."""
    for name in ("angry", "happy", "sad"):
        (folder / "train" / name).mkdir(parents=True)
        (folder / "test" / name).mkdir(parents=True)
        for number, part in enumerate(("train", "test", "test")):
            drawn = faces.draw("test", 3, seed=CLASSES.index(name) + 20, size=20)[0]
            save(drawn[number], folder / part / name / f"{number}.png")
    return folder


def test_splits_of_the_other_data_may_be_chosen(trial, tmp_path):
    folder = split_tree(tmp_path / "split")
    assert fer_jax.evaluate(trial, str(folder)).splits == {"train": 3, "test": 6}
    found = fer_jax.evaluate(trial, str(folder), splits=("test",))
    assert found.splits == {"test": 6} and found.report["support"].tolist() == [2, 2, 2]
    with pytest.raises(DataError, match="has no validation pictures; choose of train, test"):
        fer_jax.evaluate(trial, str(folder), splits=("validation",))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"classes": {"jy": "happy"}}, "no class 'jy' in it; did you mean joy"),
        ({"classes": {"joy": "hapy"}}, "joy=hapy: the networks know no class 'hapy'; did you mean happy"),
    ],
)
def test_a_class_that_is_not_there_is_one_line(trial, there, options, words):
    with pytest.raises(DataError, match=words):
        fer_jax.evaluate(trial, str(there), **options)


def test_other_data_altogether_is_one_line(trial, tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        save(faces.draw("test", 1, size=20)[0][0], tmp_path / "pets" / name / "0.png")
    with pytest.raises(
        DataError, match=r"no picture in it is of angry, happy, sad; its classes are cat, dog.*--same_class=joy=happy"
    ):
        fer_jax.evaluate(trial, str(tmp_path / "pets"))
    with pytest.raises(RunError, match="weights = 'first'"):
        fer_jax.evaluate(trial, str(split_tree(tmp_path / "split")), weights="first")


def asked(capsys, *arguments):
    status = predict.main(["predict", *map(str, arguments)])
    out, err = capsys.readouterr()
    return status, out, err


def test_the_program_prints_what_python_says(run, path, there, capsys):
    save(run.ensemble().members[0].dataset().train.images[0], there / "SAD" / "copy.png")
    status, out, err = asked(capsys, path, there, "--labelled", "--json", "--same_class=joy=happy")
    found, expected = json.loads(out), fer_jax.evaluate(run.ensemble(), str(there), classes={"joy": "happy"})
    assert status == 0 and "error" not in err and found["trials"] == [member.id for member in run.ensemble().members]
    assert (
        found["left_out"] == {"disgust": 5}
        and found["confusion_matrix"] == expected.confusion_matrix.to_numpy().tolist()
    )
    assert found["parts"]["all"]["accuracy"] == pytest.approx(expected.accuracy)
    assert found["copies"]["train"]["exact"] == 1 and found["parts"]["exact"]["pictures"] == len(expected.labels) - 1
    status, out, _ = asked(capsys, path, there, "--labelled", "--same_class=joy=happy")
    assert status == 0 and "\n".join(external.describe(expected)) in out
    assert (
        "left out, of no class of the networks: 5 (disgust 5)" in out and "taken for another name: joy as happy" in out
    )


def test_without_the_data_it_was_trained_on_copies_are_not_sought(run, path, there, capsys, monkeypatch):
    def missing(trial, path=None):
        raise DataError(f"{path}: nothing there")

    monkeypatch.setattr(type(run.trial(run.trials["id"][0])), "dataset", missing)
    status, out, _ = asked(capsys, path, there, "--labelled", "--train_data=gone.zip")
    assert status == 0 and "were not sought: gone.zip: nothing there" in out and "without exact" not in out
    status, out, _ = asked(capsys, path, there, "--labelled", "--nocopies", "--json")
    assert status == 0 and json.loads(out)["copies"] == {} and json.loads(out)["copies_not_sought"] is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["x", "y", "--labelled"], "--labelled asks about one data set: name one"),
        (["x", "--splits=test"], "--splits needs --labelled"),
        (["x", "--labelled", "--csv"], "--csv says nothing with --labelled"),
        (["x", "--labelled", "--same_class=joy"], "--same_class=joy: write THEIRS=OURS"),
        (["/nowhere", "--labelled"], "/nowhere"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(path, capsys, arguments, words):
    status, out, err = asked(capsys, path, *arguments)
    assert status == 2 and out == "" and words in err and err.startswith("error: ") and err.count("\n") == 1
