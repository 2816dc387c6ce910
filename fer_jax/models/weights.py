"""Weights of backbones in the layout in which Keras publishes them: legacy HDF5 files, here read
and written without Keras.

    attribute layer_names       names of all layers, in the order of Keras' `model.layers`
    <layer>                     a group each, with the attribute weight_names
    <layer>/<weight name>       its arrays, in that order: kernel, bias; gamma, beta, moving mean, moving variance

What the arrays are called inside a layer differs between versions of Keras, so their order counts.
Attributes too long for HDF5 are cut into layer_names0, layer_names1, ...
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

from fer_jax.base import files
from fer_jax.base.text import shown
from fer_jax.errors import DataError
from fer_jax.models.backbones import backbone_layers
from fer_jax.models.backbones.top import KERAS_TOP
from fer_jax.models.keras_layers import ChannelRescaling, DepthwiseConv
from fer_jax.models.network import Network, Variables

# Standard deviations of ImageNet's red, green and blue in [0, 1]. With weights = 'imagenet' Keras'
# EfficientNet divides by their roots once more, since its Normalization takes them for variances
# (tensorflow issue 49930).
IMAGENET_SD = (0.229, 0.224, 0.225)

# In the order of the arrays in a file, which is also that of the leaves of a layer that has
# several.
_LEAVES = ("kernel", "scale", "bias", "mean", "var")
_KERAS_NAMES = {"scale": "gamma", "bias": "beta", "mean": "moving_mean", "var": "moving_variance"}


@dataclasses.dataclass(frozen=True)
class _Layer:
    """A layer with weights.

    Attributes:
        name: of the layer.
        shapes: leaf -> shape in the file, in the order of the file.
        depthwise: whether its kernel has the last two axes exchanged in the file.
    """

    name: str
    shapes: dict[str, tuple[int, ...]]
    depthwise: bool

    def exchanged(self, leaf: str, array: np.ndarray) -> np.ndarray:
        """An array of the file as the network has it, or the other way round."""
        return array.swapaxes(2, 3) if self.depthwise and leaf == "kernel" else array

    @property
    def keras_names(self) -> dict[str, str]:
        """Leaf -> what Keras calls it."""
        if self.depthwise:
            return {"kernel": "depthwise_kernel"}
        if "kernel" in self.shapes:
            return {leaf: leaf for leaf in self.shapes}
        if "scale" in self.shapes:
            return _KERAS_NAMES
        return {"mean": "mean", "var": "variance"}


def read(path: Path, network: Network, *, imagenet: bool = True) -> tuple[Variables, Variables]:
    """The weights of a network's backbone; `params | found` leaves its top as it is.

    Layers are found by name. Where names differ but all shapes agree in order, as in the published
    MobileNetV2, order decides, as it does in Keras. Layers of Keras' own top may be there and are
    not read.

    Args:
        path: HDF5 file.
        network: one of `backbones.BACKBONES`.
        imagenet: whether an EfficientNetB0 rescales its input once more, as Keras' does with
            weights = 'imagenet', but not with the path of a file. A file that `write` made says it
            itself.

    Returns:
        params and stats of the layers of the backbone that have any: layer -> leaf -> float32
        array.

    Raises:
        DataError: no such file, no such layout, or a layer that is missing, is too many, has other
            shapes, cannot be read or holds numbers that are not finite; one line that names the
            first such layer.
    """
    layers, rescaling = _layers(network)
    with _opened(path) as file:
        stored = _stored(file, path)
        params, stats = Variables(), Variables()
        for layer, name in zip(layers, _matched(layers, stored, path), strict=True):
            arrays = _arrays(layer, name, stored[name], path)
            trained = {leaf: array for leaf, array in arrays.items() if leaf not in ("mean", "var")}
            kept = {leaf: array for leaf, array in arrays.items() if leaf in ("mean", "var")}
            params |= {layer.name: trained} if trained else {}
            stats |= {layer.name: kept} if kept else {}
        for name in rescaling:
            default = 1 / np.sqrt(IMAGENET_SD) if imagenet else np.ones(3)
            stats[name] = {"scale": np.asarray(file.attrs.get(name, default), np.float32)}
    return params, stats


def write(path: Path, network: Network, params: Variables, stats: Variables) -> None:
    """Writes the weights of a network's backbone so that `read`, and Keras' `load_weights`, take
    them.

    Raises:
        RunError: the disk refuses.
    """
    layers, rescaling = _layers(network)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["layer_names"] = [
            name.encode() for name in backbone_layers(network.layer_names) if name not in rescaling
        ]
        for name in backbone_layers(network.layer_names):
            if name not in rescaling:
                file.create_group(name).attrs["weight_names"] = np.zeros(0, "S1")
        for layer in layers:
            group, leaves = file[layer.name], {**params.get(layer.name, {}), **stats.get(layer.name, {})}
            names = {leaf: f"{layer.name}/{layer.keras_names[leaf]}:0" for leaf in layer.shapes}
            for leaf, name in names.items():
                group[name] = layer.exchanged(leaf, np.asarray(leaves[leaf], np.float32))
            if "scale" not in names and "mean" in names:
                # Keras' Normalization counts what it was adapted to.
                names["count"] = f"{layer.name}/count:0"
                group[names["count"]] = np.zeros((), np.int64)
            group.attrs["weight_names"] = [name.encode() for name in names.values()]
        for name in rescaling:
            file.attrs[name] = np.asarray(stats[name]["scale"], np.float32)
    files.write_bytes(path, buffer.getvalue())


def _layers(network: Network) -> tuple[list[_Layer], list[str]]:
    """The layers of a backbone that a file holds, in order, and the names of those whose factors it
    does not hold.
    """
    params, stats = network.shapes
    layers, rescaling = [], []
    for name in backbone_layers(network.layer_names):
        leaves = {**params.get(name, {}), **stats.get(name, {})}
        if isinstance(getattr(network.chain, name), ChannelRescaling):
            rescaling.append(name)
        elif leaves:
            depthwise = isinstance(getattr(network.chain, name), DepthwiseConv)
            shapes = {leaf: leaves[leaf].shape for leaf in _LEAVES if leaf in leaves}
            if depthwise:
                rows, columns, one, channels = shapes["kernel"]
                shapes["kernel"] = (rows, columns, channels, one)
            layers.append(_Layer(name, shapes, depthwise))
    return layers, rescaling


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    try:
        file = h5py.File(path, "r")
    except FileNotFoundError as error:
        raise DataError(f"weights {shown(str(path))}: no such file") from error
    except OSError as error:
        reason = "it is truncated" if "truncated" in str(error) else "it is no HDF5 file, or damaged"
        raise DataError(f"weights {shown(str(path))}: cannot be read: {reason}; copy it anew") from error
    with file:
        yield file


def _stored(file: h5py.File, path: Path) -> dict[str, list[h5py.Dataset]]:
    """Name -> arrays, in order, of the layers of a file that have any, without those of Keras' top."""
    group = file["model_weights"] if "layer_names" not in file.attrs and "model_weights" in file else file
    try:
        stored = {
            name: [group[name][weight] for weight in _names(group[name], "weight_names")]
            for name in _names(group, "layer_names")
        }
    except (KeyError, OSError, RuntimeError, TypeError, AttributeError) as error:
        reason = str(error).strip("'\"").splitlines()[0]
        raise DataError(f"weights {shown(str(path))}: not in Keras' legacy layout ({shown(reason)})") from error
    stored = {name: arrays for name, arrays in stored.items() if arrays and name not in KERAS_TOP}
    for name, arrays in stored.items():
        for array in arrays:
            # A link would have other files of this machine read.
            inside = (
                isinstance(array, h5py.Dataset)
                and array.file.filename == file.filename
                and not (array.external or array.is_virtual)
            )
            if not inside:
                raise DataError(f"weights {shown(str(path))}: layer {shown(name)} is no array of this file")
    if not stored:
        raise DataError(f"weights {shown(str(path))}: no layer in it has weights")
    return stored


def _names(group: h5py.Group, attribute: str) -> list[str]:
    """A list of names that may be cut into several attributes; raises KeyError where there is none."""
    parts = [group.attrs[attribute]] if attribute in group.attrs else []
    while f"{attribute}{len(parts)}" in group.attrs:
        parts.append(group.attrs[f"{attribute}{len(parts)}"])
    if not parts:
        raise KeyError(f"{group.name} has no attribute {attribute}")
    return [name.decode() if isinstance(name, bytes) else str(name) for part in parts for name in part]


def _matched(layers: Sequence[_Layer], stored: Mapping[str, Sequence[h5py.Dataset]], path: Path) -> list[str]:
    """The stored layer for each of the network's."""
    names = [layer.name for layer in layers]
    missing = next((name for name in names if name not in stored), None)
    if missing and len(stored) == len(layers):
        pairs = zip(layers, stored.values(), strict=True)
        if all(_shapes(layer, arrays) == list(layer.shapes.values()) for layer, arrays in pairs):
            return list(stored)
    if missing:
        first = ", ".join(shown(name) for name in list(stored)[:3])
        raise DataError(
            f"weights {shown(str(path))}: no layer {missing}, which this network has; the file's are {first}, ..."
        )
    extra = next((name for name in stored if name not in names), None)
    if extra:
        raise DataError(
            f"weights {shown(str(path))}: layer {shown(extra)} is none of this network's: they belong to another"
        )
    return names


def _shapes(layer: _Layer, arrays: Sequence[h5py.Dataset]) -> list[tuple[int, ...]]:
    """Shapes of a stored layer, without the count that Keras' Normalization keeps besides."""
    counted = tuple(layer.shapes) == ("mean", "var") and len(arrays) == 3
    return [array.shape for array in (arrays[:2] if counted else arrays)]


def _arrays(layer: _Layer, name: str, arrays: Sequence[h5py.Dataset], path: Path) -> dict[str, np.ndarray]:
    """The arrays of one layer by leaf, as the network has them."""
    where, shapes = f"weights {shown(str(path))}: layer {shown(name)}", _shapes(layer, arrays)
    if len(shapes) != len(layer.shapes):
        raise DataError(f"{where} has {len(shapes)} arrays in the file and {len(layer.shapes)} in the network")
    found = {}
    for (leaf, wanted), shape, array in zip(layer.shapes.items(), shapes, arrays, strict=False):
        if shape != wanted:
            raise DataError(
                f"{where}: its {leaf} is {_sizes(shape)} in the file and {_sizes(wanted)} in the network; another network's weights, or "
                "another model.width_multiplier"
            )
        if array.dtype.kind != "f":
            raise DataError(f"{where}: its {leaf} holds no floating-point numbers")
        try:
            values = np.asarray(array[()], np.float32)
        except (OSError, RuntimeError) as error:
            raise DataError(f"{where}: its {leaf} cannot be read: the file is damaged; copy it anew") from error
        if not np.isfinite(values).all():
            raise DataError(f"{where}: its {leaf} holds numbers that are not finite")
        found[leaf] = layer.exchanged(leaf, values)
    return found


def _sizes(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a number"
