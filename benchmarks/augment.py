"""Measures augmentation, and four ways to resample, beside oslo's training step, taking turns.

    python benchmarks/augment.py [--size=48] [--batch=32] [--channels=1] [--trials=1]
        [--steps=10] [--turns=15]

Milliseconds a batch inside a compiled scan over batches (vectorised over trials where there are
several), median over the turns; what to quote is the share of the training step (micro-batches of 8
where one trial trains, a quarter as many images validated).
"""

import argparse
import importlib
import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from candidate import ROOT, Candidate, Work, load
from jax.scipy.ndimage import map_coordinates

FIELDS = {
    "flip": 0.5, "shift": 0.1, "rotate": 15.0, "zoom": 0.1, "shear": 10.0, "brightness": 0.2, "contrast": 0.2,
    "noise": 0.05,
    "erase": 0.5,
}  # fmt: skip


def corners(images: jax.Array, matrix: tuple, shift: tuple) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns the index of the upper left of four neighbours, and how far beyond it a place lies.

    The index is among all pixels, the distance down and right.
    """
    count, height, width, _ = images.shape
    y = (jnp.arange(height) - (height - 1) / 2)[None, :, None] - shift[0].reshape(-1, 1, 1)
    x = (jnp.arange(width) - (width - 1) / 2)[None, None, :] - shift[1].reshape(-1, 1, 1)
    places, floors = [], []
    for row, size in zip(matrix, (height, width), strict=True):
        place = row[0].reshape(-1, 1, 1) * y + row[1].reshape(-1, 1, 1) * x + (size - 1) / 2
        places.append(jnp.clip(place, 0, size - 1))
        floors.append(jnp.minimum(jnp.floor(places[-1]), size - 2))
    first = (jnp.arange(count).reshape(-1, 1, 1) * height + floors[0].astype(jnp.int32)) * width + floors[1].astype(
        jnp.int32
    )
    return first, (places[0] - floors[0])[..., None], (places[1] - floors[1])[..., None]


def blend(parts: list[jax.Array], down: jax.Array, right: jax.Array) -> jax.Array:
    upper, lower = (a * (1 - right) + b * right for a, b in (parts[:2], parts[2:]))
    return upper * (1 - down) + lower * down


def library(images: jax.Array, matrix: tuple, shift: tuple) -> jax.Array:
    _, height, width, _ = images.shape

    def one(image: jax.Array, matrix: tuple, shift: tuple) -> jax.Array:
        y = (jnp.arange(height) - (height - 1) / 2 - shift[0])[:, None]
        x = (jnp.arange(width) - (width - 1) / 2 - shift[1])[None, :]
        places = [row[0] * y + row[1] * x + (size - 1) / 2 for row, size in zip(matrix, (height, width), strict=True)]
        return jax.vmap(lambda plane: map_coordinates(plane, places, 1, mode="nearest"), -1, -1)(image)

    return jax.vmap(one)(images, matrix, shift)


def one_gather(images: jax.Array, matrix: tuple, shift: tuple) -> jax.Array:
    """Resamples with four neighbours packed into one word, which takes whole numbers.

    The barriers keep XLA from packing them pixel by pixel.
    """
    first, down, right = corners(images, matrix, shift)
    padded = jnp.pad(images.astype(jnp.uint8), ((0, 0), (0, 1), (0, 1), (0, 0)))
    neighbours = [padded[:, :-1, :-1], padded[:, :-1, 1:], padded[:, 1:, :-1], padded[:, 1:, 1:]]
    words = jax.lax.bitcast_convert_type(jnp.stack(neighbours, -1), jnp.uint32).reshape(-1, images.shape[-1])
    words, first = jax.lax.optimization_barrier((words, first))
    found = jax.lax.optimization_barrier(words.at[first].get(mode="promise_in_bounds"))
    return blend([((found >> bits) & 255).astype(jnp.float32) for bits in (0, 8, 16, 24)], down, right)


def tent_products(images: jax.Array, matrix: tuple, shift: tuple) -> jax.Array:
    """Resamples by two products and no gather.

    Every row and column of an image is weighted by a tent around the place.
    """
    count, height, width, _ = images.shape
    first, down, right = corners(images, matrix, shift)
    y, x = first // width % height + down[..., 0], first % width + right[..., 0]
    rows = jnp.maximum(0, 1 - jnp.abs(y[..., None] - jnp.arange(height)))
    columns = jnp.maximum(0, 1 - jnp.abs(x[..., None] - jnp.arange(width)))
    across = jnp.einsum("nijx,nyxc->nijyc", columns, images)
    return jnp.einsum("nijy,nijyc->nijc", rows, across)


class Turn:
    """A function of (images, key) in a compiled scan over steps, and the seconds of its runs."""

    def __init__(self, function: Callable, images: jax.Array, steps: int, trials: int):
        def scanned(images: jax.Array, key: jax.Array) -> jax.Array:
            def step(total: jax.Array, number: jax.Array) -> tuple[jax.Array, None]:
                # The training step cuts the batch into parts and reads it twice, so it has to lie
                # in memory.
                out = jax.lax.optimization_barrier(function(images, jax.random.fold_in(key, number)))
                return total + out, None

            return jax.lax.scan(step, jnp.zeros(images.shape), jnp.arange(steps))[0]

        many = scanned if trials == 1 else jax.vmap(scanned, (None, 0))
        self._inputs = (images, jax.random.key(0) if trials == 1 else jax.random.split(jax.random.key(0), trials))
        self._program = jax.jit(many).lower(*self._inputs).compile()
        self._program(*self._inputs).block_until_ready()
        self.seconds: list[float] = []

    def run(self) -> None:
        start = time.perf_counter()
        self._program(*self._inputs).block_until_ready()
        self.seconds.append(time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("size", 48), ("batch", 32), ("channels", 1), ("trials", 1), ("steps", 10), ("turns", 15)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    code = load(ROOT)
    code.hardware.prepare_host_devices()
    module = importlib.import_module("fer_jax.train.augment")
    rng = np.random.default_rng(0)
    shape = (options.batch, options.size, options.size, options.channels)
    images = jnp.asarray(rng.integers(0, 256, shape).astype(np.uint8))

    def resampled(way: Callable) -> Callable:
        def function(images: jax.Array, key: jax.Array) -> jax.Array:
            amounts = jax.random.uniform(key, (5, options.batch), minval=-1)
            matrix = module.inverse_map(15 * amounts[0], 1 + 0.1 * amounts[1], 10 * amounts[2])
            return way(images.astype(jnp.float32), matrix, (5 * amounts[3], 5 * amounts[4]))

        return function

    def augmented(*names: str) -> Callable:
        used = {f"augment.{name}": FIELDS[name] for name in names}
        return lambda images, key: module.augment(images, used, key, used.keys())

    ways = {
        "resample: fer_jax": resampled(module.resample),
        "resample: map_coordinates": resampled(library),
        "resample: one packed gather": resampled(one_gather),
        "resample: tent products": resampled(tent_products),
        **{name: augmented(name) for name in FIELDS},
        "flip and shift": augmented("flip", "shift"),
        "shift and erase": augmented("shift", "erase"),
        "all of these": augmented(*FIELDS),
        "mixup": lambda images, key: module.mixup(images, images, {"augment.mixup": jnp.float32(0.2)}, key)[0],
    }
    turns = {name: Turn(way, images, options.steps, options.trials) for name, way in ways.items()}
    micro = 8 if options.trials == 1 and options.batch > 8 else 0
    work = Work(options.size, options.batch, options.trials, options.batch * options.steps, micro)
    step = Candidate(code, work, engine="map" if options.trials == 1 else "vmap", devices=1)
    for _ in range(options.turns):
        for turn in (step, *turns.values()):
            turn.run()
    print(f"{options.trials} x {options.batch} images, {options.size} px, {jax.devices()[0].device_kind}")
    for name, turn in {"training step (grey)": step, **turns}.items():
        milliseconds = statistics.median(turn.seconds) / options.steps * 1e3
        share = statistics.median(own / whole for own, whole in zip(turn.seconds, step.seconds, strict=True))
        print(f"{name:28s} {milliseconds:8.3f} ms  {share:7.2%} of the step")


if __name__ == "__main__":
    main()
