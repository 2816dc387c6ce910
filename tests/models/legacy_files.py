"""Files of a backbone's weights in Keras' legacy layout, written without Keras."""

import h5py
import numpy as np

from fer_jax.models.backbones import backbone_layers
from fer_jax.models.keras_layers import ChannelRescaling, DepthwiseConv, Normalization
from fer_jax.models.layers import BatchNorm

NORM = {"scale": "gamma", "bias": "beta", "mean": "moving_mean", "var": "moving_variance"}


def write(path, network, params, stats):
    """Writes the weights of a network's backbone as Keras' `save_weights` does."""
    layers = {name: getattr(network.chain, name) for name in backbone_layers(network.layer_names)}
    with h5py.File(path, "w") as file:
        names = [name for name, layer in layers.items() if not isinstance(layer, ChannelRescaling)]
        file.attrs["layer_names"] = [name.encode() for name in names]
        for name in names:
            leaves = {**params.get(name, {}), **stats.get(name, {})}
            arrays = {f"{name}/{one}:0": array for one, array in keras_arrays(layers[name], leaves).items()}
            group = file.create_group(name)
            group.attrs["weight_names"] = [one.encode() for one in arrays] or np.zeros(0, "S1")
            for one, array in arrays.items():
                group[one] = array


def keras_arrays(layer, leaves):
    """The arrays of a layer under Keras' names, in its order and with its axes."""
    leaves = {leaf: np.asarray(array, np.float32) for leaf, array in leaves.items()}
    if isinstance(layer, DepthwiseConv):
        return {"depthwise_kernel": leaves["kernel"].swapaxes(2, 3)}
    if isinstance(layer, BatchNorm):
        return {theirs: leaves[ours] for ours, theirs in NORM.items()}
    if isinstance(layer, Normalization):
        # It counts the images it was adapted to.
        return {"mean": leaves["mean"], "variance": leaves["var"], "count": np.zeros((), np.int64)}
    return {leaf: leaves[leaf] for leaf in ("kernel", "bias") if leaf in leaves}
