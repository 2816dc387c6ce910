"""Ways of running a stack: the table's choice, and those worth measuring against it."""

import dataclasses

import pytest

from fer_jax.errors import ConfigError
from fer_jax.plan import candidates
from fer_jax.plan.candidates import Candidate, Options
from fer_jax.train.hardware import Hardware

CPU = Hardware("cpu", "cpu", 2, 8 << 30, 1e11)
GPU = Hardware("gpu", "some GPU", 1, 16 << 30)


def anything_fits(engine, devices, micro_batch, wanted):
    return wanted


@pytest.fixture
def proposed(work):
    """proposed(hardware, options, **arguments of `work`): all candidates, ladder by ladder."""

    def proposed(hardware, options=None, **arguments):
        ladders = candidates.ladders(work(**arguments), options or Options(), hardware, anything_fits)
        return [one for ladder in ladders for one in ladder]

    return proposed


def test_on_a_cpu_mapped_and_vectorised_and_every_micro_batch_on_one_device_and_on_all(work, proposed):
    found = proposed(CPU, batch=256)
    assert (
        found[0] == Candidate("map", 2, 32, 2) == candidates.from_table(work(batch=256), Options(), CPU, anything_fits)
    )
    mapped = {(one.devices, one.micro_batch) for one in found if one.engine == "map"}
    assert mapped == {(devices, size) for devices in (1, 2) for size in (0, 8, 16, 32)}
    wide = [one for one in found if one.engine != "map"]
    assert {one.engine for one in wide} == {"vmap"} and all(one.width == 4 for one in wide)
    assert {one.engine for one in proposed(CPU, Options(engine="grouped"))} == {"grouped"}


def test_micro_batches_hold_as_many_pixels_whatever_the_pictures_size(work):
    """8 of 48x48 pixels, at least 8, at most 32, and the whole batch where it is no larger."""
    for size, batch, wanted in (
        (48, 64, 8),
        (36, 64, 8),
        (32, 64, 16),
        (24, 64, 32),
        (24, 32, 0),
        (24, 48, 16),
        (96, 32, 8),
        (48, 8, 0),
    ):
        stack = dataclasses.replace(work(batch=batch), image_shape=(size, size, 1))
        assert candidates.from_table(stack, Options(), CPU, anything_fits).micro_batch == wanted


def test_what_makes_no_sense_is_not_proposed(proposed):
    assert all(one.micro_batch == 0 for one in proposed(CPU, **{"model.batch_norm": True}))
    assert {one.micro_batch for one in proposed(CPU, batch=24)} == {0, 8}
    assert {one.micro_batch for one in proposed(CPU, batch=9)} == {0}
    assert proposed(CPU, **{"model.name": "mlp"})[0].micro_batch == 0
    # A million weights are exchanged for longer than two devices save.
    assert all(one.devices == 1 for one in proposed(CPU, trials=1, **{"model.name": "mlp"}))


def test_fewer_trials_than_devices_share_them_where_their_batches_can_be_cut(work, proposed):
    """A convolution of 288 weights on 12x12 pixels, 500 operations a weight and image."""
    four = dataclasses.replace(CPU, devices=4)
    large = {"model.kernels": (32,), "model.kernel_size": 3, "model.pool_size": 6}
    for trials, batch, wanted in (
        (1, 64, Candidate("map", 4, 0, 1)),  # 16 images on each of four devices
        (1, 256, Candidate("map", 4, 32, 1)),
        (1, 16, Candidate("map", 4, 0, 1)),
        (1, 12, Candidate("map", 3, 0, 1)),
        (1, 8, Candidate("map", 2, 0, 1)),
        (1, 6, Candidate("map", 1, 0, 1)),
        (2, 256, Candidate("map", 4, 32, 2)),
        (3, 256, Candidate("map", 3, 32, 3)),
    ):
        assert candidates.from_table(work(trials, batch, **large), Options(), four, anything_fits) == wanted
    normed = work(1, 64, **large, **{"model.batch_norm": True})
    assert candidates.from_table(normed, Options(), four, anything_fits) == Candidate("map", 1, 0, 1)
    assert candidates.from_table(work(1, 64, **large), Options(devices=3), four, anything_fits).parts == 1
    found = [one for one in proposed(four, trials=2, batch=256, **large) if one.engine == "map"]
    ways = {
        (one.devices, one.width): [other.micro_batch for other in found if other.devices == one.devices]
        for one in found
    }
    assert ways == dict.fromkeys([(4, 2), (2, 2), (1, 1)], [32, 0, 32, 16, 8])
    assert str(found[0]) == "map x4 devices, micro-batches of 32, every batch in 2 parts"


def test_on_an_accelerator_wider_ones_follow_the_tables_then_the_other_way_then_narrower_ones(work):
    """2,048 images at once are 32 trials in batches of 64."""

    def widths(trials, options=None, hardware=GPU, **arguments):
        found = candidates.ladders(work(trials, **arguments), options or Options(), hardware, anything_fits)
        return [(ladder[0].engine, [one.width for one in ladder]) for ladder in found]

    assert widths(1000) == [("vmap", [32, 128, 512, 1000]), ("grouped", [32]), ("vmap", [32, 8])]
    assert widths(100) == [("vmap", [32, 100]), ("grouped", [32]), ("vmap", [32, 8])]
    assert widths(20) == [("vmap", [20]), ("grouped", [20]), ("vmap", [20, 5])]
    # Few side by side may be no better than one after another.
    few = [("vmap", [4]), ("grouped", [4]), ("map", [1])]
    assert widths(4) == few
    assert widths(1000, batch=512)[1:] == few[1:]
    four = dataclasses.replace(GPU, devices=4)
    assert widths(1000, hardware=four) == [("vmap", [128, 512, 1000]), ("grouped", [128]), ("vmap", [128, 32])]
    assert widths(1000, Options(engine="grouped")) == [("grouped", [32, 128, 512, 1000]), ("grouped", [32, 8])]
    assert widths(1000, Options(width=50)) == [("vmap", [50]), ("grouped", [50])]
    assert widths(1000, Options(engine="map")) == [("map", [1])]


def test_a_candidate_is_no_wider_than_memory_lets_it(work):
    found = candidates.ladders(
        work(trials=100), Options(), GPU, lambda engine, devices, micro_batch, wanted: min(wanted, 10)
    )
    assert max(one.width for ladder in found for one in ladder) == 10


@pytest.mark.parametrize(
    ("options", "property_", "values"),
    [
        (Options(engine="vmap"), "engine", {"vmap"}),
        (Options(devices=1), "devices", {1}),
        (Options(micro_batch=32), "micro_batch", {32}),
        (Options(micro_batch=64), "micro_batch", {0}),
        (Options(engine="vmap", width=6), "width", {6}),
        (Options(width=1), "devices", {1}),
    ],
)
def test_what_the_user_has_set_stands(work, proposed, options, property_, values):
    assert {getattr(one, property_) for one in proposed(CPU, options)} == values
    assert getattr(candidates.from_table(work(), options, CPU, anything_fits), property_) in values


def test_a_narrow_width_takes_as_many_devices_as_can_have_a_trial(work):
    four = dataclasses.replace(CPU, devices=4)
    for trials, width, devices in ((8, 2, 2), (8, 0, 4), (3, 0, 3), (2, 2, 2), (1, 2, 1)):
        stack = work(trials, **{"model.batch_norm": True})
        assert candidates.from_table(stack, Options(width=width), four, anything_fits).devices == devices


def test_a_width_that_leaves_devices_without_a_trial_is_refused(work):
    with pytest.raises(ConfigError, match="stack.width = 1 leaves some of stack.devices = 2 without a trial"):
        candidates.check(Options(width=1, devices=2), work(), CPU)
