"""Networks agree with the same network built in Keras, and give their activations by name."""

from functools import partial

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from flax import nnx

from fer_jax import models
from fer_jax.config.values import default_config, flatten
from fer_jax.errors import ConfigError
from fer_jax.models.layers import Call


def values(**changed):
    base = flatten(default_config())
    return {**base, **{name.replace("__", "."): value for name, value in changed.items()}}


def _keras_cnn(v, shape, classes):
    layers = [keras.Input(shape)]
    for filters in v["model.kernels"]:
        layers.append(
            keras.layers.Conv2D(filters, v["model.kernel_size"], padding=v["model.padding"], activation="relu")
        )
        if v["model.batch_norm"]:
            layers.append(keras.layers.BatchNormalization())
        pool = keras.layers.MaxPooling2D if v["model.pool"] == "max" else keras.layers.AveragePooling2D
        layers.append(pool(v["model.pool_size"], padding=v["model.pool_padding"]))
    layers.append(keras.layers.Flatten())
    layers += [keras.layers.Dense(units, activation="relu") for units in v["model.dense"]]
    return keras.Sequential([*layers, keras.layers.Dense(classes)])


def _copy(params, stats, network, model):
    """Sets the Keras model's weights to ours, layer by layer."""
    with_weights = [layer for layer in model.layers if layer.weights]
    names = [name for name in network.layer_names if name in params]
    for name, layer in zip(names, with_weights, strict=True):
        p = params[name]
        if "kernel" in p:
            layer.set_weights([p["kernel"], p["bias"]])
        else:
            layer.set_weights([p["scale"], p["bias"], stats[name]["mean"], stats[name]["var"]])


@pytest.mark.parametrize(
    "changed",
    [
        {"model__padding": "same", "model__kernel_size": 5, "model__pool": "average", "model__pool_padding": "same"},
        {
            "model__batch_norm": True,
            "model__pool_size": 3,
            "model__kernels": (8, 16),
            "model__pairs": 2,
            "model__dense": (32,),
        },
    ],
)
def test_cnn_gives_the_logits_and_gradients_of_keras(changed):
    v = values(**changed)
    network = models.build(v, (24, 24, 1), 7)
    params, stats = jax.jit(network.init)(jax.random.key(1))
    images = np.random.default_rng(0).random((4, 24, 24, 1), np.float32)
    labels = np.array([0, 3, 6, 2])
    model = _keras_cnn(v, (24, 24, 1), 7)
    _copy(params, stats, network, model)
    training = v["model.batch_norm"]

    def ours(params):
        logits, _, _ = network.apply(params, stats, images, train=training)
        return -jax.nn.log_softmax(logits)[np.arange(4), labels].mean(), logits

    def theirs(weights):
        logits, _ = model.stateless_call(weights, model.non_trainable_variables, images, training=training)
        return keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True).mean(), logits

    (loss, logits), grads = jax.jit(jax.value_and_grad(ours, has_aux=True))(params)
    start = [variable.value for variable in model.trainable_variables]
    (keras_loss, keras_logits), keras_grads = jax.jit(jax.value_and_grad(theirs, has_aux=True))(start)
    np.testing.assert_allclose(logits, keras_logits, atol=1e-4)
    np.testing.assert_allclose(loss, keras_loss, rtol=1e-4)
    order = [
        grads[name][leaf]
        for name in network.layer_names
        if name in grads
        for leaf in ("kernel", "scale", "bias")
        if leaf in grads[name]
    ]
    for ours_grad, keras_grad in zip(order, keras_grads, strict=True):
        np.testing.assert_allclose(ours_grad, keras_grad, atol=1e-4)


def test_oslos_network_has_the_parameters_of_keras_model():
    v = values()
    assert models.build(v, (48, 48, 1), 7).num_parameters() == _keras_cnn(v, (48, 48, 1), 7).count_params()


def test_mlp_gives_the_logits_of_keras():
    v = values(model__name="mlp", model__hidden=(20, 10))
    network = models.build(v, (8, 8, 3), 5)
    params, stats = jax.jit(network.init)(jax.random.key(0))
    layers = [
        keras.layers.Flatten(),
        keras.layers.Dense(20, "relu"),
        keras.layers.Dense(10, "relu"),
        keras.layers.Dense(5),
    ]
    model = keras.Sequential([keras.Input((8, 8, 3)), *layers])
    _copy(params, stats, network, model)
    images = np.random.default_rng(0).random((6, 8, 8, 3), np.float32)
    np.testing.assert_allclose(network.apply(params, stats, images)[0], model(images), atol=1e-5)


def test_activations_come_by_name_and_asking_changes_nothing():
    network = models.build(values(), (24, 24, 1), 7)
    params, stats = jax.jit(network.init)(jax.random.key(0))
    images = jnp.asarray(np.random.default_rng(0).random((3, 24, 24, 1), np.float32))
    plain, _, nothing = network.apply(params, stats, images)
    logits, _, found = network.apply(params, stats, images, capture=network.layer_names)
    assert nothing == {} and tuple(found) == network.layer_names
    np.testing.assert_allclose(logits, plain, rtol=1e-5, atol=1e-6)
    assert found["conv_0"].shape == (3, 22, 22, 32) and found["pool_0"].shape == (3, 11, 11, 32)
    assert found["conv_0"].min() == 0
    np.testing.assert_array_equal(found["output"], logits)
    with pytest.raises(KeyError, match="no layer 'dense_9'.*dense_0"):
        network.apply(params, stats, images, capture=["dense_9"])


def test_kernels_are_glorot_uniform_and_biases_zero():
    params, _ = jax.jit(models.build(values(), (48, 48, 1), 7).init)(jax.random.key(0))
    kernel = np.asarray(params["conv_1"]["kernel"])
    limit = np.sqrt(6 / (9 * 32 + 9 * 64))
    assert abs(kernel).max() <= limit and kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.02)
    assert not params["conv_1"]["bias"].any()


def test_an_unknown_network_is_named():
    with pytest.raises(ConfigError, match="model.name: 'vit' is none of cnn, efficientnet_b0, imperial, mlp"):
        models.build(values(model__name="vit"), (24, 24, 1), 7)


@pytest.mark.parametrize("layer", ["pool_0", "conv_1", "dense_0"])
def test_what_is_added_to_a_layer_reaches_the_next_ones_and_zeros_change_nothing(layer):
    """conv_1 and pool_1 are one step of the network unless conv_1 is watched."""
    v = values(model__kernels=(3, 4), model__pairs=2, model__dense=(8,))
    network = models.build(v, (12, 12, 1), 3)
    params, stats = jax.jit(network.init)(jax.random.key(2))
    images = np.random.default_rng(0).random((2, 12, 12, 1), np.float32)
    plain, _, found = jax.jit(partial(network.apply, capture=network.layer_names))(params, stats, images)
    apply = jax.jit(network.apply)
    np.testing.assert_allclose(
        apply(params, stats, images, added={layer: jnp.zeros_like(found[layer])})[0], plain, atol=1e-6
    )
    rest = found[layer] + np.random.default_rng(1).normal(size=found[layer].shape).astype(np.float32)
    logits = apply(params, stats, images, added={layer: rest - found[layer]})[0]
    following = network.layer_names[network.layer_names.index(layer) + 1 :]
    chain = network.build(nnx.Rngs(0))
    nnx.update(chain, nnx.State(jax.tree.map(lambda leaf: leaf, params)))
    for name in following:
        rest = getattr(chain, name)(rest, Call())
    np.testing.assert_allclose(logits, rest, atol=1e-5)


def test_an_unknown_layer_to_add_to_is_named():
    network = models.build(values(), (24, 24, 1), 3)
    params, stats = jax.eval_shape(network.init, jax.random.key(0))
    with pytest.raises(KeyError, match="no layer 'conv_9'; this network has conv_0, "):
        network.apply(params, stats, np.zeros((1, 24, 24, 1)), added={"conv_9": 0.0})
