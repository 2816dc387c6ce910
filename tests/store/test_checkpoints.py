"""Checkpoints bit for bit: on several devices, under full disks, with buffers that are donated."""

import resource
import signal

import jax
import numpy as np
import pytest
import tensorstore as ts

from fer_jax.errors import RunError
from fer_jax.store import RunDirectory
from tests.store.conftest import abstract, assert_equal_trees, example, sharded


@pytest.mark.parametrize("saved_on, restored_on", [(None, None), (4, 2), (1, 4), (4, 1), (4, None)])
def test_a_state_comes_back_bit_for_bit_on_any_number_of_devices(run, saved_on, restored_on):
    tree = example()
    placed = jax.tree.map(lambda x: sharded(x, saved_on) if saved_on and np.ndim(x) else x, tree)
    run.save_state("w", 12, placed)
    restored = run.restore_state("w", abstract(tree, restored_on))
    assert_equal_trees(restored, tree)
    kernel = restored["params"]["conv_0"]["kernel"]
    assert isinstance(kernel, np.ndarray) if restored_on is None else len(kernel.sharding.device_set) == restored_on


@pytest.mark.parametrize("devices", [1, 4])
def test_buffers_may_be_donated_while_a_state_is_being_saved(run, devices):
    before = np.arange(8 * 500_000, dtype=np.float32).reshape(8, 500_000)
    tree = {"x": sharded(before, devices), "host": before.copy()}
    step = jax.jit(lambda x: -x - 1, donate_argnums=0)
    run.save_state("w", 1, tree)
    tree["host"][:] = 0
    for _ in range(20):
        tree["x"] = step(tree["x"])
    jax.block_until_ready(tree["x"])
    restored = run.restore_state("w", abstract({"x": before, "host": before}))
    np.testing.assert_array_equal(restored["x"], before)
    np.testing.assert_array_equal(restored["host"], before)


def test_the_last_two_states_stay_and_never_none(run):
    def names():
        return sorted(path.name for path in (run.path / "checkpoints" / "w").iterdir())

    for epoch in (10, 20, 30):
        run.save_state("w", epoch, {"x": np.full(3, epoch)})
        assert RunDirectory(run.path).latest_state("w") in (epoch, epoch - 10 or None)
    run.wait()
    assert names() == ["state-000020", "state-000030"]
    run.save_state("w", 30, {"x": np.full(3, 31)})
    assert run.restore_state("w", {"x": np.zeros(3, int)})["x"].tolist() == [31, 31, 31]
    assert names() == ["state-000020", "state-000030"]
    run.drop_state("w")
    assert run.latest_state("w") is None
    with pytest.raises(RunError, match="holds no state to resume from$"):
        run.restore_state("w", {"x": np.zeros(3, int)})


def test_a_state_of_other_arrays_is_refused_by_name(run):
    run.save_state("w", 1, example())
    for change, words in (
        ({"epoch": jax.ShapeDtypeStruct((2,), np.int32)}, r"epoch is int32\[\], not int32\[2\]"),
        ({"alive": jax.ShapeDtypeStruct((8,), np.float32)}, r"alive is bool\[8\], not float32\[8\]"),
        ({"momentum": jax.ShapeDtypeStruct((8,), np.float32)}, r"momentum is missing, not float32\[8\]"),
        ({"params": {}}, r"params.conv_0.kernel is float32\[8, 5, 3\], not an array of this program"),
    ):
        with pytest.raises(RunError, match=words) as caught:
            run.restore_state("w", abstract(example()) | change)
        assert "\n" not in str(caught.value)


def final_weights(width, size):
    kernel = np.random.default_rng(1).normal(size=(width, size)).astype(np.float32)
    return {
        "best": {"params": {"dense_0": {"kernel": kernel}}, "stats": {}},
        "last": {"params": {"dense_0": {"kernel": -kernel}}, "stats": {}},
    }


def test_a_trial_is_loaded_without_its_neighbours(run):
    width, size = 16, 60_000
    tree = final_weights(width, size)
    run.save_final("w", jax.tree.map(lambda x: sharded(x, 4), tree))

    def bytes_read():
        (metric,) = ts.experimental_collect_matching_metrics("/tensorstore/kvstore/file/bytes_read")
        return metric["values"][0]["value"]

    for slot in (0, 7, 15):
        before = bytes_read()
        trial = run.load_trial("w", slot)
        used = bytes_read() - before
        assert_equal_trees(trial, jax.tree.map(lambda x, slot=slot: x[slot], tree))
        assert used < 1.1 * 2 * 4 * size
    before = bytes_read()
    partial = run.load_trial("w", 3, {"last": {"params": {"dense_0": {"kernel": 0}}}})
    assert bytes_read() - before < 1.1 * 4 * size
    np.testing.assert_array_equal(
        partial["last"]["params"]["dense_0"]["kernel"], tree["last"]["params"]["dense_0"]["kernel"][3]
    )


def test_trials_load_in_any_structure_from_any_path(tmp_path):
    run = RunDirectory(tmp_path / "a b%20#c?")
    tree = example()
    run.save_final("w", tree)
    expected = jax.tree.map(lambda x: x[5] if np.ndim(x) else np.asarray(x), tree)
    assert_equal_trees(run.load_trial("w", 5, tree), expected)
    assert run.load_trial("w", 5)["stats"] == {}
    for slot in (-1, 8):
        with pytest.raises(RunError, match=f"holds slots 0 to 7, not {slot}$"):
            run.load_trial("w", slot)
    with pytest.raises(RunError, match="final-000001 holds no array nothing: "):
        run.load_trial("w", 5, {"nothing": 0})
    with pytest.raises(RunError, match="holds no weights of finished trials$"):
        run.load_trial("v", 0)


def test_an_interrupted_replacement_of_final_weights_keeps_the_old(run):
    run.save_final("w", {"x": np.zeros(2)})
    run.save_final("w", {"x": np.ones(2)})
    folder = run.path / "checkpoints" / "w"
    assert [path.name for path in folder.iterdir()] == ["final-000002"]
    assert run.load_trial("w", 1)["x"] == 1
    (folder / "final-000003.orbax-checkpoint-tmp").mkdir()
    assert run.load_trial("w", 1)["x"] == 1


@pytest.fixture
def small_files():
    """No file may grow beyond 64 KiB: the kernel refuses, as it does when a disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, handler)


def test_a_refused_save_is_one_line_and_keeps_the_older_state(run, small_files, capfd, caplog):
    run.save_state("w", 1, {"x": np.ones((4, 10))})
    run.wait()
    run.save_state("w", 2, {"x": np.ones((4, 100_000))})
    with pytest.raises(RunError, match="^cannot write .*state-000002: File too large; .*$") as caught:
        run.wait()
    assert "\n" not in str(caught.value)
    with pytest.raises(RunError, match="^cannot write .*final-000001: File too large; .*$"):
        run.save_final("w", {"x": np.ones((4, 100_000))})
    assert run.latest_state("w") == 1
    small_files()
    run.save_state("w", 2, {"x": np.ones((4, 100_000))})
    run.wait()
    assert run.latest_state("w") == 2
    captured = capfd.readouterr()
    assert captured.out + captured.err == "" and caplog.records == []


def test_a_state_is_loaded_as_it_was_saved(run):
    tree = {
        "opt": {"leaf_0": np.arange(6.0).reshape(2, 3)},
        "stats": {},
        "slots": np.array([1, -1], np.int32),
        "pair": (np.ones(2),),
    }
    run.save_state("w", 3, tree, owned=True)
    found = run.load_state("w")
    assert found["stats"] == {} and isinstance(found["pair"], list)
    for name, leaf in (("opt", found["opt"]["leaf_0"]), ("slots", found["slots"]), ("pair", found["pair"][0])):
        expected = jax.tree.leaves(tree[name])[0]
        assert isinstance(leaf, np.ndarray) and leaf.dtype == expected.dtype
        np.testing.assert_array_equal(leaf, expected)
