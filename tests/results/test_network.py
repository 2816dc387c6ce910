"""A trial's settings, weights and data, and what its network gives, against the network itself."""

import dataclasses

import jax
import numpy as np
import pandas as pd
import pytest

from fer_jax import data, models
from fer_jax.config import search_space
from fer_jax.config.values import to_json
from fer_jax.data.dataset import Dataset
from fer_jax.errors import RunError
from fer_jax.results.run import load_run
from fer_jax.store import RunDirectory

SIZE, CLASSES, DENSE = 12, ("angry", "happy", "sad"), ((8,), (8, 6))


def test_a_trial_knows_its_own_config_and_curves(run):
    trial = run.trial("101")
    assert trial.config.model.dense == (8, 6) and trial.config.train.learning_rate == 1e-3
    assert trial.config.train.seed == 6 and trial.config.sweep.repeats == 1
    assert trial.config.sweep.grid.train.learning_rate is None
    assert run.trial("001").curves["epoch"].tolist() == [1, 2, 3]
    assert trial.classes == CLASSES and trial.status == "failed" and "failed" in repr(trial)


@pytest.mark.parametrize("trial_id, wave, slot", [("000", 0, 0), ("010", 0, 2), ("100", 1, 0)])
def test_variables_are_those_of_the_trial(run, trial_id, wave, slot, small):
    trial = run.trial(trial_id)
    weights = jax.tree.map(lambda leaf: np.asarray(leaf[slot]), small.weights(DENSE[wave]))
    for got, which in ((trial.variables, "best"), (trial.last_variables, "last")):
        expected = {**weights[which], "pixels": weights["pixels"]}
        assert jax.tree.structure(got) == jax.tree.structure(expected)
        jax.tree.map(np.testing.assert_array_equal, got, expected)
        assert type(got) is dict and all(type(leaf) is np.ndarray for leaf in jax.tree.leaves(got))


def test_trials_without_weights_say_so(run, small):
    for trial_id, words in (("110", "is pending: it has no weights yet$"), ("101", "is failed: it has no weights$")):
        with pytest.raises(RunError, match=words):
            run.trial(trial_id).predict(small.draw(1))


@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 200])
def test_predictions_are_those_of_the_network_and_compile_once(run, n, small, compilations):
    trial, images = run.trial("010"), small.draw(n)
    predicted = trial.predict(images)
    assert predicted.shape == (n, 3) and predicted.dtype == np.float32
    variables = trial.variables
    if n:
        logits, _, _ = small.network(DENSE[0]).apply(variables["params"], variables["stats"], models.normalize(images))
        np.testing.assert_allclose(predicted, jax.nn.softmax(logits), atol=1e-6)
        np.testing.assert_allclose(predicted.sum(axis=1), 1, atol=1e-5)
    compilations.clear()
    run.trial("001").predict(small.draw(n, seed=3))
    run.trial("000").predict(images.astype(np.float64))
    assert not compilations


def test_predictions_by_the_weights_of_the_last_epoch(run, small):
    trial, images = run.trial("010"), small.draw(5)
    variables = trial.last_variables
    logits, _, _ = small.network(DENSE[0]).apply(variables["params"], variables["stats"], models.normalize(images))
    np.testing.assert_allclose(trial.predict(images, weights="last"), jax.nn.softmax(logits), atol=1e-6)
    np.testing.assert_array_equal(trial.predict(images, weights="best"), trial.predict(images))
    with pytest.raises(RunError, match="^weights = 'latest': must be 'best' or 'last'$"):
        trial.predict(images, weights="latest")


def test_features_are_the_named_layers(run, small):
    trial, images = run.trial("100"), small.draw(70)
    variables = trial.variables
    _, _, expected = small.network(DENSE[1]).apply(
        variables["params"], variables["stats"], models.normalize(images), capture=("conv_0", "dense_1")
    )
    for layer in ("conv_0", "dense_1"):
        np.testing.assert_allclose(trial.features(images, layer), expected[layer], atol=1e-6)
    with pytest.raises(RunError, match="no layer 'dense_2' in this network; did you mean dense_[01] or dense_[01]"):
        trial.features(images, "dense_2")


def test_every_form_of_the_same_pictures_gives_the_same_answer(run, small):
    trial, images = run.trial("000"), small.draw(5)
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


def test_grey_pictures_serve_a_network_for_colour(tmp_path, small):
    trial = load_run(small.write(tmp_path, channels=3)).trial("000")
    grey = small.draw(4)
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


def test_other_data_than_the_runs_are_refused(path, monkeypatch, small):
    dataset = small.dataset()
    other = Dataset("synthetic", "official", CLASSES, dataset.train, dataset.test, None, "f" * 64, {})
    monkeypatch.setattr(data, "load", lambda block: other, raising=False)
    words = r"^the data: not what .* was trained on \(checksum ffffffffff\)$"
    with pytest.raises(RunError, match=words):
        load_run(path).trial("000").confusion_matrix()


def test_trials_of_a_sweep_over_data_each_load_their_own(tmp_path, monkeypatch, small):
    config = small.config()
    config.sweep.grid.train.learning_rate = config.sweep.grid.model.dense = None
    config.sweep.grid.data.classes, config.model.dense = ((), ("sad", "angry")), (8,)
    datasets = {
        3: small.dataset(),
        2: dataclasses.replace(small.dataset(), classes=("angry", "sad"), checksum="2" * 64),
    }
    rows = []
    for number, trial in enumerate(search_space.expand(config)):
        checksum = datasets[len(trial.values["data.classes"]) or 3].checksum
        row = {"id": trial.id(checksum), "status": "done", "data.classes": trial.values["data.classes"]}
        rows.append(
            row
            | {
                "seed": trial.seed,
                "repeat": trial.repeat,
                "wave": "stack_0-wave_0",
                "slot": number,
                "val_accuracy": 0.5,
            }
        )
    directory = RunDirectory(small.write(tmp_path, pd.DataFrame(rows)))
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
