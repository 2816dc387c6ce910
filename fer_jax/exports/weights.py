"""A trial's weights as a safetensors file, which says itself what they are, and back.

Tensors are called 'layer/array', such as 'conv_0/kernel' and 'norm_0/mean', and 'pixels/scale',
'pixels/offset'; kernels are laid out (height, width, channels, filters), dense ones (features,
units). The metadata are those of `about`, and `places`, which says where in the nested dicts of
`TrialResult.variables` each tensor has its place.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ml_collections import ConfigDict

from fer_jax.base.files import write_bytes
from fer_jax.base.optional import need
from fer_jax.config.values import flatten, from_json
from fer_jax.errors import FerJaxError, RunError
from fer_jax.exports.about import FORMAT, about
from fer_jax.models import inference

if TYPE_CHECKING:
    from fer_jax.results.trial import TrialResult

EXTRA = "safetensors"


@dataclasses.dataclass(frozen=True, eq=False)
class ExportedTrial:
    """A trial's network read from a file, without its run.

    Attributes:
        variables: as `TrialResult.variables`: 'params', 'stats', 'pixels'.
        config: the config that trained it.
        classes: names, in the order of the columns `predict` returns.
        metadata: all texts of the file.
    """

    variables: dict[str, Any]
    config: ConfigDict
    classes: tuple[str, ...]
    metadata: Mapping[str, str]

    def predict(self, images: Any) -> np.ndarray:
        """Returns class probabilities, float32 (n, K); images and errors as for a trial."""
        return inference.apply(flatten(self.config), len(self.classes), self.variables, images)


def save(trial: TrialResult, path: str | Path, weights: str = "best") -> Path:
    """Writes the weights of a trial to a safetensors file.

    Args:
        trial: whose weights are written.
        path: of the file.
        weights: 'best' (chosen by validation) or 'last'.

    Returns:
        The path of the file.

    Raises:
        RunError: the trial has no weights, or the file cannot be written.
        FerJaxError: safetensors is not installed.
    """
    library = need("safetensors.numpy", EXTRA)
    found = dict(_leaves(trial.variables_of(weights)))
    # A layer's params and statistics have different names: they are attributes of one module.
    names = {place: "/".join(place[1:] if place[0] in ("params", "stats") else place) for place in found}
    if len(set(names.values())) < len(names):
        raise RunError(
            f"trial {trial.id}: a layer is called 'pixels', as what its network takes for a pixel is: "
            "give it another name"
        )
    tensors = {names[place]: np.array(array, order="C") for place, array in found.items()}
    places = json.dumps({name: place for place, name in names.items()})
    # An empty dict, such as the statistics of a network without batch norm, has no tensor to stand
    # for it.
    write_bytes(Path(path), library.save(tensors, metadata={**about(trial, weights), "places": places}))
    return Path(path)


def _leaves(tree: Mapping[str, Any], place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], np.ndarray]]:
    """Yields the arrays of nested dicts, each with its names from the outermost in."""
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*place, str(name)))
        else:
            yield (*place, str(name)), np.asarray(value)


def load_safetensors(path: str | Path) -> ExportedTrial:
    """Reads a trial's network from a safetensors file, its variables equal bit for bit.

    Raises:
        RunError: no such file, a damaged one, or one of another program.
        FerJaxError: safetensors is not installed.
    """
    library = need("safetensors", EXTRA)
    try:
        with library.safe_open(str(path), framework="np") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a mapping)
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}") from None
    except library.SafetensorError as error:
        raise RunError(f"{path} is damaged, or no safetensors file ({error}); export the trial again") from None
    if metadata.get("format") != FORMAT:
        raise RunError(f"{path} is not of this program: its metadata have no format {FORMAT!r}")
    variables: dict[str, Any] = {"params": {}, "stats": {}, "pixels": {}}
    try:
        for name, place in json.loads(metadata["places"]).items():
            *folders, last = place
            inner = variables
            for folder in folders:
                inner = inner.setdefault(folder, {})
            inner[last] = tensors[name]
        config, classes = from_json(json.loads(metadata["config"])), tuple(json.loads(metadata["classes"]))
    except (KeyError, ValueError) as error:
        raise RunError(f"{path} is damaged ({error}); export the trial again") from None
    except FerJaxError as error:
        raise RunError(f"{path}: {error}") from None
    return ExportedTrial(variables, config, classes, metadata)
