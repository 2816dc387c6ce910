"""A GPU in one call: agreement, throughput, the time of oslo's grid, and the share of the roofline.

    python benchmarks/accelerator.py --json=FILE [--limit_seconds=560] [--repeats=3] [--smoke]
        [--parts=agreement,throughput,precision,grid,roofline] [--predicted=FILE] [--cache=FOLDER]

Runs on whatever JAX finds; PyTorch is measured where it is installed. --smoke is the same with tiny
work, for a CPU. A rate that `--predicted` has a row for (`gpu.py table` writes them; by default
benchmarks/results/gpu_model.json) stands beside it. Compiled programs and what the compiler's
autotuner found are kept in `--cache`, so that a second call compiles nothing. The parts, in order
of worth (`accelerator_parts.py`):

    agreement   a few steps of a stack by every engine here and mapped on the CPU, same seeds and
                masks, products in full float32
    throughput  oslo's network by batch size: one trial in a scan, every engine by width, PyTorch
                eager and as a CUDA graph, taking turns; a stack that would not fit is left out
    precision   throughput again in each `train.precision`
    grid        seconds an epoch of configs/grid3d.py:full (25 trials, 28,709 images, 7,178 to
                validate) at each of its batch sizes by the engine that was best at it, times 300
                epochs
    roofline    large matrix products in each precision, and whether TF32 is TF32 by its error;
                copying; what share of them the steps above reach

The file is written after every measurement, so that a call that is cut off has lost nothing. What
does not fit into a part's share of the limit any more is left out and named under 'left_out'.
"""

import argparse
import dataclasses
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault(
    "XLA_PYTHON_CLIENT_PREALLOCATE", "false"
)  # PyTorch's processes want memory too; before JAX is imported

import accelerator_parts
import jax
import record
from candidate import ROOT, Work, load
from peer import FIELDS

# By what share of the limit a part has to leave the clock to the next one.
PARTS = {"agreement": 0.15, "throughput": 0.5, "precision": 0.65, "grid": 0.95, "roofline": 1.0}
PREDICTED = ROOT / "benchmarks" / "results" / "gpu_model.json"
# Of a device's memory, what a stack may take by the planner's estimate.
FILLED = 0.8


@dataclasses.dataclass(frozen=True)
class Scale:
    """How large everything is.

    Attributes:
        network, size: of `peer.NETWORKS`, and the side of its pictures in pixels.
        batches: batch sizes, those first that matter most.
        widths: trials of a stack, in that order.
        images: of an epoch of one trial where throughput is measured; a stack has fewer, see
            `Session.work`.
        grid: trials, training and validation images of each stack of the grid.
        product, copied: side of the large matrix product; bytes.
        seconds: of a turn of PyTorch's.
        steps: of an epoch at least, so that its start and its one validation image do not count.
    """

    network: str = "oslo"
    size: int = 48
    batches: tuple[int, ...] = (32, 8, 128, 64, 16)
    widths: tuple[int, ...] = (64, 512)
    images: int = 4096
    grid: tuple[int, int, int] = (25, 28_709, 7_178)
    product: int = 8192
    copied: int = 2**30
    seconds: float = 1.0
    steps: int = 32


SMOKE = Scale("tiny", 16, (8, 16), (2, 4), 64, (2, 96, 32), 128, 2**16, 0.05, 4)


class Session:
    """What the parts share: the code, the clock, and the document that grows."""

    def __init__(self, options: argparse.Namespace):
        self.started = time.perf_counter()
        self.options = options
        self.scale = SMOKE if options.smoke else Scale()
        self.code = load(ROOT)
        self.results = record.Results(self.code, options)
        self.document = self.results.document
        self.document |= {name: [] for name in PARTS} | {"left_out": []}
        self.document["smoke"] = options.smoke
        self.best: dict[int, str] = {}
        rows = json.loads(options.predicted.read_text())["rows"]
        self._predicted = {_key(row): row["images_per_second"] for row in rows}
        self._longest = 0.0
        self._share = 1.0

    def begin(self, part: str) -> None:
        """Begins a part, whose share of the limit counts from here on."""
        self._share, self._longest = PARTS[part], 0.0

    def left(self) -> float:
        """Seconds until the part has to be over."""
        return self.options.limit_seconds * self._share - (time.perf_counter() - self.started)

    def fits(self, what: str) -> bool:
        """Returns whether there is time for another measurement as long as the longest so far.

        If not, says what is left out.
        """
        if self.left() > 1.3 * self._longest:
            return True
        self.document["left_out"].append(f"{what}: no time left")
        return False

    def attempt(self, what: str, measurement: Callable[[], Any]) -> Any:
        """Returns the result of a measurement.

        None if there is no time for it or it fails, which the document says.
        """
        if not self.fits(what):
            return None
        start = time.perf_counter()
        try:
            found = measurement()
        except Exception as error:
            said = str(error).strip().splitlines()
            self.document["left_out"].append(f"{what}: {type(error).__name__}: {said[0] if said else ''}"[:300])
            found = None
        self._longest = max(self._longest, time.perf_counter() - start)
        self.save()
        return found

    def save(self) -> None:
        self.document["seconds"] = round(time.perf_counter() - self.started, 1)
        self.results.save()

    def has_room(self, what: str, work: Work, engine: str) -> bool:
        """Returns whether a stack fits the device by the planner's estimate; if not, says so."""
        limit = (jax.devices()[0].memory_stats() or {}).get("bytes_limit")
        needed = accelerator_parts.stack_bytes(self.code, work, engine)
        if limit is None or needed <= FILLED * limit:
            return True
        self.document["left_out"].append(f"{what}: needs about {needed / 1e9:.0f} GB of {limit / 1e9:.0f}")
        return False

    def predicted(self, **row: Any) -> dict[str, float]:
        """Returns what was predicted of a row and the measured rate's ratio to it; {} if nothing.

        Args:
            row: engine, width, batch, precision, and `rate`, in images a second.
        """
        rate = row.pop("rate")
        expected = self._predicted.get(_key({"network": self.scale.network, **row}))
        return {"predicted": expected, "ratio_to_predicted": rate / expected} if expected else {}

    def engine(self, batch: int) -> str:
        """Returns the best engine at a batch size and the grid's width.

        Where it was not measured, it is the best at the last one that was.
        """
        usual = "map" if self.document["backend"] == "cpu" else "vmap"
        return self.best.get(batch) or next(reversed(self.best.values()), usual)

    def work(self, batch: int, width: int, settings: dict[str, Any] | None = None) -> Work:
        """Returns an epoch of some images, fewer a trial where there are many, but some steps."""
        images = max(self.scale.steps * batch, self.scale.images // max(1, width // 25) // batch * batch)
        chosen = {**FIELDS[self.scale.network], **(settings or {})}
        return Work(self.scale.size, batch, width, images, held_out=1, settings=tuple(chosen.items()))


def _key(row: dict[str, Any]) -> tuple:
    return tuple(row[name] for name in ("network", "engine", "width", "batch", "precision"))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit_seconds", type=float, default=560, help="from the start of this program")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--smoke", action="store_true", help="tiny work, for a CPU")
    parser.add_argument("--predicted", type=Path, default=PREDICTED)
    parser.add_argument("--cache", type=Path, help="of compiled programs; a temporary folder if not given")
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args(arguments)
    parts = options.parts.split(",")
    if unknown := [part for part in parts if part not in PARTS]:
        parser.error(f"--parts: {', '.join(unknown)} is none of {', '.join(PARTS)}")
    if not options.predicted.is_file():
        parser.error(f"--predicted: there is no file {options.predicted}")
    session = Session(options)
    print(f"{session.document['hardware']}, JAX {jax.__version__}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        # XLA keeps what its autotuner found there, too: what programs share is tuned once.
        jax.config.update("jax_compilation_cache_dir", str(session.options.cache or folder))
        for part in parts:
            session.begin(part)
            accelerator_parts.PARTS[part](session)
    session.save()
    session.results.finish()
    for said in session.document["left_out"]:
        print(f"left out: {said}")


if __name__ == "__main__":
    main()
