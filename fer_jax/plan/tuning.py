"""How a stack is best run, by timing a few steps of each candidate, and its memory; both once.

The images are random and the program is the epoch's own, with validation in the stack's proportion.
The compiler is asked for the memory. Rates are trials x training images a second.
"""

import dataclasses
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import numpy as np

from fer_jax.base import console, machine
from fer_jax.config.fields import FIELDS
from fer_jax.plan import memory
from fer_jax.plan.candidates import Candidate
from fer_jax.plan.measurements import Measurements
from fer_jax.plan.memory import Footprint
from fer_jax.plan.work import COUNTED_BATCH, Work
from fer_jax.train.engine import WaveProgram
from fer_jax.train.hardware import Hardware, product_rate, typical_rate

THRESHOLD_SECONDS = 600.0
BUDGET_SECONDS = {"cpu": 60.0}
ACCELERATOR_BUDGET_SECONDS = 180.0  # compiles for longer, and how a network behaves there is less known beforehand
# Measuring takes no more than this share of the training that it is for, the first candidate apart.
MEASURING_SHARE = 0.1
# A ladder is climbed while a rung is so much faster than the one before; what is so near to the
# fastest takes turns.
GROWTH = 1.1
FINALISTS = 0.8
MOST_FINALISTS = 4
TURNS = 3
TURN_SECONDS = 0.3
PRODUCT, PRODUCT_TURNS = {"subject": "product"}, 5
MOST_NAMED = 4
# Turns of one thing that differ by more are those of a machine that does something else too.
STEADY = 0.2
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
    console.show(line, sys.stderr)


@dataclasses.dataclass(frozen=True)
class Tuner:
    """The part that times candidates where that pays, and remembers the results.

    Attributes:
        measurements: earlier ones.
        say: shows a line to a person while it measures.
        threshold: estimated seconds of training above which candidates are measured.
        measures: whether it may measure and ask the compiler, or only looks up what is known.
        budget: seconds after which no candidate is added; None for the backend's, on an accelerator
            for `MEASURING_SHARE` of the training where that is less.
        start: makes a candidate ready to run.
        time_product: returns the rate of a matrix product, timed just now.
        analyse: `memory.analyse`, or what stands in for it.
        clock: returns seconds.
        watch: begins to watch what other programs take of the processors.
        unknown: (stack, what was asked of it) that it neither knew nor might measure.
    """

    measurements: Measurements
    say: Callable[[str], None] = to_stderr
    threshold: float = THRESHOLD_SECONDS
    budget: float | None = None
    start: Callable[[Work, Candidate], Runner] = start
    time_product: Callable[[], float] = product_rate
    analyse: Callable[[Work, str, int, int], Footprint | None] = memory.analyse
    clock: Callable[[], float] = time.perf_counter
    watch: Callable[[], machine.Watch] = machine.Watch
    measures: bool = True
    unknown: list[tuple[str, str]] = dataclasses.field(default_factory=list)

    def rates(
        self, stack: str, work: Work, ladders: Sequence[Sequence[Candidate]], seconds: float = math.inf
    ) -> dict[Candidate, float]:
        """Returns the images a second of the candidates that were measured, now or earlier.

        It is empty where none of them runs, or where none was measured and `measures` is off. What
        is timed while other programs work serves this plan only: it is not kept.

        Args:
            stack: its name, for people.
            work: of the stack.
            ladders: of candidates, see `candidates.ladders`; the first of all is always measured.
            seconds: that the stack trains, as far as is known.
        """
        question = {
            "subject": "rates",
            **work.program_key(),
            # A validation split of another size shifts the rate a little; by how much is not worth
            # measuring again.
            "validation_share": round(work.validation / work.train, 1),
            "ladders": [[dataclasses.astuple(candidate) for candidate in ladder] for ladder in ladders],
        }
        budget, halved = self._budget(seconds)
        # What had more time serves as well; what had less time is not enough.
        questions = [question | ({"halved": times} if times else {}) for times in range(halved + 1)]
        answers = (_as_rates(self.measurements.get(each)) for each in questions)
        known = next((found for found in answers if found is not None), None)
        if known is None and not self.measures:
            self.unknown.append((stack, "speed"))
            return {}
        if known is None:
            watch = self.watch()
            turns = self._measure(stack, work, ladders, budget)
            known = {candidate: statistics.median(found) for candidate, found in turns.items() if found}
            if disturbed := disturbance(watch, turns.values()):
                self.say(f"measured {stack} while {disturbed}: used now, not kept")
            else:
                self.measurements.put(
                    questions[-1], [[*dataclasses.astuple(candidate), rate] for candidate, rate in known.items()]
                )
        return known

    def known_product_rate(self) -> float:
        """Returns the rate of a matrix product that was measured earlier, 0 if none was."""
        match self.measurements.get(PRODUCT):
            case int() | float() as known if known > 0:
                return float(known)
        return 0.0

    def product_rate(self, hardware: Hardware, measures: bool) -> float:
        """Returns the rate of a float32 matrix product on all devices of a CPU, 0 elsewhere.

        It is what was measured on a quiet machine, earlier or, with `measures`, now; else
        `typical_rate`, so that two plans do not differ by what else the machine does.
        """
        if hardware.backend != "cpu":
            return 0.0
        if known := self.known_product_rate():
            return known
        if measures:
            watch = self.watch()
            turns = [self.time_product() for _ in range(PRODUCT_TURNS)]
            if disturbed := disturbance(watch, [turns]):
                self.say(f"timed a matrix product while {disturbed}: neither used nor kept")
            else:
                self.measurements.put(PRODUCT, max(turns))
                return max(turns)
        return typical_rate(hardware.devices)

    def footprint(self, stack: str, work: Work, engine: str, micro_batch: int, test_bytes: int) -> Footprint | None:
        """Returns the compiler's numbers for a device's memory, asked for now or earlier.

        They are None where it cannot compile this, or was not asked and `measures` is off.
        """
        program = {**work.sized_key(), "engine": engine, "micro_batch": micro_batch}
        question = {"subject": "memory", **program, "test_bytes": test_bytes}
        match self.measurements.get(question):
            case [int() | float() as base, int() | float() as per_trial] if per_trial > 0:
                return Footprint(base, per_trial)
        if not self.measures:
            self.unknown.append((stack, "memory"))
            return None
        self.say(f"asking the compiler for the memory of {stack} under {engine} ...")
        try:
            found = self.analyse(work, engine, micro_batch, test_bytes)
        except jax.errors.JaxRuntimeError:
            found = None
        if found is None:
            return None
        self.measurements.put(question, [found.base, found.per_trial])
        return found

    def describe_unknown(self) -> str:
        """Returns 'speed of stack_0, memory of stack_0 and 3 more', '' where all was known."""
        found = [f"{what} of {stack}" for stack, what in dict.fromkeys(self.unknown)]
        more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
        return ", ".join(found[:MOST_NAMED]) + more

    def _budget(self, seconds: float) -> tuple[float, int]:
        """Returns the seconds to measure in, and how often they are half of the backend's.

        In halves, so that stacks of nearly the same duration have one answer. On a CPU the
        threshold alone keeps the share.
        """
        backend = jax.default_backend()
        if self.budget is not None or backend in BUDGET_SECONDS:
            return BUDGET_SECONDS[backend] if self.budget is None else self.budget, 0
        share = MEASURING_SHARE * min(max(1.0, seconds), ACCELERATOR_BUDGET_SECONDS / MEASURING_SHARE)
        halved = math.ceil(math.log2(ACCELERATOR_BUDGET_SECONDS / share))
        return ACCELERATOR_BUDGET_SECONDS / 2**halved, halved

    def _measure(
        self, stack: str, work: Work, ladders: Sequence[Sequence[Candidate]], budget: float
    ) -> dict[Candidate, list[float]]:
        """Returns the rates that each candidate had in its turns; none where it does not run."""
        began = self.clock()
        rates: dict[Candidate, list[float]] = {}
        running: dict[Candidate, Runner] = {}
        longest = 0.0
        for ladder in ladders:
            before = 0.0
            for candidate in ladder:
                if _is_past_best_width(candidate, ladder, rates):
                    break
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
                if not rates[candidate] and candidate.width > ladder[-1].width:
                    continue  # a narrower one may fit
                if not rates[candidate] or rates[candidate][0] < GROWTH * before:
                    break
                before = rates[candidate][0]
        for _ in range(TURNS - 1):
            if len(running) < 2 or self.clock() - began > budget:
                break
            for candidate, runner in running.items():
                rates[candidate].append(self._turn(runner))
        return rates

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


def disturbance(watch: machine.Watch, turns: Iterable[Sequence[float]]) -> str:
    """Returns what disturbed a measurement, in words that follow 'while'; '' where nothing did.

    Args:
        watch: begun before it.
        turns: the rates that each of the things measured had, one after another; they tell where
            the system does not say what other programs take.
    """
    others = watch.others()
    if others is not None:
        return f"other programs took {others:.0%} of the processors" if others > machine.QUIET else ""
    spread = max((max(found) / min(found) - 1 for found in turns if len(found) > 1), default=0.0)
    return f"turns of the same differed by {spread:.0%}" if spread > STEADY else ""


def _is_past_best_width(candidate: Candidate, ladder: Sequence[Candidate], rates: dict[Candidate, list[float]]) -> bool:
    """Returns whether a ladder to narrower widths begins where a wider one has already paid."""
    if ladder[-1].width >= candidate.width or not rates.get(candidate):
        return False
    wider = [found for one, found in rates.items() if one == dataclasses.replace(candidate, width=one.width)]
    return max(found[0] for found in wider if found) >= GROWTH * rates[candidate][0]


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
