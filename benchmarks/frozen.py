"""Measures what freezing a backbone saves of an epoch.

    python benchmarks/frozen.py [--network=mobilenet_v2] [--width=1] [--size=48] [--batch=32]
        [--trials=2] [--images=256] [--repeats=3] [--json=FILE]

Random weights and pictures, a dense layer of 7 units on the pooled features, the mapped engine on
one device. The four ways take turns:

    trained  every layer has a gradient, an update and optimiser memory
    own      the backbone is frozen, each trial holds its own
    shared   the backbone is frozen, all trials hold the same one
    once     its outputs were computed before the first epoch; the seconds that took stand beside

A ratio is a way's median seconds an epoch over those of `trained`; bytes are those of a trial's
state and of a step, as the planner has them.
"""

import argparse
import dataclasses
import statistics
import time
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import record
from candidate import ROOT, load

WAYS = ("trained", "own", "shared", "once")


class Way:
    """One of WAYS, compiled and run once.

    Attributes:
        seconds: of each epoch.
        before: seconds that computing the outputs of the frozen layers took, 0 where they are
            computed in every epoch.
        bytes: of one trial: its state, and a step of it.
    """

    def __init__(self, name: str, code: SimpleNamespace, options: argparse.Namespace):
        from fer_jax.data import Dataset, Split
        from fer_jax.plan import cost, trained_part
        from fer_jax.train import feed
        from fer_jax.train.recipe import Phase

        values = code.rules.resolve(
            code.values.flatten(code.values.default_config())
            | {
                "model.name": options.network,
                "model.width_multiplier": options.width,
                "model.dense": (),
                "data.image_size": options.size,
            }
            | {"train.batch_size": options.batch, "train.epochs": 1_000_000}
        )
        shape = (options.size, options.size, 1)
        whole = code.models.build(values, shape, 7)
        recipe = code.plan.recipe_of(values, (), 0)
        if name != "trained":
            from fer_jax.models import freezing

            recipe = dataclasses.replace(recipe, phases=(Phase(0, freezing.frozen(whole.layer_names, ("backbone",))),))
        pool = "avg_pool" if name == "once" else ""
        network = trained_part(whole, recipe, name in ("shared", "once"), pool)
        program = code.engine.WaveProgram(network, recipe, "map", (jax.devices()[0],))
        rng = np.random.default_rng(0)
        count = options.images + options.images // 4
        pictures = rng.integers(0, 256, (count, *shape)).astype(np.uint8)
        labels = rng.integers(0, 7, count).astype(np.int32)
        splits = [Split(pictures[part], labels[part]) for part in (slice(options.images), slice(options.images, None))]
        dataset = Dataset("random", "official", tuple("abcdefg"), *splits, None, "", {})
        params, stats = jax.device_get(jax.jit(whole.init)(jax.random.key(0)))
        start = time.perf_counter()
        self.data = feed.place(program, dataset, feed.Frozen({"params": params, "stats": stats}, 1 / 255, 0.0))
        self.before = time.perf_counter() - start if name == "once" else 0.0
        traced = {field.name: field.default for field in code.fields.FIELDS.values() if field.kind == "traced"}
        trials = [{**{key: values[key] for key in traced}, "train.seed": seed} for seed in range(options.trials)]
        self.program, self.hyper = program, program.place_values(trials)
        self.state = program.init(self.hyper)
        one = cost.measure(network, recipe)
        self.bytes = {"state": one.state_bytes, "step": one.step_bytes}
        self.seconds: list[float] = []
        self.run()
        self.seconds.clear()

    def run(self) -> None:
        start = time.perf_counter()
        self.state, records = self.data.train_epoch(self.program, self.state, self.hyper, 0)
        jax.block_until_ready((self.state, records))
        self.seconds.append(time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="mobilenet_v2")
    parser.add_argument("--width", type=float, default=1.0)
    for name, default in (("size", 48), ("batch", 32), ("trials", 2), ("images", 256), ("repeats", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    code = load(ROOT)
    results = record.Results(code, options)
    ways = {name: Way(name, code, options) for name in WAYS}
    for _ in range(options.repeats):
        for way in ways.values():
            way.run()
    base = statistics.median(ways["trained"].seconds)
    for name, way in ways.items():
        seconds = record.spread(way.seconds)
        row = {
            "way": name,
            "seconds": seconds,
            "ratio": seconds["median"] / base,
            "seconds_before": way.before,
            "bytes": way.bytes,
        }
        results.add(row)
        print(
            f"{name:8} {seconds['median']:9.3f} s an epoch  x {row['ratio']:.3f}  {way.before:6.1f} s before  "
            f"state {way.bytes['state'] / 1e6:7.1f} MB  step {way.bytes['step'] / 1e6:7.1f} MB"
        )
    results.finish()


if __name__ == "__main__":
    main()
