"""A GPU in one call: agreement, throughput, real epochs of oslo's grid, and the ceilings.

    python benchmarks/accelerator.py --json=FILE [--limit_seconds=560] [--repeats=3] [--smoke]
        [--parts=agreement,throughput,grid,ceilings,rest] [--predicted=FILE] [--cache=FOLDER]

On a machine without a network, in a checkout beside wheels of what its Python lacks (where it has
JAX, Flax, Optax, Orbax and pandas, that is array-record, googleapis-common-protos, grain,
ml-collections, platformdirs and portpicker):

    python3 -m pip install -q --no-index --no-deps --target=SITE WHEELS/*.whl &&
        PYTHONPATH=SITE:. python3 benchmarks/accelerator.py --json=FILE

Runs on whatever JAX finds; PyTorch is measured where it is installed. --smoke is the same with tiny
work, for a CPU. The parts, in order of worth:

    agreement   four steps of a stack by every engine here and mapped on the CPU, same seeds, same
                masks
    throughput  oslo's network, training only: one trial in a scan, stacks by engine, width, batch
                size and precision, PyTorch eager and as a CUDA graph (accelerator_throughput.py)
    grid        an epoch of each of the five stacks of configs/grid3d.py:full (25 trials, 28,709
                images, 7,178 to validate), times 300 epochs
    ceilings    large matrix products in each precision, whether TF32 is TF32, copying
    rest        of throughput, what its share of the time did not allow

Everything is a row of the file, which is written after each measurement: a call that is cut off has
what came before. What does not fit into the time or the device is named under 'left_out'. A rate
that `--predicted` has a row for (`gpu.py table` writes such files) stands beside the predicted one.
What is compiled is kept in `--cache`, with what the compiler's autotuner found, so that no program
costs twice, nor in a second call.
"""

import argparse
import dataclasses
import importlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# Before JAX is imported. PyTorch's processes want memory too, but little; by default JAX leaves a
# quarter of it to others, which the widest stack may need.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
if "XLA_PYTHON_CLIENT_MEM_FRACTION" not in os.environ:  # the old name, beside which the new is refused
    os.environ.setdefault("XLA_CLIENT_MEM_FRACTION", "0.9")

import accelerator_parts
import accelerator_throughput
import jax
import record
from candidate import ROOT, Candidate, Work, load
from peer import FIELDS

# At what share of the limit a part leaves the clock to the next one.
SHARES = {"agreement": 0.15, "throughput": 0.65, "grid": 0.9, "ceilings": 1.0, "rest": 1.0}
PARTS: dict[str, Callable[[Any], None]] = {
    "agreement": accelerator_parts.agreement,
    "throughput": accelerator_throughput.throughput,
    "grid": accelerator_parts.grid,
    "ceilings": accelerator_parts.ceilings,
    "rest": accelerator_throughput.throughput,
}
# Steps of an epoch at least, so that its start and its order are a small part of it.
FEWEST_STEPS = 8
PREDICTED = ROOT / "benchmarks" / "results" / "gpu_model.json"
# Of a device's memory, what a stack may take by the planner's estimate.
FILLED = 0.8
# A measurement may take so many times what the longest of its kind took.
MARGIN = 1.3


@dataclasses.dataclass(frozen=True)
class Scale:
    """How large everything is.

    Attributes:
        network, size: of `peer.NETWORKS`, and the side of its pictures in pixels.
        batches: batch sizes, those first that matter most.
        widths: trials of a stack, in that order.
        alone, together: images of an epoch of one trial, and of all trials of a stack.
        grid: trials, training and validation images of each stack of the grid.
        product, copied: side of the large matrix product; bytes.
        seconds: of a turn of PyTorch's.
        patience: seconds of a first epoch beyond which it is the only one.
        rounds: of throughput, at most; None for all.
    """

    network: str = "oslo"
    size: int = 48
    batches: tuple[int, ...] = (32, 8, 128, 64, 16)
    widths: tuple[int, ...] = (64, 512)
    alone: int = 8192
    together: int = 131_072
    grid: tuple[int, int, int] = (25, 28_709, 7_178)
    product: int = 8192
    copied: int = 2**30
    seconds: float = 0.5
    patience: float = 4.0
    rounds: int | None = None


SMOKE = Scale("tiny", 16, (8,), (2,), 32, 64, (2, 96, 32), 128, 2**16, 0.05, rounds=2)


class Session:
    """What the parts share: the code, the clock, and the document that grows.

    Attributes:
        waiting: rounds of throughput that are still to be measured.
    """

    def __init__(self, options: argparse.Namespace):
        self.started = time.perf_counter()
        self.options = options
        self.scale = SMOKE if options.smoke else Scale()
        self.code = load(ROOT)
        self.results = record.Results(self.code, options)
        self.document = self.results.document
        measurements = importlib.import_module("fer_jax.plan.measurements")
        # Driver, plugin and cuDNN among them.
        found = measurements.circumstances(self.code.hardware.detect(measure_rate=False))
        self.document |= {"circumstances": found, "smoke": options.smoke, "left_out": []}
        rows = json.loads(options.predicted.read_text()).get("rows")
        if rows is None:
            raise SystemExit(f"--predicted={options.predicted}: no rows of predictions; gpu.py table writes such files")
        self._predicted = {_key(row): row["images_per_second"] for row in rows}
        self.waiting = list(accelerator_throughput.rounds(self.scale, self.code))[: self.scale.rounds]
        self._longest: dict[str, float] = {}
        self._share = 1.0

    def begin(self, part: str) -> None:
        """Begins a part, whose share of the limit counts from here on."""
        self._share = SHARES[part]

    def left(self) -> float:
        """Seconds until the part has to be over."""
        return self.options.limit_seconds * self._share - (time.perf_counter() - self.started)

    def fits(self, kind: str) -> bool:
        """Returns whether there is time for a measurement as long as the longest of its kind.

        Of a kind that has not been measured it is the longest of all.
        """
        return self.left() > MARGIN * self._longest.get(kind, max(self._longest.values(), default=0.0))

    def attempt(self, kind: str, what: str, measurement: Callable[[], Any]) -> Any:
        """Returns the result of a measurement.

        None if there is no time for it or it fails, which the document says.
        """
        if not self.fits(kind):
            self.leave_out(what, "no time left")
            return None
        start = time.perf_counter()
        try:
            found = measurement()
        except Exception as error:
            said = str(error).strip().splitlines()
            self.leave_out(what, f"{type(error).__name__}: {said[0] if said else ''}"[:300])
            found = None
        self._longest[kind] = max(self._longest.get(kind, 0.0), time.perf_counter() - start)
        self.save()
        return found

    def leave_out(self, what: str, reason: str) -> None:
        self.document["left_out"].append(f"{what}: {reason}")

    def add(self, part: str, row: dict[str, Any]) -> dict[str, Any]:
        """Adds a row and returns it; it may be changed until the next `save`."""
        row = {"part": part, **row}
        self.results.add(row)
        self.save()
        return row

    def rows(self, part: str) -> list[dict[str, Any]]:
        """Returns a part's rows so far."""
        return [row for row in self.document["rows"] if row["part"] == part]

    def save(self) -> None:
        self.document["seconds"] = round(time.perf_counter() - self.started, 1)
        self.results.save()

    def stack(self, kind: str, what: str, work: Work, engine: str) -> Candidate | None:
        """Returns a stack after its first epoch; None if it does not fit, which the document says.

        The device is asked before the stack is built, by the planner's estimate.
        """
        limit = (jax.devices()[0].memory_stats() or {}).get("bytes_limit")
        needed = accelerator_parts.stack_bytes(self.code, work, engine)
        if limit is not None and needed > FILLED * limit:
            self.leave_out(what, f"needs about {needed / 1e9:.0f} GB of {limit / 1e9:.0f}")
            return None
        return self.attempt(kind, what, lambda: Candidate(self.code, work, engine, 1))

    def predicted(self, row: dict[str, Any], rate: float) -> dict[str, float]:
        """Returns what was predicted of a row and the measured rate's ratio to it; {} if nothing.

        Args:
            row: with engine, width, batch and precision.
            rate: images a second.
        """
        expected = self._predicted.get(_key({"network": self.scale.network, **row}))
        return {"predicted": expected, "ratio_to_predicted": rate / expected} if expected else {}

    def work(self, batch: int, width: int, precision: str) -> Work:
        """Returns an epoch of about as many images in all whatever the width, hardly validated."""
        images = self.scale.together // width if width > 1 else self.scale.alone
        settings = {**FIELDS[self.scale.network], "train.precision": precision}
        whole = max(FEWEST_STEPS, images // batch) * batch
        return Work(self.scale.size, batch, width, whole, held_out=1, settings=tuple(settings.items()))


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
    if unknown := sorted(set(parts) - set(PARTS)):
        parser.error(f"--parts: {', '.join(unknown)} is none of {', '.join(PARTS)}")
    if not options.predicted.is_file():
        parser.error(f"--predicted: there is no file {options.predicted}")
    if options.smoke:
        # Read when the first program is compiled, which takes tiny work longer than to run.
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0"
    with tempfile.TemporaryDirectory() as folder:
        # Before anything is compiled. JAX keeps there what XLA's autotuner found, too, kernel by
        # kernel, and would leave out what compiles in under a second.
        jax.config.update("jax_compilation_cache_dir", str(options.cache or folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        session = Session(options)
        print(f"{session.document['hardware']}, JAX {jax.__version__}", flush=True)
        for part in parts:
            session.begin(part)
            PARTS[part](session)
        for turns in session.waiting if {"throughput", "rest"} & set(parts) else ():
            session.leave_out(str(turns), "no time left")
        session.save()
        session.results.finish()
    for said in session.document["left_out"]:
        print(f"left out: {said}")


if __name__ == "__main__":
    main()
