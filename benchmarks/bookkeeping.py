"""Measures the time a sweep spends between its compiled epochs: records, checkpoints, tables.

    python benchmarks/bookkeeping.py [--cases=thousand,grid3d] [--trials=1000] [--epochs=20]
        [--variant=] [--json=FILE]

Two sweeps through `fer_jax.run_sweep`: a thousand tiny trials, where bookkeeping would show, and
`configs/grid3d.py` (with --variant, such as smoke). The training loop's wall time is divided into

    busy        the devices compute epochs, initial weights or evaluations: the union of the times
                from the call of a program, or from the end of the one before it, to its results
    compiling   the loop waits for a program that is being compiled, or compiles one itself
    importing   what writes checkpoints and curves is imported, once a process, while the first
                program is being compiled
    host        the rest, which is bookkeeping

of which a moment belongs to the first that it is, so what is done on the host while the devices
compute costs nothing. Import, planning, and what follows the last wave (summary, report) lie
outside the loop and are given apart.
"""

import argparse
import functools
import importlib
import queue
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import record
from candidate import ROOT, load

PROGRAMS = ("init", "epoch", "evaluate_validation", "evaluate_test")


class Clock:
    """When the devices computed, and how long the loop waited for programs.

    Attributes:
        busy: (start, end) of every program's run, in seconds of `time.perf_counter`.
        compiling, importing: the same of every wait for a program, of every compilation by the
            loop, and of imports.
        epochs: how often an epoch was run.
        loop: (start, end).
    """

    def __init__(self) -> None:
        self.busy: list[tuple[float, float]] = []
        self.compiling: list[tuple[float, float]] = []
        self.importing: list[tuple[float, float]] = []
        self.epochs = 0
        self.loop = (0.0, 0.0)
        self._thread = threading.get_ident()
        self._started: queue.SimpleQueue = queue.SimpleQueue()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def _watch(self) -> None:
        """Waits for results in the order of their programs, so that the loop need not."""
        while (item := self._started.get()) is not None:
            start, results = item
            jax.block_until_ready(results)
            self.busy.append((start, time.perf_counter()))

    def follow(self, name: str, program: Callable) -> Callable:
        """The program, with its runs put down."""

        def run(*arguments: Any, **named: Any) -> Any:
            start = time.perf_counter()
            results = program(*arguments, **named)
            if name == "epoch":
                self.epochs += 1
                self._started.put((start, results[1]))  # the state is given to the next epoch, which frees it
            elif name.startswith("evaluate"):
                self._started.put((start, results))
            else:
                jax.block_until_ready(results)
                self.busy.append((start, time.perf_counter()))
            return results

        return run

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around a wait for a program."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.compiling.append((start, time.perf_counter()))

    def compiled(self, event: str, seconds: float, **about: Any) -> None:
        """A listener of `jax.monitoring`: what this thread compiles itself, besides the programs it
        waits for.
        """
        if event.startswith("/jax/core/compile") and threading.get_ident() == self._thread:
            end = time.perf_counter()
            self.compiling.append((end - seconds, end))

    def stop(self) -> None:
        self._started.put(None)
        self._watcher.join()

    def seconds(self) -> dict[str, float]:
        """The loop and its parts, which add up to it."""
        start, end = self.loop
        seconds, known, before = {"loop": end - start}, [], 0.0
        for name in ("busy", "compiling", "importing"):
            known += [(max(start, first), min(end, last)) for first, last in getattr(self, name)]
            covered = union(known)
            seconds[name], before = covered - before, covered
        return {**seconds, "host": end - start - before}


def union(intervals: Iterable[tuple[float, float]]) -> float:
    """Returns the length of what some of these (start, end) cover."""
    total, until = 0.0, float("-inf")
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


@contextmanager
def followed(clock: Clock) -> Iterator[None]:
    """Puts the clock around the programs of `WaveProgram`, the waits for them, and the loop of a
    sweep.
    """
    engine, loop, programs, store = (
        importlib.import_module(f"fer_jax.{name}")
        for name in ("train.engine", "launch.loop", "launch.programs", "store")
    )
    places = [
        (engine.WaveProgram, "run"),
        (programs.Programs, "take"),
        (store.RunDirectory, "import_writers"),
        (loop.Sweep, "train"),
    ]
    originals = [getattr(*place) for place in places]
    run, take, import_writers, train = originals

    def ran(self: Any, name: str, *arguments: Any, **named: Any) -> Any:
        program = functools.partial(run, self, name)
        return (clock.follow(name, program) if name in PROGRAMS else program)(*arguments, **named)

    def taken(self: Any, *arguments: Any, **named: Any) -> Any:
        with clock.waiting():
            return take(self, *arguments, **named)

    def imported(self: Any) -> None:
        start = time.perf_counter()
        import_writers(self)
        clock.importing.append((start, time.perf_counter()))

    def trained(self: Any, *arguments: Any, **named: Any) -> None:
        start = time.perf_counter()
        try:
            train(self, *arguments, **named)
        finally:
            clock.loop = (start, time.perf_counter())

    for place, function in zip(places, (ran, taken, imported, trained), strict=True):
        setattr(*place, function)
    jax.monitoring.register_event_duration_secs_listener(clock.compiled)
    try:
        yield
    finally:
        jax.monitoring.unregister_event_duration_listener(clock.compiled)
        for place, function in zip(places, originals, strict=True):
            setattr(*place, function)


def measure(run_sweep: Callable, config: Any, name: str) -> dict:
    """Runs a sweep in an empty folder and says where its time went."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder, followed(clock):
        start = time.perf_counter()
        run_sweep(config, Path(folder) / "run")
        end = time.perf_counter()
    clock.stop()
    seconds = clock.seconds()
    return {
        "case": name,
        "epochs_of_waves": clock.epochs,
        "seconds": {**seconds, "before": clock.loop[0] - start, "after": end - clock.loop[1]},
        "host_share": seconds["host"] / (seconds["busy"] + seconds["host"]),
        "host_milliseconds_per_epoch": 1e3 * seconds["host"] / max(1, clock.epochs),
    }


def thousand(code: SimpleNamespace, trials: int, epochs: int) -> Any:
    """Returns a config of tiny trials: 16 px, one convolution of four kernels, 128 images."""
    config = code.values.default_config()
    config.data.image_size = 16
    config.data.train_size, config.data.validation_size, config.data.test_size = 128, 64, 64
    config.model.pairs, config.model.kernels, config.model.dense = 1, (4,), (8,)
    config.train.batch_size, config.train.epochs = 32, epochs
    config.sweep.repeats = trials
    return config


def show(row: dict) -> None:
    seconds = row["seconds"]
    print(
        f"{row['case']}: loop {seconds['loop']:.1f} s, of it busy {seconds['busy']:.1f}, "
        f"compiling {seconds['compiling']:.1f}, importing {seconds['importing']:.1f}, "
        f"host {seconds['host']:.2f} ({row['host_share']:.2%} without compiling and importing; "
        f"{row['host_milliseconds_per_epoch']:.1f} ms an epoch of a wave); before it {seconds['before']:.1f} s, "
        f"after {seconds['after']:.1f} s",
        flush=True,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", default="thousand,grid3d")
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=20, help="of the thousand")
    parser.add_argument("--variant", default="", help="of grid3d: smoke, or nothing for the whole")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    code = load(ROOT)
    code.hardware.prepare_host_devices()
    run_sweep = importlib.import_module("fer_jax").run_sweep
    results = record.Results(code, options)
    for case in options.cases.split(","):
        if case == "thousand":
            config = thousand(code, options.trials, options.epochs)
        else:
            flags = importlib.import_module("fer_jax.config.command_line")
            config = flags.load(f"{ROOT / 'configs' / case}.py:{options.variant}".rstrip(":")).config
        results.add(measure(run_sweep, config, case))
        show(results.document["rows"][-1])
        results.save()
    results.finish()


if __name__ == "__main__":
    main()
