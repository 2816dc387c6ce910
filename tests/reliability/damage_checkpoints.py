"""Damages checkpoints of a real run, asks every reader, and counts what it did about it.

    python tests/reliability/damage_checkpoints.py [--tries=200] [--states=30] [--seed=0]

Two small sweeps (`configs/grid3d.py:smoke`, one batch size) are trained: one to its end, one that
breaks off before its final weights, with two states. Each try flips a bit of a file of a
checkpoint, or cuts, empties or deletes the file. Of final weights, all of a trial's arrays are
read, and one of the other readers in turn: `predict`, the report, an export, saliency, the features
that heads are fitted on, `model.init`. Of states, the sweep is resumed. A try is

    held    nothing was said, and nothing is other than without the damage
    said    the damage was told in one line: an error that names the checkpoint; of a state, the
            line on what it goes on from, and its tables equal those of a run nobody damaged
    wrong   anything else: other numbers, a traceback, more than a line on stderr

The script ends with status 1 where a try was wrong, and says which. tests/reliability has a share
of it among the tests.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import gc
import io
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
from ml_collections import ConfigDict
from PIL import Image

import fer_jax
from fer_jax import predict, report
from fer_jax.config.command_line import load
from fer_jax.config.values import flatten, put
from fer_jax.errors import RunError
from fer_jax.exports.weights import load_safetensors
from fer_jax.launch import compiling, initial_weights, loop
from fer_jax.models import registry
from fer_jax.store import RunDirectory
from fer_jax.train import hardware

DAMAGES = ("flip", "cut", "empty", "delete")


@dataclasses.dataclass
class Counts:
    """How many tries ended how; `wrong` says of each of these what it was."""

    held: int = 0
    said: int = 0
    wrong: list[str] = dataclasses.field(default_factory=list)

    @property
    def tried(self) -> int:
        return self.held + self.said + len(self.wrong)

    def __str__(self) -> str:
        return f"{self.tried} tried, {self.held} held, {self.said} said, {len(self.wrong)} wrong"


def smoke() -> ConfigDict:
    """Returns the config of the sweep: four trials, three epochs, a state after each."""
    config = load(f"{Path(__file__).parents[2]}/configs/grid3d.py:smoke").config
    put(config, "sweep.grid.train.batch_size", None)
    put(config, "train.epochs", 3)
    put(config, "checkpoint.every", 1)
    return config


def interrupt(config: ConfigDict, path: Path) -> None:
    """Runs a sweep that breaks off before a wave's final weights; its last two states stay."""

    def broken_off(directory: RunDirectory, wave: str, tree: Any, trials: Sequence[str]) -> None:
        raise KeyboardInterrupt

    save_final = RunDirectory.save_final
    RunDirectory.save_final = broken_off
    try:
        with contextlib.suppress(KeyboardInterrupt):
            loop.run_sweep(config, path)
    finally:
        RunDirectory.save_final = save_final


def damage(file: Path, how: str, rng: random.Random) -> None:
    """Damages one file in one of the ways of DAMAGES."""
    content = bytearray(file.read_bytes())
    if how == "delete":
        file.unlink()
        return
    if how == "flip" and content:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    elif how == "cut" and content:
        del content[rng.randrange(len(content)) :]
    elif how == "empty":
        content.clear()
    file.write_bytes(content)


def plan(files: list[Path], tries: int, rng: random.Random) -> list[tuple[Path, str]]:
    """Returns (file, damage) of each try.

    Every file is damaged in every way before one is so again, but for flips, of which half of the
    tries are, the more the larger a file is.
    """
    each = [(file, how) for file in files for how in DAMAGES]
    rng.shuffle(each)
    flips = rng.choices(files, [1 + file.stat().st_size for file in files], k=tries)
    return [(flips[number], "flip") if number % 2 else each[number // 2 % len(each)] for number in range(tries)]


@contextlib.contextmanager
def caught_stderr() -> Iterator[list[str]]:
    """Yields a list that holds all of stderr afterwards, also what is written past Python."""
    lines: list[str] = []
    with tempfile.TemporaryFile() as file:
        sys.stderr.flush()
        kept, stderr = os.dup(2), sys.stderr
        os.dup2(file.fileno(), 2)
        sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
        try:
            yield lines
        finally:
            sys.stderr.close()
            sys.stderr = stderr
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            lines += file.read().decode(errors="replace").splitlines()


# Final weights


def readers(path: Path, folder: Path) -> dict[str, Callable[[], Any]]:
    """Returns what reads the final weights of the run at `path`, by name.

    Each returns arrays to compare, nothing where it only has to end well; files go to `folder`.
    """
    picture = folder / "face.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 24), np.uint8)).save(picture)

    def trial() -> fer_jax.Trial:
        run = fer_jax.load_run(path)
        return run.trial(run.trials["id"][0])

    def images() -> np.ndarray:
        size = trial().config.data.image_size
        return np.random.default_rng(0).integers(0, 256, (2, size, size), np.uint8)

    def status(main: Callable[[list[str]], int], *arguments: str) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            if main([main.__module__, *arguments]):
                raise RunError("told on stderr")

    def init() -> Any:
        one = trial()
        values = {**flatten(one.config), "model.init": f"{path}:{one.id}"}
        data = one.config.data
        shape = (data.image_size, data.image_size, data.channels)
        return initial_weights.load(values, registry.build(values, shape, len(one.classes))).arrays

    return {
        "trial.predict": lambda: trial().predict(images()),
        "features for heads": lambda: trial().features(images(), "dense_0"),
        "model.init": init,
        "saliency": lambda: fer_jax.saliency_maps(trial(), images()).maps,
        "export": lambda: load_safetensors(fer_jax.export_model(trial(), folder / "network.safetensors")).variables,
        "fer_jax.predict": lambda: status(predict.main, str(path), str(picture)),
        "fer_jax.report": lambda: status(report.main, str(path)),
    }


def all_weights(path: Path) -> Any:
    """Returns every array of every trial of a run."""
    run = fer_jax.load_run(path)
    trials = [run.trial(identity) for identity in run.trials["id"]]
    return [(trial.variables, trial.last_variables) for trial in trials]


def same(one: Any, other: Any) -> bool:
    """Returns whether two trees of arrays are equal bit for bit."""
    leaves = [jax.tree.leaves(tree) for tree in (one, other)]
    return len(leaves[0]) == len(leaves[1]) and all(
        np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in zip(*leaves, strict=True)
    )


def damage_finals(path: Path, folder: Path, tries: int, seed: int, asked: int | None = None) -> Counts:
    """Damages the final weights of the finished run at `path`, which is left as it was.

    Args:
        path: the run.
        folder: for what readers write.
        tries: how many.
        seed: of the random numbers.
        asked: how many of the other readers are asked, the first of `readers`, 0 for none; None
            asks all.
    """
    rng, counts = random.Random(seed), Counts()
    others = dict(list(readers(path, folder).items())[:asked])
    expected = {"all weights": all_weights(path), **{name: read() for name, read in others.items()}}
    finals = (path / "checkpoints").glob("*/final-*")
    files = sorted(file for place in finals for file in place.rglob("*") if file.is_file())
    for number, (file, how) in enumerate(plan(files, tries, rng)):
        turn = list(others.items())[number % len(others) :][:1] if others else []
        content = file.read_bytes()
        damage(file, how, rng)
        try:
            asks = [("all weights", lambda: all_weights(path)), *turn]
            words = [outcome(name, read, expected[name], file.relative_to(path).parts[2]) for name, read in asks]
        finally:
            file.write_bytes(content)
        _count(counts, words, f"{how} of {file.relative_to(path)}")
    with caught_stderr() as lines:
        # What asyncio says of an error that nobody fetched, it says when it is thrown away.
        gc.collect()
    counts.wrong += lines
    return counts


def outcome(name: str, read: Callable[[], Any], expected: Any, checkpoint: str) -> str:
    """Returns 'held', 'said', or what was wrong with what a reader did.

    Args:
        name: of the reader.
        read: asks it.
        expected: what it gives of an undamaged run.
        checkpoint: the name that its error has to name.
    """
    with caught_stderr() as lines:
        try:
            told = "" if same(read(), expected) else "other values, and no word"
        except RunError as error:
            told = f"RunError: {error}"
        except Exception as error:
            told = f"{type(error).__name__}: {error}"
    if told == "RunError: told on stderr" and len(lines) == 1:
        told, lines = f"RunError: {lines[0]}", []
    if lines:
        return f"{name}: noise on stderr: {' / '.join(lines)[:300]}"
    if told.startswith("RunError: ") and checkpoint in told and "\n" not in told:
        return "said"
    return f"{name}: {told[:300]}" if told else "held"


def _count(counts: Counts, words: list[str], what: str) -> None:
    wrong = [word for word in words if word not in ("held", "said")]
    counts.wrong += [f"{what}: {'; '.join(wrong)}"] if wrong else []
    counts.said += not wrong and "said" in words
    counts.held += not wrong and "said" not in words


# States


def tables(path: Path) -> tuple[pd.DataFrame, pd.DataFrame, Any]:
    """Returns all that a sweep comes to: its trials, its curves, its weights."""
    run = fer_jax.load_run(path)
    return run.trials, run.curves.sort_values(["id", "epoch"], ignore_index=True), all_weights(path)


def damage_states(config: ConfigDict, whole: Path, broken: Path, folder: Path, tries: int, seed: int) -> Counts:
    """Damages states and curves of copies of an interrupted run and resumes them.

    Args:
        config: of the sweep.
        whole: a run of it that nobody interrupted.
        broken: one that was interrupted, which is left as it was.
        folder: for the copies.
        tries: how many; of every fourth both states are damaged.
        seed: of the random numbers.
    """
    rng, counts, expected, copy = random.Random(seed), Counts(), tables(whole), folder / "resumed"
    older, newest = sorted(broken.glob("checkpoints/*/state-*"))
    files = sorted(file for place in (newest, broken / "curves") for file in place.rglob("*") if file.is_file())
    for number, (file, how) in enumerate(plan(files, tries, rng)):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(broken, copy)
        damage(copy / file.relative_to(broken), how, rng)
        what = f"{how} of {file.relative_to(broken)}"
        if number % 4 == 3:
            other = rng.choice([file for file in older.rglob("*") if file.is_file()])
            damage(copy / other.relative_to(broken), "empty", rng)
            what += f", {other.relative_to(broken)} emptied"
        with caught_stderr() as lines:
            try:
                loop.run_sweep(config, copy)
                found = tables(copy)
                equal = all(one.equals(other) for one, other in zip(found[:2], expected[:2], strict=True))
                told = "" if equal and same(found[2], expected[2]) else "other tables or weights"
            except BaseException as error:
                told = f"{type(error).__name__}: {error}"
        said = [line for line in lines if "damaged" in line or "is missing" in line]
        if noise := [line for line in lines if "Traceback" in line or "rror" in line or "xception" in line]:
            told += f" noise on stderr: {' / '.join(noise)[:300]}"
        _count(counts, [told] if told else ["said"] if len(said) == 1 else ["held"], what)
    return counts


@contextlib.contextmanager
def compiled_once() -> Iterator[None]:
    """Lets sweeps of one config share their compiled programs."""
    compile_program, known = compiling.compile_program, {}

    def once(prepared: Any, stack: Any, width: int) -> Any:
        if (stack.name, width) not in known:
            known[stack.name, width] = compile_program(prepared, stack, width)
        return known[stack.name, width]

    compiling.compile_program = once
    try:
        yield
    finally:
        compiling.compile_program = compile_program


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tries", type=int, default=200, help="of final weights")
    parser.add_argument("--states", type=int, default=30, help="tries of states and curves")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    hardware.prepare_host_devices()
    config = smoke()
    with tempfile.TemporaryDirectory() as folder, compiled_once():
        whole, broken = Path(folder, "whole"), Path(folder, "broken")
        loop.run_sweep(config, whole)
        interrupt(config, broken)
        wrong = 0
        for name, counts in (
            ("final weights", damage_finals(whole, Path(folder), options.tries, options.seed)),
            ("states and curves", damage_states(config, whole, broken, Path(folder), options.states, options.seed)),
        ):
            print(f"{name}: {counts}")
            print("".join(f"  wrong: {line}\n" for line in counts.wrong), end="")
            wrong += len(counts.wrong)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
