"""What measures fer_jax alone: throughput, growth, bookkeeping, roofline."""

import importlib
import math
import time
from types import SimpleNamespace

import pytest

from fer_jax import models, plan
from fer_jax.config.values import default_config, flatten
from fer_jax.plan import cost


def spread_is_ordered(spread):
    return 0 < spread["lower_quartile"] <= spread["median"] <= spread["upper_quartile"]


@pytest.mark.slow
def test_throughput_measures_every_engine_at_every_width(run, tmp_path):
    sizes = ("--networks=tiny", "--sizes=16", "--batches=8", "--widths=1,2", "--images=32", "--repeats=1")
    rows = run("throughput", *sizes, folder=tmp_path)["rows"]
    engine = importlib.import_module("fer_jax.train.engine")
    assert {(row["engine"], row["width"]) for row in rows} == {
        (name, width) for name in engine.ENGINES for width in (1, 2)
    }
    assert rows[0]["ratio"] == 1 and (rows[0]["engine"], rows[0]["devices"], rows[0]["width"]) == ("map", 1, 1)
    assert all(spread_is_ordered(row["images_per_second"]) for row in rows)


@pytest.mark.slow
def test_scaling_says_how_cost_grows(run, scripts, tmp_path):
    scaling = scripts("scaling")
    sizes = [1, 2, 4, 8, 16]
    proportional = scaling.growth(sizes, [3.0 * size for size in sizes])
    assert proportional == pytest.approx({"slope": 1, "slope_upper_half": 1, "last_to_middle_each": 1})
    square = scaling.growth(sizes, [size**2 for size in sizes])
    assert square == pytest.approx({"slope": 2, "slope_upper_half": 2, "last_to_middle_each": 4})
    document = run("scaling", "--trials=1,2,4", "--images=32", "--repeats=1", folder=tmp_path)
    assert [row["size"] for row in document["rows"] if row["part"] == "trials"] == [1, 2, 4]
    assert set(document["growth"]["trials"]) == set(proportional) and document["growth"]["images"] == {}


def test_a_moment_of_the_loop_counts_once(scripts):
    clock = scripts("bookkeeping").Clock()
    clock.stop()
    clock.loop = (0.0, 10.0)
    clock.busy = [(5.0, 6.0), (0.0, 2.0), (1.0, 3.0), (1.5, 2.5)]
    clock.compiling = [(-9.0, -8.0), (2.5, 3.5), (3.0, 4.0), (5.5, 5.75)]
    clock.importing = [(3.5, 4.5), (9.5, 11.0)]
    assert clock.seconds() == {"loop": 10.0, "busy": 4.0, "compiling": 1.0, "importing": 1.0, "host": 4.0}


def test_a_run_ends_when_its_results_are_there(scripts):
    bookkeeping = scripts("bookkeeping")

    class Results:
        def block_until_ready(self):
            time.sleep(0.05)
            return self

    clock = bookkeeping.Clock()
    before = time.perf_counter()
    clock.follow("epoch", lambda: ("state", Results()))()
    returned = time.perf_counter() - before
    clock.stop()
    ((start, end),) = clock.busy
    assert clock.epochs == 1 and end - start >= 0.05 and returned < end - start


@pytest.mark.parametrize(("case", "epochs"), [("thousand", 2), pytest.param("grid3d", 4, marks=pytest.mark.slow)])
def test_bookkeeping_divides_the_loop_into_what_it_waited_for(run, tmp_path, case, epochs):
    options = (f"--cases={case}", "--trials=3", "--epochs=2", "--variant=smoke")
    (row,) = run("bookkeeping", *options, folder=tmp_path)["rows"]
    assert (row["case"], row["epochs_of_waves"]) == (case, epochs)
    seconds = row["seconds"]
    parts = [seconds[part] for part in ("busy", "compiling", "importing", "host")]
    assert min(parts) > 0 and sum(parts) == pytest.approx(seconds["loop"])
    assert 0 < row["host_share"] < 1


@pytest.mark.slow
def test_rungs_divides_a_halved_sweep(run, tmp_path):
    (row,) = run("rungs", "--variant=smoke", "--rounds=1", "--epochs=2", "--halving=1,2", folder=tmp_path)["rows"]
    assert 0 < row["rungs"] < row["wall"] and row["rungs"] / row["wall"] < row["share"] < 1 and row["back"] > 0


def test_roofline_finds_all_products_of_a_step(scripts):
    roofline, peer = scripts("roofline"), scripts("peer")
    values = flatten(default_config()) | peer.FIELDS["oslo"]
    network = models.build(values, (24, 24, 1), 7)
    once, shapes = roofline.step_of(SimpleNamespace(plan=plan), network, values, 4, 24)
    found = roofline.products_of(once, shapes)
    recipe = plan.recipe_of(values | {"train.batch_size": 4}, (), 0)
    flops = sum(2 * math.prod(shape) * times for shape, times in found.items())
    assert flops == pytest.approx(4 * cost.measure(network, recipe).train_flops)


@pytest.mark.slow
def test_roofline_measures_its_ceilings(run, tmp_path):
    sizes = ("--networks=tiny", "--size=16", "--batches=8", "--images=32", "--repeats=1", "--seconds=0.01")
    (row,) = run("roofline", *sizes, folder=tmp_path)["rows"]
    for ceiling in ("large_product", "own_products", "roofline"):
        assert row[f"share_of_{ceiling}"] == pytest.approx(row["gflops"] / row[f"{ceiling}_gflops"])
    assert row["roofline_gflops"] <= row["large_product_gflops"]
    assert row["gflops"] == pytest.approx(row["images_per_second"]["median"] * row["flops_per_image"] / 1e9)


@pytest.mark.slow
def test_frozen_layers_are_set_against_trained_ones(run, tmp_path):
    sizes = ("--network=vgg19", "--width=0.02", "--size=32", "--batch=8", "--images=16", "--repeats=1")
    rows = {row["way"]: row for row in run("frozen", *sizes, folder=tmp_path)["rows"]}
    assert list(rows) == ["trained", "own", "shared", "once"] and rows["trained"]["ratio"] == 1
    state = {way: row["bytes"]["state"] for way, row in rows.items()}
    assert state["trained"] > state["own"] > state["shared"] == state["once"]
    assert rows["once"]["seconds_before"] > 0 == rows["shared"]["seconds_before"]
