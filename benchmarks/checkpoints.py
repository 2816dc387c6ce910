"""Measures what checkpoints cost: a wave of `configs/grid3d.py` with and without, in turns.

    python benchmarks/checkpoints.py [--rounds=4] [--epochs=6] [--batch_size=32] [--json=FILE]

Trains the 25 trials of one batch size in one process: without states (checkpoint.every=0), with the
default and with a state after every epoch, in turns, each round in another order. Of each it prints
the median over rounds of

    wall    seconds of the wave's training, programs compiled before, final weights included
    held    the share of it for which the training loop waited for the store: copies to the host,
            curves, states, final weights; what goes on in the store's thread meanwhile is not in it

and the share by which the wall time is above that without states, with the spread over rounds. On
two CPU cores walls differ by more than checkpoints cost, so `held` is the figure to go by there.
"""

import argparse
import importlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import record
from candidate import ROOT, load


@contextmanager
def timed(owner: Any, name: str, seconds: list[float]) -> Iterator[None]:
    """Appends to `seconds` how long each call of a function takes inside the `with` block."""
    original = getattr(owner, name)

    def call(*arguments: Any, **named: Any) -> Any:
        start = time.perf_counter()
        try:
            return original(*arguments, **named)
        finally:
            seconds.append(time.perf_counter() - start)

    setattr(owner, name, call)
    try:
        yield
    finally:
        setattr(owner, name, original)


def measure(run_sweep: Callable, config: Any, every: int) -> tuple[float, float]:
    """Returns the seconds of a wave's training, and for how many the loop waited for the store."""
    wave, store, packing, curves = (
        importlib.import_module(f"fer_jax.{name}")
        for name in ("launch.wave", "store", "launch.packing", "store.curves")
    )
    config.checkpoint.every = every
    walls: list[float] = []
    held: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        timed(wave, "train", walls),
        timed(store.RunDirectory, "save_state", held),
        timed(store.RunDirectory, "save_final", held),
        timed(packing.PackedWave, "whole", held),
        timed(curves.CurveFiles, "write", held),
    ):
        run_sweep(config, Path(folder) / "run")
    return sum(walls), sum(held)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--variant", default="", help="smoke, or nothing for the config's own data")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    code = load(ROOT)
    code.hardware.prepare_host_devices()
    run_sweep = importlib.import_module("fer_jax.launch.loop").run_sweep
    flags = importlib.import_module("fer_jax.config.command_line")
    config = flags.load(f"{ROOT / 'configs' / 'grid3d.py'}:{options.variant}".rstrip(":")).config
    config.sweep.grid.train.batch_size = None
    config.train.batch_size, config.train.epochs = options.batch_size, options.epochs
    settings = {"none": 0, "default": config.checkpoint.every, "every epoch": 1}
    results = record.Results(code, options)
    measure(run_sweep, config, 1)  # compiles, and imports what writes
    rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in settings}
    for number in range(options.rounds):
        names = list(settings)
        for name in names[number % 3 :] + names[: number % 3]:
            rounds[name].append(measure(run_sweep, config, settings[name]))
    for name, found in rounds.items():
        more = [wall / without - 1 for (wall, _), (without, _) in zip(found, rounds["none"], strict=True)]
        row = {
            "states": name,
            "wall": statistics.median(wall for wall, _ in found),
            "held": statistics.median(held / wall for wall, held in found),
            "more": statistics.median(more),
            "from": min(more),
            "to": max(more),
        }
        results.add(row)
        print(
            f"{name}: wall {row['wall']:.2f} s, held {row['held']:.2%}, wall above none {row['more']:+.2%} "
            f"({row['from']:+.2%} to {row['to']:+.2%})",
            flush=True,
        )
    results.save()
    results.finish()


if __name__ == "__main__":
    main()
