"""One wave from its first epoch, or its last checkpoint, to its final weights and results."""

import functools
import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
import pandas as pd

from fer_jax.launch import initial_weights, packing
from fer_jax.launch.packing import PackedWave
from fer_jax.launch.progress import WaveProgress
from fer_jax.launch.wave_job import WaveJob
from fer_jax.launch.wave_results import curve_rows, result_rows
from fer_jax.store import RunDirectory
from fer_jax.train.engine import WaveProgram
from fer_jax.train.trial import TrialState, is_active

# Epochs that take longer gain nothing from being started ahead, and a person who asks to stop
# should not wait for two of them.
AHEAD_BELOW_SECONDS = 1.0


class Interrupted(Exception):
    """The sign that the user asked to stop; the wave's state is saved when it is raised."""


def train(
    job: WaveJob, directory: RunDirectory, progress: WaveProgress, stop: Callable[[], bool]
) -> pd.DataFrame | None:
    """Trains a wave to its end and leaves curves and final weights in the run directory.

    A wave that pauses leaves curves and its state.

    Args:
        job: what to train.
        directory: where it goes; the wave goes on from the newest state there.
        progress: told of every epoch.
        stop: asked after every epoch.

    Returns:
        A row a trial, indexed by id: the columns `wave_results.RESULTS`; None of a wave that
        pauses.

    Raises:
        Interrupted: `stop` said so; the state after the epochs that ran by then is saved.
    """
    training = _Training(job, directory, progress)
    training.run(stop)
    if job.wave.pauses:
        training.pause()
        return None
    return training.finish()


class _Training:
    """A wave in training.

    The devices are kept busy in two ways. Where epochs are short the next one is started before the
    records of the last are read ("ahead"), unless a checkpoint or a change of program stands
    between them, and only while some trial has epochs left by train.epochs. Should all of these
    have stopped or diverged meanwhile, that epoch finds nothing to do: it changes no bit, and a
    vectorised wave has wasted the time of one short epoch. And files are written while the epoch
    after them runs.

    Attributes:
        epoch: the last whose records have been read.
        phase: of the training, see `Recipe.phases`; one for all trials of the wave.
        active: bool (width,), slots that go on after it.
        done: int (width,), epochs each slot was trained.
        records: of epochs that are not in the curves on disk yet, each of all slots.
        running: records on the devices of epochs that were started and not read.
    """

    def __init__(self, job: WaveJob, directory: RunDirectory, progress: WaveProgress):
        self.job, self.directory, self.progress = job, directory, progress
        self.hyper = job.hyper()
        self.epochs = np.asarray(self.hyper["train.epochs"])
        self.epoch = self.written = directory.resume(job.wave.name)
        self.phase = job.program.recipe.phase_after(self.epoch)
        if self.epoch:
            self._restore()
        else:
            state = initial_weights.overwrite(job.program, job.program.init(self.hyper), job.initial)
            self.wave = PackedWave(job.program, np.arange(job.width), state, self.hyper)
            self.active, self.done = self.epochs > 0, np.zeros(job.width, int)
        self.records: list[Mapping[str, np.ndarray]] = []
        self.running: deque[Mapping[str, jax.Array]] = deque()
        self.read_at, self.seconds = time.monotonic(), math.inf

    def _restore(self) -> None:
        shapes = self.job.program.state_shapes(self.hyper)
        abstract = {**shapes.named(), "slots": jax.ShapeDtypeStruct((self.job.width,), np.int32)}
        # Without shardings: everything comes to the host first, where the slots are told apart.
        abstract = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), abstract)
        found = self.directory.restore_state(self.job.wave.name, abstract)
        slots = packing.unpadded(found.pop("slots"))
        whole, hyper = TrialState.from_named(found, shapes), jax.device_get(self.hyper)
        self._see(whole, hyper)
        if self._is_packing(self.epoch):
            # The state after the last epoch of a wave whose trials now go on has not been packed.
            slots = packing.choose(self.active, slots, len(self.job.program.devices))
        self.wave = PackedWave.of(self._program(len(slots)), slots, whole, hyper)

    def _see(self, whole: TrialState, hyper: Mapping[str, np.ndarray]) -> None:
        """Notes which slots are active and what they have done, from the state on the host."""
        recipe = self.job.program.recipe.of_phase(self.phase)
        # All slots at once, by NumPy: a vectorised function would be compiled for every width.
        values = {name: np.moveaxis(np.asarray(value), 0, -1) for name, value in hyper.items()}
        self.active = np.asarray(is_active(recipe, whole, values))
        self.done = np.array(whole.epoch)

    def _program(self, width: int) -> WaveProgram:
        return self.job.program if width == self.job.width else self.job.narrower(width)

    def run(self, stop: Callable[[], bool]) -> None:
        """Trains until no trial has an epoch left.

        Raises:
            Interrupted: `stop` said so before; the state is saved.
        """
        stopping = False
        while True:
            while not stopping and self._may_start():
                self._start()
            if not self.running:
                if not self._begin_next_phase():
                    return
                if stopping:
                    self._save(go_on=False)
                    self.directory.wait()
                    raise Interrupted
                continue
            self._read()
            stopping = stopping or stop()
            if self.running or not self.active.any():
                continue
            if self._is_packing(self.epoch):
                self._pack()
            if stopping or self._is_checkpoint(self.epoch):
                self._save(go_on=not stopping and self._may_start())
            if stopping:
                self.directory.wait()
                raise Interrupted

    def _may_start(self) -> bool:
        if self.job.wave.until and self.epoch + len(self.running) >= self.job.wave.until:
            return False
        if not self.running:
            return bool(self.active.any())
        ends = self.job.program.recipe.ends
        last = np.minimum(self.epochs, ends[self.phase]) if self.phase < len(ends) else self.epochs
        after_next = self.active & (self.done + 1 < last)
        short = self.seconds < AHEAD_BELOW_SECONDS
        return len(self.running) == 1 and short and not self._is_boundary(self.epoch + 1) and bool(after_next.any())

    def _begin_next_phase(self) -> bool:
        """Goes on to the next phase with all trials that have not diverged.

        Returns whether there is one. The epochs are numbered as if no trial had been stopped early,
        so that all trials of a phase are in the same one.
        """
        recipe = self.job.program.recipe
        if self.phase == len(recipe.ends):
            return False
        self._write_curves()
        self.phase, self.epoch = self.phase + 1, recipe.ends[self.phase]
        self.written = self.epoch
        if self.wave.resting is not None:
            whole, hyper = self.wave.whole(), jax.device_get(self.hyper)
            del self.wave  # its memory is wanted for what comes
            self.wave = PackedWave.of(self.job.program, np.arange(self.job.width), whole, hyper)
        wave = self.wave
        wave.state = wave.program.next_phase(wave.state, wave.hyper, self.phase)
        self._see(wave.whole(), jax.device_get(self.hyper))
        self.progress.note(
            f"phase {self.phase + 1} begins after epoch {self.epoch} with {int(self.active.sum())} slots"
        )
        return True

    def _is_checkpoint(self, epoch: int) -> bool:
        return bool(self.job.checkpoint_every) and epoch % self.job.checkpoint_every == 0

    def _is_packing(self, epoch: int) -> bool:
        return self.job.packs and epoch % packing.EPOCHS == 0

    def _is_boundary(self, epoch: int) -> bool:
        """Returns whether the state after an epoch is looked at.

        No other epoch may have taken its place by then.
        """
        return self._is_checkpoint(epoch) or self._is_packing(epoch)

    def _start(self) -> None:
        wave, done = self.wave, self.epoch + len(self.running)
        wave.state, record = self.job.data.train_epoch(wave.program, wave.state, wave.hyper, done, self.phase)
        self.running.append(record)

    def _read(self) -> None:
        # The one place where the host waits for the devices.
        record = self.wave.spread(jax.device_get(self.running.popleft()), self.job.width)
        self.seconds, self.read_at = time.monotonic() - self.read_at, time.monotonic()
        self.epoch += 1
        self.records.append(record)
        self.active = record["active"]
        self.done = self.done + record["ran"]
        if record["ran"].any():
            scores = np.where(record["ran"] & np.isfinite(record["val_accuracy"]), record["val_accuracy"], -np.inf)
            slot = int(scores.argmax())
            best, whose = (
                (None, "") if scores[slot] < 0 else (float(scores[slot]), self.job.words(self.job.trials[slot]))
            )
            self.progress.epoch(self.epoch, int(record["ran"].sum()) * self.job.images_per_epoch(), best, whose)
        if self.job.packs:
            self._compile_ahead()

    def _compile_ahead(self) -> None:
        """Has the next narrower program made where it will soon be wanted."""
        width = len(self.wave.slots)
        narrower = packing.half(width, len(self.job.program.devices))
        if narrower < width and 0 < self.active.sum() < packing.COMPILE_BELOW * width:
            self.job.compile_ahead(narrower)

    def _pack(self) -> None:
        """Goes on in a narrower program if the active trials fit."""
        slots = packing.choose(self.active, self.wave.slots, len(self.job.program.devices))
        if len(slots) == len(self.wave.slots):
            return
        self.progress.note(f"{len(slots)} of {len(self.wave.slots)} slots go on after epoch {self.epoch}")
        whole = self.wave.whole()
        del self.wave  # its memory is wanted for what comes
        self.wave = PackedWave.of(self._program(len(slots)), slots, whole, jax.device_get(self.hyper))

    def _save(self, go_on: bool) -> None:
        """Writes a checkpoint; with `go_on` the next epoch runs while it is written."""
        state, epoch = self._state(), self.epoch
        if go_on:
            self._start()
        self._write_curves()
        self.directory.save_state(self.job.wave.name, epoch, state, owned=True)

    def _state(self) -> dict[str, Any]:
        return {**self.wave.whole().named(), "slots": packing.padded(self.wave.slots, self.job.width)}

    def _write_curves(self) -> None:
        name, first = self.job.wave.name, self.written + 1
        self.directory.curves.write(name, first, curve_rows(self.job, first, self.records))
        self.written, self.records = self.epoch, []

    def pause(self) -> None:
        """Leaves curves and state on disk, as of the epoch in which the wave ends."""
        self._write_curves()
        name, until = self.job.wave.name, self.job.wave.until
        # Trials that all ended before have nothing more to do in these epochs.
        if self.directory.latest_state(name) != until:
            self.directory.save_state(name, until, self._state(), owned=True)
        self.directory.wait()

    def finish(self) -> pd.DataFrame:
        """Leaves curves and final weights on disk; returns what `train` returns."""
        self._write_curves()
        if self.job.keeps_state and self.directory.latest_state(self.job.wave.name) != self.epoch:
            self.directory.save_state(self.job.wave.name, self.epoch, self._state(), owned=True)
        state = self.wave.state
        if self.wave.resting is not None:
            state = jax.device_put(self.wave.whole(), self.job.program.per_trial)
        name = self.job.wave.name
        keep = functools.partial(self.directory.predictions.write, name)
        results = result_rows(self.job, state, self.hyper, self.directory.curves.read(name), keep)
        last = {"params": state.params, "stats": state.stats}
        pixels = {"scale": self.hyper["pixels.scale"], "offset": self.hyper["pixels.offset"]}
        shared = {"shared": dict(self.job.frozen.arrays)} if self.job.frozen else {}
        weights = {"best": state.best, "last": last, "pixels": pixels, **shared}
        self.directory.save_final(name, weights, self.job.wave.trials)
        return results
