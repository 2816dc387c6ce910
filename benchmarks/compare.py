"""Compares the training step of several source trees of fer_jax in one process, taking turns epoch by epoch.

    git worktree add /tmp/before COMMIT
    python benchmarks/compare.py /tmp/before . [--size=24] [--cases=8:0,32:8] [--trials=4] [--images=512] [--epochs=21]

oslo's network with dropout, mapped over one host device a core; a case is batch size:micro-batch. What to quote is the ratio to
the first tree, the median over the turns: these machines drift by a factor of two within minutes.
"""

import argparse
import importlib
import statistics
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np


def load(tree: Path) -> SimpleNamespace:
    """The modules of the fer_jax that lies in a folder, beside any loaded before."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "fer_jax"]:
        del sys.modules[name]
    sys.path.insert(0, str(tree.resolve()))
    names = ("config", "models", "train.engine", "train.hardware", "train.trial")
    found = SimpleNamespace(**{name.rpartition(".")[2]: importlib.import_module(f"fer_jax.{name}") for name in names})
    sys.path.pop(0)
    if Path(found.models.__file__).parents[2] != tree.resolve():
        raise SystemExit(f"{tree}: holds no folder fer_jax")
    return found


class Candidate:
    """One tree's program, its state and the seconds of its epochs."""

    def __init__(self, code: SimpleNamespace, batch: int, micro_batch: int, options: argparse.Namespace):
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (options.images, options.size, options.size, 1)).astype(np.uint8)
        labels = rng.integers(0, 7, options.images)
        held_out = options.images // 4
        network = code.models.build(code.config.flatten(code.config.default_config()), images.shape[1:], 7)
        recipe = code.trial.Recipe(batch, label_smoothing=False, focal_gamma=False, micro_batch=micro_batch)
        program = code.engine.WaveProgram(network, recipe, "map", tuple(jax.devices()))
        traced = {field.name: field.default for field in code.config.FIELDS.values() if field.kind == "traced"}
        changed = {"train.epochs": 1_000_000, "model.dropout": 0.4}
        columns = {name: [changed.get(name, value)] * options.trials for name, value in traced.items()}
        columns["train.seed"] = list(range(options.trials))
        hyper = program.place_hyper(columns)
        self.fixed = (hyper, program.place_train(images, labels), program.place_batches(images[:held_out], labels[:held_out]))
        self.state = program.init(hyper)
        start = time.perf_counter()
        self.program = program.epoch.lower(self.state, *self.fixed).compile()
        self.compile_seconds = time.perf_counter() - start
        self.seconds: list[float] = []
        self.run()
        self.seconds.clear()

    def run(self) -> None:
        start = time.perf_counter()
        self.state, _ = self.program(self.state, *self.fixed)
        jax.block_until_ready(self.state)
        self.seconds.append(time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trees", nargs="+", type=Path)
    parser.add_argument("--size", type=int, default=24)
    parser.add_argument("--cases", default="8:0,32:8")
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--epochs", type=int, default=21)
    options = parser.parse_args()
    codes = [load(tree) for tree in options.trees]
    codes[0].hardware.prepare_host_devices()
    for case in options.cases.split(","):
        batch, micro_batch = map(int, case.split(":"))
        candidates = [Candidate(code, batch, micro_batch, options) for code in codes]
        for _ in range(options.epochs):
            for candidate in candidates:
                candidate.run()
        for tree, candidate in zip(options.trees, candidates, strict=True):
            turns = zip(candidates[0].seconds, candidate.seconds, strict=True)
            ratio = statistics.median(first / own for first, own in turns)
            rate = options.trials * options.images / statistics.median(candidate.seconds)
            print(
                f"{options.size} px  batch {batch} in {micro_batch or batch}s  {tree}  {rate:,.0f} img/s  x {ratio:.2f}  "
                f"compiled in {candidate.compile_seconds:.1f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
