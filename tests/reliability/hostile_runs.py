"""Run directories made by a stranger, and what becomes of whoever opens them.

    python -m tests.reliability.hostile_runs [part of a name ...]

A small run is trained. Copies of it are spoilt, one by one, in the ways that `CASES` lists, and
each is given to every action that a user has for a run somebody has sent: load, report, compare,
predict, export, and a sweep that goes on. A try is held if nothing beside the run is made, changed
or deleted, it takes no more than `SECONDS` and `BYTES`, and it ends well or in one line. Where a
case says what is to be refused, the line has to name it. Prints a line a try that is not held, and
how many were tried and held.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from fer_jax import export, predict
from fer_jax.config.values import default_config
from fer_jax.errors import FerJaxError
from fer_jax.launch import loop
from fer_jax.reports import run_report, several_runs
from fer_jax.results.run import load_run
from fer_jax.results.trial import FitResult
from tests.reliability.hostile_cases import CASES, EXECUTED

SECONDS = 120
BYTES = 4 << 30  # of address space, over what the program has when it begins


def config():
    """The sweep of the run that is spoilt: two small networks, with two heads each."""
    config = default_config()
    config.data.image_size, config.model.name, config.model.hidden = 16, "mlp", (8,)
    config.data.train_size, config.data.validation_size, config.data.test_size = 70, 35, 35
    config.train.batch_size, config.train.epochs, config.report.saliency = 16, 2, False
    config.sweep.grid.train.learning_rate = (1e-2, 1e-3)
    config.head.layer, config.head.rounds = "dense_0", 2
    config.sweep.grid.head.kind = ("xgboost", "logistic")
    return config


def train(place: Path) -> Path:
    """Returns the run directory of a trained run below `place`."""
    return loop.run_sweep(config(), place / "run")


# Actions


def load(run: Path) -> None:
    found = load_run(run)
    for each in (found.trials, found.summary, found.curves, found.heads, found.plan):
        assert each is not None
    for _, row in found.trials.iterrows():
        trial = found.trial(row["id"])
        for ask in (lambda trial=trial: trial.variables, trial.logits, trial.labels):
            with contextlib.suppress(FerJaxError):
                ask()
    for _, row in found.heads.iterrows():
        with contextlib.suppress(FerJaxError):
            FitResult(found.trial(row["id"]), row).head.probabilities(np.zeros((2, 8), np.float32))


def report(run: Path) -> None:
    run_report.write_report(run)
    assert b"<script>alert" not in (run / "report.html").read_bytes(), "a script is not escaped"


def compare(run: Path) -> None:
    several_runs.write_comparison([run], run / "comparison.html")


def ask(run: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "face.png"
        Image.fromarray(np.full((20, 20), 90, np.uint8)).save(picture)
        _program(predict.main, str(run), str(picture))


def hand_on(run: Path) -> None:
    for kind in ("tables", "tensorboard"):
        _program(export.main, str(run), f"--to={kind}")


def resume(run: Path) -> None:
    loop.run_sweep(config(), run)


ACTIONS = {"load": load, "report": report, "compare": compare, "predict": ask, "export": hand_on, "sweep": resume}


def _program(main: Callable[[list[str]], int], *arguments: str) -> None:
    """Runs a program in this process; raises what it said where it ended with an error."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        status = main(["program", *arguments])
    if status == 2:
        raise FerJaxError(said.getvalue().strip().splitlines()[-1].removeprefix("error: "))


# What is held


def canary(place: Path) -> Path:
    """Returns a folder beside a run that nobody may touch."""
    victim = place / "victim"
    for name in ("final-000001", "state-000001", "state-000002", "final-000001.deleted", "stack_0-wave_0"):
        (victim / name).mkdir(parents=True)
        (victim / name / "d").write_text("precious")
    for name in ("notes.txt", "notes.npy", "notes.json", "report.html", ".old.1.tmp", "stack_0-wave_0-000001.parquet"):
        (victim / name).write_text(f"{name} of somebody")
    (place / "victim.txt").write_text("more of somebody's")
    return victim


def snapshot(place: Path) -> dict[str, tuple]:
    """Returns mode, size, time and content of what lies below `place`, the run apart."""
    found = {}
    for path in sorted(place.rglob("*")):
        name = path.relative_to(place)
        if name.parts[0] != "run":
            about = path.lstat()
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[str(name)] = (about.st_mode, about.st_size, about.st_mtime_ns, content)
    return found


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Ends what takes too long with a TimeoutError, and what takes too much with a MemoryError."""

    def late(*_):
        raise TimeoutError(f"not done after {SECONDS} s")

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, hard))
    old = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)
        resource.setrlimit(resource.RLIMIT_AS, (before, hard))


def attempt(trained: Path, name: str, action: str) -> str:
    """Spoils a copy of a run and does something with it; returns what was not held, or ''."""
    case = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        run = place / "run"
        shutil.copytree(trained, run)
        victim = canary(place)
        case.spoil(run, victim)
        before, problem = snapshot(place), ""
        try:
            with bounded(), contextlib.redirect_stderr(io.StringIO()):
                ACTIONS[action](run)
            if action in case.refused:
                problem = "not refused"
        except FerJaxError as error:
            if "\n" in str(error):
                problem = f"more than one line: {error}"
            elif case.named not in str(error) and action in case.refused:
                problem = f"refused without a word of {case.named!r}: {error}"
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            where = traceback.extract_tb(error.__traceback__)[-1]
            problem = f"{type(error).__name__}: {str(error)[:150]!r} at {where.filename[-50:]}:{where.lineno}"
        if EXECUTED.exists():
            EXECUTED.rmdir()
            problem = f"a pickle was executed; {problem}"
        after = snapshot(place)
        if changed := [path for path in sorted(before.keys() | after.keys()) if before.get(path) != after.get(path)]:
            problem = f"{problem}; outside the run: {', '.join(changed)}".removeprefix("; ")
        return problem


def main(wanted: list[str]) -> int:
    """Tries every case whose name has one of the words; returns 1 if one is not held, or 0."""
    os.environ["FER_JAX_CACHE"] = tempfile.mkdtemp(prefix="fer_jax_hostile_")
    names = [name for name in CASES if not wanted or any(word in name for word in wanted)]
    tried = held = held_cases = 0
    with tempfile.TemporaryDirectory() as folder:
        trained = train(Path(folder))
        for name in names:
            problems = {action: attempt(trained, name, action) for action in ACTIONS}
            tried, held = tried + len(problems), held + sum(not said for said in problems.values())
            held_cases += not any(problems.values())
            for action, said in problems.items():
                if said:
                    print(f"NOT HELD {name}, {action}: {said}", flush=True)
    print(f"{len(names)} hostile runs, {held_cases} held, {len(names) - held_cases} not held")
    print(f"{tried} tries ({', '.join(ACTIONS)}), {held} held, {tried - held} not held")
    shutil.rmtree(os.environ["FER_JAX_CACHE"], ignore_errors=True)
    return int(held < tried)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
