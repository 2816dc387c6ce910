"""The papers' networks train as in Keras: equal weights give equal losses, gradients and steps."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest

from fer_jax import models
from fer_jax.config import fields
from fer_jax.config.values import default_config, flatten
from fer_jax.models import normalize
from fer_jax.train import hyper, losses, optim, step
from fer_jax.train.hyper import DataStatistics
from fer_jax.train.recipe import Recipe

L = keras.layers
BATCH = 16
L2 = 1e-2  # enough that no gradient is mere rounding, of which Adam would make whole steps


def keras_silvestro():
    layers = [keras.Input((48, 48, 1))]
    for pair in ((32, 64), (128, 128), (256, 256)):
        for filters in pair:
            layers += [L.Conv2D(filters, 3, activation="relu"), L.BatchNormalization()]
        layers.append(L.MaxPooling2D())
    return keras.Sequential([*layers, L.Flatten(), L.Dense(256, activation="relu"), L.BatchNormalization(), L.Dense(7)])


def keras_oslo():
    layers = [keras.Input((48, 48, 1))]
    for filters in (32, 64, 64):
        layers += [L.Conv2D(filters, 3, activation="relu"), L.MaxPooling2D()]
    return keras.Sequential(
        [*layers, L.Flatten(), L.Dense(64, activation="relu"), L.Dense(7, activation="relu"), L.Dense(7)]
    )


def keras_imperial():
    layers = [keras.Input((48, 48, 1)), L.Conv2D(36, 5, activation="relu"), L.AveragePooling2D(2)]
    for _ in range(2):
        layers += [
            L.Conv2D(48, 3, activation="relu"),
            L.Conv2D(48, 3, padding="same", activation="relu"),
            L.AveragePooling2D(2),
        ]
    return keras.Sequential(
        [*layers, L.Flatten(), L.Dense(64, activation="relu"), L.Dense(7, activation="relu"), L.Dense(7)]
    )


RATES = {"silvestro": 1e-4, "cnn": 1e-3, "imperial": 1e-3}
THEIRS = {"silvestro": keras_silvestro, "cnn": keras_oslo, "imperial": keras_imperial}


def copy_to(model, network, params, stats):
    """Sets a Keras model's weights to ours, layer by layer."""
    with_weights = [layer for layer in model.layers if layer.weights]
    names = [name for name in network.layer_names if name in params]
    for name, layer in zip(names, with_weights, strict=True):
        own = {**params[name], **stats.get(name, {})}
        layer.set_weights([own[leaf] for leaf in ("kernel", "scale", "bias", "mean", "var") if leaf in own])


def trainable(network, tree):
    """The leaves of our parameters in the order of a Keras model's."""
    names = [name for name in network.layer_names if name in tree]
    return [tree[name][leaf] for name in names for leaf in ("kernel", "scale", "bias") if leaf in tree[name]]


@pytest.fixture(scope="module", params=THEIRS)
def pair(request):
    """Returns network, variables with lively statistics, traced values, Keras model and batch.

    The Keras model has the same weights.
    """
    rate = RATES[request.param]
    values = flatten(default_config()) | {"model.name": request.param, "train.batch_size": BATCH}
    network = models.build(values, (48, 48, 1), 7)
    params, stats = jax.jit(network.init)(jax.random.key(2))
    rng = np.random.default_rng(0)
    stats = jax.tree.map(lambda leaf: leaf + rng.uniform(0.1, 0.5, leaf.shape).astype(np.float32), stats)
    traced = {name: field.default for name, field in fields.FIELDS.items() if field.kind == "traced"}
    arrays = hyper.encode([traced | {"train.l2": L2, "train.learning_rate": rate}], DataStatistics.neutral(7))
    model = THEIRS[request.param]()
    copy_to(model, network, params, stats)
    # Noise: in a picture's flat parts rounding would decide which pixel wins a pool, and where its
    # gradient goes.
    images = rng.integers(0, 256, (BATCH, 48, 48, 1)).astype(np.uint8)
    batch = {"images": images, "labels": np.arange(BATCH) % 7, "rows": np.arange(BATCH)}
    return network, params, stats, jax.tree.map(lambda leaf: leaf[0], arrays), model, batch


def test_silvestros_parameters_are_its_tables(pair):
    network, params, stats, _, model, _ = pair
    counted = sum(leaf.size for leaf in jax.tree.leaves((params, stats)))
    assert counted == model.count_params()
    if "norm_6" in params:
        assert counted == 1_394_183


def test_inference_gives_the_logits_of_keras(pair):
    network, params, stats, _, model, batch = pair
    logits, _, _ = jax.jit(network.apply)(params, stats, normalize(batch["images"]))
    np.testing.assert_allclose(logits, model(batch["images"] / np.float32(255), training=False), atol=1e-4)


@pytest.mark.parametrize("pair", ["silvestro", "cnn"], indirect=True)
def test_training_gives_loss_gradient_and_ten_adam_steps_of_keras(pair):
    network, params, stats, values, model, batch = pair
    recipe = Recipe(BATCH)

    @jax.jit
    def ours(params, stats, opt):
        grads, stats, loss, _ = step.gradients(network, recipe, params, stats, values, batch, jax.random.key(0))
        grads = jax.tree.map(jnp.add, grads, jax.grad(losses.l2_penalty)(params, values["train.l2"]))
        updates, opt = optim.build(recipe, values).update(grads, opt, params)
        return optax.apply_updates(params, updates), stats, opt, loss, grads

    optimizer = keras.optimizers.Adam(float(values["train.learning_rate"]))
    optimizer.build(model.trainable_variables)
    inputs = normalize(batch["images"])

    @jax.jit
    def theirs(weights, others, opt):
        def objective(weights):
            logits, changed = model.stateless_call(weights, others, inputs, training=True)
            loss = keras.losses.sparse_categorical_crossentropy(batch["labels"], logits, from_logits=True)
            kernels = [weight for weight in weights if weight.ndim > 1]
            return loss.mean() + sum(map(keras.regularizers.L2(L2), kernels)), (loss.mean(), changed)

        (_, (loss, others)), grads = jax.value_and_grad(objective, has_aux=True)(weights)
        weights, opt = optimizer.stateless_apply(opt, grads, weights)
        return weights, others, opt, loss, grads

    opt = optim.build(recipe, values).init(params)
    keras_state = tuple(
        [variable.value for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
    )
    for number in range(10):
        params, stats, opt, loss, grads = ours(params, stats, opt)
        *keras_state, keras_loss, keras_grads = theirs(*keras_state)
        if number == 0:
            np.testing.assert_allclose(loss, keras_loss, atol=1e-4)
            for own, other in zip(trainable(network, grads), keras_grads, strict=True):
                np.testing.assert_allclose(own, other, atol=1e-4 * max(1, abs(other).max()))
    np.testing.assert_allclose(loss, keras_loss, atol=1e-3)
    copy_to(model, network, params, stats)
    for own, other in zip(model.trainable_variables, keras_state[0], strict=True):
        apart = abs(np.asarray(own.value) - other)
        # A weight moves by up to ten learning rates in ten steps.
        assert apart.max() <= 1e-3 and (apart > 2 * values["train.learning_rate"]).mean() < 1e-3
    for own, other in zip(model.non_trainable_variables, keras_state[1], strict=True):
        if own.value.dtype == jnp.float32:
            np.testing.assert_allclose(own.value, other, atol=1e-3)
