"""A trial's network as an ONNX file: pixels in, class probabilities out, for any number of images.

Every file is run once with onnxruntime before it is written, and its answers held against the
trial's own.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_jax.base.files import write_bytes
from fer_jax.base.optional import need
from fer_jax.config.values import flatten
from fer_jax.errors import RunError
from fer_jax.exports.about import about
from fer_jax.models import inference

if TYPE_CHECKING:
    from fer_jax.results.trial import TrialResult

EXTRA = "onnx"
INPUT = "pixels"
DTYPES = ("uint8", "float32")
# How far a probability may be from the trial's own. Float32 kernels of two programs differ by some
# 1e-7.
TOLERANCE = 1e-5
_CHECKED = 5


def save(trial: TrialResult, path: str | Path, weights: str = "best", dtype: str = "uint8") -> float:
    """Writes the network of a trial to an ONNX file.

    The graph takes `pixels` (n, S, S, C), 0..255, and gives `probabilities` (n, K); `about` is in
    its metadata, but for what the graph does itself.

    Args:
        trial: whose network is written.
        path: of the file.
        weights: 'best' (chosen by validation) or 'last'.
        dtype: of the pixels, 'uint8' or 'float32'. Images that were scaled to 0..1 cannot be
            given to the former by mistake.

    Returns:
        The largest difference of a probability from `trial.predict`, on random pixels.

    Raises:
        RunError: no weights, an unknown dtype, an operation that has no counterpart here, a file
            that does not compute what the trial does, or one that cannot be written.
        FerJaxError: onnx or onnxruntime is not installed.
    """
    if dtype not in DTYPES:
        raise RunError(f"pixels of {dtype}: must be {' or '.join(DTYPES)}")
    runtime = need("onnxruntime", EXTRA)
    content = _model(trial, weights, dtype).SerializeToString()
    session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    size, channels = trial.config.data.image_size, trial.config.data.channels
    pixels = np.random.default_rng(0).integers(0, 256, (_CHECKED, size, size, channels)).astype(dtype)
    own = trial.predict(pixels, weights)
    # Two sizes of batch, since the graph is for any.
    found = np.concatenate([session.run(None, {INPUT: part})[0] for part in (pixels[:1], pixels[1:])])
    difference = float(np.abs(found - own).max())
    if not difference <= TOLERANCE:
        raise RunError(
            f"trial {trial.id}: its ONNX graph gives probabilities that differ by {difference:.1g}; nothing is written"
        )
    write_bytes(Path(path), content)
    return difference


def _model(trial: TrialResult, weights: str, dtype: str) -> Any:
    """Returns the onnx.ModelProto of a trial; errors as for `save`."""
    import jax

    from fer_jax import models
    from fer_jax.exports import graph, translate

    variables = trial.variables_of(weights)
    spec, shape, num_classes = inference.network_key(flatten(trial.config), len(trial.classes))
    network = models.build(dict(spec), shape, num_classes)

    def probabilities(images: jax.Array) -> jax.Array:
        inputs = models.normalize(images, **variables["pixels"])
        logits, _, _ = network.apply(variables["params"], variables["stats"], inputs, native=True)
        return jax.nn.softmax(logits)

    # What is made of a pixel is in the graph: whoever reads of it would do it twice.
    texts = {name: text for name, text in about(trial, weights).items() if name != "pixels"}
    try:
        return translate.to_onnx(probabilities, shape, dtype, (INPUT, inference.PROBABILITIES), texts)
    except graph.Untranslatable as error:
        name = trial.config.model.name
        raise RunError(
            f"model.name = {name}: cannot be written as ONNX: {error}; --to=safetensors has its weights"
        ) from None
