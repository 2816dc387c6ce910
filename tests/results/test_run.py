"""A small run written by hand, read back: tables, choices, lookups, predictions."""

import dataclasses
import re
import shutil
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from fer_jax import data, models
from fer_jax.config import fields, search_space
from fer_jax.config.rules import resolve
from fer_jax.config.values import default_config, flatten, put, to_json
from fer_jax.data.dataset import Dataset, Split, checksum
from fer_jax.errors import ConfigError, FerJaxError, RunError
from fer_jax.models import inference
from fer_jax.results.run import load_run
from fer_jax.store import CURVE_COLUMNS, RunDirectory

SIZE, CLASSES = 12, ("angry", "happy", "sad")
LEARNING_RATES, DENSE, SEEDS = (1e-3, 0.01), ((8,), (8, 6)), (5, 6)


def network(dense, channels=1):
    values = flatten(base_config(channels)) | {"model.dense": dense}
    return models.build(values, (SIZE, SIZE, channels), len(CLASSES))


def base_config(channels=1):
    config = default_config()
    config.data.image_size, config.data.channels, config.train.seed = SIZE, channels, SEEDS[0]
    config.model.pairs, config.model.kernels, config.model.pool_size = 1, (4,), 4
    config.sweep.grid.train.learning_rate, config.sweep.grid.model.dense = LEARNING_RATES, DENSE
    config.sweep.repeats = len(SEEDS)
    return config


def pictures(n, seed=0, channels=1):
    return np.random.default_rng(seed).integers(0, 256, (n, SIZE, SIZE, channels), np.uint8)


def make_dataset():
    labels = np.random.default_rng(1).integers(0, 3, 70).astype(np.int32)
    splits = {name: Split(pictures(70, seed), labels) for seed, name in enumerate(("train", "validation", "test"))}
    return Dataset("synthetic", "official", CLASSES, **splits, checksum=checksum(CLASSES, splits), provenance={})


def make_trials():
    """Eight trials: two learning rates x two networks x two seeds; one diverged, one failed, one
    point never begun.
    """
    rows = []
    for dense_index, dense in enumerate(DENSE):
        for rate_index, rate in enumerate(LEARNING_RATES):
            for repeat, seed in enumerate(SEEDS):
                slot = 2 * rate_index + repeat
                rows.append(
                    {"id": f"{dense_index}{rate_index}{repeat}e6789abc", "status": "done", "model.dense": dense}
                    | {"train.learning_rate": rate, "seed": seed, "repeat": repeat, "stack": f"stack_{dense_index}"}
                    | {
                        "wave": f"stack_{dense_index}-wave_0",
                        "slot": slot,
                        "epochs": 3,
                        "diverged_epoch": None,
                        "error": "",
                    }
                    | {"val_accuracy": 0.5 + 0.1 * rate_index + 0.01 * repeat, "val_loss": 1.0 - 0.1 * dense_index}
                    | {"test_accuracy": 0.4}
                )
    trials = pd.DataFrame(rows)
    trials.loc[3, ["status", "val_accuracy", "val_loss", "diverged_epoch"]] = ["diverged", None, None, 2]
    trials.loc[5, ["status", "val_accuracy", "val_loss", "error"]] = ["failed", 0.99, 0.01, "out of memory"]
    trials.loc[6:, ["status", "val_accuracy", "val_loss"]] = ["pending", None, None]
    trials.loc[6:, ["wave", "slot", "epochs"]] = ["", None, None]
    return trials


def make_weights(dense, channels=1):
    rng = np.random.default_rng(len(dense))
    shapes = jax.eval_shape(network(dense, channels).init, jax.random.key(0))
    params, stats = jax.tree.map(lambda leaf: rng.normal(0, 0.3, (4, *leaf.shape)).astype(leaf.dtype), shapes)
    last = jax.tree.map(lambda leaf: leaf * 0.5, params)
    width = len(jax.tree.leaves(params)[0])
    pixels = {"scale": np.full(width, 1 / 255, np.float32), "offset": np.zeros(width, np.float32)}
    return {"best": {"params": params, "stats": stats}, "last": {"params": last, "stats": stats}, "pixels": pixels}


def write_run(path, trials=None, channels=1):
    directory = RunDirectory(path)
    record = {
        "checksum": make_dataset().checksum,
        "classes": CLASSES,
        "split": "official",
        "label": "synthetic faces, official split",
    }
    swept = ["model.dense", "train.learning_rate"]
    config = to_json(base_config(channels))
    directory.write_config({"config": config, "data": record, "swept": swept, "command": "test"})
    directory.write_plan({"stacks": [{"name": "stack_0", "waves": [{"name": "stack_0-wave_0"}]}]})
    directory.write_trials(make_trials() if trials is None else trials)
    rows = [(name, epoch, 1.0, 0.3, 1.1, 0.2) for epoch in (1, 2, 3) for name in ("000e6789abc", "001e6789abc")]
    directory.write_curves("stack_0-wave_0", 1, pd.DataFrame(rows, columns=CURVE_COLUMNS))
    for index, dense in enumerate(DENSE):
        directory.save_final(f"stack_{index}-wave_0", make_weights(dense, channels))
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("runs") / "small")


@pytest.fixture
def run(path):
    return load_run(path)


def test_tables_have_the_types_of_their_fields(run):
    assert run.trials["model.dense"].tolist() == [(8,)] * 4 + [(8, 6)] * 4
    assert run.trials["train.learning_rate"].tolist() == [1e-3, 1e-3, 0.01, 0.01] * 2
    assert run.config.sweep.grid.model.dense == DENSE and run.config.data.image_size == SIZE
    assert run.swept == ("model.dense", "train.learning_rate")
    assert run.plan["stacks"][0]["name"] == "stack_0" and len(run.curves) == 6
    assert run.summary["n"].tolist() == [2, 1, 1, 0]
    assert run.summary["left_out"].tolist() == ["", "1 diverged", "1 failed", "2 pending"]
    assert run.summary["val_accuracy_mean"][1] == pytest.approx(0.6)
    assert "4 done, 1 diverged, 1 failed, 2 pending; synthetic faces, official split" in repr(run)


def test_best_point_is_by_mean_and_says_who_was_left_out(run):
    best = run.best_point("val_accuracy")
    assert (best["train.learning_rate"], best["n"], best["left_out"]) == (0.01, 1, "1 diverged")
    assert run.best_point().equals(best)
    low = run.best_point("val_loss")
    assert low["val_loss_mean"] == pytest.approx(0.9) and low["model.dense"] == (8, 6)


def test_equal_means_go_to_the_lower_loss_and_then_to_the_earlier_point(tmp_path):
    trials = make_trials().assign(status="done", val_accuracy=0.5, val_loss=[1, 1, 0.5, 0.5, 0.5, 0.5, 2, 2])
    assert load_run(write_run(tmp_path, trials)).best_point().name == 1


def test_best_is_one_done_trial(run):
    assert run.best().id == "010e6789abc"
    assert run.best("val_loss").id == "100e6789abc"


@pytest.mark.parametrize("choose", ["best", "best_point", "ensemble"])
def test_nothing_is_chosen_by_the_test_split_or_by_an_unknown_metric(run, choose):
    with pytest.raises(RunError, match="test_accuracy may not choose: choose by val_accuracy, then read"):
        getattr(run, choose)("test_accuracy")
    with pytest.raises(RunError, match="no metric 'val_acuracy' in .*; did you mean val_accuracy"):
        getattr(run, choose)("val_acuracy")


def test_a_run_loads_however_far_it_has_got(path, tmp_path):
    directory = RunDirectory(tmp_path)
    directory.write_config(RunDirectory(path).read_config())
    run = load_run(tmp_path)
    assert run.trials.empty and run.summary.empty and run.curves.empty and run.select(learning_rate=0.01) == []
    assert "no trials yet" in repr(run)
    for ask, words in (
        (run.best_point, "has no trials yet$"),
        (run.best, "has no trials yet$"),
        (lambda: run.plan, "it has no plan.json$"),
        (lambda: run.trial("0"), "no trial '0' in .*; there are none$"),
    ):
        with pytest.raises(RunError, match=words):
            ask()
    directory.write_trials(make_trials().assign(status="running", val_accuracy=None, val_loss=None))
    run = load_run(tmp_path)
    for choose in (run.best_point, run.best):
        with pytest.raises(RunError, match=r"no trial in .* is done with a val_accuracy \(8 running\)$"):
            choose()
    with pytest.raises(RunError, match="trial 000e6789abc of .* is running: it has no weights yet$"):
        run.trial("000").predict(pictures(1))


def test_what_is_no_run_says_so(tmp_path):
    with pytest.raises(RunError, match="no run at .*: it has no config.json$"):
        load_run(tmp_path / "nothing")
    RunDirectory(tmp_path).write_config({"config": {}})
    with pytest.raises(RunError, match="has no 'data': it was not written by this program$"):
        load_run(tmp_path)
    RunDirectory(tmp_path).write_config({"config": {"train.lerning_rate": 1.0}, "data": {}, "swept": []})
    with pytest.raises(ConfigError, match="train.lerning_rate"):
        load_run(tmp_path)


def test_trials_are_found_by_what_is_enough_of_their_id(run):
    assert run.trial("010e6789abc").id == run.trial("010").id == "010e6789abc"
    with pytest.raises(
        RunError, match="trial id '0' is ambiguous in .*: 000e6789abc, 001e6789abc, 010e6789abc, 011e6789abc$"
    ):
        run.trial("0")
    with pytest.raises(RunError, match="no trial '010e6789abd' in .*; did you mean 010e6789abc"):
        run.trial("010e6789abd")
    with pytest.raises(RunError, match="no trial '' in"):
        run.trial("")
    with pytest.raises(RunError, match="trial id 0: ids are text"):
        run.trial(0)


def test_an_id_that_begins_another_is_still_found(tmp_path):
    trials = make_trials()
    trials.loc[0, "id"] = "01"
    assert load_run(write_run(tmp_path, trials)).trial("01").id == "01"


def test_select_by_field_value_and_column(run):
    def ids(**wanted):
        return [trial.id[:3] for trial in run.select(**wanted)]

    assert ids() == ["000", "001", "010", "011", "100", "101", "110", "111"]
    assert ids(learning_rate=1e-3) == ids(train__learning_rate=0.001) == ["000", "001", "100", "101"]
    assert ids(dense=[8, 6], seed=6) == ["101", "111"]
    assert ids(status="done", repeat=0) == ["000", "010", "100"]
    assert ids(wave="stack_0-wave_0", learning_rate=0.01) == ["010", "011"]
    assert ids(epochs=50) == ids() and ids(epochs=3) == [] and ids(batch_size=64, dropout=0.4) == ids()
    assert ids(learning_rate=0.5) == []


@pytest.mark.parametrize(
    "wanted, words",
    [
        ({"learning_rat": 1}, "no field 'learning_rat'; did you mean train__learning_rate\\?$"),
        ({"name": "cnn"}, "'name' is ambiguous: write data__name or model__name$"),
        ({"learning_rate": -1}, "^train.learning_rate = -1.0: must be .*"),
        ({"learning_rate": "fast"}, "^train.learning_rate = 'fast': must be .*"),
    ],
)
def test_select_names_what_it_cannot_use(run, wanted, words):
    with pytest.raises(RunError, match=words) as caught:
        run.select(**wanted)
    assert "\n" not in str(caught.value)


def test_a_trial_knows_its_own_config_and_curves(run):
    trial = run.trial("101")
    assert trial.config.model.dense == (8, 6) and trial.config.train.learning_rate == 1e-3
    assert trial.config.train.seed == 6 and trial.config.sweep.repeats == 1
    assert trial.config.sweep.grid.train.learning_rate is None
    assert run.trial("001").curves["epoch"].tolist() == [1, 2, 3]
    assert trial.classes == CLASSES and trial.status == "failed" and "failed" in repr(trial)


@pytest.mark.parametrize("trial_id, wave, slot", [("000", 0, 0), ("010", 0, 2), ("100", 1, 0)])
def test_variables_are_those_of_the_trial(run, trial_id, wave, slot):
    trial = run.trial(trial_id)
    weights = jax.tree.map(lambda leaf: np.asarray(leaf[slot]), make_weights(DENSE[wave]))
    for got, which in ((trial.variables, "best"), (trial.last_variables, "last")):
        expected = {**weights[which], "pixels": weights["pixels"]}
        assert jax.tree.structure(got) == jax.tree.structure(expected)
        jax.tree.map(np.testing.assert_array_equal, got, expected)
        assert type(got) is dict and all(type(leaf) is np.ndarray for leaf in jax.tree.leaves(got))


def test_trials_without_weights_say_so(run):
    for trial_id, words in (("110", "is pending: it has no weights yet$"), ("101", "is failed: it has no weights$")):
        with pytest.raises(RunError, match=words):
            run.trial(trial_id).predict(pictures(1))


@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 200])
def test_predictions_are_those_of_the_network_and_compile_once(run, n):
    trial, images = run.trial("010"), pictures(n)
    forward, _ = inference._network(*network_key(trial))
    predicted = trial.predict(images)
    compiled = forward._cache_size()
    assert predicted.shape == (n, 3) and predicted.dtype == np.float32
    variables = trial.variables
    if n:
        logits, _, _ = network(DENSE[0]).apply(variables["params"], variables["stats"], models.normalize(images))
        np.testing.assert_allclose(predicted, jax.nn.softmax(logits), atol=1e-6)
        np.testing.assert_allclose(predicted.sum(axis=1), 1, atol=1e-5)
    run.trial("001").predict(pictures(n, seed=3))
    run.trial("000").predict(images.astype(np.float64))
    assert forward._cache_size() == compiled


def test_predictions_by_the_weights_of_the_last_epoch(run):
    trial, images = run.trial("010"), pictures(5)
    variables = trial.last_variables
    logits, _, _ = network(DENSE[0]).apply(variables["params"], variables["stats"], models.normalize(images))
    np.testing.assert_allclose(trial.predict(images, weights="last"), jax.nn.softmax(logits), atol=1e-6)
    np.testing.assert_array_equal(trial.predict(images, weights="best"), trial.predict(images))
    with pytest.raises(RunError, match="^weights = 'latest': must be 'best' or 'last'$"):
        trial.predict(images, weights="latest")


def network_key(trial):
    values = resolve(flatten(trial.config))
    named = [name for name, field in fields.FIELDS.items() if name.startswith("model.") and field.kind == "shape"]
    return tuple((name, values[name]) for name in named), (SIZE, SIZE, 1), len(CLASSES)


def test_features_are_the_named_layers(run):
    trial, images = run.trial("100"), pictures(70)
    variables = trial.variables
    _, _, expected = network(DENSE[1]).apply(
        variables["params"], variables["stats"], models.normalize(images), capture=("conv_0", "dense_1")
    )
    for layer in ("conv_0", "dense_1"):
        np.testing.assert_allclose(trial.features(images, layer), expected[layer], atol=1e-6)
    with pytest.raises(RunError, match="no layer 'dense_2' in this network; did you mean dense_[01] or dense_[01]"):
        trial.features(images, "dense_2")


def test_every_form_of_the_same_pictures_gives_the_same_answer(run):
    trial, images = run.trial("000"), pictures(5)
    expected = trial.predict(images)
    for form in (
        images[..., 0],
        images.tolist(),
        images.astype(np.float32),
        jax.numpy.asarray(images),
        images.astype(np.int64),
    ):
        np.testing.assert_array_equal(trial.predict(form), expected)
    for one in (images[0], images[0, ..., 0]):
        np.testing.assert_allclose(trial.predict(one), expected[:1], atol=1e-6)


def test_grey_pictures_serve_a_network_for_colour(tmp_path):
    trial = load_run(write_run(tmp_path, channels=3)).trial("000")
    grey = pictures(4)
    expected = trial.predict(np.repeat(grey, 3, axis=3))
    for form in (grey, grey[..., 0]):
        np.testing.assert_array_equal(trial.predict(form), expected)
    np.testing.assert_allclose(trial.predict(np.repeat(grey[0], 3, axis=2)), expected[:1], atol=1e-6)


@pytest.mark.parametrize(
    "images, words",
    [
        (
            np.zeros((3, 48, 48), np.uint8),
            r"of shape \(n, 12, 12, 1\), \(n, 12, 12\) or \(12, 12\); these have shape \(3, 48, 48\)$",
        ),
        (np.zeros((3, SIZE, SIZE, 3), np.uint8), r"these have shape \(3, 12, 12, 3\)$"),
        (np.zeros(SIZE), r"these have shape \(12,\)$"),
        (np.array(["face.png"]), "these are <U8$"),
        ([np.zeros((12, 12)), np.zeros((12, 13))], "these differ in shape$"),
        (np.full((SIZE, SIZE), 300.0), "these hold 300 to 300$"),
        (np.full((SIZE, SIZE), -1), "these hold -1 to -1$"),
        (np.full((SIZE, SIZE), np.nan), "these hold nan to nan$"),
        (np.full((SIZE, SIZE), 0.5), r"these lie in 0\.\.1: multiply them by 255$"),
    ],
)
def test_other_pictures_are_refused_with_what_was_expected(run, images, words):
    with pytest.raises(RunError, match="^images must be numbers in 0..255 .*" + words) as caught:
        run.trial("000").predict(images)
    assert "\n" not in str(caught.value)


def test_confusion_matrix_counts_the_pictures_of_a_split(run, monkeypatch):
    dataset, seen = make_dataset(), []
    monkeypatch.setattr(data, "load", lambda block: seen.append(block.path) or dataset, raising=False)
    trial = run.trial("010")
    for name in ("test", "validation"):
        matrix = trial.confusion_matrix(name)
        assert matrix.index.name == "true" and matrix.columns.name == "predicted"
        assert tuple(matrix.index) == tuple(matrix.columns) == CLASSES
        split = dataset.splits()[name]
        predicted = trial.predict(split.images).argmax(axis=1)
        for true, answer in np.ndindex(3, 3):
            assert matrix.iloc[true, answer] == np.sum((split.labels == true) & (predicted == answer))
    assert trial.confusion_matrix().equals(trial.confusion_matrix("test")) and seen == [""]
    with pytest.raises(RunError, match="have no private split; choose one of train, validation, test$"):
        trial.confusion_matrix("private")
    assert trial.dataset("moved.zip") is dataset and seen == ["", "moved.zip"] and trial.config.data.path == ""


def test_binarised_sums_probabilities_and_agrees_with_scikit_learn(run, monkeypatch):
    dataset = make_dataset()
    monkeypatch.setattr(data, "load", lambda block: dataset, raising=False)
    trial = run.trial("010")
    for split, threshold, weights in (("test", 0.5, "best"), ("validation", 0.3, "last")):
        labels = np.isin(dataset.splits()[split].labels, [CLASSES.index("happy"), CLASSES.index("sad")])
        summed = trial.predict(dataset.splits()[split].images, weights)[:, 1:].sum(axis=1)
        found = trial.binarised(("Happiness", "sad"), split, threshold, weights)
        report = metrics.classification_report(labels, summed >= threshold, output_dict=True, zero_division=0)
        assert found["accuracy"] == pytest.approx(np.mean(labels == (summed >= threshold)))
        assert found["auc"] == pytest.approx(metrics.roc_auc_score(labels, summed))
        assert found["loss"] == pytest.approx(metrics.log_loss(labels, summed.astype(float)), rel=1e-5)
        assert found["precision"] == pytest.approx(report["macro avg"]["precision"])
        assert found["recall"] == pytest.approx(report["macro avg"]["recall"])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"positive": ("glad",)}, ConfigError, "no class 'glad' to be positive; the classes are angry, happy, sad"),
        ({"positive": CLASSES}, ConfigError, "every class is positive"),
        ({"positive": ("sad",), "threshold": 50}, RunError, "threshold = 50: must be in .0, 1."),
        (
            {"positive": ("sad",), "split": "private"},
            RunError,
            "have no private split; choose one of train, validation, test",
        ),
    ],
)
def test_what_cannot_be_binarised_is_one_line(run, monkeypatch, arguments, error, message):
    monkeypatch.setattr(data, "load", lambda block: make_dataset(), raising=False)
    with pytest.raises(error, match=message) as caught:
        run.trial("010").binarised(**arguments)
    assert "\n" not in str(caught.value)


def test_other_data_than_the_runs_are_refused(path, monkeypatch):
    dataset = make_dataset()
    other = Dataset("synthetic", "official", CLASSES, dataset.train, dataset.test, None, "f" * 64, {})
    monkeypatch.setattr(data, "load", lambda block: other, raising=False)
    words = r"^the data: not what .* was trained on \(checksum ffffffffff\)$"
    with pytest.raises(RunError, match=words):
        load_run(path).trial("000").confusion_matrix()


def test_trials_of_a_sweep_over_data_each_load_their_own(tmp_path, monkeypatch):
    config = base_config()
    config.sweep.grid.train.learning_rate = config.sweep.grid.model.dense = None
    config.sweep.grid.data.classes, config.model.dense = ((), ("sad", "angry")), (8,)
    datasets = {3: make_dataset(), 2: dataclasses.replace(make_dataset(), classes=("angry", "sad"), checksum="2" * 64)}
    rows = []
    for number, trial in enumerate(search_space.expand(config)):
        checksum = datasets[len(trial.values["data.classes"]) or 3].checksum
        row = {"id": trial.id(checksum), "status": "done", "data.classes": trial.values["data.classes"]}
        rows.append(
            row | {"seed": trial.seed, "repeat": trial.repeat, "wave": "w", "slot": number, "val_accuracy": 0.5}
        )
    directory = RunDirectory(write_run(tmp_path, pd.DataFrame(rows)))
    record = directory.read_config() | {"config": to_json(config), "swept": ["data.classes"]}
    record["other_data"] = [{"classes": ["angry", "sad"], "checksum": datasets[2].checksum}]
    directory.write_config(record)
    monkeypatch.setattr(data, "load", lambda block: datasets[len(block.classes) or 3], raising=False)
    trials = load_run(tmp_path).select(seed=6)
    assert [trial.dataset() for trial in trials] == [datasets[3], datasets[2]]
    assert [trial.classes for trial in trials] == [CLASSES, ("angry", "sad")]
    datasets[2] = dataclasses.replace(datasets[2], checksum="3" * 64)
    with pytest.raises(RunError, match="not what .* was trained on"):
        load_run(tmp_path).select(seed=6)[1].dataset()


def write_swept(path, swept, values, **columns):
    """A run that sweeps one field, a done trial a value."""
    config = base_config()
    config.sweep.grid.train.learning_rate = config.sweep.grid.model.dense = None
    put(config, f"sweep.grid.{swept}", values)
    config.sweep.repeats, config.model.dense = 1, (8,)
    datasets = {3: make_dataset().checksum, 2: "2" * 64}
    rows = []
    for slot, trial in enumerate(search_space.expand(config)):
        row = {"id": trial.id(datasets[len(trial.values["data.classes"]) or 3]), "status": "done", **trial.point}
        row |= {"seed": trial.seed, "repeat": 0, "wave": "w", "slot": slot}
        rows.append(row | {name: column[slot] for name, column in columns.items()})
    directory = RunDirectory(write_run(path, pd.DataFrame(rows)))
    record = directory.read_config() | {"config": to_json(config), "swept": [swept]}
    if swept == "data.classes":
        record["other_data"] = [{"classes": ["angry", "sad"], "checksum": datasets[2], "label": "two"}]
    directory.write_config(record)
    return load_run(path)


def test_points_with_different_classes_are_not_ranked_against_each_other(tmp_path):
    run = write_swept(tmp_path, "data.classes", ((), ("angry", "sad")), val_accuracy=[0.5, 0.8], val_loss=[1.0, 0.5])
    for choose in ("best", "best_point", "ensemble"):
        with pytest.raises(RunError) as caught:
            getattr(run, choose)()
        message = str(caught.value)
        assert (
            "points with different classes (data.classes swept) are not ranked against each other by val_accuracy"
            in message
        )
        assert f"run.{choose}('val_accuracy', data__classes=())" in message and "\n" not in message
    assert run.ensemble("val_accuracy", data__classes=()).members[0].id == run.trials["id"][0]
    assert (
        run.best_point(data__classes=()).name == 0
        and run.best("val_loss", classes=("angry", "sad")).row["val_loss"] == 0.5
    )
    assert [data.get("label") for data in run.data_sets(run.trials)] == ["synthetic faces, official split", "two"]


def test_the_same_classes_named_in_full_are_ranked(tmp_path):
    run = write_swept(tmp_path, "data.classes", ((), CLASSES), val_accuracy=[0.5, 0.8], val_loss=[1.0, 0.5])
    assert run.best_point().name == 1


def test_losses_of_another_kind_are_not_ranked_and_break_no_tie(tmp_path):
    run = write_swept(tmp_path / "a", "loss.focal_gamma", (0.0, 2.0), val_accuracy=[0.5, 0.5], val_loss=[1.0, 0.2])
    assert run.best_point().name == 0 and run.best().row["val_loss"] == 1.0
    with pytest.raises(
        RunError, match=r"different losses \(loss.focal_gamma swept\) are not ranked .* loss__focal_gamma=0.0\)"
    ):
        run.best_point("val_loss")
    assert run.best_point("val_loss", focal_gamma=2).name == 1
    # Class weights enter the training loss only.
    run = write_swept(
        tmp_path / "b", "loss.class_weight", (0.0, 1.0), val_loss=[1.0, 0.2], val_accuracy=[0.5, 0.5], train_loss=[2, 1]
    )
    assert run.best_point("val_loss").name == run.best_point().name == 1
    with pytest.raises(RunError, match="different losses .loss.class_weight swept."):
        run.best("train_loss")


def test_a_choice_among_some_points(run):
    assert run.best_point(learning_rate=1e-3, dense=(8,))["n"] == 2
    assert run.best(learning_rate=1e-3, seed=5, dense=(8,)).id == "000e6789abc"
    with pytest.raises(RunError, match="seed = 5: a point has no seed, its trials have; run.select finds them"):
        run.best_point(seed=5)
    with pytest.raises(RunError, match=r"no trial in .* is done with a val_accuracy and learning_rate = 0.5 \("):
        run.best(learning_rate=0.5)


def test_using_a_run_never_writes_to_it(path):
    def files():
        return {file: (file.stat().st_mtime_ns, file.stat().st_size) for file in sorted(Path(path).rglob("*"))}

    before = files()
    run = load_run(path)
    run.best_point(), run.curves, run.plan
    run.trial("000").predict(pictures(2))
    assert files() == before


def test_one_line_errors_are_all_of_one_kind(run):
    for ask in (lambda: run.trial("zz"), lambda: run.select(x=1), lambda: run.best("x"), lambda: run.trial("0")):
        with pytest.raises(FerJaxError) as caught:
            ask()
        assert re.fullmatch("[^\n]+", str(caught.value))


def test_a_table_without_its_columns_is_named(path, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(path, copy)
    (copy / "trials.csv").write_text("garbage\n")
    with pytest.raises(RunError, match="trials.csv has no column 'id'"):
        load_run(copy)
