"""Stacks and waves: every trial once, waves balanced, one stack where only traced fields differ."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_jax import plan as planning
from fer_jax.config import search_space
from fer_jax.config.values import default_config
from fer_jax.errors import ConfigError
from fer_jax.train.hardware import Hardware

CPU = Hardware("cpu", "cpu", 2, 8 << 30, 1e11)
GPU = Hardware("gpu", "some GPU", 1, 16 << 30)
SIZES = planning.DataSizes((24, 24, 1), 7, 2000, 500, 500)


def plan(config, hardware=CPU, **options):
    trials = {trial.id("data"): trial for trial in search_space.expand(config)}
    return planning.make_plan(trials, lambda _: SIZES, planning.Options(**options), hardware), trials


def test_oslos_125_points_are_five_stacks_one_a_batch_size(config):
    config.sweep.grid.train.learning_rate = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
    config.sweep.grid.train.l2 = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
    config.sweep.grid.train.batch_size = (8, 16, 32, 64, 128)
    made, trials = plan(config)
    assert [dict(stack.shape) for stack in made.stacks] == [{"train.batch_size": b} for b in (8, 16, 32, 64, 128)]
    assert sorted(made.trials) == sorted(trials) and all(len(stack.trials) == 25 for stack in made.stacks)
    assert made.stacks[0].images == 25 * 50 * 2000 and made.stacks[4].images == 25 * 50 * 1920


def test_traced_fields_and_repeats_make_one_stack(config):
    config.sweep.each.train.learning_rate = (1e-3, 1e-4)
    config.sweep.each.loss.focal_gamma = (2.0, 5.0)
    config.sweep.each.loss.label_smoothing = (0.1,)
    config.sweep.repeats = 5
    made, _ = plan(config)
    assert len(made.stacks) == 1 and len(made.trials) == 25
    assert made.stacks[0].optional == ("model.dropout", "loss.focal_gamma", "loss.label_smoothing")


def test_only_trials_that_can_share_frozen_layers_stand_apart(config):
    config.sweep.each.model.init = ("runs/a:0123456789", "runs/b:0123456789", "he_normal")
    apart = [(2, "shared"), (2, "shared"), (2, "own")]
    for frozen, repeats, wanted in (((), 2, [(6, "")]), (("conv_0",), 2, apart), (("conv_0",), 1, [(3, "own")])):
        config.model.freeze, config.sweep.repeats = frozen, repeats
        made, trials = plan(config)
        assert [(len(stack.trials), stack.frozen) for stack in made.stacks] == wanted
        assert sorted(made.trials) == sorted(trials)
    # Frozen in the first phase only.
    config.model.freeze, config.sweep.repeats, config.phases.lengths, config.phases.frozen = (
        (),
        2,
        (5, 5),
        ("conv_0", "none"),
    )
    assert [stack.frozen for stack in plan(config)[0].stacks] == [""]


def test_a_field_without_effect_is_not_compiled_in(config):
    config.model.dropout = 0.0
    config.model.dense_dropout = 0.5
    assert plan(config)[0].stacks[0].optional == ("model.dense_dropout",)
    config.model.name = "mlp"
    made, trials = plan(config)
    assert made.stacks[0].optional == ()
    assert "[dense_dropout]" not in planning.describe(made)
    assert search_space.describe_unused(search_space.settings(config)) == (
        "note: set without effect: model.dense_dropout (only with model.name = cnn or silvestro or imperial or vgg19 "
        "or mobilenet_v2 or efficientnet_b0 or resnet50_v2)"
    )
    config.model.name = "imperial"
    config.model.dropout = 0.4
    assert plan(config)[0].stacks[0].optional == ("model.dense_dropout",)


def test_fields_without_effect_are_named_in_one_line(config):
    assert search_space.describe_unused(search_space.settings(config)) == ""
    config.train.stop_metric, config.train.stop_min_delta, config.train.decay = "val_accuracy", 0.1, 0.5
    assert search_space.describe_unused(search_space.settings(config)) == (
        "note: set without effect: train.decay (only with train.schedule = inverse_time); "
        "train.stop_metric and train.stop_min_delta (only with train.stop_patience above 0 or phases.patience set)"
    )
    config.sweep.grid.train.stop_patience = (0, 3)
    config.sweep.grid.train.schedule = ("constant", "inverse_time")
    assert search_space.describe_unused(search_space.settings(config)) == ""


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.integers(0, 12), st.integers(1, 5))
def test_waves_hold_every_trial_once_and_differ_by_one_at_most(repeats, width, devices):
    config = default_config()
    config.model.name = "mlp"
    config.model.hidden = ()
    config.sweep.repeats = repeats
    made, trials = plan(config, Hardware("cpu", "cpu", devices, 8 << 30, 1e11), width=width)
    (stack,) = made.stacks
    assert list(stack.trials) == list(trials)
    sizes = [len(wave.trials) for wave in stack.waves]
    assert max(sizes) - min(sizes) <= 1 and stack.width % stack.devices == 0
    assert max(sizes) <= stack.width < max(sizes) + stack.devices
    if width:
        assert max(sizes) <= width
    assert planning.Plan.from_json(json.loads(json.dumps(made.to_json()))) == made


def test_a_cpu_maps_with_micro_batches_and_a_gpu_vectorises(config):
    (stack,) = plan(config)[0].stacks
    assert (stack.engine, stack.micro_batch, stack.seconds > 0) == ("map", 0, True)
    (stack,) = plan(config, GPU)[0].stacks
    assert (stack.engine, stack.micro_batch, stack.seconds) == ("vmap", 0, 0)
    config.model.batch_norm = True
    assert plan(config)[0].stacks[0].micro_batch == 0


def test_less_memory_makes_more_waves(config):
    config.sweep.repeats = 60
    roomy = plan(config, GPU)[0].stacks[0]
    tight = plan(config, Hardware("gpu", "small GPU", 1, 1 << 30))[0].stacks[0]
    assert len(tight.waves) > len(roomy.waves) and tight.memory < 1 << 30


def test_data_that_do_not_fit_are_streamed(config):
    large = planning.DataSizes((48, 48, 1), 7, 20_000_000, 500, 500)
    trials = {trial.id("data"): trial for trial in search_space.expand(config)}

    def stack(sizes, **options):
        return planning.make_plan(trials, lambda _: sizes, planning.Options(**options), GPU).stacks[0]

    assert stack(SIZES).data == stack(large, data="resident").data == "resident"
    assert stack(large).data == stack(SIZES, data="stream").data == "stream"
    assert stack(large).memory < GPU.memory < stack(large, data="resident").memory
    lines = planning.describe(planning.Plan((stack(large), stack(SIZES)), "1 x some GPU")).splitlines()
    assert lines[1].endswith("data streamed") and "streamed" not in lines[2]


def test_a_narrow_terminal_has_the_rest_of_a_stack_below_its_line(config):
    config.sweep.grid.model.kernels = ((32, 64, 64), (16, 32, 32))
    made, _ = plan(config)
    wide, narrow = planning.describe(made).splitlines(), planning.describe(made, 80).splitlines()
    assert max(map(len, wide[:3])) > 80 >= max(map(len, narrow[:5])) and wide[3] == narrow[-1]
    assert narrow[1].split()[:2] == wide[1].split()[:2] and narrow[2].startswith("    ")
    for cell in ("parameters", "chosen by", "model.kernels=(32, 64, 64)"):
        assert cell in " ".join(" ".join(narrow[2:4]).split())
    narrower = planning.describe(made, 40).splitlines()
    assert max(map(len, narrower[:-1])) <= 40 and narrower[0].split()[-1] == "time"
    assert planning.describe(made, 400).splitlines() == wide
    first, last = made.stacks
    assert made.place(first, first.waves[0]).startswith("stack 1 of 2") and made.number(last) == "2 of 2"


def test_host_devices_of_a_cpu_hold_a_copy_of_the_data_each(config):
    config.sweep.repeats = 2
    half = planning.DataSizes((48, 48, 1), 7, (3 << 30) // 48**2, 1, 1)
    trials = {trial.id("data"): trial for trial in search_space.expand(config)}
    for devices, data in ((1, "resident"), (2, "stream")):
        (stack,) = planning.make_plan(trials, lambda _: half, planning.Options(devices=devices), CPU).stacks
        assert stack.data == data


def test_flops_are_those_counted_by_hand(config):
    """They are the multiply-adds of conv_0..2, dense_0..1 and output at 24x24, times 2.

    The maps that the pools keep have 22, 8 and 2 pixels.
    """
    config.sweep.repeats = 1
    config.train.epochs = 1
    config.model.dropout = 0.0
    (stack,) = plan(config)[0].stacks
    forward = 2 * (22**2 * 9 * 32 + 8**2 * 9 * 32 * 64 + 2**2 * 9 * 64 * 64 + 64 * 64 + 64 * 7 + 7 * 7)
    assert stack.flops == pytest.approx(3 * forward * 1984 + forward * 500, rel=1e-6)
    assert stack.parameters == 60_415


def test_the_plan_reads_as_a_table(config):
    config.sweep.grid.train.batch_size = (8, 16)
    lines = planning.describe(plan(config)[0]).splitlines()
    assert lines[0].split()[:4] == ["stack", "trials", "waves", "engine"]
    assert "train.batch_size=8 [dropout]" in lines[1] and "60,415" in lines[1]
    assert lines[-1].startswith("2 trials in 2 stacks on 2 x cpu: 200,000 training image passes")
    assert "time unknown: this hardware has not been measured" in planning.describe(plan(config, GPU)[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"micro_batch": 7}, "stack.micro_batch = 7 does not divide train.batch_size = 64"),
        ({"devices": 3}, "stack.devices = 3, but this machine has 2"),
    ],
)
def test_wishes_that_cannot_be_met_are_named(config, options, message):
    with pytest.raises(ConfigError, match=message):
        plan(config, **options)
