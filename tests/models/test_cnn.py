"""oslo's network agrees with the same network built in Keras, values, gradients and size."""

import jax
import keras
import numpy as np
import pytest

from fer_jax import models
from tests.models.conftest import copy_to, num_parameters, values


def keras_cnn(v, shape, classes):
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
    model = keras_cnn(v, (24, 24, 1), 7)
    copy_to(model, network, params, stats)
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
    assert num_parameters(models.build(v, (48, 48, 1), 7)) == keras_cnn(v, (48, 48, 1), 7).count_params()
