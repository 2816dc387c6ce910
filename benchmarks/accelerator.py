"""A GPU in one call: agreement, throughput, the time of oslo's grid, and the share of the roofline.

    python benchmarks/accelerator.py --json=FILE [--limit_seconds=560] [--repeats=3] [--smoke]
        [--parts=agreement,throughput,grid,roofline,precision]

Runs on whatever JAX finds; PyTorch is measured where it is installed. --smoke is the same with tiny
work, for a CPU. The parts, in order:

    agreement   a few steps of a stack by every engine here and mapped on the CPU, same seeds and
                masks, products in full float32
    throughput  oslo's network by batch size: one trial in a scan, every engine by width, PyTorch
                eager and as a CUDA graph, taking turns
    grid        seconds an epoch of configs/grid3d.py:full (25 trials, 28,709 images, 7,178 to
                validate) at each of its batch sizes by the engine that was best at it, times 300
                epochs
    roofline    large matrix products in bfloat16, TF32 and float32, and copying; what share of
                them the steps above reach
    precision   throughput again in each `train.precision`, where there is such a field

The file is written after every measurement, so that a call that is cut off has lost nothing. What
does not fit into a part's share of the limit any more is left out and named under 'left_out'.
"""

import argparse
import dataclasses
import functools
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault(
    "XLA_PYTHON_CLIENT_PREALLOCATE", "false"
)  # PyTorch's processes want memory too; before JAX is imported

import jax
import jax.numpy as jnp
import numpy as np
import peers
import record
import roofline
from candidate import ROOT, Candidate, Work, load
from peer import FIELDS

# By what share of the limit a part has to leave the clock to the next one.
PARTS = {"agreement": 0.15, "throughput": 0.5, "grid": 0.85, "roofline": 0.92, "precision": 1.0}
EPOCHS = 300
LOSS_TOLERANCE, WEIGHT_TOLERANCE = 1e-3, 1e-4


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
    """

    network: str = "oslo"
    size: int = 48
    batches: tuple[int, ...] = (32, 8, 128, 64, 16)
    widths: tuple[int, ...] = (25, 512)
    images: int = 4096
    grid: tuple[int, int, int] = (25, 28_709, 7_178)
    product: int = 8192
    copied: int = 2**30
    seconds: float = 1.0


SMOKE = Scale("tiny", 16, (8, 16), (2, 4), 64, (2, 96, 32), 128, 2**16, 0.05)


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

    def engine(self, batch: int) -> str:
        """Returns the best engine at a batch size and the grid's width.

        Where it was not measured, it is the best at the last one that was.
        """
        usual = "map" if self.document["backend"] == "cpu" else "vmap"
        return self.best.get(batch) or next(reversed(self.best.values()), usual)

    def work(self, batch: int, width: int, settings: dict[str, Any] | None = None) -> Work:
        """Returns an epoch of about as many steps whatever the width.

        A step of many trials takes longer.
        """
        images = max(batch, self.scale.images // max(1, width // 25) // batch * batch)
        chosen = {**FIELDS[self.scale.network], **(settings or {})}
        return Work(self.scale.size, batch, width, images, held_out=1, settings=tuple(chosen.items()))


def agreement(session: Session) -> None:
    """Losses and weights after one epoch of four steps, here and on the CPU."""
    fields = {**FIELDS[session.scale.network], "train.learning_rate": 1e-3}
    work = Work(session.scale.size, 16, 4, 64, held_out=16, settings=tuple(fields.items()))

    def compare(engine: str, reference: Candidate) -> dict:
        other = Candidate(session.code, work, engine, 1)
        ours, theirs = (jax.device_get((one.state.params, one.records)) for one in (other, reference))
        apart = [
            np.abs(a - b).reshape(-1) for a, b in zip(jax.tree.leaves(ours[0]), jax.tree.leaves(theirs[0]), strict=True)
        ]
        apart = np.concatenate(apart)
        losses = [float(np.abs(ours[1][name] / theirs[1][name] - 1).max()) for name in ("train_loss", "val_loss")]
        agrees = max(losses) < LOSS_TOLERANCE and float(np.quantile(apart, 0.99)) < WEIGHT_TOLERANCE
        about = {"engine": engine, "agrees": agrees, "train_loss": losses[0], "val_loss": losses[1]}
        return {
            **about,
            "weights_99_percent_within": float(np.quantile(apart, 0.99)),
            "weights_all_within": float(apart.max()),
        }

    with jax.default_matmul_precision("highest"):
        reference = session.attempt(
            "agreement, CPU", lambda: Candidate(session.code, work, "map", jax.devices("cpu")[:1])
        )
        for engine in session.code.engine.ENGINES if reference else ():
            found = session.attempt(f"agreement, {engine}", functools.partial(compare, engine, reference))
            if found:
                session.document["agreement"].append(found)
                print(f"agreement, {engine}: {'yes' if found['agrees'] else 'NO'}, {found}", flush=True)
                session.save()


def ways(session: Session) -> Iterator[tuple[str, int]]:
    """Returns (engine, width) of the stacks that are tried.

    One trial mapped is the scan loop that everything is compared with.
    """
    yield "map", 1
    for width in session.scale.widths:
        for engine in session.code.engine.ENGINES:
            if engine != "map":
                yield engine, width
    yield "map", session.scale.widths[0]


def throughput(session: Session) -> None:
    """Measures a row for every stack and every way of PyTorch at each batch size."""
    torch_ways = [name for name in peers.CANDIDATES if name.startswith(("PyTorch: channels", "PyTorch: CUDA"))]
    platform = session.document["backend"]
    torch_ways = [name for name in torch_ways if peers.CANDIDATES[name].platform in ("", platform)]
    others = [
        peers.Candidate(name, dataclasses.replace(peers.CANDIDATES[name], images=session.scale.images))
        for name in torch_ways
    ]
    try:
        for batch in session.scale.batches:
            _throughput_at(session, batch, others)
    finally:
        for other in others:
            other.close()


def _throughput_at(session: Session, batch: int, others: Sequence[peers.Candidate]) -> None:
    stacks: dict[tuple[str, int], Candidate] = {}
    for engine, width in ways(session):
        make = functools.partial(Candidate, session.code, session.work(batch, width), engine, 1)
        made = session.attempt(f"throughput, batch {batch}, {width} x {engine}", make)
        if made:
            stacks[engine, width] = made
    for other in others:
        session.attempt(
            f"{other.name}, batch {batch}",
            lambda other=other: other.build(session.scale.network, batch, session.scale.size, {}),
        )
    for _ in range(session.options.repeats):
        for stack in stacks.values():
            stack.run()
        for other in others:
            if other.facts:
                other.run(session.scale.seconds)
    alone = stacks.get(("map", 1))
    rows = [
        {
            "candidate": f"fer_jax: {width} x {engine}",
            "engine": engine,
            "width": width,
            **_rates(stack.rates, alone),
            **_work(stack),
        }
        for (engine, width), stack in stacks.items()
    ]
    for other in others:
        if other.rates:
            rows.append({"candidate": other.name, **_rates(other.rates, alone)})
        else:
            session.document["left_out"].append(f"{other.name}, batch {batch}: {other.failure or 'not built'}")
    for row in rows:
        session.document["throughput"].append({"batch": batch, **row})
        ratio = f"x {row['ratio_to_alone']:.1f}" if row.get("ratio_to_alone") else ""
        print(
            f"batch {batch:4d}  {row['candidate']:32s} {row['images_per_second']['median']:12,.0f} img/s  {ratio}",
            flush=True,
        )
    fitting = {way: stack.rate for way, stack in stacks.items() if way[1] == session.scale.widths[0]}
    if fitting:
        session.best[batch] = max(fitting, key=lambda way: fitting[way])[0]
    session.save()


def _rates(rates: Sequence[float], alone: Candidate | None) -> dict:
    ratio = statistics.median(own / one for own, one in zip(rates, alone.rates, strict=False)) if alone else None
    return {"images_per_second": record.spread(rates), "ratio_to_alone": ratio}


def _work(stack: Candidate) -> dict:
    return {"tflops": stack.rate * stack.flops / 1e12, "compile_seconds": round(stack.compile_seconds, 1)}


def grid(session: Session) -> None:
    """Seconds an epoch of each stack of grid3d:full, and what all of them take."""
    trials, train, validation = session.scale.grid
    settings = {**FIELDS[session.scale.network], "model.dropout": 0.3}
    for batch in session.scale.batches:
        engine = session.engine(batch)

        def measure(batch: int = batch, engine: str = engine) -> dict:
            work = Work(session.scale.size, batch, trials, train, held_out=validation, settings=tuple(settings.items()))
            stack = Candidate(session.code, work, engine, 1)
            stack.run()
            return {
                "batch": batch,
                "engine": engine,
                "epoch_seconds": stack.seconds[0],
                "images_per_second": stack.rate,
                **_work(stack),
            }

        found = session.attempt(f"grid, batch {batch}", measure)
        if found:
            session.document["grid"].append(found)
            print(
                f"grid, batch {batch}: {found['epoch_seconds']:.2f} s an epoch of {trials} trials ({engine})",
                flush=True,
            )
            session.save()
    rows = session.document["grid"]
    if len(rows) == len(session.scale.batches):
        minutes = EPOCHS * sum(row["epoch_seconds"] for row in rows) / 60
        session.document["grid_minutes"] = minutes
        print(f"the grid would take {minutes:.0f} min, extrapolated from an epoch of each batch size", flush=True)


def ceilings(session: Session) -> None:
    """Measures large products by precision, copying, and what share of each the stacks reach."""
    side = session.scale.product

    def product(precision: str) -> dict:
        kind = jnp.bfloat16 if precision == "bfloat16" else jnp.float32
        left, right = (jax.random.normal(jax.random.key(i), (side, side)).astype(kind) for i in range(2))
        times = 8
        operation = functools.partial(jnp.matmul, precision=None if precision == "bfloat16" else precision)
        program = jax.jit(functools.partial(roofline.repeated, operation, times))
        ceiling = roofline.Ceiling(lambda: program(left, right).block_until_ready(), 2 * side**3 * times)
        ceiling.turn()
        ceiling.seconds.clear()
        for _ in range(session.options.repeats):
            ceiling.turn()
        return {"ceiling": f"{precision} product", "tflops": ceiling.rate / 1e12}

    def copied() -> dict:
        ceiling = roofline.copy(1, session.scale.copied)
        ceiling.turn()
        ceiling.seconds.clear()
        for _ in range(session.options.repeats):
            ceiling.turn()
        return {"ceiling": "copy", "gigabytes_per_second": ceiling.rate / 1e9}

    rates = {}
    for precision in ("bfloat16", "tensorfloat32", "float32"):
        found = session.attempt(f"{precision} product", functools.partial(product, precision))
        if found:
            rates[precision] = found["tflops"]
            session.document["roofline"].append(found)
    found = session.attempt("copy", copied)
    if found:
        session.document["roofline"].append(found)
    for row in (*session.document["throughput"], *session.document["grid"]):
        if "tflops" in row:
            row["share_of_products"] = {name: row["tflops"] / rate for name, rate in rates.items()}
    for found in session.document["roofline"]:
        print(
            "  ".join(f"{value:,.1f} {name}" if isinstance(value, float) else value for name, value in found.items()),
            flush=True,
        )
    session.save()


def precision(session: Session) -> None:
    """Measures the grid's width at each batch size in every precision, taking turns."""
    field = session.code.fields.FIELDS.get("train.precision")
    if field is None:
        session.document["left_out"].append("precision: there is no field train.precision")
        return
    for batch in session.scale.batches:
        engine = session.engine(batch)
        stacks = {}
        for name in field.choices:
            work = session.work(batch, session.scale.widths[0], {"train.precision": name})
            make = functools.partial(Candidate, session.code, work, engine, 1)
            stacks[name] = session.attempt(f"precision {name}, batch {batch}", make)
        running = {name: stack for name, stack in stacks.items() if stack}
        for _ in range(session.options.repeats):
            for stack in running.values():
                stack.run()
        for name, stack in running.items():
            row = {
                "batch": batch,
                "precision": name,
                "engine": engine,
                "images_per_second": record.spread(stack.rates),
                **_work(stack),
            }
            session.document["precision"].append(row)
            print(f"batch {batch:4d}  {name}: {stack.rate:,.0f} img/s", flush=True)
        session.save()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit_seconds", type=float, default=560, help="from the start of this program")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--smoke", action="store_true", help="tiny work, for a CPU")
    parser.add_argument("--json", type=Path, required=True)
    session = Session(parser.parse_args(arguments))
    functions = {
        "agreement": agreement,
        "throughput": throughput,
        "grid": grid,
        "roofline": ceilings,
        "precision": precision,
    }
    print(f"{session.document['hardware']}, JAX {jax.__version__}", flush=True)
    for part in session.options.parts.split(","):
        session.begin(part)
        functions[part](session)
    session.save()
    session.results.finish()
    for said in session.document["left_out"]:
        print(f"left out: {said}")


if __name__ == "__main__":
    main()
