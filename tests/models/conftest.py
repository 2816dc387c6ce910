"""The backbones of `keras.applications` with random weights, in files of Keras' legacy layout."""

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from fer_jax import config, models

KERAS = {
    "vgg19": keras.applications.VGG19,
    "mobilenet_v2": keras.applications.MobileNetV2,
    "efficientnet_b0": keras.applications.EfficientNetB0,
    "resnet50_v2": keras.applications.ResNet50V2,
}


def network(name, size=48, channels=3, **changed):
    """A network whose top is a pool and `output`."""
    base = config.flatten(config.default_config()) | {"model.name": name, "model.dense": ()}
    return models.build(base | {key.replace("__", "."): value for key, value in changed.items()}, (size, size, channels), 7)


def keras_model(name, size=48):
    """The Keras model without top; batch norms and normalisation have statistics that are not 0 and 1."""
    keras.backend.clear_session()
    model = KERAS[name](weights=None, include_top=False, input_shape=(size, size, 3))
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            count = layer.gamma.shape[0]
            layer.set_weights([rng.uniform(0.5, 1.5, count), *rng.normal(0, 0.3, (2, count)), rng.uniform(0.5, 1.5, count)])
        if isinstance(layer, keras.layers.Normalization):
            layer.set_weights([rng.uniform(0.3, 0.6, 3), rng.uniform(0.03, 0.08, 3), np.int64(3)])
            layer.finalize_state()
    return model


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
