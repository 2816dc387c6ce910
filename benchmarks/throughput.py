"""Throughput of a stack: trials x training images a second, by engine, devices, image size and batch size.

    python benchmarks/throughput.py [--sizes=24,48] [--batches=8,32,128] [--trials=4] [--images=1000] [--repeats=3] [--json=FILE]

oslo's network with dropout, whole epochs (training, validation of 64 images, best-weights bookkeeping). The candidates of one size
and batch take turns, so that a machine whose speed drifts is unfair to none; each figure is the median over the repeats, and what
to quote is the ratio to the first candidate. The rate of a float32 matrix product, measured before and after, says how fast the
machine was at the time.
"""

import argparse
import json
import platform
import statistics
import time
from pathlib import Path

import jax
import numpy as np

from fer_jax import config, models
from fer_jax.train import cost, hardware
from fer_jax.train.engine import WaveProgram
from fer_jax.train.trial import Recipe


class Candidate:
    """One way to train the same trials."""

    def __init__(self, name: str, engine: str, devices: int, micro_batch: int, size: int, batch: int, options: argparse.Namespace):
        self.name = name
        values = config.flatten(config.default_config())
        recipe = Recipe(batch, label_smoothing=False, focal_gamma=False, micro_batch=micro_batch if micro_batch < batch else 0)
        network = models.build(values, (size, size, 1), 7)
        self.program = WaveProgram(network, recipe, engine, tuple(jax.devices()[:devices]))
        self.cost = cost.measure(network, recipe)
        traced = {field.name: field.default for field in config.FIELDS.values() if field.kind == "traced"}
        columns = {field: [value] * options.trials for field, value in traced.items()}
        columns["train.seed"] = list(range(options.trials))
        columns["train.epochs"] = [1_000_000] * options.trials
        self.hyper = self.program.place_hyper(columns)
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (options.images, size, size, 1)).astype(np.uint8)
        labels = rng.integers(0, 7, options.images)
        self.train = self.program.place_train(images, labels)
        self.validation = self.program.place_batches(images[:64], labels[:64])
        self.state = self.program.init(self.hyper)
        self.images = options.trials * (options.images // batch * batch)
        self.seconds: list[float] = []
        start = time.perf_counter()
        self._epoch()
        self.first_epoch_seconds = time.perf_counter() - start

    def _epoch(self) -> None:
        self.state, record = self.program.epoch(self.state, self.hyper, self.train, self.validation)
        jax.block_until_ready((self.state, record))

    def run(self) -> None:
        start = time.perf_counter()
        self._epoch()
        self.seconds.append(time.perf_counter() - start)

    @property
    def rate(self) -> float:
        return self.images / statistics.median(self.seconds)


def measure(size: int, batch: int, options: argparse.Namespace) -> list[dict]:
    """Rows of one size and batch, the candidates taking turns."""
    devices = jax.device_count()
    chosen = [
        Candidate("map, micro-batches of 8", "map", devices, 8, size, batch, options),
        Candidate("map, whole batches", "map", devices, batch, size, batch, options),
        Candidate("map, one device", "map", 1, 8, size, batch, options),
        Candidate("vmap", "vmap", devices, batch, size, batch, options),
    ]
    for _ in range(options.repeats):
        for candidate in chosen:
            candidate.run()
    return [
        {
            "size": size,
            "batch": batch,
            "candidate": candidate.name,
            "images_per_second": round(candidate.rate),
            "ratio": round(candidate.rate / chosen[0].rate, 3),
            "gflops": round(candidate.rate * candidate.cost.train_flops / 1e9, 1),
            "first_epoch_seconds": round(candidate.first_epoch_seconds, 1),
        }
        for candidate in chosen
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="24,48")
    parser.add_argument("--batches", default="8,32,128")
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    hardware.prepare_host_devices()
    before = hardware.detect().product_rate
    rows = []
    for size in map(int, options.sizes.split(",")):
        for batch in map(int, options.batches.split(",")):
            for row in measure(size, batch, options):
                rows.append(row)
                print(
                    f"{size:3d} px  batch {batch:4d}  {row['candidate']:24s} {row['images_per_second']:8,d} img/s  "
                    f"x {row['ratio']:.2f}  {row['gflops']:7.1f} GFLOP/s",
                    flush=True,
                )
    after = hardware.detect().product_rate
    print(f"float32 matrix product: {before / 1e9:.0f} GFLOP/s before, {after / 1e9:.0f} after")
    if options.json:
        found = hardware.detect(measure_rate=False)
        document = {
            "hardware": f"{found.devices} x {found.kind} ({platform.machine()})",
            "jax": jax.__version__,
            "product_gflops": [round(before / 1e9, 1), round(after / 1e9, 1)],
            "options": {name: value for name, value in vars(options).items() if name != "json"},
            "rows": rows,
        }
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
