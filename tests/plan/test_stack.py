"""How one stack is run: by measuring, by the user's word, within memory; few slots are idle."""

import dataclasses
import math

import jax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_jax import plan as planning
from fer_jax.config import search_space
from fer_jax.config.values import default_config
from fer_jax.errors import ConfigError
from fer_jax.plan.candidates import Candidate
from fer_jax.plan.memory import Footprint
from fer_jax.train.hardware import Hardware

CPU = Hardware("cpu", "cpu", 2, 8 << 30, 1e11)
GPU = Hardware("gpu", "some GPU", 1, 16 << 30)
SIZES = planning.DataSizes((24, 24, 1), 7, 2000, 500, 500)


@pytest.fixture
def config(config):
    config.sweep.repeats = 8
    return config


def test_the_fastest_is_chosen_and_gives_the_time(plan, config, tuned):
    best = Candidate("map", 1, 16, 1)
    tuner, measured = tuned(lambda one: 2500.0 if one == best else 1000.0 + one.micro_batch)
    stack = plan(config, tuner)
    assert measured[0] == Candidate("map", 2, 32, 2) and best in measured
    assert (stack.engine, stack.devices, stack.micro_batch, stack.chosen_by) == ("map", 1, 16, "measured")
    assert stack.images_per_second == 2500 and stack.seconds == pytest.approx(stack.images / 2500, abs=10)
    made = planning.Plan((stack,), "2 x cpu")
    assert " measured 2,500/s " in planning.describe(made)
    again, nothing = tuned(lambda one: 1.0)
    assert plan(config, again) == stack and not nothing


def test_a_width_that_leaves_slots_idle_counts_for_less(plan, config, tuned):
    """Three trials on two devices take as long as four, unless the third can have both."""
    config.sweep.repeats = 3
    both = plan(config, tuned(lambda one: 1400.0 if one.devices == 2 else 1000.0)[0])
    assert [(len(wave.trials), both.width_of(wave), wave.parts) for wave in both.waves] == [(2, 2, 1), (1, 1, 2)]
    assert (both.devices, both.parts_of(1), both.parts_of(2)) == (2, 2, 1)
    assert both.seconds == pytest.approx(both.images / 1400, abs=10)
    config.model.batch_norm = True
    two = plan(config, tuned(lambda one: 1400.0 if one.devices == 2 else 1000.0)[0])
    assert (two.devices, two.width) == (2, 4) and two.seconds == pytest.approx(two.images / 1050, abs=10)
    config.train.optimizer = "sgd"
    assert plan(config, tuned(lambda one: 1300.0 if one.devices == 2 else 1000.0)[0]).devices == 1


def test_the_vectorised_width_is_the_one_measured(plan, config, tuned):
    config.sweep.repeats = 100
    config.train.batch_size = 32
    tuner, measured = tuned(lambda one: 1e4 * one.width if one.engine == "vmap" else 1.0, GPU)
    config.train.epochs = 1000
    stack = plan(config, tuner, dataclasses.replace(GPU, product_rate=1e9))
    assert (stack.engine, stack.width, len(stack.waves)) == ("vmap", 100, 1)
    # 2,048 images at once are 64 trials; more of them pay, so fewer will not.
    assert [one.width for one in measured] == [64, 100, 64]
    config.train.optimizer = "sgd"
    tuner, measured = tuned(lambda one: {4: 4e4, 16: 9e4}.get(one.width, 7e4) if one.engine == "vmap" else 1.0, GPU)
    stack = plan(config, tuner, dataclasses.replace(GPU, product_rate=1e9))
    assert [one.width for one in measured] == [64, 100, 64, 16, 4]
    assert (stack.width, len(stack.waves)) == (15, 7)  # 100 trials in waves of at most 16, as few slots idle as can be


def test_what_is_short_is_not_measured(plan, config, tuned):
    tuner, measured = tuned(threshold=600.0)
    assert plan(config, tuner).chosen_by == "table" and not measured
    config.train.epochs = 50_000
    assert plan(config, tuner).chosen_by == "measured" and measured


@pytest.mark.parametrize(("precision", "rate"), [("float32", 25e12), ("tf32", 38e12), ("bfloat16", 71e12)])
def test_an_accelerator_is_measured_where_a_predicted_rate_takes_longer_than_the_threshold(
    plan, config, tuned, precision, rate
):
    """The plan itself says nothing of the time until a rate is measured."""
    config.train.precision = precision
    # Launches take as long as 58 images.
    seconds = plan(config).flops * (1 + 58 / (8 * config.train.batch_size)) / rate
    tuner, measured = tuned(hardware=GPU, threshold=1.01 * seconds)
    assert plan(config, tuner, GPU).seconds == 0 and not measured
    # Two devices have half of the trials each.
    halved = plan(config).flops * (1 + 58 / (4 * config.train.batch_size)) / (2 * rate)
    tuner, measured = tuned(hardware=GPU, threshold=1.01 * halved)
    assert plan(config, tuner, dataclasses.replace(GPU, devices=2)).seconds == 0 and not measured
    tuner, measured = tuned(hardware=GPU, threshold=0.99 * seconds)
    assert plan(config, tuner, GPU).seconds > 0 and measured


@pytest.mark.parametrize(
    ("options", "chosen_by"),
    [
        ({"engine": "map", "devices": 1, "micro_batch": 32}, "stack.engine, stack.devices, stack.micro_batch"),
        ({"engine": "vmap", "width": 4}, "stack.engine, stack.width"),
    ],
)
def test_where_the_user_leaves_no_choice_nothing_is_measured(plan, config, tuned, options, chosen_by):
    tuner, measured = tuned()
    stack = plan(config, tuner, **options)
    assert stack.chosen_by == chosen_by and not measured
    assert all(getattr(stack, name) == value for name, value in options.items())


def test_what_the_user_has_set_stands_while_the_rest_is_measured(plan, config, tuned):
    tuner, measured = tuned(lambda one: 100.0 * (1 + one.micro_batch))
    stack = plan(config, tuner, engine="map", devices=1)
    assert {(one.engine, one.devices) for one in measured} == {("map", 1)}
    assert (stack.micro_batch, stack.chosen_by) == (32, "measured")


def test_without_any_candidate_that_runs_the_table_stands(plan, config, tuned):
    def broken(work, candidate):
        raise jax.errors.JaxRuntimeError("UNIMPLEMENTED: nothing works here")

    tuner = dataclasses.replace(tuned()[0], start=broken)
    assert plan(config, tuner) == plan(config)


def test_the_compiler_is_asked_where_the_estimate_is_no_small_part_of_the_memory(plan, config, tuned):
    config.sweep.repeats = 60
    tight = Hardware("gpu", "small GPU", 1, 1 << 30)
    tuner, _ = tuned(hardware=tight, per_trial=50e6, threshold=math.inf)
    estimated, analysed = plan(config, None, tight), plan(config, tuner, tight)
    # .8 x 1 GiB less 1 MB at 50 MB a trial: 17 at once, so four waves of 15.
    assert (analysed.width, len(analysed.waves), analysed.memory) == (15, 4, 1e6 + 15 * 50e6)
    assert analysed.memory < tight.memory and estimated.width != analysed.width
    roomy = Hardware("gpu", "large GPU", 1, 1 << 40)
    assert plan(config, tuned(hardware=roomy, threshold=math.inf)[0], roomy) == plan(config, None, roomy)


def test_the_compiler_is_not_asked_where_no_trial_can_fit(plan, config, tuned):
    tiny = Hardware("gpu", "a GPU of 10 kB", 1, 10_000)
    tuner = dataclasses.replace(tuned(hardware=tiny, threshold=math.inf)[0], analyse=None)
    assert plan(config, tuner, tiny).memory > 1.5 * tiny.memory


def test_streamed_data_take_the_memory_of_their_chunks_and_have_a_limit_of_their_own(plan, config, tuned):
    """The data are 2 million images, 1.15 GB, on 2 GiB.

    The four chunks that a device holds at a time have 466,033 of them.
    """
    config.sweep.repeats = 60
    large, tight = dataclasses.replace(SIZES, train=2_000_000), Hardware("gpu", "small GPU", 1, 2 << 30)
    tuner, _ = tuned(hardware=tight, threshold=math.inf)
    asked = []

    def analyse(work, engine, micro_batch, test_bytes):
        asked.append((work.train, work.validation, test_bytes))
        return Footprint(work.train * 24 * 24, 100e6)

    tuner = dataclasses.replace(tuner, analyse=analyse)
    streamed = plan(config, tuner, tight, large)
    in_chunks = 4 * 2**26 // (24 * 24)
    # .8 x 2 GiB less 268 MB at 100 MB a trial: 14 at once, so five waves of 12.
    assert (streamed.data, streamed.width, streamed.memory) == ("stream", 12, in_chunks * 24 * 24 + 12 * 100e6)
    resident = plan(config, tuner, tight, large, data="resident")
    assert (resident.data, resident.width) == ("resident", 5)
    assert asked == [(in_chunks, 1, 0), (2_000_000, 500, 500 * 24 * 24)]
    values = next(iter(search_space.expand(config))).values
    planning.remember_limit(resident, values, large, 3, tight, tuner.measurements)
    assert plan(config, tuner, tight, large, data="resident").width == 3
    assert plan(config, tuner, tight, large) == streamed
    planning.remember_limit(streamed, values, large, 6, tight, tuner.measurements)
    assert plan(config, tuner, tight, large).width == 6


@settings(deadline=None, max_examples=60)
@given(
    repeats=st.integers(1, 40),
    devices=st.integers(1, 5),
    width=st.integers(0, 12),
    engine=st.sampled_from(["map", "vmap"]),
)
def test_every_trial_once_and_no_slot_idle_that_need_not_be(plan, repeats, devices, width, engine):
    config = default_config()
    config.model.name = "mlp"
    config.model.hidden = ()
    config.sweep.repeats = repeats
    hardware = Hardware("cpu", "cpu", devices, 8 << 30, 1e11)
    stack = plan(config, None, hardware, width=width, engine=engine)
    assert list(stack.trials) == [trial.id("data") for trial in search_space.expand(config)]
    sizes, used = [len(wave.trials) for wave in stack.waves], stack.devices
    assert stack.width % used == 0 and max(sizes) <= stack.width and max(sizes) - min(sizes) <= 1
    if width:
        assert stack.width <= width
    idle = len(sizes) * stack.width - repeats
    assert idle < used * len(sizes)
    # No narrower width holds all trials in as many waves, and no fewer waves within the width the
    # user allows.
    assert (stack.width - used) * len(sizes) < repeats
    if width:
        assert (len(sizes) - 1) * (width // used * used) < repeats
    else:
        assert len(sizes) == 1


def test_a_width_without_a_trial_for_every_device_is_refused(plan, config):
    with pytest.raises(ConfigError, match="leaves some of stack.devices = 2 without a trial"):
        plan(config, None, CPU, width=1, devices=2)
