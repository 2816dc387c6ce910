"""MobileNetV2 (Sandler et al. 2018, table 2), as `keras.applications.MobileNetV2` with alpha 1.

It has seventeen inverted residual blocks between two convolutions.
"""

from collections.abc import Mapping
from typing import Any

from flax import nnx

from fer_jax.models.backbones.top import with_top
from fer_jax.models.chain import Chain, Entry
from fer_jax.models.keras_layers import Activation, Add, DepthwiseConv, Input, Pointwise, ZeroPadding
from fer_jax.models.layers import BatchNorm, Conv, widened

EXPANSION = 6
# Kernels of the narrow ends, stride of the first block, blocks.
STAGES = ((16, 1, 1), (24, 2, 2), (32, 2, 3), (64, 2, 4), (96, 1, 3), (160, 2, 3), (320, 1, 1))


def build_mobilenet_v2(
    values: Mapping[str, Any], image_shape: tuple[int, int, int], num_classes: int, rngs: nnx.Rngs
) -> Chain:
    """Returns the chain input_layer, Conv1, ..., block_1_expand, ..., out_relu, and a top.

    Arguments are those of `vgg19.build_vgg19`.
    """
    width = values["model.width_multiplier"]
    channels, size = widened(32, width), -(-image_shape[0] // 2)
    layers: list[Entry] = [
        ("input_layer", Input("tf" if values["model.preprocess"] == "weights" else "none")),
        ("Conv1", Conv(3, channels, 3, "same", relu=False, bias=False, stride=2, rngs=rngs)),
        ("bn_Conv1", _norm(channels)),
        ("Conv1_relu", Activation("relu6")),
    ]
    number = 0
    for kernels, first_stride, blocks in STAGES:
        filters = widened(kernels, width)
        for place in range(blocks):
            # The first block of a stage never adds, though widening may make its input and output
            # equal in channels: in Keras they differ.
            stride, adds = (first_stride, False) if place == 0 else (1, True)
            layers += _block(number, layers[-1][0], channels, filters, size, stride, adds, rngs)
            size, channels, number = -(-size // stride), filters, number + 1
    last = widened(1280, width)
    layers += [
        ("Conv_1", Pointwise(channels, last, bias=False, rngs=rngs)),
        ("Conv_1_bn", _norm(last)),
        ("out_relu", Activation("relu6")),
    ]
    return with_top(layers, last, values, num_classes, rngs)


def _block(
    number: int, entrance: str, channels: int, filters: int, size: int, stride: int, adds: bool, rngs: nnx.Rngs
) -> list[Entry]:
    """Returns an inverted residual block (Sandler et al. 2018, section 3.3).

    A convolution of one pixel widens, each channel gets its own kernel, and a convolution of one
    pixel narrows again. The first block of the network does not widen.
    """
    prefix = f"block_{number}_" if number else "expanded_conv_"
    inner = EXPANSION * channels if number else channels
    layers: list[Entry] = []
    if number:
        layers += [
            (f"{prefix}expand", Pointwise(channels, inner, bias=False, rngs=rngs)),
            (f"{prefix}expand_BN", _norm(inner)),
            (f"{prefix}expand_relu", Activation("relu6")),
        ]
    if stride == 2:
        layers.append((f"{prefix}pad", ZeroPadding(size % 2, 1)))
    layers += [
        (f"{prefix}depthwise", DepthwiseConv(inner, 3, "valid" if stride == 2 else "same", stride=stride, rngs=rngs)),
        (f"{prefix}depthwise_BN", _norm(inner)),
        (f"{prefix}depthwise_relu", Activation("relu6")),
        (f"{prefix}project", Pointwise(inner, filters, bias=False, rngs=rngs)),
        (f"{prefix}project_BN", _norm(filters)),
    ]
    return [*layers, (f"{prefix}add", Add(), (entrance, f"{prefix}project_BN"))] if adds else layers


def _norm(features: int) -> BatchNorm:
    return BatchNorm(features, momentum=0.999)
