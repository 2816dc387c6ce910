"""Networks as ONNX files, run with onnxruntime: the trial's own probabilities for every
architecture and size of batch.
"""

import json

import numpy as np
import onnx
import onnxruntime
import pytest

from fer_jax import export_model
from fer_jax.errors import RunError
from fer_jax.exports import network


@pytest.mark.parametrize("id", ["00ab", "10ab", "20ab", "30ab"])
def test_onnxruntime_gives_the_trials_probabilities(run, pictures, tmp_path, id):
    trial = run.trial(id)
    session = onnxruntime.InferenceSession(export_model(trial, tmp_path / "x.onnx"), providers=["CPUExecutionProvider"])
    expected = trial.predict(pictures)
    assert expected.std(axis=0).max() > 1e-3  # the pictures are told apart, so that agreement means something
    for count in (1, 3, 70):
        (found,) = session.run(["probabilities"], {"pixels": pictures[:count]})
        assert found.shape == (count, 3) and found.dtype == np.float32
        np.testing.assert_allclose(found, expected[:count], rtol=0, atol=1e-5)


def test_float_pixels_and_the_last_epochs_weights(run, pictures, tmp_path):
    trial = run.trial("00ab")
    session = onnxruntime.InferenceSession(export_model(trial, tmp_path / "x.onnx", weights="last", dtype="float32"))
    halves = pictures[:4].astype(np.float32) / 2
    (found,) = session.run(None, {"pixels": halves})
    np.testing.assert_allclose(found, trial.predict(halves, weights="last"), rtol=0, atol=1e-5)
    assert np.abs(found - trial.predict(halves)).max() > 1e-3


def test_the_file_says_how_to_use_it(run, tmp_path):
    model = onnx.load(export_model(run.trial("00ab"), tmp_path / "x.onnx"))
    texts = {prop.key: prop.value for prop in model.metadata_props}
    assert (
        json.loads(texts["classes"]) == ["angry", "happy", "sad"]
        and texts["trial"] == "00ab"
        and texts["image_size"] == "36"
    )
    assert "pixels" not in texts  # nobody shall scale them once more
    (given,) = model.graph.input
    assert [dim.dim_param or dim.dim_value for dim in given.type.tensor_type.shape.dim] == ["n", 36, 36, 1]
    assert given.type.tensor_type.elem_type == onnx.TensorProto.UINT8


def test_a_file_that_would_answer_otherwise_is_not_written(run, tmp_path, monkeypatch):
    trial = run.trial("10ab")
    monkeypatch.setattr(network, "TOLERANCE", -1.0)
    with pytest.raises(RunError, match="trial 10ab: its ONNX graph gives probabilities that differ"):
        export_model(trial, tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())
    with pytest.raises(RunError, match="int16: must be uint8 or float32"):
        export_model(trial, tmp_path / "x.onnx", dtype="int16")
