"""Throughput of a stack: trials x training images a second, by engine, devices, image size and batch size.

    python benchmarks/throughput.py [--model=cnn] [--sizes=24,48] [--batches=8,32,128] [--trials=4] [--images=1000] [--repeats=3] [--json=FILE]

oslo's network (or silvestro's, imperial's) with dropout, whole epochs (training, validation of a quarter as many images, best-weights bookkeeping). The candidates
of one size and batch take turns, so that a machine whose speed drifts is unfair to none; each figure is the median over the repeats,
and what to quote is the ratio to the first candidate. The rate of a float32 matrix product, measured before and after, says how fast the
machine was at the time.
"""

import argparse
import dataclasses
import json
import platform
from pathlib import Path
from types import SimpleNamespace

import jax
from candidate import ROOT, Candidate, Work, load


def measure(code: SimpleNamespace, size: int, batch: int, options: argparse.Namespace) -> list[dict]:
    """Rows of one size and batch, the candidates taking turns."""
    # A network with batch normalisation needs whole batches.
    micro = 8 if batch > 8 and options.model != "silvestro" else 0
    whole = Work(size, batch, options.trials, options.images, model=options.model)
    cut = dataclasses.replace(whole, micro_batch=micro)
    candidates = {
        "map, micro-batches of 8": Candidate(code, cut),
        "map, whole batches": Candidate(code, whole),
        "map, one device": Candidate(code, cut, devices=1),
        "vmap": Candidate(code, whole, engine="vmap"),
    }
    for _ in range(options.repeats):
        for candidate in candidates.values():
            candidate.run()
    first = next(iter(candidates.values()))
    return [
        {
            "size": size,
            "batch": batch,
            "candidate": name,
            "images_per_second": round(candidate.rate),
            "ratio": round(candidate.ratio(first), 3),
            "gflops": round(candidate.rate * candidate.flops / 1e9, 1),
            "compile_seconds": round(candidate.compile_seconds, 1),
        }
        for name, candidate in candidates.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="24,48")
    parser.add_argument("--model", default="cnn", choices=("cnn", "silvestro", "imperial"))
    parser.add_argument("--batches", default="8,32,128")
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    code = load(ROOT)
    hardware = code.hardware
    hardware.prepare_host_devices()
    before = hardware.detect().product_rate
    rows = []
    for size in map(int, options.sizes.split(",")):
        for batch in map(int, options.batches.split(",")):
            for row in measure(code, size, batch, options):
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
