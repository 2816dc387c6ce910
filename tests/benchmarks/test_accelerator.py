"""The one call for a GPU, on a CPU: what it measures, in which order, and what it leaves out."""

import json
from types import SimpleNamespace

import pytest

from fer_jax import models, plan
from fer_jax.config import values
from fer_jax.config.fields import FIELDS
from fer_jax.plan import cost, memory
from fer_jax.train import engine

CODE = SimpleNamespace(
    engine=engine,
    fields=SimpleNamespace(FIELDS=FIELDS),
    models=models,
    plan=plan,
    cost=cost,
    memory=memory,
    values=values,
)


@pytest.fixture
def session(scripts, monkeypatch):
    """A session of full scale whose clock is `session.left()` and whose device has 100 GB."""
    accelerator = scripts("accelerator")
    session = object.__new__(accelerator.Session)
    session.code, session.scale, session.document = CODE, accelerator.Scale(), {"left_out": [], "rows": []}
    session.save, session.left, session._longest = lambda: None, lambda: 60.0, {}
    device = SimpleNamespace(memory_stats=lambda: {"bytes_limit": 100 * 10**9})
    monkeypatch.setattr(accelerator, "jax", SimpleNamespace(devices=lambda: [device]))
    monkeypatch.setattr(accelerator, "Candidate", lambda code, work, engine, devices: (work.trials, work.batch))
    return session


def test_rounds_hold_every_way_once_and_the_usual_ones_first(scripts):
    rounds = list(scripts("accelerator_throughput").rounds(scripts("accelerator").Scale(), CODE))
    found = [(turns.batch, way.engine, way.width, way.precision) for turns in rounds for way in turns.ways]
    precisions = FIELDS["train.precision"].choices
    ways = {(name, width) for name in engine.ENGINES if name != "map" for width in (64, 512)} | {("map", 1)}
    expected = {(batch, *way, name) for batch in (8, 16, 32, 64, 128) for way in ways for name in precisions}
    # One trial in float32 is in every round anyway.
    assert set(found) == {way for way in expected if way[1:] != ("map", 1, "float32")}
    assert len(found) == len(set(found))
    assert found[:3] == [(32, "vmap", 64, name) for name in precisions]
    assert [turns.batch for turns in rounds if turns.peers] == [32, 8, 128, 64, 16]


def test_a_stack_that_does_not_fit_the_device_is_not_built(session):
    def made(batch, width):
        what = f"{width} x {batch}"
        return session.stack("vmap", what, session.work(batch, width, "float32"), "vmap")

    assert made(32, 512) == (512, 32) and made(128, 64) == (64, 128) and not session.document["left_out"]
    assert made(128, 512) is None
    (said,) = session.document["left_out"]
    assert said.startswith("512 x 128: needs about ") and said.endswith(" GB of 100")


def test_what_would_outlast_the_time_is_left_out_by_its_kind(session):
    session._longest = {"vmap": 10.0, "grouped": 50.0}
    assert session.fits("vmap") and not session.fits("grouped") and not session.fits("map")
    assert session.attempt("grouped", "a stack", lambda: 1) is None
    assert session.attempt("vmap", "another", lambda: [][0]) is None
    assert session.document["left_out"] == ["a stack: no time left", "another: IndexError: list index out of range"]


def test_the_grid_takes_the_engine_that_was_quickest(scripts, session):
    def row(batch, engine, width, rate, precision="float32"):
        about = {"part": "throughput", "batch": batch, "engine": engine, "width": width, "precision": precision}
        session.document["rows"].append({**about, "images_per_second": {"median": rate}})

    best = scripts("accelerator_parts").best_engine
    session.document["backend"] = "gpu"
    assert best(session, 8) == "vmap"
    for each in (("map", 1, 5), ("vmap", 64, 4), ("vmap", 512, 9), ("grouped", 64, 3), ("vmap", 64, 9, "tf32")):
        row(128, *each)
    row(32, "map", 1, 1)
    row(32, "vmap", 64, 4)
    assert (best(session, 128), best(session, 32), best(session, 8)) == ("map", "vmap", "vmap")


class Stack:
    """A stack whose epochs take what they are told, and fail where it is 0."""

    def __init__(self, *seconds):
        self.seconds, self.coming = [seconds[0]], list(seconds[1:])

    def run(self):
        found = self.coming.pop(0)
        if not found:
            raise RuntimeError("out of memory")
        self.seconds.append(found)


def test_turns_replace_the_first_epoch_unless_it_took_long_or_they_fail(scripts, session):
    quick, slow, failing = Stack(2, 1, 1.5), Stack(5), Stack(3, 0)
    scripts("accelerator_throughput").take_turns(session, "turns", [quick, slow], 2)
    assert (quick.seconds, slow.seconds) == ([1, 1.5], [5]) and not session.document["left_out"]
    scripts("accelerator_throughput").take_turns(session, "turns", [failing], 2)
    assert failing.seconds == [3] and session.document["left_out"] == ["turns: RuntimeError: out of memory"]


@pytest.mark.parametrize(("error", "is_tf32"), [(2e-7, False), (3e-4, True), (2e-3, False)])
def test_tf32_is_known_by_its_error(scripts, error, is_tf32):
    found = scripts("accelerator_parts").seen(error)
    assert found["is_tf32"] == is_tf32 and (found["remark"] == "TF32") == is_tf32


def test_without_time_everything_is_left_out_and_said(run, tmp_path):
    document = run("accelerator", "--smoke", "--limit_seconds=0", folder=tmp_path)
    assert document["rows"] == [] and all(said.endswith(": no time left") for said in document["left_out"])
    said = " ".join(document["left_out"])
    for part in ("agreement, CPU", "2 x vmap", "grid, batch 8", "tf32 product", "copy"):
        assert part in said


@pytest.mark.slow
def test_a_smoke_run_has_rows_of_every_part(run, tmp_path):
    predicted = tmp_path / "predicted.json"
    way = {"network": "tiny", "engine": "map", "width": 1, "batch": 8, "precision": "float32"}
    predicted.write_text(json.dumps({"rows": [{**way, "images_per_second": 1000}]}))
    document = run("accelerator", "--smoke", "--repeats=1", f"--predicted={predicted}", folder=tmp_path)
    parts = {
        part: [row for row in document["rows"] if row["part"] == part] for part in ("agreement", "grid", "ceilings")
    }
    assert {row["engine"]: row["agrees"] for row in parts["agreement"]} == dict.fromkeys(engine.ENGINES, True)
    assert [row["batch"] for row in parts["grid"]] == [8] and document["grid_minutes"] > 0
    ways = [row for row in document["rows"] if row["part"] == "throughput" and "engine" in row]
    assert {(row["engine"], row["width"], row["precision"]) for row in ways} == {
        ("map", 1, "float32"),
        ("vmap", 2, "float32"),
        ("vmap", 2, "tf32"),
        ("vmap", 2, "bfloat16"),
        ("grouped", 2, "float32"),
    }
    alone, *stacks = ways
    rate = alone["images_per_second"]["median"]
    assert alone["predicted"] == 1000 and alone["ratio_to_predicted"] == pytest.approx(rate / 1000)
    assert alone["ratio_to_alone"] == 1 and not any("predicted" in row for row in stacks)
    # On a CPU there is no TF32, and the script sees it.
    errors = {row["precision"]: row for row in parts["ceilings"] if "precision" in row}
    assert list(errors) == ["float32", "tf32", "bfloat16"] and errors["float32"]["relative_error"] < 1e-6
    assert not errors["tf32"]["is_tf32"] and errors["tf32"]["times_float32"] > 0
    assert 1e-3 < errors["bfloat16"]["relative_error"] < 1e-2 and parts["ceilings"][-1]["ceiling"] == "copy"
    assert all("No module named 'torch'" in said for said in document["left_out"])
