"""oslo's convolutional network and its ablations: pairs of convolution and pool, then dense layers.

A pair is a convolution with ReLU, a batch norm if asked for, a pool and dropout. oslo does not say
where its dropout stands; after each pool is our choice.
"""

from collections.abc import Mapping
from typing import Any

from flax import nnx

from fer_jax.models import pooling
from fer_jax.models.chain import Chain
from fer_jax.models.layers import BatchNorm, Conv, Dense, Dropout, Flatten, Pool, widened


def build_cnn(values: Mapping[str, Any], image_shape: tuple[int, int, int], num_classes: int, rngs: nnx.Rngs) -> Chain:
    """Returns the chain of oslo's network.

    Its layers are conv_0, [norm_0,] pool_0, dropout_0, conv_1, ..., flatten, dense_0,
    dense_dropout_0, ..., output.

    Args:
        values: dotted field name -> value; model.pairs, kernels, kernel_size, padding, batch_norm,
            pool_size, pool, pool_padding, dense and width_multiplier are read.
        image_shape: (height, width, channels), in pixels; images are square.
        num_classes: units of the last layer, `output`, which has no activation.
        rngs: its `params` stream draws the initial weights.
    """
    size, _, channels = image_shape
    kernel_size, padding = values["model.kernel_size"], values["model.padding"]
    kernels, width = values["model.kernels"], values["model.width_multiplier"]
    layers: list[tuple[str, nnx.Module]] = []
    for pair in range(values["model.pairs"]):
        filters = widened(kernels[pair] if len(kernels) > 1 else kernels[0], width)
        layers.append((f"conv_{pair}", Conv(channels, filters, kernel_size, padding, relu=True, rngs=rngs)))
        if values["model.batch_norm"]:
            layers.append((f"norm_{pair}", BatchNorm(filters)))
        layers.append(
            (f"pool_{pair}", Pool(values["model.pool_size"], values["model.pool"], values["model.pool_padding"]))
        )
        layers.append((f"dropout_{pair}", Dropout(pair)))
        size = size if padding == "same" else size - kernel_size + 1
        size = pooling.pooled_size(size, values["model.pool_size"], values["model.pool_padding"])
        channels = filters
    layers.append(("flatten", Flatten()))
    features = size * size * channels
    for index, units in enumerate(values["model.dense"]):
        units = widened(units, width)
        layers.append((f"dense_{index}", Dense(features, units, relu=True, rngs=rngs)))
        layers.append((f"dense_dropout_{index}", Dropout(values["model.pairs"] + index, dense=True)))
        features = units
    layers.append(("output", Dense(features, num_classes, relu=False, rngs=rngs)))
    return Chain(layers)
