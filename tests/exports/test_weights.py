"""Weights in a safetensors file: the same bits back, and a file that needs no run beside it."""

import json
import sys

import jax
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from fer_jax import export_model
from fer_jax.errors import FerJaxError, RunError
from fer_jax.exports.weights import load_safetensors


@pytest.mark.parametrize("id", ["00ab", "10ab", "21ab", "30ab"])
def test_variables_come_back_bit_for_bit(run, tmp_path, id):
    trial = run.trial(id)
    found = load_safetensors(export_model(trial, tmp_path / "x.safetensors"))
    assert jax.tree.structure(found.variables) == jax.tree.structure(trial.variables)
    for own, read in zip(jax.tree.leaves(trial.variables), jax.tree.leaves(found.variables), strict=True):
        assert np.asarray(own).dtype == read.dtype and np.asarray(own).shape == read.shape
        assert np.asarray(own).tobytes() == read.tobytes()


def test_the_file_alone_answers_like_the_trial(run, pictures, tmp_path):
    trial = run.trial("00ab")
    found = load_safetensors(export_model(trial, tmp_path / "x.safetensors"))
    np.testing.assert_array_equal(found.predict(pictures[:9]), trial.predict(pictures[:9]))
    assert found.classes == trial.classes and found.config.train.seed == 5 and found.config.model.name == "cnn"
    last = load_safetensors(export_model(trial, tmp_path / "last.safetensors", weights="last"))
    np.testing.assert_array_equal(last.predict(pictures[:9]), trial.predict(pictures[:9], weights="last"))
    assert (found.metadata["epoch"], last.metadata["epoch"]) == ("2", "3")


def test_other_programs_find_names_and_what_to_do_with_them(run, tmp_path):
    path = export_model(run.trial("00ab"), tmp_path / "x.safetensors")
    with safe_open(path, framework="np") as file:
        names, metadata = set(file.keys()), file.metadata()
        kernel = file.get_tensor("conv_0/kernel")
    assert {
        "conv_0/kernel",
        "conv_0/bias",
        "norm_0/mean",
        "norm_0/scale",
        "output/kernel",
        "pixels/scale",
        "pixels/offset",
    } <= names
    assert kernel.shape[2] == 1 and kernel.dtype == np.float32
    assert json.loads(metadata["classes"]) == ["angry", "happy", "sad"]
    assert json.loads(metadata["config"])["train.learning_rate"] == 0.002
    assert "(n, 36, 36, 1)" in metadata["usage"] and "0.003921" in metadata["pixels"] and "-0.3" in metadata["pixels"]
    assert metadata["data"] == "synthetic faces, official split"


def test_what_is_wrong_with_a_file_is_one_line(run, tmp_path):
    whole = export_model(run.trial("00ab"), tmp_path / "x.safetensors").read_bytes()
    (tmp_path / "half.safetensors").write_bytes(whole[: len(whole) // 2])
    save_file({"a": np.zeros(2, np.float32)}, tmp_path / "other.safetensors")
    for name, said in (("half", "damaged"), ("other", "not of this program"), ("none", "cannot read")):
        with pytest.raises(RunError, match=said) as caught:
            load_safetensors(tmp_path / f"{name}.safetensors")
        assert f"{name}.safetensors" in str(caught.value) and "\n" not in str(caught.value)


def test_a_trial_without_weights_and_another_ending_are_refused(run, tmp_path):
    with pytest.raises(RunError, match="pending: it has no weights yet"):
        export_model(run.trial("31ab"), tmp_path / "x.safetensors")
    with pytest.raises(RunError, match="must end in .safetensors or .orbax or .onnx"):
        export_model(run.trial("00ab"), tmp_path / "x.h5")
    with pytest.raises(RunError, match="'first': must be 'best' or 'last'"):
        export_model(run.trial("00ab"), tmp_path / "x.safetensors", weights="first")
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_named_with_its_extra(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.delitem(sys.modules, "safetensors.numpy", raising=False)
    with pytest.raises(FerJaxError, match=r"safetensors is not installed: pip install 'fer_jax\[safetensors\]'"):
        export_model(run.trial("00ab"), tmp_path / "x.safetensors")
