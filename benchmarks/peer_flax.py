"""Flax's side of `peers.py`: `nnx.Conv` as its documentation has it, in a scan over steps.

One model, or several vectorised.
"""

import functools
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from peer import CLASSES, EPSILON, LEARNING_RATE, SIZE, Layer, layers, pictures, weights
from worker import repeat


def module(layer: Layer, rngs: nnx.Rngs) -> object:
    if layer.kind == "conv":
        return nnx.Conv(layer.inputs, layer.outputs, (3, 3), padding="VALID", rngs=rngs)
    if layer.kind == "dense":
        return nnx.Linear(layer.inputs, layer.outputs, rngs=rngs)
    if layer.kind == "norm":
        return nnx.BatchNorm(layer.outputs, momentum=0.99, epsilon=1e-3, rngs=rngs)
    if layer.kind == "dropout":
        return nnx.Dropout(layer.rate, rngs=rngs)
    return {
        "relu": nnx.relu,
        "pool": functools.partial(nnx.max_pool, window_shape=(2, 2), strides=(2, 2)),
        "flatten": lambda x: x.reshape(x.shape[0], -1),
    }[layer.kind]


def make(network: str, size: int, rngs: nnx.Rngs) -> nnx.Sequential:
    """Returns the network; its input is (n, size, size, 1)."""
    return nnx.Sequential(*(module(layer, rngs) for layer in layers(network, size)))


class Peer:
    """Models in training; arguments as in `peer_torch.Peer`. An epoch of all models is one compiled
    program.
    """

    def __init__(self, network: str, batch: int, images: int, models: int = 1, size: int = SIZE):
        start = time.perf_counter()
        self._data = jax.device_put(pictures(images, size))
        self._images = images // batch * batch * models
        graph, *_ = nnx.split(make(network, size, nnx.Rngs(0)), nnx.Param, ...)
        adam = optax.adam(LEARNING_RATE, eps=EPSILON)

        def init(seed: int) -> tuple:
            _, params, rest = nnx.split(make(network, size, nnx.Rngs(seed)), nnx.Param, ...)
            return params, rest, adam.init(params), jax.random.key(seed)

        def epoch(state: tuple, pixels: jax.Array, labels: jax.Array) -> tuple[tuple, jax.Array]:
            def step(state: tuple, indices: jax.Array) -> tuple[tuple, jax.Array]:
                params, rest, moments = state

                def loss(params: nnx.State) -> tuple[jax.Array, nnx.State]:
                    chain = nnx.merge(graph, params, rest, copy=True)
                    logits = chain(pixels[indices].astype(jnp.float32) / 255)
                    _, _, new = nnx.split(chain, nnx.Param, ...)
                    return optax.softmax_cross_entropy_with_integer_labels(logits, labels[indices]).mean(), new

                (value, rest), grads = jax.value_and_grad(loss, has_aux=True)(params)
                updates, moments = adam.update(grads, moments)
                return (optax.apply_updates(params, updates), rest, moments), value

            *state, key = state
            key, now = jax.random.split(key)
            order = jax.random.permutation(now, len(labels))[: images // batch * batch].reshape(-1, batch)
            state, losses = jax.lax.scan(step, tuple(state), order)
            return (*state, key), losses.mean()

        states = [init(seed) for seed in range(models)]
        if models == 1:
            self._state = states[0]
        else:
            self._state = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
            epoch = jax.vmap(epoch, (0, None, None))
        self._epoch = jax.jit(epoch, donate_argnums=0).lower(self._state, *self._data).compile()
        self._step()
        counted = sum(leaf.size for leaf in jax.tree.leaves(states[0][0]))
        self.facts = {"parameters": counted, "models": models, "build_seconds": time.perf_counter() - start}

    def _step(self) -> None:
        self._state, loss = self._epoch(self._state, *self._data)
        loss.block_until_ready()

    def run(self, seconds: float) -> dict:
        """Epochs until the seconds have passed."""
        return repeat(self._step, seconds, self._images)


build = Peer


def logits(network: str, count: int, size: int = SIZE) -> list[list[float]]:
    """As `peer_fer_jax.logits`."""
    chain = make(network, size, nnx.Rngs(0))
    given = weights(network, size)
    for layer, place in zip(layers(network, size), chain.layers, strict=True):
        for name, array in given.get(layer.name, {}).items():
            getattr(place, name)[...] = jnp.asarray(array)
    chain.eval()
    with jax.default_matmul_precision("highest"):
        found = chain(jnp.asarray(pictures(count, size)[0], jnp.float32) / 255)
    assert found.shape[-1] == CLASSES
    return np.asarray(found).tolist()
