"""imperial's convolutional network: five convolutions, three average pools, three dense layers.

A convolution of 36 kernels of 5x5 and a pool come first; then, twice, two convolutions of 48
kernels of 3x3, the second with a border of zeros, and a pool. Dropout stands between the dense
layers. The paper gives neither their units nor which of them is the output: model.dense holds the
hidden ones. Without pools (model.pool_size = 1), and with the largest instead of the mean of each
window (model.pooling = max), it is what the paper says it was compared with.
"""

from collections.abc import Mapping
from typing import Any

from flax import nnx

from fer_jax.models import pooling
from fer_jax.models.chain import Chain
from fer_jax.models.layers import Conv, Dense, Dropout, Flatten, Pool, widened


def build_imperial(
    values: Mapping[str, Any], image_shape: tuple[int, int, int], num_classes: int, rngs: nnx.Rngs
) -> Chain:
    """Returns the chain of imperial's convolutional network.

    Its layers are conv_0, pool_0, conv_1, conv_2, pool_1, conv_3, conv_4, pool_2, flatten, dense_0,
    dense_dropout_0, ..., output.

    Args:
        values: dotted field name -> value; model.dense, pool_size, pooling and width_multiplier are
            read.
        image_shape, num_classes, rngs: as for `cnn.build_cnn`.
    """
    size, _, channels = image_shape
    width, pool, kind = values["model.width_multiplier"], values["model.pool_size"], values["model.pooling"]
    first, later = widened(36, width), widened(48, width)
    layers: list[tuple[str, nnx.Module]] = [
        ("conv_0", Conv(channels, first, 5, "valid", relu=True, rngs=rngs)),
        ("pool_0", Pool(pool, kind, "valid")),
    ]
    size, channels = pooling.pooled_size(size - 4, pool, "valid"), first
    for block in (1, 2):
        layers.append((f"conv_{2 * block - 1}", Conv(channels, later, 3, "valid", relu=True, rngs=rngs)))
        layers.append((f"conv_{2 * block}", Conv(later, later, 3, "same", relu=True, rngs=rngs)))
        layers.append((f"pool_{block}", Pool(pool, kind, "valid")))
        size, channels = pooling.pooled_size(size - 2, pool, "valid"), later
    layers.append(("flatten", Flatten()))
    features = size * size * channels
    for index, units in enumerate(values["model.dense"]):
        units = widened(units, width)
        layers.append((f"dense_{index}", Dense(features, units, relu=True, rngs=rngs)))
        layers.append((f"dense_dropout_{index}", Dropout(index, dense=True)))
        features = units
    layers.append(("output", Dense(features, num_classes, relu=False, rngs=rngs)))
    return Chain(layers)
