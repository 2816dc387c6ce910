"""fer_jax's side of `peers.py`: a stack as the planner would run it, or one trial on one device."""

import dataclasses
import time

import jax
import numpy as np
import record
from candidate import ROOT, Candidate, Work, load
from peer import CLASSES, FIELDS, SIZE, pictures, weights
from worker import repeat


def product_gflops() -> float:
    return record.product_gflops(load(ROOT))


def machine() -> dict:
    """Returns what the results begin with, see `record.machine`.

    Makes a CPU a device a core, as 'planned' wants it.
    """
    code = load(ROOT)
    code.hardware.prepare_host_devices()
    return record.machine(code)


def build(
    network: str, batch: int, images: int, way: str, trials: int = 0, size: int = SIZE, **chosen: object
) -> "Peer":
    """Compiles an epoch of a stack.

    Args:
        images: of an epoch.
        way: 'planned' (engine, devices, width and micro-batch as the planner has it, where `chosen`
            says nothing else) or 'alone' (one trial in a scan over steps on one device).
        trials: how many; 0: two a device on a CPU, elsewhere as many as the planner holds at once.
        chosen: `stack.*`.
    """
    start = time.perf_counter()
    code = load(ROOT)
    if way == "planned":
        code.hardware.prepare_host_devices()
    trials = trials or (2 * jax.device_count() if jax.default_backend() == "cpu" else 1000)
    stack = planned(code, network, batch, images, 1 if way == "alone" else trials, size, chosen)
    settings = tuple(FIELDS[network].items())
    work = Work(size, batch, len(stack.waves[0].trials), images, stack.micro_batch, held_out=1, settings=settings)
    candidate = Candidate(code, work, stack.engine, stack.devices)
    facts = {name: getattr(stack, name) for name in ("engine", "devices", "micro_batch", "parameters")}
    return Peer(candidate, {**facts, "models": work.trials, "build_seconds": time.perf_counter() - start})


def planned(code: object, network: str, batch: int, images: int, trials: int, size: int, chosen: dict) -> object:
    """Returns the stack that the planner makes of trials that differ in their seed."""
    config = code.values.default_config()
    for name, value in {**FIELDS[network], "train.batch_size": batch, "sweep.repeats": trials}.items():
        code.values.put(config, name, value)
    sizes = code.plan.DataSizes((size, size, 1), CLASSES, images, 1, 0)
    options = code.plan.Options(**chosen)
    expanded = {str(number): trial for number, trial in enumerate(code.search_space.expand(config))}
    return code.plan.make_plan(expanded, lambda trial: sizes, options, code.hardware.detect()).stacks[0]


@dataclasses.dataclass
class Peer:
    """A stack, and what is known of it."""

    candidate: Candidate
    facts: dict

    def run(self, seconds: float) -> dict:
        """Whole epochs of every trial until the seconds have passed."""
        return repeat(self.candidate.run, seconds, self.candidate.images)


def logits(network: str, count: int, size: int = SIZE) -> list[list[float]]:
    """Returns the reference answers of the network with `weights` to the first `pictures`."""
    code = load(ROOT)
    built = code.models.build(
        {**code.values.flatten(code.values.default_config()), **FIELDS[network]}, (size, size, 1), CLASSES
    )
    given = weights(network, size)
    params = {name: {k: v for k, v in arrays.items() if k not in ("mean", "var")} for name, arrays in given.items()}
    stats = {name: {k: arrays[k] for k in ("mean", "var")} for name, arrays in given.items() if "mean" in arrays}
    with jax.default_matmul_precision("highest"):
        found, _, _ = built.apply(params, stats, code.models.normalize(pictures(count, size)[0]))
    return np.asarray(found).tolist()
