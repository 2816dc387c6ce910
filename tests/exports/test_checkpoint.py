"""Weights as a stranger reads them: plain Orbax, in a process without this program."""

import pickle
import subprocess
import sys

import jax
import numpy as np
import pytest

from fer_jax import export_model, load_run
from fer_jax.errors import RunError

LOAD = """
import pickle, sys
import jax
import orbax.checkpoint as ocp
{lines}
assert not any(name.startswith("fer_jax") for name in sys.modules)
pickle.dump((weights, about), sys.stdout.buffer)
"""
OF_A_WAVE = """
reader, path, trial = ocp.StandardCheckpointer(), sys.argv[1], sys.argv[2]
slot = reader.metadata(path).custom_metadata["trials"].index(trial)
weights = jax.tree.map(lambda array: array[slot], reader.restore(path))
about = slot
"""
OF_A_TRIAL = """
weights = ocp.StandardCheckpointer().restore(sys.argv[1])
about = ocp.StandardCheckpointer().metadata(sys.argv[1]).custom_metadata
"""


def without_us(lines, *arguments):
    """What the lines make, from a process that cannot import this program."""
    command = [sys.executable, "-P", "-c", LOAD.format(lines=lines), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, cwd="/", env={"JAX_PLATFORMS": "cpu"}, check=True)
    return pickle.loads(done.stdout)


def assert_same(found, trial_variables):
    ours, theirs = jax.tree.flatten(trial_variables), jax.tree.flatten(found)
    assert ours[1] == theirs[1]
    for own, read in zip(ours[0], theirs[0], strict=True):
        assert np.asarray(own).tobytes() == np.asarray(read, np.asarray(own).dtype).tobytes()


def test_a_trial_of_a_wave_is_where_the_checkpoint_says(trained):
    run = load_run(trained)
    trial = run.trial(run.trials["id"].iloc[-1])
    (path,) = (trained / "checkpoints" / trial.row["wave"]).glob("final-*")
    assert trial.row["slot"] > 0
    found, slot = without_us(OF_A_WAVE, path, trial.id)
    assert slot == trial.row["slot"]
    assert_same({**found["best"], "pixels": found["pixels"]}, trial.variables)
    assert_same({**found["last"], "pixels": found["pixels"]}, trial.last_variables)


@pytest.mark.parametrize("weights", ["best", "last"])
def test_an_exported_trial_is_a_checkpoint_of_its_own(run, tmp_path, weights):
    trial = run.trial("10ab")
    for _ in range(2):  # the second replaces the first
        folder = export_model(trial, tmp_path / "10ab.orbax", weights=weights)
    found, about = without_us(OF_A_TRIAL, folder)
    assert_same(found, trial.variables_of(weights))
    assert (about["trial"], about["weights"]) == ("10ab", weights) and '"angry", "happy", "sad"' in about["classes"]


def test_a_folder_that_is_no_checkpoint_is_not_replaced(run, tmp_path):
    (tmp_path / "x.orbax").mkdir()
    (tmp_path / "x.orbax" / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="x.orbax is there and is no checkpoint: choose another --out"):
        export_model(run.trial("10ab"), tmp_path / "x.orbax")
    assert (tmp_path / "x.orbax" / "mine.txt").read_text() == "mine"
