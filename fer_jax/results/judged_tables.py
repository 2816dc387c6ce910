"""The tables of trials and fits as they may be believed, and lines on what may not.

A sealed table (`store.sealed`) is believed as it was written. One without a seal, of an earlier
version or whose seal is damaged, is held against what else the run holds: plan.json has the places,
config.json the settings, curves and predictions the metrics. What is wrong is computed again where
these suffice; else the trial counts as pending, for a start of the sweep to train again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from fer_jax.analysis import statistics
from fer_jax.base.text import counted
from fer_jax.config import fields
from fer_jax.errors import RunError
from fer_jax.results.row_checks import TrialFiles, differing, problem
from fer_jax.store import RunDirectory
from fer_jax.store.documents import COUNT_COLUMNS, damaged, typed
from fer_jax.store.safety import check_names
from fer_jax.store.sealed import number, parse, some

PLACE = ("stack", "wave", "slot")
_RESULT = re.compile(r"(last_)?(train|val|test)_.+|epochs|best_epoch|diverged_epoch|pruned_epoch")
_TRIAL_STATUSES = ("pending", "running", "paused", "done", "pruned", "diverged", "failed")
_GONE = "its row is gone"
_ADVICE = {
    "trials.csv": "restore it or start a new --workdir",
    "heads.csv": "delete it, and the same command does its fits again",
}


def read_trials(directory: RunDirectory, record: Mapping[str, Any]) -> tuple[pd.DataFrame, list[str]]:
    """Returns trials.csv, and lines on what is not believed.

    Without a seal, its places are those that plan.json has.

    Args:
        directory: the run.
        record: config.json.

    Raises:
        RunError: there is no table, or nothing of it can be understood.
    """
    stored = directory.stored_table("trials.csv")
    said = list(stored.said)
    places, left = _places(directory, said)
    if stored.is_sealed:
        frame = _typed(directory, "trials.csv", stored.content)
    else:
        rows = _Rows(directory, "trials.csv", ("id", "status"), stored.content, tolerant=bool(places))
        frame = _judged(TrialFiles(directory, record, places, left), places, rows, said)
        for column, name in enumerate(PLACE if places else ()):
            planned = [places[identity][column] if identity in places else None for identity in frame["id"]]
            frame[name] = pd.array(planned, dtype="Int64") if name == "slot" else planned
    check_names(directory.path / "trials.csv", frame)
    return frame, said


def read_heads(directory: RunDirectory) -> tuple[pd.DataFrame, list[str]]:
    """Returns heads.csv, without rows that cannot be believed, and lines on these.

    A head field that is newer than the table has its default, with which those fits were made.

    Raises:
        RunError: there is no such table, or it is no table of fits.
    """
    stored = directory.stored_table("heads.csv")
    if stored.is_sealed:
        frame = _typed(directory, "heads.csv", stored.content)
        check_names(directory.path / "heads.csv", frame)
        return _with_newer_fields(frame), list(stored.said)
    rows = _Rows(directory, "heads.csv", ("fit", "id", "status"), stored.content)
    frame = rows.frame()
    wrong = dict(rows.wrong)
    for _, row in frame.iterrows():
        if row["status"] == "done":
            accuracies = [row[name] for name in ("train_accuracy", "val_accuracy", "test_accuracy") if name in row]
            if any(not 0 <= value <= 1 for value in accuracies if pd.notna(value)) or pd.isna(accuracies[:2]).any():
                wrong[row["fit"]] = "its accuracies are no shares"
        elif row["status"] not in ("pending", "failed", *_TRIAL_STATUSES):
            wrong[row["fit"]] = f"its status is {row['status']!r}"
    said = list(stored.said)
    if wrong:
        words = some([f"{fit} ({reason})" for fit, reason in wrong.items()])
        said.append(f"{directory.path / 'heads.csv'}: left out until the same command does these fits again: {words}")
    frame = frame[~frame["fit"].isin(list(wrong))].reset_index(drop=True)
    check_names(directory.path / "heads.csv", frame)
    return _with_newer_fields(frame), said


def _with_newer_fields(table: pd.DataFrame) -> pd.DataFrame:
    """Returns a table of fits with the head fields that it has no column of, each in its place."""
    place = 0
    for name, field in fields.FIELDS.items():
        if field.kind != "head":
            continue
        if name in table:
            place = table.columns.get_loc(name) + 1
        elif "head.kind" in table:
            counts = [field.has_effect({"head.kind": kind}) for kind in table["head.kind"]]
            table.insert(place, name, [field.default if one else None for one in counts])
            place += 1
    return table


class _Rows:
    """The rows of a table without a seal that are whole, as text by column.

    Attributes:
        by_id: id -> column -> text.
        header: the columns.
        wrong: id -> why its row is not believed.
    """

    def __init__(
        self, directory: RunDirectory, name: str, needed: tuple[str, ...], content: bytes, tolerant: bool = False
    ):
        path, self.key = directory.path / name, needed[0]
        self.by_id: dict[str, dict[str, str]] = {}
        self.wrong: dict[str, str] = {}
        self.header: list[str] = []
        try:
            header, rows = parse(content)
            lacking = [column for column in needed if column not in header]
            if lacking:
                raise ValueError(f"it has no column {lacking[0]!r}")
        except ValueError as error:
            if not tolerant:
                raise damaged(path, error, _ADVICE[name]) from None
            self.header = [*needed]
            return
        self.header = header
        place, last = header.index(needed[0]), len(rows) - 1
        ends = content.endswith((b"\n", b"\r", b"\x00")) or header[-1] == "error"
        for line, cells in enumerate(rows):
            identity = cells[place].strip() if place < len(cells) else ""
            row = dict(zip(header, cells, strict=False))
            if len(cells) != len(header) or (line == last and not ends and cells[-1]):
                self.wrong[identity] = "its row is cut"
            elif self.by_id.get(identity, row) != row:
                self.wrong[identity] = "it has several rows"
            self.by_id[identity] = row
        for identity in self.wrong:
            del self.by_id[identity]

    def frame(self, ids: list[str] | None = None) -> pd.DataFrame:
        """Returns the rows in the types of a table, empty for ids that have none."""
        ids = list(self.by_id) if ids is None else ids
        blank = dict.fromkeys(self.header, "")
        rows = [{**blank, **self.by_id.get(identity, {}), self.key: identity} for identity in ids]
        table = pd.DataFrame(rows, columns=self.header)
        for name in table:
            if name in COUNT_COLUMNS:
                whole = [
                    value if value is not None and value.is_integer() else None for value in map(number, table[name])
                ]
                table[name] = pd.array(whole, dtype="Int64")
            elif _RESULT.fullmatch(name):
                table[name] = [number(text) for text in table[name]]
        return typed(table.to_csv(index=False).encode())


def _judged(
    files: TrialFiles, places: Mapping[str, tuple[str, str, int]], rows: _Rows, said: list[str]
) -> pd.DataFrame:
    """Returns the rows of trials, each as its files have it; what differs is added to `said`."""
    ids = list(dict.fromkeys((*files.trials, *places))) or list(rows.by_id)
    rows.header = files.columns(rows.header)
    frame = rows.frame(ids).set_index("id").astype(object)
    files.look_at(frame)
    mended, pending, settings = [], [], []
    for identity in ids:
        row = frame.loc[identity].to_dict()
        reason = rows.wrong.get(identity, "" if identity in rows.by_id else _GONE)
        ended = "pruned" if identity in files.left else "done"
        if not reason and row["status"] not in ({*_TRIAL_STATUSES} - {*statistics.ANSWERED} | {ended}):
            reason = f"its status is {row['status']!r}"
        if other := {
            name: value for name, value in files.settings(identity).items() if not _is_equal(row[name], value)
        }:
            if not reason:
                settings.append(f"{identity} ({_cells(frame.loc[identity], other)})")
            row |= other
        if reason or row["status"] == ended:
            limits = files.limits(identity)
            found = files.recomputed(identity, row, limits.epochs)
            wrong = differing(row, found)
            if sum(pd.notna(row[name]) for name in wrong) > 1:
                # It may be another trial's row, so that nothing else of it is believed either.
                row |= {name: None for name in row if name not in found and _RESULT.fullmatch(name)}
            lacking = problem({**row, **wrong}, limits)
            if lacking:
                row = _untrained(row)
                # What is planned and has left nothing was never trained.
                if reason != _GONE or found:
                    pending.append(f"{identity} ({reason or lacking})")
            else:
                row |= {**wrong, "status": ended, "error": ""}
                if reason or wrong:
                    mended.append(f"{identity} ({reason or _cells(frame.loc[identity], wrong)})")
        frame.loc[identity] = pd.Series(row)
    path = files.directory.path / "trials.csv"
    if strange := [one for one in (*rows.by_id, *rows.wrong) if places and one not in places]:
        said.append(f"{path}: left out {counted(len(strange), 'row')} that plan.json does not know: {some(strange)}")
    if settings:
        said.append(f"{path}: other settings than config.json has for these ids, which count: {some(settings)}")
    if mended:
        said.append(f"{path}: computed again from curves and predictions: {some(mended)}")
    if pending:
        said.append(f"{path}: not done, to be trained again by the same command: {some(pending)}")
    return typed(frame.reset_index().to_csv(index=False).encode())


def _cells(stored: pd.Series, wrong: Mapping[str, Any]) -> str:
    def shown(value: Any) -> str:
        return f"{value:.6g}" if isinstance(value, float) else str(value)

    return some([f"{name} was {shown(stored[name])}, is {shown(value)}" for name, value in wrong.items()])


def _is_equal(stored: Any, value: Any) -> bool:
    """Returns whether a cell of an object column holds a setting."""
    return str(stored) == str(value) or number(str(stored)) == number(str(value)) is not None


def _untrained(row: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the row of a trial without results."""
    empty = {name: None for name in row if _RESULT.fullmatch(name)}
    return {**row, **empty, "status": "pending", "error": ""}


def _places(directory: RunDirectory, said: list[str]) -> tuple[dict[str, tuple[str, str, int]], dict[str, int]]:
    """Returns id -> (stack, wave, slot), and id -> epochs of trials that left a search.

    They are those of plan.json; none where it cannot be read.
    """
    if not directory.has("plan.json"):
        return {}, {}
    try:
        waves = [(stack["name"], wave) for stack in directory.read_plan()["stacks"] for wave in stack["waves"]]
        places = {
            identity: (stack, wave["name"], slot)
            for stack, wave in waves
            for slot, identity in enumerate(wave["trials"])
        }
        left = {identity: wave["until"] for _, wave in waves if wave.get("leaves") for identity in wave["trials"]}
        return places, left
    except RunError as error:
        said.append(f"{error}; until then trials.csv says where trials are")
    except (KeyError, TypeError):
        said.append(f"{directory.path / 'plan.json'} is no plan: trials.csv says where trials are")
    return {}, {}


def _typed(directory: RunDirectory, name: str, content: bytes) -> pd.DataFrame:
    try:
        return typed(content)
    except ValueError as error:
        raise damaged(directory.path / name, error, _ADVICE[name]) from None
