"""Measures how the cost of training grows with trials, images and devices.

    python benchmarks/scaling.py [--network=tiny] [--size=16] [--trials=1,2,4,...,512]
        [--images=128,...,4096] [--repeats=3] [--json=FILE]

A tiny network, so that 512 trials end soon; `--network=oslo --size=48` for the real one. One engine
(the planner's for this machine, unless --engine says otherwise), whole epochs. Trials grow at 128
images each; images grow at 8 trials; devices grow at 64 trials of 128 images. The measurements of a
part take turns. Said at the end: the slope of log seconds over log size, all sizes and the upper
half of them (1 is proportional; below 1, a fixed cost still shows), and how much dearer the last
trial (image) is than one of the middle.
"""

import argparse
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import record
from candidate import ROOT, Candidate, Work, load
from peer import FIELDS

IMAGES, TRIALS, MANY = 128, 8, 64


def slope(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Returns the exponent of a power law through the points, by least squares of logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def growth(sizes: Sequence[int], seconds: Sequence[float]) -> dict[str, float]:
    """Returns what the module's docstring calls growth; empty for fewer than three sizes."""
    if len(sizes) < 3:
        return {}
    middle = len(sizes) // 2
    each = [time / size for time, size in zip(seconds, sizes, strict=True)]
    return {
        "slope": slope(sizes, seconds),
        "slope_upper_half": slope(sizes[middle:], seconds[middle:]) if len(sizes) - middle > 1 else math.nan,
        "last_to_middle_each": each[-1] / each[middle],
    }


def measure(
    works: Mapping[int, tuple[Work, int]], code: SimpleNamespace, engine: str, repeats: int
) -> dict[int, Candidate]:
    """Candidates by size, which took turns; a work comes with its number of devices."""
    candidates = {size: Candidate(code, work, engine, devices) for size, (work, devices) in works.items()}
    for _ in range(repeats):
        for candidate in candidates.values():
            candidate.run()
    return candidates


def parts(options: argparse.Namespace, engine: str) -> dict[str, dict[int, tuple[Work, int]]]:
    """Returns what is measured: name of the part -> size -> work and devices."""
    every = jax.device_count()
    numbers = {name: [int(size) for size in getattr(options, name).split(",")] for name in ("trials", "images")}

    def work(trials: int, images: int, devices: int) -> tuple[Work, int]:
        devices = devices if trials % devices == 0 else 1
        settings = tuple(FIELDS[options.network].items())
        return Work(options.size, options.batch, trials, images, settings=settings), devices

    return {
        "trials": {trials: work(trials, IMAGES, every) for trials in numbers["trials"]},
        "images": {
            images: work(TRIALS * every // math.gcd(TRIALS, every), images, every) for images in numbers["images"]
        },
        "devices": {
            devices: work(MANY * every // math.gcd(MANY, every), IMAGES, devices) for devices in range(1, every + 1)
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="tiny", choices=tuple(FIELDS))
    parser.add_argument("--size", type=int, default=16, help="side of the pictures in pixels")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--engine", default="", help="empty: map on a CPU, vmap elsewhere")
    parser.add_argument("--trials", default="1,2,4,8,16,32,64,128,256,512")
    parser.add_argument("--images", default="128,256,512,1024,2048,4096")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    code = load(ROOT)
    code.hardware.prepare_host_devices()
    engine = options.engine or ("map" if jax.default_backend() == "cpu" else "vmap")
    results = record.Results(code, options)
    results.document["engine"] = engine
    results.document["growth"] = {}
    for part, works in parts(options, engine).items():
        candidates = measure(works, code, engine, options.repeats)
        seconds = {size: statistics.median(candidate.seconds) for size, candidate in candidates.items()}
        for size, candidate in candidates.items():
            rates = record.spread(candidate.rates)
            devices = works[size][1]
            results.add(
                {
                    "part": part,
                    "size": size,
                    "devices": devices,
                    "seconds": record.spread(candidate.seconds),
                    "images_per_second": rates,
                }
            )
            print(f"{part:8s} {size:6d}  {seconds[size]:9.4f} s an epoch  {rates['median']:11,.0f} img/s", flush=True)
        found = growth(list(seconds), list(seconds.values()))
        results.document["growth"][part] = found
        if found:
            print(
                f"{part}: slope {found['slope']:.2f}, of the upper half {found['slope_upper_half']:.2f}; each costs "
                f"{found['last_to_middle_each']:.2f} times as much at {max(seconds)} as at "
                f"{list(seconds)[len(seconds) // 2]}"
            )
        results.save()
    results.finish()


if __name__ == "__main__":
    main()
