"""The comparison with other libraries: same networks, fair turns, reasons for what is left out."""

import importlib
import importlib.metadata
import importlib.util
import math
from types import SimpleNamespace

import numpy as np
import pytest

TORCH = importlib.util.find_spec("torch") is not None


def spread_is_ordered(spread):
    return 0 < spread["lower_quartile"] <= spread["median"] <= spread["upper_quartile"]


@pytest.mark.slow
@pytest.mark.parametrize("network", ["oslo", "silvestro"])
def test_every_library_has_fer_jaxs_networks(scripts, network):
    worker = scripts("worker")
    modules = {"peer_fer_jax": {}, "peer_flax": {}, "peer_keras": {"KERAS_BACKEND": "jax"}} | (
        {"peer_torch": {}} if TORCH else {}
    )
    found = {}
    for module, environment in modules.items():
        process = worker.Worker(module, environment)
        found[module] = np.asarray(process.call("answer", function="logits", network=network, count=3, size=48))
        process.close()
    expected = found.pop("peer_fer_jax")
    assert expected.shape == (3, 7) and expected.std() > 0.05
    for other_logits in found.values():
        np.testing.assert_allclose(other_logits, expected, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "others", ["Flax: nnx.Conv in a scan", pytest.param("Keras: fit on JAX", marks=pytest.mark.slow)]
)
def test_peers_take_turns_and_what_fails_is_left_out_with_its_reason(run, start, tmp_path, others):
    document = run(
        "peers",
        "--networks=tiny",
        "--size=8",
        "--batches=4",
        "--repeats=2",
        "--seconds=0.02",
        f"--candidates=PyTorch: channels_l,{others}",
        folder=tmp_path,
    )
    rows = {row["candidate"]: row for row in document["rows"]}
    first = "fer_jax: a stack"
    assert list(rows) == [first, "PyTorch: channels_last", others] and rows[first]["ratio"] == 1
    if not TORCH:
        assert "torch" in rows.pop("PyTorch: channels_last")["left_out"]
    for row in rows.values():
        assert row["parameters"] == rows[first]["parameters"] == 3 * 3 * 4 + 4 + 3 * 3 * 4 * 8 + 8 + 8 * 7 + 7
        assert spread_is_ordered(row["images_per_second"]) and spread_is_ordered(row["ratios"])
    start("plot", tmp_path / "results.json", f"--png={tmp_path / 'peers.png'}")
    assert (tmp_path / "peers.png").read_bytes().startswith(b"\x89PNG")


def test_a_network_that_answers_otherwise_ends_the_comparison(scripts):
    peers = scripts("peers")

    class Answering:
        def __init__(self, logits):
            self.call = lambda *_, **__: logits

    def candidate(name, logits):
        return SimpleNamespace(
            name=name, arrangement=SimpleNamespace(module=name), workers=[Answering(logits)], failure=""
        )

    same = [candidate("first", [[1.0, 2.0]]), candidate("second", [[1.0, 2.00005]])]
    peers.check_answers(same, "oslo", 48)
    with pytest.raises(SystemExit, match="oslo: logits of third differ"):
        peers.check_answers([*same, candidate("third", [[1.0, 2.001]])], "oslo", 48)
    with pytest.raises(SystemExit, match="third"):
        peers.check_answers([*same, candidate("third", [[1.0, math.nan]])], "oslo", 48)


def test_a_worker_says_in_a_line_why_it_cannot(scripts):
    worker = scripts("worker")
    process = worker.Worker("peer")
    with pytest.raises(worker.WorkerError, match="AttributeError: .*'nothing'"):
        process.call("answer", function="nothing")
    with pytest.raises(worker.WorkerError, match="TypeError: .*not JSON serializable"):
        process.call("answer", function="weights", network="oslo")
    layers = process.call("answer", function="layers", network="oslo")
    assert [layer[0] for layer in layers[:4]] == ["conv", "relu", "pool", "dropout"]
    process.close()
    process = worker.Worker("no_such_file")
    with pytest.raises(worker.WorkerError, match="No module named 'no_such_file'"):
        process.call("build")
    process.close()


def test_packages_that_a_result_names_are_those_installed(scripts):
    versions = scripts("record").versions()
    assert versions["jax"] == importlib.import_module("jax").__version__
    assert versions["fer_jax"] == importlib.metadata.version("fer_jax")
    assert ("torch" in versions) == TORCH
