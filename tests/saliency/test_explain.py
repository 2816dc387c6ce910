"""Saliency of a small trained run: of a trial, of the repeats of a point, of classes, and of
weights drawn anew.
"""

import dataclasses
import re
import shutil
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import fer_jax
from fer_jax import models
from fer_jax.config.rules import resolve
from fer_jax.config.values import default_config, flatten
from fer_jax.data.dataset import Dataset, Split
from fer_jax.errors import RunError
from fer_jax.models import inference
from fer_jax.saliency import explain, maps, settings
from fer_jax.saliency.explain import class_saliency, randomised_saliency, saliency_maps
from fer_jax.store import RunDirectory

PAGE = (Path(__file__).parents[2] / "docs" / "saliency.md").read_text()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    config = default_config()
    config.data.image_size, config.data.train_size = 16, 280
    config.data.validation_size, config.data.test_size = 70, 35
    config.model.pairs, config.model.kernels, config.model.dense, config.model.dropout = 1, (8,), (16,), 0.0
    config.train.batch_size, config.train.epochs, config.report.saliency = 16, 12, False
    config.sweep.grid.train.learning_rate, config.sweep.repeats = (3e-3, 1e-2), 2
    return fer_jax.run_sweep(config, tmp_path_factory.mktemp("explained") / "run").path


@pytest.fixture(scope="module")
def run(path):
    return fer_jax.load_run(path)


@pytest.fixture(scope="module")
def images(run):
    return run.trial(run.trials["id"][0]).dataset().validation.images[:6]


def rate(run, value=1e-2):
    return run.select(learning_rate=value)


def test_the_predicted_class_is_explained_unless_another_is_asked_for(run, images):
    trial = rate(run)[0]
    found = saliency_maps(trial, images)
    np.testing.assert_array_equal(found.targets, trial.predict(images).argmax(axis=1))
    np.testing.assert_allclose(found.logits, trial.features(images, "output").max(axis=1), atol=1e-4)
    named, happy = saliency_maps(trial, images, target="Happiness"), trial.classes.index("happy")
    np.testing.assert_array_equal(named.targets, np.full(6, happy))
    np.testing.assert_array_equal(named.values, saliency_maps(trial, images, target=happy).values)
    each = saliency_maps(trial, images, target=["happy", "sad", 0, np.int32(1), "fear", "happy"])
    np.testing.assert_array_equal(each.maps[[0, 5]], named.maps[[0, 5]])
    assert each.maps.shape == (6, 16, 16) and (each.maps[1] != named.maps[1]).any()


def test_pictures_in_any_form_and_either_weights(run, images):
    trial = rate(run)[0]
    found = saliency_maps(trial, images).maps
    np.testing.assert_array_equal(saliency_maps(trial, images[..., 0].astype(float)).maps, found)
    np.testing.assert_allclose(saliency_maps(trial, images[0]).maps, found[:1], atol=1e-5)
    variables = trial.last_variables
    network = models.build(resolve(flatten(trial.config)), (16, 16, 1), 7)

    def score(pixels):
        return (
            network.apply(variables["params"], variables["stats"], models.normalize(pixels, **variables["pixels"]))[0]
            .max(axis=1)
            .sum()
        )

    expected = 255 * np.asarray(jax.jit(jax.grad(score))(images.astype(np.float32)))
    np.testing.assert_allclose(saliency_maps(trial, images, weights="last").values, expected, atol=1e-4)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            {"target": "joy"},
            "target = 'joy': must be one of angry, disgust, fear, happy, neutral, sad, surprise, "
            "or its number from 0 to 6",
        ),
        ({"target": 7}, "target = 7: must be one of "),
        ({"target": True}, "target = True: must be one of "),
        ({"target": ["sad"]}, "target: 1 classes for 6 pictures; give one for each, or a single one"),
        ({"target": 1.5}, "target = 1.5: must be a class, or one for each picture"),
        ({"weights": "first"}, "weights = 'first': must be 'best' or 'last'"),
        ({"method": "lime"}, "method = 'lime': must be one of gradient, "),
        ({"sigma": 1}, "gradient has no setting 'sigma': it takes none"),
    ],
)
def test_what_cannot_be_explained_is_one_line(run, images, arguments, message):
    with pytest.raises(RunError) as caught:
        saliency_maps(rate(run)[0], images, **arguments)
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_a_fully_connected_network_has_no_grad_cam():
    values = resolve(flatten(default_config()) | {"model.name": "mlp", "data.image_size": 16})
    with pytest.raises(RunError, match="^grad_cam needs a layer with rows and columns, and this network has none"):
        settings.resolve("grad_cam", {}, (16, 16, 1), inference.layer_shapes(values, 7))


def test_repeats_are_averaged_as_shares_for_one_class(run, images):
    found = saliency_maps(run, images, point={"learning_rate": 1e-2}, method="occlusion", patch=4)
    trials = rate(run)
    together = np.mean([trial.predict(images) for trial in trials], axis=0)
    np.testing.assert_array_equal(found.targets, together.argmax(axis=1))
    singles = [saliency_maps(trial, images, method="occlusion", target=found.targets, patch=4).maps for trial in trials]
    expected = np.stack([one / np.abs(one).sum(axis=(1, 2), keepdims=True) for one in singles])
    np.testing.assert_allclose(found.mean, expected.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found.sd, expected.std(axis=0, ddof=1), atol=1e-6)
    ranked = [stats.spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(*singles, strict=True)]
    np.testing.assert_allclose(found.agreement, ranked, atol=1e-6)
    assert found.ids == tuple(trial.id for trial in trials) and found.left_out == ""


def test_every_way_to_name_a_point_gives_its_done_trials(run, images):
    best = run.best_point()
    trials = rate(run, best["train.learning_rate"])
    for point in (best, None, {"learning_rate": best["train.learning_rate"]}):
        found, left_out = explain.done_trials(run, point)
        assert ([trial.id for trial in found], left_out) == ([trial.id for trial in trials], "")
    assert [trial.id for trial in explain.done_trials(trials)[0]] == [trial.id for trial in trials]
    assert [trial.id for trial in explain.done_trials(trials[1:])[0]] == [trials[1].id]
    (alone, _) = explain.done_trials(run, {"learning_rate": 1e-2, "repeat": 1})
    assert [trial.id for trial in alone] == [rate(run)[1].id]


@pytest.mark.parametrize(
    "point, message",
    [
        ({}, "describes several points of .*: name more of train.learning_rate$"),
        ({"learning_rate": 5.0}, "no trial of this point of .* is done [(]it has none[)]$"),
        ("best", "^point = 'best': must be a row of run.summary, field values such as "),
        (
            pd.Series({"n": 2}),
            "^this row has no train.learning_rate: a point is a row of run.summary, as run.best_point[(][)] gives$",
        ),
    ],
)
def test_what_names_no_point_is_one_line(run, images, point, message):
    with pytest.raises(RunError, match=message):
        saliency_maps(run, images, point=point)


def test_who_is_asked_is_a_trial_trials_or_a_run(run, images):
    trials = rate(run)
    np.testing.assert_array_equal(
        saliency_maps(trials, images).mean, saliency_maps(run, images, point={"learning_rate": 1e-2}).mean
    )
    for of in (trials[0], trials):
        with pytest.raises(RunError, match="^point = {}: trial .* needs none; give its run to ask all repeats"):
            saliency_maps(of, images, point={})
        with pytest.raises(RunError, match="^point = {}: trial .* needs none; give its run to ask all repeats"):
            class_saliency(of, point={})
    with pytest.raises(RunError, match="^'best': must be a trial, trials or a run$"):
        saliency_maps("best", images)
    with pytest.raises(RunError, match="^no trial of this point is done [(]it has none[)]$"):
        saliency_maps([], images)


def test_trials_that_are_not_done_are_left_out_and_named(path, tmp_path, images):
    shutil.copytree(path, tmp_path / "run")
    directory = RunDirectory(tmp_path / "run")
    table = directory.read_trials()
    table.loc[(table["train.learning_rate"] == 1e-2) & (table["seed"] == table["seed"].max()), "status"] = "diverged"
    directory.write_trials(table)
    run = fer_jax.load_run(tmp_path / "run")
    found = saliency_maps(run, images, point={"learning_rate": 1e-2})
    assert len(found.ids) == 1 and found.left_out == "1 diverged" and np.isnan(found.sd).all()


def dataset_of(trial, **splits):
    own = trial.dataset()
    parts = {name: splits.get(name, part) for name, part in own.splits().items()}
    return Dataset(own.name, own.split, own.classes, **parts, checksum=own.checksum, provenance={})


def test_class_means_are_those_of_the_shares_of_its_pictures(run, monkeypatch):
    trial = rate(run)[0]
    # 70 pictures are more than two batches; one class has a single picture left, one none.
    part = trial.dataset().validation
    labels = part.labels.copy()
    labels[labels == trial.classes.index("disgust")] = 0
    fear = np.flatnonzero(labels == 2)
    labels[fear[1:]] = 0
    changed = dataset_of(trial, validation=Split(part.images, labels))
    monkeypatch.setattr(type(trial), "dataset", lambda self, path=None: changed)
    found = class_saliency(trial, limit=20)
    counts = np.bincount(labels, minlength=7)
    np.testing.assert_array_equal(found.n, np.minimum(counts, 20))
    assert counts.max() > 20 and found.n[1] == 0 and found.n[2] == 1 and found.split == "validation"
    for label in range(7):
        rows = np.flatnonzero(labels == label)[:20]
        if not len(rows):
            assert np.isnan(found.mean[label]).all() and np.isnan(found.sd[label]).all()
            continue
        single = maps.shares(saliency_maps(trial, part.images[rows], target=label).maps)
        np.testing.assert_allclose(found.mean[label], single.mean(axis=0), atol=1e-6)
        if len(rows) == 1:
            assert np.isnan(found.sd[label]).all()
        else:
            np.testing.assert_allclose(found.sd[label], single.std(axis=0, ddof=1), atol=1e-6)
    assert class_saliency(trial, limit=None).n.sum() == 70
    with pytest.raises(RunError, match="^limit = 0: must be a number of pictures, at least 1, or None for all$"):
        class_saliency(trial, limit=0)
    with pytest.raises(RunError, match="have no holdout split; choose one of train, validation, test$"):
        class_saliency(trial, "holdout")


def test_class_means_over_repeats(run):
    found = class_saliency(run, point={"learning_rate": 1e-2}, split="test", limit=5)
    each = np.stack([class_saliency(trial, "test", limit=5).mean for trial in rate(run)])
    np.testing.assert_allclose(found.mean, each.mean(axis=0))
    np.testing.assert_allclose(found.sd, each.std(axis=0, ddof=1))
    assert (found.repeats, found.split, found.method) == (2, "test", "gradient")


def test_weights_drawn_anew_from_the_last_layer_down_to_each(run, images):
    trial = rate(run)[0]
    table = randomised_saliency(trial, images, method="integrated_gradients", seed=3, steps=8)
    assert (
        table["layer"].tolist() == ["output", "dense_0", "conv_0"]
        and (table["n"] == 6).all()
        and (table["undefined"] == 0).all()
    )
    trained = saliency_maps(trial, images, method="integrated_gradients", steps=8)
    network = models.build(resolve(flatten(trial.config)), (16, 16, 1), 7)
    fresh = jax.jit(network.init)(jax.random.key(3))[0]
    params = {**trial.variables["params"], "output": fresh["output"], "dense_0": fresh["dense_0"]}
    explainer = explain.Explainer.of(trial, "integrated_gradients", "best", {"steps": 8})
    other = dataclasses.replace(explainer, variables={**explainer.variables, "params": params})
    found = other.explain(images, trained.targets).maps
    inner = randomised_saliency(trial, images, method="integrated_gradients", seed=3, steps=8, margin=3)
    for frame, inside in ((table, np.s_[:, :]), (inner, np.s_[3:13, 3:13])):
        for column, prepare in (("correlation", np.asarray), ("absolute", np.abs)):
            pairs = [
                (prepare(a[inside]).ravel(), prepare(b[inside]).ravel())
                for a, b in zip(trained.maps, found, strict=True)
            ]
            np.testing.assert_allclose(
                frame[column][1], np.mean([stats.spearmanr(a, b).statistic for a, b in pairs]), atol=1e-5
            )
    with pytest.raises(
        RunError, match="^margin = 8: must be a whole number of pixels, less than half of the picture's 16$"
    ):
        randomised_saliency(trial, images, margin=8)


@pytest.mark.parametrize("method", ["gradient", "smoothgrad", "grad_cam", "occlusion"])
def test_maps_are_about_what_was_learnt(run, method):
    """Adebayo et al. 2018: with all weights drawn anew, little of a map is left."""
    trial = run.best()
    images = trial.dataset().validation.images[:32]
    assert (trial.predict(images).argmax(axis=1) == trial.dataset().validation.labels[:32]).mean() > 0.5
    table = randomised_saliency(
        trial, images, method=method, margin=3, **({"samples": 10} if method == "smoothgrad" else {})
    )
    assert table["n"].iloc[-1] > 16 and abs(table["correlation"].iloc[-1]) < 0.35


def test_the_lines_of_the_page_run(run, images):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    found = {"fer_jax": fer_jax, "run": run, "images": images}
    exec(code.replace('run = fer_jax.load_run("runs/saliency")\n', ""), found)
    assert found["sheet"].figure.axes and len(found["check"]) == 3


def test_maps_of_dead_networks_say_so(path, images, tmp_path):
    """The stored answers of one of two repeats become 'happy' to every picture."""
    shutil.copytree(path, tmp_path / "run")
    run = fer_jax.load_run(tmp_path / "run")
    first, second = rate(run)
    kept, wave = run.directory.predictions, first.row["wave"]
    logits = kept.read(wave, "validation", list(range(4)))
    logits[int(first.row["slot"])] = np.eye(7)[first.classes.index("happy")]
    kept.write(wave, "validation", logits)
    dead = "this network is dead: it answers “happy” to every validation picture; its maps show nothing that was learnt"
    assert saliency_maps(first, images).warning == class_saliency(first, limit=2).warning == dead
    assert saliency_maps(second, images).warning == saliency_maps(first, images, weights="last").warning == ""
    both = [first, second]
    assert saliency_maps(both, images).warning == class_saliency(both, limit=2).warning
    assert saliency_maps(both, images).warning.startswith("1 of 2 networks is a dead network: it answers “happy” to")
