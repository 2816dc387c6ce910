"""Layers of the backbones give the values and gradients of the Keras layers of their names."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from flax import nnx

from fer_jax.models import keras_layers
from fer_jax.models.keras_layers import DropBranch
from fer_jax.models.layers import Call

L = keras.layers
IMAGES = np.random.default_rng(0).normal(size=(3, 9, 9, 4)).astype(np.float32)


def assert_as_keras(ours, theirs):
    """The same output, and the same gradient for the input."""
    shape = theirs(IMAGES).shape
    weights = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    value, pullback = jax.vjp(lambda x: ours(x, Call()), IMAGES)
    expected, keras_pullback = jax.vjp(theirs, IMAGES)
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(pullback(weights)[0], keras_pullback(weights)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (keras_layers.Rescaling(0.25), L.Rescaling(0.25)),
        (keras_layers.Activation("relu6"), L.ReLU(6.0)),
        (keras_layers.Activation("swish"), L.Activation("swish")),
        (keras_layers.Activation("sigmoid"), L.Activation("sigmoid")),
        (keras_layers.ZeroPadding(0, 1), L.ZeroPadding2D(((0, 1), (0, 1)))),
        (keras_layers.OverlappingMaxPool(3, 2), L.MaxPooling2D(3, 2)),
        (keras_layers.OverlappingMaxPool(1, 2), L.MaxPooling2D(1, 2)),
        (keras_layers.GlobalPool("average"), L.GlobalAveragePooling2D()),
        (keras_layers.GlobalPool("max"), L.GlobalMaxPooling2D()),
        (keras_layers.Reshape((81, 4)), L.Reshape((81, 4))),
    ],
    ids=lambda one: type(one).__name__,
)
def test_layers_without_weights(ours, theirs):
    assert_as_keras(ours, theirs)


@pytest.mark.parametrize("activation", ["", "swish"])
@pytest.mark.parametrize("bias", [False, True])
def test_pointwise(bias, activation):
    ours = keras_layers.Pointwise(4, 5, bias=bias, activation=activation, rngs=nnx.Rngs(0))
    theirs = L.Conv2D(5, 1, use_bias=bias, activation=activation or None)
    theirs.build(IMAGES.shape)
    drawn = np.random.default_rng(2).normal(size=5).astype(np.float32)
    if bias:
        ours.bias[...] = jnp.asarray(drawn)
    theirs.set_weights([ours.kernel[...], drawn][: 1 + bias])
    assert_as_keras(ours, theirs)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_depthwise_convolution(padding, stride):
    ours = keras_layers.DepthwiseConv(4, 3, padding, stride=stride, rngs=nnx.Rngs(0))
    theirs = L.DepthwiseConv2D(3, stride, padding, use_bias=False)
    theirs.build(IMAGES.shape)
    theirs.set_weights([np.swapaxes(ours.kernel[...], 2, 3)])
    assert_as_keras(ours, theirs)


def test_normalization():
    mean, var = np.random.default_rng(3).uniform(0.5, 2, (2, 4)).astype(np.float32)
    ours = keras_layers.Normalization(4)
    ours.mean[...], ours.var[...] = jnp.asarray(mean), jnp.asarray(var)
    assert_as_keras(ours, L.Normalization(mean=mean, variance=var))


def test_sums_and_products_of_two_layers():
    other = np.random.default_rng(4).normal(size=IMAGES.shape).astype(np.float32)
    np.testing.assert_allclose(keras_layers.Add()(IMAGES, other, Call()), L.Add()([IMAGES, other]))
    pixel = other[:, :1, :1]
    np.testing.assert_allclose(keras_layers.Multiply()(IMAGES, pixel, Call()), L.Multiply()([IMAGES, pixel]))


def test_channels_are_rescaled_by_a_statistic_that_is_one_at_first():
    layer = keras_layers.ChannelRescaling(4)
    np.testing.assert_array_equal(layer(IMAGES, Call()), IMAGES)
    layer.scale[...] = jnp.arange(4.0)
    np.testing.assert_array_equal(layer(IMAGES, Call()), IMAGES * np.arange(4, dtype=np.float32))


def test_stochastic_depth_needs_a_key_in_training():
    with pytest.raises(ValueError, match=r"stochastic depth in training needs Call\.key and Call\.rows"):
        DropBranch(0, 0.5)(IMAGES, Call(train=True))


def test_stochastic_depth_drops_whole_images_and_keeps_the_mean():
    call = Call(train=True, key=jax.random.key(0), rows=jnp.arange(4000))
    out = np.asarray(DropBranch(3, 0.2)(jnp.ones((4000, 2, 2, 3)), call)).reshape(4000, -1)
    assert (out == out[:, :1]).all()
    assert abs((out[:, 0] == 0).mean() - 0.2) < 5 * np.sqrt(0.2 * 0.8 / 4000)
    np.testing.assert_allclose(out[out > 0], 1.25, rtol=1e-6)
    np.testing.assert_array_equal(DropBranch(3, 0.2)(jnp.ones((2, 2)), Call()), np.ones((2, 2)))
