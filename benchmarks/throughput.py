"""Measures a stack's throughput in trial-images a second, by engine, devices, width and batch.

    python benchmarks/throughput.py [--networks=oslo,silvestro] [--sizes=48] [--batches=8,32,128]
        [--widths=1,2,4,8,16] [--engines=map,vmap,grouped] [--micro_batches=8]
        [--precisions=float32] [--images=2048] [--repeats=3] [--json=FILE]

oslo's and silvestro's network (or imperial's) with dropout, whole epochs (training, validation of a
quarter as many images, best-weights bookkeeping). An epoch is `images` over all trials together,
whatever the width. The candidates of one network, size and batch take turns over all widths, so
that a machine whose speed drifts is unfair to none; each figure is the median over the repeats (one
only, where that was under a tenth of the first candidate), and what to quote is the ratio to the
first candidate: one trial, mapped, on one device. The rate of a float32 matrix product, measured
before and after, says how fast the machine was at the time.
"""

import argparse
import dataclasses
import itertools
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import jax
import record
from candidate import ROOT, Candidate, Work, load
from peer import FIELDS

MEMORY_SHARE = 0.5
HOPELESS = 0.1


@dataclasses.dataclass(frozen=True)
class Arrangement:
    """How a stack is run; `name` is what tables say."""

    engine: str
    devices: int
    micro_batch: int
    width: int
    precision: str

    @property
    def name(self) -> str:
        words = [self.engine, f"{self.devices} device{'s' if self.devices > 1 else ''}"]
        words += [f"in {self.micro_batch}s"] if self.micro_batch else []
        return ", ".join(words + ([self.precision] if self.precision != "float32" else []))


def arrangements(
    engines: Sequence[str], width: int, batch: int, micro_batches: Sequence[int], cut: bool, precision: str
) -> Iterator[Arrangement]:
    """Returns every way to run a stack of a width here.

    Args:
        micro_batches: images of each, where the batch is larger.
        cut: whether a batch may be cut into micro-batches, which pays where trials are mapped on a
            CPU.
    """
    for engine in engines:
        for devices in sorted({1, jax.device_count()}):
            # Fewer trials than devices: every batch in parts.
            if width % devices and not (
                cut and engine == "map" and devices % width == 0 and batch % (devices // width) == 0
            ):
                continue
            yield Arrangement(engine, devices, 0, width, precision)
            if cut and engine == "map" and jax.default_backend() == "cpu":
                yield from (
                    Arrangement(engine, devices, size, width, precision) for size in micro_batches if size < batch
                )


def values_of(code: SimpleNamespace, network: str) -> tuple[dict, dict]:
    """Returns the fields in which a network differs from the defaults, and all fields."""
    settings = FIELDS.get(network) or {"model.name": network, "model.dropout": 0.4}
    return settings, code.values.flatten(code.values.default_config()) | settings


def measure(code: SimpleNamespace, network: str, size: int, batch: int, options: argparse.Namespace) -> list[dict]:
    """Rows of one network, size and batch, the candidates taking turns."""
    settings, values = values_of(code, network)
    built = code.models.build(values, (size, size, 1), 7)
    memory = code.hardware.detect(measure_rate=False).memory * MEMORY_SHARE
    one = code.cost.measure(built, code.plan.recipe_of(values | {"train.batch_size": batch}, (), 0))
    candidates: dict[Arrangement, Candidate | str] = {}
    engines, sizes = options.engines.split(","), [int(size) for size in options.micro_batches.split(",")]
    for precision, width in itertools.product(options.precisions.split(","), map(int, options.widths.split(","))):
        for arrangement in arrangements(engines, width, batch, sizes, not built.has_statistics, precision):
            at_once = arrangement.devices if arrangement.engine == "map" else width
            needed = one.step_bytes * at_once + one.state_bytes * width
            if needed > memory:
                candidates[arrangement] = f"needs up to {needed / 1e9:.0f} GB"
                continue
            images = max(batch, options.images // width // batch * batch)
            asked = {**settings, "train.precision": precision}
            work = Work(size, batch, width, images, arrangement.micro_batch, settings=tuple(asked.items()))
            candidates[arrangement] = Candidate(code, work, arrangement.engine, arrangement.devices)
    running = [candidate for candidate in candidates.values() if isinstance(candidate, Candidate)]
    for _ in range(options.repeats):
        for candidate in running:
            # Once is enough to see what is many times slower: XLA's grouped convolutions on a CPU
            # take minutes.
            if not candidate.rates or candidate.rates[0] > HOPELESS * running[0].rates[0]:
                candidate.run()
    return [
        row(arrangement, candidate, running[0], network, size, batch) for arrangement, candidate in candidates.items()
    ]


def row(
    arrangement: Arrangement, candidate: Candidate | str, first: Candidate, network: str, size: int, batch: int
) -> dict:
    about = {
        "network": network,
        "size": size,
        "batch": batch,
        "candidate": arrangement.name,
        **dataclasses.asdict(arrangement),
    }
    if isinstance(candidate, str):
        return {**about, "left_out": candidate}
    # Widths differ in the images of an epoch, where they are not divided evenly.
    ratios = [own / other for own, other in zip(candidate.rates, first.rates, strict=False)]
    return {
        **about,
        "images_per_second": record.spread(candidate.rates),
        "ratio": statistics.median(ratios),
        "ratios": record.spread(ratios),
        "gflops": round(candidate.rate * candidate.flops / 1e9, 1),
        "compile_seconds": round(candidate.compile_seconds, 1),
    }


def show(row: dict) -> None:
    start = (
        f"{row['network']:9s} {row['size']:3d} px  batch {row['batch']:4d}  {row['width']:4d} x {row['candidate']:30s}"
    )
    if "left_out" in row:
        print(f"{start} left out: {row['left_out']}", flush=True)
        return
    rate = row["images_per_second"]["median"]
    print(f"{start} {rate:11,.0f} img/s  x {row['ratio']:.2f}  {row['gflops']:8.1f} GFLOP/s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", default="oslo,silvestro")
    parser.add_argument("--sizes", default="48", help="sides of the pictures in pixels")
    parser.add_argument("--batches", default="8,32,128")
    parser.add_argument("--widths", default="1,2,4,8,16", help="trials of a stack")
    parser.add_argument(
        "--images", type=int, default=2048, help="of an epoch, all trials together; at least a batch a trial"
    )
    parser.add_argument("--engines", default="map,vmap,grouped")
    parser.add_argument(
        "--micro_batches", default="8", help="images of a pass, besides whole batches, where trials are mapped"
    )
    parser.add_argument("--precisions", default="float32")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    code = load(ROOT)
    code.hardware.prepare_host_devices()
    results = record.Results(code, options)
    for network in options.networks.split(","):
        for size in map(int, options.sizes.split(",")):
            for batch in map(int, options.batches.split(",")):
                for found in measure(code, network, size, batch, options):
                    results.add(found)
                    show(found)
                results.save()
    results.finish()


if __name__ == "__main__":
    main()
