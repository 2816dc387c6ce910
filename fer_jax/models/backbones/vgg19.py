"""VGG19 (Simonyan and Zisserman 2015, configuration E), as `keras.applications.VGG19`.

It has sixteen convolutions of 3x3 in five blocks, each of which ends in a max-pool.
"""

from collections.abc import Mapping
from typing import Any

from flax import nnx

from fer_jax.models.backbones.top import with_flat_top, with_top
from fer_jax.models.chain import Chain, Entry
from fer_jax.models.keras_layers import Input
from fer_jax.models.layers import Conv, Pool, widened

BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))  # kernels, convolutions


def build_vgg19(
    values: Mapping[str, Any], image_shape: tuple[int, int, int], num_classes: int, rngs: nnx.Rngs
) -> Chain:
    """Returns the chain input_layer, block1_conv1, ..., block5_pool, and a top.

    Args:
        values: dotted field name -> value; model.preprocess, top, pooling, dense and
            width_multiplier are read.
        image_shape: (height, width, channels): square, at least 32 pixels a side, 1 or 3 channels.
        num_classes, rngs: as for `top.with_top`.
    """
    layers: list[Entry] = [("input_layer", Input("caffe" if values["model.preprocess"] == "weights" else "none"))]
    channels, size = 3, image_shape[0]
    for block, (kernels, convolutions) in enumerate(BLOCKS, 1):
        filters = widened(kernels, values["model.width_multiplier"])
        for place in range(1, convolutions + 1):
            layers.append((f"block{block}_conv{place}", Conv(channels, filters, 3, "same", relu=True, rngs=rngs)))
            channels = filters
        layers.append((f"block{block}_pool", Pool(2, "max", "valid")))
        size //= 2
    if values["model.top"] == "keras":
        return with_flat_top(layers, size * size * channels, values, num_classes, rngs)
    return with_top(layers, channels, values, num_classes, rngs)
