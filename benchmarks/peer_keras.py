"""Keras' side of `peers.py`: `fit`; the backend is the environment's KERAS_BACKEND."""

import time

import keras
import numpy as np
from peer import EPSILON, LEARNING_RATE, SIZE, Layer, layers, pictures, weights
from worker import repeat


def module(layer: Layer) -> keras.Layer:
    kinds = keras.layers
    if layer.kind == "conv":
        return kinds.Conv2D(layer.outputs, 3)
    if layer.kind == "dense":
        return kinds.Dense(layer.outputs)
    if layer.kind == "dropout":
        return kinds.Dropout(layer.rate)
    made = {"norm": kinds.BatchNormalization, "relu": kinds.ReLU, "pool": kinds.MaxPooling2D, "flatten": kinds.Flatten}
    return made[layer.kind]()


def make(network: str, size: int) -> keras.Sequential:
    """Returns the network; its input is (n, size, size, 1) in 0..255."""
    first = [keras.Input((size, size, 1)), keras.layers.Rescaling(1 / 255)]
    return keras.Sequential(first + [module(layer) for layer in layers(network, size)])


class Peer:
    """A model in training; arguments as in `peer_torch.Peer`."""

    def __init__(self, network: str, batch: int, images: int, size: int = SIZE):
        start = time.perf_counter()
        self._data, self._batch = pictures(images, size), batch
        self._images = images
        self._model = make(network, size)
        adam = keras.optimizers.Adam(LEARNING_RATE, epsilon=EPSILON)
        self._model.compile(adam, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        self._step()
        counted = sum(int(np.prod(weight.shape)) for weight in self._model.trainable_weights)
        self.facts = {"parameters": counted, "models": 1, "build_seconds": time.perf_counter() - start}

    def _step(self) -> None:
        self._model.fit(*self._data, batch_size=self._batch, epochs=1, shuffle=True, verbose=0)

    def run(self, seconds: float) -> dict:
        """Epochs until the seconds have passed."""
        return repeat(self._step, seconds, self._images)


build = Peer


def versions() -> dict[str, str]:
    return {"backend": keras.backend.backend()}


def logits(network: str, count: int, size: int = SIZE) -> list[list[float]]:
    """As `peer_fer_jax.logits`."""
    model = make(network, size)
    given = weights(network, size)
    for layer, place in zip(layers(network, size), model.layers[1:], strict=True):
        if layer.name:
            place.set_weights(list(given[layer.name].values()))
    return np.asarray(model.predict(pictures(count, size)[0].astype(np.float32), verbose=0)).tolist()
