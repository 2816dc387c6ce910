"""Weights of backbones, read from the legacy HDF5 files that Keras publishes, without Keras.

    attribute layer_names     names of all layers, in the order of Keras' `model.layers`
    <layer>                   a group for each, with the attribute weight_names
    <layer>/<weight name>     its arrays in that order: kernel, bias; or gamma, beta, moving mean,
                              moving variance

What the arrays are called inside a layer differs between versions of Keras, so their order counts.
Attributes too long for HDF5 are cut into layer_names0, layer_names1, ...
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

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

# A layer's leaves, in the order of its arrays in a file.
_LEAVES = ("kernel", "scale", "bias", "mean", "var")


@dataclasses.dataclass(frozen=True)
class _Layer:
    """A layer with weights.

    Attributes:
        name: its name in the network.
        shapes: leaf -> shape in the file, in the order of the file.
        depthwise: whether its kernel has the last two axes exchanged in the file.
    """

    name: str
    shapes: dict[str, tuple[int, ...]]
    depthwise: bool

    def exchanged(self, leaf: str, array: np.ndarray) -> np.ndarray:
        """Returns an array of the file with the axes that the network wants."""
        return array.swapaxes(2, 3) if self.depthwise and leaf == "kernel" else array


def read(path: Path, network: Network, *, imagenet: bool = True) -> tuple[Variables, Variables]:
    """Returns the weights of a network's backbone; those of its top are not among them.

    Layers are found by name. Where names differ but all shapes agree in order, as in the published
    MobileNetV2, order decides, as it does in Keras. Layers of Keras' own top may be in the file
    and are not read.

    Args:
        path: the HDF5 file.
        network: one of `backbones.BACKBONES`, built.
        imagenet: whether an EfficientNetB0 rescales its input once more, as Keras' does with
            weights = 'imagenet', but not with the path of a file.

    Returns:
        params and stats of those layers of the backbone that have any, each as layer -> leaf ->
        float32 array.

    Raises:
        DataError: the file is missing or has another layout; or a layer is missing, is none of the
            network's, has other shapes, cannot be read or holds numbers that are not finite. The
            message is one line and names the first such layer.
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
        stats[name] = {"scale": np.asarray(1 / np.sqrt(IMAGENET_SD) if imagenet else np.ones(3), np.float32)}
    return params, stats


def _layers(network: Network) -> tuple[list[_Layer], list[str]]:
    """Returns a backbone's layers that a file holds, and the names of those it does not hold."""
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
    """Returns layer -> its arrays in order, of all layers but those of Keras' top."""
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
            # A link could make it read other files of this machine.
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
    """Returns a list of names, joined where it is cut; raises KeyError where there is none."""
    parts = [group.attrs[attribute]] if attribute in group.attrs else []
    while f"{attribute}{len(parts)}" in group.attrs:
        parts.append(group.attrs[f"{attribute}{len(parts)}"])
    if not parts:
        raise KeyError(f"{group.name} has no attribute {attribute}")
    return [name.decode() if isinstance(name, bytes) else str(name) for part in parts for name in part]


def _matched(layers: Sequence[_Layer], stored: Mapping[str, Sequence[h5py.Dataset]], path: Path) -> list[str]:
    """Returns for each of the network's layers the name of its stored one."""
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
    """Returns a stored layer's shapes, without the count that Keras' Normalization keeps too."""
    counted = tuple(layer.shapes) == ("mean", "var") and len(arrays) == 3
    return [array.shape for array in (arrays[:2] if counted else arrays)]


def _arrays(layer: _Layer, name: str, arrays: Sequence[h5py.Dataset], path: Path) -> dict[str, np.ndarray]:
    """Returns leaf -> array of one layer, as the network has them."""
    where, shapes = f"weights {shown(str(path))}: layer {shown(name)}", _shapes(layer, arrays)
    if len(shapes) != len(layer.shapes):
        raise DataError(f"{where} has {len(shapes)} arrays in the file and {len(layer.shapes)} in the network")
    found = {}
    for (leaf, wanted), shape, array in zip(layer.shapes.items(), shapes, arrays, strict=False):
        if shape != wanted:
            raise DataError(
                f"{where}: its {leaf} is {_sizes(shape)} in the file and {_sizes(wanted)} in the network; "
                "another network's weights, or another model.width_multiplier"
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
