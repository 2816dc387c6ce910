"""One wave from its first epoch, or from its last checkpoint, to its final weights and its rows of the results."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import pandas as pd

from fer_jax.launch.progress import WaveProgress
from fer_jax.plan import Wave, traced_values
from fer_jax.search.space import Trial
from fer_jax.store import RunDirectory
from fer_jax.train.engine import WaveProgram
from fer_jax.train.feed import Data
from fer_jax.train.hyper import Facts
from fer_jax.train.patience import Watch
from fer_jax.train.trial import TrialState

CURVE_METRICS = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
RESULTS = (
    "status",
    "epochs",
    "best_epoch",
    "diverged_epoch",
    *CURVE_METRICS,
    "test_loss",
    "test_accuracy",
    *(f"last_{name}" for name in (*CURVE_METRICS, "test_loss", "test_accuracy")),
    "error",
)


WATCHES = ("plateau", "stop")  # the fields of a state that are a Watch


class Interrupted(Exception):
    """The user asked to stop; the wave's state is saved."""


@dataclasses.dataclass(frozen=True)
class WaveJob:
    """A wave and everything it needs.

    Attributes:
      wave: its name and trial ids.
      trials: the trials, in the order of their slots.
      width: slots; those beyond the trials stay idle.
      program: of its stack.
      data: what it trains on, on the program's devices or streamed to them.
      facts: of the data, for the traced values that depend on them.
      checkpoint_every: epochs between checkpoints of the full state, 0 for none.
    """

    wave: Wave
    trials: Sequence[Trial]
    width: int
    program: WaveProgram
    data: Data
    facts: Facts
    checkpoint_every: int

    def hyper(self) -> dict[str, jax.Array]:
        """Traced values, see `train.hyper`; an idle slot has the first trial's values and no epochs."""
        idle = {**traced_values(self.trials[0].values), "train.epochs": 0}
        rows = [traced_values(trial.values) for trial in self.trials] + [idle] * (self.width - len(self.trials))
        return self.program.place_hyper({name: [row[name] for row in rows] for name in rows[0]}, self.facts)

    def images_per_epoch(self) -> int:
        """Training images of one epoch of one trial."""
        batch = self.program.recipe.batch_size
        return self.data.train_images // batch * batch

    def images(self, after_epoch: int = 0) -> int:
        """Training images of all trials beyond an epoch."""
        left = (max(0, trial.values["train.epochs"] - after_epoch) for trial in self.trials)
        return self.images_per_epoch() * sum(left)


def train(job: WaveJob, directory: RunDirectory, progress: WaveProgress, stop: Callable[[], bool]) -> pd.DataFrame:
    """Trains a wave to its end and leaves curves and final weights in the run directory.

    Args:
      job: what to train.
      directory: where it goes; the wave goes on from the newest state there.
      progress: told of every epoch.
      stop: asked after every epoch; true saves the state and raises Interrupted.

    Returns:
      A row a trial, indexed by id: the columns `RESULTS`.
    """
    hyper = job.hyper()
    epoch = directory.resume(job.wave.name)
    state = _restore(job, directory, hyper) if epoch else job.program.init(hyper)
    first, records = epoch + 1, []
    active = True
    while active:
        # The one place where the host waits for the device.
        state, record = job.data.train_epoch(job.program, state, hyper, epoch)
        record = jax.device_get(record)
        epoch += 1
        records.append(record)
        active = bool(record["active"].any())
        scores = record["val_accuracy"][record["ran"]]
        best = float(np.nanmax(scores)) if np.isfinite(scores).any() else None
        progress.epoch(epoch, int(record["ran"].sum()) * job.images_per_epoch(), best)
        stopping = active and stop()
        if active and (stopping or (job.checkpoint_every and epoch % job.checkpoint_every == 0)):
            directory.write_curves(job.wave.name, first, _curve_rows(job.wave.trials, first, records))
            directory.save_state(job.wave.name, epoch, _as_dict(state))
            first, records = epoch + 1, []
        if stopping:
            directory.wait()
            raise Interrupted
    directory.write_curves(job.wave.name, first, _curve_rows(job.wave.trials, first, records))
    results = _results(job, state, hyper, directory.read_curves(job.wave.name))
    last = {"params": state.params, "stats": state.stats}
    pixels = {"scale": hyper["pixels.scale"], "offset": hyper["pixels.offset"]}
    directory.save_final(job.wave.name, {"best": state.best, "last": last, "pixels": pixels})
    return results


def _as_dict(state: TrialState) -> dict[str, Any]:
    fields = {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
    watches = {name: {"best": fields[name].best, "wait": fields[name].wait} for name in WATCHES}
    # An optimiser's state is nested tuples whose types belong to Optax; only its leaves are data.
    return {**fields, **watches, "opt": {f"leaf_{i}": leaf for i, leaf in enumerate(jax.tree.leaves(state.opt))}}


def _restore(job: WaveJob, directory: RunDirectory, hyper: Mapping[str, jax.Array]) -> TrialState:
    shapes = job.program.state_shapes(hyper)
    found = directory.restore_state(job.wave.name, _as_dict(shapes))
    opt = jax.tree.unflatten(jax.tree.structure(shapes.opt), [found["opt"][f"leaf_{i}"] for i in range(len(found["opt"]))])
    return TrialState(**{**found, "opt": opt, **{name: Watch(**found[name]) for name in WATCHES}})


def _curve_rows(ids: Sequence[str], first: int, records: Sequence[Mapping[str, np.ndarray]]) -> pd.DataFrame:
    """A row a trial and epoch, for the epochs a trial was trained in."""
    parts = []
    for epoch, record in enumerate(records, first):
        ran = np.flatnonzero(record["ran"][: len(ids)]).tolist()
        columns = {name: record[name][ran] for name in CURVE_METRICS}
        parts.append(pd.DataFrame({"id": [ids[slot] for slot in ran], "epoch": epoch, **columns}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _results(job: WaveJob, state: TrialState, hyper: Mapping[str, jax.Array], curves: pd.DataFrame) -> pd.DataFrame:
    """Metrics at the weights validation chose and at the last epoch; the only place that reads the test split."""
    slots = range(len(job.trials))
    host = jax.device_get({"epoch": state.epoch, "best": state.best_epoch, "diverged": state.diverged_epoch})
    table = pd.DataFrame(index=pd.Index(job.wave.trials, name="id"), columns=list(RESULTS), dtype=object)
    table["epochs"] = host["epoch"][slots]
    table["best_epoch"] = host["best"][slots]
    table["diverged_epoch"] = [int(epoch) or None for epoch in host["diverged"][slots]]
    table["status"] = np.where(host["diverged"][slots] > 0, "diverged", "done")
    table["error"] = ""
    at = curves.set_index(["id", "epoch"])[list(CURVE_METRICS)]
    for prefix, column in (("", "best_epoch"), ("last_", "epochs")):
        chosen = at.reindex(list(zip(table.index, table[column], strict=True))).to_numpy()
        table[[prefix + name for name in CURVE_METRICS]] = chosen
    if job.data.has_test:
        last = {"params": state.params, "stats": state.stats}
        for prefix, variables in (("", state.best), ("last_", last)):
            loss, accuracy = jax.device_get(job.data.evaluate(job.program, variables, hyper, "test"))
            # Before its first finite epoch a trial has nothing to test.
            tested = host["best"][slots] > 0
            table[f"{prefix}test_loss"] = np.where(tested, loss[slots], np.nan)
            table[f"{prefix}test_accuracy"] = np.where(tested, accuracy[slots], np.nan)
    return table
