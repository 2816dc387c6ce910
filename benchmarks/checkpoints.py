"""Measures what checkpoints cost: a wave of `configs/grid3d.py` with and without, in turns.

    python benchmarks/checkpoints.py [--rounds=4] [--epochs=6] [--batch_size=32] [--json=FILE]

Trains the 25 trials of one batch size in one process: without states (checkpoint.every=0), with the
default and with a state after every epoch, in turns, each round in another order. Of each it prints
the median over rounds of

    wall    seconds of the wave's training, programs compiled before, final weights included
    held    the share of it for which the training loop waited for the store: copies to the host,
            curves, states, final weights; what goes on in the store's thread meanwhile is not in it
    beside  processor time of the store's thread, as a share of what the cores have in that time:
            checksums, writing, flushing and deleting beside the training
    cost    `held` and `beside` together, less those of a wave without states

and the share by which the wall time is above that without states, with the spread over rounds. On
two CPU cores walls differ by more than checkpoints cost, so `cost` is the figure to go by there: it
counts every second in which the loop waited and every core-second that was taken from it.
"""

import argparse
import importlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import record
from candidate import ROOT, load


@contextmanager
def timed(
    owner: Any, name: str, seconds: list[float], clock: Callable[[], float] = time.perf_counter
) -> Iterator[None]:
    """Appends to `seconds` how long each call of a function takes, by `clock`, inside the block."""
    original = getattr(owner, name)

    def call(*arguments: Any, **named: Any) -> Any:
        start = clock()
        try:
            return original(*arguments, **named)
        finally:
            seconds.append(clock() - start)

    setattr(owner, name, call)
    try:
        yield
    finally:
        setattr(owner, name, original)


class Cost(NamedTuple):
    """Seconds of a wave's training, and shares of it, as the module's docstring says."""

    wall: float
    held: float
    beside: float


def measure(run_sweep: Callable, config: Any, every: int) -> Cost:
    """Trains the wave in a run directory of its own."""
    wave, store, packing, curves, checkpoints = (
        importlib.import_module(f"fer_jax.{name}")
        for name in ("launch.wave", "store", "launch.packing", "store.curves", "store.checkpoints")
    )
    config.checkpoint.every = every
    walls: list[float] = []
    held: list[float] = []
    beside: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        timed(wave, "train", walls),
        timed(store.RunDirectory, "save_state", held),
        timed(store.RunDirectory, "save_final", held),
        timed(packing.PackedWave, "whole", held),
        timed(curves.CurveFiles, "write", held),
        timed(checkpoints.Checkpoints, "_write", beside, time.thread_time),
    ):
        run_sweep(config, Path(folder) / "run")
    wall = sum(walls)
    return Cost(wall, sum(held) / wall, sum(beside) / wall / len(os.sched_getaffinity(0)))


def parser_of(description: str, rounds: int, epochs: int) -> argparse.ArgumentParser:
    """Returns a parser of what every benchmark of this wave takes, with its defaults."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--variant", default="", help="smoke, or nothing for the config's own data")
    parser.add_argument("--json", type=Path)
    return parser


def wave_of_grid3d(options: argparse.Namespace) -> tuple[Any, Callable, Any]:
    """Returns the candidate's code, its `run_sweep`, and the config of 25 trials."""
    code = load(ROOT)
    code.hardware.prepare_host_devices()
    run_sweep = importlib.import_module("fer_jax.launch.loop").run_sweep
    flags = importlib.import_module("fer_jax.config.command_line")
    config = flags.load(f"{ROOT / 'configs' / 'grid3d.py'}:{options.variant}".rstrip(":")).config
    config.sweep.grid.train.batch_size = None
    config.train.batch_size, config.train.epochs = options.batch_size, options.epochs
    return code, run_sweep, config


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser_of(__doc__.splitlines()[0], rounds=4, epochs=6).parse_args(arguments)
    code, run_sweep, config = wave_of_grid3d(options)
    settings = {"none": 0, "default": config.checkpoint.every, "every epoch": 1}
    results = record.Results(code, options)
    measure(run_sweep, config, 1)  # compiles, and imports what writes
    rounds: dict[str, list[Cost]] = {name: [] for name in settings}
    for number in range(options.rounds):
        names = list(settings)
        for name in names[number % 3 :] + names[: number % 3]:
            rounds[name].append(measure(run_sweep, config, settings[name]))
    for name, found in rounds.items():
        pairs = list(zip(found, rounds["none"], strict=True))
        more = [one.wall / without.wall - 1 for one, without in pairs]
        cost = [one.held + one.beside - without.held - without.beside for one, without in pairs]
        row = {
            "states": name,
            **{share: statistics.median(getattr(one, share) for one in found) for share in Cost._fields},
            "cost": statistics.median(cost),
            "more": statistics.median(more),
            "from": min(more),
            "to": max(more),
        }
        results.add(row)
        print(
            f"{name}: wall {row['wall']:.2f} s, held {row['held']:.2%}, beside {row['beside']:.2%}, "
            f"cost {row['cost']:.2%}; wall above none {row['more']:+.2%} ({row['from']:+.2%} to {row['to']:+.2%})",
            flush=True,
        )
    results.save()
    results.finish()


if __name__ == "__main__":
    main()
