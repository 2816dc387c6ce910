"""What is checked, counted and planned before the first wave of a sweep."""

import dataclasses
import functools
import json

import jax
import numpy as np
import pytest
from PIL import Image

import fer_jax
from fer_jax import data, heads
from fer_jax.base import machine
from fer_jax.errors import ConfigError
from fer_jax.launch import beginning
from fer_jax.launch.planned import check_room, plan_sweep
from fer_jax.launch.prepared import describe_heads, describe_precision, notes, prepare
from fer_jax.plan import Plan, tuning
from fer_jax.reports import run_report
from fer_jax.store import RunDirectory
from fer_jax.train import hardware

TYPICAL = "the time is that of a typical processor of this kind; --plan=measure times this one"


@pytest.fixture
def others(monkeypatch, tmp_path):
    """The share of the processors that other programs take: others[0]; and an empty cache."""
    share = [0.0]
    monkeypatch.setattr(machine.Watch, "others", lambda watch: share[0])
    monkeypatch.setenv("FER_JAX_CACHE", str(tmp_path / "cache"))
    return share


def test_a_measured_plan_is_stored_and_trained_by(config, tmp_path, monkeypatch, others):
    monkeypatch.setattr(run_report, "write_report", lambda path: None)
    # Leaves micro-batches of 8 and whole batches to choose from.
    config.stack.engine, config.stack.devices = "map", 1
    lines = []

    def measured(prepared, trials=None, first_stack=0, say=lines.append):
        return plan_sweep(prepared, trials, first_stack, lines.append, threshold=0.0)

    monkeypatch.setattr(beginning, "plan_sweep", measured)
    run = fer_jax.run_sweep(config, tmp_path / "run")
    assert (run.trials["status"] == "done").all()
    assert len(lines) == 2 and all("measuring engines for stack_0: map x1 device, " in line for line in lines)
    (stack,) = Plan.from_json(RunDirectory(tmp_path / "run").read_plan()).stacks
    assert stack.chosen_by == "measured" and stack.images_per_second > 0 and stack.micro_batch in (0, 8)
    assert stack.seconds == pytest.approx(stack.images / stack.images_per_second, abs=10)
    lines.clear()
    again = measured(prepare(config))
    assert again.stacks == (stack,) and not lines
    # A plan that may not measure takes what is kept, and says what is not.
    kept = plan_sweep(prepare(config), say=lines.append, threshold=0.0, measures=False)
    assert kept.stacks == (stack,) and lines == [TYPICAL]
    lines.clear()
    config.model.dense = (9,)
    other = plan_sweep(prepare(config), say=lines.append, threshold=0.0, measures=False)
    assert other.stacks[0].chosen_by == "stack.engine, stack.devices"
    assert lines[1] == "not measured: speed of stack_0; the sweep's start measures that, --plan=measure now"


def test_a_plan_is_the_same_whatever_else_the_machine_does(config, monkeypatch, others):
    """Only what is timed on a quiet machine changes it, once."""
    rates = iter([5e10, 6e10, 7e10, 8e10, 6e10] * 2)
    monkeypatch.setattr(tuning, "Tuner", functools.partial(tuning.Tuner, time_product=lambda: next(rates)))
    lines = []

    def plan(**options):
        lines.clear()
        found = plan_sweep(prepare(config), say=lines.append, **options).to_json()
        return json.dumps(found), sum(stack["seconds"] for stack in found["stacks"])

    first, seconds = plan(measures=False)
    others[0] = 0.5
    monkeypatch.setattr(machine, "available_memory", lambda: 1)
    assert plan(measures=False)[0] == first and lines == [TYPICAL]
    assert plan(times_product=True)[0] == first
    assert lines == ["timed a matrix product while other programs took 50% of the processors: neither used nor kept"]
    others[0] = 0.05
    timed, others_seconds = plan(times_product=True)
    assert not lines and plan(measures=False)[0] == timed and not lines
    # Seven seconds of both are for compiling; the best of five turns counts.
    typical = hardware.typical_rate(jax.device_count())
    assert (others_seconds - 7) / (seconds - 7) == pytest.approx(typical / 8e10)


def test_a_sweep_that_needs_more_memory_than_there_is_does_not_start(config, tmp_path, others):
    config.stack.memory = 1e-5
    with pytest.raises(ConfigError, match=r"^stack_0 needs about .* and this machine has 10.0 kB: lower train.batch_"):
        fer_jax.run_sweep(config, tmp_path / "run")
    assert not (tmp_path / "run" / "plan.json").exists()


def test_what_does_not_fit_beside_other_programs_is_said(config, monkeypatch):
    monkeypatch.setattr(machine, "available_memory", lambda: 1000)
    prepared, lines = prepare(config), []
    check_room(prepared, plan_sweep(prepared, measures=False, say=lines.append), lines.append)
    assert "are needed and 1.0 kB are free now: end other programs" in lines[-1]


def test_a_start_says_what_a_precision_comes_to_on_a_cpu(config):
    config.train.precision = "tf32"
    assert "trains as float32" in describe_precision(prepare(config), "cpu")
    assert "trains with bfloat16 factors" in describe_precision(prepare(config), "tpu")
    assert not describe_precision(prepare(config), "gpu")
    config.train.precision = "bfloat16"
    assert "slower than float32" in describe_precision(prepare(config), "cpu")
    assert not describe_precision(prepare(config), "gpu")


def test_trials_that_differ_in_a_traced_data_field_share_one_data_set(config):
    config.sweep.grid.data.normalize = ("unit", "standardize")
    found = prepare(config)
    assert len(found.trials) == 8 and len(found.datasets) == 1
    config.sweep.grid.data.balance = ("none", "oversample")
    assert len(prepare(config).datasets) == 2


def test_folds_share_a_shape_but_not_an_identity(make_config):
    config = make_config()
    config.data.split, config.sweep.repeats = "kfold", 5
    prepared = prepare(config)
    sizes = {prepared.sizes(trial) for trial in prepared.trials.values()}
    assert len(prepared.datasets) == 5 and len(prepared.trials) == 10 and len(sizes) == 1


def test_the_plan_counts_trials_and_fits(config):
    config.sweep.grid.train.learning_rate = None
    config.sweep.repeats = 5
    config.head.kind = "xgboost"
    config.sweep.grid.head.layer = ("flatten", "dense_0", "output", "probabilities")
    config.sweep.grid.head.max_depth = (2, 4, 6, 8, 10)
    config.sweep.grid.head.eta = (0.1, 0.2, 0.3)
    config.sweep.grid.head.reg_lambda = (0.1, 1, 10, 100)
    prepared = prepare(config)
    assert len(prepared.trials) == 5 and len(prepared.fits) == 1200
    # 140 images a trial; 7x7x4, 8, 7 and 7 numbers at the four layers.
    bytes_kept = 4 * 140 * 5 * (196 + 8 + 7 + 7)
    assert describe_heads(prepared) == (
        f"1,200 fits on 5 trained trials: 4 layers, 240 head settings; {bytes_kept / 1000:.0f} kB of features"
    )
    config.head.kind = "none"
    for name in config.sweep.grid.head:
        config.sweep.grid.head[name] = None
    assert describe_heads(prepare(config)) == ""


def test_a_layer_that_no_network_has_is_found_before_training(config):
    config.head.kind = "logistic"
    config.head.layer = "dense_9"
    with pytest.raises(
        ConfigError, match=r"^head.layer = dense_9: the cnn network has conv_0, pool_0, .*probabilities$"
    ):
        prepare(config)


def test_a_package_that_is_not_there_is_named_before_training(config, monkeypatch):
    config.head.kind = "xgboost"
    monkeypatch.setattr(heads, "missing_package", lambda kind: "xgboost-cpu")
    with pytest.raises(
        ConfigError, match="^head.kind = xgboost needs the package xgboost-cpu: pip install xgboost-cpu$"
    ):
        prepare(config)


def test_more_neighbours_than_training_images_are_found_before_training(config):
    config.head.kind, config.head.neighbors = "neighbors", 71
    with pytest.raises(
        ConfigError, match=r"^head.neighbors = 71: there are 70 training images \(.*\); 70 is the most$"
    ):
        prepare(config)
    config.head.neighbors = 70
    assert len(prepare(config).fits) == 4


@pytest.mark.parametrize("kind", ["logistic", "svm"])
def test_a_head_that_needs_two_classes_is_refused_images_of_one(config, monkeypatch, kind):
    load = data.load

    def one_class(block):
        found = load(block)
        return dataclasses.replace(found, train=dataclasses.replace(found.train, labels=0 * found.train.labels))

    config.head.kind = kind
    assert prepare(config).fits
    monkeypatch.setattr(data, "load", one_class)
    with pytest.raises(ConfigError, match=f"^head.kind = {kind}: needs training images of two classes"):
        prepare(config)


def test_values_that_are_one_number_in_float32_are_noted(config):
    config.head.kind = "xgboost"
    config.sweep.grid.train.learning_rate = (1e-3, 1.00000000001e-3, 2e-3)
    config.sweep.grid.head.eta = (0.1, 0.100000000001)
    prepared = prepare(config)
    assert len(prepared.trials) == 6 and len(prepared.fits) == 12
    assert notes(prepared) == [
        "note: train.learning_rate = 0.001 and 0.00100000000001 are the same in float32: their trials come out alike",
        "note: head.eta = 0.1 and 0.100000000001 are the same in float32: their fits come out alike",
    ]


def test_how_points_and_grid_are_joined_is_noted(config):
    config.sweep.points = ({"train.learning_rate": 1e-2},)
    config.sweep.grid.train.l2 = "uniform 0 .1 6"
    config.sweep.grid.train.learning_rate = None
    assert notes(prepare(config)) == [
        "note: 1 point stands beside 6 settings of sweep.grid; --config.sweep.cross=true combines them"
    ]
    config.sweep.cross = True
    assert notes(prepare(config)) == ["note: sweep.cross combines 1 point with 6 settings of sweep.grid"]


def test_what_folds_have_in_common_is_said_once(make_config, tmp_path, capsys):
    lines = ["image,emotion,note"]
    (tmp_path / "faces").mkdir()
    for at in range(20):
        Image.fromarray(np.full((12, 12), 10 * at, np.uint8)).save(tmp_path / "faces" / f"{at}.png")
        lines.append(f"{at}.png,{'up' if at % 2 else 'down'},x")
    (tmp_path / "list.csv").write_text("\n".join(lines))
    config = make_config()
    config.data.name, config.data.path = "folder", str(tmp_path / "faces")
    config.data.labels, config.data.split, config.sweep.repeats = str(tmp_path / "list.csv"), "kfold", 5
    config.train.batch_size = 4
    assert len(prepare(config).datasets) == 5
    assert capsys.readouterr().err.count("takes image from 'image'") == 1
