"""Four networks of `keras.applications` that have ImageNet weights, layer for layer as in Keras.

Layers, their names and their order are Keras'. The first layer, `input_layer`, takes the place of
Keras' own, so that a layer's place in `Network.layer_names` is its index in Keras' `model.layers`,
up to the last layer of the backbone. All kernels are drawn as in Glorot and Bengio 2010, uniformly.
Layers that other networks have too belong in `models.layers`.
"""

from fer_jax.models.backbones.efficientnet_b0 import build_efficientnet_b0
from fer_jax.models.backbones.mobilenet_v2 import build_mobilenet_v2
from fer_jax.models.backbones.resnet50_v2 import build_resnet50_v2
from fer_jax.models.backbones.top import backbone_layers
from fer_jax.models.backbones.vgg19 import build_vgg19

__all__ = ["BACKBONES", "backbone_layers"]

BACKBONES = {
    "vgg19": build_vgg19,
    "mobilenet_v2": build_mobilenet_v2,
    "efficientnet_b0": build_efficientnet_b0,
    "resnet50_v2": build_resnet50_v2,
}
