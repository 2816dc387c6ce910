"""Layers that only the backbones of `keras.applications` have; `layers` says how they are called.

Each computes what the Keras layer of its name does, in the type of its input.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from fer_jax.models import convolution, pooling
from fer_jax.models.hashed_bits import hashed_bits
from fer_jax.models.layers import Call, add_bias, glorot_uniform

ACTIVATIONS = {
    "relu": jax.nn.relu,
    "relu6": jax.nn.relu6,
    "swish": jax.nn.silu,
    "sigmoid": jax.nn.sigmoid,
}

# Means that Caffe's ImageNet networks subtract from blue, green and red in 0..255.
CAFFE_MEANS = (103.939, 116.779, 123.68)


class Input(nnx.Module):
    """The layer in the place of Keras' input layer: (n, h, w, 1 or 3) -> (n, h, w, 3).

    A grey image is copied to three channels, and pixels are preprocessed if that is asked for.

    Args:
        preprocess: 'none'; or, for RGB pixels in 0..255, one of the modes of
            `keras.applications.imagenet_utils.preprocess_input`: 'tf', x / 127.5 - 1; 'caffe', BGR
            minus its ImageNet means.
    """

    def __init__(self, preprocess: str):
        self.preprocess = preprocess

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        x = jnp.broadcast_to(x, (*x.shape[:3], 3))
        # Whole numbers up to 255 are exact in bfloat16; what is subtracted from them is not.
        wide = x.astype(jnp.float32)
        if self.preprocess == "tf":
            return (wide / 127.5 - 1).astype(x.dtype)
        if self.preprocess == "caffe":
            return (wide[..., ::-1] - jnp.asarray(CAFFE_MEANS)).astype(x.dtype)
        return x


class Rescaling(nnx.Module):
    """Product with a constant, as `keras.layers.Rescaling`."""

    def __init__(self, scale: float):
        self.scale = scale

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        return x * self.scale


class ChannelRescaling(nnx.Module):
    """Product of each channel with a statistic, which loaded weights bring and else is 1.

    One compiled program serves both cases.
    """

    def __init__(self, channels: int):
        self.scale = nnx.BatchStat(jnp.ones(channels))

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        return x * self.scale[...].astype(x.dtype)


class Normalization(nnx.Module):
    """(x - mean) / sd of each channel, as `keras.layers.Normalization`.

    Mean and variance come with loaded weights; without them they are 0 and 1.
    """

    def __init__(self, channels: int):
        self.mean = nnx.BatchStat(jnp.zeros(channels))
        self.var = nnx.BatchStat(jnp.ones(channels))

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        sd = jnp.maximum(jnp.sqrt(self.var[...]), 1e-7)  # Keras' epsilon
        return ((x.astype(jnp.float32) - self.mean[...]) / sd).astype(x.dtype)


class Activation(nnx.Module):
    """The function of `ACTIVATIONS` that `kind` names, applied to every number."""

    def __init__(self, kind: str):
        self.kind = kind

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        return ACTIVATIONS[self.kind](x)


class Pointwise(nnx.Module):
    """Convolution with a kernel of one pixel: (n, h, w, channels) -> (n, h, w, filters).

    It is computed as a matrix product. Its kernel has Keras' shape, (1, 1, channels, filters).

    Args:
        channels, filters: channels of the input and the output.
        bias: whether a bias is added to each channel.
        activation: a key of `ACTIVATIONS`, or empty for none.
        rngs: its `params` stream draws the kernel.
    """

    def __init__(self, channels: int, filters: int, *, bias: bool, activation: str = "", rngs: nnx.Rngs):
        self.kernel = nnx.Param(glorot_uniform(rngs.params(), (1, 1, channels, filters)))
        self.bias = nnx.Param(jnp.zeros(filters)) if bias else None
        self.activation = activation

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        x = x @ self.kernel[...][0, 0].astype(x.dtype)
        x = x if self.bias is None else add_bias(x, self.bias[...])
        return ACTIVATIONS[self.activation](x) if self.activation else x


class DepthwiseConv(nnx.Module):
    """Convolution of every channel with its own kernel: (n, h, w, C) -> (n, h', w', C).

    It has no bias. Its kernel is (kernel_size, kernel_size, 1, C).

    Args:
        channels: C.
        kernel_size: side of the kernels, in pixels.
        padding: 'valid' or 'same', see `convolution.padding_amounts`.
        stride: pixels from one place of a kernel to the next.
        rngs: its `params` stream draws the kernels.
    """

    def __init__(self, channels: int, kernel_size: int, padding: str, *, stride: int = 1, rngs: nnx.Rngs):
        self.kernel = nnx.Param(glorot_uniform(rngs.params(), (kernel_size, kernel_size, 1, channels)))
        self.padding, self.stride = padding, stride

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        kernel = self.kernel[...].astype(x.dtype)
        padding = convolution.padding_amounts(self.padding, kernel.shape[0], self.stride, x.shape[1])
        return convolution.depthwise(x, kernel, padding, self.stride, native=call.native)


class ZeroPadding(nnx.Module):
    """Zeros around the images: `before` pixels at the top and left, `after` at the other ends."""

    def __init__(self, before: int, after: int):
        self.before, self.after = before, after

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        side = (self.before, self.after)
        return jnp.pad(x, ((0, 0), side, side, (0, 0)))


class OverlappingMaxPool(nnx.Module):
    """Largest value of each window of size x size pixels, `stride` pixels apart.

    Pixels at the end that no window reaches are dropped.
    """

    def __init__(self, size: int, stride: int):
        self.size, self.stride = size, stride

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        if self.size == 1:
            return x[:, :: self.stride, :: self.stride]
        return pooling.overlapping_max_pool(x, self.size, self.stride)


class GlobalPool(nnx.Module):
    """Mean (`kind` 'average') or largest value ('max') of each channel: (n, h, w, C) -> (n, C)."""

    def __init__(self, kind: str):
        self.kind = kind

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        return x.mean((1, 2)) if self.kind == "average" else x.max((1, 2))


class Reshape(nnx.Module):
    """Reshape (n, ...) -> (n, *shape)."""

    def __init__(self, shape: Sequence[int]):
        self.shape = tuple(shape)

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        return x.reshape(x.shape[0], *self.shape)


class Add(nnx.Module):
    """Sum of two layers' outputs, of equal shapes."""

    def __call__(self, x: jax.Array, y: jax.Array, call: Call) -> jax.Array:
        return x + y


class Multiply(nnx.Module):
    """Product of two layers' outputs; one of them may have a single pixel."""

    def __call__(self, x: jax.Array, y: jax.Array, call: Call) -> jax.Array:
        return x * y


class DropBranch(nnx.Module):
    """Stochastic depth (Huang et al. 2016): training drops the whole map of an image at random.

    A map that is not dropped is divided by 1 - rate, so that the mean stays.

    Args:
        index: number of this layer among the network's layers that drop, which keeps their masks
            independent.
        rate: probability in [0, 1) with which a map is dropped.
    """

    def __init__(self, index: int, rate: float):
        self.index, self.rate = index, rate

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        if not call.train:
            return x
        if call.key is None or call.rows is None:
            raise ValueError("stochastic depth in training needs Call.key and Call.rows")
        bits = hashed_bits(call.key, self.index, call.rows, (1,) * (x.ndim - 1))
        kept = bits.astype(jnp.float32) * jnp.float32(math.ldexp(1, -32)) >= self.rate
        return jnp.where(kept, x * (1 / (1 - self.rate)), jnp.zeros((), x.dtype))
