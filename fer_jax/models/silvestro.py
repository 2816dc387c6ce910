"""silvestro's network: three blocks of two convolutions, then a dense layer of 256 units.

A block is two convolutions of 3x3, each with batch normalisation, a max-pool and dropout. For grey
images of 48x48 pixels and seven classes the rows of the paper's table sum to 1,394,183 parameters,
with the moving statistics; its text says 1,394,185.
"""

from collections.abc import Mapping
from typing import Any

from flax import nnx

from fer_jax.models.chain import Chain
from fer_jax.models.layers import BatchNorm, Conv, Dense, Dropout, Flatten, Pool, widened

KERNELS = ((32, 64), (128, 128), (256, 256))
DENSE = 256


def build_silvestro(
    values: Mapping[str, Any], image_shape: tuple[int, int, int], num_classes: int, rngs: nnx.Rngs
) -> Chain:
    """Returns the chain of silvestro's network.

    Its layers are conv_0, norm_0, conv_1, norm_1, pool_0, dropout_0, conv_2, ..., flatten, dense_0,
    norm_6, dense_dropout_0, output.

    Args:
        values: dotted field name -> value; model.width_multiplier is read.
        image_shape, num_classes, rngs: as for `cnn.build_cnn`.
    """
    size, _, channels = image_shape
    width = values["model.width_multiplier"]
    layers: list[tuple[str, nnx.Module]] = []
    for block, pair in enumerate(KERNELS):
        for place, kernels in enumerate(pair):
            filters, index = widened(kernels, width), 2 * block + place
            layers.append((f"conv_{index}", Conv(channels, filters, 3, "valid", relu=True, rngs=rngs)))
            layers.append((f"norm_{index}", BatchNorm(filters)))
            channels = filters
        layers.append((f"pool_{block}", Pool(2, "max", "valid")))
        layers.append((f"dropout_{block}", Dropout(block)))
        size = (size - 4) // 2
    units = widened(DENSE, width)
    layers += [
        ("flatten", Flatten()),
        ("dense_0", Dense(size * size * channels, units, relu=True, rngs=rngs)),
        ("norm_6", BatchNorm(units)),
        ("dense_dropout_0", Dropout(len(KERNELS), dense=True)),
        ("output", Dense(units, num_classes, relu=False, rngs=rngs)),
    ]
    return Chain(layers)
