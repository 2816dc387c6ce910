"""Layers of the networks, as Flax NNX modules that know nothing of trials.

A layer holds only its own arrays. What differs from call to call (training or inference, the
dropout rate, the random key) comes in a `Call`, so that one network serves every trial of a stack,
mapped or vectorised. Defaults are Keras': uniform kernels as in Glorot and Bengio 2010, zero
biases, batch normalisation with momentum .99 and epsilon 1e-3. A layer computes in the type of its
input; its own arrays are float32 and are rounded to that type as they are used.
"""

import dataclasses
import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from fer_jax.models import convolution, pooling
from fer_jax.models.hashed_bits import hashed_bits

glorot_uniform = jax.nn.initializers.glorot_uniform()


@dataclasses.dataclass(frozen=True)
class Call:
    """The circumstances of one application of a network.

    Attributes:
        train: whether batch statistics and dropout apply, instead of running statistics and none.
        dropout: probability in [0, 1) with which an activation is dropped, a traced scalar or a
            float; None leaves dropout out of the compiled program.
        dense_dropout: the same for the dropout layers that follow dense ones in a convolutional
            network.
        key: random key of this trial and step; needed where something is dropped.
        rows: int32 (n,), the position of each image in its batch; needed with `key`. A mask depends
            on (key, layer, row) alone, so that a batch cut into micro-batches sees the masks of the
            whole.
        native: whether convolutions and their gradients are XLA's own, see `convolution.convolve`.
    """

    train: bool = False
    dropout: jax.Array | float | None = None
    dense_dropout: jax.Array | float | None = None
    key: jax.Array | None = None
    rows: jax.Array | None = None
    native: bool = False


def widened(units: int, multiplier: float) -> int:
    """Returns a layer's number of kernels or units after model.width_multiplier, at least 1."""
    return max(1, round(units * multiplier))


def add_bias(x: jax.Array, bias: jax.Array) -> jax.Array:
    """Returns x (..., channels) + bias (channels,), float32, in the type of x.

    It adds in float32, so that the bias' gradient is summed in float32 too: of 16-bit numbers XLA
    rounds the partial sums of a reduction in stages.
    """
    return (x.astype(jnp.float32) + bias).astype(x.dtype)


class Conv(nnx.Module):
    """Convolution with a square kernel: (n, h, w, channels) -> (n, h', w', filters).

    `linear` and `finish` are its two halves, between which a max-pool can be put.

    Args:
        channels, filters: channels of the input and the output.
        kernel_size: side of the kernel, in pixels.
        padding: 'valid' or 'same', see `convolution.padding_amounts`.
        relu: whether a ReLU follows.
        rngs: its `params` stream draws the kernel.
        stride: pixels from one place of the kernel to the next.
        bias: whether a bias is added to each channel.
    """

    def __init__(
        self,
        channels: int,
        filters: int,
        kernel_size: int,
        padding: str,
        *,
        relu: bool,
        rngs: nnx.Rngs,
        stride: int = 1,
        bias: bool = True,
    ):
        self.kernel = nnx.Param(glorot_uniform(rngs.params(), (kernel_size, kernel_size, channels, filters)))
        self.bias = nnx.Param(jnp.zeros(filters)) if bias else None
        self.kind, self.stride, self.relu = padding, stride, relu

    def linear(self, x: jax.Array, leave_out: int = 0, *, native: bool = False) -> jax.Array:
        """Returns the convolution without bias and ReLU.

        Args:
            x: (n, h, w, channels).
            leave_out: how many rows and columns at the end of the output are not computed.
            native: see `Call`.
        """
        kernel = self.kernel[...].astype(x.dtype)
        padding = tuple((before, after - leave_out * self.stride) for before, after in self._padding(x))
        if self.stride > 1:
            return convolution.convolve_strided(x, kernel, padding, self.stride, native=native)
        return convolution.convolve(x, kernel, padding, native=native)

    def _padding(self, x: jax.Array) -> convolution.Padding:
        return convolution.padding_amounts(self.kind, self.kernel[...].shape[0], self.stride, x.shape[1])

    def output_size(self, x: jax.Array) -> int:
        """Returns the height of the output for an input, in pixels; images are square."""
        return (x.shape[1] + sum(self._padding(x)[0]) - self.kernel[...].shape[0]) // self.stride + 1

    def finish(self, x: jax.Array) -> jax.Array:
        """Returns the output of `linear` with bias and ReLU applied, where the layer has them."""
        x = x if self.bias is None else add_bias(x, self.bias[...])
        return jax.nn.relu(x) if self.relu else x

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        return self.finish(self.linear(x, native=call.native))


class Dense(nnx.Module):
    """Affine map (n, features) -> (n, units), followed by a ReLU if `relu` is true."""

    def __init__(self, features: int, units: int, *, relu: bool, rngs: nnx.Rngs):
        self.kernel = nnx.Param(glorot_uniform(rngs.params(), (features, units)))
        self.bias = nnx.Param(jnp.zeros(units))
        self.relu = relu

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        x = add_bias(x @ self.kernel[...].astype(x.dtype), self.bias[...])
        return jax.nn.relu(x) if self.relu else x


class Pool(nnx.Module):
    """Pooling over windows of size x size pixels that do not overlap; see `pooling`.

    Args:
        size: side of a window, in pixels.
        kind: 'max' or 'average'.
        padding: 'valid' or 'same'.
    """

    def __init__(self, size: int, kind: str, padding: str):
        self.size, self.kind, self.padding = size, kind, padding

    def dropped(self, size: int) -> int:
        """Returns how many rows (or columns) at the end of a map of this side no window reaches."""
        return size % self.size if self.padding == "valid" else 0

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        pool = pooling.max_pool if self.kind == "max" else pooling.average_pool
        return pool(x, self.size, self.padding)


class Flatten(nnx.Module):
    """Reshape (n, ...) -> (n, product of the rest), row-major as in Keras."""

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        return x.reshape(x.shape[0], math.prod(x.shape[1:]))


class Dropout(nnx.Module):
    """Inverted dropout (Srivastava et al. 2014) with a traced rate.

    A rate of 0 changes no bit of an activation. Which activations are dropped is a hash of the
    call's key, the layer, the row in the batch and the position.

    Args:
        index: number of this layer among the network's layers that drop, which keeps their masks
            independent.
        dense: whether its rate is `Call.dense_dropout` instead of `Call.dropout`.
    """

    def __init__(self, index: int, *, dense: bool = False):
        self.index, self.dense = index, dense

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        given = call.dense_dropout if self.dense else call.dropout
        if not call.train or given is None:
            return x
        if call.key is None or call.rows is None:
            raise ValueError("dropout in training needs Call.key and Call.rows")
        rate = jnp.asarray(given, jnp.float32)
        bits = hashed_bits(call.key, self.index, call.rows, x.shape[1:])
        kept = bits.astype(jnp.float32) * jnp.float32(2**-32) >= rate
        return jnp.where(kept, x * (1 / (1 - rate)).astype(x.dtype), jnp.zeros((), x.dtype))


class BatchNorm(nnx.Module):
    """Batch normalisation (Ioffe and Szegedy 2015) over all axes but the last.

    It computes what `keras.layers.BatchNormalization` does. In training, the statistics of the
    batch (biased variance) normalise it, and move the running ones by a share of 1 - momentum.

    Args:
        features: size of the last axis.
        momentum: share in [0, 1) of the running statistics that stays at a step.
        epsilon: what is added to a variance.
    """

    def __init__(self, features: int, *, momentum: float = 0.99, epsilon: float = 1e-3):
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))
        self.momentum, self.epsilon = momentum, epsilon

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        # Sums over a batch need float32 even in a network that computes in bfloat16.
        wide = x.astype(jnp.float32)
        if not call.train:
            factor = jax.lax.rsqrt(self.var[...] + self.epsilon) * self.scale[...]
            return _affine(wide, self.mean[...], factor, self.bias[...]).astype(x.dtype)
        y, mean, var = _normalise_batch(wide, self.scale[...], self.bias[...], self.epsilon)
        self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * mean
        self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * var
        return y.astype(x.dtype)


def _affine(x: jax.Array, mean: jax.Array, factor: jax.Array, bias: jax.Array) -> jax.Array:
    return (x - mean) * factor + bias


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def _normalise_batch(
    x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns a normalised batch times scale, plus bias, and the batch's mean and variance.

    The gradient is written out: two sums over the batch, where automatic differentiation makes
    five. No gradient passes through the mean and variance that are returned, since they only move
    the running statistics.
    """
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axes)
    var = jnp.square(x - mean).mean(axes)
    return _affine(x, mean, jax.lax.rsqrt(var + epsilon) * scale, bias), mean, var


def _normalise_forward(x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float) -> tuple[Any, tuple]:
    y, mean, var = _normalise_batch(x, scale, bias, epsilon)
    return (y, mean, var), (x, scale, mean, jax.lax.rsqrt(var + epsilon))


def _normalise_backward(epsilon: float, saved: tuple, grads: tuple) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns the gradients for x, scale and bias (Ioffe and Szegedy 2015, section 3)."""
    (x, scale, mean, inverse), grad = saved, grads[0]
    axes, count = tuple(range(x.ndim - 1)), x.size // x.shape[-1]
    centred = x - mean
    bias_grad = grad.sum(axes)
    along = (grad * centred).sum(axes)
    x_grad = (inverse * scale) * (grad - bias_grad / count - centred * (inverse**2 * along / count))
    return x_grad, inverse * along, bias_grad


_normalise_batch.defvjp(_normalise_forward, _normalise_backward)
