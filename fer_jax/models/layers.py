"""Layers of the networks, as Flax NNX modules that know nothing of trials.

A layer keeps only its own arrays. What differs from call to call (train or inference, the dropout
rate, the random key) comes in a `Call`, so that one network serves every trial of a stack, mapped
or vectorised. Defaults are Keras': Glorot uniform kernels, zero biases, BatchNorm with momentum .99
and epsilon 1e-3. A layer computes in the type of what it is given; its own arrays are float32 and
are rounded as they are used.
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
    """One application of a network.

    Attributes:
        train: batch statistics and dropout if true; running statistics and no dropout if false.
        dropout: probability in [0, 1) with which an activation is dropped, a traced scalar or a
            float; None leaves dropout out of the compiled program.
        dense_dropout: the same for the dropout layers that stand after dense ones in a
            convolutional network.
        key: random key of this trial and step; needed where dropout is not None.
        native: convolutions and their gradients are XLA's own, see `convolution.convolve`.
        rows: int32 (n,), the position of each image in its batch. A mask depends on (key, layer,
            row) alone, so a batch cut into micro-batches sees the same masks as the whole.
    """

    train: bool = False
    dropout: jax.Array | float | None = None
    dense_dropout: jax.Array | float | None = None
    key: jax.Array | None = None
    rows: jax.Array | None = None
    native: bool = False


def widened(units: int, multiplier: float) -> int:
    """Kernels or units of a layer after model.width_multiplier; at least 1."""
    return max(1, round(units * multiplier))


class Conv(nnx.Module):
    """Convolution with a square kernel and, unless told otherwise, stride one and a bias; (n, h, w,
    c) -> (n, h', w', filters).

    `relu` follows the bias if asked for. `linear` and `finish` are its two halves, so that a
    max-pool can be put between them.
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
        """Without bias and ReLU; the last `leave_out` rows and columns of the output are not
        computed.
        """
        kernel = self.kernel[...].astype(x.dtype)
        padding = tuple((before, after - leave_out * self.stride) for before, after in self._padding(x))
        if self.stride > 1:
            return convolution.convolve_strided(x, kernel, padding, self.stride, native=native)
        return convolution.convolve(x, kernel, padding, native=native)

    def _padding(self, x: jax.Array) -> convolution.Padding:
        return convolution.padding_amounts(self.kind, self.kernel[...].shape[0], self.stride, x.shape[1])

    def output_size(self, x: jax.Array) -> int:
        """Height of the output, in pixels (images are square)."""
        return (x.shape[1] + sum(self._padding(x)[0]) - self.kernel[...].shape[0]) // self.stride + 1

    def finish(self, x: jax.Array) -> jax.Array:
        x = x if self.bias is None else x + self.bias[...].astype(x.dtype)
        return jax.nn.relu(x) if self.relu else x

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        return self.finish(self.linear(x, native=call.native))


class Dense(nnx.Module):
    """Affine map (n, features) -> (n, units), with ReLU if asked for."""

    def __init__(self, features: int, units: int, *, relu: bool, rngs: nnx.Rngs):
        self.kernel = nnx.Param(glorot_uniform(rngs.params(), (features, units)))
        self.bias = nnx.Param(jnp.zeros(units))
        self.relu = relu

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        x = x @ self.kernel[...].astype(x.dtype) + self.bias[...].astype(x.dtype)
        return jax.nn.relu(x) if self.relu else x


class Pool(nnx.Module):
    """Non-overlapping pooling of `kind` 'max' or 'average'; see `pooling`."""

    def __init__(self, size: int, kind: str, padding: str):
        self.size, self.kind, self.padding = size, kind, padding

    def dropped(self, size: int) -> int:
        """Rows (and columns) at the end of a map of this size that no window reaches."""
        return size % self.size if self.padding == "valid" else 0

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        pool = pooling.max_pool if self.kind == "max" else pooling.average_pool
        return pool(x, self.size, self.padding)


class Flatten(nnx.Module):
    """(n, ...) -> (n, product of the rest), row-major as in Keras."""

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        return x.reshape(x.shape[0], math.prod(x.shape[1:]))


class Dropout(nnx.Module):
    """Inverted dropout (Srivastava et al. 2014) with a traced rate; rate 0 leaves every activation
    bitwise as it is.

    Which activations are dropped is a keyed hash of (call key, layer, row in the batch, position).

    Args:
        index: number of this layer among the network's dropout layers; keeps their masks
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
    """Batch normalisation (Ioffe and Szegedy 2015) over all axes but the last, as
    `keras.layers.BatchNormalization`.

    In training, statistics of the batch (biased variance) normalise and move the running ones by 1
    - momentum.
    """

    def __init__(self, features: int, *, momentum: float = 0.99, epsilon: float = 1e-3):
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))
        self.momentum, self.epsilon = momentum, epsilon

    def __call__(self, x: jax.Array, call: Call) -> jax.Array:
        # Sums over a batch need float32, whatever the network computes in.
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
    """A batch with the mean and variance of its channels made 0 and 1, times scale, plus bias; and
    that mean and variance.

    The gradient is written out: two sums over the batch, where automatic differentiation makes
    five. None is handed on through the mean and variance returned, which only move running
    statistics.
    """
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axes)
    var = jnp.square(x - mean).mean(axes)
    return _affine(x, mean, jax.lax.rsqrt(var + epsilon) * scale, bias), mean, var


def _normalise_forward(x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float) -> tuple[Any, tuple]:
    y, mean, var = _normalise_batch(x, scale, bias, epsilon)
    return (y, mean, var), (x, scale, mean, jax.lax.rsqrt(var + epsilon))


def _normalise_backward(epsilon: float, saved: tuple, grads: tuple) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Ioffe and Szegedy 2015, section 3, the chain rule written per channel."""
    (x, scale, mean, inverse), grad = saved, grads[0]
    axes, count = tuple(range(x.ndim - 1)), x.size // x.shape[-1]
    centred = x - mean
    bias_grad = grad.sum(axes)
    along = (grad * centred).sum(axes)
    x_grad = (inverse * scale) * (grad - bias_grad / count - centred * (inverse**2 * along / count))
    return x_grad, inverse * along, bias_grad


_normalise_batch.defvjp(_normalise_forward, _normalise_backward)
