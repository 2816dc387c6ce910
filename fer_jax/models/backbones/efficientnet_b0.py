"""EfficientNetB0 (Tan and Le 2019, table 1), as `keras.applications.EfficientNetB0`.

It has sixteen inverted residual blocks that weigh their channels by squeeze and excitation.
"""

from collections.abc import Mapping
from typing import Any

from flax import nnx

from fer_jax.models.backbones.top import with_top
from fer_jax.models.chain import Chain, Entry
from fer_jax.models.keras_layers import (
    Activation,
    Add,
    ChannelRescaling,
    DepthwiseConv,
    DropBranch,
    GlobalPool,
    Input,
    Multiply,
    Normalization,
    Pointwise,
    Rescaling,
    Reshape,
    ZeroPadding,
)
from fer_jax.models.layers import BatchNorm, Conv, widened

# Side of the kernels, blocks, channels of the narrow ends, expansion, stride of the first block.
STAGES = (
    (3, 1, 16, 1, 1),
    (3, 2, 24, 6, 2),
    (5, 2, 40, 6, 2),
    (3, 3, 80, 6, 2),
    (5, 3, 112, 6, 1),
    (5, 4, 192, 6, 2),
    (3, 1, 320, 6, 1),
)
BLOCKS = sum(blocks for _, blocks, *_ in STAGES)
# The last block is dropped for this share of training images; the share grows linearly from 0 at
# the first block.
DROPPED = 0.2


def build_efficientnet_b0(
    values: Mapping[str, Any], image_shape: tuple[int, int, int], num_classes: int, rngs: nnx.Rngs
) -> Chain:
    """Returns the chain input_layer, rescaling, ..., stem_conv, ..., top_activation, and a top.

    Preprocessing is part of the network, which takes pixels in 0..255. Keras has the layer
    rescaling_1 only with weights = 'imagenet'; here it multiplies by 1 unless such weights are
    read. Arguments are those of `vgg19.build_vgg19`; model.preprocess changes nothing.
    """
    width, size = values["model.width_multiplier"], image_shape[0]
    channels = widened(32, width)
    layers: list[Entry] = [
        ("input_layer", Input("none")),
        ("rescaling", Rescaling(1 / 255)),
        ("normalization", Normalization(3)),
        ("rescaling_1", ChannelRescaling(3)),
        ("stem_conv_pad", ZeroPadding(size % 2, 1)),
        ("stem_conv", Conv(3, channels, 3, "valid", relu=False, bias=False, stride=2, rngs=rngs)),
        ("stem_bn", BatchNorm(channels)),
        ("stem_activation", Activation("swish")),
    ]
    size, number = -(-size // 2), 0
    for stage, (side, blocks, kernels, expansion, first_stride) in enumerate(STAGES, 1):
        filters = widened(kernels, width)
        for place in range(blocks):
            prefix, stride = f"block{stage}{'abcd'[place]}_", first_stride if place == 0 else 1
            entrance = layers[-1][0]
            inner = channels * expansion
            if expansion > 1:
                layers += _convolved(f"{prefix}expand_", Pointwise(channels, inner, bias=False, rngs=rngs), inner)
            layers += _weighed(prefix, inner, max(1, channels // 4), side, size, stride, rngs)
            layers.append((f"{prefix}project_conv", Pointwise(inner, filters, bias=False, rngs=rngs)))
            layers.append((f"{prefix}project_bn", BatchNorm(filters)))
            if place > 0:
                layers.append((f"{prefix}drop", DropBranch(number, DROPPED * number / BLOCKS)))
                layers.append((f"{prefix}add", Add(), (f"{prefix}drop", entrance)))
            size, channels, number = -(-size // stride), filters, number + 1
    last = widened(1280, width)
    layers += _convolved("top_", Pointwise(channels, last, bias=False, rngs=rngs), last)
    return with_top(layers, last, values, num_classes, rngs, drops=True)


def _convolved(prefix: str, convolution: nnx.Module, filters: int) -> list[Entry]:
    return [
        (f"{prefix}conv", convolution),
        (f"{prefix}bn", BatchNorm(filters)),
        (f"{prefix}activation", Activation("swish")),
    ]


def _weighed(
    prefix: str, channels: int, squeezed: int, side: int, size: int, stride: int, rngs: nnx.Rngs
) -> list[Entry]:
    """Returns a kernel for each channel, then squeeze and excitation (Hu et al. 2018).

    The latter multiplies each channel by a weight that depends on the means of all channels.
    """
    layers: list[Entry] = []
    if stride == 2:
        layers.append((f"{prefix}dwconv_pad", ZeroPadding(side // 2 - 1 + size % 2, side // 2)))
    depthwise = DepthwiseConv(channels, side, "valid" if stride == 2 else "same", stride=stride, rngs=rngs)
    return [
        *layers,
        (f"{prefix}dwconv", depthwise),
        (f"{prefix}bn", BatchNorm(channels)),
        (f"{prefix}activation", Activation("swish")),
        (f"{prefix}se_squeeze", GlobalPool("average")),
        (f"{prefix}se_reshape", Reshape((1, 1, channels))),
        (f"{prefix}se_reduce", Pointwise(channels, squeezed, bias=True, activation="swish", rngs=rngs)),
        (f"{prefix}se_expand", Pointwise(squeezed, channels, bias=True, activation="sigmoid", rngs=rngs)),
        (f"{prefix}se_excite", Multiply(), (f"{prefix}activation", f"{prefix}se_expand")),
    ]
