"""Sweeps that begin with the weights of another trial, with layers frozen and in phases."""

import json
import shutil

import jax
import numpy as np
import pytest

import fer_jax
from fer_jax import models
from fer_jax.config.rules import resolve
from fer_jax.config.values import flatten, put
from fer_jax.errors import ConfigError
from fer_jax.launch.planned import plan_sweep
from fer_jax.launch.prepared import notes, prepare
from fer_jax.plan import sharing
from tests.models import legacy_files


@pytest.fixture(scope="module")
def teacher(tmp_path_factory, make_config):
    """A run of two trials whose weights others begin with."""
    config = make_config()
    config.sweep.grid.train.learning_rate = None
    config.train.epochs = 2
    path = tmp_path_factory.mktemp("teacher") / "run"
    return fer_jax.run_sweep(config, path)


@pytest.fixture
def student(teacher, make_config):
    """Two trials that begin with the teacher's weights and do not train its convolution."""
    config = make_config()
    config.sweep.grid.train.learning_rate = None
    config.model.init = f"{teacher.path}:{teacher.trials['id'].iloc[0]}"
    config.model.freeze = ("conv_0",)
    return config


@pytest.fixture(autouse=True)
def _(shared_programs):
    """No report, and nothing compiled twice."""


def metrics(run):
    return run.trials[["train_loss", "val_loss", "val_accuracy", "test_loss", "last_val_loss"]].astype(float)


def test_frozen_layers_are_shared_their_outputs_computed_once_and_the_result_is_that_of_own_layers(
    student, teacher, tmp_path, monkeypatch
):
    runs = {"computed once": fer_jax.run_sweep(student, tmp_path / "once")}
    monkeypatch.setattr(sharing, "cut", lambda *_: "")
    runs["shared"] = fer_jax.run_sweep(student, tmp_path / "shared")
    monkeypatch.setattr(sharing, "shares", lambda *_: False)
    runs["own"] = fer_jax.run_sweep(student, tmp_path / "own")
    plans = {name: json.loads((run.path / "plan.json").read_text())["stacks"][0] for name, run in runs.items()}
    found = {name: (plan["frozen"], plan["cut"]) for name, plan in plans.items()}
    assert found == {"computed once": ("shared", "pool_0"), "shared": ("shared", ""), "own": ("own", "")}
    assert (
        plans["computed once"]["flops"] < plans["shared"]["flops"]
        and plans["computed once"]["parameters"] < teacher.trials.shape[0] * 1e5
    )
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 1)).astype(np.uint8)
    first = teacher.trial(teacher.trials["id"].iloc[0]).variables["params"]["conv_0"]
    for run in runs.values():
        np.testing.assert_allclose(metrics(run), metrics(runs["own"]), atol=1e-5)
        assert list(run.trials["id"]) == list(runs["own"].trials["id"])
        trial = run.trial(run.trials["id"].iloc[1])
        for leaf in ("kernel", "bias"):
            np.testing.assert_array_equal(trial.variables["params"]["conv_0"][leaf], first[leaf])
            np.testing.assert_array_equal(trial.last_variables["params"]["conv_0"][leaf], first[leaf])
        expected = runs["own"].trial(trial.id).predict(images)
        np.testing.assert_allclose(trial.predict(images), expected, atol=1e-5)
        split = trial.dataset().test
        np.testing.assert_allclose(trial.predict(split.images), trial.probabilities("test"), atol=1e-5)


def test_random_and_loaded_weights_stand_in_one_stack_and_frozen_layers_are_then_each_trials_own(
    student, teacher, tmp_path
):
    student.sweep.points = ({}, {"model.init": "glorot_uniform"}, {"model.init": "he_normal"})
    student.sweep.repeats = 1
    run = fer_jax.run_sweep(student, tmp_path / "run")
    (stack,) = json.loads((tmp_path / "run" / "plan.json").read_text())["stacks"]
    assert (
        len(run.trials) == 3 and stack["frozen"] == "own" and stack["cut"] == "" and "model.init" in stack["optional"]
    )
    first = teacher.trial(teacher.trials["id"].iloc[0]).variables["params"]["conv_0"]["kernel"]
    kernels = {identity: run.trial(identity).variables["params"]["conv_0"]["kernel"] for identity in run.trials["id"]}
    loaded = run.trials["model.init"] == student.model.init
    assert [np.array_equal(kernels[identity], first) for identity in run.trials["id"]] == list(loaded)
    alone = fer_jax.run_sweep(_without_points(student), tmp_path / "alone")
    np.testing.assert_allclose(metrics(run)[loaded.to_numpy()], metrics(alone), atol=1e-4)
    (initial,) = run.record["initial"]
    assert initial["init"] == student.model.init and len(initial["checksum"]) == 64


def test_trials_that_load_the_same_frozen_layers_are_a_stack_of_their_own(student, tmp_path):
    student.sweep.points = ({}, {"model.init": "glorot_uniform"}, {"model.init": "he_normal"})
    run = fer_jax.run_sweep(student, tmp_path / "run")
    stacks = json.loads((tmp_path / "run" / "plan.json").read_text())["stacks"]
    assert [(stack["frozen"], bool(stack["cut"]), len(stack["waves"][0]["trials"])) for stack in stacks] == [
        ("shared", True, 2),
        ("own", False, 4),
    ]
    assert (run.trials["status"] == "done").all()


def _without_points(config):
    config.sweep.points = ()
    return config


def test_a_trial_is_known_by_the_weights_it_begins_with_wherever_they_lie(student, teacher, tmp_path):
    here = list(prepare(student).trials)
    shutil.copytree(teacher.path, tmp_path / "moved")
    student.model.init = student.model.init.replace(str(teacher.path), str(tmp_path / "moved"))
    assert list(prepare(student).trials) == here
    student.model.init = f"{teacher.path}:{teacher.trials['id'].iloc[1]}"
    assert not set(prepare(student).trials) & set(here)


@pytest.mark.parametrize("stop", [1, 2, 3, 4])
def test_a_run_in_phases_ends_alike_wherever_it_was_interrupted(student, tmp_path, stop_after, stop, whole_phases):
    config = in_phases(student)
    with pytest.MonkeyPatch.context():
        stop_after(stop)
        with pytest.raises(KeyboardInterrupt):
            fer_jax.run_sweep(config, tmp_path / "run")
    stop_after(0)
    run = fer_jax.run_sweep(config, tmp_path / "run")
    assert run.trials.drop(columns=["wave"]).equals(whole_phases.trials.drop(columns=["wave"]))
    order = ["id", "epoch"]
    ours, theirs = (one.curves.sort_values(order, ignore_index=True) for one in (run, whole_phases))
    assert ours.equals(theirs)


def in_phases(config):
    config.phases.lengths = (3, 2)
    config.phases.rates = (1e-2, 1e-3)
    config.phases.frozen = ("dense_0", "none")
    config.phases.patience = (1, 0)
    config.train.stop_min_delta = 0.01
    return config


@pytest.fixture(scope="module")
def whole_phases(teacher, make_config, tmp_path_factory):
    config = make_config()
    config.sweep.grid.train.learning_rate = None
    config.model.init = f"{teacher.path}:{teacher.trials['id'].iloc[0]}"
    config.model.freeze = ("conv_0",)
    return fer_jax.run_sweep(in_phases(config), tmp_path_factory.mktemp("phases") / "run")


def test_phases_number_epochs_on_and_keep_what_only_one_of_them_trains(whole_phases, teacher):
    curves = whole_phases.curves
    assert set(curves["epoch"]) <= {1, 2, 3, 4, 5} and {4, 5} <= set(curves["epoch"])
    assert (whole_phases.trials["epochs"] == 5).all()
    first = teacher.trial(teacher.trials["id"].iloc[0]).variables["params"]
    last = whole_phases.trial(whole_phases.trials["id"].iloc[0]).last_variables["params"]
    np.testing.assert_array_equal(last["conv_0"]["kernel"], first["conv_0"]["kernel"])
    assert not np.array_equal(last["dense_0"]["kernel"], first["dense_0"]["kernel"])


def test_another_number_of_classes_learns_its_last_layer_anew(student, teacher):
    student.data.classes = ("happy", "sad", "angry")
    initial = next(iter(prepare(student).initial_weights.values()))
    assert set(initial.params) == {"conv_0", "dense_0"}


def test_trials_of_several_numbers_of_classes_begin_with_one_trial_and_know_their_own_data(student, teacher, tmp_path):
    student.sweep.grid.data.classes = (("happy", "sad", "angry"), ())
    student.model.init = f"{teacher.path}:{teacher.trials['id'].iloc[0][:6]}"
    # The last layer of the three classes is drawn: nobody shares it.
    student.model.freeze, student.sweep.repeats, student.train.epochs = ("output",), 1, 1
    run = fer_jax.run_sweep(student, tmp_path / "run")
    assert (run.trials["status"] == "done").all() and len(run.record["initial"]) == 1
    for trial, classes in zip(run.select(), (3, 7), strict=True):
        assert len(trial.classes) == classes and trial.dataset().num_classes == classes
        right = trial.probabilities("test").argmax(axis=1) == trial.labels("test")
        assert trial.row["test_accuracy"] == right.mean()
    plans = json.loads((tmp_path / "run" / "plan.json").read_text())["stacks"]
    assert [plan["frozen"] for plan in plans] == ["own", "own"]


def test_equal_weights_under_two_names_are_one_trial_and_it_is_said(student, teacher):
    identity = teacher.trials["id"].iloc[0]
    student.sweep.points = tuple({"model.init": f"{teacher.path}:{identity[:length]}"} for length in (10, 8))
    prepared = prepare(student)
    assert len(prepared.trials) == 2
    assert (
        notes(prepared)[-1]
        == "note: 2 of 4 trials begin with the same weights as others that have the same values, and are left out"
    )


def test_an_efficientnet_that_rescales_once_more_is_another_one(make_config, tmp_path, monkeypatch):
    monkeypatch.setenv("FER_JAX_CACHE", str(tmp_path))
    config = make_config()
    config.sweep.grid.train.learning_rate, config.sweep.repeats = None, 1
    config.model.name, config.data.image_size, config.model.width_multiplier = "efficientnet_b0", 32, 0.25
    config.sweep.points = (
        {"model.init": "imagenet"},
        {"model.init": str(tmp_path / "weights" / "efficientnetb0_notop.h5")},
    )
    network = models.build(resolve(flatten(config)), (32, 32, 1), 7)
    (tmp_path / "weights").mkdir()
    legacy_files.write(
        tmp_path / "weights" / "efficientnetb0_notop.h5",
        network,
        *jax.tree.map(lambda leaf: np.ones(leaf.shape), network.shapes),
    )
    prepared = prepare(config)
    assert len(prepared.trials) == 2 and len({initial.checksum for initial in prepared.initial_weights.values()}) == 2
    assert "efficientnet_b0 rescales pixels of 0 to 255 itself" in notes(prepared)[-1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.init": "/nowhere/run:abc"}, "there is no run in /nowhere/run"),
        ({"model.init": "RUN:0123456789"}, "has no trial 0123456789; its ids are in trials.csv"),
        (
            {"model.kernels": (6,)},
            "its layer conv_0 has bias 4, kernel 3 x 3 x 1 x 4, this network's bias 6, kernel 3 x 3 x 1 x 6",
        ),
        ({"model.freeze": ("xyz_*",)}, r"model.freeze: 'xyz_\*' is the name of no layer; they are conv_0, "),
        (
            {"model.freeze": ("blocks=1",)},
            "model.freeze: 'blocks=1': this network has no blocks; name its layers: conv_0, ",
        ),
        ({"model.freeze": ("layers=99",)}, "this network has 7 layers"),
        (
            {"model.freeze": ("*",)},
            "model.freeze leaves no layer to train; those with weights are conv_0, dense_0, output",
        ),
        ({"model.freeze": ("blocks=many",)}, "model.freeze = 'blocks=many': must be 'backbone', 'blocks=2'"),
        (
            {"model.init": "imagenet"},
            "published weights are those of vgg19, mobilenet_v2, efficientnet_b0, resnet50_v2; "
            "model.name = cnn has none",
        ),
        ({"model.init": "glorot_unifrom"}, r"or RUN:trial \(did you mean glorot_uniform\?\)"),
        ({"phases.frozen": ("none",)}, "needs phases.lengths, the epochs of each phase"),
        ({"phases.lengths": (1, 2), "phases.rates": (1e-3,)}, "must have an item for each of the 2 phases"),
        ({"phases.lengths": (1,) * 9}, "8 phases are the most"),
        (
            {"phases.lengths": (9, 2), "train.warmup": 3.0},
            "each phase warms up, and the 2 epochs of one end before it does",
        ),
        (
            {"phases.lengths": (1, 2), "phases.rates": (1e-3, 1e-4), "sweep.grid.train.learning_rate": (1e-3, 1e-2)},
            "train.learning_rate is swept, but other fields make every value 0.001: sweep those, or leave them out",
        ),
        ({"model.freeze": ("conf_0",)}, r"'conf_0' is the name of no layer; did you mean conv_0\?"),
        (
            {"model.name": "vgg19", "data.image_size": 32, "train.block_rates": (0.1, 1.0)},
            "an item for each of the 5 blocks of vgg19",
        ),
    ],
)
def test_what_cannot_be_begun_or_frozen_is_one_line(student, teacher, changes, message):
    for name, value in changes.items():
        value = value.replace("RUN", str(teacher.path)) if isinstance(value, str) else value
        if name.startswith("sweep."):
            student.sweep.grid.train.learning_rate = value
        else:
            put(student, name, value)
    with pytest.raises(ConfigError, match=message) as error:
        plan_sweep(prepare(student))
    assert "\n" not in str(error.value)
