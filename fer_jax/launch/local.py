"""The loop of a sweep on this machine: expand, plan, train wave by wave, store."""

import datetime
import importlib.metadata
import platform
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import jax
import pandas as pd

from fer_jax import config as fields
from fer_jax import models
from fer_jax import plan as planning
from fer_jax.analysis import statistics
from fer_jax.data import Dataset, cache
from fer_jax.errors import FerJaxError, RunError
from fer_jax.launch import heads, resume, wave
from fer_jax.launch.prepared import Prepared, data_key, describe_data, describe_heads, plan_sweep, prepare
from fer_jax.launch.programs import Programs
from fer_jax.launch.progress import Progress
from fer_jax.plan import Plan, Stack, Wave
from fer_jax.search import space
from fer_jax.search.space import Trial
from fer_jax.store import RunDirectory
from fer_jax.train import feed, hardware, streamed
from fer_jax.train.engine import WaveProgram
from fer_jax.train.hyper import Facts
from fer_jax.train.streamed import StreamedProgram
from fer_jax.words import counted, in_time

VERSIONED = ("fer_jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def run_sweep(
    config: fields.ConfigDict, workdir: str | Path, *, extend: bool = False, retry_failed: bool = False, command: str = ""
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
    hardware.use_compilation_cache(cache.root() / "compiled")
    directory = RunDirectory(workdir)
    directory.check_ours()
    prepared = prepare(config)
    with directory.lock(), directory.open_log() as log:
        sweep = _Sweep(prepared, directory, Progress(log), command)
        sweep.begin(extend, retry_failed)
        try:
            with _stop_requests(sweep.progress.note) as stop_requested:
                sweep.train(stop_requested)
                sweep.fit_heads(stop_requested, retry_failed)
        finally:
            sweep.end()
    return directory.path


class _Sweep:
    """One start of a sweep in its (locked) run directory."""

    def __init__(self, prepared: Prepared, directory: RunDirectory, progress: Progress, command: str):
        self.prepared, self.directory, self.progress, self.command = prepared, directory, progress, command
        self.started = time.monotonic()
        self.images = 0
        self.fits_done = not prepared.fits
        self.training_seconds = 0.0
        self.placed: tuple[Any, feed.Data] | None = None
        self.record: dict[str, Any] = {}
        self.plan: Plan
        self.table: pd.DataFrame

    def begin(self, extend: bool, retry_failed: bool) -> None:
        """Applies the resume rule, plans what is new, and writes config.json, plan.json and trials.csv."""
        prepared, directory = self.prepared, self.directory
        old = directory.read_config() if directory.has("config.json") else {}
        checksums = frozenset(dataset.checksum for dataset in prepared.datasets.values())
        current = fields.to_json(prepared.config)
        resume.check_directory(directory, prepared.trials, current, checksums, extend)
        stacks: tuple[Stack, ...] = Plan.from_json(directory.read_plan()).stacks if directory.has("plan.json") else ()
        planned = {trial for stack in stacks for trial in stack.trials}
        new = {identity: trial for identity, trial in prepared.trials.items() if identity not in planned}
        addition = plan_sweep(prepared, new, len(stacks))
        self.plan = Plan((*stacks, *addition.stacks), addition.hardware)
        self.record = self._config_record(old, current, checksums)
        directory.write_config(self.record)
        directory.write_plan(self.plan.to_json())
        self.table = self._trial_table(retry_failed)
        directory.write_trials(self.table.reset_index())
        datasets = list(prepared.datasets.values())
        self.progress.say(describe_data(prepared))
        for dataset in datasets:
            if skipped := dataset.provenance.get("skipped", {}).get("count"):
                self.progress.note(f"left out of {dataset.label}: {skipped} broken items, named in config.json under data.skipped")
        if unused := space.describe_unused(space.settings(self.prepared.config)):
            self.progress.say(unused)
        self.progress.say(planning.describe(self.plan))
        if found := describe_heads(prepared):
            self.progress.say(found)

    def train(self, stop_requested: Any) -> None:
        """Trains every wave that has a pending trial."""
        pending = [(stack, one) for stack in self.plan.stacks for one in stack.waves if self._is_pending(one)]
        done = sum(self.table["status"] != "pending")
        if done:
            self.progress.say(f"{done} of {len(self.table)} trials were trained before; waves left: {len(pending)}")
        self.progress.flops_left = sum(_share(stack, one) for stack, one in pending)
        stacks = list({stack.name: stack for stack, _ in pending}.values())
        with Programs(stacks, self._compile) as programs:
            for stack, one in pending:
                self._train_wave(stack, one, programs, stop_requested)

    def fit_heads(self, stop_requested: Any, retry_failed: bool) -> None:
        """Fits the heads of every trained trial that heads.csv does not hold yet."""
        heads.fit_heads(self.prepared, self.directory, self.table, self.progress, stop_requested, retry_failed)
        self.fits_done = True

    def end(self) -> None:
        """Writes the summary and what this start has cost; runs also after an interruption or an error."""
        seconds = (self.record.get("seconds") or 0.0) + time.monotonic() - self.started
        finished = _now() if self.fits_done and (self.table["status"] != "pending").all() else None
        rate = self.images / self.training_seconds if self.training_seconds else self.record.get("images_per_second")
        self.record.update(finished=finished, seconds=seconds, images_per_second=rate)
        self.directory.write_config(self.record)
        trials = self.directory.read_trials()
        self.directory.write_summary(statistics.summarise(trials, self.record["swept"]))
        statuses = statistics.count_words(self.table["status"])
        self.progress.say(f"{statuses} in {in_time(time.monotonic() - self.started)}")

    def _config_record(self, old: Mapping[str, Any], current: Mapping[str, Any], checksums: frozenset[str]) -> dict[str, Any]:
        datasets = list(self.prepared.datasets.values())
        return {
            "config": current,
            "command": self.command or old.get("command", ""),
            "versions": {"python": platform.python_version(), **_versions()},
            "devices": [f"{device.platform}:{device.id} {device.device_kind}" for device in jax.devices()],
            "machine": f"{platform.system()} {platform.machine()}",
            "data": _describe_data(datasets[0]),
            "other_data": [_describe_data(dataset) for dataset in datasets[1:]],
            "checksums": sorted(checksums | frozenset(old.get("checksums", ()))),
            "swept": list(space.swept(self.prepared.config)),
            "started": old.get("started") or _now(),
            "finished": None,
            "seconds": old.get("seconds"),
            "images_per_second": old.get("images_per_second"),
        }

    def _trial_table(self, retry_failed: bool) -> pd.DataFrame:
        """A row a trial in the order of the sweep, with the results of earlier starts."""
        places = {
            identity: (stack.name, one.name, slot)
            for stack in self.plan.stacks
            for one in stack.waves
            for slot, identity in enumerate(one.trials)
        }
        rows = []
        for identity, trial in self.prepared.trials.items():
            stack, name, slot = places[identity]
            place = {"seed": trial.seed, "repeat": trial.repeat, "stack": stack, "wave": name, "slot": slot}
            rows.append({"id": identity, "status": "pending", **trial.point, **place})
        table = pd.DataFrame(rows).set_index("id")
        columns = ["status", *self.record["swept"], "seed", "repeat", "stack", "wave", "slot"]
        table = table[columns].reindex(columns=[*columns, *(name for name in wave.RESULTS if name != "status")]).astype(object)
        table["error"] = ""
        if self.directory.has("trials.csv"):
            old = self.directory.read_trials().set_index("id")
            kept = old["status"].isin(["done", "diverged"] if retry_failed else ["done", "diverged", "failed"])
            for name in wave.RESULTS:
                table.loc[old.index[kept], name] = old.loc[kept, name].astype(object)
        return table

    def _is_pending(self, one: Wave) -> bool:
        waiting = (self.table.loc[list(one.trials), "status"] == "pending").any()
        if not waiting:
            self.directory.drop_state(one.name)
        return bool(waiting)

    def _train_wave(self, stack: Stack, one: Wave, programs: Programs, stop_requested: Any) -> None:
        ids = list(one.trials)
        self.table.loc[ids, "status"] = "running"
        self.directory.write_trials(self.table.reset_index())
        try:
            results = self._run(stack, one, programs, stop_requested)
        except wave.Interrupted:
            self.table.loc[ids, "status"] = "pending"
            self.directory.write_trials(self.table.reset_index())
            self.progress.say(f"stopped in {one.name}; the same command goes on from there")
            raise KeyboardInterrupt from None
        except FerJaxError:
            self.table.loc[ids, "status"] = "pending"
            raise
        except Exception as error:
            # Whatever one wave dies of (memory, most often), the others shall run.
            self.progress.note(traceback.format_exc())
            message = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            self.progress.say(f"{one.name} failed: {message}; the traceback is in log.txt, --retry_failed tries again")
            results = pd.DataFrame({"status": "failed", "error": message}, index=ids)
        for column in results:
            self.table.loc[ids, column] = results[column].astype(object)
        self.directory.write_trials(self.table.reset_index())
        self.directory.drop_state(one.name)

    def _run(self, stack: Stack, one: Wave, programs: Programs, stop_requested: Any) -> pd.DataFrame:
        trials = [self.prepared.trials[identity] for identity in one.trials]
        if not programs.is_ready(stack):
            self.progress.say(f"compiling {stack.name}")
        program, seconds = programs.take(stack)
        self.progress.note(f"{stack.name} was compiled in {seconds:.1f} s")
        config = self.prepared.config
        facts = _facts(self.prepared.dataset(trials[0]))
        job = wave.WaveJob(one, trials, stack.width, program, self._place(program, trials[0]), facts, config.checkpoint.every)
        done = job.images() - job.images(self.directory.latest_state(one.name) or 0)
        flops = _share(stack, one) * (1 - done / job.images())
        title = f"{one.name} ({counted(len(trials), 'trial')})"
        with self.progress.wave(title, job.images(), done, flops) as follower:
            results = wave.train(job, self.directory, follower, stop_requested)
        if follower.images_per_second:
            self.images += follower.images
            self.training_seconds += follower.seconds
        outcome = statistics.count_words(results["status"])
        rate = f"{follower.images_per_second:,.0f} trial-images/s, " if follower.images_per_second else ""
        best = pd.to_numeric(results["val_accuracy"]).max()
        self.progress.say(f"{title}: {outcome}, {rate}best val accuracy {best:.3f}")
        return results

    def _compile(self, stack: Stack) -> WaveProgram:
        """A stack's program, ready to run."""
        trial = self.prepared.trials[stack.trials[0]]
        sizes = self.prepared.sizes(trial)
        if stack.devices > jax.device_count():
            raise RunError(
                f"{stack.name} was planned for {stack.devices} devices and there are {jax.device_count()}: "
                "resume on the hardware the run began on, or start a new --workdir"
            )
        program = WaveProgram(
            models.build(trial.values, sizes.image_shape, sizes.num_classes),
            planning.recipe_of(trial.values, stack.optional, stack.micro_batch),
            stack.engine,
            tuple(jax.devices()[: stack.devices]),
        )
        if stack.data == "stream":
            seeds = {self.prepared.trials[identity].seed for identity in stack.trials}
            program = streamed.program_for(program, sizes.image_shape, sizes.train, min(stack.width, len(seeds)))
        program.prepare(stack.width, sizes.image_shape, sizes.train, sizes.validation, sizes.test)
        return program

    def _place(self, program: WaveProgram, trial: Trial) -> feed.Data:
        """The trial's data as the program takes them; kept for the next wave."""
        key = data_key(trial), program.devices, isinstance(program, StreamedProgram)
        if self.placed is None or self.placed[0] != key:
            self.placed = None
            self.placed = key, feed.place(program, self.prepared.dataset(trial))
        return self.placed[1]


@contextmanager
def _stop_requests(note: Callable[[str], None]) -> Iterator[Any]:
    """A function that says whether the user (Ctrl-C) or the system (SIGTERM) has asked to stop; a second Ctrl-C stops at once.

    The first request is shown and given to `note`, for the log.
    """
    asked: list[int] = []

    def handle(number: int, frame: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        words = "stopping after this epoch or fit (once more: at once)"
        print(f"\n{words}", file=sys.stderr, flush=True)
        # A file refuses to be written while the signal found it being written.
        with suppress(RuntimeError):
            note(words)

    previous = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            previous[number] = signal.signal(number, handle)
    except ValueError:
        # Outside the main thread (a notebook server's worker, say) signals belong to somebody else.
        previous = {}
    try:
        yield lambda: bool(asked)
    finally:
        for number, old in previous.items():
            signal.signal(number, old)


def _share(stack: Stack, one: Wave) -> float:
    """Floating-point operations of one wave."""
    return stack.flops * len(one.trials) / len(stack.trials)


def _facts(dataset: Dataset) -> Facts:
    pixels = dataset.train.images
    # A class of no training images (data.on_error = skip) meets its weight nowhere.
    counts = tuple(max(1, count) for count in dataset.counts("train").tolist())
    low, high, mean, sd = (float(found) for found in (pixels.min(), pixels.max(), pixels.mean(), pixels.std()))
    return Facts(dataset.classes, counts, low, high, mean, sd)


def _describe_data(dataset: Dataset) -> dict[str, Any]:
    counts = {
        name: dict(zip(dataset.classes, dataset.counts(name).tolist(), strict=True)) for name in dataset.splits()
    }
    return {
        **dataset.provenance,
        "checksum": dataset.checksum,
        "classes": list(dataset.classes),
        "split": dataset.split,
        "counts": counts,
        "majority_share": dataset.majority_share,
        "label": dataset.label,
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in VERSIONED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
