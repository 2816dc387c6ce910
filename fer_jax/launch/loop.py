"""The loop of a sweep on this machine: expand, plan, train wave by wave, store."""

import functools
import gc
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
from ml_collections import ConfigDict

from fer_jax.analysis import statistics
from fer_jax.base import cache
from fer_jax.base.text import counted, in_time
from fer_jax.errors import FerJaxError, RunError
from fer_jax.launch import (
    beginning,
    compiling,
    config_json,
    finished,
    halving,
    head_fits,
    longer,
    more_seeds,
    packing,
    rungs,
    stopping,
    wave,
)
from fer_jax.launch.placing import PlacedData
from fer_jax.launch.planned import cut_again
from fer_jax.launch.prepared import Prepared, prepare
from fer_jax.launch.programs import Programs
from fer_jax.launch.progress import PLANNING, Progress
from fer_jax.launch.trial_table import TrialTable
from fer_jax.launch.wave_job import WaveJob
from fer_jax.plan import Plan, Stack, Wave
from fer_jax.store import RunDirectory
from fer_jax.train import hardware
from fer_jax.train.engine import WaveProgram


def run_sweep(
    config: ConfigDict, workdir: str | Path, *, extend: bool = False, retry_failed: bool = False, command: str = ""
) -> Path:
    """Trains everything a config asks for that `workdir` does not hold yet, and writes its tables.

    Args:
        config: as `fer_jax.config.default_config` makes it.
        workdir: the run directory, made if need be.
        extend: allow new points and repeats in a directory that holds some of them.
        retry_failed: train trials again that failed.
        command: recorded in config.json.

    Returns:
        `workdir` as a path; `fer_jax.load_run` opens it.

    Raises:
        FerJaxError: a wrong config, broken data, a locked or foreign directory.
        KeyboardInterrupt: the user stopped; the same call goes on from there.
    """
    hardware.prepare_host_devices()
    if programs := cache.optional("compiled"):
        hardware.use_compilation_cache(programs)
    directory = RunDirectory(workdir)
    directory.check_ours()
    config, extend = more_seeds.with_recorded(config, directory, extend)
    _run_stage(config, directory, extend, retry_failed, command)
    while following := more_seeds.following(config, directory):
        config, choice = following
        _run_stage(config, directory, True, retry_failed, command, choice)
    return directory.path


def _run_stage(
    config: ConfigDict,
    directory: RunDirectory,
    extend: bool,
    retry_failed: bool,
    command: str,
    choice: Mapping[str, Any] | None = None,
) -> None:
    """Trains what the config names and the directory does not hold.

    `choice` goes into config.json, see `more_seeds.following`.
    """
    prepared = prepare(config, beginning.recorded_ids(directory))
    with directory.lock(), directory.open_log() as log, Progress(log) as progress:
        sweep = Sweep.begin(prepared, directory, progress, extend, retry_failed, command, choice)
        try:
            with stopping.requests(sweep.progress.note) as stop_requested:
                sweep.train(stop_requested)
                sweep.fit_heads(stop_requested, retry_failed)
                if stop_requested() and (later := more_seeds.later(config, choice)):
                    sweep.stop(f"before {later}")
        finally:
            sweep.end()


class Sweep:
    """One start of a sweep in its (locked) run directory; `begin` makes it.

    Args:
        prepared: its trials and their data.
        directory: its run directory.
        progress: told what happens.
        plan: of all its trials.
        record: what config.json says of it.
        table: trials.csv.
        started: when it began, in seconds of `time.monotonic`.
    """

    def __init__(
        self,
        prepared: Prepared,
        directory: RunDirectory,
        progress: Progress,
        plan: Plan,
        record: dict[str, Any],
        table: TrialTable,
        started: float,
    ):
        self.prepared, self.directory, self.progress = prepared, directory, progress
        self.plan, self.record, self.table, self.started = plan, record, table, started
        self.data = PlacedData(prepared, progress.say)
        self.waiting: deque[tuple[Stack, Wave]] = deque()
        self.fits_done = not prepared.fits
        self.images, self.training_seconds = 0, 0.0

    @classmethod
    def begin(
        cls,
        prepared: Prepared,
        directory: RunDirectory,
        progress: Progress,
        extend: bool,
        retry_failed: bool,
        command: str,
        choice: Mapping[str, Any] | None,
    ) -> "Sweep":
        """Plans what is new and writes config.json, plan.json and trials.csv.

        Args:
            prepared, directory, progress: as for `Sweep`.
            extend, retry_failed, command: as for `run_sweep`.
            choice: as for `config_json.begin`.

        Raises:
            RunError: the directory holds another sweep, see `resume.check`.
        """
        started = time.monotonic()
        with progress.waiting(PLANNING):
            plan, record, table = beginning.begin(
                prepared, directory, progress.say, extend, retry_failed, command, choice
            )
        finished.look_after(prepared, directory, table.rows, progress)
        beginning.tell(prepared, plan, choice, progress)
        return cls(prepared, directory, progress, plan, record, table, started)

    def train(self, stop_requested: Callable[[], bool]) -> None:
        """Trains every wave that has a pending trial, rung after rung where there is a search."""
        self.waiting = self._pending()
        # All of them before anything is compiled: damage may cost hours, and be found undone.
        self.begun = {one.name: self.directory.resume(one.name, self.progress.say) for _, one in self.waiting}
        if best := self.table.best():
            self.progress.found(best[1], self.prepared.words(self.prepared.trials[best[0]]))
        statuses = self.table.rows["status"]
        done, paused = sum(~statuses.isin(["pending", "paused"])), sum(statuses == "paused")
        if done or paused:
            wait = f", {paused} wait at a rung" if paused else ""
            self.progress.say(
                f"{done} of {len(statuses)} trials were trained before{wait}; waves left: {len(self.waiting)}"
            )
        with Programs(*compiling.makers(self.prepared)) as programs:
            while True:
                self._train_waiting(programs, stop_requested)
                if not self._end_rung():
                    return
                self.waiting = self._pending()

    def _train_waiting(self, programs: Programs, stop_requested: Callable[[], bool]) -> None:
        self._count_work()
        while self.waiting:
            stack, one = self.waiting.popleft()
            if stop_requested():
                self.table.mark(one, "pending")
                self.stop(f"before {one.name}")
            self._train_wave(stack, one, programs, stop_requested)

    def _end_rung(self) -> bool:
        """Compares the points that wait, and plans the waves in which the others go on.

        Returns whether any waited.
        """
        search = self.prepared.search
        if search is None:
            return False
        cut = functools.partial(cut_again, self.prepared)
        failed = frozenset(self.table.rows.index[self.table.rows["status"] == "failed"])
        found = rungs.decide(self.plan, search, self.directory, failed, cut, self.progress.say)
        if found is None:
            return False
        self.plan, old = found
        self.directory.write_plan(self.plan.to_json())
        for one in old:
            self.directory.forget(one.name)
        self.table.place(self.plan, pending=old)
        return True

    def _count_work(self) -> None:
        """Tells the progress what is left, also of rungs that no wave is planned for."""
        left = sum(self._flops_left(stack, one) for stack, one in self.waiting)
        # What left a search early was never to be trained to its end: its share is of this start.
        before = 0.0 if self.prepared.search else sum(stack.flops for stack in self.plan.stacks) - left
        self.progress.count_work(left + rungs.flops_ahead(self.plan, self.prepared.search), before)

    def stop(self, where: str) -> NoReturn:
        """Says where the user's request to stop was met, and raises KeyboardInterrupt."""
        self.progress.say(f"stopped {where}; the same command goes on from there")
        raise KeyboardInterrupt from None

    def fit_heads(self, stop_requested: Callable[[], bool], retry_failed: bool) -> None:
        """Fits the heads of every trained trial that heads.csv does not hold yet."""
        head_fits.fit_heads(self.prepared, self.directory, self.table.rows, self.progress, stop_requested, retry_failed)
        self.fits_done = True

    def end(self) -> None:
        """Writes the summary and what this start has cost, also after an interruption or error."""
        statuses = self.table.rows["status"]
        seconds = (self.record.get("seconds") or 0.0) + time.monotonic() - self.started
        ended = config_json.now() if self.fits_done and (statuses != "pending").all() else None
        rate = self.images / self.training_seconds if self.training_seconds else self.record.get("images_per_second")
        self.record.update(finished=ended, seconds=seconds, images_per_second=rate)
        self.directory.write_config(self.record)
        trials = self.directory.read_trials()
        overlap = statistics.fold_overlap(self.record["config"])
        self.directory.write_summary(statistics.summarise(trials, self.record["swept"], overlap=overlap))
        self.progress.say(f"{statistics.count_words(statuses)} in {in_time(time.monotonic() - self.started)}")

    def _pending(self) -> deque[tuple[Stack, Wave]]:
        """Returns the waves to train, in running order; the others lose the states they can."""
        pending: deque[tuple[Stack, Wave]] = deque()
        for stack in self.plan.stacks:
            for one in stack.waves:
                if one.pauses and self.table.has_pending(one) and self._has_paused(one):
                    self.table.mark(one, "paused")
                if self.table.has_pending(one):
                    pending.append((stack, one))
                elif not (one.pauses and not self.table.has_failed(one)):
                    self._drop_state(stack, one)
        return pending

    def _has_paused(self, one: Wave) -> bool:
        """Returns whether an earlier start trained a wave to the end of its rung."""
        return self.directory.latest_state(one.name) == one.until and (
            self.directory.resume(one.name, self.progress.say) == one.until
        )

    def _drop_state(self, stack: Stack, one: Wave) -> None:
        """Deletes what a wave that is over need not keep of its states."""
        kept = longer.keeps_state(self.prepared, stack) and not self.table.has_failed(one)
        self.directory.drop_state(one.name, keep_newest=kept)

    def _train_wave(self, stack: Stack, one: Wave, programs: Programs, stop_requested: Callable[[], bool]) -> None:
        self.table.mark(one, "running")
        try:
            results = self._run(stack, one, programs, stop_requested)
        except wave.Interrupted:
            self.table.mark(one, "pending")
            self.stop(f"in {one.name}")
        except FerJaxError:
            with suppress(RunError):
                self.table.mark(one, "pending")
            raise
        except Exception as error:
            # Whatever one wave dies of, the others still run.
            self.progress.note(traceback.format_exc())
            message = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            exhausted = halving.is_out_of_memory(error)
        else:
            if results is None:
                self.table.mark(one, "paused")
            else:
                self._enter(stack, one, results)
            return
        # Out here the error is gone, and with it the frames that held the wave's arrays.
        gc.collect()
        if exhausted and self._halve(stack, one, programs):
            return
        advice = f"; {halving.ADVICE}" if exhausted else ""
        self.progress.say(
            f"{one.name} failed: {message}{advice}; the traceback is in log.txt, --retry_failed tries again"
        )
        self._enter(stack, one, pd.DataFrame({"status": "failed", "error": message + advice}, index=list(one.trials)))

    def _enter(self, stack: Stack, one: Wave, results: pd.DataFrame) -> None:
        self.table.enter(results, self.waiting[0][1] if self.waiting else None)
        self._drop_state(stack, one)

    def _halve(self, stack: Stack, one: Wave, programs: Programs) -> bool:
        """Replaces a wave that did not fit by halves, and those that wait and are as wide.

        Returns:
            Whether there are such halves.
        """
        width = stack.width_of(one)
        alike = [one, *(each for of, each in self.waiting if of.name == stack.name and of.width_of(each) == width)]
        parts = {each.name: halving.halves(stack, each) for each in alike}
        if not parts[one.name]:
            return False
        programs.forget(stack, width)
        epochs = [halving.hand_down(self.directory, stack, each, parts[each.name]) for each in alike]
        self.plan = halving.replaced(self.plan, parts)
        self.directory.write_plan(self.plan.to_json())
        halving.remember_limit(self.prepared, stack, parts[one.name][0])
        for each in alike:
            self.directory.forget(each.name)
        self.table.place(self.plan)
        for each in alike:
            self.table.mark(each, "pending")
        self.waiting = self._pending()
        self._count_work()
        going_on = f"going on from epoch {epochs[0]}" if epochs[0] else "starting again"
        self.progress.say(f"{one.name} did not fit: halved to {counted(parts[one.name][0].width, 'trial')}, {going_on}")
        return True

    def _run(
        self, stack: Stack, one: Wave, programs: Programs, stop_requested: Callable[[], bool]
    ) -> pd.DataFrame | None:
        trials = [self.prepared.trials[identity] for identity in one.trials]
        width = stack.width_of(one)
        program = self._program(stack, width, programs)
        if stop_requested():
            raise wave.Interrupted
        frozen = self.data.frozen(program, trials[0]) if stack.frozen == "shared" else None
        job = WaveJob(
            wave=one,
            trials=trials,
            width=width,
            program=program,
            data=self.data.data(program, trials[0], frozen),
            statistics=self.data.statistics(trials[0]),
            checkpoint_every=self.prepared.config.checkpoint.every,
            keeps_state=longer.keeps_state(self.prepared, stack),
            packs=packing.pays(stack, program.recipe),
            narrower=lambda fewer: programs.take(stack, fewer)[0],
            compile_ahead=lambda fewer: programs.begin(stack, fewer),
            words=self.prepared.words,
            initial=[self.prepared.initial(each) for each in trials],
            frozen=frozen,
        )
        begun, rung = self.directory.latest_state(one.name) or 0, rungs.words(one, self.prepared.search)
        title = f"{one.name} ({counted(len(trials), 'trial')}{rung})"
        if begun and self.begun.pop(one.name, 0):
            self.progress.say(f"{title}: going on at epoch {begun + 1}")
        done, place = job.images() - job.images(begun), f"{self.plan.place(stack, one)}{rung}"
        flops = self._flops_left(stack, one)
        with self.progress.wave(title, job.images(), done, flops, job.epochs(), begun, place) as follower:
            results = wave.train(job, self.directory, follower, stop_requested)
        if follower.images_per_second:
            self.images += follower.images
            self.training_seconds += follower.seconds
        rate = f", {follower.images_per_second:,.0f} trial-images/s" if follower.images_per_second else ""
        if results is None:
            self.progress.say(f"{title}: at epoch {one.until}{rate}")
            return None
        outcome = statistics.count_words(results["status"])
        highest = pd.to_numeric(results["val_accuracy"]).max()
        best = f", best val accuracy {highest:.3f}" if highest == highest else ""  # NaN where all diverged
        self.progress.say(f"{title}: {outcome}{rate}{best}")
        return results

    def _program(self, stack: Stack, width: int, programs: Programs) -> WaveProgram:
        """Returns the program of a wave; that of the next kind of wave is made meanwhile."""
        following = next(
            (one for one in self.waiting if (one[0].name, one[0].width_of(one[1])) != (stack.name, width)), None
        )
        if self.prepared.search is None:  # else those that leave at a rung want its programs again
            programs.keep({stack.name, following[0].name} if following else {stack.name})
        if not programs.is_ready(stack, width):
            with self.progress.waiting(f"compiling {stack.name} ({self.plan.number(stack)})"):
                programs.begin(stack, width)
                self.directory.import_writers()
                programs.take(stack, width)
        program, seconds = programs.take(stack, width)
        self.progress.note(f"{stack.name} was compiled in {seconds:.1f} s")
        if following:
            programs.begin(following[0], following[0].width_of(following[1]))
        return program

    def _flops_left(self, stack: Stack, one: Wave) -> float:
        """Returns the floating-point operations of one wave from its newest state on."""
        epochs = [self.prepared.trials[identity].values["train.epochs"] for identity in one.trials]
        done = self.directory.latest_state(one.name) or 0
        share = sum(max(0, one.end(each) - done) for each in epochs) / sum(epochs)
        return stack.flops * len(one.trials) / len(stack.trials) * share
