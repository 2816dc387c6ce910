"""Candidates, their measurement against a clock that only the fakes move, what is kept on disk; and
once with the real clock.
"""

import dataclasses
import json

import jax
import pytest

from fer_jax import models
from fer_jax.config import fields
from fer_jax.errors import ConfigError
from fer_jax.plan import candidates, measurements, tuning
from fer_jax.plan.candidates import Candidate, Options
from fer_jax.plan.measurements import Measurements
from fer_jax.plan.memory import Footprint
from fer_jax.plan.work import Work, cost_of
from fer_jax.train.engine import ENGINES
from fer_jax.train.hardware import Hardware
from fer_jax.train.recipe import Recipe

CPU = Hardware("cpu", "cpu", 2, 8 << 30, 1e11)
GPU = Hardware("gpu", "some GPU", 1, 16 << 30)
MAP_8, MAP_16 = Candidate("map", 2, 8, 2), Candidate("map", 2, 16, 2)
ALONE = Candidate("map", 1, 8, 1)
VMAP = Candidate("vmap", 2, 0, 4)


def anything_fits(engine, devices, micro_batch, wanted):
    return wanted


def work(trials=20, batch=64, **values):
    shape = {
        name: field.default
        for name, field in fields.FIELDS.items()
        if field.kind == "shape" and name.startswith("model.")
    }
    shape.update({"model.pairs": 1, "model.kernels": (4,), "model.dense": (5,)} | values)
    return Work(tuple(shape.items()), (12, 12, 1), 3, Recipe(batch), 640, 64, trials)


class Bench:
    """A world with a clock, in which starting and an epoch of a candidate take the seconds given."""

    def __init__(self, rates, starting=5.0, **broken):
        self.now, self.started, self.lines = 0.0, [], []
        self._rates, self._starting, self._broken = rates, starting, broken

    def start(self, work, candidate):
        self.started.append(candidate)
        self.now += self._starting
        if candidate not in self._rates:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory")

        def run():
            self.now += 0.5
            rate = self._rates[candidate]
            return 0.5 * (rate(self.now) if callable(rate) else rate)

        return run

    def tuner(self, folder, hardware=CPU, **changes):
        kept = Measurements(folder, measurements.circumstances(hardware))
        return tuning.Tuner(
            kept, self.lines.append, start=self.start, clock=lambda: self.now, **{"budget": 60.0, **changes}
        )


LADDERS = ((MAP_8, MAP_16), (ALONE,), (VMAP,))


def test_rates_are_those_of_the_clock_and_asked_for_once(tmp_path):
    bench = Bench({MAP_8: 1000, MAP_16: 950, ALONE: 400, VMAP: 1100})
    found = bench.tuner(tmp_path).rates("stack_0", work(), LADDERS)
    assert found == {MAP_8: 1000, MAP_16: 950, ALONE: 400, VMAP: 1100} and len(bench.started) == 4
    assert bench.lines[0] == "measuring engines for stack_0: map x2 devices, micro-batches of 8: 1,000 images/s"
    assert (
        bench.lines[3]
        == "measuring engines for stack_0: vmap x2 devices, whole batches, 4 trials at once: 1,100 images/s"
    )
    assert bench.tuner(tmp_path).rates("stack_7", work(), LADDERS) == found and len(bench.started) == 4


def test_the_nearest_take_turns_and_the_median_counts(tmp_path):
    """A first measurement that another program disturbs does not decide."""
    disturbed = Bench({MAP_8: lambda now: 950 if now < 6 else 1500, MAP_16: 1000, ALONE: 100, VMAP: 90})
    found = disturbed.tuner(tmp_path).rates("stack_0", work(), LADDERS)
    assert found[MAP_8] == 1500 and found[MAP_16] == 1000
    # 4 starts of 5 s, and half a second a turn: one of each, two more of the two that are near the
    # top.
    assert disturbed.now == 4 * 5 + (4 + 2 * 2) * 0.5


def test_a_ladder_is_climbed_while_throughput_grows_by_a_tenth(tmp_path):
    ladder = tuple(Candidate("vmap", 1, 0, width) for width in (4, 16, 64, 256, 1024))
    bench = Bench(dict(zip(ladder, (100, 300, 600, 630, 9999), strict=True)))
    assert list(bench.tuner(tmp_path, GPU).rates("stack_0", work(), (ladder,)).values()) == [100, 300, 600, 630]


def test_what_does_not_fit_ends_its_ladder_and_nothing_else(tmp_path):
    ladder = tuple(Candidate("vmap", 1, 0, width) for width in (4, 16, 64))
    bench = Bench({ladder[0]: 100, ALONE: 70})
    assert bench.tuner(tmp_path).rates("stack_0", work(), (ladder, (ALONE,))) == {ladder[0]: 100, ALONE: 70}
    assert "16 trials at once: does not run" in bench.lines[1]
    assert Bench({}).tuner(tmp_path / "other").rates("stack_0", work(), LADDERS) == {}


@pytest.mark.parametrize(("budget", "count"), [(0, 1), (11, 2), (12, 2), (17, 3), (60, 4)])
def test_no_candidate_is_begun_that_would_not_end_within_the_budget(tmp_path, budget, count):
    """Each takes 5 s to start and half a second to run; the table's choice is measured whatever the
    budget.
    """
    bench = Bench({MAP_8: 1000, MAP_16: 950, ALONE: 400, VMAP: 1100})
    bench.tuner(tmp_path, budget=budget).rates("stack_0", work(), LADDERS)
    assert bench.started == [MAP_8, MAP_16, ALONE, VMAP][:count]


def test_other_versions_hardware_or_work_are_measured_again(tmp_path, monkeypatch):
    bench = Bench({MAP_8: 1000, MAP_16: 950, ALONE: 400, VMAP: 1100})

    def measures(hardware=CPU, of=None, ladders=LADDERS):
        before = len(bench.started)
        bench.tuner(tmp_path, hardware).rates("stack_0", of or work(), ladders)
        return len(bench.started) > before

    assert measures() and not measures()
    assert measures(dataclasses.replace(CPU, devices=4)) and measures(dataclasses.replace(CPU, kind="other"))
    assert not measures(dataclasses.replace(CPU, memory=1 << 30, product_rate=5e10))
    assert measures(of=work(batch=32)) and measures(of=work(**{"model.batch_norm": True}))
    assert measures(of=dataclasses.replace(work(), recipe=Recipe(64, "sgd")))
    assert not measures(of=dataclasses.replace(work(), train=6400, validation=640))  # the same steps, more of them
    assert measures(ladders=LADDERS[:1])
    monkeypatch.setattr(measurements, "_version", lambda name: "99")
    assert measures() and not measures()
    monkeypatch.setenv("XLA_FLAGS", "--some_flag")
    assert measures()


def test_a_network_whose_code_has_changed_is_measured_again(tmp_path, monkeypatch):
    bench = Bench({MAP_8: 1000, MAP_16: 950, ALONE: 400, VMAP: 1100})
    for count in (4, 6):

        def own(values, *rest, count=count):
            return models.NETWORKS["cnn"]({**values, "model.kernels": (count,)}, *rest)

        monkeypatch.setitem(models.NETWORKS, "own", own)
        cost_of.cache_clear()
        bench.tuner(tmp_path).rates("stack_0", work(**{"model.name": "own"}), LADDERS)
    assert len(bench.started) == 8


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"question": 1}', "null"])
def test_a_damaged_file_is_measured_again(tmp_path, damage):
    bench = Bench({MAP_8: 1000, MAP_16: 950, ALONE: 400, VMAP: 1100})
    found = bench.tuner(tmp_path).rates("stack_0", work(), LADDERS)
    (path,) = tmp_path.iterdir()
    path.write_text(damage)
    assert bench.tuner(tmp_path).rates("stack_0", work(), LADDERS) == found and len(bench.started) == 8
    assert bench.tuner(tmp_path).rates("stack_0", work(), LADDERS) == found and len(bench.started) == 8


@pytest.mark.parametrize("answer", [3, "fast", [["map", 1]], [["map", 2, 8, 2, "quick"]], [["map", 2, 8, 2, -1.0]]])
def test_an_answer_of_another_form_is_measured_again(tmp_path, answer):
    bench = Bench({MAP_8: 1000, MAP_16: 950, ALONE: 400, VMAP: 1100})
    found = bench.tuner(tmp_path).rates("stack_0", work(), LADDERS)
    (path,) = tmp_path.iterdir()
    path.write_text(json.dumps({**json.loads(path.read_text()), "answer": answer}))
    assert bench.tuner(tmp_path).rates("stack_0", work(), LADDERS) == found and len(bench.started) == 8


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    bench = Bench({MAP_8: 1000, MAP_16: 950, ALONE: 400, VMAP: 1100})
    assert bench.tuner(tmp_path / "file").rates("stack_0", work(), LADDERS)[VMAP] == 1100


def test_the_compilers_figures_are_asked_for_once(tmp_path):
    asked = []

    def analyse(*arguments):
        asked.append(arguments)
        return Footprint(1000.0, 10.0)

    tuner = Bench({}).tuner(tmp_path, analyse=analyse)
    assert tuner.footprint("stack_0", work(), "vmap", 0, 7) == Footprint(1000, 10)
    assert tuner.footprint("stack_0", work(), "vmap", 0, 7) == Footprint(1000, 10) and len(asked) == 1
    assert tuner.footprint("stack_0", dataclasses.replace(work(), train=6400), "vmap", 0, 7) and len(asked) == 2
    silent = Bench({}).tuner(tmp_path / "other", analyse=lambda *arguments: None)
    assert silent.footprint("stack_0", work(), "vmap", 0, 7) is None


def proposed(hardware, options=None, **arguments):
    return [
        one
        for ladder in candidates.ladders(work(**arguments), options or Options(), hardware, anything_fits)
        for one in ladder
    ]


def test_on_a_cpu_mapped_and_vectorised_and_every_micro_batch_on_one_device_and_on_all():
    found = proposed(CPU, batch=256)
    assert (
        found[0] == Candidate("map", 2, 32, 2) == candidates.from_table(work(batch=256), Options(), CPU, anything_fits)
    )
    mapped = {(one.devices, one.micro_batch) for one in found if one.engine == "map"}
    assert mapped == {(devices, size) for devices in (1, 2) for size in (0, 8, 16, 32)}
    wide = [one for one in found if one.engine != "map"]
    assert {one.engine for one in wide} == {"vmap"} and all(one.width == 4 for one in wide)
    assert {one.engine for one in proposed(CPU, Options(engine="grouped"))} == {"grouped"}


def test_micro_batches_hold_as_many_pixels_whatever_the_pictures_size():
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


def test_what_makes_no_sense_is_not_proposed():
    assert all(one.micro_batch == 0 for one in proposed(CPU, **{"model.batch_norm": True}))
    assert {one.micro_batch for one in proposed(CPU, batch=24)} == {0, 8}
    assert {one.micro_batch for one in proposed(CPU, batch=9)} == {0}
    assert proposed(CPU, **{"model.name": "mlp"})[0].micro_batch == 0
    # A million weights are exchanged for longer than two devices save.
    assert all(one.devices == 1 for one in proposed(CPU, trials=1, **{"model.name": "mlp"}))


def test_fewer_trials_than_devices_share_them_where_their_batches_can_be_cut():
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


def test_an_accelerator_is_tried_at_growing_widths_up_to_all_trials():
    found = proposed(GPU, trials=100)
    assert (
        found[0]
        == Candidate("vmap", 1, 0, 100)
        == candidates.from_table(work(trials=100), Options(), GPU, anything_fits)
    )
    for engine in set(ENGINES) - {"map"}:
        # 128 = 8,192 images of batches of 64 is the table's, more than the trials there are.
        assert [one.width for one in found if one.engine == engine][-4:] == [4, 16, 64, 100]
    assert [one for one in found if one.engine == "map"] == [Candidate("map", 1, 0, 1)]
    four = proposed(dataclasses.replace(GPU, devices=4), trials=100)
    assert all(one.devices == 4 and one.width % 4 == 0 for one in four) and max(one.width for one in four) == 100


def test_a_candidate_is_no_wider_than_memory_lets_it():
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
def test_what_the_user_has_set_stands(options, property_, values):
    assert {getattr(one, property_) for one in proposed(CPU, options)} == values
    assert getattr(candidates.from_table(work(), options, CPU, anything_fits), property_) in values


def test_a_narrow_width_takes_as_many_devices_as_can_have_a_trial():
    four = dataclasses.replace(CPU, devices=4)
    for trials, width, devices in ((8, 2, 2), (8, 0, 4), (3, 0, 3), (2, 2, 2), (1, 2, 1)):
        stack = work(trials, **{"model.batch_norm": True})
        assert candidates.from_table(stack, Options(width=width), four, anything_fits).devices == devices


def test_a_width_that_leaves_devices_without_a_trial_is_refused():
    with pytest.raises(ConfigError, match="stack.width = 1 leaves some of stack.devices = 2 without a trial"):
        candidates.check(Options(width=1, devices=2), work(), CPU)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_real_candidate_trains_the_images_it_says(engine):
    candidate = Candidate(engine, 2, 0, 4)
    run = tuning.start(work(batch=16), candidate)
    assert run() == run() == 4 * 256
