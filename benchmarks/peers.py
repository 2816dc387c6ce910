"""Compares fer_jax with PyTorch, Flax and Keras on the same work, taking turns.

    python benchmarks/peers.py [--networks=oslo,silvestro] [--batches=8,32,128] [--repeats=5]
        [--seconds=1.5] [--candidates=NAME,...] [--json=FILE]

Measured are images a second over all models in training.

PyTorch is no dependency of fer_jax: it goes into an environment of its own, on a machine without a
GPU as its build for processors, which is a tenth as large:

    python3 -m venv VENV && VENV/bin/pip install -e '.[test]' -c constraints.txt torch==2.13.0

oslo's or silvestro's network with dropout, 48 px grey, 7 classes; `peer.py` says what a training
step is and what of it fer_jax does beyond the others, whose code is what their documentation would
have one write. Every candidate has a process (or as many as its arrangement says) of its own and
runs while the others wait. Before the clock starts, each network must have as many parameters as
fer_jax's and give the same logits to 1e-4 for the same weights, or the script ends. A candidate
whose packages are missing, or that fails, is left out with its reason.

A rate is the median over the repeats. A ratio is fer_jax's rate ('fer_jax: a stack') over the
candidate's, the median over the turns: above 1, fer_jax is the faster one. The rate of a float32
matrix product before and after says how fast the machine was at the time.
"""

import argparse
import dataclasses
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from record import chosen, cores, save, spread
from worker import REST, Worker, WorkerError

CORES = cores()
REFERENCE = "fer_jax: a stack"
TOLERANCE = 1e-4
# A picture costs silvestro's network this many times what it costs oslo's; an epoch should not
# outlast a turn by far.
COST = {"silvestro": 8}


@dataclasses.dataclass(frozen=True)
class Arrangement:
    """A candidate.

    Attributes:
        module: the file that builds it.
        settings: for its `build`.
        processes: how many of it run at the same time; their rates add up.
        environment: of the processes.
        images: of an epoch, where a program runs whole epochs; whole batches, at least one.
        platform: 'cpu' or 'gpu', where it makes sense on one of them only.
    """

    module: str
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    processes: int = 1
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    images: int = 512
    platform: str = ""


ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
JAX_KERAS = {"KERAS_BACKEND": "jax"}
CANDIDATES: dict[str, Arrangement] = {
    REFERENCE: Arrangement("peer_fer_jax", {"way": "planned"}),
    "fer_jax: one at a time": Arrangement("peer_fer_jax", {"way": "alone"}),
    "PyTorch: a process a core, channels_last": Arrangement(
        "peer_torch", {"way": "eager", "threads": 1}, CORES, ONE_THREAD, platform="cpu"
    ),
    "PyTorch: channels_last": Arrangement("peer_torch", {"way": "eager", "threads": CORES}),
    "PyTorch: channels_first": Arrangement("peer_torch", {"way": "eager", "threads": CORES, "channels_last": False}),
    "PyTorch: compiled": Arrangement("peer_torch", {"way": "compiled", "threads": CORES}),
    "PyTorch: compiled, a process a core": Arrangement(
        "peer_torch", {"way": "compiled", "threads": 1}, CORES, ONE_THREAD, platform="cpu"
    ),
    "PyTorch: torch.func.vmap": Arrangement(
        "peer_torch", {"way": "vectorised", "threads": CORES, "channels_last": False, "models": 8}
    ),
    "PyTorch: CUDA graph": Arrangement("peer_torch", {"way": "graph"}, platform="gpu"),
    "Keras: fit on JAX": Arrangement("peer_keras", environment=JAX_KERAS),
    "Flax: nnx.Conv in a scan": Arrangement("peer_flax", images=64),
    "Flax: nnx.Conv, vmap": Arrangement("peer_flax", {"models": 4}, images=64),
}


class Candidate:
    """An arrangement's processes, the rate of each turn, and why it was left out, if it was."""

    def __init__(self, name: str, arrangement: Arrangement):
        self.name, self.arrangement = name, arrangement
        self.workers = [Worker(arrangement.module, arrangement.environment) for _ in range(arrangement.processes)]
        self.rates: list[float] = []
        self.facts: dict[str, Any] = {}
        self.failure = ""

    def all(self, method: str, **arguments: Any) -> list:
        """Returns what every process answers, all at work at the same time."""
        for worker in self.workers:
            worker.send(method, **arguments)
        answers, failure = [], None
        for worker in self.workers:
            try:
                answers.append(worker.receive())
            except WorkerError as error:
                failure = error
        if failure:
            raise failure
        return answers

    def build(self, network: str, batch: int, size: int, settings: Mapping[str, Any]) -> None:
        """Compiles for a network and batch size; nothing of earlier ones is kept."""
        self.rates, self.failure, self.facts = [], "", {}
        images = max(batch, self.arrangement.images // COST.get(network, 1) // batch * batch)
        settings = {**self.arrangement.settings, **settings}
        try:
            self.facts = self.all("build", network=network, batch=batch, images=images, size=size, **settings)[0]
        except WorkerError as error:
            self.failure = str(error)

    def run(self, seconds: float) -> None:
        """Runs a turn."""
        if self.failure:
            return
        time.sleep(REST)
        try:
            self.rates.append(sum(answer["images"] / answer["seconds"] for answer in self.all("run", seconds=seconds)))
        except WorkerError as error:
            self.failure = str(error)

    def close(self) -> None:
        for worker in self.workers:
            worker.close()


def check_answers(candidates: Sequence[Candidate], network: str, size: int) -> None:
    """Raises SystemExit where a network gives other logits than fer_jax's for the same weights.

    Marks those that cannot run.
    """
    expected, of_module = None, {}
    for candidate in candidates:
        module = candidate.arrangement.module
        if module not in of_module:
            try:
                answer = candidate.workers[0].call("answer", function="logits", network=network, count=16, size=size)
            except WorkerError as error:
                candidate.failure = str(error)
                continue
            of_module[module] = np.asarray(answer)
        expected = of_module[module] if expected is None else expected
        difference = float(np.abs(of_module[module] - expected).max())
        if of_module[module].shape != expected.shape or not difference < TOLERANCE:
            raise SystemExit(f"{network}: logits of {candidate.name} differ from fer_jax's by {difference:.1e}")


def measure(
    candidates: Sequence[Candidate],
    network: str,
    batch: int,
    options: argparse.Namespace,
    given: Mapping[str, Mapping] | None = None,
) -> list[dict]:
    """Returns rows of one network and batch size, the candidates taking turns.

    `given` adds settings by module.
    """
    for candidate in candidates:
        candidate.build(network, batch, options.size, (given or {}).get(candidate.arrangement.module, {}))
    first = candidates[0]
    if first.failure:
        raise SystemExit(f"{first.name}: {first.failure}")
    for candidate in candidates:
        if not candidate.failure and candidate.facts["parameters"] != first.facts["parameters"]:
            raise SystemExit(
                f"{candidate.name}: {candidate.facts['parameters']:,} parameters, fer_jax {first.facts['parameters']:,}"
            )
        candidate.run(options.seconds / 3)  # a turn that is not counted
        candidate.rates.clear()
    for _ in range(options.repeats):
        for candidate in candidates:
            candidate.run(options.seconds)
    return [row(candidate, first, network, batch) for candidate in candidates]


def row(candidate: Candidate, first: Candidate, network: str, batch: int) -> dict:
    """Returns what is known of a candidate after its turns."""
    found = {
        "network": network,
        "batch": batch,
        "candidate": candidate.name,
        "processes": candidate.arrangement.processes,
    }
    if candidate.failure:
        return {**found, "left_out": candidate.failure}
    facts = {name: round(value, 1) if isinstance(value, float) else value for name, value in candidate.facts.items()}
    ratios = [a / b for a, b in zip(first.rates, candidate.rates, strict=False)]
    return {
        **found,
        **facts,
        "images_per_second": spread(candidate.rates),
        "ratio": statistics.median(ratios) if ratios else None,
        "ratios": spread(ratios) if ratios else None,
    }


def show(row: Mapping[str, Any]) -> None:
    start = f"{row['network']:9s} batch {row['batch']:4d}  {row['candidate']:42s}"
    if "left_out" in row:
        print(f"{start} left out: {row['left_out']}", flush=True)
        return
    rate = row["images_per_second"]
    print(
        f"{start} {rate['median']:9,.0f} img/s ({rate['lower_quartile']:,.0f} to {rate['upper_quartile']:,.0f})  "
        f"fer_jax x {row['ratio']:.2f}",
        flush=True,
    )


def finished(machine: Mapping[str, Any], options: argparse.Namespace, rows: Sequence[dict], worker: Worker) -> dict:
    """Returns what goes into the file: the machine, measured again, the options and the rows."""
    after = worker.call("answer", function="product_gflops")
    return {
        **machine,
        "product_gflops": [*machine["product_gflops"], after],
        "options": chosen(options),
        "rows": list(rows),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", default="oslo,silvestro")
    parser.add_argument("--batches", default="8,32,128")
    parser.add_argument(
        "--candidates", default="", help="beginnings of names, joined by commas; fer_jax's stack is always there"
    )
    parser.add_argument("--size", type=int, default=48, help="side of the pictures in pixels")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="of one candidate's turn, at least")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    reference = Candidate(REFERENCE, CANDIDATES[REFERENCE])
    machine = reference.workers[0].call("answer", function="machine")
    wanted = tuple(filter(None, options.candidates.split(",")))
    candidates = [reference] + [
        Candidate(name, arrangement)
        for name, arrangement in CANDIDATES.items()
        if name != REFERENCE
        and (not wanted or name.startswith(wanted))
        and arrangement.platform in ("", machine["backend"])
    ]
    rows: list[dict] = []
    try:
        for network in options.networks.split(","):
            check_answers(candidates, network, options.size)
            for batch in map(int, options.batches.split(",")):
                for found in measure(candidates, network, batch, options):
                    rows.append(found)
                    show(found)
                save(options.json, finished(machine, options, rows, reference.workers[0]))
    finally:
        for candidate in candidates:
            candidate.close()


if __name__ == "__main__":
    main()
