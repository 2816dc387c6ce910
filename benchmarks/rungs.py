"""Measures what rungs cost: a halved sweep of `configs/grid3d.py`, and where its time goes.

    python benchmarks/rungs.py [--rounds=3] [--epochs=12] [--halving=1,3] [--batch_size=32]
        [--image_size=24] [--json=FILE]

Trains the 25 trials of one batch size with successive halving, each round in a run directory of its
own, after a round that compiles. Of each it prints the median over rounds of

    wall     seconds from the first wave's start to the last one's end, compiling included
    rungs    of these: comparing points, handing down states and curves, writing plan and table
    back     milliseconds in which a trial that waited comes back: its share of reading and writing
             states and of placing them on the devices, compiling apart
    share    of the wall that `rungs` and placing take together
"""

import importlib
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import record
from checkpoints import parser_of, timed, wave_of_grid3d


class Cost(NamedTuple):
    """What a halved sweep took, as the module's docstring says; `back` in seconds."""

    wall: float
    rungs: float
    back: float
    share: float


def measure(run_sweep: Callable, config: Any) -> Cost:
    """Trains the sweep in a run directory of its own."""
    loop, rungs, wave = (importlib.import_module(f"fer_jax.launch.{name}") for name in ("loop", "rungs", "wave"))
    ended: list[float] = []
    down: list[float] = []
    placed: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        timed(loop.Sweep, "_end_rung", ended),
        timed(rungs, "_hand_down", down),
        timed(wave._Training, "_restore", placed),
    ):
        begun = time.perf_counter()
        run = run_sweep(config, Path(folder) / "run")
        wall = time.perf_counter() - begun
        trials = len(importlib.import_module("fer_jax.results.run").load_run(run).trials)
    halving = importlib.import_module("fer_jax.search.rungs").Halving
    sizes = halving.of(trials, config.train.epochs, tuple(config.search.halving)).sizes()
    moved = sum(sizes[:-1])  # at each rung all come into a new wave, to go on or to leave
    return Cost(wall, sum(ended), (sum(down) + sum(placed)) / moved, (sum(ended) + sum(placed)) / wall)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__.splitlines()[0], rounds=3, epochs=12)
    parser.add_argument("--halving", default="1,3")
    parser.add_argument("--image_size", type=int, default=24)
    options = parser.parse_args(arguments)
    code, run_sweep, config = wave_of_grid3d(options)
    config.data.image_size = options.image_size
    config.search.halving = tuple(int(part) for part in options.halving.split(","))
    results = record.Results(code, options)
    measure(run_sweep, config)  # compiles, and imports what writes
    found = [measure(run_sweep, config) for _ in range(options.rounds)]
    row = {
        "wall": statistics.median(one.wall for one in found),
        "rungs": statistics.median(one.rungs for one in found),
        "back": statistics.median(one.back for one in found),
        "share": statistics.median(one.share for one in found),
    }
    results.add(row)
    print(
        f"wall {row['wall']:.2f} s, rungs {row['rungs'] * 1e3:.0f} ms, back {row['back'] * 1e3:.1f} ms a trial, "
        f"share {row['share']:.2%}",
        flush=True,
    )
    results.save()
    results.finish()


if __name__ == "__main__":
    main()
