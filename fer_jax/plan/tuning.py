"""How a stack is best run, by timing a few steps of each candidate, and its memory; both once.

The images are random and the program is the epoch's own, with validation in the stack's proportion.
The compiler is asked for the memory. Rates are trials x training images a second.
"""

import dataclasses
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from fer_jax.config.fields import FIELDS
from fer_jax.plan import memory
from fer_jax.plan.candidates import Candidate
from fer_jax.plan.measurements import Measurements
from fer_jax.plan.memory import Footprint
from fer_jax.plan.work import COUNTED_BATCH, Work
from fer_jax.train.engine import WaveProgram

THRESHOLD_SECONDS = 600.0
BUDGET_SECONDS = {"cpu": 60.0}
ACCELERATOR_BUDGET_SECONDS = 180.0  # compiles for longer, and how a network behaves there is less known beforehand
# A ladder is climbed while a rung is so much faster than the one before; what is so near to the
# fastest takes turns.
GROWTH = 1.1
FINALISTS = 0.8
MOST_FINALISTS = 4
TURNS = 3
TURN_SECONDS = 0.3
# An epoch that is measured: 256 images or 8 steps; on a CPU no more than so much work, but 2 steps.
CPU_EPOCH_FLOPS = 30e9
EPOCH_IMAGES, FEWEST_STEPS, ENOUGH_STEPS = 256, 2, 8


# Compiled and warmed up: trains a short epoch of all its trials and returns the images trained.
Runner = Callable[[], int]


def start(work: Work, candidate: Candidate) -> Runner:
    """Compiles a candidate for a few steps an epoch on random images, and runs it once."""
    recipe = dataclasses.replace(work.recipe, micro_batch=candidate.micro_batch, parts=candidate.parts)
    program = WaveProgram(work.built(), recipe, candidate.engine, tuple(jax.devices()[: candidate.devices]))
    phase = len(recipe.phases) - 1  # the last trains most layers, as a rule
    count = _epoch_images(work)
    held_out = max(1, round(count * work.validation / work.train))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count + held_out, *program.network.input_shape)).astype(program.input_dtype)
    labels = rng.integers(0, work.num_classes, count + held_out)
    # Small steps: a trial that diverges is skipped, and would look fast.
    changed = {"train.epochs": 1_000_000, "train.learning_rate": 1e-6}
    traced = {field.name: field.default for field in FIELDS.values() if field.kind == "traced"} | changed
    values = program.place_values([{**traced, "train.seed": seed} for seed in range(candidate.width)])
    train = program.place_train(images[:count], labels[:count])
    validation = program.place_batches(images[count:], labels[count:])
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), program.network.held_shapes)
    frozen = program.place_frozen(zeros)
    state = program.init(values)
    epoch = program.lower("epoch", state, values, train, validation, frozen, phase=phase).compile()

    def run() -> int:
        nonlocal state
        state, records = epoch(state, values, train, validation, frozen)
        jax.block_until_ready((state, records))
        return candidate.width * count

    run()
    return run


def _epoch_images(work: Work) -> int:
    """Returns the training images of the epoch that is measured, whole batches."""
    batch = work.recipe.batch_size
    images = max(EPOCH_IMAGES, ENOUGH_STEPS * batch)
    if jax.default_backend() == "cpu":
        images = min(images, int(CPU_EPOCH_FLOPS / max(1.0, work.cost(COUNTED_BATCH).train_flops)))
    return min(max(FEWEST_STEPS, images // batch) * batch, work.images)


def to_stderr(line: str) -> None:
    """Shows a line at once, away from what a program prints."""
    print(line, file=sys.stderr, flush=True)


@dataclasses.dataclass(frozen=True)
class Tuner:
    """The part that times candidates where that pays, and remembers the results.

    Attributes:
        measurements: earlier ones.
        say: shows a line to a person while it measures.
        threshold: estimated seconds of training above which candidates are measured.
        budget: seconds after which no candidate is added; None for the backend's.
        start: makes a candidate ready to run.
        analyse: `memory.analyse`, or what stands in for it.
        clock: returns seconds.
    """

    measurements: Measurements
    say: Callable[[str], None] = to_stderr
    threshold: float = THRESHOLD_SECONDS
    budget: float | None = None
    start: Callable[[Work, Candidate], Runner] = start
    analyse: Callable[[Work, str, int, int], Footprint | None] = memory.analyse
    clock: Callable[[], float] = time.perf_counter

    def rates(self, stack: str, work: Work, ladders: Sequence[Sequence[Candidate]]) -> dict[Candidate, float]:
        """Returns the images a second of the candidates that were measured, now or earlier.

        It is empty where none of them runs.

        Args:
            stack: its name, for people.
            work: of the stack.
            ladders: of candidates, see `candidates.ladders`; the first of all is always measured.
        """
        question = {
            "subject": "rates",
            **work.program_key(),
            # A validation split of another size shifts the rate a little; by how much is not worth
            # measuring again.
            "validation_share": round(work.validation / work.train, 1),
            "ladders": [[dataclasses.astuple(candidate) for candidate in ladder] for ladder in ladders],
        }
        known = _as_rates(self.measurements.get(question))
        if known is None:
            known = self._measure(stack, work, ladders)
            self.measurements.put(
                question, [[*dataclasses.astuple(candidate), rate] for candidate, rate in known.items()]
            )
        return known

    def footprint(self, stack: str, work: Work, engine: str, micro_batch: int, test_bytes: int) -> Footprint | None:
        """Returns the compiler's numbers for a device's memory, asked for now or earlier.

        They are None where it cannot compile this.
        """
        program = {**work.sized_key(), "engine": engine, "micro_batch": micro_batch}
        question = {"subject": "memory", **program, "test_bytes": test_bytes}
        match self.measurements.get(question):
            case [int() | float() as base, int() | float() as per_trial] if per_trial > 0:
                return Footprint(base, per_trial)
        self.say(f"asking the compiler for the memory of {stack} under {engine} ...")
        try:
            found = self.analyse(work, engine, micro_batch, test_bytes)
        except jax.errors.JaxRuntimeError:
            found = None
        if found is None:
            return None
        self.measurements.put(question, [found.base, found.per_trial])
        return found

    def _measure(self, stack: str, work: Work, ladders: Sequence[Sequence[Candidate]]) -> dict[Candidate, float]:
        began = self.clock()
        budget = self.budget
        if budget is None:
            budget = BUDGET_SECONDS.get(jax.default_backend(), ACCELERATOR_BUDGET_SECONDS)
        rates: dict[Candidate, list[float]] = {}
        running: dict[Candidate, Runner] = {}
        longest = 0.0
        for ladder in ladders:
            before = 0.0
            for candidate in ladder:
                if candidate not in rates:
                    # Not even begun where it would not end in time.
                    if rates and self.clock() - began + longest > budget:
                        break
                    at = self.clock()
                    rates[candidate] = self._first(work, candidate, running)
                    longest = max(longest, self.clock() - at)
                    shown = f"{rates[candidate][0]:,.0f} images/s" if rates[candidate] else "does not run"
                    self.say(f"measuring engines for {stack}: {candidate}: {shown}")
                    _drop_slow(running, rates)
                if not rates[candidate] or rates[candidate][0] < GROWTH * before:
                    break
                before = rates[candidate][0]
        for _ in range(TURNS - 1):
            if len(running) < 2 or self.clock() - began > budget:
                break
            for candidate, runner in running.items():
                rates[candidate].append(self._turn(runner))
        return {candidate: statistics.median(found) for candidate, found in rates.items() if found}

    def _first(self, work: Work, candidate: Candidate, running: dict[Candidate, Runner]) -> list[float]:
        """Returns a candidate's first rate, and adds the candidate to those running.

        It is [] where the candidate fails, most often for want of memory.
        """
        try:
            runner = self.start(work, candidate)
            rate = self._turn(runner)
        except jax.errors.JaxRuntimeError:
            return []
        running[candidate] = runner
        return [rate]

    def _turn(self, runner: Runner) -> float:
        began, images = self.clock(), 0
        while True:
            images += runner()
            seconds = self.clock() - began
            if seconds >= TURN_SECONDS:
                return images / seconds


def _drop_slow(running: dict[Candidate, Runner], rates: dict[Candidate, list[float]]) -> None:
    """Keeps those that may turn out to be the fastest; the others give their memory back."""
    fastest = sorted(running, key=lambda candidate: -rates[candidate][0])
    for place, candidate in enumerate(fastest):
        if place >= MOST_FINALISTS or rates[candidate][0] < FINALISTS * rates[fastest[0]][0]:
            del running[candidate]


def _as_rates(answer: Any) -> dict[Candidate, float] | None:
    """Returns an answer as candidates and rates; None for what is no such thing."""
    try:
        found = {Candidate(str(e), int(d), int(m), int(w)): float(rate) for e, d, m, w, rate in answer}
    except (TypeError, ValueError):
        return None
    return found if all(rate > 0 for rate in found.values()) else None
