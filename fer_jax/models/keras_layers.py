"""Layers that only the backbones of `keras.applications` have; see `layers` for how a layer is
called.

Each computes what the Keras layer of that name does in the type of what it is given, arrays of its
own rounded to it.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from fer_jax.models import convolution, pooling
from fer_jax.models.hashed_bits import hashed_bits
from fer_jax.models.layers import Call, glorot_uniform

ACTIVATIONS = {
    "relu": jax.nn.relu,
    "relu6": jax.nn.relu6,
    "swish": jax.nn.silu,
    "sigmoid": jax.nn.sigmoid,
}

# Means that Caffe's ImageNet networks subtract from blue, green and red in 0..255.
CAFFE_MEANS = (103.939, 116.779, 123.68)


class Input(nnx.Module):
    """What stands where Keras has its input layer: grey (one channel) is copied to three, pixels
    are preprocessed if asked for.

    Args:
        preprocess: 'none'; or, for RGB pixels in 0..255, one of the modes of
            `keras.applications.imagenet_utils.preprocess_input`: 'tf', x / 127.5 - 1; 'caffe', BGR
            minus its ImageNet means.
    """

    def __init__(self, preprocess: str):
        self.preprocess = preprocess

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        x = jnp.broadcast_to(x, (*x.shape[:3], 3))
        # Whole numbers up to 255 are exact in bfloat16, a difference of pixel and mean is not.
        wide = x.astype(jnp.float32)
        if self.preprocess == "tf":
            return (wide / 127.5 - 1).astype(x.dtype)
        if self.preprocess == "caffe":
            return (wide[..., ::-1] - jnp.asarray(CAFFE_MEANS)).astype(x.dtype)
        return x


class Rescaling(nnx.Module):
    """Multiplies by a number, as `keras.layers.Rescaling`."""

    def __init__(self, scale: float):
        self.scale = scale

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        return x * self.scale


class ChannelRescaling(nnx.Module):
    """Multiplies each channel by a statistic that comes with the weights, 1 without them: one
    program serves both.
    """

    def __init__(self, channels: int):
        self.scale = nnx.BatchStat(jnp.ones(channels))

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        return x * self.scale[...].astype(x.dtype)


class Normalization(nnx.Module):
    """(x - mean) / sd of each channel, with statistics that come with the weights, as
    `keras.layers.Normalization`.
    """

    def __init__(self, channels: int):
        self.mean = nnx.BatchStat(jnp.zeros(channels))
        self.var = nnx.BatchStat(jnp.ones(channels))

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        sd = jnp.maximum(jnp.sqrt(self.var[...]), 1e-7)  # Keras' epsilon
        return ((x.astype(jnp.float32) - self.mean[...]) / sd).astype(x.dtype)


class Activation(nnx.Module):
    """One of `ACTIVATIONS`."""

    def __init__(self, kind: str):
        self.kind = kind

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        return ACTIVATIONS[self.kind](x)


class Pointwise(nnx.Module):
    """Convolution with a kernel of one pixel, which is a matrix product; (n, h, w, channels) -> (n,
    h, w, filters).

    Its kernel is (1, 1, channels, filters), as Keras has it. `activation` is one of `ACTIVATIONS`,
    or empty.
    """

    def __init__(self, channels: int, filters: int, *, bias: bool, activation: str = "", rngs: nnx.Rngs):
        self.kernel = nnx.Param(glorot_uniform(rngs.params(), (1, 1, channels, filters)))
        self.bias = nnx.Param(jnp.zeros(filters)) if bias else None
        self.activation = activation

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        x = x @ self.kernel[...][0, 0].astype(x.dtype)
        x = x if self.bias is None else x + self.bias[...].astype(x.dtype)
        return ACTIVATIONS[self.activation](x) if self.activation else x


class DepthwiseConv(nnx.Module):
    """A kernel for every channel, without bias; (n, h, w, channels) -> (n, h', w', channels).

    Its kernel is (kernel_size, kernel_size, 1, channels).
    """

    def __init__(self, channels: int, kernel_size: int, padding: str, *, stride: int = 1, rngs: nnx.Rngs):
        self.kernel = nnx.Param(glorot_uniform(rngs.params(), (kernel_size, kernel_size, 1, channels)))
        self.padding, self.stride = padding, stride

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        kernel = self.kernel[...].astype(x.dtype)
        padding = convolution.padding_amounts(self.padding, kernel.shape[0], self.stride, x.shape[1])
        return convolution.depthwise(x, kernel, padding, self.stride, native=call.native)


class ZeroPadding(nnx.Module):
    """Zeros around the images, `before` rows and columns at the top and left and `after` at the
    bottom and right.
    """

    def __init__(self, before: int, after: int):
        self.before, self.after = before, after

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        side = (self.before, self.after)
        return jnp.pad(x, ((0, 0), side, side, (0, 0)))


class OverlappingMaxPool(nnx.Module):
    """Largest value of size x size windows, `stride` pixels apart; what no window reaches is
    dropped.
    """

    def __init__(self, size: int, stride: int):
        self.size, self.stride = size, stride

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        if self.size == 1:
            return x[:, :: self.stride, :: self.stride]
        return pooling.overlapping_max_pool(x, self.size, self.stride)


class GlobalPool(nnx.Module):
    """(n, h, w, channels) -> (n, channels): the mean of each channel, or its largest value, by
    `kind` 'average' or 'max'.
    """

    def __init__(self, kind: str):
        self.kind = kind

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        return x.mean((1, 2)) if self.kind == "average" else x.max((1, 2))


class Reshape(nnx.Module):
    """(n, ...) -> (n, *shape)."""

    def __init__(self, shape: Sequence[int]):
        self.shape = tuple(shape)

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        return x.reshape(x.shape[0], *self.shape)


class Add(nnx.Module):
    """Sum of two layers' outputs."""

    def __call__(self, x: jax.Array, y: jax.Array, call: Call) -> jax.Array:
        return x + y


class Multiply(nnx.Module):
    """Product of two layers' outputs; one of them may have one pixel."""

    def __call__(self, x: jax.Array, y: jax.Array, call: Call) -> jax.Array:
        return x * y


class DropBranch(nnx.Module):
    """Stochastic depth (Huang et al. 2016): in training the whole map of an image is 0 with a fixed
    probability, else grown to match.

    Args:
        index: number among the layers that drop; keeps their masks independent.
        rate: probability in [0, 1).
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
