"""ResNet50V2 (He et al. 2016, Identity mappings in deep residual networks), as in Keras.

It is `keras.applications.ResNet50V2`: sixteen residual blocks that normalise before they convolve.
"""

from collections.abc import Mapping
from typing import Any

from flax import nnx

from fer_jax.models.backbones.top import with_top
from fer_jax.models.chain import Chain, Entry
from fer_jax.models.keras_layers import Activation, Add, Input, OverlappingMaxPool, Pointwise, ZeroPadding
from fer_jax.models.layers import BatchNorm, Conv, widened

STAGES = ((64, 3, 2), (128, 4, 2), (256, 6, 2), (512, 3, 1))  # kernels, blocks, stride of the last block


def build_resnet50_v2(
    values: Mapping[str, Any], image_shape: tuple[int, int, int], num_classes: int, rngs: nnx.Rngs
) -> Chain:
    """Returns the chain input_layer, conv1_pad, ..., conv2_block1_preact_bn, ..., and a top.

    Arguments are those of `vgg19.build_vgg19`.
    """
    width = values["model.width_multiplier"]
    channels = widened(64, width)
    layers: list[Entry] = [
        ("input_layer", Input("tf" if values["model.preprocess"] == "weights" else "none")),
        ("conv1_pad", ZeroPadding(3, 3)),
        ("conv1_conv", Conv(3, channels, 7, "valid", relu=False, stride=2, rngs=rngs)),
        ("pool1_pad", ZeroPadding(1, 1)),
        ("pool1_pool", OverlappingMaxPool(3, 2)),
    ]
    for stage, (kernels, blocks, last_stride) in enumerate(STAGES):
        filters = widened(kernels, width)
        for block in range(1, blocks + 1):
            stride = last_stride if block == blocks else 1
            shortcut = (
                "convolved"
                if block == 1
                else f"max_pooling2d{f'_{stage}' if stage else ''}"
                if stride > 1
                else "as it is"
            )
            layers += _block(f"conv{stage + 2}_block{block}_", layers[-1][0], channels, filters, stride, shortcut, rngs)
            channels = 4 * filters
    layers += [("post_bn", _norm(channels)), ("post_relu", Activation("relu"))]
    return with_top(layers, channels, values, num_classes, rngs)


def _block(
    prefix: str, entrance: str, channels: int, filters: int, stride: int, shortcut: str, rngs: nnx.Rngs
) -> list[Entry]:
    """Returns a block of three convolutions beside a shortcut.

    Args:
        prefix: how the names of its layers begin.
        entrance: the layer whose output it takes, with `channels` channels.
        channels, filters: channels of its input, and a quarter of those of its output.
        stride: pixels from one place of the middle kernel to the next.
        shortcut: 'as it is', 'convolved', or the name of the pool that thins it out. Keras gives
            such a pool no name of its own but numbers them.
        rngs: its `params` stream draws the initial weights.
    """
    before = f"{prefix}preact_relu"
    layers: list[Entry] = [
        (f"{prefix}preact_bn", _norm(channels)),
        (before, Activation("relu")),
        (f"{prefix}1_conv", Pointwise(channels, filters, bias=False, rngs=rngs)),
        (f"{prefix}1_bn", _norm(filters)),
        (f"{prefix}1_relu", Activation("relu")),
        (f"{prefix}2_pad", ZeroPadding(1, 1)),
        (f"{prefix}2_conv", Conv(filters, filters, 3, "valid", relu=False, bias=False, stride=stride, rngs=rngs)),
        (f"{prefix}2_bn", _norm(filters)),
        (f"{prefix}2_relu", Activation("relu")),
    ]
    beside = entrance
    if shortcut == "convolved":
        beside = f"{prefix}0_conv"
        layers.append((beside, Pointwise(channels, 4 * filters, bias=True, rngs=rngs), (before,)))
    elif shortcut != "as it is":
        beside = shortcut
        layers.append((beside, OverlappingMaxPool(1, stride), (entrance,)))
    return [
        *layers,
        (f"{prefix}3_conv", Pointwise(filters, 4 * filters, bias=True, rngs=rngs), (f"{prefix}2_relu",)),
        (f"{prefix}out", Add(), (beside, f"{prefix}3_conv")),
    ]


def _norm(features: int) -> BatchNorm:
    return BatchNorm(features, epsilon=1.001e-5)
