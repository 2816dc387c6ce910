"""What the benchmarks compute from their clocks; how long anything takes is nobody's test."""

import importlib.util
import statistics
from pathlib import Path

import numpy as np
import pytest

import fer_jax
from fer_jax.config.values import default_config

PATH = Path(__file__).parents[2] / "benchmarks" / "heads.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("benchmark_heads", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One small network with heads at two layers, two of them boosted at the same one."""
    config = default_config()
    config.data.image_size = 16
    config.data.train_size, config.data.validation_size, config.data.test_size = 70, 35, 35
    config.model.pairs, config.model.kernels, config.model.dense = 1, (4,), (8,)
    config.train.batch_size, config.train.epochs = 16, 1
    config.head.kind, config.head.rounds = "xgboost", 2
    layers = (
        {"head.layer": "dense_0"},
        {"head.layer": "probabilities"},
        {"head.layer": "dense_0", "head.max_depth": 2},
    )
    config.sweep.points = layers
    return fer_jax.run_sweep(config, tmp_path_factory.mktemp("run"))


def test_candidates_take_turns_and_the_first_round_is_not_timed(benchmark):
    called = []
    seconds = benchmark.take_turns({name: lambda name=name: called.append(name) for name in "abc"}, repeats=3)
    assert called == list("abc" * 4)
    assert {name: len(own) for name, own in seconds.items()} == {"a": 3, "b": 3, "c": 3}


@pytest.mark.parametrize(("batch", "calls"), [(1, 16), (35, 2), (64, 1), (0, 1)])
def test_a_head_is_set_against_its_network_with_extraction_and_without(benchmark, run, monkeypatch, batch, calls):
    trial, fits = benchmark.choose(run)
    assert [(fit.layer, fit.settings["head.max_depth"]) for fit in fits] == [("dense_0", 6), ("probabilities", 6)]
    images = benchmark.held_out(trial)
    assert len(images) == 70
    clocks = {}
    measured = benchmark.take_turns
    monkeypatch.setattr(benchmark, "take_turns", lambda *given: clocks.update(measured(*given)) or clocks)
    rows = benchmark.measure(trial, fits, images, batch, repeats=3)
    names = [row["candidate"] for row in rows]
    assert names == list(clocks)
    assert names[0] == "network" and (names[1] == f"network, compiled for {batch}") == (batch == 35)
    heads = [(row["layer"], row["features"], row["extraction"]) for row in rows if "layer" in row]
    assert heads == [
        (layer, features, included)
        for layer, features in (("dense_0", 8), ("probabilities", 7))
        for included in (False, True)
    ]
    for row in rows:
        own, spread = clocks[row["candidate"]], row["seconds"]
        assert (row["batch"], row["calls"], len(own)) == (batch or 70, calls, 3)
        assert spread["median"] == statistics.median(own) and spread["min"] == min(own)
        assert spread["min"] <= spread["lower_quartile"] <= spread["median"] <= spread["upper_quartile"]
        assert row["ratio"] == spread["median"] / rows[0]["seconds"]["median"]
        assert row["images_per_second"] == pytest.approx(row["batch"] * calls / spread["median"])
        assert row["milliseconds_per_call"] == pytest.approx(1000 * spread["median"] / calls)


def test_what_is_compared_gives_the_same_answers(benchmark, run):
    trial, fits = benchmark.choose(run)
    images = benchmark.held_out(trial)[:5]
    np.testing.assert_allclose(benchmark.unpadded(trial, 5)(images), trial.predict(images), atol=1e-5)
    for fit in fits:
        features = trial.features(images, fit.layer).reshape(5, -1)
        np.testing.assert_allclose(fit.head.probabilities(features), fit.predict(images), atol=1e-6)
        about = benchmark.describe(fit)
        assert (about["trees"], about["layer"]) == (2 * 7, fit.layer)
        assert 1 <= about["leaves"] <= 2**6
