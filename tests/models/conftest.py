"""The backbones of `keras.applications` with random weights, in files of Keras' legacy layout."""

import contextlib

import h5py
import jax
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from fer_jax import models
from fer_jax.config.values import default_config, flatten
from fer_jax.models import weights

KERAS = {
    "vgg19": keras.applications.VGG19,
    "mobilenet_v2": keras.applications.MobileNetV2,
    "efficientnet_b0": keras.applications.EfficientNetB0,
    "resnet50_v2": keras.applications.ResNet50V2,
}


def values(**changed):
    base = flatten(default_config())
    return {**base, **{name.replace("__", "."): value for name, value in changed.items()}}


def copy_to(model, network, params, stats):
    """Sets the Keras model's weights to ours, layer by layer."""
    with_weights = [layer for layer in model.layers if layer.weights]
    names = [name for name in network.layer_names if name in params]
    for name, layer in zip(names, with_weights, strict=True):
        p = params[name]
        if "kernel" in p:
            layer.set_weights([p["kernel"], p["bias"]])
        else:
            layer.set_weights([p["scale"], p["bias"], stats[name]["mean"], stats[name]["var"]])


def num_parameters(net):
    """Trainable parameters of one model (BatchNorm's running statistics not counted)."""
    return sum(leaf.size for leaf in jax.tree.leaves(net.shapes[0]))


def network(name, size=48, channels=3, **changed):
    """A network whose top is a pool and `output`."""
    base = flatten(default_config()) | {"model.name": name, "model.dense": ()}
    return models.build(
        base | {key.replace("__", "."): value for key, value in changed.items()}, (size, size, channels), 7
    )


def keras_model(name, size=48, **options):
    """The Keras model without top; its statistics are not 0 and 1."""
    keras.backend.clear_session()
    with _numpy_weights(2 if name == "vgg19" else 1):
        model = KERAS[name](**{"weights": None, "include_top": False, "input_shape": (size, size, 3), **options})
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            count = layer.gamma.shape[0]
            layer.set_weights(
                [rng.uniform(0.5, 1.5, count), *rng.normal(0, 0.3, (2, count)), rng.uniform(0.5, 1.5, count)]
            )
        if isinstance(layer, keras.layers.Normalization):
            layer.set_weights([rng.uniform(0.3, 0.6, 3), rng.uniform(0.03, 0.08, 3), np.int64(3)])
            layer.finalize_state()
    return model


@contextlib.contextmanager
def _numpy_weights(gain):
    """Initial weights come from NumPy while this lasts.

    Keras compiles a program for every shape, which takes ten times as long as all the rest. Kernels
    have the variance gain / inputs: 2 keeps activations from vanishing where no batch norm is, 1
    keeps rounding errors from growing where there are many.
    """
    rng = np.random.default_rng(0)

    def drawn(_, shape, dtype=None):
        depthwise = shape[-1] == 1
        return rng.standard_normal(shape, np.float32) * np.float32(
            np.sqrt(gain / np.prod(shape[: 2 if depthwise else -1]))
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.initializers.VarianceScaling, "__call__", drawn)
        patch.setattr(keras.initializers.Zeros, "__call__", lambda _, shape, dtype=None: np.zeros(shape, np.float32))
        patch.setattr(keras.initializers.Ones, "__call__", lambda _, shape, dtype=None: np.ones(shape, np.float32))
        yield


def keras_outputs(model, names, images, *, training=False):
    """Layer -> its output on images, and variable path -> its value after the call, in Keras."""
    part = keras.Model(model.input, [model.get_layer(name).output for name in names])
    variables = part.trainable_variables, part.non_trainable_variables
    call = jax.jit(lambda *given: part.stateless_call(*given, training=training))
    outputs, after = call(*([variable.value for variable in kind] for kind in variables), images)
    found = outputs if len(names) > 1 else [outputs[0] if isinstance(outputs, list) else outputs]
    return dict(zip(names, found, strict=True)), {
        one.path: value for one, value in zip(variables[1], after, strict=True)
    }


@pytest.fixture(scope="session")
def stored(tmp_path_factory):
    """stored(name, size) -> the Keras model and a file that Keras' own code wrote of it."""
    known = {}

    def one(name, size=48):
        if (name, size) not in known:
            model, path = keras_model(name, size), tmp_path_factory.mktemp("weights") / f"{name}.h5"
            with h5py.File(path, "w") as file:
                legacy_h5_format.save_weights_to_hdf5_group(file, model)
            known[name, size] = model, path
        return known[name, size]

    return one


def loaded(path, net, **options):
    """Params and stats with a file's weights below zeros at the top."""
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), net.shapes)
    return [ours | found for ours, found in zip(zeros, weights.read(path, net, **options), strict=True)]
