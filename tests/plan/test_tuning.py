"""Candidates measured against a clock that only the fakes move, and once with the real clock."""

import dataclasses
import importlib.metadata
import json
from types import SimpleNamespace

import jax
import pytest

from fer_jax import models
from fer_jax.plan import measurements, tuning
from fer_jax.plan.candidates import Candidate
from fer_jax.plan.measurements import Measurements
from fer_jax.plan.memory import Footprint
from fer_jax.plan.work import cost_of
from fer_jax.train.engine import ENGINES
from fer_jax.train.hardware import Hardware, typical_rate
from fer_jax.train.recipe import Recipe

CPU = Hardware("cpu", "cpu", 2, 8 << 30, 1e11)
GPU = Hardware("gpu", "some GPU", 1, 16 << 30)
MAP_8, MAP_16 = Candidate("map", 2, 8, 2), Candidate("map", 2, 16, 2)
ALONE = Candidate("map", 1, 8, 1)
VMAP = Candidate("vmap", 2, 0, 4)


class Bench:
    """A world with a clock, in which a candidate's start and epochs take the seconds given."""

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


def test_rates_are_those_of_the_clock_and_asked_for_once(work, tmp_path):
    bench = Bench({MAP_8: 1000, MAP_16: 950, ALONE: 400, VMAP: 1100})
    found = bench.tuner(tmp_path).rates("stack_0", work(), LADDERS)
    assert found == {MAP_8: 1000, MAP_16: 950, ALONE: 400, VMAP: 1100} and len(bench.started) == 4
    assert bench.lines[0] == "measuring engines for stack_0: map x2 devices, micro-batches of 8: 1,000 images/s"
    assert (
        bench.lines[3]
        == "measuring engines for stack_0: vmap x2 devices, whole batches, 4 trials at once: 1,100 images/s"
    )
    assert bench.tuner(tmp_path).rates("stack_7", work(), LADDERS) == found and len(bench.started) == 4


def test_the_nearest_take_turns_and_the_median_counts(work, tmp_path):
    """A first measurement that another program disturbs does not decide."""
    disturbed = Bench({MAP_8: lambda now: 950 if now < 6 else 1500, MAP_16: 1000, ALONE: 100, VMAP: 90})
    found = disturbed.tuner(tmp_path).rates("stack_0", work(), LADDERS)
    assert found[MAP_8] == 1500 and found[MAP_16] == 1000
    # 4 starts of 5 s, and half a second a turn: one of each, two more of the two that are near the
    # top.
    assert disturbed.now == 4 * 5 + (4 + 2 * 2) * 0.5


def test_a_ladder_is_climbed_while_throughput_grows_by_a_tenth(work, tmp_path):
    ladder = tuple(Candidate("vmap", 1, 0, width) for width in (4, 16, 64, 256, 1024))
    bench = Bench(dict(zip(ladder, (100, 300, 600, 630, 9999), strict=True)))
    assert list(bench.tuner(tmp_path, GPU).rates("stack_0", work(), (ladder,)).values()) == [100, 300, 600, 630]


def test_what_does_not_fit_ends_its_ladder_and_nothing_else(work, tmp_path):
    ladder = tuple(Candidate("vmap", 1, 0, width) for width in (4, 16, 64))
    bench = Bench({ladder[0]: 100, ALONE: 70})
    assert bench.tuner(tmp_path).rates("stack_0", work(), (ladder, (ALONE,))) == {ladder[0]: 100, ALONE: 70}
    assert "16 trials at once: does not run" in bench.lines[1]
    assert Bench({}).tuner(tmp_path / "other").rates("stack_0", work(), LADDERS) == {}


@pytest.mark.parametrize(("budget", "count"), [(0, 1), (11, 2), (12, 2), (17, 3), (60, 4)])
def test_no_candidate_is_begun_that_would_not_end_within_the_budget(work, tmp_path, budget, count):
    """Each takes 5 s to start and half a second to run.

    The table's choice is measured whatever the budget.
    """
    bench = Bench({MAP_8: 1000, MAP_16: 950, ALONE: 400, VMAP: 1100})
    bench.tuner(tmp_path, budget=budget).rates("stack_0", work(), LADDERS)
    assert bench.started == [MAP_8, MAP_16, ALONE, VMAP][:count]


def test_measuring_on_an_accelerator_takes_no_more_than_a_tenth_of_the_training(work, tmp_path, monkeypatch):
    """Each takes 20 s to start, half a second to run; 180, 90, 45 and 22.5 s are the budgets."""
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")

    def measured(folder, seconds):
        bench = Bench({MAP_8: 1000, MAP_16: 990, ALONE: 400, VMAP: 1100}, starting=20.0)
        bench.tuner(tmp_path / folder, GPU, budget=None).rates("stack_0", work(), LADDERS, seconds)
        return len(bench.started), bench.now

    for seconds, count in ((1, 1), (300, 1), (600, 2), (899, 2), (900, 4), (1800, 4), (1e9, 4)):
        started, took = measured(f"{seconds}", seconds)
        assert started == count and (count == 1 or took <= 0.1 * seconds)
    # What had more time serves a shorter stack, what had less does not serve a longer one.
    assert measured("kept", 600)[0] == 2
    assert measured("kept", 650)[0] == 0 and measured("kept", 1000)[0] == 4
    assert measured("kept", 600)[0] == measured("kept", 900)[0] == 0 and measured("kept", 1e9)[0] == 4
    assert measured("kept", 1)[0] == 0


def test_narrower_widths_have_no_turn_where_a_wider_one_paid_and_have_one_where_it_does_not_fit(work, tmp_path):
    table, wide, narrow, least = (Candidate("vmap", 1, 0, width) for width in (64, 256, 16, 4))
    ladders = ((table, wide), (table, narrow, least))

    def started(**rates):
        bench = Bench({candidate: rates[name] for name, candidate in names.items() if name in rates})
        bench.tuner(tmp_path / "_".join(rates), GPU).rates("stack_0", work(), ladders)
        return bench.started

    names = {"table": table, "wide": wide, "narrow": narrow, "least": least}
    assert started(table=100, wide=111) == [table, wide]
    assert started(table=100, wide=109, narrow=90, least=99) == [table, wide, narrow]
    assert started(table=100, narrow=120, least=90) == [table, wide, narrow, least]
    assert started(narrow=100, least=90) == [table, narrow, least]
    assert started(least=90) == [table, narrow, least]


@pytest.mark.parametrize("change", ["driver", "platform_version", "nvidia-cudnn-cu12", "jax-cuda13-pjrt"])
def test_a_gpus_driver_plugin_and_cudnn_are_part_of_what_was_measured_and_no_part_on_a_cpu(
    work, tmp_path, monkeypatch, change
):
    bench = Bench({MAP_8: 1000, MAP_16: 950, ALONE: 400, VMAP: 1100})
    driver, installed = tmp_path / "version", {"jax": "1"}
    driver.write_text("NVRM version: NVIDIA UNIX 570.1\nGCC version: 12")
    client = SimpleNamespace(platform_version="CUDA 12.9")
    monkeypatch.setattr(measurements, "DRIVER", driver)
    monkeypatch.setattr(jax, "devices", lambda: [SimpleNamespace(client=client)])
    monkeypatch.setattr(measurements, "_version", lambda name: installed.get(name, "not installed"))

    def measures(hardware):
        before = len(bench.started)
        bench.tuner(tmp_path / "kept", hardware).rates("stack_0", work(), LADDERS)
        return len(bench.started) > before

    assert measures(CPU) and measures(GPU) and not measures(GPU)
    driver.write_text("NVRM version: NVIDIA UNIX 570.1\nGCC version: 13")
    assert not measures(GPU)
    if change == "driver":
        driver.unlink()
    elif change == "platform_version":
        client.platform_version = "CUDA 13.0"
    else:
        installed[change] = "9.28"
    assert measures(GPU) and not measures(GPU) and not measures(CPU)


def test_other_versions_hardware_or_work_are_measured_again(work, tmp_path, monkeypatch):
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
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "99")
    assert measures() and not measures()
    monkeypatch.setenv("XLA_FLAGS", "--some_flag")
    assert measures()


def test_a_network_whose_code_has_changed_is_measured_again(work, tmp_path, monkeypatch):
    bench = Bench({MAP_8: 1000, MAP_16: 950, ALONE: 400, VMAP: 1100})
    for count in (4, 6):

        def own(values, *rest, count=count):
            return models.NETWORKS["cnn"]({**values, "model.kernels": (count,)}, *rest)

        monkeypatch.setitem(models.NETWORKS, "own", own)
        cost_of.cache_clear()
        bench.tuner(tmp_path).rates("stack_0", work(**{"model.name": "own"}), LADDERS)
    assert len(bench.started) == 8


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"question": 1}', "null"])
def test_a_damaged_file_is_measured_again(work, tmp_path, damage):
    bench = Bench({MAP_8: 1000, MAP_16: 950, ALONE: 400, VMAP: 1100})
    found = bench.tuner(tmp_path).rates("stack_0", work(), LADDERS)
    (path,) = tmp_path.iterdir()
    path.write_text(damage)
    assert bench.tuner(tmp_path).rates("stack_0", work(), LADDERS) == found and len(bench.started) == 8
    assert bench.tuner(tmp_path).rates("stack_0", work(), LADDERS) == found and len(bench.started) == 8


@pytest.mark.parametrize("answer", [3, "fast", [["map", 1]], [["map", 2, 8, 2, "quick"]], [["map", 2, 8, 2, -1.0]]])
def test_an_answer_of_another_form_is_measured_again(work, tmp_path, answer):
    bench = Bench({MAP_8: 1000, MAP_16: 950, ALONE: 400, VMAP: 1100})
    found = bench.tuner(tmp_path).rates("stack_0", work(), LADDERS)
    (path,) = tmp_path.iterdir()
    path.write_text(json.dumps({**json.loads(path.read_text()), "answer": answer}))
    assert bench.tuner(tmp_path).rates("stack_0", work(), LADDERS) == found and len(bench.started) == 8


def test_a_cache_that_cannot_be_written_is_no_error(work, tmp_path):
    (tmp_path / "file").write_text("in the way")
    bench = Bench({MAP_8: 1000, MAP_16: 950, ALONE: 400, VMAP: 1100})
    assert bench.tuner(tmp_path / "file").rates("stack_0", work(), LADDERS)[VMAP] == 1100


def test_the_compilers_numbers_are_asked_for_once(work, tmp_path):
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


@pytest.mark.parametrize("engine", ENGINES)
def test_a_real_candidate_trains_the_images_it_says(work, engine):
    candidate = Candidate(engine, 2, 0, 4)
    run = tuning.start(work(batch=16), candidate)
    assert run() == run() == 4 * 256


def test_what_is_timed_beside_other_programs_is_not_kept(work, tmp_path, others):
    others[0] = 0.43
    bench = Bench({MAP_8: 1000, MAP_16: 950, ALONE: 400, VMAP: 1100})
    busy = bench.tuner(tmp_path).rates("stack_0", work(), LADDERS)
    assert bench.lines[-1] == ("measured stack_0 while other programs took 43% of the processors: used now, not kept")
    assert bench.tuner(tmp_path, measures=False).rates("stack_0", work(), LADDERS) == {}
    others[0] = 0.1
    assert bench.tuner(tmp_path).rates("stack_0", work(), LADDERS) == busy and len(bench.started) == 8
    assert bench.tuner(tmp_path, measures=False).rates("stack_0", work(), LADDERS) == busy


@pytest.mark.parametrize(("later", "kept"), [(1190, True), (1210, False)])
def test_where_the_system_does_not_tell_unequal_turns_show_a_busy_machine(work, tmp_path, others, later, kept):
    others[0] = None
    bench = Bench({MAP_8: lambda now: 1000 if now < 6 else later, MAP_16: 1000})
    found = bench.tuner(tmp_path).rates("stack_0", work(), ((MAP_8, MAP_16),))
    assert found[MAP_8] == later
    assert bool(bench.tuner(tmp_path, measures=False).rates("stack_0", work(), ((MAP_8, MAP_16),))) == kept
    assert ("turns of the same differed by 21%" in bench.lines[-1]) == (not kept)


def test_what_may_not_be_measured_is_named(work, tmp_path):
    bench = Bench({MAP_8: 1000})
    asked = []
    tuner = bench.tuner(tmp_path, measures=False, analyse=lambda *arguments: asked.append(arguments))
    assert tuner.describe_unknown() == ""
    for number in (0, 0, 1, 2, 3, 4):
        assert tuner.rates(f"stack_{number}", work(), LADDERS) == {}
    assert tuner.footprint("stack_0", work(), "vmap", 0, 7) is None
    assert not asked and not bench.started
    assert (
        tuner.describe_unknown() == "speed of stack_0, speed of stack_1, speed of stack_2, speed of stack_3 and 2 more"
    )


def test_a_matrix_product_is_timed_once_and_on_a_cpu_only(work, tmp_path, others):
    timed = []

    def time_product():
        timed.append(1e10 * (1 + len(timed) % 5))
        return timed[-1]

    tuner = Bench({}).tuner(tmp_path, time_product=time_product)
    assert tuner.product_rate(GPU, measures=True) == 0
    typical = tuner.product_rate(CPU, measures=False)
    assert typical == typical_rate(2) > 0 and not timed
    others[0] = 0.2
    assert tuner.product_rate(CPU, measures=True) == typical
    others[0] = 0.0
    assert tuner.product_rate(CPU, measures=True) == tuner.product_rate(CPU, measures=False) == 5e10
    assert len(timed) == 10
