"""Damages the tables and predictions of a run in random ways and counts what is believed of them.

    python tests/reliability/damage_tables.py --tries 300

A try copies a trained run, cuts or changes trials.csv, its sealed copy or stored predictions, reads
the run as a report does, and begins the same sweep again. It is wrong if a trial counts as done
with a value that is not the one it was trained to, or if the start raises anything but a one-line
error; it is held otherwise.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import csv
import io
import math
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from fer_jax.config.values import default_config
from fer_jax.errors import FerJaxError
from fer_jax.launch import loop
from fer_jax.launch.prepared import Prepared, prepare
from fer_jax.launch.progress import Progress
from fer_jax.results.run import load_run
from fer_jax.store import RunDirectory

# Of a value that is computed again: losses are summed in another order than on the device.
LOSS_TOLERANCE, TOLERANCE = 2e-4, 1e-6
SEALS = ("sealed", "no seal", "damaged seal")


def small_config() -> Any:
    """Returns the config of four dense networks on tiny built-in faces."""
    config = default_config()
    config.data.image_size = 16
    config.data.train_size, config.data.validation_size, config.data.test_size = 70, 35, 35
    config.model.name, config.model.hidden = "mlp", (8,)
    config.train.batch_size, config.train.epochs = 16, 3
    config.sweep.grid.train.learning_rate = (1e-3, 1e-2)
    config.sweep.repeats = 2
    return config


class Damages:
    """The ways in which tables and predictions are damaged, by name; each changes a run's files."""

    def __init__(self, run: Path, rng: random.Random):
        self.run, self.rng = run, rng
        self.table = run / "trials.csv"

    def ways(self) -> dict[str, Callable[[], None]]:
        """Returns name -> what does the damage."""
        return {
            "cut anywhere": self.cut,
            "cell": self.cell,
            "cell without its last digits": self.fewer_digits,
            "cell empty": lambda: self.change(lambda text: ""),
            "cell inf": lambda: self.change(lambda text: "inf"),
            "cell negative": lambda: self.change(lambda text: f"-{text}"),
            "cell of words": lambda: self.change(lambda text: "#REF!"),
            "column dropped": self.drop_column,
            "row doubled": self.double_row,
            "row dropped": lambda: self.rows(lambda rows: rows.pop(self.rng.randrange(1, len(rows)))),
            "rows of two ids swapped": self.swap_ids,
            "slots swapped": self.swap_slots,
            "spreadsheet": self.spreadsheet,
            "bytes flipped": self.flip_table,
            "empty": lambda: self.table.write_bytes(b""),
            "gone": self.table.unlink,
            "logits flipped": self.flip_logits,
            "logits NaN": self.nan_logits,
            "logits cut": self.cut_logits,
            "logits gone": lambda: self.logits().unlink(),
        }

    def cut(self) -> None:
        content = self.table.read_bytes()
        self.table.write_bytes(content[: self.rng.randrange(len(content))])

    def rows(self, change: Callable[[list[list[str]]], Any], **style: Any) -> None:
        """Rewrites the table after a change of its rows, the header being the first."""
        rows = list(csv.reader(io.StringIO(self.table.read_text())))
        change(rows)
        text = io.StringIO()
        csv.writer(text, **{"lineterminator": "\n", **style}).writerows(rows)
        self.table.write_text(text.getvalue(), newline="")

    def change(self, change: Callable[[str], str]) -> None:
        def one(rows: list[list[str]]) -> None:
            row = self.rng.choice(rows[1:])
            filled = [place for place, cell in enumerate(row) if cell]
            place = self.rng.choice(filled)
            row[place] = change(row[place])

        self.rows(one)

    def cell(self) -> None:
        self.change(lambda text: repr(self.rng.choice((0, 1, 2, 0.5, 0.2, 1.5, 1e9))))

    def fewer_digits(self) -> None:
        self.change(lambda text: text[: max(1, len(text) - self.rng.randrange(1, 14))])

    def drop_column(self) -> None:
        def drop(rows: list[list[str]]) -> None:
            place = self.rng.randrange(len(rows[0]))
            for row in rows:
                del row[place]

        self.rows(drop)

    def double_row(self) -> None:
        def double(rows: list[list[str]]) -> None:
            row = list(self.rng.choice(rows[1:]))
            if self.rng.random() < 0.5:
                row[self.rng.randrange(1, len(row))] = "0.5"
            rows.append(row)

        self.rows(double)

    def swap_ids(self) -> None:
        def swap(rows: list[list[str]]) -> None:
            one, other = self.rng.sample(rows[1:], 2)
            one[0], other[0] = other[0], one[0]

        self.rows(swap)

    def swap_slots(self) -> None:
        def swap(rows: list[list[str]]) -> None:
            place = rows[0].index("slot")
            for row in rows[1:]:
                row[place] = str(self.rng.randrange(4))

        self.rows(swap)

    def spreadsheet(self) -> None:
        """Saves the table as spreadsheets do: a byte order mark, CRLF, semicolons, 15 digits."""

        def rounded(rows: list[list[str]]) -> None:
            for row in rows[1:]:
                for place, cell in enumerate(row):
                    with contextlib.suppress(ValueError):
                        if place and "." in cell:
                            row[place] = f"{float(cell):.15G}"
            rows[1:] = self.rng.sample(rows[1:], len(rows) - 1)

        delimiter = self.rng.choice(",;")
        self.rows(rounded, delimiter=delimiter, lineterminator="\r\n", quoting=self.rng.choice((0, 1)))
        self.table.write_bytes(b"\xef\xbb\xbf" + self.table.read_bytes())

    def flip_table(self) -> None:
        _flip(self.table, self.rng, 3)

    def logits(self) -> Path:
        return self.rng.choice(sorted((self.run / "predictions").glob("*.npy")))

    def flip_logits(self) -> None:
        _flip(self.logits(), self.rng, 4)

    def nan_logits(self) -> None:
        path = self.logits()
        content = bytearray(path.read_bytes())
        content[128:] = b"\xff" * (len(content) - 128)
        path.write_bytes(content)

    def cut_logits(self) -> None:
        path = self.logits()
        path.write_bytes(path.read_bytes()[: self.rng.randrange(path.stat().st_size)])


def _flip(path: Path, rng: random.Random, count: int) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(count):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def wrong_values(believed: pd.DataFrame, truth: pd.DataFrame, exact: bool) -> list[str]:
    """Returns what a table says of done trials that is not so."""
    found = []
    truth = truth.set_index("id")
    for _, row in believed[believed["status"] == "done"].iterrows():
        if row["id"] not in truth.index:
            found.append(f"unknown trial {row['id']}")
            continue
        for name, value in truth.loc[row["id"]].items():
            said = row.get(name)
            if pd.isna(value) and (said is None or pd.isna(said) or said == ""):
                continue
            tolerance = 0.0 if exact else LOSS_TOLERANCE if str(name).endswith("loss") else TOLERANCE
            number = isinstance(value, (int, float)) and isinstance(said, (int, float)) and not isinstance(said, bool)
            same = math.isclose(said, value, rel_tol=tolerance) if number else said == value
            if not same:
                found.append(f"{name} of {row['id']} is {said}, not {value}")
    return found


def attempt(run: Path, prepared: Prepared, truth: pd.DataFrame, measured: pd.DataFrame, seal: str) -> list[str]:
    """Returns what is wrong with what is believed of a damaged run."""
    exact = seal == "sealed"
    found = []
    with contextlib.suppress(FerJaxError):
        loaded = load_run(run)
        found += wrong_values(loaded.trials, truth, exact)
        both = loaded.metrics.merge(measured, on=["id", "split"], suffixes=("", "_true"))
        for name in ("accuracy", "f1", "log_loss") if len(both) else ():
            if (both[name] != both[f"{name}_true"]).any():
                found.append(f"{name} of stored predictions differs")
    directory = RunDirectory(run)
    with open(os.devnull, "w") as nowhere, contextlib.suppress(FerJaxError), directory.lock():
        progress = Progress(None, nowhere)
        sweep = loop.Sweep.begin(prepared, directory, progress, False, False, "", None)
        rows = sweep.table.rows.reset_index()
        found += [f"at the start: {line}" for line in wrong_values(rows, truth, exact)]
        if exact and (rows["status"] != "done").any():
            found.append("at the start: a trial with a sealed row is not done")
    return found


def main(tries: int, seed: int = 0, say: Callable[[str], None] = print) -> tuple[int, list[str]]:
    """Damages a run so many times; returns how many tries were held, and a line for each other."""
    rng = random.Random(seed)
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        whole, run = Path(folder) / "whole", Path(folder) / "run"
        config = small_config()
        loop.run_sweep(config, whole)
        loaded, prepared = load_run(whole), prepare(config)
        truth, measured = loaded.trials, loaded.metrics
        for number in range(tries):
            shutil.rmtree(run, ignore_errors=True)
            shutil.copytree(whole, run)
            ways = Damages(run, rng).ways()
            way = list(ways)[number % len(ways)]
            seal = SEALS[number % len(SEALS)]
            if seal == "no seal":
                shutil.rmtree(run / ".sealed")
            elif seal == "damaged seal":
                _flip(run / ".sealed" / "trials.json", rng, 2)
            ways[way]()
            try:
                found = attempt(run, prepared, truth, measured, seal)
            except Exception as error:  # what a user would see as a traceback
                found = [f"{type(error).__name__}: {error}"]
            counts[way, "wrong" if found else "held"] += 1
            wrong += [f"{number} {way}, {seal}: {found[0]}"] if found else []
    for way in dict.fromkeys(way for way, _ in counts):
        say(f"{way:30} tried {counts[way, 'held'] + counts[way, 'wrong']:4} held {counts[way, 'held']:4}")
    say(f"{tries} tried, {tries - len(wrong)} held, {len(wrong)} wrong")
    for line in wrong:
        say(line)
    return tries - len(wrong), wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Damages tables and predictions of a run at random.")
    parser.add_argument("--tries", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    sys.exit(bool(main(given.tries, given.seed)[1]))
